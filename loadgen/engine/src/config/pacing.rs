//! The pace of a run: loops, stages and arrivals, read from the flags.

use std::time::Duration;

use super::{Arrivals, DURATION_MAX, Load, PIPELINE_MAX, Rate, Stage, Stages, bounded, within};
use crate::cli::{LoadArgs, PaceArgs, RateAsked, RunArgs, StageAsked};
use crate::units;

/// Most stages.
const STAGES_MAX: usize = 1_000;

/// Messages per second of a run without a URL and a rate.
const DEMONSTRATION_PER_S: u64 = 1_000;

/// How late a message may be sent by default, as `--help` says.
const CATCH_UP_DEFAULT: Duration = Duration::from_secs(1);

/// How events keep to schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How the gaps between messages, and between new connections, are distributed.
    pub arrivals: Arrivals,
    /// How the rate of messages changes, or that of connections if no messages are sent.
    pub stages: Option<Stages>,
    /// How late a message may be sent; later ones are skipped.
    pub catch_up: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { arrivals: Arrivals::Constant, stages: None, catch_up: CATCH_UP_DEFAULT }
    }
}

impl Pacing {
    /// Checks the arguments; also returns the rate, the highest if it changes. `flag` is the flag
    /// that gave the rate.
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
                let most = units::count(Rate::PER_S_MAX);
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

/// Returns the rate of a run that says neither where nor how to send messages: low enough for any
/// machine that also runs the server, so that latencies contain no queueing.
pub(super) fn demonstration(
    args: &RunArgs,
    pacing: &Pacing,
    notes: &mut Vec<String>,
) -> Option<Rate> {
    let is_said = args.pipeline.is_some()
        || args.messages.is_some()
        || args.catch_up.is_some()
        || args.pace.arrivals.is_some()
        || pacing.stages.is_some();
    if is_said || !args.load.urls.is_empty() {
        return None;
    }
    notes.push(format!(
        "no URL and no rate: {} messages per second to a server in this process; use -p 1 for as \
         fast as it answers",
        units::count(DEMONSTRATION_PER_S)
    ));
    Rate::new(DEMONSTRATION_PER_S * 1_000)
}

/// Returns the loop that the arguments ask for.
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

/// Makes a run with stages as long as its stages.
pub(super) fn staged(mut load: LoadArgs, pacing: &Pacing) -> Result<LoadArgs, String> {
    if let Some(stages) = &pacing.stages {
        if load.duration.is_some() {
            return Err("-d and --stage exclude each other: the stages set the duration".into());
        }
        load.duration = Some(stages.length());
    }
    Ok(load)
}
