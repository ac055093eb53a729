//! What makes this process one of several that are one run.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::start;
use crate::quantity;
use crate::segment::Segment;

/// Arguments of every command that makes load.
#[derive(Clone, Debug, Args)]
pub struct ShardArgs {
    /// This process is the i-th of N, counted from 1, that make one run together: -c, -n, -R and -C
    /// are of the whole run, and --seed the same for all. index:i/N counts from 0, as Kubernetes
    /// does. See loadgen merge
    #[arg(long, value_name = "i/N", value_parser = Segment::parse)]
    pub segment: Option<Segment>,
    /// When the run begins, by the wall clock: 2026-11-21T14:00:00Z, unix seconds, or +5s
    #[arg(long, value_name = "TIME", value_parser = start_at, allow_hyphen_values = true)]
    pub start_at: Option<SystemTime>,
    /// Load begins so long after the run, and not as soon as all connections are open: the same
    /// moment for every segment
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ramp: Option<Duration>,
}

fn start_at(text: &str) -> Result<SystemTime, String> {
    start::parse(text, SystemTime::now())
}
