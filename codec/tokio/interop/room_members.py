"""Members of a room, on the Python `websockets` package: every text of one reaches all. Exits 0 if all went well.

Usage: room_members.py URL. Half of the members compress; one never reads, and must not stop the others.
"""

import asyncio
import socket
import sys
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

URL = sys.argv[1]
TEXTS = [f"{i}: " + "a rose is a rose " * (i % 50) for i in range(300)]


def silent_member():
    """A member that has asked for the room, and reads no more."""
    address = urlsplit(URL)
    stream = socket.create_connection((address.hostname, address.port))
    stream.sendall(
        f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert stream.recv(12) == b"HTTP/1.1 101"
    return stream


async def main():
    silent = silent_member()
    members = [await connect(URL, compression="deflate" if i % 2 else None) for i in range(6)]
    # A member that has been answered may not be in the room yet; its own text tells.
    for i, member in enumerate(members):
        await member.send(f"member {i}")
        while await asyncio.wait_for(member.recv(), 20) != f"member {i}":
            pass
    speaker, received = members[0], []

    async def listen(member):
        texts = []
        while len(texts) < len(TEXTS):
            text = await asyncio.wait_for(member.recv(), 20)
            if not text.startswith("member"):
                texts.append(text)
        received.append(texts)

    listening = [asyncio.create_task(listen(member)) for member in members]
    for text in TEXTS:
        await speaker.send(text)
        await asyncio.sleep(0)
    await asyncio.gather(*listening)
    assert all(texts == TEXTS for texts in received), "not every text reached every member in order"
    for member in members:
        await member.close()
        assert member.close_code == 1000, member.close_code
    silent.close()


asyncio.run(main())
