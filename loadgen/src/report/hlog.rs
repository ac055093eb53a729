//! Writes the histograms of a [`Report`] as an `HdrHistogram` interval log, version 1.3.
//!
//! Every metric is a tag. A metric has one interval, the phase in which it was measured, with its
//! whole histogram; besides, `interval.rtt` has one interval for each of the time series, to 3 %.

use std::io::{self, Write};

use super::scenario::ScenarioReport;
use super::{Interval, Report};

const NANOS_PER_S: u64 = 1_000_000_000;
/// The tag of the latencies over time.
pub const TIME_SERIES_TAG: &str = "interval.rtt";

/// A line of the log.
struct Line<'r> {
    tag: &'r str,
    interval: Interval,
    max_ns: u64,
    data: &'r str,
}

/// Writes the histograms.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let started_ms = report.started_at_unix_ms;
    let started = format!("{}.{:03}", started_ms / 1_000, started_ms % 1_000);
    let generator = &report.generator;
    writeln!(out, "#[Logged with {} {}]", generator.name, generator.version)?;
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[StartTime: {started} (seconds since epoch)]")?;
    writeln!(out, "#[BaseTime: {started} (seconds since epoch)]")?;
    writeln!(out, "#[Values are nanoseconds; Interval_Max is in milliseconds]")?;
    writeln!(
        out,
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
    )?;
    let mut lines = lines(report);
    lines.sort_by_key(|line| line.interval.begin_ns);
    for Line { tag, interval, max_ns, data } in lines {
        let (begin, length) = (seconds(interval.begin_ns), seconds(interval.length_ns()));
        let (ms, ns) = (max_ns / 1_000_000, max_ns % 1_000_000);
        writeln!(out, "Tag={tag},{begin},{length},{ms}.{ns:06},{data}")?;
    }
    Ok(())
}

fn lines(report: &Report) -> Vec<Line<'_>> {
    let mut lines: Vec<_> = report
        .histograms
        .iter()
        .chain(report.scenario.iter().flat_map(ScenarioReport::histograms))
        .map(|found| Line {
            tag: &found.metric,
            interval: interval(report, &found.metric),
            max_ns: found.max_ns,
            data: &found.data,
        })
        .collect();
    lines.extend(report.time_series.rows.iter().filter_map(|row| {
        let end_ns = row.begin_ns + row.length_ns;
        Some(Line {
            tag: TIME_SERIES_TAG,
            interval: Interval { begin_ns: row.begin_ns, end_ns },
            max_ns: row.latency.as_ref()?.max_ns,
            data: &row.latency.as_ref()?.data,
        })
    }));
    lines
}

/// Returns the phase in which a metric is measured; the whole run if the phase never began.
fn interval(report: &Report, metric: &str) -> Interval {
    let phases = &report.phases;
    let phase = match metric.split('.').next() {
        Some("connect") => phases.ramp.or(phases.measured),
        Some("warmup") => phases.warmup,
        Some("drain") => phases.drain,
        Some("close") => phases.close,
        _ => phases.measured,
    };
    let end_ns = phases.close.map_or(0, |close| close.end_ns);
    phase.unwrap_or(Interval { begin_ns: 0, end_ns })
}

fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / NANOS_PER_S, ns % NANOS_PER_S)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::metrics::{Distribution, IntervalCounts};
    use crate::report::{LatencyReport, RowReport, sample};

    #[test]
    fn it_is_read_back_by_the_hdrhistogram_crate() {
        let mut report = sample();
        report.started_at_unix_ms = 1_795_269_600_250;
        let mut latency = Distribution::new();
        latency.record(1_055);
        let (begin_ns, length_ns) = (1_000_000_000, 500_000_000);
        report.time_series.rows = vec![RowReport {
            begin_ns,
            length_ns,
            open: 0,
            counts: IntervalCounts { sent: 1, received: 1, ..IntervalCounts::default() },
            by_address: Vec::new(),
            p50_ns: Some(1_055),
            p99_ns: Some(1_055),
            latency: LatencyReport::new(&latency),
            steps: Vec::new(),
            rules: Vec::new(),
            watched: None,
        }];
        let mut log = Vec::new();
        write(&report, &mut log).unwrap();
        let mut tags = Vec::new();
        let mut last = std::time::Duration::ZERO;
        for entry in IntervalLogIterator::new(&log) {
            match entry.unwrap() {
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => {
                    assert_eq!(at.as_millis(), 1_795_269_600_250);
                }
                LogEntry::Interval(interval) => {
                    assert!(interval.start_timestamp() >= last);
                    last = interval.start_timestamp();
                    let tag = interval.tag().unwrap().as_str();
                    let data = STANDARD.decode(interval.encoded_histogram()).unwrap();
                    let histogram: Histogram<u64> =
                        Deserializer::new().deserialize(&mut &data[..]).unwrap();
                    if tag == TIME_SERIES_TAG {
                        assert_eq!(histogram.len(), 1);
                        assert_eq!(interval.duration().as_nanos(), u128::from(length_ns));
                    } else {
                        let found =
                            report.histograms.iter().find(|found| found.metric == tag).unwrap();
                        assert_eq!(histogram.len(), found.count, "{tag}");
                    }
                    tags.push(tag.to_owned());
                }
            }
        }
        tags.sort();
        assert_eq!(tags, ["connect.upgrade", TIME_SERIES_TAG, "rtt.service"]);
    }
}
