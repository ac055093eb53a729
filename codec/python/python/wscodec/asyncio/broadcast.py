"""``broadcast``: one message to many connections."""

from __future__ import annotations

from collections.abc import Iterable

from .._wscodec import PreparedMessage, State
from ..exceptions import SendError
from .connection import Connection, Data

__all__ = ["broadcast"]


def broadcast(connections: Iterable[Connection], message: Data) -> None:
    """Sends a message to all connections that are open, without waiting for any.

    It is encoded once, and compressed at most once. What a slow reader doesn't take stays in
    memory: `ping_timeout` ends it. Connections in the middle of a message of fragments are left
    out.
    """
    prepared = PreparedMessage(message)
    for connection in connections:
        codec = connection._codec
        if codec is None or connection.state != State.OPEN or connection._is_fragmenting:
            continue
        try:
            codec.send_prepared(prepared)
        except SendError:
            continue
        connection._flush()
