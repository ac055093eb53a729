"""Exceptions, grouped by the side at fault.

::

    WebSocketError
    ├── ProtocolError            the peer broke the protocol
    │   └── LimitError           the peer exceeded a limit
    ├── SendError                something can't be sent now, or at all
    ├── HandshakeError           the peer's part of the opening handshake failed
    │   └── InvalidStatus        (asyncio) the server answered with a status other than 101
    ├── HandshakeMisuse          this side's part of the opening handshake can't be written
    ├── InvalidURI               (asyncio) what was given is not a WebSocket URI
    ├── ConcurrencyError         (asyncio) two tasks receive from one connection
    └── ConnectionClosed         (asyncio) the connection is closed
        ├── ConnectionClosedOK
        └── ConnectionClosedError
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._wscodec import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "HandshakeError",
    "HandshakeMisuse",
    "InvalidStatus",
    "InvalidURI",
    "LimitError",
    "ProtocolError",
    "SendError",
    "WebSocketError",
]


class WebSocketError(Exception):
    """Every exception of this package.

    ``number`` and ``name`` never change their meaning: they are for logs, counters and code that
    tells errors apart. ``close_code`` is the close code that reports the error to the peer, if
    there is one (RFC 6455, 7.4.1).
    """

    number: int = 0
    name: str = "error"
    close_code: int | None = None


class _Numbered(WebSocketError):
    def __init__(self, message: str, number: int, name: str, extra: int | None = None) -> None:
        super().__init__(message, number, name, extra)
        self.number = number
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])


class ProtocolError(_Numbered):
    """The peer broke the protocol. The connection has failed for good, and the Close that tells
    the peer is in the output. Numbers 100 to 199."""

    def __init__(self, message: str, number: int, name: str, close_code: int | None = None) -> None:
        super().__init__(message, number, name, close_code)
        self.close_code = close_code


class LimitError(ProtocolError):
    """The peer sent more than a limit allows."""


class SendError(_Numbered):
    """Something was not sent: nothing was written, and the connection goes on.

    Numbers 200 to 299."""


class HandshakeError(_Numbered):
    """The opening handshake failed by the peer's fault or its decision. Numbers 300 to 399.

    ``status`` is the HTTP status that reports it."""

    def __init__(self, message: str, number: int, name: str, status: int | None = None) -> None:
        super().__init__(message, number, name, status)
        self.status = status


class InvalidStatus(HandshakeError):
    """The server answered with a status other than 101; ``response`` is the head of its answer."""

    def __init__(self, error: HandshakeError, response: Response) -> None:
        super().__init__(str(error), error.number, error.name, error.status)
        self.response = response


class HandshakeMisuse(_Numbered, ValueError):
    """An argument that may not go into a handshake. Nothing was written. Numbers 400 to 499."""


class InvalidURI(WebSocketError, ValueError):
    """What was given is not the URI of a WebSocket."""

    number = 501
    name = "invalid_uri"


class ConcurrencyError(WebSocketError, RuntimeError):
    """Two tasks receive from one connection at the same time."""

    number = 502
    name = "concurrency"


class ConnectionClosed(WebSocketError):
    """The connection is closed. ``close_code`` and ``close_reason`` are the peer's: 1005 if its
    Close was empty, 1006 if there was none."""

    number = 503
    name = "closed"

    def __init__(self, close_code: int, close_reason: str) -> None:
        super().__init__(close_code, close_reason)
        self.close_code: int = close_code
        self.close_reason = close_reason

    def __str__(self) -> str:
        reason = f": {self.close_reason}" if self.close_reason else ""
        return f"closed with {self.close_code}{reason}"


class ConnectionClosedOK(ConnectionClosed):
    """It was closed with 1000 (normal), 1001 (going away) or an empty Close."""

    number = 504
    name = "closed_ok"


class ConnectionClosedError(ConnectionClosed):
    """It was closed with another code, or without a closing handshake. The cause, where it is
    known, is ``__cause__``."""

    number = 505
    name = "closed_error"
