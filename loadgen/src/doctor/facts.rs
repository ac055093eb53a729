//! Reads facts about this machine from files of `/proc` and `/sys`, once. What can't be read is
//! `None`.

use std::fs;

use crate::host::Host;
use crate::quota::{self, Quota};

/// The facts to judge.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Descriptors and ports.
    pub(super) host: Host,
    /// Descriptors in use and allowed, in the whole system.
    pub(super) files: Option<(u64, u64)>,
    /// `net.ipv4.tcp_tw_reuse`.
    pub(super) tw_reuse: Option<u64>,
    /// `net.core.somaxconn`.
    pub(super) somaxconn: Option<u64>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub(super) syn_backlog: Option<u64>,
    /// Connections that the firewall tracks now, and its limit.
    pub(super) conntrack: Option<(u64, u64)>,
    /// Available memory, in bytes.
    pub(super) memory: Option<u64>,
    pub(super) processors: u64,
    /// Processor time that this process may use.
    pub(super) quota: Option<Quota>,
    /// The frequency governor of the first processor.
    pub(super) governor: Option<String>,
    /// The current clock source, and the others available.
    pub(super) clock: Option<(String, String)>,
}

impl Facts {
    pub(super) fn read() -> Self {
        const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0";
        let clock = text(&format!("{CLOCK}/current_clocksource"))
            .zip(text(&format!("{CLOCK}/available_clocksource")));
        Self {
            host: Host::read(),
            files: text("/proc/sys/fs/file-nr").and_then(|text| parse_files(&text)),
            tw_reuse: number("/proc/sys/net/ipv4/tcp_tw_reuse"),
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            syn_backlog: number("/proc/sys/net/ipv4/tcp_max_syn_backlog"),
            conntrack: number("/proc/sys/net/netfilter/nf_conntrack_count")
                .zip(number("/proc/sys/net/netfilter/nf_conntrack_max")),
            memory: text("/proc/meminfo").and_then(|text| parse_memory(&text)),
            processors: quota::processors().get() as u64,
            quota: Quota::read(),
            governor: text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock,
        }
    }
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &str) -> Option<u64> {
    text(path)?.parse().ok()
}

/// `in use`, `free`, `at most`, with white space between.
fn parse_files(text: &str) -> Option<(u64, u64)> {
    let numbers: Vec<u64> =
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers.as_slice() {
        &[used, free, most] => Some((used.saturating_sub(free), most)),
        _ => None,
    }
}

/// `MemAvailable:  21570924 kB`, among other lines.
fn parse_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_files("1797\t0\t2466170"), Some((1_797, 2_466_170)));
        assert_eq!(parse_files("1 2"), None);
        let memory = "MemTotal:  9 kB\nMemAvailable:   21570924 kB\n";
        assert_eq!(parse_memory(memory), Some(21_570_924 * 1024));
        assert_eq!(parse_memory("MemTotal: 9 kB"), None);
    }

    #[test]
    fn this_machine_says_something() {
        let facts = Facts::read();
        assert!(facts.processors > 0 && facts.memory.is_some() && facts.somaxconn.is_some());
    }
}
