"""Echo servers on one core: latency at a rate that all of them can do, capacity, connections a second, memory."""

import os
import subprocess
import time

import harness
from bench import BIN, CLIENT_CORE, HERE, SPEED, Server, loadgen, percentile_ns, pinned, verdict
from harness import Failed

PART = "servers"
CONNECTIONS = 100
RATE = 5_000
P99_MS = 10
IDLE = (1_000, 6_000)
PEERS = HERE.parent / "interop" / "peers"


def python(script):
    interpreter = harness.environment(harness.CACHE / "campaign", HERE / "requirements.txt")
    return Server(interpreter, HERE / "uvloop_run.py", PEERS / script)


def node():
    return Server(harness.node(), PEERS / "ws_echo.cjs")


SERVERS = {
    "loadgen serve": lambda: Server(harness.LOADGEN, "serve", "-t", "1", "--listen", "127.0.0.1:0", lines="stderr"),
    **{
        peer: lambda peer=peer: Server(BIN / "echo", peer)
        for peer in ("wscodec-tokio", "fastwebsockets", "tokio-websockets", "tokio-tungstenite")
    },
    "uWebSockets (Bun)": lambda: Server(harness.bun(), SPEED / "bun_echo.js"),
    "picows (Python)": lambda: python("picows_echo.py"),
    "websockets (Python)": lambda: python("websockets_echo.py"),
    "ws (Node)": node,
}


def slug(name):
    return name.split(" (")[0].replace(" ", "-").lower()


def fixed(name, start, samples):
    seconds = 1 if samples.is_quick else 2
    folder = samples.folder / "fixed-rate"
    folder.mkdir(exist_ok=True)
    with start() as server:
        before_ns = server.cpu_ns()
        words = ["-c", CONNECTIONS, "-R", RATE, "-s", 64, "-b", "-w", "500ms", "-d", f"{seconds}s"]
        words += ["--seed", samples.round + 1, "--label", f"server={name}"]
        result, _ = loadgen("run", server.url, *words, json_file=folder / f"{slug(name)}-{samples.round + 1}.json")
        cpu_ns = server.cpu_ns() - before_ns
    messages = result["messages"]
    counts = messages["measured"]
    if counts["altered"] or result["errors"]:
        raise Failed(f"{counts} {result['errors']}")
    found = {
        "achieved_per_s": messages["achieved_per_s"],
        "lost": counts["lost"],
        "cpu_ns_per_echo": cpu_ns / (counts["received"] + messages["warmup"]["received"]),
    }
    for key, percentile in {"p50_us": 50.0, "p99_us": 99.0, "p999_us": 99.9, "max_us": 100}.items():
        found[key] = percentile_ns(result, "rtt.response", percentile) / 1e3
    return {**found, **verdict(result)}


def capacity(start, samples):
    duration, rates = ("100ms", "500..1k") if samples.is_quick else ("300ms", "16k..256k")
    words = ["-c", CONNECTIONS, "-s", 64, "-b", "-d", duration, "-R", rates, "--within", 5, "--until", f"rtt.p99<{P99_MS}ms"]
    with start() as server:
        result, _ = loadgen("search", server.url, *words)
    steps = [
        {key: step[key] for key in ("rate_per_s", "achieved_per_s", "p99_ns", "holds", "verdict")}
        for step in result["steps"]
    ]
    return {
        "capacity_per_s": result["capacity_per_s"],
        "limit": result["limit"],
        "fails_at_per_s": result["fails_at_per_s"],
        "steps": steps,
    }


def connects(start, samples):
    seconds = 1 if samples.is_quick else 2
    with start() as server:
        result, _ = loadgen("connect", server.url, "-c", 50, "-d", f"{seconds}s")
    counts = result["connections"]
    if counts["failed"] or result["errors"]:
        raise Failed(f"{counts} {result['errors']}")
    found = {"per_s": counts["established"] / seconds, "p50_us": percentile_ns(result, "connect.total", 50.0) / 1e3}
    return {**found, "p99_us": percentile_ns(result, "connect.total", 99.0) / 1e3, **verdict(result)}


def timed(samples):
    samples.take(PART, "fixed", {name: lambda n=name, s=start: fixed(n, s, samples) for name, start in SERVERS.items()}, 8)
    samples.take(PART, "connects", {name: lambda s=start: connects(s, samples) for name, start in SERVERS.items()}, 6)


def searched(samples):
    samples.take(PART, "capacity", {name: lambda s=start: capacity(s, samples) for name, start in SERVERS.items()}, 16)


def held(server, count):
    """A client that holds so many connections: none is opened that the server has not accepted."""
    words = [harness.LOADGEN, "hold", server.url, "-t", 1, "-c", count, "-d", "60s", "-q", "-o", "text=/dev/null"]
    return subprocess.Popen(pinned(CLIENT_CORE, *words), stdout=subprocess.DEVNULL)


def wait_for(server, count, clients):
    """Waits until the server has so many sockets more than at the start, and stops growing."""
    deadline = time.monotonic() + 40
    while len(os.listdir(f"/proc/{server.process.pid}/fd")) < count:
        if time.monotonic() > deadline or any(client.poll() is not None for client in clients):
            raise Failed(f"not {count} connections")
        time.sleep(0.05)
    time.sleep(1)
    return server.resident()


def idle(start, counts):
    few, many = counts
    with start() as server:
        begin, files = server.resident(), len(os.listdir(f"/proc/{server.process.pid}/fd"))
        clients = []
        try:
            clients.append(held(server, few))
            at_few = wait_for(server, files + few, clients)
            clients.append(held(server, many - few))
            at_many = wait_for(server, files + many, clients)
        finally:
            for client in clients:
                client.kill()
                client.wait()
    per_connection = (at_many - at_few) / (many - few)
    return {"begin": begin, "few": at_few, "many": at_many, "per_connection": per_connection}


def memory(samples):
    counts = (50, 200) if samples.is_quick else IDLE
    samples.take(PART, "memory", {name: lambda s=start: idle(s, counts) for name, start in SERVERS.items()}, 60)
