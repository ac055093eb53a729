//! What became of the users of a scenario, by step, rule and kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::line::{Row, line};
use super::{HistogramReport, Report};
use crate::config::Play;
use crate::metrics::{
    Counted, Distribution, IterationCounts, Metrics, RuleCounts, ScenarioMetrics, StepCounts,
    UnitCounts, UserCounts,
};
use crate::scenario::{Program, Unmatched, flags};
use crate::threshold::{IsShare, Played, Value};
use crate::units;

/// What became of the users of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// The file, or the preset.
    pub name: String,
    /// Identifies the scenario, including the values of its variables.
    pub digest: String,
    /// Users whose connection was established.
    pub users: UserCounts,
    /// Iterations of the steps.
    pub iterations: IterationCounts,
    /// Iterations completed in the measured time, a second.
    pub iterations_per_s: f64,
    /// Messages of the protocol that were received.
    pub messages: UnitCounts,
    /// The first message that nothing took.
    pub unmatched_sample: Option<String>,
    /// Whether a message that nothing takes fails the run.
    pub unmatched_fails: bool,
    /// Steps with messages.
    pub steps: Vec<StepReport>,
    /// Messages that came unasked.
    pub rules: Vec<RuleReport>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// Its counts.
    #[serde(flatten)]
    pub counts: StepCounts,
    /// From the write to the answer; `null` if there were none.
    pub service: Option<HistogramReport>,
}

/// What became of the messages of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its name.
    pub name: String,
    /// Whether its messages report a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fault: bool,
    /// Its counts.
    #[serde(flatten)]
    pub counts: RuleCounts,
    /// From the timestamp in a message to its arrival, by wall clocks; `null` if there were none.
    pub age: Option<HistogramReport>,
}

const SERVICE: &str = "from the actual write of a step to its answer";
const AGE: &str = "from the time in a message to its arrival, by wall clocks";

impl Report {
    /// Returns what became of the users if they did all that there was to do, and not something
    /// beside echoes, pushed messages, copies or Pings.
    pub(super) fn played(&self) -> Option<&ScenarioReport> {
        let Self { messages, push, fanout, hold, .. } = self;
        let is_beside = messages.is_some() || push.is_some() || fanout.is_some() || hold.is_some();
        self.scenario.as_ref().filter(|_| !is_beside)
    }
}

impl ScenarioReport {
    pub(super) fn new(play: &Play, metrics: &Metrics, per_s: impl Fn(u64) -> f64) -> Self {
        let program: &Program = &play.program;
        let found = &metrics.scenario;
        let ScenarioMetrics { users, iterations, units, unmatched_sample, .. } = found;
        let steps = program.measures.iter().enumerate().map(|(place, name)| {
            let step = found.steps.get(place).cloned().unwrap_or_default();
            let Counted { counts, times } = step;
            let service = histogram(&format!("step.{name}.service"), SERVICE, times.as_deref());
            StepReport { name: name.clone(), counts, service }
        });
        let rules = program.rules.iter().enumerate().map(|(place, rule)| {
            let Counted { counts, times } = found.rules.get(place).cloned().unwrap_or_default();
            let age = histogram(&format!("rule.{}.age", rule.name), AGE, times.as_deref());
            RuleReport { name: rule.name.clone(), is_fault: rule.is_fault, counts, age }
        });
        Self {
            name: program.name.clone(),
            digest: format!("{:016x}", program.digest),
            users: *users,
            iterations: *iterations,
            iterations_per_s: per_s(iterations.inside),
            messages: *units,
            unmatched_sample: unmatched_sample.clone(),
            unmatched_fails: program.unmatched == Unmatched::Fail,
            steps: steps.collect(),
            rules: rules.collect(),
        }
    }

    /// Returns all histograms.
    pub fn histograms(&self) -> impl Iterator<Item = &HistogramReport> {
        let steps = self.steps.iter().filter_map(|step| step.service.as_ref());
        steps.chain(self.rules.iter().filter_map(|rule| rule.age.as_ref()))
    }

    /// Adds the counts of another segment of the same scenario.
    pub(super) fn add(&mut self, part: &Self) {
        let Self { users, iterations, messages, unmatched_sample, steps, rules, .. } = part;
        self.users.add(users);
        self.iterations.add(iterations);
        self.messages.add(messages);
        self.unmatched_sample = self.unmatched_sample.take().or_else(|| unmatched_sample.clone());
        for (own, step) in self.steps.iter_mut().zip(steps) {
            own.counts.add(&step.counts);
            own.service = joined(own.service.take(), step.service.as_ref());
        }
        for (own, rule) in self.rules.iter_mut().zip(rules) {
            own.counts.add(&rule.counts);
            own.age = joined(own.age.take(), rule.age.as_ref());
        }
    }

    /// Describes what failed, a line each, with the step; `None` means that users aren't ready.
    pub(super) fn faults(&self) -> Vec<(Option<&str>, String)> {
        let mut faults = Vec::new();
        let users = &self.users;
        let unready = users.refused + users.left;
        if unready > 0 {
            let line = format!(
                "{} never became ready (refused {}, left {}): they did not complete {}",
                units::counted(unready, "user"),
                units::count(users.refused),
                units::count(users.left),
                if self.name == flags::NAME { "--begin" } else { "[[begin]]" }
            );
            faults.push((None, line));
        }
        for StepReport { name, counts, .. } in &self.steps {
            let parts = [
                (counts.failed, "failed"),
                (counts.timed_out, "timed out"),
                (counts.lost, "lost"),
                (counts.again, "answered again"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            let parts: Vec<_> =
                parts.map(|(count, what)| format!("{} {what}", units::count(*count))).collect();
            if !parts.is_empty() {
                faults.push((Some(&**name), format!("step {name}: {}", parts.join(", "))));
            }
        }
        faults
    }

    /// Describes messages that report a failure, a line each, with the rule.
    pub(super) fn rule_faults(&self) -> impl Iterator<Item = (&str, String)> {
        let faulty = self.rules.iter().filter(|rule| rule.is_fault && rule.counts.received > 0);
        faulty.map(|RuleReport { name, counts, .. }| {
            (&**name, format!("rule {name}: {} failures reported", units::count(counts.received)))
        })
    }
}

/// Returns the value that a scenario has for a threshold; `None` if there is no data.
pub(super) fn measure(
    scenario: &ScenarioReport,
    played: &Played,
    is_share: IsShare,
) -> Option<f64> {
    let (count, all) = match played {
        Played::Ready => {
            let UserCounts { ready, refused, left } = scenario.users;
            (ready, ready + refused + left)
        }
        Played::Unmatched => (scenario.messages.unmatched, scenario.messages.received),
        Played::Step(name, value) => {
            let step = scenario.steps.iter().find(|step| step.name == *name)?;
            match value {
                Value::Time(statistic) => return step.service.as_ref()?.measure(*statistic),
                Value::Count(counter) => (counted(&step.counts, counter)?, step.counts.sent),
            }
        }
        Played::Rule(name, value) => {
            let rule = scenario.rules.iter().find(|rule| rule.name == *name)?;
            match value {
                Value::Time(statistic) => return rule.age.as_ref()?.measure(*statistic),
                Value::Count(counter) => (counted(&rule.counts, counter)?, rule.counts.received),
            }
        }
    };
    // If nothing happened, nothing shows that it holds.
    let is_known = all > 0 || matches!(played, Played::Unmatched | Played::Rule(..));
    is_known.then(|| match is_share {
        IsShare::No => exact(count),
        IsShare::Yes => 100.0 * exact(count) / exact(all.max(1)),
    })
}

/// Returns a counter by its name in the result file.
fn counted(counts: &impl Serialize, name: &str) -> Option<u64> {
    serde_json::to_value(counts).ok()?.get(name)?.as_u64()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn exact(n: u64) -> f64 {
    n as f64
}

fn histogram(name: &str, about: &str, times: Option<&Distribution>) -> Option<HistogramReport> {
    Some(HistogramReport::named(name, about, times?))
}

fn joined(
    own: Option<HistogramReport>,
    other: Option<&HistogramReport>,
) -> Option<HistogramReport> {
    let (Some(own), Some(other)) = (&own, other) else { return own.or_else(|| other.cloned()) };
    let mut sum = own.distribution().unwrap_or_default();
    sum.add(&other.distribution().unwrap_or_default());
    Some(HistogramReport::named(&own.metric, &own.description, &sum))
}

/// Writes the rows of a scenario, if one was played.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(scenario) = &report.scenario else { return Ok(()) };
    let count = units::count;
    let users = &scenario.users;
    let mut parts = Row::of(&[(users.ready, "ready")]);
    parts.nonzero(&[(users.refused, "refused"), (users.left, "left before they were")]);
    parts.write(f, "users")?;
    let iterations = &scenario.iterations;
    if iterations.due > 0 {
        let mut parts = Row::of(&[(iterations.completed, "completed")]);
        parts.nonzero(&[
            (iterations.failed, "failed"),
            (iterations.cut, "cut"),
            (iterations.unsent, "due and not begun"),
        ]);
        parts.push(format!("{}/s", units::per_s(scenario.iterations_per_s)));
        parts.write(f, "iterations")?;
    }
    let messages = &scenario.messages;
    let mut parts = Row::of(&[(messages.received, "received")]);
    parts.nonzero(&[
        (messages.taken, "taken by steps"),
        (messages.ruled, "by rules"),
        (messages.late, "late"),
        (messages.again, "again"),
        (messages.unmatched, "unmatched"),
    ]);
    parts.write(f, if report.played().is_some() { "messages" } else { "of users" })?;
    if let Some(sample) = &scenario.unmatched_sample {
        line(f, "unmatched", sample)?;
    }
    for StepReport { name, counts, .. } in &scenario.steps {
        let mut parts =
            Row(vec![format!("{name}: ok {} of {}", count(counts.ok), count(counts.sent))]);
        parts.nonzero(&[
            (counts.failed, "failed"),
            (counts.timed_out, "timed out"),
            (counts.lost, "lost"),
            (counts.late, "late"),
            (counts.again, "answered again"),
        ]);
        parts.write(f, "step")?;
    }
    for RuleReport { name, counts, .. } in &scenario.rules {
        let mut parts = Row(vec![format!("{name}: {}", count(counts.received))]);
        parts.nonzero(&[(counts.missing, "missing before"), (counts.behind, "behind")]);
        parts.write(f, "rule")?;
    }
    Ok(())
}
