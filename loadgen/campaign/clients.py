"""Clients: the echoes that one core can do, the latency of servers that are late by a known time, memory."""

import json
import shutil
import tempfile
from pathlib import Path

import harness
from bench import BIN, HERE, Server, loadgen, mean_ns, memory_of, on_client_core, percentile_ns, verdict
from harness import Failed

PART = "clients"
CONNECTIONS = 50
# Messages a second in all, and the seconds between two of a connection.
PACED, EVERY_S = 1_000, 0.05
LATE_MS, PERIOD_MS, STALL_MS = 5, 1_000, 200
IDLE = (100, 1_000)
MESSAGE = "a" * 64
WORKS = {"rate": "as fast as they can", "late": f"{LATE_MS} ms late", "stall": f"stalls {STALL_MS} ms of each second"}


def own_run(server, seconds, paced):
    words = ["-c", CONNECTIONS, "-s", 64, "-d", f"{seconds}s", "-w", "500ms"]
    result, cpu_s = loadgen("run", server.url, *words, *(["-R", PACED] if paced else []))
    messages = result["messages"]
    if messages["measured"]["received"] != messages["measured"]["sent"]:
        raise Failed(f"an echo is missing: {messages['measured']}")
    # What it waits awake for the next message to be due is no cost of the message.
    cpu_s -= sum(worker["spun_ns"] for worker in result["client"]["workers"]) / 1e9
    found = {
        "per_s": messages["achieved_per_s"],
        "echoes": messages["measured"]["received"] + messages["warmup"]["received"],
        "cpu_s": cpu_s,
        **verdict(result),
    }
    if paced:
        found["mean_ms"] = mean_ns(result, "rtt.response") / 1e6
        for name, percentile in {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "max_ms": 100}.items():
            found[name] = percentile_ns(result, "rtt.response", percentile) / 1e6
    return found


def bare(server, seconds, _):
    """Looks at nothing: what a client can reach that measures and checks nothing."""
    text, cpu_s, code = on_client_core(BIN / "bare", server.port, CONNECTIONS, 64, 1, max(1, round(seconds)))
    if code:
        raise Failed(text)
    return {"per_s": float(text), "echoes": float(text) * max(1, round(seconds)), "cpu_s": cpu_s}


def k6(server, seconds, paced):
    # A paced one stops sending half a second before it closes.
    seconds += 0.5 if paced else 0
    env = {"URL": server.url, "COUNT": str(CONNECTIONS), "SECONDS": str(seconds), "GOMAXPROCS": "1"}
    if paced:
        env["EVERY_MS"] = str(int(EVERY_S * 1000))
    metrics, cpu_s = k6_metrics(env)
    count = metrics["echoes"]["count"]
    found = {"per_s": count / (seconds - (0.5 if paced else 0)), "echoes": count, "cpu_s": cpu_s}
    if paced:
        row = metrics["echo_ms"]
        found.update(mean_ms=row["avg"], p50_ms=row["p(50)"], p90_ms=row["p(90)"], p99_ms=row["p(99)"], max_ms=row["max"])
    return found


def k6_metrics(env, watch=None):
    folder = Path(tempfile.mkdtemp())
    command = [harness.k6(), "run", "--quiet", "--summary-export", folder / "k6.json", HERE / "k6_echo.js"]
    text, cpu_s, code = on_client_core(*command, env=env, watch=watch)
    if code or not (folder / "k6.json").exists():
        raise Failed(f"k6 exited {code}: {text[-300:]}")
    metrics = json.loads((folder / "k6.json").read_text())["metrics"]
    shutil.rmtree(folder)
    return metrics, cpu_s


def artillery(server, seconds, paced):
    env = {"URL": server.url, "COUNT": str(CONNECTIONS), "SECONDS": str(seconds), "PROCESSOR": str(HERE / "artillery.cjs")}
    if paced:
        env["EVERY_S"] = str(EVERY_S)
    result, cpu_s = artillery_result("artillery.yml", env)
    count = result["counters"]["websocket.messages_received"]
    spent = (result["lastCounterAt"] - result["firstCounterAt"]) / 1000
    # Users arrive in the first second, so on average half of it has been without them.
    found = {"per_s": count / (spent - 0.5), "echoes": count, "cpu_s": cpu_s}
    if paced:
        row = result["summaries"]["echo_ms"]
        found.update(mean_ms=row["mean"], p50_ms=row["p50"], p90_ms=row["p90"], p99_ms=row["p99"], max_ms=row["max"])
    return found


def artillery_result(script, env, watch=None):
    folder = Path(tempfile.mkdtemp())
    env = {**env, "ARTILLERY_DISABLE_TELEMETRY": "true"}
    command = [harness.artillery(), "run", "--quiet", "-o", folder / "a.json", HERE / script]
    text, cpu_s, code = on_client_core(*command, env=env, watch=watch)
    if code or not (folder / "a.json").exists():
        raise Failed(f"artillery exited {code}: {text[-300:]}")
    result = json.loads((folder / "a.json").read_text())["aggregate"]
    shutil.rmtree(folder)
    if result["counters"].get("vusers.failed"):
        raise Failed(f"artillery: {result['counters']}")
    return result, cpu_s


ECHO = f'<request><websocket type="message">{MESSAGE}</websocket></request>'


def tsung(server, seconds, paced):
    pause = f'<thinktime value="{EVERY_S}"/>' if paced else ""
    echo = f'<transaction name="echo">{ECHO}</transaction>' if paced else ECHO
    steps = f'<for from="1" to="100000000" var="i">{echo}{pause}</for>'
    # It writes its numbers every ten seconds; less than that is one line.
    seconds = min(9, round(seconds) + 1)
    stats, cpu_s = tsung_stats(server, CONNECTIONS, seconds, steps)
    count = int(stats["request"][0]) - CONNECTIONS  # whose connects are requests as well
    # Users start within half a second.
    found = {"per_s": count / (seconds - 0.25), "echoes": count, "cpu_s": cpu_s}
    if paced:
        mean, _, most, _ = map(float, stats["tr_echo"][1:5])
        found.update(mean_ms=mean, max_ms=most)
    return found


def tsung_stats(server, count, seconds, steps, watch=None):
    """The lines that it wrote, by their names."""
    program = harness.debian("tsung", "tsung")
    folder = Path(tempfile.mkdtemp())
    text = (HERE / "tsung.xml").read_text()
    arrivals = max(1, count * 2) if count <= 100 else count
    text = text.format(count=count, port=server.port, seconds=seconds, arrivals=arrivals, steps=steps)
    (folder / "tsung.xml").write_text(text)
    command = [program, "-n", "-w", "0", "-f", folder / "tsung.xml", "-l", folder, "start"]
    said, cpu_s, _ = on_client_core(*command, env={"HOME": str(folder)}, watch=watch)
    logs = list(folder.glob("*/tsung.log"))
    lines = logs[0].read_text().splitlines() if logs else []
    shutil.rmtree(folder)
    rows = [line.removeprefix("stats: ").split() for line in lines if line.startswith("stats: ")]
    stats = {row[0]: row[1:] for row in rows}
    opened = int(stats.get("websocket_succ", ["0"])[0])
    if opened != count or "websocket_fail" in stats:
        raise Failed(f"tsung opened {opened} of {count}: {said[-300:]}")
    return stats, cpu_s


CLIENTS = {"loadgen": own_run, "k6": k6, "artillery": artillery, "tsung": tsung}


def server_for(work):
    if work == "late":
        return Server(BIN / "late", "constant", LATE_MS)
    if work == "stall":
        return Server(BIN / "late", "stall", PERIOD_MS, STALL_MS)
    return Server(harness.LOADGEN, "serve", "-t", "1", "--listen", "127.0.0.1:0", lines="stderr")


def asked(client, work, seconds):
    def sample():
        with server_for(work) as server:
            found = client(server, seconds, work != "rate")
        return {name: value for name, value in found.items() if value is not None}

    return sample


def timed(samples):
    seconds = 1 if samples.is_quick else 3
    for work in WORKS:
        clients = {**CLIENTS, **({"bare loop": bare} if work == "rate" else {})}
        samples.take(PART, work, {name: asked(client, work, seconds) for name, client in clients.items()}, 12)


class Most:
    """The most memory that a client's processes had together."""

    def __init__(self):
        self.bytes = 0

    def __call__(self, pids):
        self.bytes = max(self.bytes, memory_of(pids, "Pss"))


def idle(client, count):
    """The most memory of a client of so many idle connections."""
    most = Most()
    with server_for("rate") as server:
        if client == "loadgen":
            result, _ = loadgen("hold", server.url, "-c", count, "-d", "3s", watch=most)
            opened = result["connections"]["established"]
        elif client == "k6":
            metrics, _ = k6_metrics({"URL": server.url, "COUNT": str(count), "SECONDS": "6", "IDLE": "1"}, most)
            opened = metrics["ws_sessions"]["count"]
        elif client == "artillery":
            result, _ = artillery_result(
                "artillery_idle.yml", {"URL": server.url, "COUNT": str(count), "SECONDS": "6"}, most
            )
            opened = result["counters"]["vusers.completed"]
        else:
            stats, _ = tsung_stats(server, count, 8, '<thinktime value="6"/>', most)
            opened = int(stats["websocket_succ"][0])
    if opened != count:
        raise Failed(f"{opened} of {count} open")
    return most.bytes


def memory(samples):
    counts = (10, 100) if samples.is_quick else IDLE

    def sample(name):
        few, many = (idle(name, count) for count in counts)
        return {"few": few, "many": many}

    samples.take(PART, "memory", {name: lambda name=name: sample(name) for name in CLIENTS}, 60)
