//! Clients that misbehave beside the healthy ones: how, and how many.
//!
//! The healthy ones are planned as if they were alone. Each cohort is a run of its own, at the same
//! time and on the same threads, with a configuration that is made here.

use std::time::Duration;

use super::{Config, Echo, Hold, Load, Rate, Scenario, Stages};
use crate::cli::CohortArgs;
use crate::quantity;

/// Most bytes a second of a slow reader.
const SLOW_BYTES_MAX: u64 = 1 << 30;
/// Shares are in thousandths of a percent.
const ALL: u64 = 100_000;

/// How the connections of a cohort behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As they should.
    #[default]
    Healthy,
    /// They send like the healthy ones and read only so many bytes a second.
    Slow {
        /// At least 1.
        bytes_per_s: u64,
    },
    /// They send half of the request, and then nothing.
    HalfOpen,
    /// They send the request at a byte a second.
    SlowHead,
    /// They answer nothing, neither Pings nor Close.
    NeverPong,
    /// They send each message in frames of one byte.
    Fragments,
    /// They never send a Close, not even as an answer.
    NeverClose,
}

impl Conduct {
    /// Those that `--bad` can name.
    const BAD: [Self; 5] =
        [Self::HalfOpen, Self::SlowHead, Self::NeverPong, Self::Fragments, Self::NeverClose];

    /// As it stands on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow { .. } => "slow",
            Self::HalfOpen => "half-open",
            Self::SlowHead => "slow-head",
            Self::NeverPong => "never-pong",
            Self::Fragments => "fragments",
            Self::NeverClose => "never-close",
        }
    }

    /// Whether a handshake is never finished.
    #[must_use]
    pub const fn is_headless(self) -> bool {
        matches!(self, Self::HalfOpen | Self::SlowHead)
    }

    /// Whether a server's Close gets no answer.
    #[must_use]
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::NeverPong | Self::NeverClose)
    }

    /// Whether messages are sent.
    const fn has_messages(self) -> bool {
        matches!(self, Self::Healthy | Self::Slow { .. } | Self::Fragments)
    }
}

/// A cohort as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CohortAsked {
    conduct: Conduct,
    share: Share,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// In thousandths of a percent.
    Part(u64),
    Number(u64),
}

impl CohortAsked {
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
        Ok(Self { conduct: Conduct::Slow { bytes_per_s }, share: Share::parse(share)? })
    }

    /// Reads `half-open:10%`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse_bad(text: &str) -> Result<Self, String> {
        let kinds = || Conduct::BAD.map(Conduct::name).join(", ");
        let (name, share) = text
            .split_once(':')
            .ok_or_else(|| format!("no colon; use one like half-open:10%, of {}", kinds()))?;
        let conduct = Conduct::BAD.into_iter().find(|conduct| conduct.name() == name);
        let conduct = conduct.ok_or_else(|| format!("unknown kind {name:?}; use {}", kinds()))?;
        Ok(Self { conduct, share: Share::parse(share)? })
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

    /// How many of so many; at least one.
    fn of(self, connections: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Part(part) => (connections.saturating_mul(part) + ALL / 2).div_euclid(ALL).max(1),
        }
    }
}

/// Connections that misbehave in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// How.
    pub conduct: Conduct,
    /// How many there are.
    pub connections: u64,
}

/// Takes the cohorts out of so many connections; returns how many healthy ones are left.
///
/// # Errors
/// One line: that there would be none.
pub(super) fn split(args: &CohortArgs, connections: u64) -> Result<(u64, Vec<Cohort>), String> {
    let asked = args.slow.iter().chain(&args.bad);
    let cohorts: Vec<_> = asked
        .map(|asked| Cohort { conduct: asked.conduct, connections: asked.share.of(connections) })
        .collect();
    let taken = cohorts.iter().fold(0, |sum: u64, cohort| sum.saturating_add(cohort.connections));
    if !cohorts.is_empty() && taken >= connections {
        return Err(format!(
            "--slow and --bad leave no healthy connection of -c {connections}; use smaller shares"
        ));
    }
    Ok((connections - taken, cohorts))
}

impl Config {
    /// The configuration of a cohort's own run.
    #[must_use]
    pub fn of_cohort(&self, place: usize, cohort: Cohort) -> Self {
        let scaled = |per_1000_s: u64| {
            let scaled = u128::from(per_1000_s) * u128::from(cohort.connections)
                / u128::from(self.connections.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        let scaled_rate = |rate: Rate| Rate::new(scaled(rate.per_1000_s()).max(1)).unwrap_or(rate);
        let mut config = self.clone();
        config.cohorts = Vec::new();
        config.conduct = cohort.conduct;
        // What a server throws out stays out, and only healthy ones are measured by Pings.
        (config.reconnect, config.ping_interval) = (None, None);
        config.reply_timeout = None; // nor is it news that they are slow
        config.connections = cohort.connections;
        config.connect_rate = self.connect_rate.map(scaled_rate);
        config.seed = self.seed.wrapping_add(1 + place as u64);
        match &mut config.scenario {
            Scenario::Echo(echo) if cohort.conduct.has_messages() => {
                of_echo(echo, cohort.conduct, scaled_rate);
                if let Some(stages) = &mut config.pacing.stages {
                    *stages = of_stages(stages, scaled);
                }
            }
            scenario => {
                *scenario = Scenario::Hold(Hold { ping_interval: None });
                config.pacing.stages = None;
                config.drain_timeout = Duration::ZERO;
            }
        }
        config
    }

    /// Connections of this process that are open at once, of all cohorts together.
    #[must_use]
    pub fn connections_of_all(&self) -> u64 {
        let cohorts = self.cohorts.iter().map(|cohort| self.part().connections(cohort.connections));
        self.connections_here() + cohorts.sum::<u64>()
    }
}

/// The messages of a cohort: each connection sends as often as a healthy one.
fn of_echo(echo: &mut Echo, conduct: Conduct, scaled: impl Fn(Rate) -> Rate) {
    echo.messages = None;
    if let Load::Open { rate } = &mut echo.load {
        *rate = scaled(*rate);
    }
    if conduct == Conduct::Fragments {
        echo.fragment = Some(std::num::NonZeroUsize::MIN);
    }
}

fn of_stages(stages: &Stages, scaled: impl Fn(u64) -> u64) -> Stages {
    let mut own: Vec<_> = stages.stages.to_vec();
    for stage in &mut own {
        stage.per_1000_s = scaled(stage.per_1000_s);
    }
    Stages { start_per_1000_s: scaled(stages.start_per_1000_s), stages: own.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_numbers() {
        let slow = |text: &str| CohortAsked::parse_slow(text).unwrap();
        let conduct = Conduct::Slow { bytes_per_s: 4_096 };
        assert_eq!(slow("10%:4KB/s"), CohortAsked { conduct, share: Share::Part(10_000) });
        assert_eq!(slow("0.5%:4k"), CohortAsked { conduct, share: Share::Part(500) });
        assert_eq!(slow("7:4k/s"), CohortAsked { conduct, share: Share::Number(7) });
        assert_eq!([1, 99, 105, 1_000].map(|of| Share::Part(10_000).of(of)), [1, 10, 11, 100]);
        for conduct in Conduct::BAD {
            let asked = CohortAsked::parse_bad(&format!("{}:5%", conduct.name())).unwrap();
            assert_eq!(asked, CohortAsked { conduct, share: Share::Part(5_000) });
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
