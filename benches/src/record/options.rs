//! The command line of the recorder.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::group;
use crate::record::timing::Pace;

/// Measures wscodec beside its peers and writes a dated folder of results.
#[derive(Clone, Debug, Parser)]
#[command(name = "record")]
pub(crate) struct Options {
    /// Five short rounds into target/record, and nothing spliced: a look, not a record
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only this group; may be given several times
    #[arg(long = "group", value_parser = PossibleValuesParser::new(group::NAMES))]
    pub(crate) groups: Vec<String>,
    /// Only payloads and messages of so many bytes and more
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) size_min: usize,
    /// The last part of the folder's name
    #[arg(long, default_value = "codec")]
    pub(crate) topic: String,
    /// Where the dated folder goes [default: results, or target/record with --quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Rounds, at least five [default: 11, or 5 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=1000))]
    rounds: Option<u32>,
    /// The core to stay on [default: the last]
    #[arg(long)]
    pub(crate) core: Option<usize>,
}

impl Options {
    /// Rounds, and how long a contestant runs in each.
    pub(crate) fn pace(&self) -> Pace {
        let (rounds, sample) = if self.quick { (5, 700) } else { (11, 8000) };
        Pace { rounds: self.rounds.unwrap_or(rounds), sample: Duration::from_micros(sample) }
    }

    /// Where the dated folder goes.
    pub(crate) fn out(&self) -> PathBuf {
        let default = if self.quick { "target/record" } else { "results" };
        self.out.clone().unwrap_or_else(|| PathBuf::from(default))
    }

    /// Whether the project's own page shows these results, rather than somebody's own folder.
    pub(crate) fn is_for_the_project(&self) -> bool {
        !self.quick && self.out.is_none()
    }

    /// The command that does the same again.
    pub(crate) fn command(&self) -> String {
        let mut command = String::from("cargo run --profile dist -p benches --bin record --");
        if self.quick {
            command.push_str(" --quick");
        }
        for group in &self.groups {
            command.push_str(" --group ");
            command.push_str(group);
        }
        if self.size_min > 0 {
            command.push_str(" --size-min ");
            command.push_str(&self.size_min.to_string());
        }
        if let Some(rounds) = self.rounds {
            command.push_str(" --rounds ");
            command.push_str(&rounds.to_string());
        }
        command.push_str(" --topic ");
        command + &self.topic
    }
}
