"""An echo server on the Python `aiohttp` package, which closes with 4000 when it is told `close`. Prints its port."""

import asyncio

from aiohttp import WSMsgType, web


async def echo(request):
    # No compression: what is measured and compared is the same for all peers.
    socket = web.WebSocketResponse(protocols=("chat",), compress=False, max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT and message.data == "close":
            await socket.close(code=4000, message=b"as asked")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def main():
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
