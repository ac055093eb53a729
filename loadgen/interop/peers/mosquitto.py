"""Mosquitto, a broker of MQTT 3.1.1 and 5, with a WebSocket listener: users `u0` … with the passwords `p0` ….

Topics that begin with `chat` are everyone's, and no others. The broker keeps its files in FOLDER. Prints its port, which may be
given.

Usage: mosquitto.py MOSQUITTO FOLDER [PORT]
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

USERS = 50


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def start(program, folder, port):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    passwords = folder / "passwords"
    passwords.write_text("".join(f"u{user}:p{user}\n" for user in range(USERS)))
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    (folder / "topics").write_text("pattern readwrite chat/#\n")
    (folder / "topics").chmod(0o600)
    # As root it would change to a user who may not read FOLDER. It ends if it has no listener but that for WebSocket.
    (folder / "mosquitto.conf").write_text(f"""\
user root
per_listener_settings false
allow_anonymous false
password_file {passwords}
acl_file {folder / "topics"}
log_dest none
listener {free_port()} 127.0.0.1
listener {port} 127.0.0.1
protocol websockets
""")
    return subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stdin=subprocess.DEVNULL)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(sys.argv[3]) if len(sys.argv) > 3 else free_port()
    broker = start(sys.argv[1], Path(sys.argv[2]), port)
    try:
        deadline = time.monotonic() + 20
        while not is_open(port):
            if broker.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"mosquitto exited {broker.poll()}")
            time.sleep(0.05)
        print(port, flush=True)
        broker.wait()
    finally:
        broker.terminate()
        broker.wait()


main()
