"""WebSocket clients and servers over asyncio.

::

    import asyncio
    from wscodec.asyncio import serve

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(message)

    async def main():
        async with serve(echo, "127.0.0.1", 9001) as server:
            await server.serve_forever()

    asyncio.run(main())

``connect`` and ``serve`` read like those of the package ``websockets``. What differs is in the
README.
"""

from .client import ClientConnection, connect
from .broadcast import broadcast
from .connection import Connection
from .server import HttpResponse, Server, ServerConnection, serve

__all__ = [
    "ClientConnection",
    "Connection",
    "HttpResponse",
    "Server",
    "ServerConnection",
    "broadcast",
    "connect",
    "serve",
]
