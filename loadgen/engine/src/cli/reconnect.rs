//! Arguments for lost connections.

use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::quantity;

/// A share of all, in thousandths of a percent.
pub const SHARE_ALL: u64 = 100_000;

const HELP: &str =
    "Opens lost connections again, after pauses [default: no; without a value 100ms..10s]";
const LONG_HELP: &str = "Opens lost connections again, after pauses

A connection is lost when the server closes it with any code, ends or resets it, or breaks the \
    protocol. Each pause is random, up to a bound that starts at FIRST, doubles with each attempt \
    and stops at MAX; it goes back to FIRST once a connection has been open for MAX. Messages that \
    are due while a connection is away count as unsent. A connection that never opened isn't \
    retried. [default: no; without a value 100ms..10s]";

/// Whether lost connections are opened again.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub struct ReconnectArgs {
    /// The pauses before a lost connection is opened again.
    #[arg(long, value_name = "FIRST..MAX", help = HELP, long_help = LONG_HELP, num_args = 0..=1, require_equals = true, default_missing_value = ReconnectAsked::DEFAULT, value_parser = ReconnectAsked::parse)]
    pub reconnect: Option<ReconnectAsked>,
    /// How pauses before a lost connection is opened again are drawn [default: full]
    ///
    /// full draws each pause between zero and its bound. none takes the bound itself, so that
    /// connections lost together come back together. decorrelated draws between FIRST and three
    /// times the pause before, up to MAX.
    #[arg(long, value_name = "JITTER")]
    pub jitter: Option<Jitter>,
    /// Cuts connections at a moment of the measured time, such as 50%@10s
    ///
    /// SHARE is a percentage of -c, or all. A cut ends TCP without a Close, as when a network or a
    /// proxy fails. Cut connections are opened again as --reconnect says, and the report has how
    /// long that took: until 50, 90, 99 and 100 % were back, and how many attempts that was.
    #[arg(long, value_name = "SHARE@TIME", value_parser = StormAsked::parse)]
    pub storm: Option<StormAsked>,
}

/// How the pauses before lost connections are opened again are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// The bound itself.
    None,
    /// Evenly between zero and the bound.
    #[default]
    Full,
    /// Evenly between the first bound and three times the pause before.
    Decorrelated,
}

impl Jitter {
    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
            Self::Decorrelated => "decorrelated",
        }
    }
}

impl ValueEnum for Jitter {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::None, Self::Full, Self::Decorrelated]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Connections that are cut at a moment, as the user gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormAsked {
    /// How many of all connections, in thousandths of a percent; from 1 to 100,000.
    pub share: u64,
    /// When, after the begin of the measured time.
    pub at: Duration,
}

impl StormAsked {
    /// Reads `SHARE@TIME`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "use a share and a time, like 50%@10s or all@10s";
        let (share, at) = text.split_once('@').ok_or_else(|| format!("no @; {form}"))?;
        let share = match (share, share.strip_suffix('%')) {
            ("all", _) => SHARE_ALL,
            (_, Some(percent)) => quantity::rate(percent)?.per_1000_s(),
            (_, None) => return Err(format!("{share:?} is no percentage; {form}")),
        };
        if share > SHARE_ALL {
            return Err("more than 100 % of the connections".into());
        }
        Ok(Self { share, at: quantity::duration(at)? })
    }
}

/// The pauses before a lost connection is opened again, as the user gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconnectAsked {
    /// Bound of the first pause.
    pub first: Duration,
    /// Bound of all pauses, at least that of the first.
    pub most: Duration,
}

impl ReconnectAsked {
    /// The pauses of a bare `--reconnect`.
    pub const DEFAULT: &'static str = "100ms..10s";

    /// Reads `FIRST..MAX`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (first, most) = text
            .split_once("..")
            .ok_or_else(|| format!("no range; use pauses like {}", Self::DEFAULT))?;
        let (first, most) = (quantity::duration(first)?, quantity::duration(most)?);
        if first > most {
            return Err(format!("{text} has the longer pause first; write the shorter one first"));
        }
        Ok(Self { first, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_has_a_share_and_a_time() {
        for (text, share, at_ms) in
            [("50%@10s", 50_000, 10_000), ("0.1%@1ms", 100, 1), ("all@1.5s", 100_000, 1_500)]
        {
            let asked = StormAsked::parse(text).unwrap();
            assert_eq!((asked.share, asked.at.as_millis()), (share, at_ms), "{text}");
        }
        for (text, why) in [
            ("", "no @; use a share and a time, like 50%@10s"),
            ("50%", "no @"),
            ("50@1s", "\"50\" is no percentage"),
            ("101%@1s", "more than 100 %"),
            ("0%@1s", ""),
            ("50%@", "not a time"),
            ("50%@-1s", "negative"),
        ] {
            let said = StormAsked::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn pauses_are_a_range() {
        let asked = ReconnectAsked::parse("1s..1s").unwrap();
        assert_eq!((asked.first, asked.most), (Duration::from_secs(1), Duration::from_secs(1)));
        for (text, why) in [
            ("", "no range; use pauses like 100ms..10s"),
            ("5s", "no range"),
            ("..", "not a time"),
            ("1s..", "not a time"),
            ("x..1s", "not a time"),
            ("-1s..1s", "negative"),
            ("2s..1s", "write the shorter one first"),
        ] {
            let said = ReconnectAsked::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
