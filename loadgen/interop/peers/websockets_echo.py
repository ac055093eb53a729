"""An echo server on the Python `websockets` package, which closes with 4000 when it is told `close`. Prints its port.

Usage: websockets_echo.py [OPTIONS], those of `ServerPerMessageDeflateFactory` in JSON.
"""

import asyncio
import json
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


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
    # No compression unless asked for: what is measured and compared is the same for all peers.
    extensions = [ServerPerMessageDeflateFactory(**json.loads(options)) for options in sys.argv[1:]]
    async with serve(echo, "127.0.0.1", 0, compression=None, extensions=extensions, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
