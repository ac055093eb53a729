//! Splits the connections of a run into healthy ones and cohorts that misbehave.
//!
//! The healthy connections are planned as if they were alone. Each cohort is a run of its own, at
//! the same time and on the same threads, with a configuration derived here.

use std::time::Duration;

use super::{Config, Echo, Hold, Load, Rate, Scenario, Stages};
use crate::cli::{CohortArgs, Misbehaviour};

/// Connections that misbehave in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// How they misbehave.
    pub misbehaviour: Misbehaviour,
    /// The number of them.
    pub connections: u64,
}

/// Splits `connections` into cohorts; returns how many healthy ones are left.
///
/// # Errors
/// One line, if no healthy connection would be left.
pub(super) fn split(args: &CohortArgs, connections: u64) -> Result<(u64, Vec<Cohort>), String> {
    let asked = args.slow.iter().chain(&args.bad);
    let cohorts: Vec<_> = asked
        .map(|asked| Cohort {
            misbehaviour: asked.misbehaviour,
            connections: asked.of(connections),
        })
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
    /// Refuses cohorts that need HTTP/1.1.
    pub(super) fn check_cohorts(&self) -> Result<(), String> {
        let headless = self.cohorts.iter().find(|cohort| cohort.misbehaviour.is_headless());
        match headless.filter(|_| self.network.http2.is_some()) {
            Some(cohort) => Err(format!(
                "--bad {} stops within a request of HTTP/1.1; leave out one of it and --http2",
                cohort.misbehaviour.name()
            )),
            None => Ok(()),
        }
    }

    /// Derives the configuration of a cohort's own run.
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
        config.misbehaviour = cohort.misbehaviour;
        // A connection that the server closes stays closed, and only healthy ones send Pings.
        (config.reconnect, config.storm, config.ping_interval) = (None, None, None);
        config.reply_timeout = None; // nor is it news that they are slow
        config.connections = cohort.connections;
        config.connect_rate = self.connect_rate.map(scaled_rate);
        config.seed = self.seed.wrapping_add(1 + place as u64);
        match &mut config.scenario {
            Scenario::Echo(echo) if cohort.misbehaviour.has_messages() => {
                of_echo(echo, cohort.misbehaviour, scaled_rate);
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

    /// Returns how many connections of this process are open at once, cohorts included.
    #[must_use]
    pub fn connections_of_all(&self) -> u64 {
        let cohorts = self.cohorts.iter().map(|cohort| self.part().connections(cohort.connections));
        self.connections_here() + cohorts.sum::<u64>()
    }

    /// Returns how many sockets of this process are open at once, at most. Over HTTP/2, the last
    /// that a worker opens to a URL may carry fewer WebSockets than the others.
    #[must_use]
    pub fn sockets_of_all(&self) -> u64 {
        let connections = self.connections_of_all();
        let Some(http2) = self.network.http2 else { return connections };
        let runs = 1 + self.cohorts.len() as u64;
        let pools = self.threads.get() as u64 * self.targets.len().max(1) as u64 * runs;
        let full = connections / u64::from(http2.streams.get());
        full.saturating_add(pools).min(connections)
    }
}

/// Derives the messages of a cohort: each connection sends as often as a healthy one.
fn of_echo(echo: &mut Echo, misbehaviour: Misbehaviour, scaled: impl Fn(Rate) -> Rate) {
    echo.messages = None;
    if let Load::Open { rate } = &mut echo.load {
        *rate = scaled(*rate);
    }
    if misbehaviour == Misbehaviour::Fragments {
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
