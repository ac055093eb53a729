"""The connection without I/O: events, states, limits, misuse."""

from __future__ import annotations

import array
import ctypes
import unittest
from collections.abc import Callable
from typing import Any

import wscodec
from frames import BINARY, CLOSE, PING, PONG, TEXT, connection, frame, pair
from wscodec import (
    Close,
    Connection,
    LimitError,
    Ping,
    Pong,
    PreparedMessage,
    ProtocolError,
    SendError,
    State,
)

ROLES = ("client", "server")
# Where a header changes its form, where a frame gets a `bytes` of its own, and where the GIL goes.
SIZES = (0, 1, 125, 126, 1023, 1024, 16383, 16384, 65535, 65536, 1 << 20)


class Receiving(unittest.TestCase):
    def test_the_examples_of_the_rfc(self) -> None:
        server = Connection.server()
        masked = bytes.fromhex("818537fa213d7f9f4d5158")
        self.assertEqual(server.receive(masked), ["Hello"])
        self.assertEqual(masked, bytes.fromhex("818537fa213d7f9f4d5158"), "bytes never change")
        client = Connection.client()
        self.assertEqual(client.receive(b"\x81\x05Hello"), ["Hello"])
        self.assertEqual(client.receive(b"\x01\x03Hel\x80\x02lo"), ["Hello"])
        self.assertEqual(client.receive(b"\x89\x05Hello"), [Ping(b"Hello")])
        self.assertEqual(client.receive(b"\x8a\x05Hello"), [Pong(b"Hello")])

    def test_every_size_arrives_as_it_was_sent_both_ways(self) -> None:
        for size in SIZES:
            for message in (bytes(range(256)) * (size // 256) + bytes(size % 256), "x" * size):
                client, server = pair()
                for sender, receiver in ((client, server), (server, client)):
                    with self.subTest(size=size, kind=type(message), client=sender.is_client):
                        sender.send(message)
                        sender.send("after")
                        wire = sender.data_to_send()
                        opcode = TEXT if isinstance(message, str) else BINARY
                        payload = message.encode() if isinstance(message, str) else message
                        head = frame(opcode, payload, masked=sender.is_client)
                        self.assertEqual(len(wire) - len(head), 11 if sender.is_client else 7)
                        if not sender.is_client:
                            self.assertTrue(wire.startswith(head))
                        self.assertEqual(receiver.receive(wire), [message, "after"])
                        self.assertEqual(sender.data_to_send(), b"")

    def test_input_may_be_split_anywhere(self) -> None:
        for role in ROLES:
            masked = role == "server"
            stream = b"".join(
                (
                    frame(TEXT, "a\u00e9\u20ac\U0001f600".encode(), masked=masked, fin=False),
                    frame(PING, b"p", masked=masked),
                    frame(0, b"z" * 130, masked=masked),
                    frame(BINARY, bytes(70), masked=masked),
                    frame(CLOSE, b"\x0b\xb8bye", masked=masked),
                )
            )
            expected = [
                Ping(b"p"),
                "a\u00e9\u20ac\U0001f600" + "z" * 130,
                bytes(70),
                Close(3000, "bye"),
            ]
            for at in range(len(stream) + 1):
                receiver = connection(role)
                events = receiver.receive(stream[:at]) + receiver.receive(stream[at:])
                self.assertEqual(events, expected, f"{role}, split at {at}")
            receiver = connection(role)
            events = [event for byte in stream for event in receiver.receive(bytes([byte]))]
            self.assertEqual(events, expected, f"{role}, byte by byte")

    def test_any_contiguous_buffer_is_input(self) -> None:
        wire = frame(TEXT, b"Hello!!!", masked=True) + bytes(2)
        for make in (bytes, bytearray, memoryview, lambda data: array.array("B", data)):
            data = make(wire[:14])
            self.assertEqual(Connection.server().receive(data), ["Hello!!!"], type(data))
        words = array.array("H", wire[:14])  # items of two bytes: it is the bytes that count
        self.assertEqual(Connection.server().receive(words), ["Hello!!!"])

    def test_what_is_no_contiguous_buffer_is_refused_and_nothing_is_taken(self) -> None:
        server = Connection.server()
        wrong: list[Any] = ["text", 7, None, [1, 2], object()]
        for data in wrong:
            with self.assertRaises(TypeError):
                server.receive(data)
        with self.assertRaises(BufferError):
            server.receive(memoryview(b"abcdef")[::2])
        with self.assertRaises(TypeError):
            server.receive()  # type: ignore[call-arg]
        self.assertEqual(server.receive(frame(TEXT, b"ok", masked=True)), ["ok"])

    def test_received_text_is_text_in_every_width(self) -> None:
        for text in ("ascii", "caf\u00e9", "\u20ac", "\U0001f600", "a\0b", "\ufeffbom"):
            with self.subTest(text=text):
                wire = frame(TEXT, text.encode(), masked=True)
                self.assertEqual(Connection.server().receive(wire), [text])


class ReceivingInto(unittest.TestCase):
    def test_payloads_are_unmasked_in_the_buffer_itself(self) -> None:
        for make in (bytearray, lambda data: memoryview(bytearray(data)), lambda data: array.array("B", data)):
            wire = frame(BINARY, b"payload", masked=True)
            buffer = make(wire + b"rest")
            self.assertEqual(Connection.server().receive_into(buffer, len(wire)), [b"payload"])
            self.assertEqual(bytes(buffer)[6:], b"payloadrest")

    def test_a_ctypes_array_is_a_buffer(self) -> None:
        wire = frame(TEXT, b"Hello", masked=True)
        buffer = (ctypes.c_ubyte * len(wire))(*wire)
        self.assertEqual(Connection.server().receive_into(buffer), ["Hello"])

    def test_read_only_and_wrong_buffers_are_refused(self) -> None:
        server = Connection.server()
        for data in (b"bytes", memoryview(b"bytes"), memoryview(bytearray(8))[::2]):
            with self.assertRaises(BufferError):
                server.receive_into(data)
        wrong: list[Any] = ["text", 1, None]
        for thing in wrong:
            with self.assertRaises(TypeError):
                server.receive_into(thing)

    def test_nbytes_is_checked_against_the_buffer(self) -> None:
        server = Connection.server()
        with self.assertRaisesRegex(ValueError, "nbytes is 5, but the buffer has 4 bytes"):
            server.receive_into(bytearray(4), 5)
        for wrong in (-1, 1 << 70):
            with self.assertRaises(OverflowError):
                server.receive_into(bytearray(4), wrong)
        self.assertEqual(server.receive_into(bytearray(4), 0), [])
        self.assertEqual(server.receive_into(bytearray(), 0), [])

    def test_views_are_of_the_buffer_and_pin_it(self) -> None:
        buffer = bytearray(frame(BINARY, b"first", masked=True) + frame(TEXT, b"text", masked=True))
        first, text = Connection.server().receive_into(buffer, views=True)
        assert isinstance(first, memoryview)
        self.assertEqual((bytes(first), text), (b"first", "text"))
        buffer[6] = ord("F")
        self.assertEqual(bytes(first), b"First", "it is the buffer's memory")
        with self.assertRaises(BufferError):
            buffer.extend(b"more")
        first.release()
        buffer.extend(b"more")

    def test_a_view_of_a_message_that_spans_reads_is_its_own(self) -> None:
        server = Connection.server()
        wire = bytearray(frame(BINARY, b"x" * 300, masked=True))
        self.assertEqual(server.receive_into(wire[:100], views=True), [])
        (view,) = server.receive_into(wire[100:], views=True)
        assert isinstance(view, memoryview)
        self.assertEqual(bytes(view), b"x" * 300)

    def test_views_of_wide_items_are_bytes(self) -> None:
        words = array.array("I", frame(BINARY, b"abcdef", masked=True))
        (view,) = Connection.server().receive_into(words, views=True)
        assert isinstance(view, memoryview)
        self.assertEqual((bytes(view), view.itemsize), (b"abcdef", 1))

    def test_an_export_that_lasts_is_no_obstacle(self) -> None:
        buffer = bytearray(frame(BINARY, b"payload", masked=True))
        with memoryview(buffer) as view:
            self.assertEqual(Connection.server().receive_into(buffer), [b"payload"])
            self.assertEqual(bytes(view[6:]), b"payload")


class Errors(unittest.TestCase):
    CASES = (
        ("mask_required", 105, 1002, frame(TEXT, b"x", masked=False)),
        ("reserved_bits", 101, 1002, frame(TEXT, b"x", masked=True, rsv=4)),
        ("reserved_opcode", 102, 1002, frame(3, b"", masked=True)),
        ("control_fragmented", 103, 1002, frame(PING, b"", masked=True, fin=False)),
        ("control_too_long", 104, 1002, b"\x89\xfe\x00\x7e"),
        ("length_not_minimal", 107, 1002, b"\x82\xfe\x00\x01"),
        ("length_msb", 108, 1002, b"\x82\xff" + b"\xff" * 8),
        ("frame_too_big", 109, 1009, b"\x82\xff" + (1 << 62).to_bytes(8)),
        ("unexpected_continuation", 120, 1002, frame(0, b"x", masked=True)),
        ("expected_continuation", 121, 1002, frame(TEXT, b"x", masked=True, fin=False) * 2),
        ("utf8", 130, 1007, frame(TEXT, b"\xff", masked=True)),
        ("close_payload", 140, 1002, frame(CLOSE, b"\x03", masked=True)),
        ("close_code", 141, 1002, frame(CLOSE, b"\x03\xed", masked=True)),
    )

    def test_what_the_peer_does_wrong_has_a_number_a_name_and_a_close_code(self) -> None:
        for name, number, close_code, wire in self.CASES:
            for into in (False, True):
                with self.subTest(name=name, into=into):
                    server = Connection.server()
                    with self.assertRaises(ProtocolError) as caught:
                        if into:
                            server.receive_into(bytearray(wire))
                        else:
                            server.receive(wire)
                    error = caught.exception
                    found = (error.name, error.number, error.close_code)
                    self.assertEqual(found, (name, number, close_code))
                    self.assertIsInstance(error, wscodec.WebSocketError)
                    self.assertTrue(str(error))
                    self.assertEqual(isinstance(error, LimitError), close_code == 1009)
                    self.assertEqual(server.state, State.CLOSED)
                    (close,) = Connection.client().receive(server.data_to_send())
                    assert isinstance(close, Close)
                    self.assertEqual(close.code, close_code)
                    with self.assertRaises(ProtocolError):
                        server.receive(frame(TEXT, b"late", masked=True))
                    with self.assertRaises(SendError):
                        server.send("late")

    def test_events_before_an_error_come_first(self) -> None:
        bad = frame(TEXT, b"\xff", masked=True)
        for size in (4, 70_000):  # also with the GIL released
            server = Connection.server()
            good = frame(BINARY, bytes(size), masked=True)
            self.assertEqual(server.receive(good + bad), [bytes(size)])
            self.assertEqual(getattr(server.error, "name", None), "utf8")
            self.assertEqual(server.state, State.CLOSED)
            with self.assertRaises(ProtocolError):
                server.receive(b"")

    def test_a_huge_claim_takes_no_memory(self) -> None:
        server = Connection.server(frame_size_max=1 << 62, message_size_max=1 << 62)
        self.assertEqual(server.receive(b"\x82\xff" + (1 << 61).to_bytes(8) + bytes(4)), [])
        self.assertLess(server.buffered, 4096)
        self.assertEqual(server.receive(bytes(1000)), [])
        self.assertLess(server.buffered, 16384)

    def test_limits_are_the_callers(self) -> None:
        server = Connection.server(message_size_max=10)
        with self.assertRaises(LimitError) as caught:
            server.receive(frame(BINARY, bytes(11), masked=True))
        self.assertEqual(caught.exception.name, "message_too_big")
        server = Connection.server(fragments_max=2)
        with self.assertRaises(LimitError) as caught:
            server.receive(frame(TEXT, b"", masked=True, fin=False) + frame(0, b"", masked=True, fin=False) * 2)
        self.assertEqual(caught.exception.close_code, 1008)
        for wrong in (-1, 1 << 70):
            with self.assertRaises(OverflowError):
                Connection.client(message_size_max=wrong)
        with self.assertRaises(TypeError):
            Connection.client(message_size_max="10")  # type: ignore[arg-type]

    def test_the_end_of_the_stream(self) -> None:
        server = Connection.server()
        with self.assertRaises(ProtocolError) as caught:
            server.receive_eof()
        self.assertEqual(caught.exception.name, "unexpected_eof")
        server = Connection.server()
        server.receive(frame(CLOSE, b"", masked=True))
        server.receive_eof()
        self.assertTrue(server.is_clean)


class Sending(unittest.TestCase):
    def test_types(self) -> None:
        wrong: list[Any] = [None, 1, ["x"], {"a": 1}, object()]
        for role in ROLES:
            sender = connection(role)
            for thing in wrong:
                for send in (sender.send, sender.send_text, sender.send_binary, PreparedMessage):
                    with self.assertRaises(TypeError):
                        send(thing)
            with self.assertRaises(TypeError):
                sender.send_binary("text")  # type: ignore[arg-type]
            with self.assertRaises(UnicodeEncodeError):
                sender.send("\ud800")
            with self.assertRaises(UnicodeDecodeError):
                sender.send_text(b"\xff")
            with self.assertRaises(BufferError):
                sender.send(memoryview(b"abcdef")[::2])
            self.assertEqual(sender.data_to_send(), b"", "nothing was written")
            sender.send_text(b"caf\xc3\xa9")
            peer = connection("server" if role == "client" else "client")
            self.assertEqual(peer.receive(sender.data_to_send()), ["caf\u00e9"])

    def test_a_buffer_may_change_once_it_is_sent(self) -> None:
        for size in (10, 2_000, 20_000, 100_000):
            client, server = pair()
            for sender, receiver in ((client, server), (server, client)):
                message = bytearray(b"a" * size)
                sender.send(message)
                message[:] = b"b" * size
                message.extend(b"resized")
                self.assertEqual(receiver.receive(sender.data_to_send()), [b"a" * size])

    def test_a_servers_large_bytes_are_not_copied(self) -> None:
        server = Connection.server()
        message = b"m" * 100_000
        server.send("small")
        server.send(message)
        server.send("tail")
        pieces = server.buffers_to_send()
        self.assertTrue(any(piece is message for piece in pieces))
        events = Connection.client().receive(b"".join(pieces))
        self.assertEqual(events, ["small", message, "tail"])

    def test_clients_mask_each_frame_with_a_key_of_its_own(self) -> None:
        client = Connection.client()
        keys = set()
        for size in (5, 2_000):
            for _ in range(50):
                client.send(bytes(size))
                wire = client.data_to_send()
                keys.add(wire[2:6] if size == 5 else wire[4:8])
        self.assertGreater(len(keys), 95)

    def test_fragments(self) -> None:
        client, server = pair()
        client.send_fragment("a", fin=False)
        client.send_ping(b"between")
        calls: list[Callable[[], None]] = [
            lambda: client.send("whole"),
            lambda: client.send_fragment(b"bytes", fin=True),
        ]
        for send in calls:
            with self.assertRaises(SendError):
                send()
        client.send_fragment("b", fin=True)
        self.assertEqual(server.receive(client.data_to_send()), [Ping(b"between"), "ab"])

    def test_control_frames(self) -> None:
        client, server = pair()
        client.send_ping()
        client.send_ping("text")
        client.send_ping(bytearray(b"buffer"))
        self.assertEqual(server.receive(client.data_to_send()), [Ping(b""), Ping(b"text"), Ping(b"buffer")])
        self.assertTrue(server.has_data_to_send)
        pongs = client.receive(server.data_to_send())
        self.assertEqual(pongs, [Pong(b""), Pong(b"text"), Pong(b"buffer")])
        with self.assertRaises(SendError) as caught:
            client.send_ping(bytes(126))
        self.assertEqual((caught.exception.number, caught.exception.name), (202, "control_too_long"))

    def test_replies_can_wait(self) -> None:
        server = Connection.server()
        server.hold_replies = True
        for number in range(1000):
            payload = b"%d" % number
            self.assertEqual(server.receive(frame(PING, payload, masked=True)), [Ping(payload)])
        self.assertTrue(server.has_data_to_send)
        server.hold_replies = False
        self.assertEqual(server.data_to_send(), frame(PONG, b"999", masked=False))

    def test_closing(self) -> None:
        client, server = pair()
        self.assertEqual(client.state, State.OPEN)
        client.send_close(3001, "enough")
        self.assertEqual(client.state, State.CLOSING)
        calls: list[Callable[[], None]] = [
            lambda: client.send("x"),
            lambda: client.send_ping(),
            lambda: client.send_close(),
        ]
        for send in calls:
            with self.assertRaises(SendError) as caught:
                send()
            self.assertEqual(caught.exception.number, 201)
        self.assertEqual(server.receive(client.data_to_send()), [Close(3001, "enough")])
        self.assertEqual(client.receive(server.data_to_send()), [Close(3001, "")])
        self.assertTrue(client.is_clean and server.is_clean)
        self.assertEqual((client.state, server.state), (State.CLOSED, State.CLOSED))
        self.assertEqual(client.receive(b"\x81\x01x"), [], "input after a Close is dropped")

    def test_close_arguments(self) -> None:
        client, server = pair()
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000):
            with self.assertRaisesRegex(ValueError, "may not be sent"):
                client.send_close(code)
        with self.assertRaises(OverflowError):
            client.send_close(70_000)
        with self.assertRaises(ValueError):
            client.send_close(None, "reason")
        with self.assertRaises(SendError):
            client.send_close(1000, "x" * 124)
        client.send_close(None)
        self.assertEqual(server.receive(client.data_to_send()), [Close(None, "")])

    def test_prepared_messages_are_shared(self) -> None:
        prepared = PreparedMessage(b"p" * 50_000)
        self.assertEqual(len(prepared), 50_000)
        frames = []
        for _ in range(3):
            server = Connection.server()
            server.send_prepared(prepared)
            frames.append(server.data_to_send())
        self.assertIs(frames[0], frames[1])
        self.assertIs(frames[0], frames[2])
        client, server = pair()
        for message in (prepared, PreparedMessage("short")):
            client.send_prepared(message)
        self.assertEqual(server.receive(client.data_to_send()), [b"p" * 50_000, "short"])


class Events(unittest.TestCase):
    def test_they_match_compare_and_show(self) -> None:
        match Connection.server().receive(frame(CLOSE, b"\x03\xe8done", masked=True)):
            case [Close(1000, reason)]:
                self.assertEqual(reason, "done")
            case other:
                self.fail(f"{other}")
        self.assertEqual(Ping(b"x"), Ping(b"x"))
        self.assertNotEqual(Ping(b"x"), Pong(b"x"))
        self.assertEqual(len({Ping(b"x"), Ping(b"x"), Ping(b"y")}), 2)
        self.assertEqual(repr(Ping(b"\0")), "Ping(b'\\x00')")
        self.assertEqual(repr(Close(1000, "a'b")), "Close(1000, \"a'b\")")
        self.assertEqual(repr(Close()), "Close(None, '')")

    def test_they_and_connections_have_no_attributes_to_set(self) -> None:
        for thing in (Ping(), Close(), Connection.client()):
            with self.assertRaises(AttributeError):
                thing.extra = 1  # type: ignore[union-attr]


if __name__ == "__main__":
    unittest.main()
