//! What a result has to fulfil.

use clap::Args;

use crate::threshold::Threshold;

/// Arguments of every command that has a result.
#[derive(Clone, Debug, Args)]
pub struct GateArgs {
    /// Fails with exit code 99 unless it holds, such as rtt.p99<20ms, failed<1%, lost==0,
    /// achieved>99% (repeatable). --threshold help lists all names. Without data it fails
    #[arg(long = "threshold", value_name = "EXPR", value_parser = Threshold::parse)]
    pub thresholds: Vec<Threshold>,
}
