//! Reads the command line into typed arguments. [`config`](crate::config) checks what they mean
//! together.
//!
//! Separate from the rest so that a table of argument lists can test it. Every error is one line.

mod checked;
mod cohort;
mod common;
mod deflate;
mod doctor;
mod enlist;
mod file;
mod gate;
mod help;
mod live;
mod mask;
mod message;
mod network;
mod out;
mod output;
mod pace;
mod pages;
mod play;
mod post;
mod reconnect;
mod recorded;
mod recv_time;
mod scenario;
mod search;
mod serving;
mod shard;
pub mod start;
mod stream;
mod users;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, FromArgMatches, Parser, Subcommand};

use crate::member::{Member, Processes};
use crate::net::Secrets;
use crate::quantity::{self, Rate};
use crate::serve::Mode;
use crate::threshold;
pub use checked::CheckedArgs;
pub use cohort::{CohortArgs, CohortAsked, Misbehaviour};
pub use common::CommonArgs;
pub use deflate::{AcceptArgs, OfferArgs};
pub use doctor::DoctorArgs;
pub use gate::GateArgs;
pub use live::LiveForm;
pub use mask::Mask;
pub use message::{MessageArgs, SizesAsked};
pub use network::{NetworkArgs, TlsArgs};
pub use out::{DiffArgs, MergeArgs, OutArgs, ReportArgs};
pub use output::{Form, Output};
pub use pace::{Arrivals, PaceArgs, RateAsked, StageAsked};
pub use pages::{CompletionsArgs, ManArgs, completions, man};
pub use play::PlayArgs;
pub use post::PostArgs;
pub use reconnect::{Jitter, ReconnectArgs, ReconnectAsked, SHARE_ALL, StormAsked};
pub use recorded::{DraftArgs, ImportArgs, RecordArgs, RecordingForm};
pub use recv_time::RecvTime;
pub use scenario::{FanoutArgs, HoldArgs, ListenArgs};
pub use search::{RatesAsked, SearchArgs};
pub use serving::{ListenAt, ServeBoundArgs, ServeTlsArgs};
pub use shard::ShardArgs;
pub use stream::StreamArgs;
pub use users::UserArgs;

/// Puts WebSocket servers under load, measures them, and judges itself
#[derive(Clone, Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 100, infer_long_args = false)]
pub struct Cli {
    /// Reads flags from a TOML file; typed ones override it
    ///
    /// Keys are long names of flags, such as connections = "1k", and url. Keys at the top apply to
    /// every command, keys in a section such as `[run]` or `[check]` to that command.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What makes this process a member of a fleet, which another process of this program leads.
    #[arg(long, hide = true, value_name = "JSON", value_parser = Member::parse)]
    pub member: Option<Member>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Measures echo round trips: closed loop (-p) or open loop (-R)
    ///
    /// Without a URL, loads an embedded echo server. A closed loop sends the next message once the
    /// reply has arrived; an open loop sends on schedule, whatever the server does.
    Run(RunArgs),
    /// Measures opening and closing handshakes, over and over
    ///
    /// Doesn't check whether the application accepted a session. Without a URL, loads an embedded
    /// server.
    Connect(ConnectArgs),
    /// Holds many connections open and reports which are dropped
    ///
    /// Reports when and why connections were dropped, and shows what the server pushes. Doesn't
    /// check whether the application accepted a session. Without a URL, loads an embedded server.
    Hold(HoldArgs),
    /// Measures messages that the server pushes
    ///
    /// Computes latency from the time in each message and loss from its sequence number, as `serve
    /// push` sends them; counts and shows other messages. Without a URL, loads an embedded server.
    Listen(ListenArgs),
    /// Measures broadcasts: every copy of a message, from publisher to subscribers
    ///
    /// Reports how long the first and the last copy take, and which copies are lost, duplicated or
    /// out of order. Without a URL, loads an embedded server.
    #[command(mut_arg("connections", |arg| {
        arg.long("subscribers").help("Connections that subscribe, such as 10k")
    }))]
    Fanout(FanoutArgs),
    /// Plays a scenario: users log in, ask, subscribe and wait as its file says
    ///
    /// Matches replies by id, answers heartbeats, and measures each step by itself. `loadgen
    /// presets` lists the built-in protocols.
    Play(PlayArgs),
    /// Finds a server's capacity: the highest rate at which thresholds hold
    ///
    /// Runs steps of echo round trips in an open loop: the rate doubles until a threshold fails, then
    /// the gap is halved. Nothing may be lost, and 99 % of the echoes due have to arrive in time,
    /// whatever the thresholds are. Where this client is the limit, the answer is "at least".
    #[command(mut_arg("thresholds", |arg| {
        arg.visible_alias("until").help("What has to hold at a rate, such as rtt.p99<20ms")
    }), mut_arg("duration", |arg| arg.help("Measured time of each step [default: 5s]")))]
    Search(SearchArgs),
    /// Runs the reference server: echo, sink, push or broadcast
    Serve(ServeArgs),
    /// Opens one connection and checks each step of the protocol
    ///
    /// Reports times, what was negotiated, and what the server answers. Given a scenario, it says
    /// what the users do; with a server behind it, one user does one iteration there, and every
    /// message is printed with what took it.
    Check(CheckArgs),
    /// Lists the built-in protocols, or prints one as a scenario file
    Presets(PresetsArgs),
    /// Makes a scenario from a recording of a browser, a HAR file
    ///
    /// Recognises the protocol, and finds which message answers which, heartbeats, values that a
    /// client has from the server, secrets and pauses. Prints each guess with its evidence.
    Import(ImportArgs),
    /// Makes a scenario from live traffic: a proxy between clients and a server
    ///
    /// Passes every message on, and ends with Ctrl-C. Then makes a scenario as `loadgen import`
    /// does. TLS is spoken to the server only, and compression with neither side.
    Record(RecordArgs),
    /// Checks whether this machine is set up for a load
    ///
    /// Names each limit that is too low, with the command that raises it.
    Doctor(DoctorArgs),
    /// Shows a saved result in another form, or judges it again
    Report(ReportArgs),
    /// Merges the results of all segments of a run into one
    Merge(MergeArgs),
    /// Compares two results side by side, with ratios
    Diff(DiffArgs),
    /// Prints completions for a shell
    Completions(CompletionsArgs),
    /// Prints a manual page, as in loadgen man run | man -l -
    Man(ManArgs),
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Connections, time, and everything else about load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Messages in total [default: no limit]
    ///
    /// The run ends after them.
    #[arg(help_heading = "Load", short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub messages: Option<u64>,
    /// Messages per second, or 10/conn (open loop)
    ///
    /// Sends on schedule, whether replies arrive or not. Without a URL, -p and -n, the rate is 1k;
    /// otherwise each reply releases the next message (closed loop, see -p).
    #[arg(help_heading = "Load", short = 'R', long, value_name = "N", value_parser = RateAsked::parse, allow_hyphen_values = true)]
    pub rate: Option<RateAsked>,
    /// How late a message may be sent if this program was held up (open loop) [default: 1s]
    ///
    /// Later messages are skipped and counted.
    #[arg(help_heading = "Load", long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub catch_up: Option<Duration>,
    /// How the rate changes, and how messages are spread.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Messages outstanding per connection [default: 1]
    ///
    /// In a closed loop, each reply releases the next message.
    #[arg(help_heading = "Load", short = 'p', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub pipeline: Option<u64>,
    /// Load before the measured time; its samples are kept apart
    #[arg(help_heading = "Load", short = 'w', long, value_name = "T", default_value = "0s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub warmup: Duration,
    /// How long to wait for outstanding replies at the end
    #[arg(help_heading = "Load", long, value_name = "T", default_value = "2s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub drain_timeout: Duration,
    /// Time limit for the echo of a message [default: the end of the run]
    ///
    /// Counts from the write. A message without its echo by then has timed out, and a closed loop
    /// sends the next one; a later echo counts as late, and in no latency. Needs messages that can
    /// be told apart: -s 16 or more.
    #[arg(help_heading = "Load", long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub reply_timeout: Option<Duration>,
    /// Time from one Ping on a connection to the next, beside messages [default: no Pings]
    #[arg(help_heading = "Load", long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ping_interval: Option<Duration>,
    /// The contents of messages.
    #[command(flatten)]
    pub message: MessageArgs,
    /// Whether lost connections are opened again.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
    /// What each connection says first, and answers.
    #[command(flatten)]
    pub users: UserArgs,
    /// Clients that misbehave.
    #[command(flatten)]
    pub cohorts: Box<CohortArgs>,
}

/// Arguments of `connect`.
#[derive(Clone, Debug, Args)]
pub struct ConnectArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Connections in total [default: no limit]
    ///
    /// The run ends after them.
    #[arg(help_heading = "Load", short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub number: Option<u64>,
    /// How the rate changes, and how connections are spread.
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// Arguments of every command that makes load.
#[expect(clippy::struct_excessive_bools, reason = "flags, which are typed independently")]
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// Servers to load [default: an embedded one]
    ///
    /// Connections take several URLs in turn. Placeholders in path and query are expanded for each
    /// connection: {conn} (its number), {conn:5} (at least five digits), {rand:8} (letters and
    /// digits), {rand:1..100} (a number), {time} and {time:ns}; {{ is a brace.
    #[arg(value_name = "URL", help_heading = None)]
    pub urls: Vec<String>,
    /// Connections open at once, such as 10k
    #[arg(short = 'c', long, value_name = "N", default_value = "100", value_parser = quantity::count, allow_hyphen_values = true)]
    pub connections: u64,
    /// Measured time, such as 2m [default: 10s; 10m with -n]
    #[arg(short = 'd', long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Connections opened per second [default: as fast as the server accepts them]
    #[arg(short = 'C', long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true)]
    pub connect_rate: Option<Rate>,
    /// Connections closed per second at the end [default: as fast as the server answers]
    #[arg(long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true)]
    pub close_rate: Option<Rate>,
    /// Threads [default: one per core, or for every two beside an embedded server]
    #[arg(short = 't', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub threads: Option<u64>,
    /// Processes to make the load with, or auto: as many as it takes
    ///
    /// A process may have a limited number of descriptors. auto takes one process if that can hold
    /// all connections, otherwise as few as can; each has -t threads [default: one per core, shared
    /// among the processes]. They begin together, and their results are merged into one.
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = Processes::parse, allow_hyphen_values = true)]
    pub processes: Processes,
    /// What each connection does in the same way.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Seed of payloads, placeholders and random times [default: a new one, in the report]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The opening request.
    #[command(flatten)]
    pub request: RequestArgs,
    /// How servers are reached.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Where results go.
    #[command(flatten)]
    pub out: OutArgs,
    /// The part of a larger run.
    #[command(flatten)]
    pub shard: ShardArgs,
    /// Thresholds.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Prints only errors on stderr
    #[arg(short = 'q', long, help_heading = "Output")]
    pub quiet: bool,
    /// Prints each phase on stderr as it begins, instead of the live view
    #[arg(short = 'v', long, conflicts_with = "quiet", help_heading = "Output")]
    pub verbose: bool,
    /// How the run is shown on stderr: auto, view, line, plain or off
    ///
    /// The view is a dozen lines with curves of rate and p99; keys are listed below it. The line is
    /// the same in one line. Plain lines come every ten seconds. auto is the view on a terminal of
    /// 80 x 24 or more, the line on a smaller one or if stdout is a pipe, and plain lines elsewhere
    /// and under CI.
    #[arg(long, value_name = "FORM", default_value = "auto", conflicts_with_all = ["quiet", "verbose"], help_heading = "Output")]
    pub live: LiveForm,
    /// The same as --live off
    #[arg(long, conflicts_with = "live", hide = true)]
    pub no_progress: bool,
    /// Ends the run with 99 as soon as a threshold has failed [default: runs on]
    ///
    /// A count over its limit ends the run at once. Latencies and rates are those of the measured
    /// time so far, and are given a time to settle: 5s, or T.
    #[arg(long, value_name = "T", num_args = 0..=1, require_equals = true, default_missing_value = "5s", value_parser = quantity::duration, help_heading = "Output")]
    pub abort_on_fail: Option<Duration>,
    /// Prints what the run would do, and opens no connection
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
    /// What looks on.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// A label to keep with the result (repeatable)
    #[arg(long = "label", value_name = "K=V", value_parser = label, help_heading = "Output")]
    pub labels: Vec<(String, String)>,
    /// The place of this process in a fleet.
    #[arg(skip)]
    pub member: Option<Member>,
}

/// Arguments of `presets`.
#[derive(Clone, Debug, Args)]
pub struct PresetsArgs {
    /// The preset to print [default: lists all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments about the opening request, and the time limits for opening and closing.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connections")]
pub struct RequestArgs {
    /// A header of the opening request (repeatable)
    ///
    /// Placeholders are expanded for each connection, as in the URL; so they are in --user,
    /// --subprotocol and --origin. Host replaces the host of the URL.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// User and password for Basic authentication
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub user: Option<String>,
    /// A subprotocol to offer (repeatable)
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub subprotocols: Vec<String>,
    /// The Origin header
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// Compression to offer.
    #[command(flatten)]
    pub deflate: OfferArgs,
    /// Keeps secrets in results and reports
    ///
    /// By default, values of URL parameters and subprotocols that look like secrets, such as
    /// ?token=..., are masked.
    #[arg(help_heading = "Connections", long)]
    pub show_secrets: bool,
    /// Largest message that a server may send, fragments together [default: 64M, or --max-frame]
    ///
    /// A larger one ends its connection with 1009. Echoes are never too large.
    #[arg(help_heading = "Connections", long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub max_message: Option<u64>,
    /// Largest frame that a server may send [default: 16M, or --max-message if that is more]
    #[arg(help_heading = "Connections", long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub max_frame: Option<u64>,
    /// Time limit for TCP, TLS and the opening handshake together
    #[arg(help_heading = "Connections", long, value_name = "T", default_value = "10s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub connect_timeout: Duration,
    /// Time limit for the closing handshake and the end of the stream
    #[arg(help_heading = "Connections", long, value_name = "T", default_value = "5s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub close_timeout: Duration,
}

impl RequestArgs {
    /// Returns whether secrets are masked where the request is shown or saved.
    #[must_use]
    pub const fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Show } else { Secrets::Mask }
    }
}

/// Arguments of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// What to do with messages: echo, sink, push or broadcast
    ///
    /// push sends messages of its own; broadcast sends each message to all other clients whose
    /// request has the same path.
    #[arg(value_name = "MODE", default_value = "echo")]
    pub mode: Mode,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT|unix:PATH", default_value = "127.0.0.1:9001", value_parser = ListenAt::parse)]
    pub listen: ListenAt,
    /// Threads [default: one per core]
    #[arg(short = 't', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub threads: Option<u64>,
    /// Speaks HTTP/2 instead of HTTP/1.1, and takes WebSockets over it (RFC 8441)
    ///
    /// With TLS, ALPN agrees on h2; without, clients must begin with HTTP/2. Connections and their
    /// streams count alike for --max-connections.
    #[arg(long)]
    pub http2: bool,
    /// Processes that share the port, or auto: as many as --max-connections takes
    ///
    /// Each has -t threads [default: one per core, shared among the processes]. The kernel spreads
    /// connections over them.
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = Processes::parse, allow_hyphen_values = true)]
    pub processes: Processes,
    /// Compression to accept.
    #[command(flatten)]
    pub deflate: AcceptArgs,
    /// TLS of the server.
    #[command(flatten)]
    pub tls: ServeTlsArgs,
    /// Limits on what a client may ask for.
    #[command(flatten)]
    pub bounds: ServeBoundArgs,
    /// Messages that the server sends unasked.
    #[command(flatten)]
    pub post: PostArgs,
    /// The place of this process in a fleet.
    #[arg(skip)]
    pub member: Option<Member>,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The server; or a scenario, which is a file or a preset's name
    ///
    /// Placeholders in a URL are expanded as for connection 0 of a run.
    #[arg(id = "url", value_name = "URL")]
    pub what: String,
    /// How a scenario is checked.
    #[command(flatten)]
    pub scenario: CheckedArgs,
    /// What the request says.
    #[command(flatten)]
    pub request: RequestArgs,
    /// How the server is reached.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// The outcome of reading a command line.
#[derive(Debug)]
pub enum Parsed {
    /// A command to execute.
    Command(Box<Command>),
    /// Help or version, to print on stdout.
    Text(String),
    /// Wrong usage: one line for stderr, without `error:`.
    Wrong(String),
}

/// Reads a command line that starts with the program name.
pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Parsed {
    let typed: Vec<_> = arguments.into_iter().collect();
    if asks_for_thresholds(&typed) {
        return Parsed::Text(threshold::help());
    }
    let expanded = match file::expand(typed.clone()) {
        Ok(expanded) => expanded,
        Err(line) => return Parsed::Wrong(line),
    };
    let parsed = help::command()
        .try_get_matches_from(&expanded.words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let error = match parsed {
        // `expand` has read the file.
        Ok(Cli { config: _, member, mut command }) => {
            if let Some(member) = member {
                command.enlist(member);
            }
            return Parsed::Command(Box::new(command));
        }
        Err(error) => error,
    };
    let place = expanded.place_of(&typed, &error);
    if !place.is_empty() {
        return Parsed::Wrong(format!("{place}{}", one_line(&error.to_string())));
    }
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Parsed::Text(text),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Parsed::Wrong(
                "no command; use run, connect, hold, listen, fanout, play, search, serve, check, presets, \
                 import, record, doctor, report, merge, diff, completions or man \
                 (see loadgen --help)"
                    .into(),
            )
        }
        _ => Parsed::Wrong(one_line(&text)),
    }
}

/// Checks whether the arguments ask for the names of thresholds: `--threshold help`.
fn asks_for_thresholds(words: &[std::ffi::OsString]) -> bool {
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let is_apart = words.windows(2).any(|pair| pair[0] == "--threshold" && pair[1] == "help");
    is_apart || words.iter().any(|word| word == "--threshold=help")
}

/// Returns the first paragraph of clap's message, and its tip, as one line.
fn one_line(text: &str) -> String {
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(words);
    let said = paragraphs.next().unwrap_or_default();
    let said = said.strip_prefix("error: ").unwrap_or(&said).trim_end_matches('.');
    let tip = paragraphs.find_map(|part| part.strip_prefix("tip: ").map(ToOwned::to_owned));
    let tip = tip.map_or_else(|| "see --help".into(), |tip| tip.trim_end_matches('.').to_owned());
    // The message may repeat what was typed.
    let line = format!("{said} ({tip})");
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("no colon; use a header like 'Name: value'")?;
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("use a label like key=value".into()),
    }
}

#[cfg(test)]
mod tests;
