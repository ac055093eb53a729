//! The arguments of the commands beside `run` and `connect`.

use std::time::Duration;

use clap::Args;

use super::{LoadArgs, ReconnectArgs, quantity};
use crate::config::{Rate, Reconnect};

/// Arguments of `fanout`.
#[derive(Clone, Debug, Args)]
pub struct FanoutArgs {
    /// Where connections and time are said; the connections are the subscribers.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Connections that publish
    #[arg(long, value_name = "N", default_value = "1", value_parser = quantity::count, allow_hyphen_values = true)]
    pub publishers: u64,
    /// Topics, each a URL of its own: {topic} in the URL, or a last part of its path, is their
    /// number [default: one for each URL]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub topics: Option<u64>,
    /// Messages published in all, then the run ends [default: no limit]
    #[arg(short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub messages: Option<u64>,
    /// Messages published a second in all, on schedule (open loop)
    #[arg(short = 'R', long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true, conflicts_with = "pipeline")]
    pub rate: Option<Rate>,
    /// Messages of each publisher whose copies have not all arrived (closed loop) [default: 1]
    #[arg(short = 'p', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub pipeline: Option<u64>,
    /// Bytes of a message's payload [default: 64]
    #[arg(short = 's', long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub size: Option<u64>,
    /// How long the copies of a message are waited for
    #[arg(long, value_name = "T", default_value = "2s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub copy_timeout: Duration,
    /// A text message that each subscriber sends once it is open; {topic} in it is the number of
    /// its topic
    #[arg(long, value_name = "TEXT")]
    pub subscribe: Option<String>,
    /// Pause between the last connection and the first message [default: none; 500ms with
    /// --subscribe]
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub settle: Option<Duration>,
    /// Refused, with the reason.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = Reconnect::DEFAULT, value_parser = Reconnect::parse)]
    pub reconnect: Option<Reconnect>,
}

/// Arguments of `listen`.
#[derive(Clone, Debug, Args)]
pub struct ListenArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// A text message that each connection sends once it is open
    #[arg(long, value_name = "TEXT")]
    pub subscribe: Option<String>,
    /// What becomes of lost connections.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
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
    /// What becomes of lost connections.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
}
