"""Echo servers, one of each kind: `servers.py KIND` prints its port and serves until its input ends.

Compression, keep-alive and limits on sizes are off in all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import Any

ASYNC: dict[str, Any] = {}
THREADED: dict[str, Any] = {}


def kind(name: str, kinds: dict[str, Any] = ASYNC) -> Any:
    def add(start: Any) -> Any:
        kinds[name] = start
        return start

    return add


@kind("wscodec.asyncio")
async def _() -> int:
    from wscodec.asyncio import serve

    async def echo(websocket: Any) -> None:
        async for message in websocket:
            await websocket.send(message)

    server = await serve(
        echo, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None, backlog=4096
    )
    return port_of(server)


@kind("wscodec.asyncio, callback")
async def _() -> int:
    """As picows works: the answer is written in the callback, without a task."""
    from wscodec.asyncio import serve

    async def echo(websocket: Any) -> None:
        websocket.on_message(websocket.send_nowait)
        await websocket.wait_closed()

    server = await serve(
        echo, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None, backlog=4096
    )
    return port_of(server)


@kind("wscodec, protocol")
async def _() -> int:
    """The same as a protocol of one's own."""
    import wscodec

    buffer = memoryview(bytearray(256 << 10))
    limits = {"message_size_max": 1 << 40, "frame_size_max": 1 << 40}

    class Echo(asyncio.BufferedProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.handshake: Any = wscodec.ServerHandshake()

        def get_buffer(self, sizehint: int) -> memoryview:
            return buffer

        def buffer_updated(self, nbytes: int) -> None:
            if self.handshake is not None:
                if self.handshake.receive(buffer[:nbytes]) is not None:
                    self.handshake.accept()
                    self.transport.write(self.handshake.data_to_send())
                    self.connection = self.handshake.connection(**limits)
                    self.handshake = None
                return
            connection = self.connection
            for event in connection.receive_into(buffer, nbytes):
                if type(event) is bytes or type(event) is str:
                    connection.send(event)
                    if len(event) >= 16 << 10:
                        self.flush(len(event))
            self.flush(0)

        def flush(self, message_len: int) -> None:
            # Joined up to 128 KiB: beyond, the copy costs more than a system call.
            if message_len >= 128 << 10:
                for piece in self.connection.buffers_to_send():
                    self.transport.write(piece)
            elif data := self.connection.data_to_send():
                self.transport.write(data)

    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=4096)
    return port_of(server)


@kind("wscodec, socket", THREADED)
def _() -> int:
    """A thread for each connection, as `websockets.sync` has."""
    import wscodec

    def serve(sock: socket.socket) -> None:
        handshake = wscodec.ServerHandshake()
        while handshake.receive(sock.recv(4096)) is None:
            pass
        handshake.accept()
        sock.sendall(handshake.data_to_send())
        connection = handshake.connection(message_size_max=1 << 40, frame_size_max=1 << 40)
        buffer = bytearray(64 << 10)
        while nbytes := sock.recv_into(buffer):
            for event in connection.receive_into(buffer, nbytes):
                if isinstance(event, (str, bytes)):
                    connection.send(event)
            if data := connection.data_to_send():
                sock.sendall(data)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


@kind("websockets.asyncio")
async def _() -> int:
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosed

    async def echo(websocket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in websocket:
                await websocket.send(message)

    options: dict[str, Any] = {"compression": None, "ping_interval": None, "max_size": None}
    return port_of(await serve(echo, "127.0.0.1", 0, backlog=4096, **options))


@kind("websockets.sync", THREADED)
def _() -> int:
    from websockets.sync.server import serve

    def echo(websocket: Any) -> None:
        for message in websocket:
            websocket.send(message)

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = serve(echo, sock=listener, compression=None, max_size=None, ping_interval=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(listener.getsockname()[1])


@kind("picows")
async def _() -> int:
    from picows import WSListener, WSMsgType, ws_create_server

    class Echo(WSListener):
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    server = await ws_create_server(
        lambda request: Echo(), "127.0.0.1", 0, max_frame_size=1 << 30, backlog=4096
    )
    return port_of(server)


@kind("aiohttp")
async def _() -> int:
    from aiohttp import WSMsgType, web

    async def echo(request: Any) -> Any:
        websocket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await websocket.prepare(request)
        async for message in websocket:
            if message.type == WSMsgType.BINARY:
                await websocket.send_bytes(message.data)
            elif message.type == WSMsgType.TEXT:
                await websocket.send_str(message.data)
        return websocket

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    return int(runner.addresses[0][1])


@kind("wsproto")
async def _() -> int:
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, BytesMessage, Request, TextMessage

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.connection = WSConnection(ConnectionType.SERVER)
            self.parts: list[Any] = []

        def data_received(self, data: bytes) -> None:
            self.connection.receive_data(data)
            for event in self.connection.events():
                if isinstance(event, Request):
                    self.transport.write(self.connection.send(AcceptConnection()))
                elif isinstance(event, (BytesMessage, TextMessage)):
                    self.parts.append(event.data)
                    if event.message_finished:
                        whole = self.parts[0][:0].join(self.parts)
                        self.parts.clear()
                        self.transport.write(self.connection.send(type(event)(data=whole)))

    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=4096)
    return port_of(server)


def port_of(server: Any) -> int:
    return int(server.sockets[0].getsockname()[1])


async def serve_async(name: str) -> None:
    print(await ASYNC[name](), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    name = sys.argv[1]
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
    if name in ASYNC:
        asyncio.run(serve_async(name))
    else:
        print(THREADED[name](), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
