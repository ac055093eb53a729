"""An echo server on the Python `websockets` package, which closes with 4000 when it is told `close`. Prints its port."""

import asyncio

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    try:
        async for message in connection:
            if message == "close":
                await connection.close(4000, "as asked")
            else:
                await connection.send(message)
    except ConnectionClosed:
        pass  # the peer's matter


async def main():
    # No compression: what is measured and compared is the same for all peers.
    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
