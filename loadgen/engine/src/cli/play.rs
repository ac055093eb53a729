//! Arguments of `loadgen play`.

use std::time::Duration;

use clap::Args;

use super::pace::{PaceArgs, RateAsked};
use super::{LoadArgs, ReconnectArgs, label};
use crate::quantity;

/// Arguments of `play`.
#[derive(Clone, Debug, Args)]
pub struct PlayArgs {
    /// The scenario: a file, or the name of a preset (see loadgen presets)
    #[arg(value_name = "FILE|PRESET")]
    pub scenario: String,
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Fills a variable of the scenario (repeatable)
    #[arg(help_heading = "Load", long, value_name = "NAME=TEMPLATE", value_parser = label)]
    pub set: Vec<(String, String)>,
    /// Iterations in total [default: no limit]
    ///
    /// The run ends after them.
    #[arg(help_heading = "Load", short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub iterations: Option<u64>,
    /// Iterations per second, or 10/conn (open loop)
    ///
    /// An iteration begins on schedule, or as soon as the user's previous one is over; its response
    /// time counts from when it was due.
    #[arg(help_heading = "Load", short = 'R', long, value_name = "N", value_parser = RateAsked::parse, allow_hyphen_values = true)]
    pub rate: Option<RateAsked>,
    /// How the rate changes, and how iterations are spread.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Has each user begin when it is ready, so that users arrive as -C opens connections
    ///
    /// The measured time begins with the first connection. Without this, load begins when all users
    /// are ready. Not with -R and --stage, which are for users that are there.
    #[arg(help_heading = "Load", long)]
    pub no_barrier: bool,
    /// What becomes of lost connections.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
    /// Load before the measured time; its latencies don't count
    #[arg(help_heading = "Load", short = 'w', long, value_name = "T", default_value = "0s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub warmup: Duration,
    /// How long to wait for unfinished iterations at the end
    #[arg(help_heading = "Load", long, value_name = "T", default_value = "2s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub drain_timeout: Duration,
}
