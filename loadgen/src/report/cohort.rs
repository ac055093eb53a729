//! Turns the counts of a cohort into its part of a report.

use serde::{Deserialize, Serialize};

use super::ends::{closings, errors};
use super::{Bytes, ClosingReport, ErrorReport, HistogramReport, MessageCounts};
use crate::config::{Cohort, Config, Misbehaviour};
use crate::metrics::{Metric, Metrics};
use crate::units;

/// Clients that misbehaved in one way, separate from the healthy ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CohortReport {
    /// The way: `slow`, `half-open`, `slow-head`, `never-pong`, `fragments` or `never-close`.
    pub conduct: String,
    /// Most bytes a second that each client reads (`slow`).
    pub read_bytes_per_s: Option<u64>,
    /// Connections planned.
    pub planned: u64,
    /// Started: completed plus failed.
    pub attempted: u64,
    /// Opened by a valid handshake.
    pub established: u64,
    /// Stayed open until this side ended them.
    pub completed: u64,
    /// Did not; see `errors`.
    pub failed: u64,
    /// Messages of the measured time; `null` if none are sent. Messages that a slow reader hasn't
    /// read in time are lost.
    pub messages: Option<MessageCounts>,
    /// Pings received.
    pub pings: u64,
    /// Bytes on sockets.
    pub bytes: Bytes,
    /// What failed.
    pub errors: Vec<ErrorReport>,
    /// How established connections were closed.
    pub closings: Vec<ClosingReport>,
    /// Durations.
    pub histograms: Vec<HistogramReport>,
}

impl CohortReport {
    pub(super) fn new(config: &Config, cohort: Cohort, metrics: &Metrics) -> Self {
        let has_messages =
            matches!(cohort.misbehaviour, Misbehaviour::Slow { .. } | Misbehaviour::Fragments);
        let histograms = Metric::ALL.into_iter().filter_map(|metric| {
            Some(HistogramReport::new(metric, metrics.distributions.of(metric)?))
        });
        Self {
            conduct: cohort.misbehaviour.name().into(),
            read_bytes_per_s: match cohort.misbehaviour {
                Misbehaviour::Slow { bytes_per_s } => Some(bytes_per_s),
                _ => None,
            },
            planned: config.part().connections(cohort.connections),
            attempted: metrics.attempted,
            established: metrics.established,
            completed: metrics.completed,
            failed: metrics.failures.total(),
            messages: has_messages.then_some(metrics.measured),
            pings: metrics.arrivals.pings,
            bytes: Bytes { sent: metrics.bytes_sent, received: metrics.bytes_received },
            errors: errors(&metrics.failures).chain(errors(&metrics.wrong)).collect(),
            closings: closings(metrics),
            histograms: histograms.collect(),
        }
    }

    /// Describes the cohort's outcome, in words.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let mut name = self.conduct.clone();
        if let Some(bytes_per_s) = self.read_bytes_per_s {
            name = format!("{name} ({}/s each)", units::bytes(bytes_per_s));
        }
        let is_headless = self.conduct.contains("half-open") || self.conduct.contains("head");
        let open = if is_headless { self.attempted } else { self.established };
        let mut first = format!(
            "{name}   {} / {} {}   kept {}",
            units::count(open),
            units::count(self.planned),
            if is_headless { "begun" } else { "open" },
            units::count(self.completed)
        );
        for error in &self.errors {
            let count = units::count(error.count);
            first = format!("{first}   {}.{} {count}", error.phase, error.code);
        }
        let mut lines = vec![first];
        let mut second = Vec::new();
        if let Some(messages) = &self.messages {
            second.push(format!(
                "sent {}   received {}   lost {}",
                units::count(messages.sent),
                units::count(messages.received),
                units::count(messages.lost)
            ));
        }
        let rtt = |name: &str| self.histograms.iter().find(|found| found.metric == name);
        if let Some(rtt) = rtt(Metric::RttResponse.name()).or(rtt(Metric::RttService.name()))
            && let (Some(p50), Some(p99)) = (rtt.percentile(50.0), rtt.percentile(99.0))
        {
            let [p50, p99] = [p50, p99].map(units::duration);
            second.push(format!("{} p50 {p50}, p99 {p99}", rtt.metric));
        }
        second.push(format!(
            "{} out, {} in",
            units::bytes(self.bytes.sent),
            units::bytes(self.bytes.received)
        ));
        lines.push(second.join("   "));
        lines
    }
}
