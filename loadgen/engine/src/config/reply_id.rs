//! The configuration of `run --reply-id`: a scenario of one step.

use std::time::Duration;

use super::{Config, DURATION_MAX, Load, Pacing, Scenario, TIMEOUT_MAX, bounded};
use super::{pacing, scenario, users, within};
use crate::cli::RunArgs;
use crate::clock::nanos;
use crate::scenario::flags::Message;

/// How long a reply that is found by its id may take, unless `--reply-timeout` says otherwise.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many requests may be in flight on a connection in an open loop: as many as are due within
/// the time limit of a reply, and within these.
const OVERLAP_MIN: u64 = 8;
const OVERLAP_MAX: u64 = 4_096;

impl Config {
    /// Builds the configuration of `loadgen run` whose replies are found by their ids.
    pub(super) fn of_requests(
        mut args: RunArgs,
        pacing: Pacing,
        load: Load,
    ) -> Result<Self, String> {
        let message = &args.message;
        let flags_of_echo = [
            (message.size.is_some(), "-s"),
            (message.message_file.is_some(), "-f"),
            (message.raw, "--raw"),
            (message.fragment.is_some(), "--fragment"),
            (args.catch_up.is_some(), "--catch-up"),
            (!args.cohorts.slow.is_empty() || !args.cohorts.bad.is_empty(), "--slow or --bad"),
        ];
        if let Some((_, flag)) = flags_of_echo.iter().find(|(is_given, _)| *is_given) {
            return Err(format!("{flag} is for echoes; leave it out with --reply-id"));
        }
        let Some(template) = message.message.clone() else {
            return Err("--reply-id needs the message; give it with -m, with {id} in it".into());
        };
        let least = Duration::from_millis(1);
        let timeout = args.reply_timeout.unwrap_or(REPLY_TIMEOUT);
        let timeout = bounded("--reply-timeout", timeout, least, TIMEOUT_MAX)?;
        let overlap = overlap(load, timeout, args.load.connections);
        let is_binary = message.kind() == wscodec::DataKind::Binary;
        let mut flags = users::flags(&args.users, &args.load);
        flags.message = Some(Message { template, is_binary, overlap, timeout });
        let number = args.messages.map(|number| within("-n", number, 1, u64::MAX)).transpose()?;
        let play = users::play(&flags, &mut args.load, (load, number))?;
        let ping_interval = scenario::ping_interval(args.ping_interval)?;
        let mut config = Self::of_load(Scenario::Play(play), pacing::staged(args.load, &pacing)?)?;
        config.pacing = pacing;
        config.set_reconnect(&args.reconnect)?;
        config.ping_interval = ping_interval;
        config.warmup = bounded("-w", args.warmup, Duration::ZERO, DURATION_MAX)?;
        config.drain_timeout =
            bounded("--drain-timeout", args.drain_timeout, Duration::ZERO, TIMEOUT_MAX)?;
        Ok(config)
    }
}

/// Returns how many requests may be in flight at once on a connection.
fn overlap(load: Load, timeout: Duration, connections: u64) -> u64 {
    match load {
        Load::Closed { pipeline } => u64::from(pipeline),
        Load::Open { rate } => {
            let each = rate.due_before(nanos(timeout)).div_ceil(connections.max(1));
            each.clamp(OVERLAP_MIN, OVERLAP_MAX)
        }
        Load::Every { .. } => OVERLAP_MIN,
    }
}
