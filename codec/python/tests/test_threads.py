"""Threads, halves, re-entrancy, and what stays behind."""

from __future__ import annotations

import faulthandler
import functools
import gc
import queue
import sys
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from frames import BINARY, PING, TEXT, frame, pair
from wscodec import (
    Close,
    Connection,
    Ping,
    ProtocolError,
    Receiver,
    Sender,
    SendError,
    mask,
)


@contextmanager
def deadline(seconds: float = 120) -> Iterator[None]:
    """Ends the process with a traceback of every thread if what is inside hangs."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_all(*targets: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Threads(unittest.TestCase):
    def test_many_threads_send_on_one_connection_whole_messages_each(self) -> None:
        client, server = pair()
        sizes = (5, 500, 5_000, 100_000)

        def send(name: int) -> None:
            for count in range(30):
                client.send(bytes([name]) * sizes[count % len(sizes)])

        with deadline():
            run_all(*(functools.partial(send, name) for name in range(4)))
        counts = [0] * 4
        for message in server.receive(client.data_to_send()):
            assert isinstance(message, bytes)
            self.assertEqual(message, message[:1] * len(message))
            counts[message[0]] += 1
        self.assertEqual(counts, [30] * 4)

    def test_threads_that_receive_and_send_on_one_connection(self) -> None:
        client, server = pair()
        client.send(bytes(200_000))
        wire = client.data_to_send()
        received: queue.Queue[int] = queue.Queue()

        def receive() -> None:
            for _ in range(20):
                for event in server.receive(wire):
                    assert isinstance(event, bytes)
                    received.put(len(event))

        def send() -> None:
            for _ in range(20):
                server.send(bytes(100_000))
                server.data_to_send()

        with deadline():
            run_all(receive, receive, send, send)
        self.assertEqual([received.get() for _ in range(40)], [200_000] * 40)

    def test_the_gil_is_released_for_large_payloads(self) -> None:
        payload = bytes(64 << 20)
        client = Connection.client()
        server = Connection.server()
        client.send(payload)
        wire = client.data_to_send()
        server_64 = Connection.server(frame_size_max=1 << 30, message_size_max=1 << 30)
        ran = 0
        is_done = False

        def other() -> None:
            nonlocal ran
            while not is_done:
                ran += 1
                time.sleep(0)  # lets go of the GIL at once: it is never kept from the others

        def while_running(call: Callable[[], Any]) -> int:
            before = ran
            call()
            return ran - before

        thread = threading.Thread(target=other)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1000)  # nobody is asked to let go of the GIL
        try:
            thread.start()
            with deadline():
                for call in (
                    lambda: mask(payload, b"abcd"),
                    lambda: client.send(payload),
                    lambda: server_64.receive(wire),
                ):
                    self.assertGreater(while_running(call), 0)
        finally:
            is_done = True
            sys.setswitchinterval(interval)
            thread.join()

    def test_the_halves_of_a_connection(self) -> None:
        client, whole = pair()
        receiver, sender = whole.split()
        self.assertIsInstance(receiver, Receiver)
        self.assertIsInstance(sender, Sender)
        for use in (lambda: whole.send("x"), lambda: whole.receive(b""), lambda: whole.state, whole.split):
            with self.assertRaisesRegex(ValueError, "split"):
                use()
        client.send("question" * 20_000)
        client.send_ping(b"ping")
        self.assertEqual(receiver.receive(client.data_to_send()), ["question" * 20_000, Ping(b"ping")])
        (reply,) = receiver.replies()
        sender.send("answer")
        sender.reply(reply)
        with self.assertRaisesRegex(ValueError, "already"):
            sender.reply(reply)
        self.assertEqual(len(client.receive(sender.data_to_send())), 2)
        client.send_close(3000, "bye")
        self.assertEqual(receiver.receive(client.data_to_send()), [Close(3000, "bye")])
        self.assertTrue(receiver.is_done)
        for reply in receiver.replies():
            sender.reply(reply)
        self.assertEqual(client.receive(sender.data_to_send()), [Close(3000, "")])
        with self.assertRaises(SendError):
            sender.send("late")

    def test_a_half_that_fails_tells_the_other(self) -> None:
        _, whole = pair()
        receiver, sender = whole.split()
        with self.assertRaises(ProtocolError):
            receiver.receive(frame(TEXT, b"\xff", masked=True))
        for reply in receiver.replies():
            sender.reply(reply)
        with self.assertRaises(SendError):
            sender.send("late")
        (close,) = Connection.client().receive(sender.data_to_send())
        assert isinstance(close, Close)
        self.assertEqual(close.code, 1007)

    def test_halves_in_two_threads(self) -> None:
        client, whole = pair()
        receiver, sender = whole.split()
        replies: queue.Queue[Any] = queue.Queue()
        wires = []
        for number in range(200):
            client.send(bytes(number * 500))
            client.send_ping(b"%d" % number)
            wires.append(client.data_to_send())

        def receive() -> None:
            for wire in wires:
                self.assertEqual(len(receiver.receive(wire)), 2)
                for reply in receiver.replies():
                    replies.put(reply)
            replies.put(None)

        def send() -> None:
            while (reply := replies.get()) is not None:
                sender.reply(reply)
                sender.send("between")

        with deadline():
            run_all(receive, send)
        self.assertEqual(len(client.receive(sender.data_to_send())), 400)


class Reentrancy(unittest.TestCase):
    def test_finalizers_that_call_the_connection_do_not_hang(self) -> None:
        client, server = pair()
        calls = 0

        class Cycle:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                nonlocal calls
                calls += 1
                server.receive(b"")
                server.send("from a finalizer")
                server.data_to_send()

        thresholds = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            with deadline():
                for size in (10, 2_000, 100_000) * 30:
                    Cycle()
                    client.send(bytes(size))
                    client.send_ping(b"x")
                    wire = client.data_to_send()
                    self.assertEqual(server.receive(wire), [bytes(size), Ping(b"x")])
                    client.send(bytes(size))
                    wire = client.data_to_send()
                    self.assertEqual(len(server.receive_into(bytearray(wire), views=True)), 1)
                    server.buffers_to_send()
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()
        self.assertEqual(calls, 90)

    def test_an_error_raised_in_a_finalizer_does_not_hang(self) -> None:
        server = Connection.server()

        class Late:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                try:
                    server.receive(frame(TEXT, b"\xff", masked=True))
                except ProtocolError:
                    pass

        with deadline():
            Late()
            gc.collect()
            with self.assertRaises(ProtocolError):
                server.receive(b"")


class Leaks(unittest.TestCase):
    def test_none_in_a_million_messages(self) -> None:
        client, server = pair()
        batch = b"".join(
            (
                frame(TEXT, b"text", masked=True),
                frame(BINARY, b"binary", masked=True),
                frame(TEXT, "\u20ac".encode() * 100, masked=True),
                frame(PING, b"ping", masked=True),
                frame(BINARY, b"frag", masked=True, fin=False),
                frame(0, b"ment", masked=True),
            )
        ) * 200
        payload = b"x" * 2_000
        text = "t" * 50

        def thousand() -> int:
            count = len(server.receive(batch))
            for _ in range(50):
                client.send(text)
                client.send(payload)
            wire = client.data_to_send()
            count += len(server.receive_into(bytearray(wire), views=True))
            server.send(payload * 20)
            server.send_prepared(prepared)
            server.buffers_to_send()
            server.data_to_send()
            wrong: list[Any] = [{}, 3]
            for thing in wrong:
                try:
                    server.send(thing)
                except TypeError:
                    pass
            try:
                server.send_ping(bytes(126))
            except SendError:
                pass
            try:
                mask(b"", b"")
            except ValueError:
                pass
            return count

        from wscodec import PreparedMessage

        prepared = PreparedMessage(bytes(5_000))
        for _ in range(20):
            thousand()
        gc.collect()
        references = [sys.getrefcount(thing) for thing in (client, server, payload, text, batch, prepared)]
        blocks, resident = sys.getallocatedblocks(), resident_bytes()
        count = 0
        while count < 1_000_000:
            count += thousand()
        gc.collect()
        after = [sys.getrefcount(thing) for thing in (client, server, payload, text, batch, prepared)]
        self.assertEqual(after, references)
        self.assertLess(sys.getallocatedblocks() - blocks, 100)
        self.assertLess(resident_bytes() - resident, 8 << 20)

    def test_none_in_connections_handshakes_and_failures(self) -> None:
        from test_handshake import REQUEST, shake
        from wscodec import ClientHandshake, Deflate, ServerHandshake

        def once() -> None:
            handshakes = (ClientHandshake("h", deflate=Deflate.client()), ServerHandshake(http=True))
            client, server = shake(*handshakes, deflate=Deflate.server())
            client.send("x" * 10_000)
            server.receive(client.data_to_send())
            try:
                server.receive(frame(TEXT, b"\xff", masked=True))
            except ProtocolError as error:
                str(error), repr(error)
            client.split()
            late = ServerHandshake()
            late.receive(REQUEST)
            late.reject(400, headers={"a": "b"}, body=b"no")

        for _ in range(50):
            once()
        gc.collect()
        blocks, resident = sys.getallocatedblocks(), resident_bytes()
        for _ in range(2_000):
            once()
        gc.collect()
        self.assertLess(sys.getallocatedblocks() - blocks, 100)
        self.assertLess(resident_bytes() - resident, 8 << 20)


def resident_bytes() -> int:
    """What the process has in memory; 0 where that can't be told."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096
    except OSError:
        return 0


if __name__ == "__main__":
    unittest.main()
