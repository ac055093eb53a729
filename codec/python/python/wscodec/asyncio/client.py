"""``connect``: the client's side of a connection."""

from __future__ import annotations

import asyncio
import base64
import ssl as ssl_module
import urllib.parse
from collections.abc import Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .._wscodec import ClientHandshake, Deflate, Response
from ..exceptions import HandshakeError, InvalidStatus, InvalidURI
from .connection import Connection
from .settings import Settings, deflate_of

__all__ = ["ClientConnection", "connect"]

USER_AGENT = "wscodec/0.1"


class ClientConnection(Connection):
    """A client's connection; ``connect`` makes it."""

    __slots__ = ("_handshake", "_opened", "response")

    response: Response | None
    """The head of the server's answer to the handshake."""

    def __init__(self, settings: Settings, handshake: ClientHandshake) -> None:
        super().__init__(settings)
        self._handshake: ClientHandshake | None = handshake
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.response = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self._handshake is not None
        self.transport.write(self._handshake.data_to_send())

    def _handshake_input(self, data: bytes) -> None:
        handshake = self._handshake
        if handshake is None:
            return  # failed: the transport is closing
        try:
            response = handshake.receive(data)
        except HandshakeError as error:
            self._refuse(error)
            return
        if response is None:
            return
        self._handshake = None
        self.response = response
        self.subprotocol = response.subprotocol
        codec = handshake.connection(**self._settings.limits())
        self._opened.set_result(None)
        self._open(codec, handshake.unread)

    def _handshake_ended(self, cause: Exception | None) -> None:
        if self._handshake is not None:
            try:
                self._handshake.receive_eof()
            except HandshakeError as error:
                if cause is not None:
                    error.__cause__ = cause
                self._refuse(error)

    def _refuse(self, error: HandshakeError) -> None:
        handshake, self._handshake = self._handshake, None
        assert handshake is not None
        self.response = handshake.response
        if self.response is not None and error.name == "refused":
            error = InvalidStatus(error, self.response)
        if not self._opened.done():
            self._opened.set_exception(error)
        self.transport.abort()


class connect:
    """Connects to a WebSocket server. To be awaited, or used as a context that closes the
    connection at its end::

        async with connect("wss://example.com/chat") as websocket:
            await websocket.send("Hello")
            print(await websocket.recv())

    ``subprotocols`` are offered in order of preference. ``compression`` is "deflate" for
    permessage-deflate with the defaults of browsers, a ``Deflate`` or several in order of
    preference, or ``None``. Other arguments go
    to ``loop.create_connection``: ``ssl`` and ``server_hostname`` for TLS, ``host`` and ``port`` to
    connect elsewhere than the URI says, ``sock``, ``local_addr``.

    Times are in seconds, ``None`` is for ever: ``open_timeout`` bounds TCP, TLS and the handshake
    together; a Ping is sent every ``ping_interval``, and the connection fails unless its Pong comes
    within ``ping_timeout``; ``close_timeout`` bounds the closing handshake.

    ``max_size`` bounds a message, in bytes after decompression. Once ``max_queue`` messages wait to
    be received, nothing more is read. ``send`` waits while ``write_limit`` bytes wait.

    Raises ``InvalidURI``, ``HandshakeMisuse``, ``HandshakeError`` (``InvalidStatus`` where the
    server refuses), ``OSError``, and ``TimeoutError``.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] = (),
        additional_headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        user_agent_header: str | None = USER_AGENT,
        compression: str | Deflate | Sequence[Deflate] | None = "deflate",
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_size: int | None = 1 << 20,
        max_queue: int | None = 16,
        write_limit: int = 32 << 10,
        **kwargs: Any,
    ) -> None:
        self._settings = Settings(
            open_timeout=open_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_size=max_size,
            max_queue=max_queue,
            write_limit=write_limit,
        )
        parts = _split_uri(uri)
        items = additional_headers.items() if isinstance(additional_headers, Mapping) else additional_headers
        headers = list(items)
        if user_agent_header and not any(name.lower() == "user-agent" for name, _ in headers):
            headers.append(("User-Agent", user_agent_header))
        if authorization := _authorization(parts):
            headers.append(("Authorization", authorization))
        self._handshake = ClientHandshake(
            _host_header(parts),
            _target(parts),
            subprotocols=list(subprotocols),
            origin=origin,
            headers=headers,
            deflate=_offers(compression),
        )
        self._kwargs = _connection_arguments(parts, kwargs)
        self._connection: ClientConnection | None = None

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        self._connection = await self._connect()
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> ClientConnection:
        connection = ClientConnection(self._settings, self._handshake)
        try:
            async with asyncio.timeout(self._settings.open_timeout):
                await connection._loop.create_connection(lambda: connection, **self._kwargs)
                await connection._opened
        except BaseException:
            connection._abort()
            if not connection._opened.done():
                connection._opened.cancel()
            raise
        return connection


def _offers(
    compression: str | Deflate | Sequence[Deflate] | None,
) -> Deflate | Sequence[Deflate] | None:
    if compression is None or isinstance(compression, (str, Deflate)):
        return deflate_of(compression, Deflate.client())
    return compression


def _split_uri(uri: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(uri)
        parts.port  # noqa: B018 - raises for what is not a port
    except ValueError as error:
        raise InvalidURI(f"{uri!r} is not a URI: {error}") from error
    if parts.scheme not in ("ws", "wss"):
        raise InvalidURI(f"{uri!r} begins with neither ws:// nor wss://")
    if not parts.hostname:
        raise InvalidURI(f"{uri!r} has no host")
    if parts.fragment:
        raise InvalidURI(f"{uri!r} has a fragment, which a WebSocket URI can't have (RFC 6455, 3)")
    return parts


def _target(parts: urllib.parse.SplitResult) -> str:
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return f"{path}?{query}" if query else path


def _host(parts: urllib.parse.SplitResult) -> str:
    assert parts.hostname is not None
    if parts.hostname.isascii():
        return parts.hostname
    try:
        return parts.hostname.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidURI(f"{parts.hostname!r} is not a host: {error}") from error


def _host_header(parts: urllib.parse.SplitResult) -> str:
    host = _host(parts)
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "wss" else 80
    return host if parts.port in (None, default) else f"{host}:{parts.port}"


def _authorization(parts: urllib.parse.SplitResult) -> str | None:
    if parts.username is None:
        return None
    user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _connection_arguments(
    parts: urllib.parse.SplitResult, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of `loop.create_connection`."""
    arguments = dict(kwargs)
    if parts.scheme == "wss":
        if arguments.get("ssl") is None:
            arguments["ssl"] = ssl_module.create_default_context()
        arguments.setdefault("server_hostname", _host(parts))
    elif arguments.get("ssl") is not None:
        raise InvalidURI("ssl needs a URI that begins with wss://")
    if "sock" not in arguments:
        arguments.setdefault("host", _host(parts))
        arguments.setdefault("port", parts.port or (443 if parts.scheme == "wss" else 80))
    return arguments
