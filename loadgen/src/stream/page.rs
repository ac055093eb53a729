//! The metrics of a run as the text that Prometheus reads.

use std::fmt::Write;

use crate::metrics::IntervalCounts;
use crate::metrics::timeline::Row;
use crate::worker::usage::{memory, process_cpu_ns};

/// The upper bounds of the histogram's buckets, in nanoseconds: 1, 2 and 5 of each decade.
const BOUNDS_NS: [u64; 19] = [
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

/// What has been counted since the run began.
#[derive(Debug, Default)]
pub(super) struct Page {
    command: &'static str,
    open: u64,
    counts: IntervalCounts,
    /// Latencies up to each bound and above the one before, and those above all.
    buckets: [u64; BOUNDS_NS.len() + 1],
    /// The sum of all latencies, in nanoseconds.
    sum_ns: u128,
}

impl Page {
    pub(super) fn new(command: &'static str) -> Self {
        Self { command, ..Self::default() }
    }

    /// Adds what happened in an interval.
    pub(super) fn add(&mut self, row: &Row) {
        self.open = row.open;
        self.counts.add(&row.counts);
        for (ns, count) in row.latencies.iter() {
            self.buckets[BOUNDS_NS.partition_point(|bound| *bound < ns)] += count;
            self.sum_ns += u128::from(ns) * u128::from(count);
        }
    }

    /// Returns the text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut put = |name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display| {
            // Writing to a string doesn't fail.
            let _ = write!(
                out,
                "# HELP loadgen_{name} {help}\n# TYPE loadgen_{name} {kind}\nloadgen_{name}"
            );
            let _ = writeln!(out, "{value}");
        };
        let version = env!("CARGO_PKG_VERSION");
        let info = format!("{{command=\"{}\",version=\"{version}\"}} 1", self.command);
        put("run_info", "gauge", "The run.", &info);
        put("connections_open", "gauge", "Connections open.", &plain(self.open));
        let counts = &self.counts;
        for (name, help, value) in [
            ("connections_established_total", "Connections established.", counts.established),
            ("connections_failed_total", "Connections that failed.", counts.failed),
            ("connections_lost_total", "Connections lost, to be reopened.", counts.lost),
            ("reconnect_attempts_total", "Attempts to reopen them.", counts.reconnect_attempts),
            ("messages_sent_total", "Messages sent.", counts.sent),
            ("messages_received_total", "Echoes received unchanged.", counts.received),
            ("messages_wrong_total", "Other messages received.", counts.wrong),
        ] {
            put(name, "counter", help, &plain(value));
        }
        put("client_cpu_seconds_total", "counter", "Processor time.", &seconds(process_cpu_ns()));
        if let Some((resident, _)) = memory() {
            put("client_resident_bytes", "gauge", "Resident memory.", &plain(resident));
        }
        self.histogram(&mut out);
        out
    }

    fn histogram(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "# HELP loadgen_latency_seconds Latency, to 3 %: from when a message was due in an open \
             loop, otherwise from its write.\n# TYPE loadgen_latency_seconds histogram"
        );
        let mut sum = 0;
        for (count, bound) in self.buckets.iter().zip(BOUNDS_NS) {
            sum += count;
            let bound = number(bound);
            let _ = writeln!(out, "loadgen_latency_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        sum += self.buckets[BOUNDS_NS.len()];
        let total = u64::try_from(self.sum_ns).unwrap_or(u64::MAX);
        let _ = writeln!(out, "loadgen_latency_seconds_bucket{{le=\"+Inf\"}} {sum}");
        let _ = writeln!(out, "loadgen_latency_seconds_sum{}", seconds(total));
        let _ = writeln!(out, "loadgen_latency_seconds_count {sum}");
    }
}

fn plain(value: u64) -> String {
    format!(" {value}")
}

fn seconds(ns: u64) -> String {
    format!(" {}", number(ns))
}

/// Returns nanoseconds in seconds, exactly, without zeros at the end.
fn number(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::{Live, Snapshot};
    use crate::metrics::timeline::Timeline;

    #[test]
    fn counters_and_buckets_add_up_over_rows() {
        let (live, mut page) = (Live::new(), Page::new("run"));
        let mut timeline = Timeline::new(1);
        for second in 1..=2 {
            live.sent.add(3);
            live.received.add(2);
            live.latency(90_000);
            live.latency(4_000_000);
            let row = timeline.push(second * 1_000_000_000, Snapshot::of([&live])).unwrap();
            page.add(row);
        }
        live.latency(120_000_000_000);
        page.add(timeline.push(3_000_000_000, Snapshot::of([&live])).unwrap());
        let text = page.text();
        for line in [
            "loadgen_run_info{command=\"run\",version=\"0.1.0\"} 1",
            "loadgen_messages_sent_total 6",
            "loadgen_messages_received_total 4",
            "loadgen_latency_seconds_bucket{le=\"0.00005\"} 0",
            "loadgen_latency_seconds_bucket{le=\"0.0001\"} 2",
            "loadgen_latency_seconds_bucket{le=\"0.005\"} 4",
            "loadgen_latency_seconds_bucket{le=\"60\"} 4",
            "loadgen_latency_seconds_bucket{le=\"+Inf\"} 5",
            "loadgen_latency_seconds_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        // A line of help and one of type before each metric, and nothing else.
        let names = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(names, text.lines().filter(|line| line.starts_with("# HELP ")).count());
        assert!(names >= 11, "{text}");
    }

    #[test]
    fn nanoseconds_in_seconds() {
        for (ns, text) in [(50_000, "0.00005"), (30_000_000_000, "30"), (1_500_000_000, "1.5")] {
            assert_eq!(number(ns), text);
        }
    }
}
