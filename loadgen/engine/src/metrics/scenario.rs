//! What became of the users of a scenario, its steps, and its rules.
//!
//! The balance: for each step `sent = ok + failed + timed_out + lost`; for all messages
//! `received = taken + late + again + ruled + unmatched`; for iterations `due = begun + unsent` and
//! `begun = completed + failed + cut`; for users `established = ready + refused + left`.

use super::Distribution;
use super::counts::counts;

counts! {
    /// What became of a step.
    pub struct StepCounts {
        /// Started: its message was sent, or it waited.
        sent: sum,
        /// Ended as it should.
        ok: sum,
        /// Got a wrong answer.
        failed: sum,
        /// Got no answer in time.
        timed_out: sum,
        /// Got no answer before its connection, or the run, ended.
        lost: sum,
        /// Timed-out steps whose answer came after all.
        late: sum,
        /// Answers that came again.
        again: sum,
    }
}

counts! {
    /// What became of the messages of a rule.
    pub struct RuleCounts {
        /// Messages that the rule took.
        received: sum,
        /// Messages taken that said when they were sent.
        timed: sum,
        /// Messages missing before one that came.
        missing: sum,
        /// Messages that came again, or after a later one.
        behind: sum,
    }
}

counts! {
    /// What became of iterations.
    pub struct IterationCounts {
        /// Due.
        due: sum,
        /// Started.
        begun: sum,
        /// Due, but not started before load ended.
        unsent: sum,
        /// All steps did what they should.
        completed: sum,
        /// Some step did not.
        failed: sum,
        /// Not finished when their connection, or the run, ended.
        cut: sum,
        /// Completed iterations that finished within the measured time.
        inside: sum,
    }
}

counts! {
    /// What became of users whose connection was established.
    pub struct UserCounts {
        /// Reached the end of `[[begin]]`.
        ready: sum,
        /// Failed a step of `[[begin]]`.
        refused: sum,
        /// Lost their connection, or ran out of time, before either.
        left: sum,
    }
}

counts! {
    /// What became of received messages of the protocol.
    pub struct UnitCounts {
        /// All.
        received: sum,
        /// Ended a step.
        taken: sum,
        /// Came after their request had timed out.
        late: sum,
        /// Came after their request had been answered.
        again: sum,
        /// Were taken by a rule.
        ruled: sum,
        /// Were taken by nothing.
        unmatched: sum,
    }
}

/// The counts of a step or a rule, and durations if there are any.
#[derive(Clone, Debug, Default)]
pub struct Counted<C> {
    /// The counts.
    pub counts: C,
    /// The durations.
    pub times: Option<Box<Distribution>>,
}

impl<C> Counted<C> {
    /// Records a duration.
    pub fn record(&mut self, ns: u64) {
        self.times.get_or_insert_default().record(ns);
    }

    fn add(&mut self, other: Self, add: impl FnOnce(&mut C, &C)) {
        add(&mut self.counts, &other.counts);
        match (&mut self.times, other.times) {
            (_, None) => {}
            (Some(own), Some(other)) => own.add(&other),
            (own, other) => *own = other,
        }
    }
}

/// Counts of a worker for a scenario.
#[derive(Clone, Debug, Default)]
pub struct ScenarioMetrics {
    /// Steps, by the number of their measure.
    pub steps: Vec<Counted<StepCounts>>,
    /// Rules, in order.
    pub rules: Vec<Counted<RuleCounts>>,
    /// Iterations.
    pub iterations: IterationCounts,
    /// Users.
    pub users: UserCounts,
    /// Messages of the protocol.
    pub units: UnitCounts,
    /// The first message that nothing took.
    pub unmatched_sample: Option<String>,
}

impl ScenarioMetrics {
    /// Returns empty metrics for a number of steps and rules.
    #[must_use]
    pub fn new(steps: usize, rules: usize) -> Self {
        Self {
            steps: vec![Counted::default(); steps],
            rules: vec![Counted::default(); rules],
            ..Self::default()
        }
    }

    /// Adds the counts of `other`, which is of the same scenario.
    pub fn merge(&mut self, other: Self) {
        let Self { steps, rules, iterations, users, units, unmatched_sample } = other;
        self.steps.resize_with(self.steps.len().max(steps.len()), Counted::default);
        self.rules.resize_with(self.rules.len().max(rules.len()), Counted::default);
        for (own, other) in self.steps.iter_mut().zip(steps) {
            own.add(other, StepCounts::add);
        }
        for (own, other) in self.rules.iter_mut().zip(rules) {
            own.add(other, RuleCounts::add);
        }
        self.iterations.add(&iterations);
        self.users.add(&users);
        self.units.add(&units);
        self.unmatched_sample = self.unmatched_sample.take().or(unmatched_sample);
    }
}
