//! Arguments for lost connections.

use std::time::Duration;

use clap::Args;

use crate::quantity;

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
