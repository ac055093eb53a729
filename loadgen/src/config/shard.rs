//! Checks the arguments that all segments of a run have to agree on.

use super::Scenario;
use crate::cli::LoadArgs;

/// Refuses arguments that segments could not agree on.
pub(super) fn check(args: &LoadArgs, scenario: &Scenario) -> Result<(), String> {
    if args.shard.ramp.is_some() && matches!(scenario, Scenario::OpenClose { .. }) {
        return Err(
            "--ramp sets when load starts after the ramp; here, opening connections is the load"
                .into(),
        );
    }
    let Some(segment) = args.shard.segment else { return Ok(()) };
    let of = segment.of();
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
