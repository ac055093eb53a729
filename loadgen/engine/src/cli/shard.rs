//! Arguments that make this process one of several in the same run.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::start;
use crate::quantity;
use crate::segment::Segment;

/// Arguments of every command that makes load.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "One run on several machines")]
pub struct ShardArgs {
    /// Runs as segment i of N, counted from 1, of one run
    ///
    /// -c, -n, -R and -C apply to the whole run, and --seed must be the same in all segments.
    /// index:i/N counts from 0, as Kubernetes does. See loadgen merge.
    #[arg(long, value_name = "i/N", value_parser = Segment::parse)]
    pub segment: Option<Segment>,
    /// When the run begins: 2026-11-21T14:00:00Z, Unix seconds, or +5s
    #[arg(long, value_name = "TIME", value_parser = start_at, allow_hyphen_values = true)]
    pub start_at: Option<SystemTime>,
    /// Starts load this long after the run began, at the same moment in every segment
    ///
    /// Without it, load starts as soon as all connections are open.
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ramp: Option<Duration>,
}

fn start_at(text: &str) -> Result<SystemTime, String> {
    start::parse(text, SystemTime::now())
}
