//! The arguments of the commands beside `run` and `connect`.

use std::time::Duration;

use clap::Args;

use super::{LoadArgs, quantity};

/// Arguments of `listen`.
#[derive(Clone, Debug, Args)]
pub struct ListenArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// A text message that each connection sends once it is open
    #[arg(long, value_name = "TEXT")]
    pub subscribe: Option<String>,
}

/// Arguments of `hold`.
#[derive(Clone, Debug, Args)]
pub struct HoldArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// From one Ping on a connection to the next [default: no Pings]
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ping_interval: Option<Duration>,
}
