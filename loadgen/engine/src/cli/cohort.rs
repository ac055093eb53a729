//! Arguments for clients that misbehave.

use clap::Args;

use crate::quantity::{self, Rate};

/// Most bytes per second of a slow reader.
const SLOW_BYTES_MAX: u64 = 1 << 30;
/// Shares are in thousandths of a percent.
const ALL: u64 = 100_000;

/// Clients that misbehave beside the healthy ones.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Misbehaving clients (reported apart from the healthy ones)")]
pub struct CohortArgs {
    /// Connections that read slowly, such as 10%:4KB/s (repeatable)
    ///
    /// SHARE is a percentage of -c, or a number of connections. Slow readers send like the others.
    #[arg(long, value_name = "SHARE:RATE", value_parser = CohortAsked::parse_slow, allow_hyphen_values = true)]
    pub slow: Vec<CohortAsked>,
    /// Connections that misbehave, such as half-open:5% (repeatable)
    ///
    /// half-open sends half a request, then nothing. slow-head sends its request at one byte per
    /// second. never-pong answers neither Pings nor Close. fragments sends messages in frames of
    /// one byte. never-close sends no Close at all.
    #[arg(long, value_name = "KIND:SHARE", value_parser = CohortAsked::parse_bad, allow_hyphen_values = true)]
    pub bad: Vec<CohortAsked>,
}

/// How the connections of a cohort behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misbehaviour {
    /// They follow the protocol.
    #[default]
    None,
    /// They send like the healthy ones and read slowly.
    Slow {
        /// At least 1.
        bytes_per_s: u64,
    },
    /// They send half of the request, then nothing.
    HalfOpen,
    /// They send the request at a byte per second.
    SlowHead,
    /// They answer neither Pings nor Close.
    NeverPong,
    /// They send each message in frames of one byte.
    Fragments,
    /// They never send a Close, not even as an answer.
    NeverClose,
}

impl Misbehaviour {
    /// The kinds that `--bad` can name.
    const BAD: [Self; 5] =
        [Self::HalfOpen, Self::SlowHead, Self::NeverPong, Self::Fragments, Self::NeverClose];

    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "healthy",
            Self::Slow { .. } => "slow",
            Self::HalfOpen => "half-open",
            Self::SlowHead => "slow-head",
            Self::NeverPong => "never-pong",
            Self::Fragments => "fragments",
            Self::NeverClose => "never-close",
        }
    }

    /// Checks whether the opening handshake is never finished.
    #[must_use]
    pub const fn is_headless(self) -> bool {
        matches!(self, Self::HalfOpen | Self::SlowHead)
    }

    /// Checks whether the server's Close gets no answer.
    #[must_use]
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::NeverPong | Self::NeverClose)
    }

    /// Checks whether messages are sent.
    pub(crate) const fn has_messages(self) -> bool {
        matches!(self, Self::None | Self::Slow { .. } | Self::Fragments)
    }
}

/// A cohort as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CohortAsked {
    pub(crate) misbehaviour: Misbehaviour,
    share: Share,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// In thousandths of a percent.
    Part(u64),
    Number(u64),
}

impl CohortAsked {
    /// How many of `connections` misbehave; at least one.
    pub(crate) fn of(self, connections: u64) -> u64 {
        self.share.of(connections)
    }

    /// Reads `10%:4KB/s`: slow readers.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse_slow(text: &str) -> Result<Self, String> {
        let (share, rate) =
            text.split_once(':').ok_or("no colon; use a share and a rate like 10%:4KB/s")?;
        let bytes_per_s = quantity::size(rate.strip_suffix("/s").unwrap_or(rate))?;
        if !(1..=SLOW_BYTES_MAX).contains(&bytes_per_s) {
            return Err(format!("{rate} is out of range; use 1B/s to 1GB/s"));
        }
        Ok(Self { misbehaviour: Misbehaviour::Slow { bytes_per_s }, share: Share::parse(share)? })
    }

    /// Reads `half-open:10%`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse_bad(text: &str) -> Result<Self, String> {
        let kinds = || Misbehaviour::BAD.map(Misbehaviour::name).join(", ");
        let (name, share) = text
            .split_once(':')
            .ok_or_else(|| format!("no colon; use one like half-open:10%, of {}", kinds()))?;
        let misbehaviour =
            Misbehaviour::BAD.into_iter().find(|misbehaviour| misbehaviour.name() == name);
        let misbehaviour =
            misbehaviour.ok_or_else(|| format!("unknown kind {name:?}; use {}", kinds()))?;
        Ok(Self { misbehaviour, share: Share::parse(share)? })
    }
}

impl Share {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(percent) = text.strip_suffix('%') else {
            return match quantity::count(text)? {
                0 => Err("none; use a share like 10%, or a number of connections".into()),
                number => Ok(Self::Number(number)),
            };
        };
        match quantity::rate(percent).map(Rate::per_1000_s) {
            Ok(part @ 1..ALL) => Ok(Self::Part(part)),
            _ => Err("not a share; use one like 10% or 0.5%, below 100%".into()),
        }
    }

    /// Returns the share of `connections`, at least one.
    fn of(self, connections: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Part(part) => (connections.saturating_mul(part) + ALL / 2).div_euclid(ALL).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_numbers() {
        let slow = |text: &str| CohortAsked::parse_slow(text).unwrap();
        let misbehaviour = Misbehaviour::Slow { bytes_per_s: 4_096 };
        assert_eq!(slow("10%:4KB/s"), CohortAsked { misbehaviour, share: Share::Part(10_000) });
        assert_eq!(slow("0.5%:4k"), CohortAsked { misbehaviour, share: Share::Part(500) });
        assert_eq!(slow("7:4k/s"), CohortAsked { misbehaviour, share: Share::Number(7) });
        assert_eq!([1, 99, 105, 1_000].map(|of| Share::Part(10_000).of(of)), [1, 10, 11, 100]);
        for misbehaviour in Misbehaviour::BAD {
            let asked = CohortAsked::parse_bad(&format!("{}:5%", misbehaviour.name())).unwrap();
            assert_eq!(asked, CohortAsked { misbehaviour, share: Share::Part(5_000) });
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("10%", "no colon"),
            ("10%:0", "out of range"),
            ("10%:2G", "out of range"),
            ("10%:x", "not a size"),
            ("0%:4k", "not a share"),
            ("100%:4k", "not a share"),
            ("-5%:4k", "not a share"),
            ("0:4k", "none"),
            ("x:4k", "not a number"),
        ] {
            let said = CohortAsked::parse_slow(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        for (text, why) in
            [("half-open", "no colon"), ("rude:5%", "unknown kind \"rude\"; use half")]
        {
            let said = CohortAsked::parse_bad(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
