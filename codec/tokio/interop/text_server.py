"""A server on the Python `websockets` package that sends texts back as they are, or in upper case. Prints its address.

Usage: text_server.py echo|upper
"""

import asyncio
import sys

from websockets.asyncio.server import serve


async def answer(connection):
    async for message in connection:
        await connection.send(message.upper() if sys.argv[1] == "upper" else message)


async def main():
    async with serve(answer, "127.0.0.1", 0) as server:
        print("127.0.0.1:{}".format(server.sockets[0].getsockname()[1]), flush=True)
        await server.serve_forever()


asyncio.run(main())
