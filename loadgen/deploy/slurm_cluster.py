"""A Slurm cluster on this machine: a controller and nodes of its own, in a folder, on ports of the loopback."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

from harness import LOADGEN, Failed, Serve, Skipped, call, debian  # noqa: E402

SCRIPT = Path(__file__).resolve().parent / "slurm"
SECONDS_TO_START = 30
CONFIGURATION = """
ClusterName=loadgen
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/controller.pid
SlurmctldLogFile={folder}/controller.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(number):
    """Ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Ends with the block that it is used in."""

    def __init__(self, nodes):
        if os.geteuid() != 0:
            raise Skipped("nodes of a Slurm cluster run as root")
        commands = {name: debian(name, "slurm-wlm") for name in ("slurmctld", "slurmd", "sinfo", "sbatch")}
        munged, mungekey = debian("munged", "munge"), debian("mungekey", "munge")
        self.nodes = nodes
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        port, *ports = free_ports(nodes + 1)
        host = socket.gethostname()
        text = CONFIGURATION.format(host=host, port=port, folder=self.folder)
        for node, port in enumerate(ports, 1):
            (self.folder / f"n{node}").mkdir()
            text += f"NodeName=n{node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1\n"
        (self.folder / "state").mkdir()
        (self.folder / "slurm.conf").write_text(text)
        self.env = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "LOADGEN": str(LOADGEN)}
        self.started = []
        try:
            call(mungekey, "--create", f"--keyfile={self.folder}/munge.key")
            self.start(munged, "--foreground", "--force", f"--socket={self.folder}/munge.socket",
                       f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munge.pid",
                       f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/munge.log")
            self.start(commands["slurmctld"], "-D", "-c", "-i")
            for node in range(1, nodes + 1):
                self.start(commands["slurmd"], "-D", "-N", f"n{node}")
            self.await_nodes(commands["sinfo"])
        except Exception:
            self.stop()
            raise

    def start(self, *command):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.started.append(subprocess.Popen([str(word) for word in command], env=self.env, **quiet))

    def await_nodes(self, sinfo):
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            done = subprocess.run([sinfo, "--noheader", "--format=%T %D"], env=self.env, text=True, capture_output=True)
            if f"idle {self.nodes}" in done.stdout:
                return
            time.sleep(0.2)
        log = self.folder / "controller.log"
        last = log.read_text().splitlines()[-1:] if log.exists() else done.stderr
        raise Failed(f"no {self.nodes} idle nodes after {SECONDS_TO_START} s: {last}")

    def run(self, *words, **env):
        """What the script prints, and its exit code, in a folder of its own."""
        command = [str(word) for word in (SCRIPT, *words)]
        return subprocess.run(command, env={**self.env, **env}, cwd=self.folder, text=True, capture_output=True, timeout=180)

    def stop(self):
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def want(holds, what):
    if not holds:
        raise Failed(what)


def counts(text):
    """What a whole run and four segments of it must have in common, from a report in text."""
    return re.findall(r"[\d,]+ / [\d,]+ open|sent [\d,]+   received [\d,]+   lost \d+|1000 by client, clean: [\d,]+", text)


def check(note):
    """Four segments, each way, against one process; then one that never has a result."""
    load = ["-c", "40", "-n", "2000", "-d", "60s", "--ramp", "1s", "--seed", "7"]
    with Cluster(4) as cluster, Serve() as server:
        command = [str(LOADGEN), "run", server.url, *load[:6], *load[8:]]
        alone = subprocess.run(command, text=True, capture_output=True, timeout=60).stdout
        want(len(counts(alone)) == 3, alone)
        for mode in ("array", "srun"):
            words = ("-n", 4, "-s", 6, "-m", mode, "-o", mode, "--", "run", server.url, *load, "--threshold", "lost==0")
            done = cluster.run(*words)
            print(done.stdout, done.stderr, sep="")
            want(done.returncode in (0, 97), f"{mode} exited {done.returncode}: {done.stderr}")
            want("merged       4 of 4 segments" in done.stdout and "PASS lost==0" in done.stdout, done.stdout)
            want(all(f"node=n{node}" in done.stdout for node in range(1, 5)), "not a segment on each node")
            want(counts(done.stdout) == counts(alone), f"{counts(done.stdout)}, and {counts(alone)} alone")
        # A task that ends without a result is a missing segment, by its name.
        broken = cluster.folder / "broken"
        broken.write_text(f'#!/bin/sh\ncase "$*" in *--segment\\ 3/4*) exit 9;; esac\nexec {LOADGEN} "$@"\n')
        broken.chmod(0o755)
        words = ("-n", 4, "-s", 6, "-m", "srun", "-o", "broken-results", "--", "run", server.url, *load)
        done = cluster.run(*words, LOADGEN=str(broken))
        want("merged       3 of 4 segments" in done.stdout, done.stdout + done.stderr)
        want("segment 3/4 has no result" in done.stderr and done.returncode in (1, 97), done.stderr)
        note(f"4 nodes, array and srun: {counts(alone)[1]}, as one process; a lost segment is named")
