//! What has been counted since a run began, as metrics with names, units and help.
//!
//! Names have dots, as those of OpenTelemetry; [`Metric::prometheus`] is the same name for Prometheus.

use crate::metrics::IntervalCounts;
use crate::metrics::timeline::Row;
use crate::process::ProcessUsage;
use crate::worker::usage::{memory, process_cpu_ns};

/// The upper bounds of the histogram's buckets, in nanoseconds: 1, 2 and 5 of each decade.
pub(super) const BOUNDS_NS: [u64; 19] = [
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// The name of the histogram, and what it is.
pub(super) const LATENCY: (&str, &str) = (
    "latency",
    "Latency, to 3 %: from when a message was due in an open loop, otherwise from its write.",
);

/// What has been counted since the run began.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    open: u64,
    counts: IntervalCounts,
    /// Latencies up to each bound and above the one before, and those above all.
    pub(super) buckets: [u64; BOUNDS_NS.len() + 1],
    /// The sum of all latencies, in nanoseconds.
    pub(super) sum_ns: u128,
    /// Processor time of the watched process, in nanoseconds.
    watched_cpu_ns: u64,
    /// What it had at the end of the last row; `None` if none is watched, or it has ended.
    watched: Option<ProcessUsage>,
}

/// A number that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    /// Without `loadgen.` before it.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    /// In bytes, in nanoseconds, or a count.
    pub(super) value: u64,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never falls.
    Counter,
    /// Is as it is at a moment.
    Gauge,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Things,
    Bytes,
    /// Nanoseconds, which are written as seconds.
    Time,
}

impl Metric {
    /// Returns the name for Prometheus, with the unit and, of a counter, `_total` at its end.
    pub(super) fn prometheus(&self) -> String {
        let unit = match self.unit {
            Unit::Things => "",
            Unit::Bytes => "_bytes",
            Unit::Time => "_seconds",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("loadgen_{}{unit}{total}", self.name.replace('.', "_"))
    }
}

impl Totals {
    /// Adds what happened in an interval.
    pub(super) fn add(&mut self, row: &Row) {
        self.open = row.open;
        self.counts.add(&row.counts);
        for (ns, count) in row.latencies.iter() {
            self.buckets[BOUNDS_NS.partition_point(|bound| *bound < ns)] += count;
            self.sum_ns += u128::from(ns) * u128::from(count);
        }
        self.watched = row.watched;
        self.watched_cpu_ns += row.watched.map_or(0, |watched| watched.cpu_ns);
    }

    /// Returns all metrics but the histogram.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let gauge = |name, help, unit, value| Metric { name, help, kind: Kind::Gauge, unit, value };
        let counter =
            |name, help, unit, value| Metric { name, help, kind: Kind::Counter, unit, value };
        let mut found =
            vec![gauge("connections.open", "Connections open.", Unit::Things, self.open)];
        let counts = &self.counts;
        found.extend(
            [
                ("connections.established", "Connections established.", counts.established),
                ("connections.failed", "Connections that failed.", counts.failed),
                ("connections.lost", "Connections lost, to be reopened.", counts.lost),
                ("reconnect.attempts", "Attempts to reopen them.", counts.reconnect_attempts),
                ("messages.sent", "Messages sent.", counts.sent),
                ("messages.received", "Echoes received unchanged.", counts.received),
                ("messages.wrong", "Other messages received.", counts.wrong),
            ]
            .map(|(name, help, value)| counter(name, help, Unit::Things, value)),
        );
        found.push(counter("client.cpu", "Processor time.", Unit::Time, process_cpu_ns()));
        if let Some((resident, _)) = memory() {
            found.push(gauge("client.resident", "Resident memory.", Unit::Bytes, resident));
        }
        if let Some(ProcessUsage { cpu_ns: _, rss, descriptors, threads, processes }) = self.watched
        {
            let cpu = "Processor time of the watched process and its children.";
            found.push(counter("watched.cpu", cpu, Unit::Time, self.watched_cpu_ns));
            found.push(gauge("watched.resident", "Their resident memory.", Unit::Bytes, rss));
            let descriptors = descriptors
                .map(|open| gauge("watched.descriptors", "Their descriptors.", Unit::Things, open));
            found.extend(descriptors);
            found.push(gauge("watched.threads", "Their threads.", Unit::Things, threads));
            found.push(gauge("watched.processes", "Their number.", Unit::Things, processes));
        }
        found
    }
}

/// Returns nanoseconds in seconds, exactly, without zeros at the end.
pub(super) fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_in_seconds() {
        for (ns, text) in [(50_000, "0.00005"), (30_000_000_000, "30"), (1_500_000_000, "1.5")] {
            assert_eq!(seconds(ns), text);
        }
    }
}
