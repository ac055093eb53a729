//! What is asked for about the pace to a course of rates.

use std::time::Duration;

use super::{Arrivals, DURATION_MAX, Load, PIPELINE_MAX, Rate, Stage, Stages, bounded, within};
use crate::cli::{LoadArgs, PaceArgs, RunArgs};
use crate::quantity;

/// Most stages.
const STAGES_MAX: usize = 1_000;

/// What a client that is held up may catch up with, unless something else is asked for: as
/// `--help` says.
const CATCH_UP_DEFAULT: Duration = Duration::from_secs(1);

/// How events keep to their schedule, beside their rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How gaps are distributed, of messages and of connections that begin.
    pub arrivals: Arrivals,
    /// How the rate changes: of messages, or of connections if none are sent.
    pub stages: Option<Stages>,
    /// How late a message may be sent; later ones are left out.
    pub catch_up: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { arrivals: Arrivals::Constant, stages: None, catch_up: CATCH_UP_DEFAULT }
    }
}

/// A rate as it was asked for: in all, or of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateAsked {
    per_1000_s: u64,
    is_each: bool,
}

impl RateAsked {
    /// Reads `10k`, or `10/conn` for each connection.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rate, is_each) = split(text)?;
        Ok(Self { per_1000_s: quantity::rate(rate)?.per_1000_s(), is_each })
    }

    /// A rate in all.
    #[must_use]
    pub const fn of(rate: Rate) -> Self {
        Self { per_1000_s: rate.per_1000_s(), is_each: false }
    }

    /// Of all connections together; `None` if it is out of range.
    fn of_all(self, connections: u64) -> Option<u64> {
        let factor = if self.is_each { connections } else { 1 };
        let all = self.per_1000_s.checked_mul(factor)?;
        (all == 0 || Rate::new(all).is_some()).then_some(all)
    }
}

fn split(text: &str) -> Result<(&str, bool), String> {
    match text.split_once('/') {
        None => Ok((text, false)),
        Some((rate, "conn")) => Ok((rate, true)),
        Some((_, per)) => {
            Err(format!("unknown /{per:?}; use 10k in all, or 10/conn for each connection"))
        }
    }
}

/// A stage as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageAsked {
    length: Duration,
    target: RateAsked,
}

impl StageAsked {
    /// Reads `30s:10k` or `30s:10/conn`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (length, rate) =
            text.split_once(':').ok_or("no colon; use a time and a rate like 30s:10k")?;
        let length = quantity::duration(length)?;
        let (digits, is_each) = split(rate)?;
        // No rate may be 0 but that of a stage's end.
        let is_zero = !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
        let target =
            if is_zero { RateAsked { per_1000_s: 0, is_each } } else { RateAsked::parse(rate)? };
        Ok(Self { length, target })
    }
}

impl Pacing {
    /// Checks what was asked for; returns also the rate, the highest if it changes. `flag` is the
    /// one that says the rate.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub(super) fn new(
        args: &PaceArgs,
        flag: &str,
        rate: Option<RateAsked>,
        connections: u64,
    ) -> Result<(Self, Option<Rate>), String> {
        let of_all = |name: &str, asked: RateAsked| {
            asked.of_all(connections).ok_or_else(|| {
                let most = Rate::PER_S_MAX;
                format!("{name} times -c {connections} is too much; use at most {most} a second")
            })
        };
        let start_per_1000_s = rate.map_or(Ok(0), |rate| of_all(flag, rate))?;
        let mut pacing = Self { arrivals: args.arrivals.unwrap_or_default(), ..Self::default() };
        if args.stages.is_empty() {
            return Ok((pacing, Rate::new(start_per_1000_s)));
        }
        if args.stages.len() > STAGES_MAX {
            return Err(format!("more than {STAGES_MAX} stages"));
        }
        let stage = |asked: &StageAsked| {
            let per_1000_s = of_all("--stage", asked.target)?;
            Ok::<_, String>(Stage { length: asked.length, per_1000_s })
        };
        let stages = args.stages.iter().map(stage).collect::<Result<_, _>>()?;
        let stages = Stages { start_per_1000_s, stages };
        bounded("--stage, all together,", stages.length(), Duration::from_millis(1), DURATION_MAX)?;
        let highest = stages.highest().ok_or("--stage: all rates are 0; use one above")?;
        pacing.stages = Some(stages);
        Ok((pacing, Some(highest)))
    }
}

/// Which loop the arguments ask for.
pub(super) fn loop_of(args: &RunArgs, pacing: &Pacing, rate: Option<Rate>) -> Result<Load, String> {
    let Some(rate) = rate else {
        let pipeline = within("-p", args.pipeline.unwrap_or(1), 1, PIPELINE_MAX)?;
        return Ok(Load::Closed { pipeline: u32::try_from(pipeline).unwrap_or(u32::MAX) });
    };
    if args.pipeline.is_some() {
        let flag = if args.rate.is_some() { "-R" } else { "--stage" };
        return Err(format!(
            "{flag} (open loop) and -p (closed loop) exclude each other; use one of them"
        ));
    }
    if pacing.stages.is_some() && args.rate.is_none() && !args.warmup.is_zero() {
        return Err("-w before --stage needs -R, the rate of the warm-up".into());
    }
    Ok(Load::Open { rate })
}

/// A run with stages is as long as they are.
pub(super) fn staged(mut load: LoadArgs, pacing: &Pacing) -> Result<LoadArgs, String> {
    if let Some(stages) = &pacing.stages {
        if load.duration.is_some() {
            return Err("-d and --stage exclude each other: the stages say how long".into());
        }
        load.duration = Some(stages.length());
    }
    Ok(load)
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
        for (text, why) in [
            ("10/c", "10/conn for each"),
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
