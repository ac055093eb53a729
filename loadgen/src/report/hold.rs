//! What became of held connections: how many were open at the end, which were dropped, when and
//! why, and what became of their Pings.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Report;
use super::line::{Row, line};
use crate::clock::nanos;
use crate::config::Hold;
use crate::metrics::{DropTimes, Drops, Failure, Metrics, ProbeCounts};
use crate::units;

/// What became of held connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReport {
    /// Open when this side began to close them.
    pub held: u64,
    /// Established, but ended before that.
    pub dropped: u64,
    /// Dropped connections by reason.
    pub drops: Vec<DropReport>,
    /// Pings; `null` if none were asked for.
    pub pings: Option<PingReport>,
}

/// Connections that were dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropReport {
    /// As in `errors`.
    pub phase: String,
    /// As in `errors`.
    pub code: String,
    /// How many, and when.
    #[serde(flatten)]
    pub times: DropTimes,
}

/// What became of Pings: `ping.rtt` has the times of those answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingReport {
    /// Time from one Ping on a connection to the next.
    pub interval_ns: u64,
    /// The counts.
    #[serde(flatten)]
    pub counts: ProbeCounts,
}

impl PingReport {
    /// Returns the report of Pings beside messages.
    pub(super) fn beside(interval: Duration, counts: &ProbeCounts) -> Self {
        Self { interval_ns: nanos(interval), counts: *counts }
    }

    /// Describes what is wrong.
    pub(super) fn faults(&self) -> Option<String> {
        let missing = self.counts.missing;
        (missing > 0).then(|| format!("{} had no Pong", units::counted(missing, "Ping")))
    }
}

impl HoldReport {
    pub(super) fn new(hold: &Hold, metrics: &Metrics) -> Self {
        let counts = &metrics.measured;
        Self {
            held: metrics.held,
            dropped: metrics.drops.total(),
            drops: drops(&metrics.drops),
            pings: hold.ping_interval.map(|interval| {
                let counts = ProbeCounts {
                    sent: counts.sent,
                    answered: counts.received,
                    superseded: metrics.pings.superseded,
                    missing: counts.lost,
                    unsolicited: metrics.pings.unsolicited,
                    unsent_closed: counts.unsent_closed,
                    unsent_backlog: counts.unsent_backlog,
                    unsent_late: counts.unsent_late,
                };
                PingReport::beside(interval, &counts)
            }),
        }
    }

    /// Describes what is wrong.
    pub(super) fn faults(&self) -> Option<String> {
        self.pings.as_ref().and_then(PingReport::faults)
    }
}

/// Returns dropped connections by reason.
pub(super) fn drops(drops: &Drops) -> Vec<DropReport> {
    let one = |(why, times): (&Failure, &DropTimes)| DropReport {
        phase: why.phase.name().into(),
        code: why.code.clone().into_owned(),
        times: *times,
    };
    drops.iter().map(one).collect()
}

impl DropReport {
    /// Describes why, how many and when.
    pub(super) fn shown(&self) -> String {
        let [first, last] = [self.times.first_ns, self.times.last_ns].map(units::seconds);
        let times =
            if first == last { format!("at {first} s") } else { format!("{first}-{last} s") };
        format!("{}.{} {}, {times}", self.phase, self.code, units::count(self.times.count))
    }
}

/// Writes the rows of held connections, if any were held.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(hold) = &report.hold else { return Ok(()) };
    let mut parts = vec![
        format!("to the end {}", units::count(hold.held)),
        format!("dropped {}", units::count(hold.dropped)),
    ];
    parts.extend(hold.drops.iter().map(DropReport::shown));
    line(f, "held", &parts.join("   "))?;
    hold.pings.as_ref().map_or(Ok(()), |pings| ping_row(pings, f))
}

/// Writes the row of Pings.
pub(super) fn ping_row(pings: &PingReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let counts = &pings.counts;
    let mut parts =
        Row::of(&[(counts.sent, "sent"), (counts.answered, "pongs"), (counts.missing, "missing")]);
    parts.nonzero(&[
        (counts.superseded, "answered by a later Pong"),
        (counts.unsolicited, "unsolicited Pongs"),
        (counts.unsent_closed, "unsent (closed)"),
        (counts.unsent_backlog, "unsent (backlog)"),
        (counts.unsent_late, "unsent (late)"),
    ]);
    parts.push(format!("every {} on each connection", units::duration(pings.interval_ns)));
    parts.write(f, "pings")
}
