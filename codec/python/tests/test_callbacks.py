"""Messages by callback, and what is written together."""

from __future__ import annotations

import asyncio
import os
import unittest.mock
from collections.abc import Callable
from typing import Any

import wscodec
from frames import BINARY, CLOSE, TEXT, frame
from test_asyncio import Case, RawPeer, served, uri
from wscodec.asyncio import ServerConnection, connect
from wscodec.asyncio.protocol import READ_BUFFER_LEN


class Writes:
    """Counts the writes of a connection's transport."""

    def __init__(self, connection: ServerConnection) -> None:
        self.lengths: list[int] = []
        transport = connection.transport
        write = transport.write

        def counted(data: Any) -> None:
            self.lengths.append(len(data))
            write(data)

        transport.write = counted  # type: ignore[method-assign]


async def echoes(websocket: ServerConnection) -> None:
    websocket.on_message(websocket.send_nowait)
    await websocket.wait_closed()


async def read_messages(peer: RawPeer, count: int) -> list[str | bytes]:
    """What a server sends, by the codec."""
    codec = wscodec.Connection.client(message_size_max=1 << 30, frame_size_max=1 << 30)
    messages: list[str | bytes] = []
    while len(messages) < count:
        data = await peer.reader.read(1 << 16)
        assert data, "the server has ended the connection"
        messages += [event for event in codec.receive(data) if isinstance(event, (str, bytes))]
    return messages


class Callbacks(Case):
    async def test_an_echo_of_every_size_in_order(self) -> None:
        async with served(echoes) as server, connect(uri(server), max_size=None) as client:
            sent: list[str | bytes] = ["", "é" * 1000, *(b"x" * n for n in (1, 125, 126, 65536, 300_000))]
            for message in sent:
                await client.send(message)
            self.assertEqual([await client.recv() for _ in sent], sent)

    async def test_begins_with_what_waits(self) -> None:
        seen: list[str | bytes] = []

        async def handler(websocket: ServerConnection) -> None:
            first = await websocket.recv()
            while len(websocket._messages) - websocket._head < 2:  # the others wait
                await asyncio.sleep(0.001)
            websocket.on_message(seen.append)
            self.assertEqual([first, *seen], ["a", "b", "c"])
            websocket.on_message(None)
            await websocket.send("ready")
            self.assertEqual(await websocket.recv(), "d")
            await websocket.send("done")

        async with served(handler) as server, connect(uri(server)) as client:
            for text in "abc":
                await client.send(text)
            self.assertEqual(await client.recv(), "ready")
            await client.send("d")
            self.assertEqual(await client.recv(), "done")
        self.assertEqual(seen, ["b", "c"])

    async def test_a_callback_may_end_itself(self) -> None:
        async def handler(websocket: ServerConnection) -> None:
            def once(message: str | bytes) -> None:
                websocket.on_message(None)
                websocket.send_nowait(f"callback: {message!r}")

            websocket.on_message(once)
            await websocket.send(f"recv: {await websocket.recv()!r}")

        async with served(handler) as server:
            peer = await RawPeer.open(server)
            peer.writer.write(frame(TEXT, b"a", masked=True) + frame(TEXT, b"b", masked=True))
            self.assertEqual(await read_messages(peer, 2), ["callback: 'a'", "recv: 'b'"])
            peer.writer.close()

    async def test_an_error_closes_with_1011_and_is_reported(self) -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

        async def handler(websocket: ServerConnection) -> None:
            websocket.on_message(lambda message: 1 // 0)
            await websocket.wait_closed()

        async with served(handler) as server, connect(uri(server)) as client:
            await client.send("x")
            with self.assertRaises(wscodec.ConnectionClosedError) as caught:
                await client.recv()
        self.assertEqual(caught.exception.close_code, 1011)
        self.assertIsInstance(reported[0]["exception"], ZeroDivisionError)

    async def test_what_comes_after_a_close_is_no_error(self) -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        seen: list[str | bytes] = []

        async def handler(websocket: ServerConnection) -> None:
            def echo(message: str | bytes) -> None:
                seen.append(message)
                websocket.send_nowait(message)

            websocket.on_message(echo)
            await websocket.close()

        async with served(handler) as server:
            peer = await RawPeer.open(server)
            await peer.reader.readexactly(4)  # the Close
            peer.writer.write(frame(TEXT, b"late", masked=True) + frame(CLOSE, b"\x03\xe8", masked=True))
            self.assertEqual(await peer.reader.read(), b"")
            peer.writer.close()
        self.assertEqual((seen, reported), (["late"], []))

    async def test_reads_nothing_while_the_peer_reads_nothing(self) -> None:
        connections: list[ServerConnection] = []

        async def handler(websocket: ServerConnection) -> None:
            connections.append(websocket)
            await echoes(websocket)

        async with served(handler, write_limit=1000) as server:
            peer = await RawPeer.open(server)
            wire = frame(TEXT, b"x" * 10_000, masked=True)
            count = 3000
            writing = asyncio.create_task(self.write(peer, wire, count))
            while not connections or not connections[0]._is_read_paused:
                await asyncio.sleep(0.001)
            waiting = connections[0].transport.get_write_buffer_size()
            # What one read can bring, and no more, however long the peer goes on.
            self.assertLess(waiting, 2 * READ_BUFFER_LEN + 100_000)
            messages = await read_messages(peer, count)
            self.assertTrue(all(message == "x" * 10_000 for message in messages))
            await writing
            self.assertFalse(connections[0]._is_read_paused)
            peer.writer.close()

    async def write(self, peer: RawPeer, wire: bytes, count: int) -> None:
        for _ in range(count):
            peer.writer.write(wire)
            await peer.writer.drain()

    async def test_sending_on_a_closed_connection_raises(self) -> None:
        async with served(echoes) as server:
            client = await connect(uri(server))
            await client.close()
            with self.assertRaises(wscodec.SendError) as caught:
                client.send_nowait("x")
            self.assertEqual(caught.exception.name, "not_open")


class WrittenTogether(Case):
    async def writes(self, echo: Any, wire: bytes, count: int) -> list[int]:
        """The lengths of the writes by which a server answers messages that it has read together."""
        counted: list[Writes] = []

        async def handler(websocket: ServerConnection) -> None:
            counted.append(Writes(websocket))
            await echo(websocket)

        async with served(handler) as server:
            peer = await RawPeer.open(server)
            while not counted:
                await asyncio.sleep(0.001)
            peer.writer.write(wire)
            await read_messages(peer, count)
            lengths = counted[0].lengths[:]
            peer.writer.close()
        return lengths

    async def test_answers_to_one_read(self) -> None:
        async def loop(websocket: ServerConnection) -> None:
            async for message in websocket:
                await websocket.send(message)

        for echo in (echoes, loop):
            with self.subTest(echo.__name__):
                lengths = await self.writes(echo, frame(TEXT, b"hello", masked=True) * 10, 10)
                self.assertEqual(lengths, [10 * 7])

    async def test_an_answer_does_not_wait_for_the_next(self) -> None:
        async def slow(websocket: ServerConnection) -> None:
            await websocket.send(await websocket.recv())
            await websocket.wait_closed()  # with another message waiting

        self.assertEqual(await self.writes(slow, frame(TEXT, b"hello", masked=True) * 2, 1), [7])

    async def test_a_header_goes_with_its_payload_in_one_system_call(self) -> None:
        for size in 20 << 10, 64 << 10, 256 << 10, 1 << 20:
            wire = frame(BINARY, b"x" * size, masked=True)
            with unittest.mock.patch.object(os, "writev", wraps=os.writev) as writev:
                await self.writes(echoes, wire, 1)
            pieces = [[len(piece) for piece in call.args[1]] for call in writev.call_args_list]
            self.assertEqual(pieces, [[4 if size < 1 << 16 else 10, size]])

    async def test_what_the_socket_does_not_take_is_left_to_the_transport(self) -> None:
        def full(fd: int, pieces: list[bytes]) -> int:
            raise BlockingIOError

        def part(len_max: int) -> Callable[[int, list[bytes]], int]:
            return lambda fd, pieces: os.write(fd, b"".join(pieces)[:len_max])

        payload = os.urandom(300_000)
        for writev in full, part(1), part(10), part(11), part(100_000), part(1 << 30):
            async with served(echoes) as server:
                peer = await RawPeer.open(server)
                with unittest.mock.patch.object(os, "writev", writev):
                    peer.writer.write(frame(BINARY, payload, masked=True) + frame(TEXT, b"end", masked=True))
                    self.assertEqual(await read_messages(peer, 2), [payload, "end"])
                peer.writer.close()

    async def test_behind_a_transport_a_header_goes_with_its_payload_unless_that_is_large(self) -> None:
        async def without_the_socket(websocket: ServerConnection) -> None:
            websocket._fd = None  # as with TLS
            await echoes(websocket)

        for size, lengths in (64 << 10, [10 + (64 << 10)]), (256 << 10, [10, 256 << 10]):
            wire = frame(BINARY, b"x" * size, masked=True)
            self.assertEqual(await self.writes(without_the_socket, wire, 1), lengths)

    async def test_much_is_written_on_the_way(self) -> None:
        async def talkative(websocket: ServerConnection) -> None:
            await websocket.recv()
            for _ in range(10):
                await websocket.send(b"x" * 5000)  # another message waits all the while

        lengths = await self.writes(talkative, frame(TEXT, b"hello", masked=True) * 2, 10)
        self.assertGreater(len(lengths), 2)
        self.assertLess(max(lengths), 22_000)
