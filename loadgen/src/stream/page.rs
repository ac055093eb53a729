//! The metrics of a run as the text that Prometheus reads.

use std::fmt::Write;

use super::totals::{BOUNDS_NS, Kind, LATENCY, Totals, Unit, seconds};
use crate::metrics::timeline::Row;

/// The page, at the end of the last row.
#[derive(Debug, Default)]
pub(super) struct Page {
    command: &'static str,
    totals: Totals,
}

impl Page {
    pub(super) fn new(command: &'static str) -> Self {
        Self { command, ..Self::default() }
    }

    /// Adds what happened in an interval.
    pub(super) fn add(&mut self, row: &Row) {
        self.totals.add(row);
    }

    /// Returns the text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut put = |name: &str, kind: &str, help: &str, value: &str| {
            // Writing to a string doesn't fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{value}");
        };
        let version = env!("CARGO_PKG_VERSION");
        let info = format!("{{command=\"{}\",version=\"{version}\"}} 1", self.command);
        put("loadgen_run_info", "gauge", "The run.", &info);
        for metric in self.totals.metrics() {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let value = match metric.unit {
                Unit::Time => seconds(metric.value),
                Unit::Things | Unit::Bytes => metric.value.to_string(),
            };
            put(&metric.prometheus(), kind, metric.help, &format!(" {value}"));
        }
        self.histogram(&mut out);
        out
    }

    fn histogram(&self, out: &mut String) {
        let (name, help) = LATENCY;
        let name = format!("loadgen_{name}_seconds");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut sum = 0;
        for (count, bound) in self.totals.buckets.iter().zip(BOUNDS_NS) {
            sum += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {sum}", seconds(bound));
        }
        sum += self.totals.buckets[BOUNDS_NS.len()];
        let total = u64::try_from(self.totals.sum_ns).unwrap_or(u64::MAX);
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {sum}");
        let _ = writeln!(out, "{name}_sum {}", seconds(total));
        let _ = writeln!(out, "{name}_count {sum}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::{Live, Snapshot};
    use crate::metrics::timeline::Timeline;
    use crate::process::ProcessUsage;

    #[test]
    fn counters_and_buckets_add_up_over_rows() {
        let (live, mut page) = (Live::new(), Page::new("run"));
        let mut timeline = Timeline::new(1);
        let used = |cpu_ns| {
            let rss = 4_096;
            Some(ProcessUsage { cpu_ns, rss, descriptors: None, threads: 3, processes: 1 })
        };
        for second in 1..=2 {
            live.sent.add(3);
            live.received.add(2);
            live.latency(90_000);
            live.latency(4_000_000);
            let now = Snapshot::of([&live]);
            page.add(timeline.push(second * 1_000_000_000, now, used(250_000_000)).unwrap());
        }
        live.latency(120_000_000_000);
        page.add(timeline.push(3_000_000_000, Snapshot::of([&live]), used(1)).unwrap());
        let text = page.text();
        for line in [
            "loadgen_run_info{command=\"run\",version=\"0.1.0\"} 1",
            "loadgen_messages_sent_total 6",
            "loadgen_messages_received_total 4",
            "loadgen_watched_cpu_seconds_total 0.500000001",
            "loadgen_watched_resident_bytes 4096",
            "loadgen_watched_threads 3",
            "loadgen_latency_seconds_bucket{le=\"0.00005\"} 0",
            "loadgen_latency_seconds_bucket{le=\"0.0001\"} 2",
            "loadgen_latency_seconds_bucket{le=\"0.005\"} 4",
            "loadgen_latency_seconds_bucket{le=\"60\"} 4",
            "loadgen_latency_seconds_bucket{le=\"+Inf\"} 5",
            "loadgen_latency_seconds_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        assert!(!text.contains("watched_descriptors"), "nobody knows them: {text}");
        // A line of help and one of type before each metric, and nothing else.
        let names = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(names, text.lines().filter(|line| line.starts_with("# HELP ")).count());
        assert!(names >= 15, "{text}");
    }
}
