//! Counts what happens to the users of a worker.

use super::super::times::Times;
use crate::escape;
use crate::index::ConnectionIndex;
use crate::metrics::live::Live;
use crate::metrics::{Failure, FailurePhase, Metric, Metrics, ScenarioMetrics};
use crate::scenario::Program;
use crate::scenario::user::{Event, Fault, Observer, Order};

/// Bytes of a message that are shown.
const SHOWN_LEN_MAX: usize = 200;

/// Counts what happens to a user.
pub(super) struct Counter<'w> {
    pub(super) program: &'w Program,
    pub(super) metrics: &'w mut Metrics,
    pub(super) live: &'w Live,
    pub(super) times: &'w Times,
    pub(super) connection: ConnectionIndex,
    pub(super) now_ns: u64,
    /// Whether messages that nothing takes are passed on, and not counted here.
    pub(super) is_beside: bool,
    /// Whether one has been passed on.
    pub(super) has_passed: bool,
}

impl Counter<'_> {
    /// Whether what began then counts in latencies: all but what is of the warm-up.
    const fn is_timed(&self, ns: u64) -> bool {
        ns < self.times.load_begin_ns || ns >= self.times.window_begin_ns
    }

    fn wrong(&mut self, measure: usize, what: &str, said: &[u8]) {
        let name = self.program.measures.get(measure).map_or("", |name| name);
        self.wrong_as(format!("step.{name}.{what}"), said);
    }

    fn wrong_as(&mut self, code: String, said: &[u8]) {
        let Self { metrics, live, connection, .. } = self;
        live.wrong.add(1);
        let failure = Failure { phase: FailurePhase::Message, code: code.into() };
        metrics.wrong.add(failure, || {
            if said.is_empty() {
                return format!("connection {connection}");
            }
            format!("connection {connection}: {}", escape::bytes(said, SHOWN_LEN_MAX))
        });
    }

    fn iterated(&mut self, event: (Option<u64>, Option<u64>, u64), is_complete: bool) {
        let (due_ns, first_ns, begun_ns) = event;
        let counts = &mut self.metrics.scenario.iterations;
        *(if is_complete { &mut counts.completed } else { &mut counts.failed }) += 1;
        let now_ns = self.now_ns;
        counts.inside += u64::from(is_complete && self.times.is_measured(now_ns));
        if !self.is_timed(due_ns.unwrap_or(begun_ns)) {
            return;
        }
        let durations = &mut self.metrics.distributions;
        if let (Some(due_ns), Some(first_ns)) = (due_ns, first_ns) {
            durations.record(Metric::IterationLag, first_ns.saturating_sub(due_ns));
        }
        if is_complete {
            let service_ns = now_ns.saturating_sub(begun_ns);
            durations.record(Metric::IterationService, service_ns);
            if let Some(due_ns) = due_ns {
                let response_ns = now_ns.saturating_sub(due_ns);
                durations.record(Metric::IterationResponse, response_ns);
            }
        }
    }
}

impl Observer for Counter<'_> {
    fn observe(&mut self, event: Event<'_>) {
        let ScenarioMetrics { steps, rules, users, units, unmatched_sample, .. } =
            &mut self.metrics.scenario;
        match event {
            Event::Begun { measure } => steps[measure].counts.sent += 1,
            Event::Answered { measure, service_ns, is_message } => {
                steps[measure].counts.ok += 1;
                if let Some(step) = self.live.steps.get(measure) {
                    step.ok(service_ns);
                }
                units.received += u64::from(is_message);
                units.taken += u64::from(is_message);
                let Some(service_ns) = service_ns else { return };
                self.live.received.add(1);
                self.live.latency(service_ns);
                if self.is_timed(self.now_ns.saturating_sub(service_ns)) {
                    self.metrics.scenario.steps[measure].record(service_ns);
                }
            }
            Event::Failed { measure, fault, said } => {
                let counts = &mut steps[measure].counts;
                let (count, what) = match fault {
                    Fault::Refused => (&mut counts.failed, "refused"),
                    Fault::NoCapture => (&mut counts.failed, "no_capture"),
                    Fault::TimedOut => (&mut counts.timed_out, "timed_out"),
                    Fault::Lost => (&mut counts.lost, "lost"),
                };
                *count += 1;
                if let Some(step) = self.live.steps.get(measure) {
                    step.failed();
                }
                let is_message = matches!(fault, Fault::Refused | Fault::NoCapture);
                units.received += u64::from(is_message);
                units.taken += u64::from(is_message);
                self.wrong(measure, what, said);
            }
            Event::Late { measure } => {
                steps[measure].counts.late += 1;
                units.received += 1;
                units.late += 1;
            }
            Event::Again { measure } => {
                steps[measure].counts.again += 1;
                units.received += 1;
                units.again += 1;
            }
            Event::Rule { rule, age_ns, order, said } => {
                units.received += 1;
                units.ruled += 1;
                let counts = &mut rules[rule].counts;
                counts.received += 1;
                if let Some(rule) = self.live.rules.get(rule) {
                    rule.add(1);
                }
                match order {
                    Order::Gap(missing) => counts.missing = counts.missing.saturating_add(missing),
                    Order::Behind => counts.behind += 1,
                    Order::Unknown | Order::InOrder => {}
                }
                if let Some(age_ns) = age_ns {
                    counts.timed += 1;
                    if self.is_timed(self.now_ns) {
                        self.metrics.scenario.rules[rule].record(age_ns);
                    }
                }
                if self.program.rules[rule].is_fault {
                    self.wrong_as(format!("rule.{}", self.program.rules[rule].name), said);
                }
            }
            Event::Unmatched(_) if self.is_beside => self.has_passed = true,
            Event::Unmatched(said) => {
                units.received += 1;
                units.unmatched += 1;
                unmatched_sample.get_or_insert_with(|| escape::bytes(said, SHOWN_LEN_MAX));
            }
            Event::Ready => users.ready += 1,
            Event::Refused => users.refused += 1,
            Event::Iterated { due_ns, first_ns, begun_ns, is_complete } => {
                self.iterated((due_ns, first_ns, begun_ns), is_complete);
            }
        }
    }
}
