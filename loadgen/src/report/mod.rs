//! What was measured to what is printed and written.
//!
//! [`Report`] is the result file: everything in it is an integer, a name or a list of those, and
//! the schema in `loadgen/report.schema.json` describes it. The text is made of the same values, so
//! that the two never say different things.

mod build;
mod cohort;
pub mod csv;
mod deflate;
mod deliveries;
pub mod diff;
mod digest;
mod ends;
pub mod fanout;
pub mod hgrm;
mod histogram;
pub mod hlog;
pub mod hold;
pub mod json;
mod lag;
mod line;
pub mod load;
mod measure;
pub mod merge;
mod notes;
mod outcome;
pub mod push;
mod reach;
pub mod reconnect;
#[cfg(test)]
mod sample;
pub mod scenario;
pub mod seen;
pub mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::{Arrivals, Mask};
pub use crate::metrics::MessageCounts;
use crate::metrics::{IntervalCounts, NetworkCounts, Side};
use crate::units::Unit;
use crate::verdict::State;
pub use build::Subject;
pub use cohort::CohortReport;
pub use deflate::{AgreedReport, DeflateReport};
use fanout::FanoutReport;
use hold::{HoldReport, PingReport};
pub use lag::EffectReport;
use merge::MergedReport;
use push::PushReport;
pub use reach::{AddressReport, NetworkReport, TargetReport, TlsReport, UrlReport};
use reconnect::{PausesReport, ReconnectReport};
#[cfg(test)]
pub(crate) use sample::{sample, sample_of};
use scenario::ScenarioReport;
use seen::SeenReport;

/// The version of the result file's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name and version of the program.
    pub generator: Generator,
    /// `run`, `connect`, `hold`, `listen`, `fanout` or `play`.
    pub command: String,
    /// Wall-clock time of the begin, in milliseconds since 1970.
    pub started_at_unix_ms: u64,
    /// Whether a signal ended it before its time.
    pub is_interrupted: bool,
    /// What was asked for, with every default filled in.
    pub config: ConfigReport,
    /// The server.
    pub target: TargetReport,
    /// The machine that made the load.
    pub host: HostReport,
    /// When each phase began and ended.
    pub phases: Phases,
    /// Connections.
    pub connections: Connections,
    /// Messages; `null` if none are sent.
    pub messages: Option<Messages>,
    /// Pings beside messages; `null` if there are none.
    pub pings: Option<PingReport>,
    /// Lost connections; `null` if they are not opened again.
    pub reconnect: Option<ReconnectReport>,
    /// Held connections; `null` if they aren't what was asked for.
    pub hold: Option<HoldReport>,
    /// Pushed messages; `null` if they aren't what was asked for.
    pub push: Option<PushReport>,
    /// Published messages; `null` if they aren't what was asked for.
    pub fanout: Option<FanoutReport>,
    /// Users of a scenario; absent if none was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<ScenarioReport>,
    /// Bytes on sockets.
    pub bytes: Bytes,
    /// What the kernel said about connections that were looked at; `null` if it said nothing.
    pub network: Option<NetworkCounts>,
    /// permessage-deflate; `null` if it was not offered.
    pub deflate: Option<DeflateReport>,
    /// What failed.
    pub errors: Vec<ErrorReport>,
    /// Messages that are shown and not judged.
    #[serde(default)]
    pub seen: Vec<SeenReport>,
    /// How established connections were closed.
    pub closings: Vec<ClosingReport>,
    /// Clients that misbehaved beside the others, which are in no number of theirs.
    pub cohorts: Vec<CohortReport>,
    /// The bounds that all histograms share.
    pub histogram_bounds: Bounds,
    /// Durations.
    pub histograms: Vec<HistogramReport>,
    /// What happened over time.
    pub time_series: TimeSeries,
    /// What the run took of this machine.
    pub client: Client,
    /// Sums that are wrong: must be empty.
    pub imbalances: Vec<String>,
    /// What the run could not know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the measurement can be trusted.
    pub verdict: VerdictReport,
    /// Whether the server did all it should.
    pub outcome: OutcomeReport,
    /// What was asked of it.
    pub thresholds: Vec<ThresholdReport>,
    /// The segments that it was merged from; `null` if it is of one process.
    pub merged: Option<MergedReport>,
}

/// The program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    /// `loadgen`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The resolved configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigReport {
    /// Which part of the run this is; `null` if it is all of it.
    pub segment: Option<SegmentReport>,
    /// When the run was to begin, in milliseconds since 1970; `null` is at once.
    pub start_at_unix_ms: Option<u64>,
    /// How long after that load was to begin; `null` is once all connections are open.
    pub ramp_ns: Option<u64>,
    /// Connections open at once; of the whole run, as rates and numbers are.
    pub connections: u64,
    /// Connections begun a second, if that is constant; `null` is as fast as the server takes them.
    pub connect_rate_per_s: Option<f64>,
    /// Worker threads.
    pub threads: u64,
    /// When messages are sent; `null` if none are.
    pub load: Option<LoadKind>,
    /// Messages outstanding on each connection (closed loop).
    pub pipeline: Option<u32>,
    /// Messages a second in all, if that is constant (open loop).
    pub rate_per_s: Option<f64>,
    /// How a rate is spread.
    pub arrivals: Arrivals,
    /// How the rate changes: of messages, or of connections if none are sent.
    pub stages: Option<StagesReport>,
    /// How late a message may be sent (open loop).
    pub catch_up_ns: Option<u64>,
    /// How many messages, or connections if none are sent, in all.
    pub number: Option<u64>,
    /// Bytes that no payload has more than.
    pub payload_size: Option<u64>,
    /// Bytes that no payload has less than.
    pub payload_size_min: Option<u64>,
    /// What payloads are made from, in words.
    pub payload_source: Option<String>,
    /// Bytes of payload of a frame; `null` is one frame a message.
    pub fragment_size: Option<u64>,
    /// What messages are; `null` if none are sent.
    pub payload_kind: Option<PayloadKind>,
    /// Tells payloads of different content apart.
    pub payload_digest: Option<String>,
    /// Whether payloads are made from the seed; otherwise they are the user's.
    pub payload_is_generated: Option<bool>,
    /// Measured time.
    pub duration_ns: u64,
    /// Load before it.
    pub warmup_ns: u64,
    /// Bound on waiting for replies at the end.
    pub drain_timeout_ns: u64,
    /// Bound on TCP and opening handshake.
    pub connect_timeout_ns: u64,
    /// Bound on the closing handshake and the end of the stream.
    pub close_timeout_ns: u64,
    /// How long an echo may take from its message's write; `null` is without bound.
    pub reply_timeout_ns: Option<u64>,
    /// Pauses before a lost connection is opened again; `null` if it isn't.
    pub reconnect: Option<PausesReport>,
    /// Headers of the request beside those of the protocol. Values may be secrets, so only names
    /// are kept.
    pub header_names: Vec<String>,
    /// Subprotocols offered.
    pub subprotocols: Vec<String>,
    /// The Origin header.
    pub origin: Option<String>,
    /// The way to the server.
    pub network: NetworkReport,
    /// How frames are masked.
    pub mask: Mask,
    /// Where payloads come from.
    pub seed: u64,
    /// Messages without reply that a worker allows before it leaves out what is due (open loop).
    pub unanswered_max_per_worker: u64,
    /// Bytes that may wait for sockets before a worker leaves out what is due (open loop).
    pub backlog_bytes_max_per_worker: u64,
    /// What the user wants kept with the result.
    pub labels: Vec<Label>,
}

/// One of so many processes that make a run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// Which, from 1 on.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// How a rate changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagesReport {
    /// The rate before the first stage.
    pub start_per_s: f64,
    /// In their order.
    pub stages: Vec<StageReport>,
}

/// A part of a run in which the rate goes in a line to another.
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

/// The machine that made the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostReport {
    /// Operating system and its version.
    pub system: String,
    /// Processors that this process may use.
    pub processors: u64,
    /// Processor time that a control group allows, in processors; `null` is without quota.
    #[serde(default)]
    pub cpu_quota: Option<f64>,
    /// Descriptors that this process may have open; `null` is without limit.
    pub descriptors_max: Option<u64>,
    /// Local ports for connections to one address: first and last.
    pub ports: Option<(u16, u16)>,
}

/// When each phase began and ended, in nanoseconds after the run's begin. `null` if it never came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Connections are opened before load.
    pub ramp: Option<Interval>,
    /// Load that isn't measured.
    pub warmup: Option<Interval>,
    /// The measured time.
    pub measured: Option<Interval>,
    /// Replies are waited for.
    pub drain: Option<Interval>,
    /// Connections are closed.
    pub close: Option<Interval>,
}

/// An interval of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its begin.
    pub begin_ns: u64,
    /// Its end.
    pub end_ns: u64,
}

impl Interval {
    /// How long it is.
    #[must_use]
    pub const fn length_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.begin_ns)
    }
}

/// What became of the connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    /// Begun. Is completed and failed together.
    pub attempted: u64,
    /// Opened by a valid handshake.
    pub established: u64,
    /// Did all they should and were closed cleanly.
    pub completed: u64,
    /// Did not, see `errors`.
    pub failed: u64,
    /// Opened within the measured time (`connect`).
    pub opened: u64,
    /// Of those, a second (`connect`).
    pub opened_per_s: Option<f64>,
}

/// What became of the messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Asked for, a second (open loop).
    pub offered_per_s: Option<f64>,
    /// Echoes that arrived within the measured time, a second.
    pub achieved_per_s: f64,
    /// Echoes that arrived within the measured time.
    pub arrived: u64,
    /// Of the measured time.
    pub measured: MessageCounts,
    /// Of the warm-up.
    pub warmup: MessageCounts,
    /// Of those that had timed out, the ones that came back after all.
    pub late: u64,
    /// Received again, or after they had been given up for lost.
    pub duplicated: u64,
    /// Received without having been sent.
    pub unexpected: u64,
    /// Pings received, and answered.
    pub pings: u64,
}

/// Bytes on sockets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
}

/// A kind of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Where: `tcp`, `proxy`, `tls`, `handshake`, `http`, `open`, `protocol`, `server_close`, `close`, `run` or
    /// `message`.
    pub phase: String,
    /// What.
    pub code: String,
    /// How often.
    pub count: u64,
    /// What was seen the first time; control characters are escaped.
    pub sample: String,
    /// What was seen later and differs from that, and from each other, in more than numbers: a few.
    #[serde(default)]
    pub other_samples: Vec<String>,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// When replies make room for them.
    Closed,
    /// On a schedule.
    Open,
}

/// What messages are.
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

/// A way in which connections were closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosingReport {
    /// Which side began.
    pub by: Side,
    /// With what code; 1005 for none, 1006 without Close.
    pub code: u16,
    /// Whether both Close frames were exchanged and the stream then ended.
    pub is_clean: bool,
    /// How many connections.
    pub count: u64,
    /// The reasons that the server gave, if it began; a Close without one is in none.
    #[serde(default)]
    pub reasons: Vec<CloseReasonReport>,
}

/// A reason in a Close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseReasonReport {
    /// As the server gave it; control characters are escaped. `null` is all reasons beyond the
    /// number that is kept.
    pub reason: Option<String>,
    /// How many connections.
    pub count: u64,
}

/// The parameters of a histogram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The shortest duration.
    pub lowest_ns: u64,
    /// The longest.
    pub highest_ns: u64,
    /// Decimal digits.
    pub significant_digits: u8,
}

/// A histogram: its most asked for values, and all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramReport {
    /// What was measured.
    pub metric: String,
    /// From what to what.
    pub description: String,
    /// Durations in it.
    pub count: u64,
    /// Durations shorter than its range: in no percentile.
    pub below: u64,
    /// Durations longer than its range: in no percentile.
    pub above: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The mean.
    pub mean_ns: u64,
    /// The standard deviation.
    pub deviation_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Percentiles, ascending.
    pub percentiles: Vec<Percentile>,
    /// The histogram in the HdrHistogram V2 format, deflated, in base64.
    pub data: String,
}

impl HistogramReport {
    /// A percentile that is in the report.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the constants of this program, unchanged")]
    pub fn percentile(&self, percentile: f64) -> Option<u64> {
        self.percentiles.iter().find(|row| row.percentile == percentile).map(|row| row.value_ns)
    }
}

/// A percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// Of 100.
    pub percentile: f64,
    /// So many of all are not above it.
    pub value_ns: u64,
}

/// What happened over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSeries {
    /// The length of an interval; the last may be shorter.
    pub interval_ns: u64,
    /// Intervals, without gaps, from the run's begin.
    pub rows: Vec<RowReport>,
}

/// An interval of the time series. Its percentiles are to 3 %: of response latency under open loop,
/// else of service latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowReport {
    /// Its begin.
    pub begin_ns: u64,
    /// Its length.
    pub length_ns: u64,
    /// Connections open at its end.
    pub open: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub counts: IntervalCounts,
    /// Median latency.
    pub p50_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// All of them; `null` if there was none.
    pub latency: Option<LatencyReport>,
}

/// Latencies of an interval, to 3 %.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// The longest.
    pub max_ns: u64,
    /// As a histogram's.
    pub data: String,
}

/// What the run took of the machine that made the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Processor time of the worker threads while load was made, as a share of one processor.
    pub cpu_share: f64,
    /// Processor time of the whole process over the whole run; an embedded server is in it.
    pub process_cpu_ns: u64,
    /// The share of the time that the busiest worker was on a processor or waited for one, without
    /// the time that it stayed awake for the next message.
    pub busiest_share: f64,
    /// Each worker.
    pub workers: Vec<WorkerShare>,
    /// The most memory that was resident, in bytes; an embedded server is in it.
    pub rss_max: Option<u64>,
    /// Memory that an idle connection took, in bytes, both ends of it if the server is embedded;
    /// `null` if there were fewer than 1,000.
    pub rss_per_connection: Option<u64>,
    /// How much later than it should the program once woke up.
    pub pause_max_ns: u64,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerShare {
    /// How long it made load.
    pub load_ns: u64,
    /// On a processor meanwhile.
    pub cpu_ns: u64,
    /// Waiting for a processor meanwhile.
    pub wait_ns: Option<u64>,
    /// Of the time on a processor, what went into waiting for the next message to be due: a time
    /// nearer than 50 us is waited for awake.
    #[serde(default)]
    pub spun_ns: u64,
    /// Connections established.
    pub established: u64,
    /// Echoes received.
    pub received: u64,
}

/// Whether the measurement can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerdictReport {
    /// `none`, `valid`, `degraded` or `saturated`.
    pub state: State,
    /// Why not `valid`.
    pub reasons: Vec<String>,
    /// What the client's own lateness does to the latencies that it is in.
    #[serde(default)]
    pub effects: Vec<EffectReport>,
}

/// Whether the run did what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// Every connection completed and every message came back as it was, as far as no threshold is
    /// about that.
    pub is_ok: bool,
    /// What did not.
    pub reasons: Vec<String>,
    /// What counts as no failure because a threshold is about it.
    #[serde(default)]
    pub left_to_thresholds: Vec<String>,
}

/// A threshold, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdReport {
    /// As it was asked for.
    pub expression: String,
    /// Whether it holds; it doesn't if there is no data.
    pub is_passed: bool,
    /// What was measured; `null` if nothing was.
    pub measured: Option<f64>,
    /// What that is a number of.
    pub unit: Unit,
}

impl fmt::Display for SegmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
