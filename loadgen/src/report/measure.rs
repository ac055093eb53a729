//! Finds the value of a threshold's subject in a report, and judges by the threshold.

use super::{HistogramReport, MessageCounts, Report, ThresholdReport, scenario};
use crate::metrics::{HIGHEST_NS, Metric};
use crate::threshold::{Counter, Rated, Statistic, Subject, Threshold};
use crate::units::{self, Unit};

impl Report {
    /// Judges this report by a threshold.
    #[must_use]
    pub fn judged_by(&self, threshold: &Threshold) -> ThresholdReport {
        let subject = threshold.subject();
        judged(threshold, self.measure(subject), subject.unit())
    }

    /// Returns the echoes that arrived in the measured time, in percent of the messages due in it;
    /// including missing segments, whose share is that of their connections. `None` without a
    /// schedule, or if nothing was due.
    ///
    /// Echoes of messages that were due before the measured time can make it more than 100.
    #[must_use]
    pub fn achieved_percent(&self) -> Option<f64> {
        let messages = self.messages.as_ref().filter(|_| self.phases.measured.is_some())?;
        messages.offered_per_s?;
        let counts = &messages.measured;
        let unsent = counts.unsent_closed + counts.unsent_backlog + counts.unsent_late;
        let (asked, present) = (self.config.connections, self.connections_reported());
        let missing =
            if self.merged.is_some() { exact(asked) / exact(present.max(1)) } else { 1.0 };
        let due = exact(counts.sent + unsent) * missing;
        (due > 0.0).then(|| 100.0 * exact(messages.arrivals.arrived) / due)
    }
}

fn judged(threshold: &Threshold, measured: Option<f64>, unit: Unit) -> ThresholdReport {
    ThresholdReport {
        expression: threshold.to_string(),
        is_passed: measured.is_some_and(|value| threshold.holds(value)),
        measured,
        unit,
    }
}

impl ThresholdReport {
    /// Judges a ratio of two results; `None` stands for no data.
    #[must_use]
    pub(super) fn of_ratio(threshold: &Threshold, ratio: Option<f64>) -> Self {
        judged(threshold, ratio, Unit::Ratio)
    }

    /// Formats the measured value for people.
    #[must_use]
    pub fn shown(&self) -> String {
        units::number(self.measured, self.unit)
    }
}

impl Report {
    /// Returns the value of a threshold's subject; `None` if there is no data.
    #[must_use]
    pub fn measure(&self, subject: &Subject) -> Option<f64> {
        match subject {
            Subject::Time(metric, statistic) => histogram(self, *metric)?.measure(*statistic),
            Subject::Recorded(metric) => {
                let found = histogram(self, *metric)?;
                Some(exact(found.below + found.count + found.above)).filter(|&count| count > 0.0)
            }
            Subject::Count(counter) => self.count(*counter).map(|(count, _)| exact(count)),
            Subject::Share(counter) => {
                self.count(*counter).map(|(count, all)| 100.0 * exact(count) / exact(all))
            }
            Subject::Rate(Rated::Achieved) => measured_rate(self),
            Subject::Rate(Rated::Opened) => self.phases.measured.and(self.connections.opened_per_s),
            Subject::AchievedShare => self.achieved_percent(),
            Subject::Played(played, is_share) => {
                scenario::measure(self.scenario.as_ref()?, played, *is_share)
            }
        }
    }

    /// Returns a count, and the total that it is a share of. `None` if nothing could have been
    /// counted.
    fn count(&self, counter: Counter) -> Option<(u64, u64)> {
        let connections = &self.connections;
        let of_connections = match counter {
            Counter::Failed => Some(connections.failed),
            Counter::Attempted => Some(connections.attempted),
            Counter::Established => Some(connections.established),
            Counter::Completed => Some(connections.completed),
            _ => None,
        };
        if let Some(count) = of_connections {
            // The connections of a missing segment were neither started nor did they fail.
            let missing = match counter {
                Counter::Failed => 0,
                _ => self.connections_missing(),
            };
            let all = connections.attempted + missing;
            return (connections.attempted > 0).then_some((count, all));
        }
        if matches!(counter, Counter::Dropped | Counter::Reconnected | Counter::Away) {
            let reconnect = self.reconnect.as_ref()?;
            let established = connections.established.saturating_add(reconnect.reestablished);
            // Of the connections that existed, or of those that were lost.
            let lost = reconnect.lost.max(1);
            return (established > 0).then_some(match counter {
                Counter::Dropped => (reconnect.lost, established),
                Counter::Reconnected => (reconnect.reestablished, lost),
                _ => (reconnect.away, lost),
            });
        }
        let messages = self.messages.as_ref();
        let sum = |of: fn(&MessageCounts) -> u64| {
            messages.map_or(0, |messages| of(&messages.measured) + of(&messages.warmup))
        };
        let sent = sum(|span| span.sent);
        if counter == Counter::Errors {
            let sent = sent + self.deliveries().map_or(0, |deliveries| deliveries.expected);
            let errors = self.errors.iter().map(|error| error.count).sum();
            let all = connections.attempted + sent;
            return (all > 0).then_some((errors, all));
        }
        if let Some(deliveries) = self.deliveries() {
            let expected = deliveries.expected;
            let count = deliveries.count(counter)?;
            return (expected > 0).then_some((count, expected));
        }
        let messages = messages?;
        if matches!(counter, Counter::TimedOut | Counter::Late)
            && self.config.reply_timeout_ns.is_none()
        {
            return None; // nobody has looked
        }
        let unsent = sum(|span| span.unsent_closed + span.unsent_backlog + span.unsent_late);
        let all = if counter == Counter::Unsent { sent + unsent } else { sent };
        let count = match counter {
            Counter::Received => sum(|span| span.received),
            Counter::Lost => sum(|span| span.lost),
            Counter::TimedOut => sum(|span| span.timed_out),
            Counter::Late => messages.arrivals.late,
            Counter::Altered => sum(|span| span.altered),
            Counter::Reordered => sum(|span| span.reordered),
            Counter::Duplicated => messages.arrivals.duplicated,
            Counter::Unexpected => messages.arrivals.unexpected,
            Counter::Unsent => unsent,
            _ => sent,
        };
        (all > 0).then_some((count, all))
    }
}

impl HistogramReport {
    /// Returns `None` if nothing was recorded. Values beyond the range count as longer than all of
    /// it, so that no limit can be met by exceeding the range.
    pub(super) fn measure(&self, statistic: Statistic) -> Option<f64> {
        let total = self.below + self.count + self.above;
        if total == 0 {
            return None;
        }
        let beyond = exact(HIGHEST_NS + 1);
        Some(match statistic {
            Statistic::Min if self.below > 0 => 0.0,
            Statistic::Min if self.count > 0 => exact(self.min_ns),
            Statistic::Max if self.above == 0 => exact(self.max_ns),
            Statistic::Mean if self.above == 0 => {
                exact(self.mean_ns) * exact(self.count) / exact(total)
            }
            Statistic::Percentile(percentile) => {
                let rank = (exact(total) * percentile / 100.0).ceil().max(1.0);
                let inside = rank - exact(self.below);
                if inside <= 0.0 {
                    0.0
                } else if inside > exact(self.count) {
                    beyond
                } else if self.below + self.above == 0 {
                    exact(self.value_at(percentile)?)
                } else {
                    exact(self.value_at(100.0 * inside / exact(self.count))?)
                }
            }
            Statistic::Min | Statistic::Max | Statistic::Mean => beyond,
        })
    }
}

fn histogram(report: &Report, metric: Option<Metric>) -> Option<&HistogramReport> {
    let metric = metric.unwrap_or_else(|| report.rtt());
    report.histogram(metric)
}

/// Returns achieved messages a second, if any were to be sent in a measured time.
fn measured_rate(report: &Report) -> Option<f64> {
    let messages = report.messages.as_ref().filter(|_| report.phases.measured.is_some())?;
    Some(messages.achieved_per_s)
}

/// Returns a count as a float that compares as the integer does.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds below 2^53")]
const fn exact(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Distribution;
    use crate::report::reconnect::ReconnectReport as Reconnected;
    use crate::report::sample;

    fn measure(name: &str, value: &str, report: &Report) -> Option<f64> {
        report.measure(Threshold::parse(&format!("{name}<{value}")).unwrap().subject())
    }

    fn with(values: &[u64]) -> Report {
        let mut distribution = Distribution::new();
        for &ns in values {
            distribution.record(ns);
        }
        let mut report = sample();
        report.histograms = vec![HistogramReport::new(Metric::RttService, &distribution)];
        report
    }

    #[test]
    fn any_percentile_is_to_be_had() {
        let values: Vec<u64> = (1..=1_000).map(|us| us * 1_000).collect();
        let report = with(&values);
        for (name, ns) in [("rtt.p50", 500_000), ("rtt.p97.5", 975_000), ("rtt.max", 1_000_000)] {
            let measured = measure(name, "1s", &report).unwrap();
            assert!((measured - exact(ns)).abs() < exact(ns) / 500.0, "{name}: {measured}");
        }
        assert_eq!(measure("rtt.service.count", "1", &report), Some(1_000.0));
        assert_eq!(measure("rtt.min", "1s", &report), Some(1_000.0));
        assert_eq!(measure("connect.tcp.p50", "1s", &report), None);
    }

    #[test]
    fn what_is_out_of_range_is_long() {
        let mut values = vec![1_000; 97];
        values.extend([u64::MAX; 3]);
        let report = with(&values);
        let beyond = Some(exact(HIGHEST_NS + 1));
        assert_eq!(measure("rtt.max", "1s", &report), beyond);
        assert_eq!(measure("rtt.mean", "1s", &report), beyond);
        assert_eq!(measure("rtt.p98", "1s", &report), beyond);
        assert_eq!(measure("rtt.p97", "1s", &report), Some(1_000.0));
        assert_eq!(measure("rtt.count", "1", &report), Some(100.0));
    }

    #[test]
    fn messages_time_out_where_there_is_a_timeout() {
        let mut report = sample();
        for name in ["timed_out", "late"] {
            assert_eq!(measure(name, "0", &report), None, "{name}: nobody has looked");
        }
        report.config.reply_timeout_ns = Some(5);
        let messages = report.messages.as_mut().unwrap();
        (messages.measured.timed_out, messages.warmup.timed_out, messages.arrivals.late) =
            (1, 1, 1);
        messages.warmup.sent = 4;
        for (name, value, measured) in
            [("timed_out", "1", 2.0), ("timed_out", "1%", 25.0), ("late", "1", 1.0)]
        {
            assert_eq!(measure(name, value, &report), Some(measured), "{name} {value}");
        }
    }

    #[test]
    fn lost_connections_are_counted_where_they_are_opened_again() {
        let mut report = sample();
        assert_eq!(measure("away", "0", &report), None, "nobody has looked");
        let counts = Reconnected { lost: 8, reestablished: 6, away: 2, ..Reconnected::default() };
        report.reconnect = Some(counts);
        for (name, value, measured) in [
            ("dropped", "1", 8.0),
            ("dropped", "50%", 100.0),
            ("reconnected", "1", 6.0),
            ("reconnected", "1%", 75.0),
            ("away", "1%", 25.0),
        ] {
            assert_eq!(measure(name, value, &report), Some(measured), "{name} {value}");
        }
        report.reconnect = Some(Reconnected::default());
        assert_eq!(measure("away", "0%", &report), Some(0.0), "none was lost");
    }

    #[test]
    fn counts_and_shares() {
        let mut report = sample();
        report.connections.attempted = 200;
        report.connections.failed = 3;
        let messages = report.messages.as_mut().unwrap();
        (messages.measured.sent, messages.measured.lost) = (900, 10);
        (messages.warmup.sent, messages.warmup.lost) = (100, 10);
        (messages.offered_per_s, messages.achieved_per_s) = (Some(100.0), 98.0);
        (messages.measured.unsent_late, messages.arrivals.arrived) = (100, 980);
        for (name, value, measured) in [
            ("failed", "1", 3.0),
            ("failed", "1%", 1.5),
            ("lost", "1", 20.0),
            ("lost", "1%", 2.0),
            ("duplicated", "1", 0.0),
            ("achieved", "1%", 98.0),
            ("achieved", "1/s", 98.0),
        ] {
            assert_eq!(measure(name, value, &report), Some(measured), "{name} {value}");
        }
    }

    #[test]
    fn p4_percent_achieved_is_of_what_was_due() {
        let achieved = |per_s: f64, due: u64, arrived: u64| {
            let mut report = sample();
            let messages = report.messages.as_mut().unwrap();
            (messages.offered_per_s, messages.arrivals.arrived) = (Some(per_s), arrived);
            messages.measured = MessageCounts { sent: due, ..MessageCounts::default() };
            measure("achieved", "1%", &report)
        };
        // In a second a message is due at once, and at 1.5/s another after 667 ms.
        assert_eq!(achieved(0.1, 1, 1), Some(100.0));
        assert_eq!(achieved(1.5, 2, 2), Some(100.0));
        assert_eq!(achieved(0.1, 1, 0), Some(0.0));
        assert_eq!(achieved(0.1, 0, 0), None, "nothing was due");
    }

    #[test]
    fn nothing_is_no_data() {
        let mut report = sample();
        report.connections.attempted = 0;
        report.histograms.clear();
        report.phases.measured = None;
        let messages = report.messages.as_mut().unwrap();
        (messages.measured.sent, messages.warmup.sent) = (0, 0);
        for (name, value) in [
            ("failed", "1"),
            ("errors", "1%"),
            ("lost", "1"),
            ("lost", "1%"),
            ("achieved", "0"),
            ("achieved", "1%"),
            ("opened", "1"),
            ("rtt.p99", "1s"),
            ("rtt.count", "1"),
        ] {
            assert_eq!(measure(name, value, &report), None, "{name} {value}");
        }
        report.messages = None;
        assert_eq!(measure("sent", "1", &report), None);
    }
}
