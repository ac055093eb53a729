"""The Python `websockets` package as a client of an echo server that says nothing of its own: exits 0 if all went well.

Usage: echo_client.py URL [CONNECTIONS]
"""

import asyncio
import sys

from websockets.asyncio.client import connect

SIZES = [0, 1, 125, 126, 4096, 65535, 65536, 1 << 20]


async def check(url, compression):
    async with connect(url, compression=compression, max_size=None) as connection:
        for size in SIZES:
            for message in ["a" * size, "ä€😀"[: size % 4] + "b" * size, bytes(i & 255 for i in range(size))]:
                await connection.send(message)
                assert await connection.recv() == message, f"{type(message).__name__} of {len(message)}"
        await connection.send(["Hel", "", "lo"])
        assert await connection.recv() == "Hello", "fragments"
        pieces = [bytes([i & 255]) * (i % 300) for i in range(500)]
        await connection.send(pieces)
        assert await connection.recv() == b"".join(pieces), "500 fragments"
        for payload in [b"", b"?", b"x" * 125]:
            await asyncio.wait_for(await connection.ping(payload), 10)
        messages = [f"message {i}" for i in range(2000)]
        for message in messages:
            await connection.send(message)
        assert [await connection.recv() for _ in messages] == messages, "many in flight"
        await connection.close(3000, "done")
        assert connection.close_code == 3000, f"closed with {connection.close_code}"


async def main():
    url, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    await asyncio.gather(*(check(url, None if i % 2 == 0 else "deflate") for i in range(count)))


asyncio.run(main())
