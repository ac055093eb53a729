"""Frames built by hand, from the words of RFC 6455, 5.2: a second opinion on the codec's."""

from __future__ import annotations

from wscodec import Connection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"


def xor(data: bytes, key: bytes = KEY, phase: int = 0) -> bytes:
    return bytes(byte ^ key[(at + phase) % 4] for at, byte in enumerate(data))


def frame(opcode: int, payload: bytes = b"", *, masked: bool, fin: bool = True, rsv: int = 0) -> bytes:
    first = bytes([fin << 7 | rsv << 4 | opcode])
    bit = masked << 7
    if len(payload) < 126:
        length = bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        length = bytes([bit | 126]) + len(payload).to_bytes(2)
    else:
        length = bytes([bit | 127]) + len(payload).to_bytes(8)
    return first + length + (KEY + xor(payload) if masked else payload)


def connection(role: str) -> Connection:
    return Connection.client() if role == "client" else Connection.server()


def pair() -> tuple[Connection, Connection]:
    return Connection.client(), Connection.server()
