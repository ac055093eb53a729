//! Arguments of `loadgen import` and `loadgen record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::NetworkArgs;
use crate::quantity;

/// What a recording is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordingForm {
    /// A HAR file, as Chromium's `DevTools`, Playwright and mitmproxy save it.
    Har,
}

/// Where a scenario goes that was made from a recording.
#[derive(Clone, Debug, Args)]
pub struct DraftArgs {
    /// The scenario file to write [default: stdout]
    ///
    /// What looks like a secret goes to a file beside it, which only you can read: for chat.toml
    /// that is chat.users.csv. On stdout, secrets are left out, and become variables for --set.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The connection to use, if there are several [default: the one with the most messages]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub connection: Option<u64>,
    /// Prints only errors on stderr; guesses are in the scenario anyway
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// Arguments of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// What the file is: har
    #[arg(value_name = "FORM", hide_possible_values = true)]
    pub form: RecordingForm,
    /// The file; - is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the scenario goes.
    #[command(flatten)]
    pub draft: DraftArgs,
}

/// Arguments of `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Where to listen, such as 127.0.0.1:8080; port 0 takes a free one
    #[arg(value_name = "LISTEN")]
    pub listen: String,
    /// The server: a URL of ws: or wss:
    ///
    /// Without a path in it, clients reach the path and query that they ask for; with one, that.
    #[arg(value_name = "URL")]
    pub url: String,
    /// Where the scenario goes.
    #[command(flatten)]
    pub draft: DraftArgs,
    /// Also writes all connections as a HAR file, with all secrets
    #[arg(long, value_name = "FILE")]
    pub har: Option<PathBuf>,
    /// Ends once so many connections have ended [default: with Ctrl-C]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub connections: Option<u64>,
    /// Ends after this time [default: with Ctrl-C]
    #[arg(short = 'd', long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// How long the server may take to answer the opening handshake
    #[arg(long, value_name = "T", default_value = "10s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub connect_timeout: Duration,
    /// How the server is reached.
    #[command(flatten)]
    pub network: NetworkArgs,
}
