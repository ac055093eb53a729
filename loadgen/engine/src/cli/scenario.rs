//! Arguments of the commands other than `run` and `connect`.

use std::time::Duration;

use clap::Args;

use super::{LoadArgs, ReconnectArgs, ReconnectAsked, UserArgs};
use crate::quantity::{self, Rate};

/// Arguments of `fanout`.
#[derive(Clone, Debug, Args)]
pub struct FanoutArgs {
    /// Where connections and time are said; the connections are the subscribers.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Connections that publish
    #[arg(help_heading = "Load", long, value_name = "N", default_value = "1", value_parser = quantity::count, allow_hyphen_values = true)]
    pub publishers: u64,
    /// Topics [default: one per URL]
    ///
    /// {topic} stands for the number of a topic in the URL, in headers, in --subscribe and in
    /// --publish. If none of them has it, the number is added to the URL's path as its last part.
    #[arg(help_heading = "Topics and subscriptions", long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub topics: Option<u64>,
    /// Messages published in total [default: no limit]
    #[arg(help_heading = "Load", short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub messages: Option<u64>,
    /// Messages published per second in total (open loop)
    #[arg(help_heading = "Load", short = 'R', long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true, conflicts_with = "pipeline")]
    pub rate: Option<Rate>,
    /// Messages outstanding per publisher (closed loop) [default: 1]
    #[arg(help_heading = "Load", short = 'p', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub pipeline: Option<u64>,
    /// Payload bytes of a message [default: 64]
    #[arg(help_heading = "Load", short = 's', long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub size: Option<u64>,
    /// How long to wait for the copies of a message
    #[arg(help_heading = "Load", long, value_name = "T", default_value = "2s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub copy_timeout: Duration,
    /// Where publishers connect: one URL, or one per topic (repeatable) [default: URL]
    #[arg(help_heading = "Topics and subscriptions", long = "publish-url", value_name = "URL")]
    pub publish_urls: Vec<String>,
    /// Template of a published message [default: {payload}]
    ///
    /// For example '{"type":"publish","topic":"t{topic}","data":"{payload}"}'. {seq}, {conn},
    /// {time}, {time:ns}, {rand:8} and {rand:1..100} are as in a message of run.
    #[arg(help_heading = "Topics and subscriptions", long, value_name = "TEMPLATE")]
    pub publish: Option<String>,
    /// A text message that each subscriber sends first
    ///
    /// For example '{"op":"subscribe","topic":"t{topic}"}'.
    #[arg(help_heading = "Topics and subscriptions", long, value_name = "TEMPLATE")]
    pub subscribe: Option<String>,
    /// Sends --subscribe from publishers too; their copies are counted separately
    #[arg(help_heading = "Topics and subscriptions", long, requires = "subscribe")]
    pub publishers_subscribe: bool,
    /// Text in the server's answer to --subscribe
    ///
    /// Messages wait until all subscribers have received it, for --connect-timeout at most. The
    /// report has a sample of the answers. Without this flag, subscriptions aren't checked.
    #[arg(
        help_heading = "Topics and subscriptions",
        long,
        value_name = "TEXT",
        requires = "subscribe"
    )]
    pub subscribed: Option<String>,
    /// Pause between the last connection and the first message
    ///
    /// [default: none; 500ms with --subscribe without --subscribed]
    #[arg(help_heading = "Load", long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub settle: Option<Duration>,
    /// What each connection says first, and answers.
    #[command(flatten)]
    pub users: UserArgs,
    /// Refused, with the reason.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = ReconnectAsked::DEFAULT, value_parser = ReconnectAsked::parse)]
    pub reconnect: Option<ReconnectAsked>,
}

/// Arguments of `listen`.
#[derive(Clone, Debug, Args)]
pub struct ListenArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// A text message that each connection sends first
    ///
    /// {topic} stands for the position of the connection's URL in the list; {conn}, {time} and
    /// {rand:8} are as in a message of run.
    #[arg(help_heading = "Load", long, value_name = "TEMPLATE")]
    pub subscribe: Option<String>,
    /// What each connection says first, and answers.
    #[command(flatten)]
    pub users: UserArgs,
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
    /// Time from one Ping on a connection to the next [default: no Pings]
    #[arg(help_heading = "Load", long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ping_interval: Option<Duration>,
    /// What each connection says first, and answers.
    #[command(flatten)]
    pub users: UserArgs,
    /// What becomes of lost connections.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
}
