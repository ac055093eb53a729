//! Arguments for how events keep to schedule.

use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::quantity::{self, Rate};

/// How the rate changes, and how events are spread.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Changes the rate linearly over a time, such as 30s:10k (repeatable)
    ///
    /// 0s:10k jumps. The rate is messages per second in run, starting from -R or 0, and connections
    /// per second in connect, starting from -C or 0. The run lasts as long as all stages together.
    #[arg(long = "stage", value_name = "T:RATE", value_parser = StageAsked::parse, allow_hyphen_values = true)]
    pub stages: Vec<StageAsked>,
    /// Spacing of events with a rate: constant or poisson [default: constant]
    #[arg(long, value_name = "KIND")]
    pub arrivals: Option<Arrivals>,
}

/// How gaps between events are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// All as long as the rate says.
    #[default]
    Constant,
    /// Exponentially, so that events come independently of each other.
    Poisson,
}

impl Arrivals {
    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

impl ValueEnum for Arrivals {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Constant, Self::Poisson]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// A rate as the user gave it: in all, or for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateAsked {
    per_1000_s: u64,
    is_each: bool,
}

impl RateAsked {
    /// Reads `10k`, or `10/conn` for each connection.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rate, is_each) = split(text)?;
        Ok(Self { per_1000_s: quantity::rate(rate)?.per_1000_s(), is_each })
    }

    /// Returns a rate in all.
    #[must_use]
    pub const fn of(rate: Rate) -> Self {
        Self { per_1000_s: rate.per_1000_s(), is_each: false }
    }

    /// Returns the rate of all connections together; `None` if it is out of range.
    pub(crate) fn of_all(self, connections: u64) -> Option<u64> {
        let factor = if self.is_each { connections } else { 1 };
        let all = self.per_1000_s.checked_mul(factor)?;
        (all == 0 || Rate::new(all).is_some()).then_some(all)
    }
}

fn split(text: &str) -> Result<(&str, bool), String> {
    match text.split_once('/') {
        None => Ok((text, false)),
        Some((rate, "s")) => Ok((rate, false)),
        Some((rate, "conn" | "conn/s")) => Ok((rate, true)),
        Some((_, per)) => {
            Err(format!("unknown /{per:?}; use 10k in total, or 10/conn per connection"))
        }
    }
}

/// A stage as the user gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageAsked {
    pub(crate) length: Duration,
    pub(crate) target: RateAsked,
}

impl StageAsked {
    /// Reads `30s:10k` or `30s:10/conn`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (length, rate) =
            text.split_once(':').ok_or("no colon; use a time and a rate like 30s:10k")?;
        let length = quantity::duration(length)?;
        let (digits, is_each) = split(rate)?;
        // The only rate that may be 0 is that of a stage's end.
        let is_zero = !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
        let target =
            if is_zero { RateAsked { per_1000_s: 0, is_each } } else { RateAsked::parse(rate)? };
        Ok(Self { length, target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_in_all_and_of_each() {
        let all = |text: &str| RateAsked::parse(text).unwrap().of_all(50);
        assert_eq!((all("10k"), all("10/conn")), (Some(10_000_000), Some(500_000)));
        assert_eq!((all("0.5/conn"), all("100M")), (Some(25_000), Some(100_000_000_000)));
        assert_eq!(all("100M/conn"), None);
        assert_eq!(all("1000/s"), Some(1_000_000), "E6: as reports print it");
        assert_eq!((all("1,000/s"), all("50k/s")), (Some(1_000_000), Some(50_000_000)));
        assert_eq!(all("10/conn/s"), Some(500_000));
        for (text, why) in [
            ("10/c", "10/conn per"),
            ("/conn", "not a rate"),
            ("0/conn", "out of range"),
            ("x", "not a rate"),
        ] {
            let said = RateAsked::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn stages_are_times_and_rates() {
        let stage = |text: &str| StageAsked::parse(text).map(|stage| stage.length.as_millis());
        assert_eq!(
            (stage("30s:10k"), stage("0s:0"), stage("1m30s:2/conn")),
            (Ok(30_000), Ok(0), Ok(90_000))
        );
        for (text, why) in [
            ("30s", "no colon"),
            ("30:", "not a rate"),
            (":5", "not a time"),
            ("1s:-5", "negative"),
            ("1s:5/x", "10/conn"),
        ] {
            let said = StageAsked::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
