"""Jupyter Server with kernels of Python: the token `secret`, and a WebSocket Ping each second that has to be answered.

It keeps its files in FOLDER. Prints its port, then the id of each of KERNELS kernels.

Usage: jupyter_kernels.py FOLDER KERNELS
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TOKEN = "secret"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(folder, port):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.websocket_ping_interval": 1,
        "ServerApp.websocket_ping_timeout": 1,
        "ServerApp.log_level": "ERROR",
        "IdentityProvider.token": TOKEN,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    env = {**os.environ, "HOME": str(folder), **{name: str(folder / name.lower()) for name in folders}}
    command = [sys.executable, "-m", "jupyter_server", *words]
    return subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL)


def call(port, method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body and json.dumps(body).encode(), method=method)
    request.add_header("Authorization", f"token {TOKEN}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = free_port()
    server = start(Path(sys.argv[1]), port)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                call(port, "GET", "/api/status")
                break
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"Jupyter Server exited {server.poll()}")
            time.sleep(0.2)
        print(port, flush=True)
        for _ in range(int(sys.argv[2])):
            print(call(port, "POST", "/api/kernels", {"name": "python3"})["id"], flush=True)
        server.wait()
    finally:
        server.terminate()
        server.wait()


main()
