//! Checks the arguments that all segments of a run have to agree on.

use super::{CONNECTIONS_MAX, Scenario};
use crate::cli::LoadArgs;
use crate::member::PROCESSES_MAX;

/// Returns the most connections of the whole run: each of its processes can have as many.
pub(super) fn connections_max(args: &LoadArgs) -> u64 {
    let processes = match args.shard.segment {
        Some(segment) => segment.of(),
        None if args.urls.is_empty() => 1, // the embedded server is in this process
        None => args.processes.asked().unwrap_or(PROCESSES_MAX),
    };
    CONNECTIONS_MAX * processes
}

/// Refuses arguments that segments could not agree on.
pub(super) fn check(args: &LoadArgs, scenario: &Scenario) -> Result<(), String> {
    if args.shard.ramp.is_some() && matches!(scenario, Scenario::OpenClose { .. }) {
        return Err(
            "--ramp sets when load starts after the ramp; here, opening connections is the load"
                .into(),
        );
    }
    if args.close_rate.is_some() && matches!(scenario, Scenario::OpenClose { .. }) {
        return Err(
            "--close-rate is for connections that stay open; `connect` closes each at once".into(),
        );
    }
    let processes = args.processes.asked().filter(|&number| number > 1);
    if let Some(number) = processes.filter(|&number| number > args.connections) {
        return Err(format!(
            "-c {} is too few for --processes {number}; use at least {number}",
            args.connections
        ));
    }
    let Some(segment) = args.shard.segment else { return Ok(()) };
    let of = segment.of();
    if processes.is_some() && args.member.is_none() {
        return Err("--processes with --segment: run more segments instead".into());
    }
    if args.seed.is_none() {
        return Err("--segment needs --seed N, the same for all segments".into());
    }
    if args.urls.is_empty() {
        return Err("--segment needs a URL: each segment would have a server of its own".into());
    }
    if of > args.connections {
        return Err(format!(
            "-c {} applies to the whole run and is too few for {of} segments; use at least {of}",
            args.connections
        ));
    }
    if let Some(threshold) = args.gate.thresholds.first() {
        return Err(format!(
            "--threshold {threshold} is about the whole run; \
             give it to loadgen merge, not to a segment"
        ));
    }
    Ok(())
}
