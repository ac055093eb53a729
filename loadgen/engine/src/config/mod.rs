//! The configuration of a run: arguments checked together, with every default filled in.
//!
//! Invariant: a [`Config`] can be run. An impossible or absurd one is refused here, in one line,
//! before anything is connected.

mod cohort;
mod content;
mod fanout;
mod lines;
mod network;
pub mod output;
mod pacing;
mod play;
mod post;
mod rate_profile;
mod reconnect;
mod reply_id;
mod request;
mod scenario;
mod serving;
mod shard;
mod sink;
mod sizes;
mod user_request;
mod users;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use wscodec::DataKind;

pub use crate::cli::{
    Arrivals, CommonArgs, Form, Jitter, LiveForm, Mask, Misbehaviour, Output, RecvTime,
};
use crate::cli::{ConnectArgs, LoadArgs, RateAsked, RunArgs};
pub use crate::member::{Member, Processes};
use crate::metrics::Metric;
pub use crate::net::{Family, Network, Override, Proxy, Redirect, Secrets, Target, TlsSettings};
pub use crate::quantity::Rate;
pub use crate::segment::Segment;
pub use crate::template::{Part, Purpose, Template};
pub(crate) use crate::template::{TIME_LEN, TIME_NS_LEN};
use crate::threshold::Threshold;
use crate::{quantity, quota, units};
pub use cohort::Cohort;
pub use content::Content;
pub use fanout::Fanout;
pub use network::sources;
pub use rate_profile::{RateProfile, Stage, Stages};

pub use pacing::Pacing;
pub use play::{Play, no_url};
pub use reconnect::{Reconnect, Storm};
pub use request::{HeaderValue, Request};
pub use scenario::{Hold, Listen};
pub use serving::serve_config;
pub use sink::{Endpoint, Sink};
pub use sizes::Sizes;
pub(crate) use sizes::turn;
pub use user_request::{OneUser, UserRequest};

/// Most connections of one process; ports, descriptors and memory run out earlier.
pub const CONNECTIONS_MAX: u64 = 1_000_000;
const THREADS_MAX: u64 = 1_024;
const PIPELINE_MAX: u64 = 65_536;
/// Most bytes of one payload: the codec's default limit.
const PAYLOAD_SIZE_MAX: u64 = 64 << 20;
/// Most bytes that the limit for a received message or frame may allow: 1 GiB.
const RECEIVED_SIZE_MAX: u64 = PAYLOAD_SIZE_MAX << 4;
/// Most messages outstanding at once in a closed loop; each takes 16 bytes.
const OUTSTANDING_MAX: u64 = 1 << 24;
/// Most payload bytes outstanding at once in a closed loop; this process holds them if the server
/// doesn't read.
const OUTSTANDING_BYTES_MAX: u64 = 4 << 30;
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

const DURATION_DEFAULT: Duration = Duration::from_secs(10);
/// Longest duration of a run with `-n` and without `-d`.
const DURATION_WITH_NUMBER: Duration = Duration::from_secs(600);

/// The configuration of a run.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the connections do.
    pub scenario: Scenario,
    /// The servers, which connections take in turn; empty for an embedded server.
    pub targets: Vec<Target>,
    /// How to reach the servers.
    pub network: Network,
    /// Connections open at once, at least 1. Like rates and numbers, for the whole run.
    pub connections: u64,
    /// The part of the run that this process does, if there are several.
    pub segment: Option<Segment>,
    /// How many processes the run may become.
    pub processes: Processes,
    /// The place of this process in a fleet, if it is a member of one.
    pub member: Option<Member>,
    /// When the run starts; `None` is now.
    pub start_at: Option<SystemTime>,
    /// Time from the start of the run to the start of load; `None` starts load as soon as all
    /// connections are open.
    pub ramp: Option<Duration>,
    /// Connections opened per second, the highest rate if it changes; `None` is as fast as the
    /// server accepts them.
    pub connect_rate: Option<Rate>,
    /// Connections closed per second once load is over; `None` is as fast as the server answers.
    pub close_rate: Option<Rate>,
    /// How messages and connections keep to their rates.
    pub pacing: Pacing,
    /// What the user of each connection does beside the scenario, if it has one.
    pub beside: Option<Play>,
    /// Time limit for an echo; `None` is the end of the run.
    pub reply_timeout: Option<Duration>,
    /// Time between Pings on a connection, beside messages; `None` sends none.
    pub ping_interval: Option<Duration>,
    /// How lost connections are opened again; `None` leaves them closed.
    pub reconnect: Option<Reconnect>,
    /// Which connections are cut, and when; `None` cuts none.
    pub storm: Option<Storm>,
    /// How these connections behave.
    pub misbehaviour: Misbehaviour,
    /// Misbehaving connections beside these, counted separately.
    pub cohorts: Vec<Cohort>,
    /// Worker threads, at most one per connection.
    pub threads: NonZeroUsize,
    /// Whether the user has asked for that number.
    pub is_threads_asked: bool,
    /// Whether the contents of messages come from stdin or a pipe, which only one process can read.
    pub reads_stream: bool,
    /// The measured time.
    pub duration: Duration,
    /// Load before the measured time.
    pub warmup: Duration,
    /// The opening request, and the time limits for opening and closing.
    pub request: Request,
    /// How long to wait for outstanding replies at the end.
    pub drain_timeout: Duration,
    /// What each connection does in the same way.
    pub common: CommonArgs,
    /// Seed of everything random.
    pub seed: u64,
    /// Labels to save with the result.
    pub labels: Vec<(String, String)>,
    /// Thresholds to judge the result by.
    pub thresholds: Vec<Threshold>,
    /// Measured time after which a threshold that fails ends the run; `None` lets it go on.
    pub abort_after: Option<Duration>,
    /// Whether the plan is printed and nothing is run.
    pub is_dry_run: bool,
    /// The process to watch beside the connections.
    pub watch_pid: Option<u32>,
    /// Where the metrics of the run are served.
    pub prometheus: Option<SocketAddr>,
    /// Where they are sent while it goes on.
    pub sinks: Vec<Sink>,
    /// Where results go.
    pub outputs: Vec<Output>,
    /// How much to print on stderr.
    pub verbosity: Verbosity,
    /// Changes to what the arguments asked for, one line each.
    pub notes: Vec<String>,
}

/// What the connections of a run do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// All are opened, exchange messages, and are closed.
    Echo(Echo),
    /// Each is opened and closed at once, then replaced by another.
    OpenClose {
        /// Total number of connections; `None` is no limit.
        number: Option<u64>,
    },
    /// All are opened, held, then closed.
    Hold(Hold),
    /// All are opened, receive what the server pushes, then are closed.
    Listen(Listen),
    /// Some publish, the others subscribe.
    Fanout(Fanout),
    /// All follow a scenario file.
    Play(Play),
}

impl Scenario {
    /// Returns the name of the command for this scenario.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Echo(_) => "run",
            Self::OpenClose { .. } => "connect",
            Self::Hold(_) => "hold",
            Self::Listen(_) => "listen",
            Self::Fanout(_) => "fanout",
            Self::Play(_) => "play",
        }
    }

    /// Checks whether all connections are opened before load begins, and stay open.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::OpenClose { .. })
    }
}

/// The messages of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// When they are sent.
    pub load: Load,
    /// Total number of messages; `None` is no limit.
    pub messages: Option<u64>,
    /// Text or binary.
    pub kind: DataKind,
    /// Their contents.
    pub content: Content,
    /// Payload bytes per frame; `None` is one frame per message.
    pub fragment: Option<NonZeroUsize>,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// When the reply to an earlier message has arrived.
    Closed {
        /// Messages outstanding on each connection, at least 1.
        pipeline: u32,
    },
    /// On schedule, whether replies arrive or not.
    Open {
        /// For all connections together; the highest rate if it changes.
        rate: Rate,
    },
    /// On schedule, once per interval on each connection.
    Every {
        /// Time between messages of a connection.
        interval: Duration,
    },
}

impl Load {
    /// Checks whether messages are sent on schedule, so that one may be late.
    #[must_use]
    pub const fn is_scheduled(self) -> bool {
        !matches!(self, Self::Closed { .. })
    }
}

/// How much to print on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors and notes.
    Notes,
    /// Errors, notes, and each phase as it starts.
    Phases,
    /// Errors, notes, and how the run goes.
    Progress(LiveForm),
}

impl Config {
    /// Builds the configuration of `loadgen run`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_run(mut args: RunArgs) -> Result<Self, String> {
        let asked = within("-c", args.load.connections, 1, shard::connections_max(&args.load))?;
        let (connections, cohorts) = cohort::split(&args.cohorts, asked)?;
        args.load.connections = connections;
        let (mut pacing, rate) = Pacing::new(&args.pace, "-R", args.rate, connections)?;
        let mut notes = Vec::new();
        let rate = rate.or_else(|| pacing::demonstration(&args, &pacing, &mut notes));
        let load = pacing::loop_of(&args, &pacing, rate)?;
        if pacing.arrivals == Arrivals::Poisson && rate.or(args.load.connect_rate).is_none() {
            return Err(
                "--arrivals says how a rate is spread; use it with -R, -C or --stage".into()
            );
        }
        if args.users.reply_id.is_some() {
            return Self::of_requests(args, pacing, load);
        }
        let content = Content::new(&args.message, &mut notes)?;
        let kind = args.message.kind();
        let fragment = args.message.fragment.map(content::fragment).transpose()?;
        let messages =
            args.messages.map(|messages| within("-n", messages, 1, u64::MAX)).transpose()?;
        let scenario = Scenario::Echo(Echo { load, messages, kind, content, fragment });
        if let Some(catch_up) = args.catch_up {
            if !load.is_scheduled() {
                return Err(
                    "--catch-up is for messages on a schedule; use it with -R or --stage".into()
                );
            }
            pacing.catch_up = bounded("--catch-up", catch_up, Duration::ZERO, TIMEOUT_MAX)?;
        }
        let beside = users::beside(&args.users, &mut args.load)?;
        users::refuse_cohorts(&args.users, &args.cohorts)?;
        let mut config = Self::of_load(scenario, pacing::staged(args.load, &pacing)?)?;
        config.notes = notes;
        config.beside = beside;
        config.reads_stream = content::reads_stream(&args.message);
        config.pacing = pacing;
        config.cohorts = cohorts;
        config.check_cohorts()?;
        config.set_reconnect(&args.reconnect)?;
        config.reply_timeout = content::reply_timeout(args.reply_timeout, config.echo())?;
        config.ping_interval = scenario::ping_interval(args.ping_interval)?;
        config.warmup = bounded("-w", args.warmup, Duration::ZERO, DURATION_MAX)?;
        config.drain_timeout =
            bounded("--drain-timeout", args.drain_timeout, Duration::ZERO, TIMEOUT_MAX)?;
        config.check_outstanding()?;
        Ok(config)
    }

    /// Builds the configuration of `loadgen connect`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_connect(args: ConnectArgs) -> Result<Self, String> {
        let number = args.number.map(|number| within("-n", number, 1, u64::MAX)).transpose()?;
        let rate = args.load.connect_rate.map(RateAsked::of);
        let (pacing, rate) = Pacing::new(&args.pace, "-C", rate, args.load.connections)?;
        if pacing.arrivals == Arrivals::Poisson && rate.is_none() {
            return Err("--arrivals says how a rate is spread; use it with -C or --stage".into());
        }
        let load = pacing::staged(args.load, &pacing)?;
        let mut config = Self::of_load(Scenario::OpenClose { number }, load)?;
        (config.pacing, config.connect_rate) = (pacing, rate);
        Ok(config)
    }

    /// Checks whether the server runs in this process.
    #[must_use]
    pub const fn is_embedded(&self) -> bool {
        self.targets.is_empty()
    }

    /// Returns the messages, if the scenario sends any.
    #[must_use]
    pub const fn echo(&self) -> Option<&Echo> {
        match &self.scenario {
            Scenario::Echo(echo) => Some(echo),
            _ => None,
        }
    }

    /// Returns the metric of the latencies that are known while a run goes on; `None` if it is none
    /// that thresholds know.
    #[must_use]
    pub fn live_metric(&self) -> Option<Metric> {
        let is_scheduled = self.echo()?.load.is_scheduled();
        Some(if is_scheduled { Metric::RttResponse } else { Metric::RttService })
    }

    /// Returns the part of the run that this process does.
    #[must_use]
    pub fn part(&self) -> Segment {
        self.segment.unwrap_or(Segment::WHOLE)
    }

    /// Returns how many connections of this process are open at once.
    #[must_use]
    pub fn connections_here(&self) -> u64 {
        self.part().connections(self.connections)
    }

    fn of_load(scenario: Scenario, args: LoadArgs) -> Result<Self, String> {
        let part = args.shard.segment.unwrap_or(Segment::WHOLE);
        let connections = within("-c", args.connections, 1, shard::connections_max(&args))?;
        shard::check(&args, &scenario)?;
        let cores = quota::processors().get() as u64;
        // An embedded server has as many threads, and mustn't compete with the client for cores.
        let each = if args.urls.is_empty() { (cores / 2).max(1) } else { cores };
        let threads = within("-t", args.threads.unwrap_or(each), 1, THREADS_MAX)?;
        let threads = usize::try_from(threads.min(part.connections(connections))).unwrap_or(1);
        let is_numbered = match &scenario {
            Scenario::Echo(echo) => echo.messages.is_some(),
            Scenario::OpenClose { number } => number.is_some(),
            Scenario::Fanout(fanout) => fanout.messages.is_some(),
            Scenario::Play(play) => play.iterations.is_some(),
            Scenario::Hold(_) | Scenario::Listen(_) => false,
        };
        let duration = args.duration.unwrap_or(if is_numbered {
            DURATION_WITH_NUMBER
        } else {
            DURATION_DEFAULT
        });
        let purpose = match &scenario {
            Scenario::Fanout(_) => Purpose::TopicRequest,
            _ => Purpose::Request,
        };
        let target = |url: &String| Target::parse_for(url, args.request.secrets());
        let targets = args.urls.iter().map(target).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            scenario,
            network: Network::new(args.network, &targets)?,
            targets,
            connections,
            segment: args.shard.segment,
            processes: args.processes,
            member: args.member,
            start_at: args.shard.start_at,
            ramp: args
                .shard
                .ramp
                .map(|ramp| bounded("--ramp", ramp, Duration::ZERO, DURATION_MAX))
                .transpose()?,
            connect_rate: args.connect_rate,
            close_rate: args.close_rate,
            pacing: Pacing::default(),
            beside: None,
            reply_timeout: None,
            ping_interval: None,
            reconnect: None,
            storm: None,
            misbehaviour: Misbehaviour::None,
            cohorts: Vec::new(),
            is_threads_asked: args.threads.is_some(),
            reads_stream: false,
            threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            duration: bounded("-d", duration, Duration::from_millis(1), DURATION_MAX)?,
            warmup: Duration::ZERO,
            request: Request::new(&args.request, purpose)?,
            drain_timeout: Duration::ZERO,
            common: args.common,
            // Short enough to type again.
            seed: args.seed.unwrap_or_else(|| RandomState::new().hash_one(0) & 0xffff_ffff),
            labels: args.labels,
            abort_after: match args.abort_on_fail {
                Some(_) if args.gate.thresholds.is_empty() => {
                    return Err(
                        "--abort-on-fail is about thresholds; give one with --threshold".into()
                    );
                }
                after => after,
            },
            is_dry_run: args.dry_run,
            watch_pid: sink::watch_pid(args.stream.watch_pid, args.urls.is_empty())?,
            prometheus: args.stream.prometheus,
            sinks: sink::sinks(args.stream)?,
            thresholds: args.gate.thresholds,
            outputs: output::outputs(args.out.outputs)?,
            verbosity: match (args.quiet, args.verbose, args.live) {
                (true, ..) => Verbosity::Quiet,
                (_, true, _) => Verbosity::Phases,
                _ if args.no_progress => Verbosity::Progress(LiveForm::Off),
                (.., live) => Verbosity::Progress(live),
            },
            notes: Vec::new(),
        })
    }

    /// Refuses more outstanding messages than this process can hold.
    fn check_outstanding(&self) -> Result<(), String> {
        let Some(Echo { load: Load::Closed { pipeline }, content, .. }) = self.echo() else {
            return Ok(());
        };
        let connections = self.connections_here();
        let outstanding = connections * u64::from(*pipeline);
        if outstanding > OUTSTANDING_MAX {
            return Err(format!(
                "-c {connections} times -p {pipeline} is {outstanding} messages outstanding; \
                 use at most {}",
                units::count(OUTSTANDING_MAX)
            ));
        }
        let bytes = outstanding.saturating_mul(content.size_most() as u64);
        if bytes > OUTSTANDING_BYTES_MAX {
            return Err(format!(
                "-c {connections} times -p {pipeline} messages of {} bytes is {} GiB \
                 outstanding; use at most {} GiB",
                content.size_most(),
                bytes.div_ceil(1 << 30),
                OUTSTANDING_BYTES_MAX >> 30
            ));
        }
        Ok(())
    }
}

fn within(flag: &str, value: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(out_of_range(flag, value, least, most, units::count))
}

/// Like [`within`], for bytes.
fn within_size(flag: &str, value: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(out_of_range(flag, value, least, most, quantity::typed_size))
}

fn out_of_range(
    flag: &str,
    value: u64,
    least: u64,
    most: u64,
    shown: impl Fn(u64) -> String,
) -> String {
    let range = match most {
        u64::MAX => format!("{} or more", shown(least)),
        most => format!("{} to {}", shown(least), shown(most)),
    };
    format!("{flag} {} is out of range; use {range}", shown(value))
}

fn bounded(
    flag: &str,
    span: Duration,
    least: Duration,
    most: Duration,
) -> Result<Duration, String> {
    if (least..=most).contains(&span) {
        return Ok(span);
    }
    let [span, least, most] = [span, least, most].map(quantity::typed);
    Err(format!("{flag} {span} is out of range; use {least} to {most}"))
}

#[cfg(test)]
mod tests;
