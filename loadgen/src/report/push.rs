//! What became of messages that a server pushed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Report;
use super::text::line;
use crate::metrics::Metrics;
use crate::units;

/// What became of pushed messages. Each is in order, reordered, duplicated, stale or foreign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushReport {
    /// Received in the measured time.
    pub received: u64,
    /// Those a second.
    pub received_per_s: f64,
    /// Received before or after it; what follows counts them too.
    pub outside: u64,
    /// With a stamp, and no later one had come.
    pub in_order: u64,
    /// For the first time, but after a later one.
    pub reordered: u64,
    /// Again.
    pub duplicated: u64,
    /// More than 64 behind, so that nobody knows any more whether they came before.
    pub stale: u64,
    /// Without a stamp.
    pub foreign: u64,
    /// Gaps in the sequences of connections. What came before a connection's first message or after
    /// its last isn't known.
    pub lost: u64,
    /// Received before they were sent, by the clocks of the two machines: in no latency.
    pub early: u64,
    /// What latencies are differences of.
    pub clock: String,
}

/// What latencies are differences of.
const CLOCK: &str =
    "wall clocks (CLOCK_REALTIME) of server and client; those of two machines differ";

impl PushReport {
    pub(super) fn new(metrics: &Metrics, received_per_s: f64) -> Self {
        let push = &metrics.push;
        Self {
            received: push.inside,
            received_per_s,
            outside: push.outside,
            in_order: push.in_order,
            reordered: push.reordered,
            duplicated: push.duplicated,
            stale: push.stale,
            foreign: push.foreign,
            lost: push.lost,
            early: push.early,
            clock: CLOCK.into(),
        }
    }
}

/// The rows of pushed messages, if there were to be any.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(push) = &report.push else { return Ok(()) };
    let mut parts = vec![
        format!("received {}", units::count(push.received)),
        format!("lost {}", units::count(push.lost)),
    ];
    for (count, what) in [
        (push.reordered, "reordered"),
        (push.duplicated, "duplicated"),
        (push.stale, "stale"),
        (push.foreign, "foreign (without a stamp)"),
        (push.outside, "outside of the measured time"),
    ] {
        if count > 0 {
            parts.push(format!("{what} {}", units::count(count)));
        }
    }
    parts.push(format!("{}/s", units::per_s(push.received_per_s)));
    parts.push(format!("on the wire {} in", units::bytes(report.bytes.received)));
    line(f, "messages", &parts.join("   "))?;
    if push.in_order > 0 {
        line(f, "clock", &push.clock)?;
    }
    if push.early > 0 {
        let early = units::count(push.early);
        let said = format!("{early} messages came before they were sent: the clocks differ");
        line(f, "clock", &said)?;
    }
    Ok(())
}
