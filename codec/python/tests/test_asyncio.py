"""Clients and servers over asyncio, with each other and with the package `websockets`."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions

import wscodec
from frames import CLOSE, PING, TEXT, frame
from wscodec import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    Deflate,
    HandshakeError,
    HandshakeMisuse,
    InvalidStatus,
    InvalidURI,
    State,
)
from wscodec.asyncio import (
    ClientConnection,
    HttpResponse,
    Server,
    ServerConnection,
    broadcast,
    connect,
    serve,
)

# Where nothing may happen before; the machine may be slow, so it bounds failures, not successes.
LONG = 60


async def echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


def uri(server: Any, path: str = "/") -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"ws://{host}:{port}{path}"


@contextlib.asynccontextmanager
async def served(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[Server]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield server


@contextlib.asynccontextmanager
async def joined(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[ClientConnection]:
    async with served(handler) as server, connect(uri(server), **options) as client:
        yield client


class RawPeer:
    """The other end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, server: Server) -> RawPeer:
        host, port = server.sockets[0].getsockname()
        peer = cls(*await asyncio.open_connection(host, port))
        handshake = wscodec.ClientHandshake("h")
        peer.writer.write(handshake.data_to_send())
        while handshake.receive(await peer.reader.read(1)) is None:
            pass
        return peer

    @classmethod
    async def accept(cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> RawPeer:
        handshake = wscodec.ServerHandshake()
        while handshake.receive(await reader.read(1)) is None:
            pass
        handshake.accept()
        writer.write(handshake.data_to_send())
        return cls(reader, writer)


class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        # A test that hangs fails.
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = LONG  # the machine may be slow
        task = asyncio.current_task()
        assert task is not None
        handle = loop.call_later(LONG, task.cancel)
        self.addCleanup(handle.cancel)


class Messages(Case):
    async def test_every_size_and_type_comes_back(self) -> None:
        for compression in ("deflate", None):
            async with served(compression=compression, max_size=None) as server:
                async with connect(uri(server), compression=compression, max_size=None) as client:
                    for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
                        for message in ("x" * size, b"y" * size):
                            await client.send(message)
                            self.assertEqual(await client.recv(), message)
                    buffers: list[Any] = [bytearray(b"buffer"), memoryview(b"buffer")]
                    for buffer in buffers:
                        await client.send(buffer)
                        self.assertEqual(await client.recv(), b"buffer")

    async def test_text_and_decode_override_the_type(self) -> None:
        async with joined() as client:
            await client.send(b"caf\xc3\xa9", text=True)
            self.assertEqual(await client.recv(), "caf\u00e9")
            await client.send("caf\u00e9", text=False)
            self.assertEqual(await client.recv(decode=True), "caf\u00e9")
            await client.send("caf\u00e9")
            self.assertEqual(await client.recv(decode=False), b"caf\xc3\xa9")

    async def test_iterables_are_one_message_in_fragments(self) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b"a", b"", b"b"):
                await asyncio.sleep(0)
                yield part

        async with joined() as client:
            await client.send(["one ", "two ", "three"])
            self.assertEqual(await client.recv(), "one two three")
            await client.send(parts())
            self.assertEqual(await client.recv(), b"ab")
            await client.send([])
            await client.send(["only"])
            self.assertEqual(await client.recv(), "only")

    async def test_other_messages_wait_for_a_message_of_fragments(self) -> None:
        go = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield "first "
            await go.wait()
            yield "second"

        async with joined() as client:
            fragments = asyncio.create_task(client.send(parts()))
            while not client._is_fragmenting:
                await asyncio.sleep(0)
            whole = asyncio.create_task(client.send("whole"))
            await (await client.ping())  # may go in between
            self.assertFalse(whole.done())
            go.set()
            await asyncio.gather(fragments, whole)
            self.assertEqual([await client.recv(), await client.recv()], ["first second", "whole"])

    async def test_a_message_that_fails_in_the_middle_closes(self) -> None:
        async def parts() -> AsyncIterator[str]:
            yield "first "
            yield "second"
            raise RuntimeError("no more")

        async with joined() as client:
            with self.assertRaisesRegex(RuntimeError, "no more"):
                await client.send(parts())
            with self.assertRaises(ConnectionClosed):
                await client.recv()

    async def test_wrong_types(self) -> None:
        async with joined() as client:
            wrong: list[Any] = [None, 1, {"a": 1}, [1], object()]
            for message in wrong:
                with self.assertRaises(TypeError):
                    await client.send(message)
            with self.assertRaises(UnicodeEncodeError):
                await client.send("\ud800")
            await client.send("still open")
            self.assertEqual(await client.recv(), "still open")


class Cancelling(Case):
    async def test_recv_loses_nothing_wherever_it_is_cancelled(self) -> None:
        count = 300

        async def flood(websocket: ServerConnection) -> None:
            for number in range(count):
                await websocket.send(str(number))
                if number % 3 == 0:
                    await asyncio.sleep(0)

        async with joined(flood, max_queue=2) as client:
            received: list[str | bytes] = []
            turns = 0
            while len(received) < count:
                task = asyncio.create_task(client.recv())
                for _ in range(turns % 5):
                    await asyncio.sleep(0)
                turns += 1
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    received.append(await task)
            self.assertEqual(received, [str(number) for number in range(count)])

    async def test_a_recv_that_times_out_can_be_called_again(self) -> None:
        async with joined() as client:
            for _ in range(3):
                with self.assertRaises(TimeoutError):
                    await asyncio.wait_for(client.recv(), 0.01)
            await client.send("x")
            self.assertEqual(await client.recv(), "x")

    async def test_a_send_that_is_cancelled_while_it_waits_sends_nothing(self) -> None:
        async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = await RawPeer.accept(reader, writer)
            await release.wait()
            codec = wscodec.Connection.server(frame_size_max=1 << 30)
            while not done.is_set():
                data = await peer.reader.read(1 << 20)
                received.extend(codec.receive(data))
                if "last" in received:
                    done.set()
            writer.close()

        release, done = asyncio.Event(), asyncio.Event()
        received: list[Any] = []
        async with await asyncio.start_server(raw, "127.0.0.1", 0) as server:
            client = await connect(uri(server), compression=None, ping_interval=None, close_timeout=1)
            sent = 0
            while not client._is_write_paused:
                await client.send(bytes(1 << 20))
                sent += 1
            waiting = [asyncio.create_task(client.send(f"cancelled {n}")) for n in range(3)]
            for _ in range(5):
                await asyncio.sleep(0)
            for task in waiting:
                self.assertFalse(task.done())
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            release.set()
            await client.send("last")
            await done.wait()
            self.assertEqual(received, [bytes(1 << 20)] * sent + ["last"])
            await client.close()

    async def test_two_tasks_may_not_receive(self) -> None:
        async with joined() as client:
            task = asyncio.create_task(client.recv())
            await asyncio.sleep(0)
            with self.assertRaises(ConcurrencyError):
                await client.recv()
            await client.send("for the first")
            self.assertEqual(await task, "for the first")


class BackPressure(Case):
    async def test_reading_stops_while_messages_wait(self) -> None:
        sent = 0

        async def flood(websocket: ServerConnection) -> None:
            nonlocal sent
            while True:
                await websocket.send(bytes(100_000))
                sent += 1

        async with joined(flood, compression=None, max_queue=4) as client:
            while not client._is_read_paused:
                await asyncio.sleep(0.001)
            last = -1
            while last != sent:  # until the socket's buffers are full, too
                last = sent
                await asyncio.sleep(0.2)
            self.assertLess(len(client._messages), 10)
            for _ in range(50):
                self.assertEqual(len(await client.recv()), 100_000)
            self.assertGreater(sent, last - 1)

    async def test_a_peer_that_pings_and_never_reads_fills_no_memory(self) -> None:
        async def hold(websocket: ServerConnection) -> None:
            connections.append(websocket)
            await websocket.wait_closed()

        connections: list[ServerConnection] = []
        async with served(hold, ping_interval=None, close_timeout=0.1) as server:
            host, port = server.sockets[0].getsockname()
            peer = await RawPeer.open(server)
            sock = peer.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            (connection,) = connections
            pings = frame(PING, b"p" * 125, masked=True) * 1000
            for _ in range(200):
                peer.writer.write(pings)
                await peer.writer.drain()
            transport = connection.transport
            self.assertLess(transport.get_write_buffer_size(), 1 << 20)
            self.assertEqual(connection.state, State.OPEN)
            peer.writer.transport.abort()


class KeepAlive(Case):
    async def test_ping_measures_the_latency(self) -> None:
        async with joined() as client:
            latency = await (await client.ping())
            self.assertGreater(latency, 0)
            self.assertEqual(client.latency, latency)
            first = await client.ping(b"one")
            with self.assertRaises(ConcurrencyError):
                await client.ping("one")
            second = await client.ping("two")
            await asyncio.gather(first, second)
            await client.pong(b"unasked")
            await client.send("open")
            self.assertEqual(await client.recv(), "open")

    async def test_idle_connections_stay_open(self) -> None:
        async with served(ping_interval=0.02, ping_timeout=LONG) as server:
            async with connect(uri(server), ping_interval=0.02, ping_timeout=LONG) as client:
                while client.latency == 0:
                    await asyncio.sleep(0.01)
                self.assertEqual(client.state, State.OPEN)

    async def test_a_peer_that_does_not_answer_is_closed(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await RawPeer.accept(reader, writer)
            await reader.read(-1)
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            client = await connect(uri(server), ping_interval=0.02, ping_timeout=0.02)
            pong = await client.ping()
            with self.assertRaises(ConnectionClosedError) as caught:
                await client.recv()
            self.assertEqual(caught.exception.close_code, 1006)
            self.assertIsInstance(caught.exception.__cause__, TimeoutError)
            with self.assertRaises(ConnectionClosed):
                await pong


class Closing(Case):
    async def test_the_client_closes(self) -> None:
        codes = []

        async def handler(websocket: ServerConnection) -> None:
            async for _ in websocket:
                pass
            codes.append((websocket.close_code, websocket.close_reason))

        async with served(handler) as server:
            client = await connect(uri(server))
            await client.close(1001, "gone")
            self.assertEqual(client.state, State.CLOSED)
            with self.assertRaises(ConnectionClosedOK):
                await client.recv()
            for use in (client.send("x"), client.ping(), client.pong()):
                with self.assertRaises(ConnectionClosed):
                    await use
            await client.close()
        self.assertEqual(codes, [(1001, "gone")])

    async def test_the_server_closes_and_what_came_before_is_received(self) -> None:
        async def handler(websocket: ServerConnection) -> None:
            await websocket.send("last words")
            await websocket.close(3005, "policy")

        async with joined(handler) as client:
            await client.wait_closed()
            self.assertEqual(await client.recv(), "last words")
            with self.assertRaises(ConnectionClosedError) as caught:
                await client.recv()
            self.assertEqual((caught.exception.close_code, caught.exception.close_reason), (3005, "policy"))
            self.assertEqual((client.close_code, client.close_reason), (3005, "policy"))

    async def test_a_handler_that_returns_or_raises_closes(self) -> None:
        async def returns(websocket: ServerConnection) -> None:
            pass

        async def raises(websocket: ServerConnection) -> None:
            raise RuntimeError("expected by the test")

        for handler, code in ((returns, 1000), (raises, 1011)):
            with self.assertLogs("wscodec.server") if code == 1011 else contextlib.nullcontext():
                async with joined(handler) as client:
                    await client.wait_closed()
                    self.assertEqual(client.close_code, code)

    async def test_iterating_ends_or_raises(self) -> None:
        for code, is_ok in ((1000, True), (1001, True), (1011, False), (4000, False)):

            async def handler(websocket: ServerConnection, code: int = code) -> None:
                await websocket.send("one")
                await websocket.close(code)

            async with joined(handler) as client:
                messages = []
                with contextlib.nullcontext() if is_ok else self.assertRaises(ConnectionClosedError):
                    async for message in client:
                        messages.append(message)
                self.assertEqual(messages, ["one"])

    async def test_a_stream_that_ends_without_a_close_is_1006(self) -> None:
        async def abort(websocket: ServerConnection) -> None:
            websocket.transport.abort()

        async with joined(abort) as client:
            with self.assertRaises(ConnectionClosedError) as caught:
                await client.recv()
            self.assertEqual(caught.exception.close_code, 1006)

    async def test_a_peer_that_breaks_the_protocol_is_told(self) -> None:
        causes = []

        async def handler(websocket: ServerConnection) -> None:
            try:
                self.assertEqual(await websocket.recv(), "good")
                await websocket.recv()
            except ConnectionClosedError as error:
                causes.append(error.__cause__)

        async with served(handler) as server:
            peer = await RawPeer.open(server)
            good, bad = frame(TEXT, b"good", masked=True), frame(TEXT, b"\xff", masked=True)
            peer.writer.write(good + bad)
            codec = wscodec.Connection.client()
            (close,) = codec.receive(await peer.reader.read(-1))
            self.assertEqual(close, wscodec.Close(1007, "utf8"))
            peer.writer.close()
        self.assertEqual([getattr(cause, "name", None) for cause in causes], ["utf8"])

    async def test_a_message_above_max_size_closes_with_1009(self) -> None:
        async with served(max_size=1000) as server, connect(uri(server)) as client:
            await client.send("x" * 1000)
            self.assertEqual(len(await client.recv()), 1000)
            await client.send(bytes(1001), text=False)
            with self.assertRaises(ConnectionClosedError) as caught:
                await client.recv()
            self.assertEqual(caught.exception.close_code, 1009)

    async def test_a_peer_that_never_answers_a_close_is_cut_off(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = await RawPeer.accept(reader, writer)
            peer.writer.write(frame(TEXT, b"x", masked=False) * 1000)
            await release.wait()
            writer.close()

        release = asyncio.Event()
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            client = await connect(uri(server), close_timeout=0.05, max_queue=2)
            await client.close()
            self.assertEqual(client.close_code, 1006)
            release.set()

    async def test_a_close_behind_unread_messages_still_ends(self) -> None:
        async def handler(websocket: ServerConnection) -> None:
            for _ in range(50):
                await websocket.send(bytes(1000))
            await websocket.recv()

        client = None
        async with served(handler) as server:
            client = await connect(uri(server), max_queue=1, compression=None)
            while not client._is_read_paused:
                await asyncio.sleep(0.001)
            await client.close()
            self.assertEqual(client.close_code, 1000)

    async def test_a_server_that_closes_tells_its_clients_and_waits_for_handlers(self) -> None:
        done = []

        async def handler(websocket: ServerConnection) -> None:
            async for _ in websocket:
                pass
            done.append(websocket.close_code)

        async with served(handler) as server:
            clients = [await connect(uri(server)) for _ in range(5)]
            await clients[0].send("seen")
            self.assertTrue(server.is_serving())
            self.assertEqual(len(server.connections), 5)
            server.close(reason="restart")
            await server.wait_closed()
            self.assertEqual(len(done), 5)
            for client in clients:
                await client.wait_closed()
                self.assertEqual((client.close_code, client.close_reason), (1001, "restart"))
            self.assertFalse(server.is_serving())


class Opening(Case):
    async def test_subprotocols_and_headers(self) -> None:
        seen = []

        async def handler(websocket: ServerConnection) -> None:
            assert websocket.request is not None
            seen.append((websocket.request.target, websocket.request.header("X-Test"), websocket.subprotocol))

        async with served(handler, subprotocols=["b", "a"], extra_headers={"X-Server": "s"}) as server:
            client = await connect(
                uri(server, "/path?q=1"), subprotocols=["a", "b"], additional_headers={"X-Test": "t"}
            )
            self.assertEqual(client.subprotocol, "b")
            assert client.response is not None
            self.assertEqual(client.response.header("X-Server"), "s")
            await client.wait_closed()
        self.assertEqual(seen, [("/path?q=1", "t", "b")])

    async def test_plain_http_and_refusals_by_process_request(self) -> None:
        async def process(
            websocket: ServerConnection, request: wscodec.Request | wscodec.HttpRequest
        ) -> HttpResponse | None:
            await asyncio.sleep(0)
            if request.target == "/health":
                return HttpResponse(200, "fine\n", {"X-Kind": "health"})
            if request.target == "/secret":
                return HttpResponse(401, "who are you?\n", [("WWW-Authenticate", "Basic")])
            return None

        async with served(process_request=process) as server:
            host, port = server.sockets[0].getsockname()
            for target, status in (("/health", b"200"), ("/other", b"426")):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
                answer = await reader.read(-1)
                self.assertEqual(answer.split()[1], status)
                writer.close()
            with self.assertRaises(InvalidStatus) as caught:
                await connect(uri(server, "/secret"))
            self.assertEqual(caught.exception.status, 401)
            self.assertEqual(caught.exception.response.header("www-authenticate"), "Basic")
            async with connect(uri(server)) as client:
                await client.send("x")
                self.assertEqual(await client.recv(), "x")

    async def test_process_request_that_raises_or_answers_nonsense_is_a_500(self) -> None:
        def raises(*_: Any) -> HttpResponse:
            raise RuntimeError("expected by the test")

        def nonsense(*_: Any) -> HttpResponse:
            return HttpResponse(99)

        for process in (raises, nonsense):
            async with served(process_request=process) as server:
                with self.assertLogs("wscodec.server"), self.assertRaises(InvalidStatus) as caught:
                    await connect(uri(server))
                self.assertEqual(caught.exception.status, 500)

    async def test_origins(self) -> None:
        async with served(origins=["http://good.example", None]) as server:
            async with connect(uri(server)), connect(uri(server), origin="http://good.example"):
                pass
            with self.assertRaises(InvalidStatus) as caught:
                await connect(uri(server), origin="http://bad.example")
            self.assertEqual(caught.exception.status, 403)

    async def test_clients_that_say_nothing_or_nonsense(self) -> None:
        async with served(open_timeout=0.05) as server:
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                self.assertEqual(await reader.read(-1), b"")
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"\x16\x03\x01nonsense")
            self.assertIn(b" 400 ", await reader.read(-1))
            writer.close()

    async def test_servers_that_say_nothing_or_nonsense(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)
            writer.close()

        async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-nonsense\r\n")
            await reader.read(-1)
            writer.close()

        async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        cases: list[tuple[Any, type[BaseException]]] = [
            (silent, TimeoutError),
            (nonsense, HandshakeError),
            (ends, HandshakeError),
        ]
        for behave, expected in cases:
            async with await asyncio.start_server(behave, "127.0.0.1", 0) as server:
                with self.assertRaises(expected):
                    await connect(uri(server), open_timeout=0.1 if behave is silent else LONG)

    async def test_nobody_listens(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            with self.assertRaises(OSError):
                await connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/")

    async def test_arguments_are_checked(self) -> None:
        for wrong in ("http://h/", "ws:///", "ws://h/#f", "ws://h:port/", "h", "ws://[::1/"):
            with self.assertRaises(InvalidURI):
                connect(wrong)
        with self.assertRaises(InvalidURI):
            connect("ws://h/", ssl=ssl.create_default_context())
        with self.assertRaises(HandshakeMisuse):
            connect("ws://h/", additional_headers={"Upgrade": "x"})
        for arguments in ({"compression": "gzip"}, {"ping_interval": -1}, {"max_queue": 0}):
            with self.assertRaises(ValueError):
                connect("ws://h/", **arguments)
        with self.assertRaises(TypeError):
            await connect("ws://127.0.0.1:1/", unknown=1)

    async def test_the_request_is_that_of_the_uri(self) -> None:
        for given, host, target, authorization in (
            ("ws://h", "h", "/", None),
            ("ws://h:80/a", "h", "/a", None),
            ("wss://h:443/a?b=c&d", "h", "/a?b=c&d", None),
            ("ws://h:8080/caf\u00e9 1", "h:8080", "/caf%C3%A9%201", None),
            ("ws://[::1]:90/", "[::1]:90", "/", None),
            ("ws://b\u00fccher.example/", "xn--bcher-kva.example", "/", None),
            ("ws://user:p%40ss@h/", "h", "/", "Basic dXNlcjpwQHNz"),
        ):
            request = wscodec.ServerHandshake().receive(connect(given)._handshake.data_to_send())
            assert isinstance(request, wscodec.Request)
            self.assertEqual((request.host, request.target), (host, target), given)
            self.assertEqual(request.header("Authorization"), authorization)

    async def test_frames_that_come_with_the_handshake_are_received(self) -> None:
        async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handshake = wscodec.ServerHandshake()
            while handshake.receive(await reader.read(4096)) is None:
                pass
            handshake.accept()
            writer.write(handshake.data_to_send() + b"\x81\x05eager\x88\x02\x03\xe8")
            await reader.read(-1)
            writer.close()

        async with await asyncio.start_server(eager, "127.0.0.1", 0) as server:
            client = await connect(uri(server), close_timeout=1)
            self.assertEqual([message async for message in client], ["eager"])


class Broadcasting(Case):
    async def test_all_that_are_open_get_it(self) -> None:
        connections: set[ServerConnection] = set()

        async def handler(websocket: ServerConnection) -> None:
            connections.add(websocket)
            await websocket.wait_closed()

        for compression in ("deflate", None):
            connections.clear()
            async with served(handler, compression=compression) as server:
                clients = [await connect(uri(server)) for _ in range(5)]
                while len(connections) < 5:
                    await asyncio.sleep(0.001)
                await clients[0].close()
                for message in ("text", b"binary" * 1000):
                    broadcast(connections, message)
                    received = [await client.recv() for client in clients[1:]]
                    self.assertEqual(received, [message] * 4)


class Tls(Case):
    async def test_wss(self) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            self.skipTest("no openssl to make a certificate with")
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = Path(folder, "key.pem"), Path(folder, "cert.pem")
            subprocess.run(
                [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
                + ["-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
                + ["-addext", "subjectAltName=DNS:localhost"],
                check=True,
                capture_output=True,
            )
            server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server_context.load_cert_chain(certificate, key)
            client_context = ssl.create_default_context(cafile=str(certificate))
            async with served(ssl=server_context) as server:
                port = server.sockets[0].getsockname()[1]
                options: dict[str, Any] = {"host": "127.0.0.1", "max_size": None}
                async with connect(f"wss://localhost:{port}/", ssl=client_context, **options) as client:
                    for message in ("small", bytes(1 << 19)):
                        await client.send(message)
                        self.assertEqual(await client.recv(), message)
                    self.assertIsNotNone(client.transport.get_extra_info("ssl_object"))
                # The server's side of a failed TLS handshake is reported to the loop.
                asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
                with self.assertRaises(ssl.SSLError):
                    await connect(f"wss://localhost:{port}/", **options)


class Interop(Case):
    """With the package `websockets`, in both roles."""

    MESSAGES = ("", "text", "caf\u00e9" * 20_000, b"", b"b" * 125, b"b" * 70_000, b"b" * 900_000)

    async def exchange(self, client: Any, compression: Any) -> None:
        for message in self.MESSAGES:
            await client.send(message)
            self.assertEqual(await client.recv(), message)
        await client.send(["frag", "ments"])
        self.assertEqual(await client.recv(), "fragments")
        await (await client.ping())

    async def test_their_client(self) -> None:
        for compression in ("deflate", None):
            async with served(compression=compression) as server:
                async with websockets.asyncio.client.connect(uri(server)) as client:
                    await self.exchange(client, compression)
                    await client.close(3000, "bye")
                self.assertEqual(client.close_code, 3000)

    async def test_their_server(self) -> None:
        async def their_echo(websocket: Any) -> None:
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                async for message in websocket:
                    await websocket.send(message)

        for compression in ("deflate", None, Deflate.client(server_max_window_bits=9)):
            async with websockets.asyncio.server.serve(their_echo, "127.0.0.1", 0) as server:
                async with connect(uri(server), compression=compression) as client:
                    await self.exchange(client, compression)
                    await client.close(3000, "bye")
                self.assertEqual((client.close_code, client.close_reason), (3000, "bye"))

    async def test_their_failures(self) -> None:
        async def their_failure(websocket: Any) -> None:
            raise RuntimeError("expected by the test")

        async with websockets.asyncio.server.serve(their_failure, "127.0.0.1", 0) as server:
            with self.assertLogs("websockets.server"):
                async with connect(uri(server)) as client:
                    with self.assertRaises(ConnectionClosedError):
                        await client.recv()
                    self.assertEqual(client.close_code, 1011)


if __name__ == "__main__":
    unittest.main()
