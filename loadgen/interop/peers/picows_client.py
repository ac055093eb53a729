"""The Python `picows` package as a client of an echo server: one line a check.

Usage: picows_client.py URL.
"""

import asyncio
import sys

from picows import WSListener, WSHandshakeError, WSMsgType, ws_connect

import checks

URL = sys.argv[1]


class Frames(WSListener):
    """Puts what comes on a queue: the echo of a message is one frame."""

    def __init__(self):
        self.queue = asyncio.Queue()

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            self.queue.put_nowait((frame.msg_type, int(frame.get_close_code()), frame.get_close_reason()))
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            assert frame.fin
            self.queue.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))


async def opened(**options):
    return await ws_connect(Frames, URL, max_frame_size=1 << 24, **options)


async def sizes(transport, frames):
    for message in checks.messages():
        kind = WSMsgType.TEXT if isinstance(message, str) else WSMsgType.BINARY
        payload = message.encode() if isinstance(message, str) else message
        transport.send(kind, payload)
        assert await frames.queue.get() == (kind, payload), f"{kind} of {len(payload)}"


async def fragmented(transport, frames):
    transport.send(WSMsgType.TEXT, b"Hel", fin=False)
    transport.send_ping(b"between")
    transport.send(WSMsgType.CONTINUATION, b"", fin=False)
    transport.send(WSMsgType.CONTINUATION, b"lo")
    assert await frames.queue.get() == (WSMsgType.PONG, b"between")
    assert await frames.queue.get() == (WSMsgType.TEXT, b"Hello")


async def pings(transport, frames):
    for payload in [b"", b"?", b"x" * 125]:
        transport.send_ping(payload)
        assert await frames.queue.get() == (WSMsgType.PONG, payload)


async def many_in_flight(transport, frames):
    payloads = [f"message {i}".encode() for i in range(2000)]
    for payload in payloads:
        transport.send(WSMsgType.BINARY, payload)
    assert [await frames.queue.get() for _ in payloads] == [(WSMsgType.BINARY, payload) for payload in payloads]


async def close_with_code(*_):
    for code, reason in checks.CODES:
        transport, frames = await opened()
        transport.send_close(code, reason.encode())
        kind, answered, _ = await frames.queue.get()
        assert (kind, answered) == (WSMsgType.CLOSE, code), f"{kind} {answered}, not {code}"
        await transport.wait_disconnected()


async def subprotocol(*_):
    transport, _ = await opened(extra_headers={"Sec-WebSocket-Protocol": "chat, other"})
    assert transport.response.headers["Sec-WebSocket-Protocol"] == "chat"
    transport.disconnect()


async def foreign_origin_is_refused(*_):
    try:
        await opened(extra_headers={"Origin": "https://evil.example"})
    except WSHandshakeError as refused:
        assert "403" in str(refused), refused
    else:
        raise AssertionError("accepted")


async def server_closes(_, frames):
    assert await frames.queue.get() == (WSMsgType.CLOSE, 1001, "the server shuts down")


async def main():
    transport, frames = await opened()
    every = [
        sizes, fragmented, pings, many_in_flight, close_with_code, subprotocol, foreign_origin_is_refused, server_closes
    ]
    await checks.run(every, transport, frames)


asyncio.run(main())
