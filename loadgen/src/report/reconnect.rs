//! What became of lost connections: how many and why, how many attempts to reopen them, and how
//! many came back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ends::errors;
use super::hold::{DropReport, drops};
use super::line::line;
use super::{ErrorReport, Report, RowReport};
use crate::clock::nanos;
use crate::config::{Jitter, Reconnect};
use crate::metrics::Metrics;
use crate::units;

/// Pauses before a lost connection is reopened: drawn uniformly from zero to a bound that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausesReport {
    /// The first bound.
    pub first_ns: u64,
    /// The highest bound.
    pub max_ns: u64,
    /// How a pause is drawn within its bound.
    #[serde(default)]
    pub jitter: Jitter,
}

impl PausesReport {
    pub(super) fn new(pauses: Reconnect) -> Self {
        Self { first_ns: nanos(pauses.first), max_ns: nanos(pauses.most), jitter: pauses.jitter }
    }
}

/// What became of lost connections. `lost` is reestablished plus away, `attempts` is reestablished
/// plus failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconnectReport {
    /// Established connections that ended although they were to stay open; a connection lost twice
    /// counts twice.
    pub lost: u64,
    /// Losses by reason.
    pub losses: Vec<DropReport>,
    /// Attempts to reopen a connection.
    pub attempts: u64,
    /// Attempts that were established by a valid handshake.
    pub reestablished: u64,
    /// Attempts that were not.
    pub failed: u64,
    /// Failed attempts by reason; `run.ended` counts those without an outcome when load ended.
    pub failures: Vec<ErrorReport>,
    /// Lost, and not open again when load ended; included in the failed connections.
    pub away: u64,
}

impl ReconnectReport {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let counts = &metrics.reconnect;
        Self {
            lost: counts.losses.total(),
            losses: drops(&counts.losses),
            attempts: counts.attempted,
            reestablished: counts.established,
            failed: counts.failures.total(),
            failures: errors(&counts.failures).collect(),
            away: counts.away,
        }
    }
}

/// Writes the rows of lost connections, if they were to be reopened.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(reconnect) = &report.reconnect else { return Ok(()) };
    let mut parts = vec![format!("lost {}", units::count(reconnect.lost))];
    parts.extend(reconnect.losses.iter().map(DropReport::shown));
    if reconnect.lost > 0 {
        parts.push(format!("open again {}", units::count(reconnect.reestablished)));
        parts.push(format!("away at the end {}", units::count(reconnect.away)));
    }
    line(f, "reconnect", &parts.join("   "))?;
    if reconnect.attempts == 0 {
        return Ok(());
    }
    let mut parts = vec![
        format!("attempts {}", units::count(reconnect.attempts)),
        format!("failed {}", units::count(reconnect.failed)),
    ];
    parts.extend(reconnect.failures.iter().map(|failure| {
        format!("{}.{} {}", failure.phase, failure.code, units::count(failure.count))
    }));
    if let Some(row) = lowest(report) {
        let end = units::seconds(row.begin_ns.saturating_add(row.length_ns));
        parts.push(format!("fewest open {}, at {end} s", units::count(row.open)));
    }
    line(f, "", &parts.join("   "))
}

/// Returns the interval of the measured time at whose end the fewest connections were open.
fn lowest(report: &Report) -> Option<&RowReport> {
    let measured = report.phases.measured?;
    let rows = report.time_series.rows.iter().filter(|row| {
        let end_ns = row.begin_ns.saturating_add(row.length_ns);
        measured.begin_ns <= end_ns && end_ns <= measured.end_ns
    });
    rows.min_by_key(|row| row.open)
}
