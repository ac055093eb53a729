//! Decides whether the server did everything it should, and whether thresholds PASS or FAIL.
//!
//! Anything that failed, was lost or came back wrong fails a run, unless a threshold is about it:
//! then the threshold says how much is too much.

use super::fanout::FanoutReport;
use super::hold::{HoldReport, PingReport};
use super::merge::DiedReport;
use super::{MessageCounts, OutcomeReport, Report, SegmentReport};
use crate::config::Segment;
use crate::exit::Exit;
use crate::threshold::{Counter, Threshold};
use crate::verdict::State;
use crate::{escape, units};

impl Report {
    /// Judges the report anew by these thresholds.
    pub fn judge(&mut self, thresholds: &[Threshold]) {
        self.thresholds = thresholds.iter().map(|threshold| self.judged_by(threshold)).collect();
        let mut faults = Faults { thresholds, reasons: Vec::new(), left: Vec::new() };
        self.faults(&mut faults);
        let Faults { reasons, left, .. } = faults;
        let is_ok = reasons.is_empty();
        self.outcome = OutcomeReport { is_ok, reasons, left_to_thresholds: left };
    }

    /// Returns the exit code of a command that ends with this report.
    ///
    /// A saturated client can't say that a server is too slow, so a failed threshold counts only if
    /// the client was not saturated.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let is_saturated = self.verdict.state == State::Saturated;
        let is_passed = self.thresholds.iter().all(|threshold| threshold.is_passed);
        if self.is_interrupted {
            Exit::Interrupted
        } else if (!is_passed || self.aborted_by.is_some()) && !is_saturated {
            Exit::Threshold
        } else if !self.outcome.is_ok {
            Exit::Failed
        } else if is_saturated {
            Exit::NotValid
        } else {
            Exit::Ok
        }
    }

    /// Returns the connections planned to be open at once in the processes that the report covers.
    #[must_use]
    pub fn connections_planned(&self) -> u64 {
        let all = self.config.connections;
        match self.config.segment {
            Some(segment) => self.connections_of(segment),
            None => all.saturating_sub(self.connections_missing()),
        }
    }

    /// Returns the connections of segments whose result is missing.
    pub(super) fn connections_missing(&self) -> u64 {
        let Some(merged) = &self.merged else { return 0 };
        let of = |&index: &u64| self.connections_of(SegmentReport { index, of: merged.of });
        merged.missing.iter().map(of).sum()
    }

    /// Returns the connections planned in the processes that have reported what they sent.
    pub(super) fn connections_reported(&self) -> u64 {
        let Some(merged) = &self.merged else { return self.connections_planned() };
        let of = |died: &DiedReport| {
            self.connections_of(SegmentReport { index: died.segment, of: merged.of })
        };
        self.connections_planned().saturating_sub(merged.died.iter().map(of).sum())
    }

    fn connections_of(&self, SegmentReport { index, of }: SegmentReport) -> u64 {
        let all = self.config.connections;
        Segment::new(index, of).map_or(0, |segment| segment.connections(all))
    }

    /// Returns the line for a server that answered but echoed nothing.
    fn no_echo(&self) -> Option<String> {
        let messages = self.messages.as_ref()?;
        let sum = |of: fn(&MessageCounts) -> u64| of(&messages.measured) + of(&messages.warmup);
        if messages.arrivals.unexpected == 0
            || sum(|span| span.sent) == 0
            || sum(|span| span.received + span.altered)
                + messages.arrivals.duplicated
                + messages.arrivals.late
                > 0
        {
            return None;
        }
        let is_unexpected =
            |error: &&super::ErrorReport| error.phase == "message" && error.code == "unexpected";
        let sample = self.errors.iter().find(is_unexpected).map_or("", |error| &error.sample);
        Some(format!(
            "this server does not echo: none of the {} sent came back, but {} did ({sample}). \
             `run` measures echo servers; use `loadgen hold` to keep connections open, `loadgen listen` \
             or `loadgen fanout --subscribe` for what a server pushes, `loadgen check` to look at it",
            units::counted(sum(|span| span.sent), "message"),
            units::counted(messages.arrivals.unexpected, "other"),
        ))
    }

    /// Describes why connections failed, with counts.
    fn kinds_of_failures(&self) -> String {
        let kinds =
            self.errors.iter().filter(|error| error.phase != "message").map(|error| {
                format!("{}.{} {}", error.phase, error.code, units::count(error.count))
            });
        kinds.collect::<Vec<_>>().join(", ")
    }

    /// Returns the line for a server that accepted no connection.
    fn no_connection(&self) -> String {
        let kinds = self.kinds_of_failures();
        let why = if kinds.is_empty() { kinds } else { format!(" ({kinds})") };
        let hint = match self.target.urls.first() {
            Some(url) if !self.target.is_embedded => {
                format!("; look at the server with: loadgen check {}", escape::shell(&url.url))
            }
            _ => String::new(),
        };
        format!("no connection was established{why}{hint}")
    }

    fn faults(&self, faults: &mut Faults<'_>) {
        let connections = &self.connections;
        if let Some(merged) = &self.merged {
            faults.extend(merged.died.iter().map(|died| died.said(merged.of)));
        }
        if connections.attempted == 0 {
            faults.add("no connection was started".into());
        } else if connections.established == 0 {
            faults.add(self.no_connection());
        }
        let planned = if self.phases.ramp.is_some() { self.connections_planned() } else { 0 };
        let unbegun = planned.saturating_sub(connections.attempted);
        if unbegun > 0 {
            faults.add(format!("{} never started", units::counted(unbegun, "connection")));
        }
        if connections.failed > 0 && connections.established > 0 {
            let kinds = self.kinds_of_failures();
            let failed = units::counted(connections.failed, "connection");
            let line = format!("{failed} failed ({kinds})");
            faults.count(&[Counter::Failed, Counter::Completed], line);
        }
        if let Some(line) = self.no_echo() {
            faults.add(line); // what else is missing is missing because of that
        } else if let Some(messages) = &self.messages {
            let sum = |of: fn(&MessageCounts) -> u64| of(&messages.measured) + of(&messages.warmup);
            for (count, counter, what) in [
                (sum(|span| span.lost), Counter::Lost, "lost"),
                (sum(|span| span.timed_out), Counter::TimedOut, "timed out"),
                (sum(|span| span.altered), Counter::Altered, "altered"),
                (sum(|span| span.reordered), Counter::Reordered, "received out of order"),
                (messages.arrivals.duplicated, Counter::Duplicated, "received twice"),
                (
                    messages.arrivals.unexpected,
                    Counter::Unexpected,
                    "received without having been sent",
                ),
            ] {
                if count > 0 {
                    faults
                        .count(&[counter], format!("{} {what}", units::counted(count, "message")));
                }
            }
            if connections.established > 0 && messages.measured.received == 0 {
                faults.add("no echo was received in the measured time".into());
            }
        }
        if let Some(scenario) = &self.scenario {
            for (step, line) in scenario.faults() {
                faults.played(|threshold| threshold.is_about_step(step), line);
            }
            for (rule, line) in scenario.rule_faults() {
                faults.played(|threshold| threshold.is_about_rule(rule), line);
            }
            let unmatched = scenario.messages.unmatched;
            if scenario.unmatched_fails && unmatched > 0 {
                faults.add(format!("{} unmatched", units::counted(unmatched, "message")));
            }
        }
        if let Some(deliveries) = self.deliveries().filter(|_| connections.established > 0) {
            let (one, several) =
                if self.fanout.is_some() { ("copy", "copies") } else { ("message", "messages") };
            for (counter, line) in deliveries.faults(one) {
                faults.count(&[counter], line);
            }
            if deliveries.received == 0 || self.is_returned() {
                faults.add(self.nothing_came(several));
            }
        }
        faults.extend(self.hold.as_ref().and_then(HoldReport::faults));
        faults.extend(self.fanout.as_ref().and_then(FanoutReport::faults));
        faults.extend(self.pings.as_ref().and_then(PingReport::faults));
        if !self.imbalances.is_empty() {
            faults.add(format!("fault of this program: {}", self.imbalances.join("; ")));
        }
    }
}

/// What is wrong, and which threshold judges it.
struct Faults<'t> {
    thresholds: &'t [Threshold],
    reasons: Vec<String>,
    left: Vec<String>,
}

impl Faults<'_> {
    /// Adds a fault that fails the run.
    fn add(&mut self, line: String) {
        self.reasons.push(line);
    }

    fn extend(&mut self, lines: impl IntoIterator<Item = String>) {
        self.reasons.extend(lines);
    }

    /// Adds a fault of a scenario, unless a threshold is about it, which then judges it instead.
    fn played(&mut self, is_about: impl Fn(&Threshold) -> bool, line: String) {
        match self.thresholds.iter().find(|threshold| is_about(threshold)) {
            Some(threshold) => self.left.push(format!("{line}: judged by your {threshold}")),
            None => self.reasons.push(line),
        }
    }

    /// Adds a fault that one of `counters` counts: a threshold about it, or about all errors,
    /// judges it instead.
    fn count(&mut self, counters: &[Counter], line: String) {
        let is_about = |threshold: &&Threshold| {
            threshold.is_about(Counter::Errors)
                || counters.iter().any(|&counter| threshold.is_about(counter))
        };
        match self.thresholds.iter().find(is_about) {
            Some(threshold) => self.left.push(format!("{line}: judged by your {threshold}")),
            None => self.reasons.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ErrorReport, sample};

    fn judged(thresholds: &[&str], change: impl FnOnce(&mut Report)) -> Report {
        let mut report = sample();
        change(&mut report);
        let thresholds: Vec<_> =
            thresholds.iter().map(|text| Threshold::parse(text).unwrap()).collect();
        report.judge(&thresholds);
        report
    }

    fn one_failed(report: &mut Report) {
        report.connections.completed -= 1;
        report.connections.failed = 1;
        report.errors = vec![ErrorReport {
            phase: "tcp".into(),
            code: "refused".into(),
            count: 1,
            sample: "no".into(),
            other_samples: Vec::new(),
        }];
    }

    #[test]
    fn e8_a_threshold_takes_over_and_says_so() {
        let report = judged(&[], one_failed);
        assert_eq!(report.outcome.reasons, ["1 connection failed (tcp.refused 1)"]);
        assert_eq!(report.exit(), Exit::Failed);
        for passing in ["failed<=50%", "errors<10", "completed>=1"] {
            let report = judged(&[passing], one_failed);
            assert_eq!((report.exit(), report.outcome.is_ok), (Exit::Ok, true), "{passing}");
            let left = format!("1 connection failed (tcp.refused 1): judged by your {passing}");
            assert_eq!(report.outcome.left_to_thresholds, [left]);
        }
        let failing = judged(&["failed<1%"], one_failed);
        assert_eq!(failing.exit(), Exit::Threshold);
        let other = judged(&["lost<1%"], one_failed);
        assert_eq!((other.exit(), other.thresholds[0].is_passed), (Exit::Failed, true));
    }

    #[test]
    fn exit_codes_in_their_order() {
        let slow = &["rtt.p99<1ns"][..];
        let saturated = |report: &mut Report| report.verdict.state = State::Saturated;
        assert_eq!(judged(&[], |_| {}).exit(), Exit::Ok);
        assert_eq!(judged(&[], saturated).exit(), Exit::NotValid);
        assert_eq!(judged(slow, |_| {}).exit(), Exit::Threshold);
        assert_eq!(judged(slow, saturated).exit(), Exit::NotValid, "never the server's fault");
        assert_eq!(judged(slow, one_failed).exit(), Exit::Threshold);
        let all = judged(slow, |report| {
            one_failed(report);
            saturated(report);
            report.is_interrupted = true;
        });
        assert_eq!(all.exit(), Exit::Interrupted);
    }

    #[test]
    fn no_data_fails() {
        let report = judged(&["connect.total.p99<1h"], |report| report.histograms.clear());
        let [found] = &report.thresholds[..] else { panic!() };
        assert_eq!(
            (found.is_passed, found.measured, found.shown()),
            (false, None, "no data".into())
        );
    }
}
