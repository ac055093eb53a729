//! What a thread and the process use of the machine, as the kernel counts it.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// What a thread has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThreadUsage {
    /// Time on a processor, in nanoseconds.
    cpu_ns: u64,
    /// Time that the thread was ready to run and waited for a processor, in nanoseconds; `None` if
    /// the kernel doesn't say.
    wait_ns: Option<u64>,
}

impl ThreadUsage {
    pub(crate) fn now() -> Self {
        let said = fs::read_to_string("/proc/thread-self/schedstat").ok();
        Self {
            cpu_ns: clock_ns(ClockId::ThreadCPUTime),
            wait_ns: said.and_then(|said| said.split_whitespace().nth(1)?.parse().ok()),
        }
    }

    /// Returns the processor time and the waiting time since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> (u64, Option<u64>) {
        let wait = self.wait_ns.zip(earlier.wait_ns);
        (
            self.cpu_ns.saturating_sub(earlier.cpu_ns),
            wait.map(|(now, earlier)| now.saturating_sub(earlier)),
        )
    }
}

/// Returns the processor time of the whole process, in nanoseconds.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    clock_ns(ClockId::ProcessCPUTime)
}

/// Returns the resident memory of the process and its peak, in bytes; `None` if the kernel doesn't
/// say.
#[must_use]
pub fn memory() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    Some((kib("VmRSS:")? * 1024, kib("VmHWM:")? * 1024))
}

fn clock_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|n| u64::try_from(n).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
