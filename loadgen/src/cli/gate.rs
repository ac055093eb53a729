//! Arguments for thresholds.

use clap::Args;

use crate::threshold::Threshold;

/// Arguments of every command that has a result.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct GateArgs {
    /// Exits with 99 unless it holds, as rtt.p99<20ms
    ///
    /// May be repeated. Also failed<1%, lost==0 or achieved>99%. A threshold without data fails. What
    /// a run fails for, such as altered messages, is judged by a threshold about it instead, if there
    /// is one. --threshold help lists all names.
    #[arg(long = "threshold", value_name = "EXPR", value_parser = Threshold::parse)]
    pub thresholds: Vec<Threshold>,
}
