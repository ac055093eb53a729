//! Compares two results in a table, with the second relative to the first.
//!
//! The numbers are those that thresholds can have, so any line can be made into a gate.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::merge::differing;
use super::scenario::ScenarioReport;
use super::{Report, ThresholdReport};
use crate::exit::Exit;
use crate::metrics::Metric;
use crate::threshold::{Counter, Rated, Statistic, Subject, Threshold};
use crate::units::Unit;
use crate::verdict::State;
use crate::{escape, units};

const LINE_WIDTH: usize = 100;
/// Most differences of the configurations that are shown.
const DIFFERENCES_MAX: usize = 10;

/// A comparison of two results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffReport {
    /// The first file.
    pub before: String,
    /// The second file.
    pub after: String,
    /// Where the configurations differ: path, before, after, as in JSON.
    pub differences: Vec<(String, String, String)>,
    /// The verdicts: before, after.
    pub verdicts: (State, State),
    /// Numbers that at least one of the results has.
    pub rows: Vec<DiffRow>,
    /// Thresholds on the ratios.
    pub thresholds: Vec<ThresholdReport>,
}

/// A number of both results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffRow {
    /// The name in thresholds.
    pub name: String,
    /// The unit, as in thresholds.
    pub unit: Unit,
    /// Before; `null` if there is no data.
    pub before: Option<f64>,
    /// After.
    pub after: Option<f64>,
    /// After relative to before; `null` also if before is 0 and after is not.
    pub ratio: Option<f64>,
}

impl DiffReport {
    /// Compares two results, each with its name.
    #[must_use]
    pub fn new(
        (before_name, before): (&str, &Report),
        (after_name, after): (&str, &Report),
        thresholds: &[Threshold],
    ) -> Self {
        let row = |(name, subject): (String, Subject)| {
            let (left, right) = (subject.measure(before), subject.measure(after));
            (left.is_some() || right.is_some()).then(|| DiffRow {
                name,
                unit: subject.unit(),
                before: left,
                after: right,
                ratio: subject.ratio(before, after).filter(|ratio| ratio.is_finite()),
            })
        };
        Self {
            before: before_name.into(),
            after: after_name.into(),
            differences: differences(before, after),
            verdicts: (before.verdict.state, after.verdict.state),
            rows: subjects().into_iter().chain(played(before, after)).filter_map(row).collect(),
            thresholds: thresholds
                .iter()
                .map(|threshold| after.ratio_judged_by(before, threshold))
                .collect(),
        }
    }

    /// Returns the exit code: a saturated client can't say that a server got slower.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let saturated = State::Saturated;
        if self.thresholds.iter().all(|threshold| threshold.is_passed) {
            Exit::Ok
        } else if self.verdicts.0 == saturated || self.verdicts.1 == saturated {
            Exit::NotValid
        } else {
            Exit::Threshold
        }
    }
}

/// Returns every subject that is compared, in the order of a connection's life.
fn subjects() -> Vec<(String, Subject)> {
    let mut subjects = Vec::new();
    for rated in Rated::ALL {
        subjects.push((rated.name().to_owned(), Subject::Rate(rated)));
    }
    for counter in Counter::ALL {
        subjects.push((counter.name().to_owned(), Subject::Count(counter)));
    }
    for metric in Metric::ALL {
        for (name, statistic) in [
            ("p50", Statistic::Percentile(50.0)),
            ("p99", Statistic::Percentile(99.0)),
            ("p99.9", Statistic::Percentile(99.9)),
            ("max", Statistic::Max),
            ("mean", Statistic::Mean),
        ] {
            let name = format!("{}.{name}", metric.name());
            subjects.push((name, Subject::Time(Some(metric), statistic)));
        }
    }
    subjects
}

/// Returns every subject about the steps, rules and users of a scenario.
fn played(before: &Report, after: &Report) -> Vec<(String, Subject)> {
    let scenarios = || [before, after].into_iter().filter_map(|report| report.scenario.as_ref());
    let names = |of: fn(&ScenarioReport) -> Vec<&str>| {
        let mut names: Vec<&str> = Vec::new();
        for name in scenarios().flat_map(of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let steps = names(|found| found.steps.iter().map(|step| &*step.name).collect());
    let rules = names(|found| found.rules.iter().map(|rule| &*rule.name).collect());
    let mut wanted = Vec::new();
    for name in steps {
        wanted.extend(
            ["ok", "failed", "timed_out", "lost", "p50", "p99", "p99.9", "max", "mean"]
                .map(|value| format!("step.{name}.{value}")),
        );
    }
    for name in rules {
        wanted.extend(
            ["received", "missing", "behind", "p50", "p99", "max"]
                .map(|value| format!("rule.{name}.{value}")),
        );
    }
    if scenarios().next().is_some() {
        wanted.extend(["ready", "unmatched"].map(str::to_owned));
    }
    let subject = |name: String| Some((name.clone(), Subject::named(&name)?));
    wanted.into_iter().filter_map(subject).collect()
}

/// Returns where the configurations differ.
fn differences(before: &Report, after: &Report) -> Vec<(String, String, String)> {
    let [left, right] = [before, after].map(|report| {
        serde_json::json!({
            "command": report.command,
            "version": report.generator.version,
            "url": report.target.url,
            "config": report.config,
            "host": report.host,
        })
    });
    // Times of day always differ.
    let ignored = ["config.start_at_unix_ms", "config.labels"];
    let mut found = differing(&left, &right);
    found.retain(|(path, _, _)| !ignored.iter().any(|ignored| path.starts_with(ignored)));
    found
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| escape::control(text, LINE_WIDTH);
        writeln!(f, " before   {}   {}", shown(&self.before), self.verdicts.0.name())?;
        writeln!(f, " after    {}   {}", shown(&self.after), self.verdicts.1.name())?;
        for (path, left, right) in self.differences.iter().take(DIFFERENCES_MAX) {
            writeln!(f, " differs  {path}: {left} -> {right}")?;
        }
        let more = self.differences.len().saturating_sub(DIFFERENCES_MAX);
        if more > 0 {
            writeln!(f, " differs  and {more} more, in -o json")?;
        }
        writeln!(f, "  {:<28}{:>12}{:>12}{:>10}", "", "before", "after", "ratio")?;
        for row in &self.rows {
            let [before, after] =
                [row.before, row.after].map(|number| units::number(number, row.unit));
            let ratio = match (row.ratio, row.before, row.after) {
                (Some(ratio), _, _) => format!("{ratio:.3}x"),
                (None, Some(_), Some(_)) => "new".into(),
                _ => "-".into(),
            };
            writeln!(f, "  {:<28}{before:>12}{after:>12}{ratio:>10}", row.name)?;
        }
        for threshold in &self.thresholds {
            let outcome = if threshold.is_passed { "PASS" } else { "FAIL" };
            writeln!(f, " {outcome} {} ({})", shown(&threshold.expression), threshold.shown())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn diff(thresholds: &[&str], change: impl FnOnce(&mut Report)) -> DiffReport {
        let (before, mut after) = (sample(), sample());
        change(&mut after);
        let thresholds: Vec<_> =
            thresholds.iter().map(|text| Threshold::parse_ratio(text).unwrap()).collect();
        DiffReport::new(("a", &before), ("b", &after), &thresholds)
    }

    #[test]
    fn the_same_is_once_itself() {
        let diff = diff(&["rtt.p99<=1", "failed<=1x"], |_| {});
        assert!(diff.rows.iter().all(|row| row.ratio == Some(1.0)), "{diff:?}");
        assert_eq!((diff.differences.len(), diff.exit()), (0, Exit::Ok));
    }

    #[test]
    fn what_changed_and_whether_it_may() {
        let change = |report: &mut Report| {
            report.messages.as_mut().unwrap().achieved_per_s *= 0.5;
            report.messages.as_mut().unwrap().measured.lost = 2;
            report.config.pipeline = Some(9);
        };
        let slower = diff(&["achieved>=90%"], change);
        assert_eq!(slower.exit(), Exit::Threshold);
        assert_eq!(slower.differences, [("config.pipeline".into(), "1".into(), "9".into())]);
        let text = slower.to_string();
        assert!(text.contains(" differs  config.pipeline: 1 -> 9\n"), "{text}");
        assert!(text.contains("0.500x\n"), "{text}");
        assert!(text.contains(" FAIL achieved>=90% (0.500x)\n"), "{text}");
        assert!(text.lines().any(|line| line.contains("lost") && line.ends_with("new")), "{text}");
        assert_eq!(diff(&["achieved>=0.5x"], change).exit(), Exit::Ok);
        assert_eq!(diff(&["lost<2"], change).exit(), Exit::Threshold, "from none to some");
        assert_eq!(diff(&["connect.tcp.p99<2"], change).exit(), Exit::Threshold, "no data");
        let saturated = diff(&["achieved>=90%"], |report| {
            change(report);
            report.verdict.state = State::Saturated;
        });
        assert_eq!(saturated.exit(), Exit::NotValid);
    }
}
