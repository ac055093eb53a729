"""Both handshakes without I/O, with each other and with bytes written by hand."""

from __future__ import annotations

import unittest
from typing import Any

from wscodec import (
    ClientHandshake,
    Connection,
    Deflate,
    HandshakeError,
    HandshakeMisuse,
    HttpRequest,
    Request,
    ServerHandshake,
)

REQUEST = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\nX-Latin: caf\xe9\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)


def shake(client: ClientHandshake, server: ServerHandshake, **accept: Any) -> tuple[Connection, Connection]:
    request = server.receive(client.data_to_send())
    assert isinstance(request, Request)
    server.accept(**accept)
    assert client.receive(server.data_to_send()) is not None
    return client.connection(), server.connection()


class Server(unittest.TestCase):
    def test_a_request_is_read_at_any_split(self) -> None:
        for at in range(len(REQUEST)):
            server = ServerHandshake()
            self.assertIsNone(server.receive(REQUEST[:at]))
            request = server.receive(REQUEST[at:] + b"\x81\x80rest")
            assert isinstance(request, Request)
            self.assertEqual(
                (request.target, request.path, request.query, request.host, request.origin),
                ("/chat?room=1", "/chat", "room=1", "example.com", "http://example.com"),
            )
            self.assertEqual(request.subprotocols, ["chat", "superchat"])
            self.assertEqual(request.header("x-latin"), "caf\u00e9")
            self.assertIsNone(request.header("x-missing"))
            self.assertIn(("Host", "example.com"), request.headers)
            self.assertEqual(server.unread, b"\x81\x80rest")

    def test_it_accepts_with_a_subprotocol_and_headers(self) -> None:
        for headers in ({"Server": "test"}, [("Server", "test")]):
            server = ServerHandshake()
            server.receive(REQUEST)
            server.accept(subprotocol="superchat", headers=headers)
            response = server.data_to_send()
            self.assertTrue(response.startswith(RESPONSE), response)
            self.assertIn(b"\r\nSec-WebSocket-Protocol: superchat\r\n", response)
            self.assertIn(b"\r\nServer: test\r\n", response)
            self.assertFalse(server.connection().is_client)

    def test_what_may_not_go_into_an_answer_leaves_the_request_waiting(self) -> None:
        server = ServerHandshake()
        with self.assertRaises(HandshakeMisuse) as caught:
            server.accept()
        self.assertEqual((caught.exception.number, caught.exception.name), (412, "no_request"))
        server.receive(REQUEST)
        cases: list[dict[str, Any]] = [
            {"subprotocol": "other"},
            {"subprotocol": "two words"},
            {"headers": {"Bad name": "x"}},
            {"headers": {"Connection": "close"}},
            {"headers": {"X": "a\r\nInjected: b"}},
        ]
        for arguments in cases:
            with self.assertRaises(HandshakeMisuse):
                server.accept(**arguments)
        with self.assertRaises(ValueError):
            server.connection()
        wrong: list[Any] = [7, [("only one",)], [1], {"a": 1}]
        for headers in wrong:
            with self.assertRaises((TypeError, ValueError)):
                server.accept(headers=headers)
        self.assertEqual(server.data_to_send(), b"")
        server.accept()
        with self.assertRaises(HandshakeMisuse):
            server.reject(404)

    def test_it_refuses(self) -> None:
        server = ServerHandshake()
        server.receive(REQUEST)
        for status in (101, 199, 204, 304, 600):
            with self.assertRaises(HandshakeMisuse):
                server.reject(status)
        server.reject(403, headers={"X-Why": "origin"}, body="not from there\n")
        response = server.data_to_send()
        self.assertTrue(response.startswith(b"HTTP/1.1 403 Forbidden\r\n"))
        self.assertIn(b"\r\nX-Why: origin\r\n", response)
        self.assertTrue(response.endswith(b"\r\n\r\nnot from there\n"))

    def test_a_request_that_is_wrong_is_answered_with_its_status(self) -> None:
        for old, new, status, name in (
            (b"GET", b"POST", 405, "method"),
            (b"Version: 13", b"Version: 12", 426, "websocket_version"),
            (b"Upgrade: websocket", b"Upgrade: other", 426, "upgrade"),
            (b"HTTP/1.1", b"HTTP/2.0", 505, "http_version"),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhl", 400, "key"),
            (b"GET", b"\x16\x03\x01", 400, "not_http"),
        ):
            server = ServerHandshake()
            with self.assertRaises(HandshakeError) as caught:
                server.receive(REQUEST.replace(old, new))
            error = caught.exception
            self.assertEqual((error.status, error.name), (status, name))
            self.assertTrue(300 <= error.number < 400)
            server.reject_failed()
            self.assertTrue(server.data_to_send().startswith(b"HTTP/1.1 %d " % status))

    def test_limits(self) -> None:
        cases: list[tuple[dict[str, Any], int]] = [
            ({"head_size_max": 50}, 431),
            ({"headers_max": 3}, 431),
            ({"start_line_size_max": 10}, 414),
        ]
        for limits, status in cases:
            with self.assertRaises(HandshakeError) as caught:
                ServerHandshake(**limits).receive(REQUEST)
            self.assertEqual(caught.exception.status, status)

    def test_plain_http_is_a_result_where_it_is_asked_for(self) -> None:
        plain = b"POST /health?deep HTTP/1.0\r\nHost: example.com\r\n\r\nbody"
        server = ServerHandshake(http=True)
        request = server.receive(plain)
        assert isinstance(request, HttpRequest)
        self.assertEqual(
            (request.method, request.target, request.minor_version), ("POST", "/health?deep", 0)
        )
        self.assertEqual(request.head, plain[:-4])
        self.assertEqual(server.unread, b"body")
        self.assertEqual(request.header("HOST"), "example.com")
        server.reject(200, body=b"fine\n")
        self.assertTrue(server.data_to_send().startswith(b"HTTP/1.1 200 OK\r\n"))
        with self.assertRaises(HandshakeError) as caught:
            ServerHandshake().receive(plain.replace(b"POST", b"GET").replace(b"1.0", b"1.1"))
        self.assertEqual(caught.exception.status, 426)

    def test_the_stream_ends_early(self) -> None:
        server = ServerHandshake()
        server.receive(REQUEST[:50])
        with self.assertRaises(HandshakeError) as caught:
            server.receive_eof()
        self.assertEqual(caught.exception.name, "unexpected_eof")


class Client(unittest.TestCase):
    def test_the_example_of_the_rfc(self) -> None:
        client = ClientHandshake("example.com", "/chat", key=b"the sample nonce")
        request = client.data_to_send()
        self.assertTrue(request.startswith(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"))
        self.assertIn(b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", request)
        wire = RESPONSE + b"\r\n\x81\x02hi"
        for at in range(len(wire) - 5):
            client = ClientHandshake("example.com", key=b"the sample nonce")
            self.assertIsNone(client.receive(wire[:at]))
            response = client.receive(wire[at:])
            assert response is not None
            self.assertEqual((response.status, response.reason), (101, "Switching Protocols"))
            self.assertEqual(client.unread, b"\x81\x02hi")
            self.assertEqual(client.connection().receive(client.unread), ["hi"])

    def test_a_refusal_can_be_read(self) -> None:
        client = ClientHandshake("example.com")
        with self.assertRaises(HandshakeError) as caught:
            client.receive(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\nmoved")
        self.assertEqual((caught.exception.name, caught.exception.status), ("refused", 302))
        assert client.response is not None
        self.assertEqual(client.response.header("location"), "/there")
        self.assertEqual(client.unread, b"moved")
        with self.assertRaises(ValueError):
            client.connection()

    def test_a_wrong_accept_fails(self) -> None:
        client = ClientHandshake("example.com")
        with self.assertRaises(HandshakeError) as caught:
            client.receive(RESPONSE + b"\r\n")
        self.assertEqual(caught.exception.name, "accept_mismatch")

    def test_what_would_change_the_request_is_refused(self) -> None:
        cases: list[tuple[str, dict[str, Any]]] = [
            ("host", {"host": "example.com\r\nX: 1"}),
            ("host", {"host": ""}),
            ("target", {"host": "h", "target": "no-slash"}),
            ("target", {"host": "h", "target": "/a b"}),
            ("header_value", {"host": "h", "headers": {"X": "a\nb"}}),
            ("header_reserved", {"host": "h", "headers": {"Sec-WebSocket-Key": "a"}}),
            ("header_name", {"host": "h", "headers": [("", "a")]}),
            ("subprotocol", {"host": "h", "subprotocols": ["a,b"]}),
            ("subprotocol_doubled", {"host": "h", "subprotocols": ["a", "a"]}),
            ("header_value", {"host": "h", "origin": "a b"}),
        ]
        for name, arguments in cases:
            with self.subTest(name=name), self.assertRaises(HandshakeMisuse) as caught:
                ClientHandshake(**arguments)
            self.assertEqual(caught.exception.name, name)
            self.assertIsInstance(caught.exception, ValueError)
        with self.assertRaisesRegex(ValueError, "a key has 16 bytes"):
            ClientHandshake("h", key=b"short")


class Both(unittest.TestCase):
    def test_subprotocol(self) -> None:
        client = ClientHandshake("h", subprotocols=["a", "b"])
        server = ServerHandshake()
        request = server.receive(client.data_to_send())
        assert isinstance(request, Request)
        server.accept(subprotocol=request.subprotocols[1])
        response = client.receive(server.data_to_send())
        assert response is not None
        self.assertEqual(response.subprotocol, "b")

    def test_deflate_is_agreed_and_used(self) -> None:
        text = "A rose is a rose is a rose. " * 1000
        for offers in (Deflate.client(), [Deflate.client(level=9), Deflate.client(client_context_takeover=False)]):
            client_handshake = ClientHandshake("h", deflate=offers)
            server_handshake = ServerHandshake()
            wanted = Deflate.server(server_max_window_bits=10)
            client, server = shake(client_handshake, server_handshake, deflate=wanted)
            assert client_handshake.deflate is not None
            self.assertEqual(client_handshake.deflate.server_max_window_bits, 10)
            self.assertEqual(repr(server_handshake.deflate), repr(client_handshake.deflate))
            for sender, receiver in ((client, server), (server, client)):
                for _ in range(3):
                    sender.send(text)
                    wire = sender.data_to_send()
                    self.assertLess(len(wire), len(text) // 20)
                    self.assertEqual(receiver.receive(wire), [text])
                    sender.send(text, compress=False)
                    wire = sender.data_to_send()
                    self.assertGreater(len(wire), len(text))
                    self.assertEqual(receiver.receive_into(bytearray(wire)), [text])
                sender.send_fragment(text, fin=False)
                sender.send_fragment(text, fin=True)
                self.assertEqual(receiver.receive(sender.data_to_send()), [text * 2])

    def test_a_decompression_bomb_stops_at_the_limit(self) -> None:
        client_handshake = ClientHandshake("h", deflate=Deflate.client())
        server_handshake = ServerHandshake()
        client, _ = shake(client_handshake, server_handshake, deflate=Deflate.server())
        client.send(bytes(50 << 20))
        wire = client.data_to_send()
        self.assertLess(len(wire), 1 << 20)
        server = Connection.server(deflate=server_handshake.deflate, message_size_max=1 << 20)
        from wscodec import LimitError

        with self.assertRaises(LimitError):
            server.receive(wire)

    def test_preferences_are_checked_and_compare(self) -> None:
        cases: list[dict[str, Any]] = [
            {"server_max_window_bits": 7},
            {"client_max_window_bits": 16},
            {"level": 0},
            {"level": 10},
        ]
        for arguments in cases:
            for make in (Deflate.client, Deflate.server):
                with self.assertRaises(ValueError):
                    make(**arguments)
        self.assertEqual(Deflate.client(), Deflate.client(level=4))
        self.assertNotEqual(Deflate.client(), Deflate.server())
        deflate = Deflate.server(client_context_takeover=False, size_min=10)
        self.assertFalse(deflate.client_context_takeover)
        self.assertEqual((deflate.size_min, deflate.server_max_window_bits), (10, 12))
        with self.assertRaises(TypeError):
            ClientHandshake("h", deflate=["no"])  # type: ignore[list-item]


if __name__ == "__main__":
    unittest.main()
