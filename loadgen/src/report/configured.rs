//! The configuration of a run in its result, with every default filled in.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use wscodec::DataKind;

use super::digest::digest;
use super::reach::NetworkReport;
use super::reconnect::PausesReport;
use super::storm::StormAskedReport;
use crate::clock::nanos;
use crate::config::{
    Arrivals, CommonArgs, Config, Content, Load, Rate, Request, Scenario, Secrets, Stage, Stages,
};
use crate::net::masked_subprotocols;
use crate::worker::{BACKLOG_MAX, UNANSWERED_MAX};

/// The resolved configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigReport {
    /// Which segment of the run this is; `null` for the whole run.
    pub segment: Option<SegmentReport>,
    /// When the run was to begin, in milliseconds since 1970; `null` means at once.
    pub start_at_unix_ms: Option<u64>,
    /// How long after the begin of the run load was to start; `null` means once all connections are
    /// open.
    pub ramp_ns: Option<u64>,
    /// Connections open at once, in the whole run; rates and numbers are the whole run's too.
    pub connections: u64,
    /// Connections started a second, if constant; `null` for as fast as the server accepts them.
    pub connect_rate_per_s: Option<f64>,
    /// Worker threads.
    pub threads: u64,
    /// When messages are sent; `null` if none are.
    pub load: Option<LoadKind>,
    /// Messages outstanding on each connection (closed loop).
    pub pipeline: Option<u32>,
    /// Messages a second in total, if constant (open loop).
    pub rate_per_s: Option<f64>,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How the rate changes: of messages, or of connections if none are sent.
    pub stages: Option<StagesReport>,
    /// How late a message may be sent (open loop).
    pub catch_up_ns: Option<u64>,
    /// Messages in total, or connections if no messages are sent.
    pub number: Option<u64>,
    /// Upper bound of the payload size, in bytes.
    pub payload_size: Option<u64>,
    /// Lower bound of the payload size, in bytes.
    pub payload_size_min: Option<u64>,
    /// The source of the payloads, in words.
    pub payload_source: Option<String>,
    /// Payload bytes in a frame; `null` for one frame a message.
    pub fragment_size: Option<u64>,
    /// What messages are; `null` if none are sent.
    pub payload_kind: Option<PayloadKind>,
    /// Identifies the content of the payloads.
    pub payload_digest: Option<String>,
    /// Whether payloads are made from the seed; otherwise they are the user's.
    pub payload_is_generated: Option<bool>,
    /// Measured time.
    pub duration_ns: u64,
    /// Time under load before the measured time.
    pub warmup_ns: u64,
    /// Bound on waiting for replies at the end.
    pub drain_timeout_ns: u64,
    /// Bound on TCP and opening handshake.
    pub connect_timeout_ns: u64,
    /// Bound on the closing handshake and the end of the stream.
    pub close_timeout_ns: u64,
    /// Longest time from the write of a message to its echo; `null` for no bound.
    pub reply_timeout_ns: Option<u64>,
    /// Pauses before a lost connection is reopened; `null` if it isn't.
    pub reconnect: Option<PausesReport>,
    /// Connections that were to be cut at a moment; absent without a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormAskedReport>,
    /// Names of the request's headers besides those of the protocol. Values may be secrets and are
    /// left out.
    pub header_names: Vec<String>,
    /// Subprotocols offered.
    pub subprotocols: Vec<String>,
    /// The Origin header.
    pub origin: Option<String>,
    /// The route to the server.
    pub network: NetworkReport,
    /// What each connection did in the same way. For `recv_time`, see `arrival_times`.
    #[serde(flatten)]
    pub common: CommonArgs,
    /// The seed of the payloads.
    pub seed: u64,
    /// Unanswered messages a worker allows before it skips messages that are due (open loop).
    pub unanswered_max_per_worker: u64,
    /// Bytes a worker queues for sockets before it skips messages that are due (open loop).
    pub backlog_bytes_max_per_worker: u64,
    /// Labels that the user wants kept with the result.
    pub labels: Vec<Label>,
}

impl ConfigReport {
    /// Fills in a configuration with every default.
    pub(super) fn new(config: &Config) -> Self {
        let echo = config.echo();
        let played = config.play().map(|play| play.load);
        let load = echo.map(|echo| echo.load).or(played);
        let is_staged = config.pacing.stages.is_some();
        let is_open_loop = config.load().is_some_and(Load::is_scheduled);
        Self {
            segment: config
                .segment
                .map(|segment| SegmentReport { index: segment.index(), of: segment.of() }),
            start_at_unix_ms: config.start_at.map(unix_ms),
            ramp_ns: config.ramp.map(nanos),
            connections: config.connections,
            connect_rate_per_s: config
                .connect_rate
                .filter(|_| echo.is_some() || !is_staged)
                .map(Rate::per_s),
            threads: config.threads.get() as u64,
            load: load.map(|load| match load {
                Load::Closed { .. } => LoadKind::Closed,
                Load::Open { .. } | Load::Every { .. } => LoadKind::Open,
            }),
            pipeline: echo.map(|echo| echo.load).and_then(|load| match load {
                Load::Closed { pipeline } => Some(pipeline),
                Load::Open { .. } | Load::Every { .. } => None,
            }),
            rate_per_s: load.and_then(constant_rate).filter(|_| !is_staged),
            arrivals: config.pacing.arrivals,
            stages: config.pacing.stages.as_ref().map(stages),
            catch_up_ns: is_open_loop.then(|| nanos(config.pacing.catch_up)),
            number: match &config.scenario {
                Scenario::Echo(echo) => echo.messages,
                Scenario::OpenClose { number } => *number,
                Scenario::Fanout(fanout) => fanout.messages,
                Scenario::Play(play) => play.iterations,
                Scenario::Hold(_) | Scenario::Listen(_) => None,
            },
            payload_size: echo.map(|echo| echo.content.size_most() as u64),
            payload_size_min: echo.map(|echo| echo.content.size_least() as u64),
            payload_source: echo.map(|echo| echo.content.source().into()),
            fragment_size: echo.and_then(|echo| echo.fragment).map(|size| size.get() as u64),
            payload_kind: echo.map(|echo| match echo.kind {
                DataKind::Text => PayloadKind::Text,
                DataKind::Binary => PayloadKind::Binary,
            }),
            payload_digest: echo.map(|echo| digest(&echo.content)),
            payload_is_generated: echo.map(|echo| matches!(echo.content, Content::Generated(_))),
            duration_ns: nanos(config.duration),
            warmup_ns: nanos(config.warmup),
            drain_timeout_ns: nanos(config.drain_timeout),
            connect_timeout_ns: nanos(config.request.connect_timeout),
            close_timeout_ns: nanos(config.request.close_timeout),
            reply_timeout_ns: config.reply_timeout.map(nanos),
            reconnect: config.reconnect.map(PausesReport::new),
            storm: config.storm.map(StormAskedReport::new),
            header_names: header_names(&config.request),
            subprotocols: subprotocols(&config.request),
            origin: config.request.origin.as_ref().map(ToString::to_string),
            network: NetworkReport::new(&config.network),
            common: config.common,
            seed: config.seed,
            unanswered_max_per_worker: UNANSWERED_MAX as u64,
            backlog_bytes_max_per_worker: BACKLOG_MAX as u64,
            labels: config
                .labels
                .iter()
                .map(|(key, value)| Label { key: key.clone(), value: value.clone() })
                .collect(),
        }
    }
}

/// One of N processes that make a run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// The segment's number, from 1.
    pub index: u64,
    /// The number of segments.
    pub of: u64,
}

impl fmt::Display for SegmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// How a rate changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagesReport {
    /// The rate before the first stage.
    pub start_per_s: f64,
    /// The stages in order.
    pub stages: Vec<StageReport>,
}

/// A part of a run in which the rate changes linearly to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// How long it takes.
    pub length_ns: u64,
    /// The rate at its end.
    pub target_per_s: f64,
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Before the `=`.
    pub key: String,
    /// After it.
    pub value: String,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// When replies make room for more.
    Closed,
    /// On a schedule.
    Open,
}

/// The type of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadKind {
    /// Text messages.
    Text,
    /// Binary messages.
    Binary,
}

impl PayloadKind {
    /// Returns the name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// Returns a time in milliseconds since 1970.
pub(super) fn unix_ms(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    nanos(since_1970.unwrap_or_default()) / 1_000_000
}

fn subprotocols(request: &Request) -> Vec<String> {
    let names: Vec<_> = request.subprotocols.iter().map(ToString::to_string).collect();
    match request.secrets {
        Secrets::Mask => masked_subprotocols(&names),
        Secrets::Show => names,
    }
}

/// Returns only the names of headers: the values may be secrets.
fn header_names(request: &Request) -> Vec<String> {
    let host = request.host.iter().map(|_| "Host".to_owned());
    host.chain(request.headers.iter().map(|(name, _)| name.clone())).collect()
}

fn constant_rate(load: Load) -> Option<f64> {
    match load {
        Load::Closed { .. } | Load::Every { .. } => None,
        Load::Open { rate } => Some(rate.per_s()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 10^11, which an f64 holds exactly")]
fn stages(stages: &Stages) -> StagesReport {
    let per_s = |per_1000_s: u64| per_1000_s as f64 / 1_000.0;
    let stage = |stage: &Stage| StageReport {
        length_ns: nanos(stage.length),
        target_per_s: per_s(stage.per_1000_s),
    };
    StagesReport {
        start_per_s: per_s(stages.start_per_1000_s),
        stages: stages.stages.iter().map(stage).collect(),
    }
}
