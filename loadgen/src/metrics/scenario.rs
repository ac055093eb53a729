//! What became of the users of a scenario, its steps, and its rules.
//!
//! The books: of each step `sent = ok + failed + timed_out + lost`; of all messages
//! `received = taken + late + again + ruled + unmatched`; of iterations `due = begun + unsent` and
//! `begun = completed + failed + cut`; of users `established = ready + refused + left`.

use super::Distribution;
use super::counts::counts;

counts! {
    /// What became of a step.
    pub struct StepCounts {
        /// Begun: its message went out, or it waited.
        sent: sum,
        /// Ended as it should.
        ok: sum,
        /// Had a wrong answer.
        failed: sum,
        /// Had no answer in time.
        timed_out: sum,
        /// Had none before its connection, or the run, ended.
        lost: sum,
        /// Of those that had timed out, the ones whose answer came after all.
        late: sum,
        /// Answers that came again.
        again: sum,
    }
}

counts! {
    /// What came of a rule.
    pub struct RuleCounts {
        /// Messages that it has taken.
        received: sum,
        /// Of those, the ones that said when they were sent.
        timed: sum,
        /// Messages that are missing before one that came.
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
        /// Begun.
        begun: sum,
        /// Due, and not begun before load ended.
        unsent: sum,
        /// All of whose steps did as they should.
        completed: sum,
        /// One of whose steps did not.
        failed: sum,
        /// Not over when their connection, or the run, ended.
        cut: sum,
        /// Of those completed, the ones that were over within the measured time.
        inside: sum,
    }
}

counts! {
    /// What became of users whose connection was established.
    pub struct UserCounts {
        /// Came to the end of `[[begin]]`.
        ready: sum,
        /// Had a step of `[[begin]]` fail.
        refused: sum,
        /// Lost their connection, or had no time left, before either.
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
        /// Were those of a rule.
        ruled: sum,
        /// Were taken by nothing.
        unmatched: sum,
    }
}

/// A step, or a rule: counts, and durations if there are any.
#[derive(Clone, Debug, Default)]
pub struct Counted<C> {
    /// The counts.
    pub counts: C,
    /// The durations.
    pub times: Option<Box<Distribution>>,
}

impl<C> Counted<C> {
    /// Counts a duration.
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

/// What a worker has counted of a scenario.
#[derive(Clone, Debug, Default)]
pub struct ScenarioMetrics {
    /// By the number of their measure.
    pub steps: Vec<Counted<StepCounts>>,
    /// In their order.
    pub rules: Vec<Counted<RuleCounts>>,
    /// Iterations.
    pub iterations: IterationCounts,
    /// Users.
    pub users: UserCounts,
    /// Messages of the protocol.
    pub units: UnitCounts,
    /// The first message that nothing has taken.
    pub unmatched_sample: Option<String>,
}

impl ScenarioMetrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(steps: usize, rules: usize) -> Self {
        Self {
            steps: vec![Counted::default(); steps],
            rules: vec![Counted::default(); rules],
            ..Self::default()
        }
    }

    /// Adds what `other` has counted of the same scenario.
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
