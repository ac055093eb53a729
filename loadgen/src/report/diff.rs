//! Compares two results in a table, with the second relative to the first, or several results of
//! each side.
//!
//! The numbers are those that thresholds can have, so any line can be made into a gate. Those that
//! are also in the time series, or of several runs, have an interval, and a word for what changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::interval::{Blocks, Estimate, Number};
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
/// How often all intervals together may miss the truth.
const ALPHA: f64 = 0.05;
/// Most differences of the configurations that are shown.
const DIFFERENCES_MAX: usize = 10;

/// A comparison of two results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffReport {
    /// The first file.
    pub before: String,
    /// The second file.
    pub after: String,
    /// Runs of each side, of which each number is the median: before, after.
    #[serde(default = "one_run_each")]
    pub runs: (u64, u64),
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
    /// From and to where the true ratio lies, unless chance was against it; `null` if nothing tells.
    #[serde(default)]
    pub interval: Option<(f64, f64)>,
    /// What the interval says; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The interval has 1 in it.
    None,
    /// A latency is shorter, or a rate higher.
    Better,
    /// A latency is longer, or a rate lower.
    Worse,
}

impl Change {
    /// Returns the word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "same",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }
}

/// The side of a comparison: a name, and the results of its runs, at least one.
pub type SideOf<'s> = (&'s str, &'s [Report]);

const fn one_run_each() -> (u64, u64) {
    (1, 1)
}

impl DiffReport {
    /// Compares two sides, each with its name. `None` if one has no runs.
    #[must_use]
    pub fn new(
        (before_name, before): SideOf<'_>,
        (after_name, after): SideOf<'_>,
        thresholds: &[Threshold],
    ) -> Option<Self> {
        let (first, last) = (before.first()?, after.first()?);
        let subjects = subjects().into_iter().chain(played(first, last));
        let mut rows: Vec<_> =
            subjects.filter_map(|(name, subject)| row(name, &subject, before, after)).collect();
        add_intervals(&mut rows, before, after);
        let judged = |threshold: &Threshold| {
            let subject = threshold.subject();
            let ratio = median(before, subject)
                .zip(median(after, subject))
                .map(|(before, after)| ratio(before, after));
            ThresholdReport::of_ratio(threshold, ratio)
        };
        let worst = |reports: &[Report]| {
            reports.iter().map(|report| report.verdict.state).max().unwrap_or_default()
        };
        Some(Self {
            before: before_name.into(),
            after: after_name.into(),
            runs: (before.len() as u64, after.len() as u64),
            differences: differences(first, last),
            verdicts: (worst(before), worst(after)),
            rows,
            thresholds: thresholds.iter().map(judged).collect(),
        })
    }

    /// Returns what changed, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let told = self.rows.iter().filter(|row| row.change.is_some()).count();
        if told == 0 {
            return "intervals need 5 s of measured time, or several runs of each side".into();
        }
        let names = |change| {
            let rows = self.changed(change);
            let shown = |row: &DiffRow| match row.ratio {
                Some(ratio) => format!("{} {ratio:.2}x", row.name),
                None => row.name.clone(),
            };
            rows.map(shown).collect::<Vec<_>>().join(", ")
        };
        let (worse, better) = (names(Change::Worse), names(Change::Better));
        match (worse.is_empty(), better.is_empty()) {
            (true, true) => format!("no difference in {}", units::counted(told as u64, "number")),
            (false, true) => format!("worse: {worse}"),
            (true, false) => format!("better: {better}"),
            (false, false) => format!("worse: {worse}; better: {better}"),
        }
    }

    /// Returns the rows that changed so.
    pub fn changed(&self, change: Change) -> impl Iterator<Item = &DiffRow> {
        self.rows.iter().filter(move |row| row.change == Some(change))
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

/// Returns a row, if one of the sides has the number.
fn row(name: String, subject: &Subject, before: &[Report], after: &[Report]) -> Option<DiffRow> {
    let (left, right) = (median(before, subject), median(after, subject));
    let ratio = left.zip(right).map(|(before, after)| ratio(before, after));
    (left.is_some() || right.is_some()).then(|| DiffRow {
        name,
        unit: subject.unit(),
        before: left,
        after: right,
        ratio: ratio.filter(|ratio| ratio.is_finite()),
        interval: None,
        change: None,
    })
}

/// Returns the median of what the runs of a side measured; `None` if one of them has no data.
fn median(reports: &[Report], subject: &Subject) -> Option<f64> {
    let mut values =
        reports.iter().map(|report| report.measure(subject)).collect::<Option<Vec<_>>>()?;
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], upper)
    } else {
        upper
    })
}

/// Returns `after` relative to `before`. Two zeros are equal.
fn ratio(before: f64, after: f64) -> f64 {
    match (before > 0.0, after > 0.0) {
        (true, _) => after / before,
        (false, true) => f64::INFINITY,
        (false, false) => 1.0,
    }
}

/// Adds intervals to the rows that have one. All of them together are wrong with the probability of
/// [`ALPHA`]: the more numbers are looked at, the wider each interval is.
fn add_intervals(rows: &mut [DiffRow], before: &[Report], after: &[Report]) {
    let sides = [before, after].map(Side::new);
    let mut found: Vec<_> = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| {
            let subject = Subject::named(&row.name)?;
            let [left, right] = [&sides[0], &sides[1]].map(|side| side.estimate(&subject));
            Some((place, left?, right?))
        })
        .collect();
    let alpha = ALPHA / f64::from(u32::try_from(found.len()).unwrap_or(u32::MAX).max(1));
    for (place, left, right) in found.drain(..) {
        let row = &mut rows[place];
        let (from, to) = Estimate::ratio(&left, &right, alpha);
        let is_up_good = row.unit == Unit::Rate;
        row.interval = Some((from, to));
        row.change = Some(match (from > 1.0, to < 1.0) {
            (true, _) if is_up_good => Change::Better,
            (true, _) => Change::Worse,
            (_, true) if is_up_good => Change::Worse,
            (_, true) => Change::Better,
            _ => Change::None,
        });
    }
}

/// A side, as intervals need it.
struct Side<'s> {
    reports: &'s [Report],
    /// The blocks of its only run, and the metric of their latencies.
    blocks: Option<(Blocks, Metric)>,
}

impl<'s> Side<'s> {
    fn new(reports: &'s [Report]) -> Self {
        let blocks = match reports {
            [one] => one.series_metric().and_then(|metric| Some((Blocks::of(one)?, metric))),
            _ => None,
        };
        Self { reports, blocks }
    }

    /// Checks whether the command is about a number: each that is compared makes the intervals of
    /// all others wider.
    fn is_main(&self, subject: &Subject) -> bool {
        let Some(report) = self.reports.first() else { return false };
        match subject {
            Subject::Time(Some(Metric::RttService), _) => true,
            Subject::Time(metric, _) => *metric == Some(report.main_metric()),
            _ => true,
        }
    }

    fn estimate(&self, subject: &Subject) -> Option<Estimate> {
        // The longest of a run says nothing about the longest of another, nor do counts.
        let is_compared = matches!(
            subject,
            Subject::Rate(_) | Subject::Time(_, Statistic::Percentile(_) | Statistic::Mean)
        ) && self.is_main(subject);
        if !is_compared {
            return None;
        }
        let [one] = self.reports else {
            let values = self.reports.iter().map(|report| report.measure(subject));
            return Estimate::of_runs(&values.collect::<Option<Vec<_>>>()?);
        };
        let measured = one.measure(subject)?;
        let (blocks, metric) = self.blocks.as_ref()?;
        let number = match subject {
            Subject::Rate(Rated::Achieved) => Number::Rate,
            Subject::Time(asked, _) if *asked != Some(*metric) => return None,
            Subject::Time(_, Statistic::Percentile(percentile)) => Number::Percentile(*percentile),
            Subject::Time(_, Statistic::Mean) => Number::Mean,
            _ => return None,
        };
        blocks.estimate(number, measured)
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
        for (side, name, runs, state) in [
            ("before", &self.before, self.runs.0, self.verdicts.0),
            ("after", &self.after, self.runs.1, self.verdicts.1),
        ] {
            let runs = if runs > 1 { format!(", {runs} runs") } else { String::new() };
            writeln!(f, " {side:<8} {}{runs}   {}", shown(name), state.name())?;
        }
        for (path, left, right) in self.differences.iter().take(DIFFERENCES_MAX) {
            writeln!(f, " differs  {path}: {left} -> {right}")?;
        }
        let more = self.differences.len().saturating_sub(DIFFERENCES_MAX);
        if more > 0 {
            writeln!(f, " differs  and {more} more, in -o json")?;
        }
        writeln!(f, "  {:<28}{:>12}{:>12}{:>10}  interval", "", "before", "after", "ratio")?;
        for row in &self.rows {
            let [before, after] =
                [row.before, row.after].map(|number| units::number(number, row.unit));
            let ratio = match (row.ratio, row.before, row.after) {
                (Some(ratio), _, _) => format!("{ratio:.3}x"),
                (None, Some(_), Some(_)) => "new".into(),
                _ => "-".into(),
            };
            write!(f, "  {:<28}{before:>12}{after:>12}{ratio:>10}", row.name)?;
            match (row.interval, row.change) {
                (Some((from, to)), Some(change)) => {
                    writeln!(f, "  [{from:.3}, {to:.3}] {}", change.name())?;
                }
                _ => writeln!(f)?,
            }
        }
        writeln!(f, " result   {}", self.summary())?;
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
        DiffReport::new(("a", &[before]), ("b", &[after]), &thresholds).unwrap()
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
        assert!(text.contains(" result   intervals need 5 s"), "{text}");
        assert_eq!(diff(&["achieved>=0.5x"], change).exit(), Exit::Ok);
        assert_eq!(diff(&["lost<2"], change).exit(), Exit::Threshold, "from none to some");
        assert_eq!(diff(&["connect.tcp.p99<2"], change).exit(), Exit::Threshold, "no data");
        let saturated = diff(&["achieved>=90%"], |report| {
            change(report);
            report.verdict.state = State::Saturated;
        });
        assert_eq!(saturated.exit(), Exit::NotValid);
    }

    /// The sample with a time series of ten seconds, each with latencies of so many microseconds and
    /// a few more.
    fn with_series(us: u64) -> Report {
        let mut report = sample();
        let second = 1_000_000_000;
        report.phases.measured = Some(crate::report::Interval { begin_ns: 0, end_ns: 10 * second });
        report.time_series.rows = (0..10)
            .map(|place| {
                let mut latencies = crate::metrics::Distribution::new();
                (0..100).for_each(|n| latencies.record((us + n % 10 + place % 2) * 1_000));
                let counts = crate::metrics::IntervalCounts { received: 100, ..Default::default() };
                crate::report::RowReport {
                    begin_ns: place * second,
                    length_ns: second,
                    open: 2,
                    counts,
                    by_address: Vec::new(),
                    p50_ns: None,
                    p99_ns: None,
                    latency: crate::report::LatencyReport::new(&latencies),
                    steps: Vec::new(),
                    rules: Vec::new(),
                    watched: None,
                }
            })
            .collect();
        let mut all = crate::metrics::Distribution::new();
        (0..1_000).for_each(|n| all.record((us + n % 10) * 1_000));
        let all = crate::report::HistogramReport::new(Metric::RttService, &all);
        report.histograms.retain(|found| found.metric != all.metric);
        report.histograms.push(all);
        report
    }

    #[test]
    fn a_single_run_a_side_has_intervals_from_its_seconds() {
        let [before, same, slower] = [1_000, 1_000, 1_100].map(with_series);
        let diff =
            DiffReport::new(("a", std::slice::from_ref(&before)), ("b", &[same]), &[]).unwrap();
        let told: Vec<_> = diff.rows.iter().filter(|row| row.change.is_some()).collect();
        let names: Vec<_> = told.iter().map(|row| &*row.name).collect();
        let expected = ["p50", "p99", "p99.9", "mean"].map(|name| format!("rtt.service.{name}"));
        assert_eq!(names, [&["achieved".to_owned()][..], &expected].concat());
        assert!(told.iter().all(|row| row.change == Some(Change::None)), "{told:?}");
        assert!(diff.to_string().contains(" result   no difference in 5 numbers\n"), "{diff}");
        let diff = DiffReport::new(("a", &[before]), ("b", &[slower]), &[]).unwrap();
        let worse: Vec<_> = diff.changed(Change::Worse).map(|row| &*row.name).collect();
        assert_eq!(worse, expected);
        let (from, to) = diff.changed(Change::Worse).next().unwrap().interval.unwrap();
        assert!(from < 1.1 && 1.1 < to, "{from} {to}");
    }

    #[test]
    fn several_runs_of_a_side_have_the_median_and_their_own_intervals() {
        let runs = |rates: [f64; 3]| {
            rates.map(|rate| {
                let mut report = sample();
                report.messages.as_mut().unwrap().achieved_per_s = rate;
                report
            })
        };
        let before = runs([100.0, 101.0, 99.0]);
        let diff = DiffReport::new(("a", &before), ("b", &runs([80.0, 82.0, 81.0])), &[]).unwrap();
        let row = diff.rows.iter().find(|row| row.name == "achieved").unwrap();
        assert_eq!(
            (row.before, row.after, row.change),
            (Some(100.0), Some(81.0), Some(Change::Worse))
        );
        assert!(diff.to_string().contains(" before   a, 3 runs   "), "{diff}");
        let diff =
            DiffReport::new(("a", &before), ("b", &runs([98.0, 103.0, 100.0])), &[]).unwrap();
        let row = diff.rows.iter().find(|row| row.name == "achieved").unwrap();
        assert_eq!(row.change, Some(Change::None));
        assert_eq!(DiffReport::new(("a", &[]), ("b", &before), &[]), None);
    }
}
