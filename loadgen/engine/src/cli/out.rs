//! Arguments for results, new and saved.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::GateArgs;
use super::output::Output;
use crate::quantity;
use crate::threshold::Threshold;

/// Where results go.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutArgs {
    /// Writes the result to a file such as r.json or r.html
    ///
    /// May be repeated. Forms: text, json, html (a page with pictures), md (a summary for CI), junit,
    /// csv (time series), ndjson and influx (the same, a row a second while the run goes on), hlog, hgrm
    /// or `hgrm:METRIC`, on stdout or in a file, as in json=FILE. The extension .txt, .json, .html, .md,
    /// .xml (junit), .csv, .ndjson, .hlog or .hgrm implies the form. Text goes to stdout unless
    /// another form does.
    #[arg(short = 'o', long = "out", value_name = "OUT", value_parser = Output::parse)]
    pub outputs: Vec<Output>,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// A result file, as written by -o result.json; or a folder
    ///
    /// Of a folder, all *.json are shown side by side, the oldest first, as text, json or html.
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
    /// The result files of all segments of one run, in any order
    ///
    /// A folder stands for every *.json in it.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Merges even if results of segments are missing; the report names them, and percentages still
    /// refer to all segments
    #[arg(long)]
    pub allow_missing: bool,
    /// Waits until a folder has the results of all segments, at most as long as T [default: forever]
    ///
    /// Says meanwhile how many are there, and what the last rows of all *.ndjson in the folder add
    /// up to, which segments write with -o ndjson=FOLDER/N.ndjson.
    #[arg(long, value_name = "T", num_args = 0..=1, require_equals = true, value_parser = quantity::duration)]
    pub watch: Option<Option<Duration>>,
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
    /// The result to compare with, or a folder of several runs
    ///
    /// A folder stands for every *.json in it: numbers are medians, and intervals come from how the
    /// runs differ. With one run each, intervals come from how its seconds differ.
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The result to compare, or a folder of several runs
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Exits with 99 unless a ratio holds, such as rtt.p99<1.1x (repeatable)
    ///
    /// The ratio is after to before. Another example: achieved>=95%. --threshold help lists all
    /// names.
    #[arg(long = "threshold", value_name = "EXPR", value_parser = Threshold::parse_ratio)]
    pub thresholds: Vec<Threshold>,
    /// Writes the comparison as text, json or html, such as -o diff.html (repeatable)
    #[arg(short = 'o', long = "out", value_name = "OUT", value_parser = Output::parse)]
    pub outputs: Vec<Output>,
    /// The same as -o json
    #[arg(long, hide = true)]
    pub json: bool,
}
