//! What became of messages that a server pushed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Report;
use super::line::{Row, line};
use crate::metrics::{Metrics, PushCounts};
use crate::units;

/// What became of pushed messages: their counts and derived values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushReport {
    /// The counts.
    #[serde(flatten)]
    pub counts: PushCounts,
    /// Received in the measured time, a second.
    pub received_per_s: f64,
    /// The clocks that latencies are differences of.
    pub clock: String,
}

/// The clocks that latencies are differences of.
const CLOCK: &str =
    "wall clocks (CLOCK_REALTIME) of server and client; those of two machines differ";

impl PushReport {
    pub(super) fn new(metrics: &Metrics, received_per_s: f64) -> Self {
        Self { counts: metrics.push, received_per_s, clock: CLOCK.into() }
    }
}

/// Writes the rows of pushed messages, if there were to be any.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(push) = &report.push else { return Ok(()) };
    let counts = &push.counts;
    let mut parts = Row::of(&[(counts.inside, "received"), (counts.lost, "lost")]);
    parts.nonzero(&[
        (counts.reordered, "reordered"),
        (counts.duplicated, "duplicated"),
        (counts.stale, "stale"),
        (counts.foreign, "foreign (without a stamp)"),
        (counts.outside, "outside of the measured time"),
    ]);
    parts.push(format!("{}/s", units::per_s(push.received_per_s)));
    parts.push(format!("on the wire {} in", units::bytes(report.bytes.received)));
    parts.write(f, "messages")?;
    if counts.in_order > 0 {
        line(f, "clock", &push.clock)?;
    }
    if counts.early > 0 {
        let early = units::counted(counts.early, "message");
        let said = format!("{early} arrived before being sent: the clocks differ");
        line(f, "clock", &said)?;
    }
    Ok(())
}
