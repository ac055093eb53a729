"""The Python `aiohttp` package as a client of an echo server: one line a check.

Usage: aiohttp_client.py URL. It has no means to send a message in fragments.
"""

import asyncio
import sys

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

import checks

URL = sys.argv[1]


async def sizes(_, socket):
    for message in checks.messages():
        if isinstance(message, str):
            await socket.send_str(message)
            assert await socket.receive_str() == message, f"text of {len(message)}"
        else:
            await socket.send_bytes(message)
            assert await socket.receive_bytes() == message, f"{len(message)} bytes"


async def pings(session, _):
    async with session.ws_connect(URL, autoping=False) as socket:
        for payload in [b"", b"?", b"x" * 125]:
            await socket.ping(payload)
            pong = await socket.receive()
            assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, payload), pong


async def many_in_flight(_, socket):
    texts = [f"message {i}" for i in range(2000)]
    for text in texts:
        await socket.send_str(text)
    assert [await socket.receive_str() for _ in texts] == texts


async def close_with_code(session, _):
    for code, reason in checks.CODES:
        async with session.ws_connect(URL) as socket:
            await socket.close(code=code, message=reason.encode())
            assert socket.close_code == code, f"{socket.close_code}, not {code}"


async def subprotocol(session, _):
    async with session.ws_connect(URL, protocols=["chat", "other"]) as socket:
        assert socket.protocol == "chat", socket.protocol


async def foreign_origin_is_refused(session, _):
    try:
        async with session.ws_connect(URL, origin="https://evil.example"):
            raise AssertionError("accepted")
    except WSServerHandshakeError as refused:
        assert refused.status == 403, refused


async def server_closes(_, socket):
    message = await socket.receive()
    assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1001, "the server shuts down"), message


async def main():
    async with ClientSession() as session, session.ws_connect(URL, max_msg_size=0) as socket:
        every = [sizes, pings, many_in_flight, close_with_code, subprotocol, foreign_origin_is_refused, server_closes]
        await checks.run(every, session, socket)


asyncio.run(main())
