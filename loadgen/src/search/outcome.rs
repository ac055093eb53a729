//! What a search has found, step by step.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::hunt::{Hunt, Limit, Outcome};
use crate::config::Rate;
use crate::report::Report;
use crate::screen;
use crate::threshold::{Statistic, Subject};
use crate::units::{self, Unit};
use crate::verdict::State;

/// The share of the messages due whose echoes have to arrive in time, in percent, whatever the
/// thresholds are about.
const ACHIEVED_PERCENT: f64 = 99.0;
/// Columns of a line if the terminal's width is unknown.
const LINE_WIDTH: usize = 100;
/// Columns of a label, in front of what follows on further lines.
const LABEL_WIDTH: usize = 14;

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchReport {
    /// The highest rate at which everything held, per second; `null` if it never did.
    pub capacity_per_s: Option<f64>,
    /// `server`, `client`, `range` or `below`: what ended the search. Of `client` and `range`, the
    /// server's capacity is at least that much.
    pub limit: &'static str,
    /// The lowest rate at which something didn't hold, per second.
    pub fails_at_per_s: Option<f64>,
    /// All steps, in order.
    pub steps: Vec<StepReport>,
}

/// A step of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// The rate, per second.
    pub rate_per_s: f64,
    /// Echoes per second.
    pub achieved_per_s: f64,
    /// Median response latency, in nanoseconds.
    pub p50_ns: Option<f64>,
    /// The 99th percentile.
    pub p99_ns: Option<f64>,
    /// Whether everything held.
    pub holds: bool,
    /// The verdict on the client.
    pub verdict: State,
    /// What didn't hold.
    pub reasons: Vec<String>,
    #[serde(skip)]
    pub(super) outcome: Outcome,
}

impl StepReport {
    /// Judges a step by its report.
    pub(super) fn new(rate: Rate, report: &Report) -> Self {
        let time =
            |percentile| report.measure(&Subject::Time(None, Statistic::Percentile(percentile)));
        let mut reasons = report.outcome.reasons.clone();
        let failed = report.thresholds.iter().filter(|threshold| !threshold.is_passed);
        reasons.extend(failed.map(|failed| format!("{} ({})", failed.expression, failed.shown())));
        match report.achieved_percent() {
            Some(percent) if percent >= ACHIEVED_PERCENT => {}
            Some(percent) => reasons.push(format!("achieved {percent:.1} % of what was due")),
            None => reasons.push("nothing was due".into()),
        }
        let verdict = report.verdict.state;
        let outcome = match verdict {
            // A client out of breath may fail anything; but what it saw hold, held.
            State::Saturated if !reasons.is_empty() => Outcome::Client,
            _ if reasons.is_empty() => Outcome::Holds,
            _ => Outcome::Fails,
        };
        if outcome == Outcome::Client {
            reasons.clone_from(&report.verdict.reasons);
        }
        Self {
            rate_per_s: rate.per_s(),
            achieved_per_s: report.messages.as_ref().map_or(0.0, |found| found.achieved_per_s),
            p50_ns: time(50.0),
            p99_ns: time(99.0),
            holds: outcome == Outcome::Holds,
            verdict,
            reasons,
            outcome,
        }
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ns| units::number(ns, Unit::Time);
        let word = match self.outcome {
            Outcome::Holds => "holds",
            Outcome::Fails => "fails",
            Outcome::Client => "client's limit",
        };
        let mut said = format!(
            " {:>11}/s  p50 {:>8}  p99 {:>8}  {word}",
            units::per_s(self.rate_per_s),
            time(self.p50_ns),
            time(self.p99_ns)
        );
        if !self.reasons.is_empty() {
            let _ = write!(said, ": {}", self.reasons.join("; "));
        }
        write!(f, "{}", wrapped(&said, f))
    }
}

impl SearchReport {
    pub(super) fn new(limit: Limit, hunt: &Hunt, steps: Vec<StepReport>) -> Self {
        let per_s = |rate: u64| Rate::new(rate).map(Rate::per_s);
        Self {
            capacity_per_s: hunt.capacity().and_then(per_s),
            limit: match limit {
                Limit::Server => "server",
                Limit::Client => "client",
                Limit::Range => "range",
                Limit::Below => "below",
            },
            fails_at_per_s: hunt.high().and_then(|(rate, _)| per_s(rate)),
            steps,
        }
    }

    /// Returns why the last step at the lowest rate that failed did so.
    fn why(&self) -> String {
        let at = self.fails_at_per_s;
        let step = self.steps.iter().rfind(|step| !step.holds && Some(step.rate_per_s) == at);
        step.map(|step| step.reasons.join("; ")).unwrap_or_default()
    }
}

impl fmt::Display for SearchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |rate: Option<f64>| units::number(rate, Unit::Rate);
        let (capacity, fails_at) = (shown(self.capacity_per_s), shown(self.fails_at_per_s));
        let steps = units::counted(self.steps.len() as u64, "step");
        let why = self.why();
        let found = match (self.limit, self.capacity_per_s) {
            ("server", _) => format!("{capacity}; at {fails_at} no longer: {why}"),
            ("range", _) => format!("at least {capacity}, the end of the range"),
            ("client", Some(_)) => format!("at least {capacity}; the client's limit: {why}"),
            ("client", None) => format!("unknown; the client's limit: {why}"),
            _ => format!("below {fails_at}: {why}"),
        };
        writeln!(f, "{}", wrapped(&format!(" capacity     {found}"), f))?;
        writeln!(f, " steps        {steps}")
    }
}

/// Breaks a line between words where the terminal ends, or at 100 columns.
fn wrapped(line: &str, f: &fmt::Formatter<'_>) -> String {
    screen::wrapped(line, Some(f.width().unwrap_or(LINE_WIDTH)), LABEL_WIDTH)
}
