#!/usr/bin/env python3
"""Echoes through `loadgen serve` over HTTP/1.1 and over HTTP/2, server on core 0 and client on core 1.

    http2.py LOADGEN [ROUNDS]

LOADGEN is a program of the dist profile. Writes http2.csv beside itself, and prints the table: messages a second, and the
processor time of the server for one, each the median of the rounds, which are interleaved.
"""

import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LOADGEN = sys.argv[1]
ROUNDS = int(sys.argv[2]) if sys.argv[2:] else 5
SIZES = {"64 B": 64, "4 KiB": 4096, "64 KiB": 65536, "1 MiB": 1 << 20}
CONNECTIONS = 20
WAYS = {
    "HTTP/1.1": [],
    "HTTP/2, a stream a connection": ["--http2"],
    "HTTP/2, 5 streams": ["--http2", "--streams", "5"],
    "HTTP/2, 20 streams": ["--http2", "--streams", "20"],
}


def server(options):
    words = ["taskset", "-c", "0", LOADGEN, "serve", "echo", "-t", "1", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    return process, re.search(r"listening on (ws://\S+)", process.stderr.readline())[1]


def cpu_ns(process):
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def run(process, url, options, size, depth):
    """Messages a second, and the server's processor time for one in ns."""
    before = cpu_ns(process)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "result.json")
        load = ["-b", "-s", str(size), "-p", str(depth), "-c", str(CONNECTIONS), "-d", "600ms", "-w", "100ms", "-t", "1"]
        words = ["taskset", "-c", "1", LOADGEN, "run", url, "-q", *load, *options, "-o", f"json={file}"]
        done = subprocess.run(words, capture_output=True, text=True)
        if not file.exists():
            raise SystemExit(f"loadgen exited {done.returncode}: {done.stderr}")
        result = json.loads(file.read_text())
    if result["errors"] or result["imbalances"]:
        raise SystemExit(f"{options}, {size}: {result['errors']} {result['imbalances']}")
    received = result["messages"]["received"] if "received" in result["messages"] else result["messages"]["measured"]["received"]
    return result["messages"]["achieved_per_s"], (cpu_ns(process) - before) / received


def main():
    servers = {False: server([]), True: server(["--http2"])}
    cells = {}
    for turn in range(ROUNDS):
        for name, size in SIZES.items():
            for depth in (1, 16) if size <= 4096 else (1,):
                ways = list(WAYS.items())
                for way, options in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                    outcome = run(*servers[bool(options)], options, size, depth)
                    column = name if depth == 1 else f"{name}, {depth} at once"
                    cells.setdefault((way, column), []).append(outcome)
    for process, _ in servers.values():
        process.terminate()
    with open(Path(__file__).with_name("http2.csv"), "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["round", "way", "messages", "messages_per_s", "server_cpu_ns"])
        for (way, column), outcomes in cells.items():
            for turn, (rate, cpu) in enumerate(outcomes):
                rows.writerow([turn, way, column, f"{rate:.0f}", f"{cpu:.0f}"])
    columns = list(dict.fromkeys(column for _, column in cells))
    print("| | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
    for way in WAYS:
        row = []
        for column in columns:
            rates, cpus = zip(*cells[way, column], strict=True)
            ratios = [rate / base for rate, (base, _) in zip(rates, cells["HTTP/1.1", column], strict=True)]
            row.append(f"{statistics.median(rates):.0f} ({statistics.median(ratios):.2f}), {statistics.median(cpus) / 1000:.1f} µs")
        print(f"| {way} | " + " | ".join(row) + " |")


main()
