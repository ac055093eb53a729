//! What is known about the client, from which the verdict is reached.

use super::{BUSY_LITTLE, Lag, THROTTLED, TIME_DEGRADED, missing, percent};
use crate::quota::Quota;
use crate::units;

/// What is known about the client.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a run")]
pub struct Evidence {
    /// Whether messages had a schedule.
    pub is_open_loop: bool,
    /// Whether the scheduled messages are Pings.
    pub is_pinging: bool,
    /// Whether connections are the load.
    pub is_connecting: bool,
    /// Whether nothing was sent, opened or received that could have been measured.
    pub is_empty: bool,
    /// Whether the command's own measurement was never taken.
    pub is_unmeasured: bool,
    /// How long load lasted, in nanoseconds.
    pub load_ns: u64,
    /// Whether the server decides when messages come, and latencies are of those.
    pub is_pushed: bool,
    /// Whether the server runs in the same process.
    pub is_embedded: bool,
    /// Whether latencies end when the kernel had the message, so that its wait for this program is
    /// in none of them.
    pub is_timed_by_kernel: bool,
    /// Whether a signal ended the load early.
    pub is_cut: bool,
    /// Whether a signal ended the run.
    pub is_interrupted: bool,
    /// How much later than `--ramp` says load started, in nanoseconds.
    pub ramp_late_ns: u64,
    /// How late messages were sent.
    pub send_lag: Option<Lag>,
    /// How late connections were started.
    pub connect_lag: Option<Lag>,
    /// Messages that were due in the measured time.
    pub due: u64,
    /// Messages that were due in the warm-up.
    pub due_warmup: u64,
    /// Messages due that were not handed to a socket in time, for reasons other than the server.
    pub overdue: u64,
    /// Messages skipped because the server didn't read, including those of the warm-up.
    pub unsent_backlog: u64,
    /// Messages skipped because their connection was closing or gone, including those of the
    /// warm-up.
    pub unsent_closed: u64,
    /// Share of the time that the busiest thread was on a processor.
    pub cpu_share: f64,
    /// Share of the time that the busiest thread was on a processor or waited for one.
    pub busy_share: f64,
    /// The longest time that the process stood still, in nanoseconds.
    pub pause_max_ns: u64,
    /// The quota of processor time, and its effect in the run.
    pub quota: Option<Quota>,
    /// Latencies that were recorded, including those beyond the histogram's range.
    pub latencies: u64,
    /// Latencies beyond the histogram's range.
    pub out_of_range: u64,
    /// Messages received by each worker, and the share of the time that its thread was busy.
    pub by_worker: Vec<(u64, f64)>,
}

impl Evidence {
    /// Returns how much of the time the busiest thread waited for a processor, in percent, if that
    /// is worth mentioning.
    pub(super) fn waiting(&self) -> Option<f64> {
        let share = self.busy_share - self.cpu_share;
        (share > 0.1).then_some(share * 100.0)
    }

    /// Names the option that lowers the client's load.
    pub(super) const fn lower(&self) -> &'static str {
        if self.is_pinging { "a longer --ping-interval" } else { "a lower -R" }
    }

    /// Names `count` scheduled messages or Pings.
    pub(super) fn scheduled(&self, count: u64) -> String {
        units::counted(count, if self.is_pinging { "Ping" } else { "message" })
    }

    /// Checks whether a thread that is late changes nothing that is measured: nothing is sent, the
    /// server decides when messages come, and the kernel says when they came.
    pub(super) const fn is_harmless_late(&self) -> bool {
        self.is_pushed && self.due == 0 && self.is_timed_by_kernel
    }

    /// Says what a thread that waits for a processor does to the measurement.
    pub(super) const fn waits(&self) -> &'static str {
        if self.is_timed_by_kernel {
            "sent its next messages later, so the rate may be too low"
        } else {
            "replies waited with it"
        }
    }

    /// Says how many scheduled messages or Pings were left out, if that changes the percentiles of
    /// those that were sent.
    pub(super) fn left_out(&self, count: u64, due: u64) -> Option<String> {
        let effect = missing(count, due)?;
        let (what, share) = (self.scheduled(count), percent(count, due));
        Some(format!("{what} ({share:.1} % of what was due) left out, {effect}"))
    }

    /// Returns which part of the load's time this was, in percent, if it changes what was measured.
    pub(super) fn share_of_load(&self, ns: u64) -> Option<f64> {
        let share = percent(ns, self.load_ns);
        (share > 100.0 * TIME_DEGRADED).then_some(share.min(100.0))
    }

    /// Says that a quota throttled the process, if it did so often enough to matter.
    pub(super) fn throttled(&self) -> Option<String> {
        let quota = self.quota.filter(|quota| quota.throttled_share() > THROTTLED)?;
        let is_scheduled = self.is_open_loop || self.is_pinging;
        let or = if is_scheduled { format!(", or use {}", self.lower()) } else { String::new() };
        Some(format!(
            "throttled by a CPU quota of {} in {} of {}: raise the quota{or}",
            units::processors(quota.processors),
            units::count(quota.throttled),
            units::counted(quota.periods, "period")
        ))
    }

    /// Says why messages were sent late, and what to do about it.
    pub(super) fn lateness(&self) -> String {
        if let Some(throttled) = self.throttled() {
            format!("it was {throttled}")
        } else if let Some(share) = self.waiting() {
            format!(
                "its busiest thread waited for a processor {share:.0} % of the time: something \
                else used it"
            )
        } else if self.busy_share < BUSY_LITTLE {
            format!(
                "its busiest thread was busy only {:.0} % of the time, so this machine wakes it \
                 late, or much was due at once",
                self.busy_share * 100.0
            )
        } else {
            format!("use {}, more threads or more machines", self.lower())
        }
    }
}
