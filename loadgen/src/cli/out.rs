//! What is done with results, new ones and saved ones.

use std::path::PathBuf;

use clap::Args;

use super::GateArgs;
use super::output::Output;
use crate::threshold::Threshold;

/// Where results go.
#[derive(Clone, Debug, Args)]
pub struct OutArgs {
    /// Where results go: text, json, csv (time series), hlog, hgrm or hgrm:METRIC, on stdout or in
    /// a file, as in json=FILE or result.json (repeatable). Text goes to stdout unless another does
    #[arg(short = 'o', long = "out", value_name = "OUT", value_parser = Output::parse)]
    pub outputs: Vec<Output>,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// A result file, as -o json=FILE writes it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where it goes.
    #[command(flatten)]
    pub out: OutArgs,
    /// What it has to fulfil.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// Arguments of `merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// The result files of all segments of one run, in any order; a folder is every *.json in it
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where the result goes.
    #[command(flatten)]
    pub out: OutArgs,
    /// What it has to fulfil.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// Arguments of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The result that is compared with
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The result that is compared
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Fails with exit code 99 unless the ratio of after to before holds, such as rtt.p99<1.1x or
    /// achieved>=95% (repeatable)
    #[arg(long = "threshold", value_name = "EXPR", value_parser = Threshold::parse_ratio)]
    pub thresholds: Vec<Threshold>,
    /// Where the comparison goes: text or json, on stdout or in a file, as in json=FILE or
    /// diff.json (repeatable)
    #[arg(short = 'o', long = "out", value_name = "OUT", value_parser = Output::parse)]
    pub outputs: Vec<Output>,
    /// The same as -o json
    #[arg(long, hide = true)]
    pub json: bool,
}
