//! Turns the name before a comparison into the subject of a threshold.

use super::scenario::{Played, Value};
use super::statistic::{Statistic, decimal};
use super::{exact, suggestions, time};
use crate::metrics::Metric;
use crate::quantity;
use crate::units::Unit;

/// The subject of a threshold.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A time of a histogram; `None` stands for `rtt`, which is `rtt.response` under open loop and
    /// `rtt.service` under closed loop.
    Time(Option<Metric>, Statistic),
    /// The number of durations in a histogram.
    Recorded(Option<Metric>),
    /// A count.
    Count(Counter),
    /// A count as a percentage.
    Share(Counter),
    /// A count per second.
    Rate(Rated),
    /// The achieved rate as a percentage of the offered rate.
    AchievedShare,
    /// A value of a scenario; of 100 if it is a share.
    Played(Played, IsShare),
}

/// Whether a count is compared as a share of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsShare {
    /// Compared as a number.
    No,
    /// Compared as a share.
    Yes,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections that failed and messages that went wrong.
    Errors,
    /// Connections that failed.
    Failed,
    /// Connections started.
    Attempted,
    /// Connections opened by a valid handshake.
    Established,
    /// Connections that did everything they should.
    Completed,
    /// Connections that were lost and were to be reopened (`--reconnect`).
    Dropped,
    /// Attempts to reopen those that were established.
    Reconnected,
    /// Connections that were lost and not open again at the end.
    Away,
    /// Messages sent, including the warm-up, as in all below.
    Sent,
    /// Messages that came back unchanged.
    Received,
    /// Messages that never came back.
    Lost,
    /// Messages that did not come back within the reply timeout.
    TimedOut,
    /// Timed-out messages that came back after all.
    Late,
    /// Messages that came back changed.
    Altered,
    /// Messages that came after a later one.
    Reordered,
    /// Messages that came again.
    Duplicated,
    /// Messages received without having been sent.
    Unexpected,
    /// Messages that were due but not sent.
    Unsent,
}

impl Counter {
    /// All counters.
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

    /// Returns the name as typed.
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

    /// Returns what is counted, as the documentation says it.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Errors => "connections that failed and messages that went wrong",
            Self::Failed => "connections that failed",
            Self::Attempted => "connections begun",
            Self::Established => "connections opened by a valid handshake",
            Self::Completed => "connections that did all they should and were closed cleanly",
            Self::Dropped => "connections lost that were to stay open",
            Self::Reconnected => "attempts to open lost connections again that succeeded",
            Self::Away => "connections lost and not open again at the end",
            Self::Sent => "messages sent, those of the warm-up among them, as in all below",
            Self::Received => "messages that came back unchanged",
            Self::Lost => "messages that never came back",
            Self::TimedOut => "messages that did not come back within --reply-timeout",
            Self::Late => "messages that had timed out and came back after all",
            Self::Altered => "messages that came back changed",
            Self::Reordered => "messages that came after a later one",
            Self::Duplicated => "messages that came again",
            Self::Unexpected => "messages received without having been sent",
            Self::Unsent => "messages that were due and not sent",
        }
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
    /// All rates.
    pub const ALL: [Self; 2] = [Self::Achieved, Self::Opened];

    /// Returns the name as typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Achieved => "achieved",
            Self::Opened => "opened",
        }
    }
}

impl Subject {
    /// Returns the unit of its number.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Time(..)
            | Self::Played(Played::Step(_, Value::Time(_)) | Played::Rule(_, Value::Time(_)), _) => {
                Unit::Time
            }
            Self::Recorded(_) | Self::Count(_) | Self::Played(_, IsShare::No) => Unit::Count,
            Self::Share(_) | Self::AchievedShare | Self::Played(_, IsShare::Yes) => Unit::Share,
            Self::Rate(_) => Unit::Rate,
        }
    }
}

/// Reads a name and the value to compare with.
pub(super) fn parse(name: &str, value: &str) -> Result<(Subject, f64), String> {
    let subject = subject(name)?;
    let share = value.strip_suffix('%').map(str::trim_end);
    let rate = value.strip_suffix("/s").unwrap_or(value);
    match (subject, share) {
        (Subject::Count(counter), Some(share)) => Ok((Subject::Share(counter), percent(share)?)),
        (
            Subject::Played(
                played @ (Played::Ready | Played::Unmatched | Played::Step(_, Value::Count(_))),
                _,
            ),
            Some(share),
        ) => Ok((Subject::Played(played, IsShare::Yes), percent(share)?)),
        (subject @ Subject::Played(..), _) if subject.unit() == Unit::Count => {
            Ok((subject, exact(quantity::count(value)?)))
        }
        (Subject::Rate(Rated::Achieved), Some(share)) => {
            Ok((Subject::AchievedShare, percent(share)?))
        }
        (Subject::Rate(rated), Some(_)) => {
            Err(format!("{} can't be a share; use a rate like 100 or 50k/s", rated.name()))
        }
        (Subject::Rate(rated), None) => {
            // A limit of 0 is no rate, but can be compared with.
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
impl Subject {
    /// Returns what a name before a comparison is about, if there is such a thing.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        subject(name).ok()
    }
}

pub(super) fn subject(name: &str) -> Result<Subject, String> {
    if let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == name) {
        return Ok(Subject::Count(counter));
    }
    if let Some(played) = super::scenario::parse(name) {
        return played.map(|played| Subject::Played(played, IsShare::No));
    }
    if let Some(rated) = Rated::ALL.into_iter().find(|rated| rated.name() == name) {
        return Ok(Subject::Rate(rated));
    }
    if name == "rtt" || Metric::named(name).is_some() {
        return Err(format!("{name} has many values; use {name}.p99, .min, .mean, .max or .count"));
    }
    // The longest name that fits: the rest, which may have a dot in it, is the value.
    let parts = name.match_indices('.').map(|(place, _)| (&name[..place], &name[place + 1..]));
    let found = parts
        .filter_map(|(metric, value)| match metric {
            "rtt" => Some((None, value)),
            metric => Some((Some(Metric::named(metric)?), value)),
        })
        .next_back();
    let unknown = || {
        let shown: String = name.chars().take(40).collect();
        format!("no metric \"{shown}\"; {}", suggestions(name))
    };
    let (metric, value) = found.ok_or_else(unknown)?;
    Ok(match value {
        "count" => Subject::Recorded(metric),
        value => match Statistic::parse(value) {
            Some(statistic) => Subject::Time(metric, statistic),
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
