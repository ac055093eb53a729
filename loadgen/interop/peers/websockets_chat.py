"""A chat server as many are written with Python websockets: JSON, rooms that one joins by a message. Prints its port."""

import asyncio
import collections
import json

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

rooms = collections.defaultdict(set)


async def take(connection, message):
    room = rooms[message["room"]]
    if message["type"] == "join":
        room.add(connection)
        await connection.send(json.dumps({"type": "joined", "room": message["room"], "members": len(room)}))
    else:
        said = {"type": "said", "id": message["id"], "room": message["room"], "text": message["text"]}
        broadcast(room, json.dumps(said))
        await connection.send(json.dumps({"type": "ok", "id": message["id"]}))


async def converse(connection):
    try:
        async for text in connection:
            await take(connection, json.loads(text))
    except ConnectionClosed:
        pass  # the peer's matter
    finally:
        for room in rooms.values():
            room.discard(connection)


async def main():
    async with serve(converse, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
