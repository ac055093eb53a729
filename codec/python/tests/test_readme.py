"""The programs of the README run as they stand, but on a port that is free."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import socket
import threading
import unittest
from pathlib import Path

from wscodec.asyncio import ServerConnection, serve

README = Path(__file__).resolve().parent.parent / "README.md"


def programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def output_of(program: str, port: int) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program.replace("9001", str(port)), str(README), "exec"), {"__name__": "readme"})
    return out.getvalue()


class Readme(unittest.TestCase):
    def test_the_programs_run(self) -> None:
        over_asyncio, without_io = programs()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.assertEqual(output_of(over_asyncio, port), "Hello\n")

        async def echo(websocket: ServerConnection) -> None:
            async for message in websocket:
                await websocket.send(message)

        async def serve_until(done: asyncio.Event) -> None:
            async with serve(echo, "127.0.0.1", 0) as server:
                ports.append(server.sockets[0].getsockname()[1])
                ready.set()
                await done.wait()

        ports: list[int] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        done = asyncio.Event()
        thread = threading.Thread(target=loop.run_until_complete, args=(serve_until(done),))
        thread.start()
        try:
            self.assertTrue(ready.wait(60))
            self.assertEqual(output_of(without_io, ports[0]), "Hello\n")
        finally:
            loop.call_soon_threadsafe(done.set)
            thread.join()
            loop.close()


if __name__ == "__main__":
    unittest.main()
