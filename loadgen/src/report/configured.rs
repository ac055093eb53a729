//! The configuration of a run in its result, with every default filled in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::reach::NetworkReport;
use super::reconnect::PausesReport;
use crate::config::{Arrivals, Mask};

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
    /// Names of the request's headers besides those of the protocol. Values may be secrets and are
    /// left out.
    pub header_names: Vec<String>,
    /// Subprotocols offered.
    pub subprotocols: Vec<String>,
    /// The Origin header.
    pub origin: Option<String>,
    /// The route to the server.
    pub network: NetworkReport,
    /// How frames are masked.
    pub mask: Mask,
    /// The seed of the payloads.
    pub seed: u64,
    /// Unanswered messages a worker allows before it skips messages that are due (open loop).
    pub unanswered_max_per_worker: u64,
    /// Bytes a worker queues for sockets before it skips messages that are due (open loop).
    pub backlog_bytes_max_per_worker: u64,
    /// Labels that the user wants kept with the result.
    pub labels: Vec<Label>,
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
