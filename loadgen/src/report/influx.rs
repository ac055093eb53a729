//! The time series in the line protocol of `InfluxDB`: a line an interval, at the time of its end.
//!
//! The tags are the command, the segment if there is one, and the labels, which tell runs apart: two
//! lines with the same tags and the same time are one to `InfluxDB`.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Report, RowReport, SegmentReport};
use crate::metrics::IntervalCounts;

/// The name of all lines.
const MEASUREMENT: &str = "loadgen";
/// Names of tags that labels can't have.
const TAKEN: [&str; 3] = ["command", "segment", "time"];

/// Writes lines of one run.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The measurement and the tags.
    head: String,
    /// When the run began, in nanoseconds since 1970.
    started_at_ns: u64,
}

impl Lines {
    /// Prepares the lines of a run that began then, in milliseconds since 1970.
    #[must_use]
    pub fn new<'l>(
        command: &str,
        segment: Option<SegmentReport>,
        labels: impl Iterator<Item = (&'l str, &'l str)>,
        started_at_unix_ms: u64,
    ) -> Self {
        let mut tags = vec![("command".to_owned(), tag(command))];
        tags.extend(segment.map(|segment| ("segment".to_owned(), tag(&segment.to_string()))));
        for (key, value) in labels {
            let (key, value) = (tag(key), tag(value));
            // Neither a tag without a value nor one that stands twice can be written.
            let is_new = tags.iter().all(|(known, _)| *known != key);
            if !key.is_empty() && !value.is_empty() && !TAKEN.contains(&&*key) && is_new {
                tags.push((key, value));
            }
        }
        tags.sort();
        let mut head = MEASUREMENT.to_owned();
        for (key, value) in tags {
            // Writing to a string doesn't fail.
            let _ = write!(head, ",{key}={value}");
        }
        Self { head, started_at_ns: started_at_unix_ms.saturating_mul(1_000_000) }
    }

    /// Returns the line of a row, with its end.
    #[must_use]
    pub fn line(&self, row: &RowReport) -> String {
        let IntervalCounts { established, failed, lost, reconnect_attempts, sent, received, wrong } =
            row.counts;
        let latencies = row.latency.as_ref().and_then(|latency| latency.distribution().ok());
        let percentile = |percentile| latencies.as_ref()?.percentile(percentile);
        let watched = row.watched.as_ref();
        let fields = [
            ("length_ns", Some(row.length_ns)),
            ("open", Some(row.open)),
            ("established", Some(established)),
            ("failed", Some(failed)),
            ("lost", Some(lost)),
            ("reconnect_attempts", Some(reconnect_attempts)),
            ("sent", Some(sent)),
            ("received", Some(received)),
            ("wrong", Some(wrong)),
            ("p50_ns", row.p50_ns),
            ("p90_ns", percentile(90.0)),
            ("p99_ns", row.p99_ns),
            ("p999_ns", percentile(99.9)),
            ("max_ns", row.latency.as_ref().map(|latency| latency.max_ns)),
            ("watched_cpu_ns", watched.map(|watched| watched.cpu_ns)),
            ("watched_rss", watched.map(|watched| watched.rss)),
            ("watched_descriptors", watched.and_then(|watched| watched.descriptors)),
            ("watched_threads", watched.map(|watched| watched.threads)),
            ("watched_processes", watched.map(|watched| watched.processes)),
        ];
        let mut line = format!("{} ", self.head);
        let known = fields.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        for (place, (name, value)) in known.enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(line, "{comma}{name}={value}i");
        }
        let end_ns = row.begin_ns.saturating_add(row.length_ns);
        let _ = writeln!(line, " {}", self.started_at_ns.saturating_add(end_ns));
        line
    }
}

/// Writes the time series of a result.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let labels = report.config.labels.iter().map(|label| (&*label.key, &*label.value));
    let segment = report.config.segment;
    let lines = Lines::new(&report.command, segment, labels, report.started_at_unix_ms);
    report.time_series.rows.iter().try_for_each(|row| out.write_all(lines.line(row).as_bytes()))
}

/// Returns a key or a value of a tag as it is written. The protocol can't say line breaks, nor a
/// backslash before what it escapes: they become spaces and slashes.
fn tag(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\\' => out.push('/'),
            c if c.is_control() => out.push_str("\\ "),
            ',' | '=' | ' ' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Distribution;
    use crate::process::ProcessUsage;
    use crate::report::{LatencyReport, sample_of};

    /// A line as `InfluxDB` reads it: tags, fields and time.
    type Read = (Vec<(String, String)>, Vec<(String, String)>, u64);

    /// Reads a line by the rules of the protocol: a backslash takes away the meaning of a comma, an
    /// equals sign and a space behind it.
    fn read(line: &str) -> Read {
        let mut parts = vec![vec![vec![String::new()]]];
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            let last = parts.last_mut().unwrap();
            match c {
                '\\' if chars.peek().is_some_and(|next| ",= ".contains(*next)) => {
                    last.last_mut().unwrap().last_mut().unwrap().push(chars.next().unwrap());
                }
                ' ' => parts.push(vec![vec![String::new()]]),
                ',' => last.push(vec![String::new()]),
                '=' => last.last_mut().unwrap().push(String::new()),
                c => last.last_mut().unwrap().last_mut().unwrap().push(c),
            }
        }
        let [head, fields, time] = &parts[..] else { panic!("{line}") };
        let pairs = |pairs: &[Vec<String>]| {
            let pair = |pair: &Vec<String>| {
                let [key, value] = &pair[..] else { panic!("{line}") };
                assert!(!key.is_empty() && !value.is_empty(), "{line}");
                (key.clone(), value.clone())
            };
            pairs.iter().map(pair).collect::<Vec<_>>()
        };
        assert_eq!(head[0], ["loadgen"]);
        (pairs(&head[1..]), pairs(fields), time[0][0].parse().unwrap())
    }

    #[test]
    fn a_line_can_be_read_whatever_labels_say() {
        let mut report = sample_of("run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s --seed 7");
        report.started_at_unix_ms = 1_700_000_000_000;
        let hostile = [
            ("a b,c=d", "e f,g=h"),
            ("n", "x\ny\\"),
            ("n", "again"),
            ("command", "rm"),
            ("empty", ""),
            ("back\\", "slash\\ "),
            ("quote", "\"é\""),
        ];
        report.config.labels = hostile
            .iter()
            .map(|(key, value)| crate::report::Label { key: (*key).into(), value: (*value).into() })
            .collect();
        let mut latencies = Distribution::new();
        (1..=1_000).for_each(|us| latencies.record(us * 1_000));
        let row = RowReport {
            begin_ns: 1_000_000_000,
            length_ns: 500_000_000,
            open: 2,
            counts: IntervalCounts { sent: 5, ..IntervalCounts::default() },
            by_address: Vec::new(),
            p50_ns: Some(500_000),
            p99_ns: None,
            latency: LatencyReport::new(&latencies),
            steps: Vec::new(),
            rules: Vec::new(),
            watched: Some(ProcessUsage { cpu_ns: 7, ..ProcessUsage::default() }),
        };
        let bare = RowReport { p50_ns: None, latency: None, watched: None, ..row.clone() };
        report.time_series.rows = vec![row, bare];
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().map(read).collect();
        let (tags, fields, time) = &lines[0];
        let tag = |key: &str| tags.iter().find(|(own, _)| own == key).map(|(_, value)| &**value);
        assert_eq!(tag("command"), Some("run"));
        assert_eq!(tag("a b,c=d"), Some("e f,g=h"));
        assert_eq!((tag("n"), tag("back/")), (Some("x y/"), Some("slash/")));
        assert_eq!((tag("empty"), tag("quote")), (None, Some("\"é\"")));
        assert_eq!(tags.len(), 5, "{tags:?}");
        assert_eq!(*time, 1_700_000_001_500_000_000);
        let field =
            |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| &**value);
        assert_eq!(
            (field("sent"), field("p50_ns"), field("p99_ns")),
            (Some("5i"), Some("500000i"), None)
        );
        assert_eq!((field("watched_cpu_ns"), field("watched_descriptors")), (Some("7i"), None));
        assert!(field("p90_ns").is_some() && field("max_ns").is_some());
        assert_eq!(lines[1].1.len(), 9, "{:?}", lines[1]);
    }
}
