"""``serve``: the server's side of connections."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeAlias

from .._wscodec import Deflate, HttpRequest, Request, ServerHandshake, State
from ..exceptions import ConnectionClosed, HandshakeError, HandshakeMisuse
from .connection import Connection
from .settings import Settings, deflate_of

__all__ = ["HttpResponse", "Server", "ServerConnection", "serve"]

logger = logging.getLogger("wscodec.server")

SERVER_HEADER = "wscodec/0.1"


@dataclasses.dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer to a request that is not to become a WebSocket. The connection closes after it."""

    status: int
    body: str | bytes = b""
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()


Handler: TypeAlias = "Callable[[ServerConnection], Awaitable[None]]"
ProcessRequest: TypeAlias = (
    "Callable[[ServerConnection, Request | HttpRequest],"
    " Awaitable[HttpResponse | None] | HttpResponse | None]"
)
SelectSubprotocol: TypeAlias = "Callable[[ServerConnection, Sequence[str]], str | None]"


@dataclasses.dataclass(frozen=True, slots=True)
class _Serving:
    """What all connections of a server share."""

    handler: Handler
    settings: Settings
    deflate: Deflate | None
    origins: frozenset[str | None] | None
    subprotocols: Sequence[str]
    select_subprotocol: SelectSubprotocol | None
    process_request: ProcessRequest | None
    headers: Sequence[tuple[str, str]]


class ServerConnection(Connection):
    """A server's connection, which the handler gets."""

    __slots__ = ("_handshake", "_open_timer", "_server", "_task", "request")

    request: Request | HttpRequest | None
    """The client's request: its path, headers, origin and subprotocols."""

    def __init__(self, server: Server) -> None:
        super().__init__(server._serving.settings)
        self._server = server
        self._handshake: ServerHandshake | None = ServerHandshake(http=True)
        self._open_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.request = None

    @property
    def server(self) -> Server:
        """The server that has accepted the connection."""
        return self._server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server._connections.add(self)
        timeout = self._settings.open_timeout
        if timeout is not None:
            self._open_timer = self._loop.call_later(timeout, self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._open_timer is not None:
            self._open_timer.cancel()
            self._open_timer = None
        if self._task is None:
            self._server._forget(self)

    def _handshake_input(self, data: bytes) -> None:
        handshake = self._handshake
        if handshake is None or self._task is not None:
            if handshake is not None:
                handshake.receive(data)  # frames that come before the answer: kept as unread
            return
        try:
            self.request = handshake.receive(data)
        except HandshakeError:
            handshake.reject_failed()
            self._refuse(handshake)
            return
        if self.request is not None:
            # The client waits for the answer. It has nothing to say that can't wait, too.
            self.transport.pause_reading()
            self._task = self._loop.create_task(self._serve(handshake, self.request))

    def _handshake_ended(self, cause: Exception | None) -> None:
        self._handshake = None

    def _refuse(self, handshake: ServerHandshake) -> None:
        """Writes the response that refuses, and ends the stream once the client has read it."""
        self._handshake = None
        self.transport.write(handshake.data_to_send())
        if self.transport.can_write_eof():
            self.transport.write_eof()
            if self._close_timer is None:
                timeout = self._settings.close_timeout
                self._close_timer = self._loop.call_later(timeout or 10, self._abort)
        else:
            self.transport.close()

    async def _serve(self, handshake: ServerHandshake, request: Request | HttpRequest) -> None:
        try:
            if await self._answer(handshake, request):
                await self._handle()
        finally:
            self._server._forget(self)

    async def _answer(self, handshake: ServerHandshake, request: Request | HttpRequest) -> bool:
        """Accepts or refuses; returns whether the connection is open."""
        try:
            response = await self._judge(request)
        except Exception:
            logger.exception("process_request failed for %s", request)
            response = HttpResponse(500, "internal error\n")
        if self.transport.is_closing():
            return False
        if self._open_timer is not None:
            self._open_timer.cancel()
            self._open_timer = None
        self.transport.resume_reading()
        if response is None and isinstance(request, Request):
            try:
                self._accept(handshake, request)
            except HandshakeMisuse:
                logger.exception("can't accept %s", request)
                response = HttpResponse(500, "internal error\n")
            else:
                return True
        response = response or HttpResponse(426, "this is a WebSocket server\n")
        try:
            handshake.reject(response.status, headers=response.headers, body=response.body)
        except HandshakeMisuse:
            logger.exception("can't answer %s with %s", request, response.status)
            handshake.reject(500, body="internal error\n")
        self._refuse(handshake)
        return False

    async def _judge(self, request: Request | HttpRequest) -> HttpResponse | None:
        serving = self._server._serving
        if serving.process_request is not None:
            response = serving.process_request(self, request)
            if inspect.isawaitable(response):
                response = await response
            if response is not None:
                return response
        if isinstance(request, HttpRequest):
            return None
        if not self._server.is_serving():
            return HttpResponse(503, "the server is closing\n")
        if serving.origins is not None and request.origin not in serving.origins:
            return HttpResponse(403, "this origin is not allowed\n")
        return None

    def _accept(self, handshake: ServerHandshake, request: Request) -> None:
        serving = self._server._serving
        self.subprotocol = self._select_subprotocol(request.subprotocols)
        handshake.accept(
            subprotocol=self.subprotocol, headers=serving.headers, deflate=serving.deflate
        )
        self._handshake = None
        self.transport.write(handshake.data_to_send())
        self._open(handshake.connection(**self._settings.limits()), handshake.unread)

    def _select_subprotocol(self, offered: Sequence[str]) -> str | None:
        serving = self._server._serving
        if serving.select_subprotocol is not None:
            return serving.select_subprotocol(self, offered)
        return next((name for name in serving.subprotocols if name in offered), None)

    async def _handle(self) -> None:
        try:
            await self._server._serving.handler(self)
        except ConnectionClosed:
            pass  # it is the handler's right not to care
        except Exception:
            logger.exception("the handler of %s failed", self.request)
            self._start_close(1011, "")
        await self.close()


class Server:
    """A server that listens; ``serve`` makes it."""

    def __init__(self, serving: _Serving) -> None:
        self._serving = serving
        self._connections: set[ServerConnection] = set()
        self._server: asyncio.Server | None = None
        self._is_closing = False
        self._gone: asyncio.Event = asyncio.Event()

    @property
    def sockets(self) -> Sequence[Any]:
        """The sockets that it listens on."""
        return () if self._server is None else self._server.sockets

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open."""
        return {one for one in self._connections if one.state == State.OPEN}

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return not self._is_closing and self._server is not None and self._server.is_serving()

    async def serve_forever(self) -> None:
        """Serves until the task is cancelled."""
        assert self._server is not None
        await self._server.serve_forever()

    def close(self, close_connections: bool = True, code: int = 1001, reason: str = "") -> None:
        """Stops to listen, and closes all connections with ``code`` unless told otherwise.
        ``wait_closed`` waits for their handlers."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            if connection.state == State.CONNECTING:
                if connection._task is None:
                    connection._abort()
            elif close_connections:
                connection._start_close(code, reason)
        if not self._connections:
            self._gone.set()

    async def wait_closed(self) -> None:
        """Waits until it is closed and all handlers are done."""
        await self._gone.wait()

    def _forget(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)
        if self._is_closing and not self._connections:
            self._gone.set()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        await self.wait_closed()


class serve:
    """Starts a server that calls ``handler`` with each connection. To be awaited, or used as a
    context that closes the server at its end::

        async with serve(handler, "127.0.0.1", 9001) as server:
            await server.serve_forever()

    When the handler returns, its connection is closed with 1000; when it raises, with 1011.

    ``process_request`` gets each request first, also plain HTTP, and may answer it with an
    ``HttpResponse``; it may be a coroutine. ``origins`` are those that are allowed, ``None`` among
    them for clients that send none. ``subprotocols`` are in the server's order of preference, unless
    ``select_subprotocol`` selects one of those that are offered. ``compression`` is "deflate" for
    permessage-deflate with windows of 4 KiB, a ``Deflate``, or ``None``. Other arguments go to
    ``loop.create_server``: ``host``, ``port``, ``ssl``, ``sock``, ``backlog``, ``reuse_port``.
    Times, sizes and limits are those of ``connect``; ``open_timeout`` counts from the connection's
    start to the answer.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        origins: Iterable[str | None] | None = None,
        subprotocols: Sequence[str] = (),
        select_subprotocol: SelectSubprotocol | None = None,
        process_request: ProcessRequest | None = None,
        extra_headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        server_header: str | None = SERVER_HEADER,
        compression: str | Deflate | None = "deflate",
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_size: int | None = 1 << 20,
        max_queue: int | None = 16,
        write_limit: int = 32 << 10,
        **kwargs: Any,
    ) -> None:
        items = extra_headers.items() if isinstance(extra_headers, Mapping) else extra_headers
        headers = list(items)
        if server_header:
            headers.append(("Server", server_header))
        self._serving = _Serving(
            handler=handler,
            settings=Settings(
                open_timeout=open_timeout,
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_size=max_size,
                max_queue=max_queue,
                write_limit=write_limit,
            ),
            deflate=deflate_of(compression, Deflate.server()),
            origins=None if origins is None else frozenset(origins),
            subprotocols=tuple(subprotocols),
            select_subprotocol=select_subprotocol,
            process_request=process_request,
            headers=headers,
        )
        self._kwargs = kwargs
        if "sock" not in kwargs:
            self._kwargs |= {"host": host, "port": port}
        self._server: Server | None = None

    def __await__(self) -> Generator[Any, None, Server]:
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        self._server = await self._start()
        return self._server

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _start(self) -> Server:
        server = Server(self._serving)
        loop = asyncio.get_running_loop()
        server._server = await loop.create_server(
            lambda: ServerConnection(server), **self._kwargs
        )
        return server
