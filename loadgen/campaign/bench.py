"""What the parts of the campaign share: processes on cores of their own, and samples that a later call goes on with."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPEED = HERE.parent / "speed"
sys.path.insert(0, str(HERE.parent / "interop"))
# What is measured is what is installed.
os.environ.setdefault("LOADGEN_INTEROP_PROFILE", "dist")
import harness  # noqa: E402

# Programs of loadgen/speed: echo servers on other crates, and what the campaign needs beside them.
BIN = SPEED / "target" / "release"
SERVER_CORE, CLIENT_CORE = "0", "1"


def pinned(core, *command):
    """A command on one core, and before other work where that is allowed: the machine is never quite alone."""
    first = ["nice", "-n", "-15"] if os.geteuid() == 0 else []
    return [*first, "taskset", "-c", core, *map(str, command)]


class OutOfTime(Exception):
    """The time that this call may measure is over; another call goes on."""


class Samples:
    """Rows of samples.ndjson: those that are there already are not measured again, unless they failed."""

    def __init__(self, folder, rounds, budget_s, is_quick):
        self.folder, self.rounds, self.is_quick = folder, rounds, is_quick
        self.file = folder / "samples.ndjson"
        self.deadline = time.monotonic() + budget_s if budget_s else None
        folder.mkdir(parents=True, exist_ok=True)
        rows = map(json.loads, self.file.read_text().splitlines() if self.file.exists() else [])
        self.rows = [row for row in rows if "failed" not in row]

    def of(self, part, work=None, subject=None):
        """The samples of a part, and of one work and one subject of it."""
        asked = {"part": part, "work": work, "subject": subject}
        return [row for row in self.rows if all(value in (None, row[key]) for key, value in asked.items())]

    def take(self, part, work, subjects, most_s):
        """Asks each of `subjects`, names and functions that return a dictionary, once in this round.

        The first of a round is another each time. A sample takes `most_s` seconds at most, so none is begun that would not
        be ready in time.
        """
        names = list(subjects)
        number = self.round % len(names)
        for name in names[number:] + names[:number]:
            key = {"part": part, "work": work, "subject": name, "round": self.round}
            if any(key.items() <= row.items() for row in self.rows):
                continue
            if self.deadline and time.monotonic() + most_s > self.deadline:
                raise OutOfTime
            try:
                found = subjects[name]()
            except harness.Skipped as why:
                found = {"skipped": str(why)}
            except (harness.Failed, subprocess.SubprocessError, OSError) as why:
                found = {"failed": f"{type(why).__name__}: {why}"[:500]}
            row = {**key, "at": int(time.time()), **found}
            self.rows.append(row)
            with self.file.open("a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            shown = {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}
            print(f"{self.round} {part}, {work}: {name}: {json.dumps(shown, ensure_ascii=False)[:300]}", flush=True)


class Server(harness.Process):
    """A server on its core, and the port that it has said."""

    def __init__(self, *command, lines="stdout", before=()):
        super().__init__(*before, *pinned(SERVER_CORE, *command), lines=lines)
        self.port = re.search(r"(\d+)\D*$", self.line(within=30).split(" (")[0])[1]
        self.url = f"ws://127.0.0.1:{self.port}/"

    def cpu_ns(self):
        """What its threads have had of a processor so far."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)

    def resident(self):
        return memory_of([self.process.pid], "Rss")


def memory_of(pids, kind):
    """Bytes of memory of processes: `Rss`, or `Pss`, which counts what they share once."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{kind}:"))
    return total * 1024


def family(session):
    """The processes of a session: what a client has started, unless that has made a session of its own."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            pids.append(int(stat.parent.name))
    return pids


def on_client_core(*command, env=None, timeout=120, watch=None):
    """Runs a client to its end: its output, its processor time in seconds, and its exit code.

    `watch` is called a few times a second with the processes that the client consists of.
    """
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            pinned(CLIENT_CORE, *command),
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        deadline = time.monotonic() + timeout
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.killpg(child.pid, 9)
            if watch:
                watch(family(child.pid))
            time.sleep(0.1)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return text, usage.ru_utime + usage.ru_stime, child.returncode


def loadgen(command, url, *words, timeout=120, watch=None, json_file=None):
    """A command of loadgen on the client's core, with one thread: its result and its processor time."""
    file = json_file or Path(tempfile.mkdtemp()) / "result.json"
    line = [harness.LOADGEN, command, url, "-t", 1, *words, "-q", "-o", f"json={file}"]
    text, cpu_s, code = on_client_core(*line, timeout=timeout, watch=watch)
    # 1: something was lost; 97: the client was the limit; 99: no rate held. All of it is in the result.
    if code not in (0, 1, 97, 99) or not file.exists():
        raise harness.Failed(f"loadgen {command} exited {code}: {text.strip()[-300:]}")
    result = json.loads(file.read_text())
    if not json_file:
        file.unlink()
        file.parent.rmdir()
    if result.get("imbalances"):
        raise harness.Failed(result["imbalances"])
    return result, cpu_s


def percentile_ns(result, metric, percentile):
    """A percentile that a result names, in nanoseconds; `None` without a sample."""
    for row in result["histograms"]:
        if row["metric"] == metric and row["count"]:
            if percentile == 100:
                return row["max_ns"]
            return next(found["value_ns"] for found in row["percentiles"] if found["percentile"] == percentile)
    return None


def mean_ns(result, metric):
    return next((row["mean_ns"] for row in result["histograms"] if row["metric"] == metric), None)


def verdict(result):
    found = result["verdict"]
    return {"verdict": found["state"], **({"reasons": found["reasons"]} if found["reasons"] else {})}


def build():
    """Builds what is measured; nothing is done if it is there."""
    harness.build("loadgen")
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=SPEED, check=True)
