"""A WebSocket codec without I/O, and asyncio clients and servers on it.

``Connection`` turns what was read into messages, and messages into what is to be written; it owns
no socket. ``ClientHandshake`` and ``ServerHandshake`` come before it. ``wscodec.asyncio`` does the
rest::

    from wscodec.asyncio import connect

    async with connect("ws://127.0.0.1:9001/") as websocket:
        await websocket.send("Hello")
        print(await websocket.recv())
"""

from ._wscodec import (
    ClientHandshake,
    Close,
    Connection,
    Deflate,
    DeflateAgreed,
    HttpRequest,
    Ping,
    Pong,
    PreparedMessage,
    Receiver,
    Reply,
    Request,
    Response,
    Sender,
    ServerHandshake,
    State,
    accept_key,
    mask,
    mask_in_place,
)
from .exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeError,
    HandshakeMisuse,
    InvalidStatus,
    InvalidURI,
    LimitError,
    ProtocolError,
    SendError,
    WebSocketError,
)

__all__ = [
    "ClientHandshake",
    "Close",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "Deflate",
    "DeflateAgreed",
    "HandshakeError",
    "HandshakeMisuse",
    "HttpRequest",
    "InvalidStatus",
    "InvalidURI",
    "LimitError",
    "Ping",
    "Pong",
    "PreparedMessage",
    "ProtocolError",
    "Receiver",
    "Reply",
    "Request",
    "Response",
    "SendError",
    "Sender",
    "ServerHandshake",
    "State",
    "WebSocketError",
    "accept_key",
    "mask",
    "mask_in_place",
]

__version__ = "0.1.0"
