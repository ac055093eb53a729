//! The name before a comparison to the number that a report has for it.

use super::{Unit, exact, names, percentile, time};
use crate::metrics::{HIGHEST_NS, Metric};
use crate::quantity;
use crate::report::{HistogramReport, Report};

/// A number with its unit.
pub type Measured = Option<f64>;

/// What a threshold is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A time of a histogram; `None` is `rtt`, which is `rtt.response` under open loop and
    /// `rtt.service` under closed loop.
    Time(Option<Metric>, Statistic),
    /// Durations in a histogram.
    Recorded(Option<Metric>),
    /// How often.
    Count(Counter),
    /// How often, of 100.
    Share(Counter),
    /// How often a second.
    Rate(Rated),
    /// The achieved rate, in percent of the offered one.
    AchievedShare,
}

/// A value of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// So many of 100 are not above it.
    Percentile(f64),
    /// The shortest.
    Min,
    /// The mean.
    Mean,
    /// The longest.
    Max,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections that failed and messages that went wrong.
    Errors,
    /// Connections that failed.
    Failed,
    /// Connections begun.
    Attempted,
    /// Connections opened by a valid handshake.
    Established,
    /// Connections that did all they should.
    Completed,
    /// Connections that were lost and were to be opened again (`--reconnect`).
    Dropped,
    /// Attempts to do so that were established.
    Reconnected,
    /// Connections that were lost and not open again at the end.
    Away,
    /// Messages sent, the warm-up's too, as in all that follow.
    Sent,
    /// Messages that came back as they were.
    Received,
    /// Messages that never came back.
    Lost,
    /// Messages that had not come back within the reply timeout.
    TimedOut,
    /// Of those, the ones that came back after all.
    Late,
    /// Messages that came back changed.
    Altered,
    /// Messages that came after a later one.
    Reordered,
    /// Messages that came again.
    Duplicated,
    /// Messages that nobody had sent.
    Unexpected,
    /// Messages that were due and were not sent.
    Unsent,
}

impl Counter {
    /// All.
    pub const ALL: [Self; 18] = [
        Self::Errors,
        Self::Failed,
        Self::Attempted,
        Self::Established,
        Self::Completed,
        Self::Dropped,
        Self::Reconnected,
        Self::Away,
        Self::Sent,
        Self::Received,
        Self::Lost,
        Self::TimedOut,
        Self::Late,
        Self::Altered,
        Self::Reordered,
        Self::Duplicated,
        Self::Unexpected,
        Self::Unsent,
    ];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Failed => "failed",
            Self::Attempted => "attempted",
            Self::Established => "established",
            Self::Completed => "completed",
            Self::Dropped => "dropped",
            Self::Reconnected => "reconnected",
            Self::Away => "away",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Late => "late",
            Self::Altered => "altered",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
            Self::Unexpected => "unexpected",
            Self::Unsent => "unsent",
        }
    }

    /// How often, and of how many. `None` if there was nothing that could have been counted.
    fn count(self, report: &Report) -> Option<(u64, u64)> {
        let connections = &report.connections;
        let of_connections = match self {
            Self::Failed => Some(connections.failed),
            Self::Attempted => Some(connections.attempted),
            Self::Established => Some(connections.established),
            Self::Completed => Some(connections.completed),
            _ => None,
        };
        if let Some(count) = of_connections {
            return (connections.attempted > 0).then_some((count, connections.attempted));
        }
        if matches!(self, Self::Dropped | Self::Reconnected | Self::Away) {
            let reconnect = report.reconnect.as_ref()?;
            let established = connections.established.saturating_add(reconnect.reestablished);
            // Of the connections that were there, or of those that were lost.
            let lost = reconnect.lost.max(1);
            return (established > 0).then_some(match self {
                Self::Dropped => (reconnect.lost, established),
                Self::Reconnected => (reconnect.reestablished, lost),
                _ => (reconnect.away, lost),
            });
        }
        let messages = report.messages.as_ref();
        let sum = |of: fn(&crate::report::SpanReport) -> u64| {
            messages.map_or(0, |messages| of(&messages.measured) + of(&messages.warmup))
        };
        let sent = sum(|span| span.sent);
        if self == Self::Errors {
            let sent = sent + report.deliveries().map_or(0, |deliveries| deliveries.expected);
            let errors = report.errors.iter().map(|error| error.count).sum();
            let all = connections.attempted + sent;
            return (all > 0).then_some((errors, all));
        }
        if let Some(deliveries) = report.deliveries() {
            let expected = deliveries.expected;
            let count = deliveries.count(self)?;
            return (expected > 0).then_some((count, expected));
        }
        let messages = messages?;
        if matches!(self, Self::TimedOut | Self::Late) && report.config.reply_timeout_ns.is_none() {
            return None; // nobody has looked
        }
        let unsent = sum(|span| span.unsent_closed + span.unsent_backlog + span.unsent_late);
        let all = if self == Self::Unsent { sent + unsent } else { sent };
        let count = match self {
            Self::Received => sum(|span| span.received),
            Self::Lost => sum(|span| span.lost),
            Self::TimedOut => sum(|span| span.timed_out),
            Self::Late => messages.late,
            Self::Altered => sum(|span| span.altered),
            Self::Reordered => sum(|span| span.reordered),
            Self::Duplicated => messages.duplicated,
            Self::Unexpected => messages.unexpected,
            Self::Unsent => unsent,
            _ => sent,
        };
        (all > 0).then_some((count, all))
    }
}

/// Something that has a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rated {
    /// Echoes a second.
    Achieved,
    /// Connections opened a second (`connect`).
    Opened,
}

impl Rated {
    /// All.
    pub const ALL: [Self; 2] = [Self::Achieved, Self::Opened];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Achieved => "achieved",
            Self::Opened => "opened",
        }
    }
}

impl Subject {
    /// What its number is a number of.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Time(..) => Unit::Time,
            Self::Recorded(_) | Self::Count(_) => Unit::Count,
            Self::Share(_) | Self::AchievedShare => Unit::Share,
            Self::Rate(_) => Unit::Rate,
        }
    }

    /// What a report has for it; `None` is no data.
    #[must_use]
    pub fn measure(&self, report: &Report) -> Measured {
        match self {
            Self::Time(metric, statistic) => statistic.of(histogram(report, *metric)?),
            Self::Recorded(metric) => {
                let found = histogram(report, *metric)?;
                Some(exact(found.below + found.count + found.above)).filter(|&count| count > 0.0)
            }
            Self::Count(counter) => counter.count(report).map(|(count, _)| exact(count)),
            Self::Share(counter) => {
                counter.count(report).map(|(count, all)| 100.0 * exact(count) / exact(all))
            }
            Self::Rate(Rated::Achieved) => measured_rate(report).map(|(achieved, _)| achieved),
            Self::Rate(Rated::Opened) => {
                report.phases.measured.and(report.connections.opened_per_s)
            }
            Self::AchievedShare => {
                let (achieved, offered) = measured_rate(report)?;
                offered.filter(|&offered| offered > 0.0).map(|offered| 100.0 * achieved / offered)
            }
        }
    }

    /// What `after` has in terms of what `before` has. Two zeros are the same.
    #[must_use]
    pub fn ratio(&self, before: &Report, after: &Report) -> Measured {
        let (before, after) = (self.measure(before)?, self.measure(after)?);
        if before > 0.0 {
            Some(after / before)
        } else {
            Some(if after > 0.0 { f64::INFINITY } else { 1.0 })
        }
    }
}

impl Statistic {
    /// `None` if nothing was recorded. What lies beyond the range counts as longer than all of it,
    /// so that no limit can be kept by being far off it.
    fn of(self, found: &HistogramReport) -> Option<f64> {
        let total = found.below + found.count + found.above;
        if total == 0 {
            return None;
        }
        let beyond = exact(HIGHEST_NS + 1);
        Some(match self {
            Self::Min if found.below > 0 => 0.0,
            Self::Min if found.count > 0 => exact(found.min_ns),
            Self::Max if found.above == 0 => exact(found.max_ns),
            Self::Mean if found.above == 0 => {
                exact(found.mean_ns) * exact(found.count) / exact(total)
            }
            Self::Percentile(percentile) => {
                let rank = (exact(total) * percentile / 100.0).ceil().max(1.0);
                let inside = rank - exact(found.below);
                if inside <= 0.0 {
                    0.0
                } else if inside > exact(found.count) {
                    beyond
                } else if found.below + found.above == 0 {
                    exact(found.value_at(percentile)?)
                } else {
                    exact(found.value_at(100.0 * inside / exact(found.count))?)
                }
            }
            Self::Min | Self::Max | Self::Mean => beyond,
        })
    }
}

fn histogram(report: &Report, metric: Option<Metric>) -> Option<&HistogramReport> {
    let metric = metric.unwrap_or_else(|| report.rtt());
    report.histogram(metric)
}

/// Achieved and offered messages a second, if any were to be sent in a measured time.
fn measured_rate(report: &Report) -> Option<(f64, Option<f64>)> {
    let messages = report.messages.as_ref().filter(|_| report.phases.measured.is_some())?;
    Some((messages.achieved_per_s, messages.offered_per_s))
}

/// Reads a name and the value that it is compared with.
pub(super) fn parse(name: &str, value: &str) -> Result<(Subject, f64), String> {
    let subject = subject(name)?;
    let share = value.strip_suffix('%').map(str::trim_end);
    let rate = value.strip_suffix("/s").unwrap_or(value);
    match (subject, share) {
        (Subject::Count(counter), Some(share)) => Ok((Subject::Share(counter), percent(share)?)),
        (Subject::Rate(Rated::Achieved), Some(share)) => {
            Ok((Subject::AchievedShare, percent(share)?))
        }
        (Subject::Rate(rated), Some(_)) => {
            Err(format!("there is no share of {}; use a rate like 100 or 50k/s", rated.name()))
        }
        (Subject::Rate(rated), None) => {
            // A limit of 0 is no rate, but something to compare with.
            let limit = if rate == "0" { 0.0 } else { quantity::rate(rate)?.per_s() };
            Ok((Subject::Rate(rated), limit))
        }
        (subject @ (Subject::Count(_) | Subject::Recorded(_)), _) => {
            Ok((subject, exact(quantity::count(value)?)))
        }
        (subject, _) => Ok((subject, time(value)?)),
    }
}

/// Reads a name.
pub(super) fn subject(name: &str) -> Result<Subject, String> {
    if let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == name) {
        return Ok(Subject::Count(counter));
    }
    if let Some(rated) = Rated::ALL.into_iter().find(|rated| rated.name() == name) {
        return Ok(Subject::Rate(rated));
    }
    if name == "rtt" || Metric::named(name).is_some() {
        return Err(format!("{name} has many values; use {name}.p99, .min, .mean, .max or .count"));
    }
    // The longest name that fits: the rest, which may have a point in it, is the value.
    let parts = name.match_indices('.').map(|(place, _)| (&name[..place], &name[place + 1..]));
    let found = parts
        .filter_map(|(metric, value)| match metric {
            "rtt" => Some((None, value)),
            metric => Some((Some(Metric::named(metric)?), value)),
        })
        .next_back();
    let unknown = || {
        let shown: String = name.chars().take(40).collect();
        format!("no metric \"{shown}\"; {}", names())
    };
    let (metric, value) = found.ok_or_else(unknown)?;
    Ok(match value {
        "count" => Subject::Recorded(metric),
        "min" => Subject::Time(metric, Statistic::Min),
        "mean" => Subject::Time(metric, Statistic::Mean),
        "max" => Subject::Time(metric, Statistic::Max),
        value => match percentile(value) {
            Some(percentile) => Subject::Time(metric, Statistic::Percentile(percentile)),
            None if metric.is_none() && value.contains('.') => return Err(unknown()),
            None => {
                return Err(format!(
                    "no value \"{value}\"; use .pNN up to p100, .min, .mean, .max or .count"
                ));
            }
        },
    })
}

fn percent(share: &str) -> Result<f64, String> {
    decimal(share).ok_or_else(|| format!("\"{share}%\" is not a share; use one like 1% or 99.9%"))
}

/// Digits with at most one point among them.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Distribution;
    use crate::report::reconnect::ReconnectReport as Reconnected;
    use crate::report::sample;

    fn measure(name: &str, value: &str, report: &Report) -> Measured {
        parse(name, value).unwrap().0.measure(report)
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
        (messages.measured.timed_out, messages.warmup.timed_out, messages.late) = (1, 1, 1);
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
