//! `loadgen serve` as a process of its own, and what the kernel says of it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than a server takes to end; where it is reached, a test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with the test.
pub(crate) struct Served {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts the program on a free port of the loopback; `args` follow `serve`.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("serve").args(args);
        Self::start_command(command)
    }

    /// Starts `command`, to which `--listen` is added.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            let len = stderr.read_line(&mut line).unwrap();
            assert!(len > 0, "the server doesn't listen: {said}");
            let found = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next());
            if let Some(address) = found {
                break address.parse().unwrap();
            }
            said.push_str(&line);
        };
        Self { child, stderr, address }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Forgets the highest memory so far.
    pub(crate) fn reset_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.id()), "5").unwrap();
    }

    /// The most memory that was resident since the last reset, in bytes: all of the process, pages
    /// of its program file among it.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib << 10
    }

    /// Processor time of all its threads, in clock ticks.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name of the program stands in parentheses and may have spaces.
        let rest = stat.rsplit_once(") ").unwrap().1;
        rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// Descriptors that are open once none has been closed for a while: connections whose other end
    /// is gone may take a moment to end.
    pub(crate) fn settled_descriptors(&self) -> usize {
        let mut least = (self.descriptors(), Instant::now());
        while least.1.elapsed() < Duration::from_millis(500) {
            let open = self.descriptors();
            if open < least.0 {
                least = (open, Instant::now());
            }
            sleep(Duration::from_millis(10));
        }
        least.0
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Asks it to end; its exit status, and what it printed on stdout and on stderr.
    pub(crate) fn stop(mut self) -> (ExitStatus, String, String) {
        self.signal("-TERM");
        let begin = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < PATIENCE, "the server doesn't end on SIGTERM");
            sleep(Duration::from_millis(5));
        }
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.stderr.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap(), out, err)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
