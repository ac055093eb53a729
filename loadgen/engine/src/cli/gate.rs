//! Arguments for thresholds.

use clap::Args;

use crate::threshold::Threshold;

/// Arguments of every command that has a result.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct GateArgs {
    /// Exits with 99 unless it holds, as rtt.p99<20ms
    ///
    /// May be repeated. Other examples: failed<1%, lost==0, achieved>99%. A threshold without data
    /// fails. A threshold about something that fails a run by itself, such as altered messages,
    /// replaces that rule. --threshold help lists all names.
    #[arg(long = "threshold", value_name = "EXPR", value_parser = Threshold::parse)]
    pub thresholds: Vec<Threshold>,
}
