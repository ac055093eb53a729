#!/usr/bin/env python3
"""wscodec beside the WebSocket packages of Python, in interleaved rounds.

    target/python/bin/pip install -r codec/python/bench/requirements.txt
    target/python/bin/python codec/python/bench/bench.py FOLDER [--rounds N] [--only PART]

Every round runs every contender once, in an order that moves on by one, so that what else the machine
does hits all of them. A cell is the median of its rounds in CPU time (of the thread, or of the server's
process), which other processes disturb less than the clock; the ratio is the median of the rounds'
ratios to wscodec. Writes FOLDER/rounds.csv and FOLDER/tables.md. PART is decode, encode, mask, echo or
memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIZES = (64, 4 << 10, 64 << 10, 1 << 20)
# How much one measurement works, in seconds of CPU time.
SPAN_S = 0.03
ECHO_BYTES, ECHO_MESSAGES_MAX = 24 << 20, 2_000
ECHO_KINDS = (
    "wscodec.asyncio",
    "wscodec.asyncio, callback",
    "wscodec, protocol",
    "wscodec, socket",
    "websockets.asyncio",
    "websockets.sync",
    "picows",
    "aiohttp",
    "wsproto",
)
IDLE_CONNECTIONS = 1_000

Work = Callable[[], Any]


def client_frame(payload: bytes, opcode: int = 2) -> bytes:
    """A masked frame, with a key by which ASCII stays ASCII."""
    import wscodec

    key, size = b"\x11\x22\x33\x44", len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2)
    else:
        length = b"\xff" + size.to_bytes(8)
    return bytes([0x80 | opcode]) + length + key + wscodec.mask(payload, key)


def decoders(size: int, text: bool) -> dict[str, tuple[Work, int]]:
    """What turns 64 KiB or one message of input into messages, and how many there are."""
    import wscodec
    from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
    from websockets.protocol import OPEN
    from websockets.server import ServerProtocol
    from wsproto.connection import Connection, ConnectionType

    payload = (b"text" if text else os.urandom(4)) * (size // 4)
    count = max(1, (64 << 10) // (size + 8))
    wire = client_frame(payload, 1 if text else 2) * count
    # Unmasked where it lies, so that every other call finds the payload masked once more. With this
    # key ASCII stays ASCII: the work is the same.
    buffer = bytearray(wire)
    limits = {"message_size_max": 1 << 40, "frame_size_max": 1 << 40}
    ours, in_place = wscodec.Connection.server(**limits), wscodec.Connection.server(**limits)

    theirs = ServerProtocol(state=OPEN, max_size=None)
    decode_payload = text

    def websockets_decode() -> int:
        theirs.receive_data(wire)
        messages = [bytes(frame.data).decode() if decode_payload else frame.data for frame in theirs.events_received()]
        return len(messages)

    proto = Connection(ConnectionType.SERVER)

    def wsproto_decode() -> int:
        proto.receive_data(wire)
        done = 0
        parts: list[Any] = []
        for event in proto.events():
            parts.append(event.data)  # type: ignore[attr-defined]
            if event.message_finished:  # type: ignore[attr-defined]
                parts[0][:0].join(parts)
                parts.clear()
                done += 1
        return done

    loop = asyncio.new_event_loop()

    class Paused:
        _reading_paused = False

        def pause_reading(self) -> None: ...
        def resume_reading(self) -> None: ...

    data_queue = WebSocketDataQueue(Paused(), 1 << 30, loop=loop)  # type: ignore[arg-type]
    reader = WebSocketReader(data_queue, 0, False, True)

    def aiohttp_decode() -> int:
        reader.feed_data(wire)
        done = 0
        while data_queue._buffer:
            read = data_queue.read()
            with contextlib.suppress(StopIteration):
                read.send(None)
            done += 1
        return done

    return {
        "wscodec": (lambda: len(ours.receive(wire)), count),
        "wscodec, receive_into": (lambda: len(in_place.receive_into(buffer)), count),
        "websockets": (websockets_decode, count),
        "wsproto": (wsproto_decode, count),
        "aiohttp": (aiohttp_decode, count),
    }


class Sink:
    """A transport that drops what is written."""

    def write(self, data: Any) -> None: ...
    def writelines(self, data: Any) -> None: ...
    def is_closing(self) -> bool:
        return False


class Drain:
    _paused = False

    async def _drain_helper(self) -> None: ...


def encoders(size: int, is_client: bool) -> dict[str, tuple[Work, int]]:
    """What turns a message into bytes to write."""
    import wscodec
    from aiohttp._websocket.writer import WebSocketWriter
    from websockets.client import ClientProtocol
    from websockets.protocol import OPEN
    from websockets.server import ServerProtocol
    from websockets.uri import parse_uri
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import BytesMessage

    payload = os.urandom(size)
    ours = wscodec.Connection.client() if is_client else wscodec.Connection.server()
    theirs: Any = ClientProtocol(parse_uri("ws://h/"), state=OPEN) if is_client else ServerProtocol(state=OPEN)
    proto = Connection(ConnectionType.CLIENT if is_client else ConnectionType.SERVER)
    asyncio.set_event_loop(asyncio.new_event_loop())
    writer = WebSocketWriter(Drain(), Sink(), use_mask=is_client, limit=1 << 40)  # type: ignore[arg-type]

    def wscodec_encode() -> None:
        ours.send(payload)
        ours.data_to_send()

    def wscodec_pieces() -> None:
        ours.send(payload)
        ours.buffers_to_send()

    def websockets_encode() -> None:
        theirs.send_binary(payload)
        theirs.data_to_send()

    def aiohttp_encode() -> None:
        with contextlib.suppress(StopIteration):
            writer.send_frame(payload, 2).send(None)

    contenders: dict[str, tuple[Work, int]] = {
        "wscodec": (wscodec_encode, 1),
        "websockets": (websockets_encode, 1),
        "wsproto": (lambda: proto.send(BytesMessage(payload)), 1),
        "aiohttp": (aiohttp_encode, 1),
    }
    if not is_client:
        contenders["wscodec, buffers_to_send"] = (wscodec_pieces, 1)
    return contenders


def maskers(size: int, in_place: bool) -> dict[str, tuple[Work, int]]:
    import wscodec
    from aiohttp._websocket.mask import _websocket_mask_cython
    from websockets.speedups import apply_mask
    from wsproto.frame_protocol import XorMaskerSimple

    payload, key = os.urandom(size), os.urandom(4)
    buffer = bytearray(payload)
    if in_place:
        return {
            "wscodec": (lambda: wscodec.mask_in_place(buffer, key), 1),
            "aiohttp (Cython)": (lambda: _websocket_mask_cython(key, buffer), 1),
        }
    return {
        "wscodec": (lambda: wscodec.mask(payload, key), 1),
        "websockets (C)": (lambda: apply_mask(payload, key), 1),
        "wsproto": (lambda: XorMaskerSimple(key).process(payload), 1),
    }


def cpu_s(work: Work, times: int) -> float:
    began = time.thread_time_ns()
    for _ in range(times):
        work()
    return (time.thread_time_ns() - began) / 1e9


def calibrated(work: Work) -> int:
    """How often to call it in one measurement."""
    times = 1
    while (spent := cpu_s(work, times)) < SPAN_S / 4:
        times *= 2
    return max(1, int(times * SPAN_S / spent))


class Rounds:
    """All measurements: (part, size, contender) to one figure a round."""

    def __init__(self) -> None:
        self.figures: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def run(self, part: str, size: int, contenders: dict[str, Callable[[], float]], rounds: int) -> None:
        names = list(contenders)
        for turn in range(rounds):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                self.figures[part, size][name].append(contenders[name]())
        print(f"{part}, {size} bytes", flush=True)

    def write(self, folder: Path) -> None:
        with open(folder / "rounds.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["part", "bytes", "contender", "round", "value"])
            for (part, size), by_name in self.figures.items():
                for name, values in by_name.items():
                    rows.writerows([part, size, name, turn, f"{value:.6g}"] for turn, value in enumerate(values))
        (folder / "tables.md").write_text("\n".join(self.tables()) + "\n")

    def tables(self) -> Iterator[str]:
        parts = list(dict.fromkeys(part for part, _ in self.figures))
        for part in parts:
            sizes = [size for known, size in self.figures if known == part]
            names = list(dict.fromkeys(n for size in sizes for n in self.figures[part, size]))
            first = names[0]
            unit = "KiB per connection" if part.startswith("memory") else "CPU time per message"
            yield f"\n**{part}**: {unit}, and in brackets how many times that of {first}\n"
            yield "| " + " | ".join(["", *(size_name(size) for size in sizes)]) + " |"
            yield "|---|" + "--:|" * len(sizes)
            for name in names:
                cells = [self.cell(part, size, name, first) for size in sizes]
                yield "| " + " | ".join([name, *cells]) + " |"

    def cell(self, part: str, size: int, name: str, first: str) -> str:
        values, base = self.figures[part, size][name], self.figures[part, size][first]
        ratio = statistics.median(value / other for value, other in zip(values, base))
        median = statistics.median(values)
        text = f"{median:.2f}" if part.startswith("memory") else duration(median)
        return text if name == first else f"{text} ({ratio:.2f})"


def size_name(size: int) -> str:
    return "" if size == 0 else f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} B"


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def measure_calls(rounds: Rounds, part: str, makes: dict[str, Callable[[int], dict[str, tuple[Work, int]]]], n: int) -> None:
    for title, make in makes.items():
        for size in SIZES:
            contenders = {}
            for name, (work, messages) in make(size).items():
                work()
                times = calibrated(work)
                contenders[name] = lambda w=work, t=times, m=messages: cpu_s(w, t) / t / m
            rounds.run(title, size, contenders, n)


class ServerProcess:
    """An echo server in a process of its own."""

    def __init__(self, kind: str, options: list[str]) -> None:
        command = [sys.executable, str(HERE / "servers.py"), kind, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def cpu_s(self) -> float:
        """The CPU time of all its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert b" 101 " in head, head
        return sock

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


def exchange(sock: socket.socket, wire: bytes, reply_len: int, count: int, in_flight: int) -> None:
    """Sends `count` messages, with at most `in_flight` unanswered, and reads the replies."""
    buffer = bytearray(max(1 << 20, reply_len))
    sent = received = 0
    while received < count * reply_len:
        while sent < count and sent - received // reply_len < in_flight:
            sock.sendall(wire)
            sent += 1
        received += sock.recv_into(buffer)


def measure_echo(rounds: Rounds, n: int, options: list[str]) -> None:
    servers = {kind: ServerProcess(kind, options) for kind in ECHO_KINDS}
    try:
        socks = {kind: server.connect() for kind, server in servers.items()}
        for size in SIZES:
            payload = os.urandom(size)
            wire = client_frame(payload)
            reply_len = len(wire) - 4
            count = min(ECHO_MESSAGES_MAX, max(8, ECHO_BYTES // size))
            # One at a time above the buffers of a socket, which would stop both sides.
            in_flight = 1 if size > 64 << 10 else 4

            def once(kind: str) -> float:
                before = servers[kind].cpu_s()
                exchange(socks[kind], wire, reply_len, count, in_flight)
                return (servers[kind].cpu_s() - before) / count

            for kind in ECHO_KINDS:
                once(kind)
            rounds.run("echo", size, {kind: lambda kind=kind: once(kind) for kind in ECHO_KINDS}, n)
    finally:
        for server in servers.values():
            server.end()


def measure_memory(rounds: Rounds, n: int, options: list[str]) -> None:
    wire = client_frame(b"x" * 64)

    def once(kind: str) -> float:
        server = ServerProcess(kind, options)
        try:
            for _ in range(20):
                server.connect().close()
            before = server.resident_kib()
            socks = [server.connect() for _ in range(IDLE_CONNECTIONS)]
            for sock in socks:
                exchange(sock, wire, len(wire) - 4, 1, 1)
            time.sleep(0.2)
            used = server.resident_kib() - before
            for sock in socks:
                sock.close()
            return used / IDLE_CONNECTIONS
        finally:
            server.end()

    names = [kind for kind in ECHO_KINDS if kind not in ("wscodec, socket", "websockets.sync")]
    rounds.run("memory of an idle connection", 0, {kind: lambda kind=kind: once(kind) for kind in names}, n)


def machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    versions = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = ("wscodec", "websockets", "picows", "wsproto", "aiohttp", "uvloop")
    lines = [
        f"{cpu}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        *(line for line in versions if line.split("==")[0] in wanted),
        f"load average {os.getloadavg()[0]:.1f} at the end",
        f"{' '.join(sys.argv)}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", action="append", choices=("decode", "encode", "mask", "echo", "memory"))
    parser.add_argument("--uvloop", action="store_true", help="servers over uvloop")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    random.seed(1)
    parts = arguments.only or ["decode", "encode", "mask", "echo", "memory"]
    options = ["--uvloop"] if arguments.uvloop else []
    rounds, n = Rounds(), arguments.rounds
    makes: dict[str, dict[str, Callable[[int], dict[str, tuple[Work, int]]]]] = {
        "decode": {
            "decode binary, as a server": lambda size: decoders(size, False),
            "decode ASCII text, as a server": lambda size: decoders(size, True),
        },
        "encode": {
            "encode, as a client": lambda size: encoders(size, True),
            "encode, as a server": lambda size: encoders(size, False),
        },
        "mask": {
            "mask to a new object": lambda size: maskers(size, False),
            "mask in place": lambda size: maskers(size, True),
        },
    }
    for part in parts:
        if part in makes:
            measure_calls(rounds, part, makes[part], n)
        elif part == "echo":
            measure_echo(rounds, n, options)
        else:
            measure_memory(rounds, max(3, n // 5), options)
    rounds.write(arguments.folder)
    (arguments.folder / "machine.txt").write_text(machine())
    print((arguments.folder / "tables.md").read_text())


if __name__ == "__main__":
    main()
