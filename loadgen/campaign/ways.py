"""One stream of events, got in five ways: polling slowly and often, long polling, server-sent events, WebSocket.

The server and its clients have a network of their own (`unshare -n`), so that its counters are those of the stream alone.
"""

import functools
import json
import os
import re
import shutil
from pathlib import Path

import harness
from bench import BIN, CLIENT_CORE, Server, pinned
from harness import Failed, Skipped

PART = "ways"
CLIENTS = 200
# Events a second, and how many seconds of them are measured.
RATES = {"10 events/s": (10, 3), "1 event every 2 s": (0.5, 6)}
# How a way is called, and the arguments of the client.
WAYS = {
    "polling, every 1 s": ("poll", "1000"),
    "polling, every 100 ms": ("poll", "100"),
    "long polling": ("long", ""),
    "server-sent events": ("sse", ""),
    "WebSocket": ("ws", ""),
}


class Events(Server):
    """The server in a network of its own, where the whole of it is loopback with the packets of an Ethernet."""

    def __init__(self, rate):
        if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
            raise Skipped("a network of one's own takes root, unshare and ip")
        up = 'ip link set lo up mtu 1500 && exec "$@"'
        super().__init__(BIN / "events", rate, before=("unshare", "-n", "sh", "-c", up, "sh"))

    def wire(self):
        """Bytes and packets that its network has carried, headers and acknowledgements included."""
        text = Path(f"/proc/{self.process.pid}/net/dev").read_text()
        fields = re.search(r"lo:\s*(.*)", text)[1].split()
        return int(fields[0]), int(fields[1])

    def clients(self, *words):
        inside = ("nsenter", "-t", self.process.pid, "-n")
        return harness.Process(*inside, *pinned(CLIENT_CORE, BIN / "subscribers", *words))


def warmup_s(rate):
    return max(1.5, 1.2 / rate)


def way(name, rate, seconds, clients):
    kind, every_ms = WAYS[name]
    # Until every client has an event: the first comes about at once, the second after this.
    warmup = warmup_s(rate)
    with Events(rate) as server:
        # A multiple of the interval, so that as many events as there should be fall into it.
        more = [every_ms] if every_ms else []
        with server.clients(kind, server.port, clients, warmup, seconds, *more) as client:
            if client.line(within=warmup + 20) != "begin":
                raise Failed("no begin")
            (bytes_before, packets_before), cpu_before = server.wire(), server.cpu_ns()
            if client.line(within=seconds + 20) != "end":
                raise Failed("no end")
            (bytes_after, packets_after), cpu_after = server.wire(), server.cpu_ns()
            found = json.loads(client.line())
    if found["faults"]:
        raise Failed(f"{found['faults']} events missed, twice or out of order")
    expected = rate * seconds * clients
    # One event more or less at each end of the time.
    if abs(found["events"] - expected) > clients + 0.02 * expected:
        raise Failed(f"{found['events']} events, and not {expected:g}")
    found.update(
        wire_bytes=bytes_after - bytes_before, packets=packets_after - packets_before, cpu_ns=cpu_after - cpu_before
    )
    return found


def timed(samples):
    for work, (rate, seconds) in RATES.items():
        if samples.is_quick:
            rate, seconds = 10, 1
        clients = 20 if samples.is_quick else CLIENTS
        asked = {name: functools.partial(way, name, rate, seconds, clients) for name in WAYS}
        samples.take(PART, work, asked, seconds + warmup_s(rate) + 2)
