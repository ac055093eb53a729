"""The Python `websockets` package as a client of an echo server: one line a check.

Usage: websockets_client.py URL [OPTIONS]. After the checks it prints `ready` and expects the server to close with 1001.
With OPTIONS, those of `ClientPerMessageDeflateFactory` in JSON, every check is done with permessage-deflate.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

URL = sys.argv[1]
OPTIONS = json.loads(sys.argv[2]) if len(sys.argv) > 2 else None
SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]


async def sizes(connection):
    for size in SIZES:
        for message in ["a" * size, "ä€😀"[: size % 4] + "b" * size, bytes(i & 255 for i in range(size))]:
            await connection.send(message)
            assert await connection.recv() == message, f"{type(message).__name__} of {len(message)}"


async def fragmented(connection):
    await connection.send(["Hel", "", "lo"])
    assert await connection.recv() == "Hello"
    pieces = [bytes([i & 255]) * (i % 300) for i in range(1000)]
    await connection.send(pieces)
    assert await connection.recv() == b"".join(pieces)


async def pings(connection):
    for payload in [b"", b"?", b"x" * 125]:
        await asyncio.wait_for(await connection.ping(payload), 5)


async def many_in_flight(connection):
    messages = [f"message {i}" for i in range(2000)]
    for message in messages:
        await connection.send(message)
    assert [await connection.recv() for _ in messages] == messages


async def close_with_code(_):
    for code, reason in [(1000, "done"), (1001, ""), (3000, "ä" * 61), (4999, "x" * 123)]:
        async with connect(URL) as connection:
            await connection.close(code, reason)
            assert connection.close_code == code, f"{connection.close_code}, not {code}"


async def subprotocol(_):
    async with connect(URL, subprotocols=["chat", "other"]) as connection:
        assert connection.subprotocol == "chat", connection.subprotocol


async def deflate_is_declined(_):
    async with connect(URL, compression="deflate") as connection:
        assert "Sec-WebSocket-Extensions" not in connection.response.headers
        await connection.send("x" * 1000)
        assert await connection.recv() == "x" * 1000


async def deflate_is_agreed(connection):
    (agreed,) = connection.protocol.extensions
    takeover = [not agreed.remote_no_context_takeover, not agreed.local_no_context_takeover]
    wanted = [not OPTIONS.get(f"{side}_no_context_takeover") for side in ("server", "client")]
    assert takeover == wanted, agreed
    text = "".join(f'{{"id": {i}, "text": "hello, hello"}}' for i in range(200))
    wire = 0
    receive = connection.protocol.receive_data

    def count(data):
        nonlocal wire
        wire += len(data)
        receive(data)

    connection.protocol.receive_data = count
    for message in [text, text, text.encode(), text[:100], "short", text]:
        await connection.send(message)
        assert await connection.recv() == message
    del connection.protocol.receive_data
    assert 0 < wire < 2 * len(text), f"{wire} bytes for four messages of {len(text)}"


async def foreign_origin_is_refused(_):
    try:
        async with connect(URL, origin="https://evil.example"):
            raise AssertionError("accepted")
    except InvalidStatus as refused:
        assert refused.response.status_code == 403


async def server_closes(connection):
    print("ready", flush=True)
    try:
        await asyncio.wait_for(connection.recv(), 10)
        raise AssertionError("a message came")
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "no Close"
        assert (closed.rcvd.code, closed.rcvd.reason) == (1001, "the server shuts down"), closed.rcvd


CHECKS = [
    sizes,
    fragmented,
    pings,
    many_in_flight,
    close_with_code,
    subprotocol,
    deflate_is_agreed if OPTIONS is not None else deflate_is_declined,
    foreign_origin_is_refused,
    server_closes,
]


async def main():
    failed = False
    extensions = None if OPTIONS is None else [ClientPerMessageDeflateFactory(**OPTIONS)]
    async with connect(URL, max_size=None, compression=None, extensions=extensions) as connection:
        for check in CHECKS:
            try:
                await asyncio.wait_for(check(connection), 30)
                print(f"ok {check.__name__}", flush=True)
            except Exception as error:  # reported, and the next check runs
                failed = True
                print(f"FAILED {check.__name__}: {type(error).__name__} {error}", flush=True)
    sys.exit(failed)


asyncio.run(main())
