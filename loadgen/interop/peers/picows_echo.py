"""An echo server on the Python `picows` package, frame by frame, which closes with 4000 when it is told `close`. Prints
its port."""

import asyncio

from picows import WSListener, WSMsgType, ws_create_server


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and payload == b"close":
            transport.send_close(4000, b"as asked")
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            transport.send(frame.msg_type, payload, fin=frame.fin)


async def main():
    server = await ws_create_server(
        lambda request: Echo(), "127.0.0.1", 0, max_frame_size=1 << 24, enable_auto_pong=True, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
