//! The command line to typed arguments. What they mean together is [`config`](crate::config)'s
//! matter.
//!
//! Apart from the rest so that a table of argument lists can test it. Whatever is wrong is said in
//! one line.

mod cohort;
mod deflate;
mod doctor;
mod file;
mod gate;
mod mask;
mod message;
mod network;
mod out;
mod output;
mod pace;
mod pages;
mod post;
mod reconnect;
mod scenario;
mod serving;
mod shard;
pub mod start;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::net::Secrets;
use crate::quantity::{self, Rate};
use crate::serve::Mode;
use crate::threshold;
pub use cohort::{CohortArgs, CohortAsked, Conduct};
pub use deflate::{AcceptArgs, OfferArgs};
pub use doctor::DoctorArgs;
pub use gate::GateArgs;
pub use mask::Mask;
pub use message::{MessageArgs, SizesAsked};
pub use network::{NetworkArgs, TlsArgs};
pub use out::{DiffArgs, MergeArgs, OutArgs, ReportArgs};
pub use output::{Form, Output};
pub use pace::{Arrivals, PaceArgs, RateAsked, StageAsked};
pub use pages::{CompletionsArgs, ManArgs, completions, man};
pub use post::PostArgs;
pub use reconnect::{ReconnectArgs, ReconnectAsked};
pub use scenario::{FanoutArgs, HoldArgs, ListenArgs};
pub use serving::{ListenAt, ServeBoundArgs, ServeTlsArgs};
pub use shard::ShardArgs;

/// WebSocket load generator: measures handshakes, round trips, throughput and closing, and judges
/// itself.
#[derive(Clone, Debug, Parser)]
#[command(name = "loadgen", version, about, max_term_width = 100, infer_long_args = false)]
pub struct Cli {
    /// Flags from a TOML file, such as connections = "1k"; what is typed wins
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Echo round trips: closed loop (-p), or open loop at a fixed rate (-R). Without a URL,
    /// against an embedded server
    Run(RunArgs),
    /// Opening and closing handshakes only, again and again. Without a URL, against an embedded
    /// server
    Connect(ConnectArgs),
    /// Many connections that are held open, with or without Pings: which of them are dropped, when
    /// and why. Without a URL, against an embedded server
    Hold(HoldArgs),
    /// Messages that the server pushes: latency by the time in them, loss by their sequence.
    /// Without a URL, against an embedded server
    Listen(ListenArgs),
    /// Publishers to subscribers: how long the first and the last copy of a message take, and what
    /// is lost, doubled or out of order. Without a URL, against an embedded server
    #[command(mut_arg("connections", |arg| {
        arg.long("subscribers").help("Connections that subscribe, such as 100 or 10k")
    }))]
    Fanout(FanoutArgs),
    /// The reference server
    Serve(ServeArgs),
    /// One connection: times, what was negotiated, a short sanity check of the protocol
    Check(CheckArgs),
    /// Whether this machine is set up for so many connections, and the commands that help
    Doctor(DoctorArgs),
    /// A saved result in other forms, or judged by other thresholds
    Report(ReportArgs),
    /// The results of all segments of a run to one; what can't be added is refused
    Merge(MergeArgs),
    /// Two results side by side, with ratios
    Diff(DiffArgs),
    /// Completions for a shell, on stdout
    Completions(CompletionsArgs),
    /// A manual page on stdout, as in loadgen man run | man -l -
    Man(ManArgs),
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Where connections and time are said.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Messages in all, then the run ends [default: no limit]
    #[arg(short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub messages: Option<u64>,
    /// Messages a second in all, or of each connection as in 10/conn, sent on schedule whether
    /// replies come or not (open loop)
    #[arg(short = 'R', long, value_name = "N", value_parser = RateAsked::parse, allow_hyphen_values = true)]
    pub rate: Option<RateAsked>,
    /// How late a message may be sent after this program was held up (open loop); what is later is
    /// left out, and counted [default: 1s]
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub catch_up: Option<Duration>,
    /// How the rate changes, and how messages are spread.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Messages outstanding on each connection (closed loop) [default: 1]
    #[arg(short = 'p', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub pipeline: Option<u64>,
    /// Load before the measured time; its samples are kept apart
    #[arg(short = 'w', long, value_name = "T", default_value = "0s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub warmup: Duration,
    /// How long to wait for outstanding replies at the end
    #[arg(long, value_name = "T", default_value = "2s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub drain_timeout: Duration,
    /// How long the echo of a message may take from its write. Then it has timed out, and a closed
    /// loop goes on with the next; an echo that comes after all is late, and in no latency.
    /// Messages must name themselves: -s of 16 or more [default: no bound but the end]
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub reply_timeout: Option<Duration>,
    /// From one Ping on a connection to its next, beside the messages of the measured time [default:
    /// no Pings]
    #[arg(long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub ping_interval: Option<Duration>,
    /// Masking keys: fresh random ones, or zero, which no real client sends
    #[arg(long, value_name = "KIND", default_value = "random")]
    pub mask: Mask,
    /// What is in the messages.
    #[command(flatten)]
    pub message: MessageArgs,
    /// What becomes of lost connections.
    #[command(flatten)]
    pub reconnect: ReconnectArgs,
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
    /// Connections to open in all, then the run ends [default: no limit]
    #[arg(short = 'n', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub number: Option<u64>,
    /// How the rate changes, and how connections are spread.
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// What every command that makes load has.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// What to connect to, such as `ws://127.0.0.1:9001/`; connections take several in turn
    /// [default: an embedded server]
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
    /// Connections open at once, such as 100 or 10k
    #[arg(short = 'c', long, value_name = "N", default_value = "100", value_parser = quantity::count, allow_hyphen_values = true)]
    pub connections: u64,
    /// Time that is measured, such as 10s or 2m [default: 10s; 10m with -n]
    #[arg(short = 'd', long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Connections begun a second, on schedule [default: as fast as the server takes them]
    #[arg(short = 'C', long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true)]
    pub connect_rate: Option<Rate>,
    /// Threads [default: one for each core]
    #[arg(short = 't', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub threads: Option<u64>,
    /// Makes payloads the same again [default: a new one, printed in the report]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// What the request says.
    #[command(flatten)]
    pub request: RequestArgs,
    /// How servers are reached.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Where results go.
    #[command(flatten)]
    pub out: OutArgs,
    /// What makes it a part of a larger run.
    #[command(flatten)]
    pub shard: ShardArgs,
    /// What the result has to fulfil.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Nothing on stderr but errors
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// What happens when, on stderr, instead of the live progress
    #[arg(short = 'v', long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// No live progress on stderr
    #[arg(long)]
    pub no_progress: bool,
    /// Kept with the result (repeatable)
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

/// What the opening handshake says, and how long each end of a connection may take.
#[derive(Clone, Debug, Args)]
pub struct RequestArgs {
    /// A header of the opening handshake (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// A user and password for the server: an Authorization header of the kind Basic
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub user: Option<String>,
    /// A subprotocol to offer (repeatable)
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub subprotocols: Vec<String>,
    /// The Origin header
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// What is offered to compress messages.
    #[command(flatten)]
    pub deflate: OfferArgs,
    /// Shows and saves the values of a URL's query that look like secrets, such as ?token=..., which
    /// are masked otherwise
    #[arg(long)]
    pub show_secrets: bool,
    /// Bound on TCP and opening handshake together
    #[arg(long, value_name = "T", default_value = "10s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub connect_timeout: Duration,
    /// Bound on the closing handshake and the end of the stream
    #[arg(long, value_name = "T", default_value = "5s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub close_timeout: Duration,
}

impl RequestArgs {
    /// What becomes of secrets where the request is shown or saved.
    #[must_use]
    pub const fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Show } else { Secrets::Mask }
    }
}

/// Arguments of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// What is done with a message: echo, sink, push (sends messages of its own) or
    /// broadcast (to all others whose request has the same path)
    #[arg(value_name = "MODE", default_value = "echo")]
    pub mode: Mode,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT|unix:PATH", default_value = "127.0.0.1:9001", value_parser = ListenAt::parse)]
    pub listen: ListenAt,
    /// Threads [default: one for each core]
    #[arg(short = 't', long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub threads: Option<u64>,
    /// What is taken of offers to compress messages.
    #[command(flatten)]
    pub deflate: AcceptArgs,
    /// Its side of TLS.
    #[command(flatten)]
    pub tls: ServeTlsArgs,
    /// What a client may ask of it.
    #[command(flatten)]
    pub bounds: ServeBoundArgs,
    /// What is sent to clients that haven't asked for it.
    #[command(flatten)]
    pub post: PostArgs,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// What to connect to, such as `ws://127.0.0.1:9001/`
    #[arg(value_name = "URL")]
    pub url: String,
    /// What the request says.
    #[command(flatten)]
    pub request: RequestArgs,
    /// How the server is reached.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// What the arguments come to.
#[derive(Debug)]
pub enum Parsed {
    /// Go on with this.
    Command(Box<Command>),
    /// Help or version was asked for: print this on stdout.
    Text(String),
    /// Wrong usage: one line for stderr, without `error:`.
    Wrong(String),
}

/// Reads a command line, program name first.
pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Parsed {
    let typed: Vec<_> = arguments.into_iter().collect();
    if asks_for_thresholds(&typed) {
        return Parsed::Text(threshold::help());
    }
    let expanded = match file::expand(typed.clone()) {
        Ok(expanded) => expanded,
        Err(line) => return Parsed::Wrong(line),
    };
    let error = match Cli::try_parse_from(&expanded.words) {
        // The file has been read by `expand`.
        Ok(Cli { config: _, command }) => return Parsed::Command(Box::new(command)),
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
                "no command; use run, connect, hold, listen, fanout, serve, check, doctor, report, \
                 merge, diff, completions or man \
                 (see loadgen --help)"
                    .into(),
            )
        }
        _ => Parsed::Wrong(one_line(&text)),
    }
}

/// Checks whether the names of thresholds are asked for: `--threshold help`.
fn asks_for_thresholds(words: &[std::ffi::OsString]) -> bool {
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let is_apart = words.windows(2).any(|pair| pair[0] == "--threshold" && pair[1] == "help");
    is_apart || words.iter().any(|word| word == "--threshold=help")
}

/// The first paragraph of what clap says, and its tip, as one line.
fn one_line(text: &str) -> String {
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(words);
    let said = paragraphs.next().unwrap_or_default();
    let said = said.strip_prefix("error: ").unwrap_or(&said).trim_end_matches('.');
    let tip = paragraphs.find_map(|part| part.strip_prefix("tip: ").map(ToOwned::to_owned));
    let tip = tip.map_or_else(|| "see --help".into(), |tip| tip.trim_end_matches('.').to_owned());
    // What was typed may come back in it.
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
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Parsed {
        parse(std::iter::once("loadgen").chain(line.split(' ')).map(Into::into))
    }

    #[test]
    fn definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_run_has_the_defaults() {
        let Parsed::Command(command) = parse_words("run") else { panic!() };
        let Command::Run(args) = *command else { panic!() };
        assert_eq!((args.load.connections, args.load.urls.len(), args.rate), (100, 0, None));
        assert_eq!(args.load.request.close_timeout, Duration::from_secs(5));
    }

    #[test]
    fn flags_and_their_values() {
        let line = "run ws://h/ -c 10k -d 30s -n 1M -R 50k -C 500 -t 2 -s 4k -w 2s -b --seed 7 \
                    -H X-A:b --subprotocol chat --origin http://o -o json=f -q --label a=b=c";
        let Parsed::Command(command) = parse_words(line) else { panic!() };
        let Command::Run(args) = *command else { panic!() };
        assert_eq!(args.load.urls, ["ws://h/"]);
        assert_eq!((args.load.connections, args.messages), (10_000, Some(1_000_000)));
        assert_eq!(args.rate, Rate::new(50_000_000).map(RateAsked::of));
        assert_eq!(args.message.size, Some(SizesAsked::One(4_096)));
        assert_eq!((args.message.binary, args.load.seed), (true, Some(7)));
        assert_eq!(args.load.request.headers, [("X-A".to_owned(), "b".to_owned())]);
        assert_eq!(args.load.labels, [("a".to_owned(), "b=c".to_owned())]);
    }

    #[test]
    fn wrong_usage_is_one_line_that_names_what_is_wrong() {
        for (line, why) in [
            ("", "unrecognized subcommand"),
            ("nonsense", "unrecognized subcommand 'nonsense'"),
            ("run --nonsense", "unexpected argument '--nonsense'"),
            ("run -c", "a value is required for '--connections <N>'"),
            ("run -c x", "invalid value 'x' for '--connections <N>': not a number"),
            ("run -c -1", "can't be negative"),
            ("run -R -5", "a rate can't be negative"),
            ("run -R 0", "out of range"),
            ("run -d 10x", "not a time"),
            ("run -s 1.5", "doesn't come out whole"),
            ("run -s 9..1", "use the smaller one first"),
            ("run --fragment x", "invalid value 'x' for '--fragment <SIZE>'"),
            ("run -H novalue", "no colon"),
            ("run -o yaml", "use text, json, csv, hlog, hgrm"),
            ("run --mask ones", "invalid value 'ones' for '--mask <KIND>'"),
            ("run --label x", "use a label like key=value"),
            ("check ws://a ws://b", "unexpected argument 'ws://b'"),
            ("serve fanout", "unknown mode"),
            ("serve --listen nowhere", "no port"),
            ("check", "required"),
        ] {
            let Parsed::Wrong(said) = parse_words(line) else { panic!("{line}") };
            assert!(said.contains(why), "{line}: {said}");
            assert!(!said.contains(char::is_control), "{line}: {said}");
        }
    }

    #[test]
    fn help_and_version_are_not_wrong() {
        for line in ["--help", "run --help", "--version", "help"] {
            assert!(matches!(parse_words(line), Parsed::Text(_)), "{line}");
        }
    }
}
