"""RabbitMQ's web-stomp: users `app` with the password `secret` and `u0` … with `p0` …, and heart-beats as the client asks for
them.

The node keeps its files in FOLDER. Both of its processes end with this one. Prints the port; the path is `/ws`.

Usage: web_stomp.py FOLDER
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# The one in the search path changes to another user, who may not read FOLDER.
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
USERS = {"app": "secret", **{f"u{number}": f"p{number}" for number in range(50)}}


def free_ports(number):
    """Ports that were free just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(condition, what, within):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what} is not there after {within} s")
        time.sleep(0.1)


def hashed(password):
    """A password as RabbitMQ keeps it: a salt of four bytes, and SHA-256 of both."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions():
    """Users, and what they may do: all, in one virtual host."""
    kind = "rabbit_password_hashing_sha256"
    users = [
        {"name": name, "password_hash": hashed(password), "hashing_algorithm": kind, "tags": ""}
        for name, password in USERS.items()
    ]
    allowed = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    permissions = [{"user": name, **allowed} for name in USERS]
    return {"vhosts": [{"name": "/"}], "users": users, "permissions": permissions}


def configuration(folder, amqp, stomp, web):
    return f"""\
load_definitions = {folder / "definitions.json"}
listeners.tcp.1 = 127.0.0.1:{amqp}
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {web}
log.console = false
"""


def start(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    epmd, distribution, amqp, stomp, web = free_ports(5)
    (folder / "definitions.json").write_text(json.dumps(definitions()))
    (folder / "rabbitmq.conf").write_text(configuration(folder, amqp, stomp, web))
    (folder / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
    env = {
        **os.environ,
        "HOME": str(folder),  # where Erlang keeps its cookie
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_NODENAME": f"loadgen-{web}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    null = subprocess.DEVNULL
    quiet = {"env": env, "cwd": folder, "stdin": null, "stdout": null, "stderr": null}
    # In the foreground: RabbitMQ would start one that stays.
    names = subprocess.Popen(["epmd", "-port", str(epmd)], **quiet)
    until(lambda: is_open(epmd), "epmd", 10)
    broker = subprocess.Popen([SERVER], **quiet)
    # The listener of AMQP is the last to open: before that, users are still being made.
    until(lambda: is_open(web) and is_open(amqp) or broker.poll() is not None, "web-stomp", 110)
    return names, broker, web


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names, broker, port = start(Path(sys.argv[1]))
    try:
        if broker.poll() is not None:
            sys.exit(f"RabbitMQ exited {broker.returncode}")
        print(port, flush=True)
        broker.wait()
    finally:
        for process in (broker, names):
            process.terminate()
            process.wait()


main()
