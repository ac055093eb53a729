//! The results of a folder side by side, in the order in which they were measured.

use std::fmt;

use serde::Serialize;

use super::Report;
use crate::metrics::Metric;
use crate::threshold::{Rated, Statistic, Subject};
use crate::units::{self, Unit};
use crate::verdict::State;
use crate::{escape, payload};

/// Columns of a name in text.
const NAME_WIDTH: usize = 32;

/// The results of a folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendReport {
    /// The folder.
    pub folder: String,
    /// The metric of the latencies, that of the first result.
    pub metric: String,
    /// Results, the oldest first.
    pub runs: Vec<TrendRun>,
}

/// A result among others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendRun {
    /// The file.
    pub file: String,
    /// When it began, in milliseconds since 1970.
    pub started_at_unix_ms: u64,
    /// Its labels, as `key=value`.
    pub labels: Vec<String>,
    /// Whether the server did everything it should, and no threshold failed.
    pub is_ok: bool,
    /// Whether the measurement can be trusted.
    pub state: State,
    /// Messages, connections or iterations per second.
    pub per_s: Option<f64>,
    /// Median latency, in nanoseconds.
    pub p50_ns: Option<f64>,
    /// The 99th percentile.
    pub p99_ns: Option<f64>,
}

impl TrendReport {
    /// Puts results side by side, each with its file's name.
    #[must_use]
    pub fn new(folder: &str, mut results: Vec<(String, Report)>) -> Self {
        results.sort_by(|(a, left), (b, right)| {
            (left.started_at_unix_ms, a).cmp(&(right.started_at_unix_ms, b))
        });
        let metric = results.first().map_or(Metric::RttService, |(_, first)| first.main_metric());
        let run = |(file, report): (String, Report)| {
            let of = |subject: Subject| report.measure(&subject);
            let time = |percentile| {
                let metric = Some(report.main_metric());
                of(Subject::Time(metric, Statistic::Percentile(percentile)))
            };
            let labels = report.config.labels.iter();
            TrendRun {
                file,
                started_at_unix_ms: report.started_at_unix_ms,
                labels: labels.map(|label| format!("{}={}", label.key, label.value)).collect(),
                is_ok: report.outcome.is_ok
                    && report.thresholds.iter().all(|threshold| threshold.is_passed),
                state: report.verdict.state,
                per_s: report
                    .scenario
                    .as_ref()
                    .map(|scenario| scenario.iterations_per_s)
                    .or_else(|| of(Subject::Rate(Rated::Achieved)))
                    .or_else(|| of(Subject::Rate(Rated::Opened))),
                p50_ns: time(50.0),
                p99_ns: time(99.0),
            }
        };
        let runs = results.into_iter().map(run).collect();
        Self { folder: folder.into(), metric: metric.name().into(), runs }
    }
}

impl TrendRun {
    /// Returns when it began, to the second, in UTC.
    #[must_use]
    pub fn begun(&self) -> String {
        let time = payload::rfc3339(self.started_at_unix_ms.saturating_mul(1_000_000));
        String::from_utf8_lossy(&time[..19]).replace('T', " ")
    }
}

impl fmt::Display for TrendReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, " {}, latencies are {}", escape::control(&self.folder, 200), self.metric)?;
        let width = self.runs.iter().map(|run| run.file.chars().count()).max().unwrap_or(0);
        let width = width.min(NAME_WIDTH);
        writeln!(
            f,
            "  {:<19}  {:<width$}{:>12}{:>12}{:>12}  result",
            "begun (UTC)", "file", "rate", "p50", "p99"
        )?;
        for run in &self.runs {
            let number = |number, unit| match number {
                None => "-".to_owned(),
                number => units::number(number, unit),
            };
            let (rate, p50, p99) = (
                number(run.per_s, Unit::Rate),
                number(run.p50_ns, Unit::Time),
                number(run.p99_ns, Unit::Time),
            );
            let labels: Vec<_> =
                run.labels.iter().map(|label| escape::control(label, NAME_WIDTH)).collect();
            writeln!(
                f,
                "  {:<19}  {:<width$}{rate:>12}{p50:>12}{p99:>12}  {}, {}{}{}",
                run.begun(),
                escape::control(&run.file, NAME_WIDTH),
                if run.is_ok { "ok" } else { "failed" },
                run.state.name(),
                if labels.is_empty() { "" } else { ", " },
                labels.join(" "),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn results_stand_in_the_order_of_their_times() {
        let at = |ms: u64| {
            let mut report = sample();
            report.started_at_unix_ms = ms;
            report
        };
        let results =
            vec![("b.json".to_owned(), at(2_000)), ("a.json".to_owned(), at(1_700_000_000_000))];
        let trend = TrendReport::new("results", results);
        let files: Vec<_> = trend.runs.iter().map(|run| &*run.file).collect();
        assert_eq!(files, ["b.json", "a.json"]);
        let text = trend.to_string();
        assert!(text.contains("1970-01-01 00:00:02  b.json"), "{text}");
        assert!(text.contains("2023-11-14 22:13:20  a.json"), "{text}");
        assert!(text.contains("rtt.service") && text.contains("4.00/s"), "{text}");
    }
}
