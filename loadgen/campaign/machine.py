"""What was measured on: the machine, the commit, the versions of what is compared."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import harness
from bench import HERE, SPEED


def said(*command):
    """The first line that a command says, or that it isn't there."""
    try:
        done = subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=60, check=False)
    except OSError:
        return "not here"
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def crate(name):
    lock = (SPEED / "Cargo.lock").read_text()
    return re.search(rf'name = "{name}"\nversion = "(.*)"', lock)[1]


def note(folder):
    """Writes machine.txt, unless it is there."""
    file = folder / "machine.txt"
    if file.exists():
        return
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    peers = json.loads((HERE.parent / "interop" / "peers" / "package.json").read_text())
    python = (HERE / "requirements.txt").read_text().split()
    crates = ["fastwebsockets", "tokio-websockets", "tokio-tungstenite", "hyper"]
    lines = {
        "processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) / (1 << 20):.1f} GiB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "commit": said("git", "-C", HERE, "rev-parse", "--short", "HEAD"),
        "loadgen": f"{said(harness.LOADGEN, '--version')}, profile {harness.PROFILE}",
        "rustc": said("rustc", "--version"),
        "crates": ", ".join(f"{name} {crate(name)}" for name in crates),
        "Python": f"{platform.python_version()}; {', '.join(python)}",
        "Node": f"{said('node', '--version')}; ws {peers['dependencies']['ws']}",
        "Bun": peers["optionalDependencies"]["@oven/bun-linux-x64"],
        "k6": harness.K6,
        "artillery": harness.ARTILLERY,
        "tsung": said("dpkg-query", "-W", "-f", "${Version}, Erlang ", "tsung")
        + said("dpkg-query", "-W", "-f", "${Version}", "erlang-base"),
    }
    file.write_text("".join(f"{name:<10} {value}\n" for name, value in lines.items()))
