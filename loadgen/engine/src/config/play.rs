//! The configuration of `play`.

use std::sync::Arc;
use std::time::Duration;

use super::user_request::{OneUser, UserRequest};
use super::{
    Arrivals, Config, DURATION_MAX, Load, Pacing, Scenario, TIMEOUT_MAX, bounded, pacing, within,
};
use crate::cli::{LoadArgs, PlayArgs};
use crate::scenario::feed::Take;
use crate::scenario::{self, Program};
use crate::units;

/// What the users of a scenario do, and when.
#[derive(Clone, Debug)]
pub struct Play {
    /// What they do.
    pub program: Arc<Program>,
    /// How each user opens its connection, if users differ in that.
    pub request: Option<UserRequest>,
    /// When iterations start.
    pub load: Load,
    /// Total number of iterations; `None` is no limit.
    pub iterations: Option<u64>,
    /// Whether load begins once all users are ready; otherwise each begins when it is.
    pub has_barrier: bool,
}

impl PartialEq for Play {
    fn eq(&self, other: &Self) -> bool {
        (self.program.digest, self.load, self.iterations, self.has_barrier)
            == (other.program.digest, other.load, other.iterations, other.has_barrier)
    }
}

impl Eq for Play {}

impl Config {
    /// Builds the configuration of `loadgen play`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_play(mut args: PlayArgs) -> Result<Self, String> {
        let connections = args.load.connections;
        let program = scenario::read_for(&args.scenario, &args.set, connections)?;
        let (pacing, rate) = Pacing::new(&args.pace, "-R", args.rate, connections)?;
        if rate.is_none() && pacing.arrivals == Arrivals::Poisson {
            return Err("--arrivals says how a rate is spread; use it with -R or --stage".into());
        }
        if pacing.stages.is_some() && args.rate.is_none() && !args.warmup.is_zero() {
            return Err("-w before --stage needs -R, the rate of the warm-up".into());
        }
        if args.no_barrier && (rate.is_some() || args.load.shard.ramp.is_some()) {
            return Err("--no-barrier is for users that arrive and go at their own pace; use it \
                        with -C, and without -R, --stage and --ramp"
                .into());
        }
        let load = rate.map_or(Load::Closed { pipeline: 1 }, |rate| Load::Open { rate });
        let iterations =
            args.iterations.map(|number| within("-n", number, 1, u64::MAX)).transpose()?;
        if !program.has_steps() && (rate.is_some() || iterations.is_some()) {
            return Err(format!(
                "{} has no [[step]], so there are no iterations for -R or -n; add one",
                args.scenario
            ));
        }
        check_rows(&program, connections, "take = \"cycle\"")?;
        let LoadArgs { urls, request, .. } = &mut args.load;
        let request = UserRequest::new(&program, urls, request, OneUser::default())?;
        if urls.is_empty() {
            return Err(no_url(&args.scenario));
        }
        let (program, request) = (Arc::new(program), Some(request));
        let play = Play { program, request, load, iterations, has_barrier: !args.no_barrier };
        let mut config = Self::of_load(Scenario::Play(play), pacing::staged(args.load, &pacing)?)?;
        config.pacing = pacing;
        config.set_reconnect(&args.reconnect)?;
        config.warmup = bounded("-w", args.warmup, Duration::ZERO, DURATION_MAX)?;
        config.drain_timeout =
            bounded("--drain-timeout", args.drain_timeout, Duration::ZERO, TIMEOUT_MAX)?;
        Ok(config)
    }

    /// Checks whether load begins only when all connections are open and ready for it.
    #[must_use]
    pub fn has_barrier(&self) -> bool {
        self.scenario.is_lasting() && self.play().is_none_or(|play| play.has_barrier)
    }

    /// Returns the scenario, if it is `play`.
    #[must_use]
    pub const fn play(&self) -> Option<&Play> {
        match &self.scenario {
            Scenario::Play(play) => Some(play),
            _ => None,
        }
    }
}

/// Refuses a feed that has no row for some of the users, if each takes its own.
pub(super) fn check_rows(program: &Program, users: u64, again: &str) -> Result<(), String> {
    let Some(feed) = &program.feed else { return Ok(()) };
    let rows = feed.rows() as u64;
    if feed.take != Take::Each || rows >= users {
        return Ok(());
    }
    Err(format!(
        "-c {}, but {} has only {}; use -c {rows}, or {again}",
        units::counted(users, "user"),
        feed.file,
        units::counted(rows, "row"),
    ))
}

/// Returns the error for a scenario without a server.
#[must_use]
pub fn no_url(scenario: &str) -> String {
    format!("no URL; give one after {scenario}, or write url = \"ws://…\" under [connect]")
}
