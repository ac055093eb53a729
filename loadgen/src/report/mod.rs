//! Turns what was measured into what is printed and written.
//!
//! [`Report`] is the result file: it holds only integers, names and lists of those, and
//! `loadgen/report.schema.json` is its schema. The text is made from the same values, so the two
//! always agree.

mod build;
mod cohort;
mod configured;
pub mod csv;
mod deflate;
mod deliveries;
pub mod diff;
mod digest;
mod ends;
mod evidence;
pub mod fanout;
pub mod hgrm;
mod histogram;
pub mod hlog;
pub mod hold;
pub mod html;
pub mod influx;
mod interval;
pub mod json;
pub mod junit;
mod lag;
mod line;
pub mod load;
pub mod markdown;
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
mod series;
pub mod storm;
mod summary;
pub mod text;
pub mod trend;
pub mod watched;

use serde::{Deserialize, Serialize};

pub use crate::metrics::{ArrivalCounts, MessageCounts};
use crate::metrics::{ArrivalTimeCounts, Http2Counts, NetworkCounts, Side};
use crate::units::Unit;
use crate::verdict::State;
pub use build::{Subject, row};
pub use cohort::CohortReport;
pub use configured::{
    ConfigReport, Label, LoadKind, PayloadKind, SegmentReport, StageReport, StagesReport,
};
pub use deflate::{AgreedReport, DeflateReport};
use fanout::FanoutReport;
pub use histogram::{Bounds, HistogramReport, Percentile};
use hold::{HoldReport, PingReport};
pub use lag::EffectReport;
use merge::MergedReport;
use push::PushReport;
pub use reach::{AddressReport, NetworkReport, TargetReport, TlsReport, UrlReport};
use reconnect::ReconnectReport;
#[cfg(test)]
pub(crate) use sample::{sample, sample_of};
use scenario::ScenarioReport;
use seen::SeenReport;
pub use series::{LatencyReport, RowReport, TimeSeries};
use storm::StormReport;
use watched::WatchedReport;

/// The version of the result file's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name and version of this program.
    pub generator: Generator,
    /// `run`, `connect`, `hold`, `listen`, `fanout` or `play`.
    pub command: String,
    /// When the run began, by the wall clock, in milliseconds since 1970.
    pub started_at_unix_ms: u64,
    /// Whether a signal ended the run early.
    pub is_interrupted: bool,
    /// The threshold that ended the run early, with its value then (`--abort-on-fail`); absent if none
    /// did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_by: Option<String>,
    /// The configuration, with every default filled in.
    pub config: ConfigReport,
    /// The server.
    pub target: TargetReport,
    /// The machine that generated the load.
    pub host: HostReport,
    /// When each phase began and ended.
    pub phases: Phases,
    /// Connections.
    pub connections: Connections,
    /// Messages; `null` if none are sent.
    pub messages: Option<Messages>,
    /// Pings beside messages; `null` if there are none.
    pub pings: Option<PingReport>,
    /// Lost connections; `null` if they are not reopened.
    pub reconnect: Option<ReconnectReport>,
    /// Connections that were cut together; absent without a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormReport>,
    /// Held connections; `null` unless they were asked for.
    pub hold: Option<HoldReport>,
    /// Pushed messages; `null` unless they were asked for.
    pub push: Option<PushReport>,
    /// Published messages; `null` unless they were asked for.
    pub fanout: Option<FanoutReport>,
    /// Users of a scenario; absent if none was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<ScenarioReport>,
    /// Bytes on sockets.
    pub bytes: Bytes,
    /// What said when messages arrived; `null` without `--recv-time kernel`.
    #[serde(default)]
    pub arrival_times: Option<ArrivalTimeCounts>,
    /// The connections of HTTP/2 that carried WebSockets; `null` without `--http2`.
    #[serde(default)]
    pub http2: Option<Http2Counts>,
    /// What the kernel said about the connections sampled; `null` if nothing.
    pub network: Option<NetworkCounts>,
    /// permessage-deflate; `null` if it was not offered.
    pub deflate: Option<DeflateReport>,
    /// What failed.
    pub errors: Vec<ErrorReport>,
    /// Messages that are shown but not judged.
    #[serde(default)]
    pub seen: Vec<SeenReport>,
    /// How established connections were closed.
    pub closings: Vec<ClosingReport>,
    /// Clients that misbehaved beside the others, and are in none of the others' numbers.
    pub cohorts: Vec<CohortReport>,
    /// The bounds that all histograms share.
    pub histogram_bounds: Bounds,
    /// Durations.
    pub histograms: Vec<HistogramReport>,
    /// What happened over time.
    pub time_series: TimeSeries,
    /// What the run used of this machine.
    pub client: Client,
    /// The process that was watched (`--watch-pid`); absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<WatchedReport>,
    /// Sums that don't add up; must be empty.
    pub imbalances: Vec<String>,
    /// What the run could not know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the measurement can be trusted.
    pub verdict: VerdictReport,
    /// Whether the server did everything it should.
    pub outcome: OutcomeReport,
    /// The thresholds, each with its result.
    pub thresholds: Vec<ThresholdReport>,
    /// The segments that the report was merged from; `null` for a single process.
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

/// The machine that generated the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostReport {
    /// Operating system and its version.
    pub system: String,
    /// Processors that this process may use.
    pub processors: u64,
    /// Processor time that a control group allows, in processors; `null` without a quota.
    #[serde(default)]
    pub cpu_quota: Option<f64>,
    /// Descriptors that this process may have open; `null` without a limit.
    pub descriptors_max: Option<u64>,
    /// Local ports for connections to one address: first and last.
    pub ports: Option<(u16, u16)>,
}

/// When each phase began and ended, in nanoseconds after the run began. `null` if it never began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Opening connections before load.
    pub ramp: Option<Interval>,
    /// Load before the measured time.
    pub warmup: Option<Interval>,
    /// The measured time.
    pub measured: Option<Interval>,
    /// Waiting for replies.
    pub drain: Option<Interval>,
    /// Closing connections.
    pub close: Option<Interval>,
}

/// An interval of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// When it begins.
    pub begin_ns: u64,
    /// When it ends.
    pub end_ns: u64,
}

impl Interval {
    /// Returns the length of the interval.
    #[must_use]
    pub const fn length_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.begin_ns)
    }
}

/// What became of the connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    /// Started: completed plus failed.
    pub attempted: u64,
    /// Opened by a valid handshake.
    pub established: u64,
    /// Did everything they should and closed cleanly.
    pub completed: u64,
    /// Did not; see `errors`.
    pub failed: u64,
    /// Opened within the measured time (`connect`).
    pub opened: u64,
    /// Opened within the measured time, a second (`connect`).
    pub opened_per_s: Option<f64>,
}

/// What became of the messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Scheduled, a second (open loop).
    pub offered_per_s: Option<f64>,
    /// Echoes that arrived within the measured time, a second.
    pub achieved_per_s: f64,
    /// Counts of what arrived, whenever it was sent.
    #[serde(flatten)]
    pub arrivals: ArrivalCounts,
    /// Counts of the measured time.
    pub measured: MessageCounts,
    /// Counts of the warm-up.
    pub warmup: MessageCounts,
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
    /// Phase: `tcp`, `proxy`, `tls`, `handshake`, `http`, `open`, `protocol`, `server_close`,
    /// `close`, `run` or `message`.
    pub phase: String,
    /// Code of the failure.
    pub code: String,
    /// Number of occurrences.
    pub count: u64,
    /// The first example; control characters are escaped.
    pub sample: String,
    /// A few later examples that differ from the first, and from each other, in more than numbers.
    #[serde(default)]
    pub other_samples: Vec<String>,
}

/// A way in which connections were closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosingReport {
    /// Which side began to close.
    pub by: Side,
    /// The code of its Close; 1005 for none, 1006 without a Close.
    pub code: u16,
    /// Whether both Close frames were exchanged and the stream then ended.
    pub is_clean: bool,
    /// Number of connections.
    pub count: u64,
    /// The reasons that the server gave, if it began; a Close without a reason is not in the list.
    #[serde(default)]
    pub reasons: Vec<CloseReasonReport>,
}

/// A reason in a Close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseReasonReport {
    /// As the server gave it; control characters are escaped. `null` stands for all reasons beyond
    /// the number that is kept.
    pub reason: Option<String>,
    /// Number of connections.
    pub count: u64,
}

/// What the run used of the machine that generated the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Processor time of the worker threads under load, as a share of one processor.
    pub cpu_share: f64,
    /// Processor time of the whole process over the whole run, including an embedded server.
    pub process_cpu_ns: u64,
    /// Share of the time that the busiest worker was on a processor or waited for one, without the
    /// time it stayed awake for the next message.
    pub busiest_share: f64,
    /// Each worker.
    pub workers: Vec<WorkerShare>,
    /// Most resident memory, in bytes, including an embedded server.
    pub rss_max: Option<u64>,
    /// Memory per idle connection, in bytes, of both ends if the server is embedded; `null` below
    /// 1,000 connections.
    pub rss_per_connection: Option<u64>,
    /// The longest delay of a wake-up of this program.
    pub pause_max_ns: u64,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerShare {
    /// How long it generated load.
    pub load_ns: u64,
    /// Time on a processor under load.
    pub cpu_ns: u64,
    /// Time waiting for a processor under load.
    pub wait_ns: Option<u64>,
    /// Time on a processor spent waiting for the next message to be due: a worker stays awake for
    /// times nearer than 50 us.
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
    /// Why the state is not `valid`.
    pub reasons: Vec<String>,
    /// How the client's own lateness affects the latencies that include it.
    #[serde(default)]
    pub effects: Vec<EffectReport>,
}

/// Whether the run did what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// Whether every connection completed and every message came back unchanged, apart from what
    /// thresholds judge.
    pub is_ok: bool,
    /// What went wrong.
    pub reasons: Vec<String>,
    /// What is no failure because a threshold judges it.
    #[serde(default)]
    pub left_to_thresholds: Vec<String>,
}

/// A threshold and its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdReport {
    /// The threshold as given.
    pub expression: String,
    /// Whether it holds; false if there is no data.
    pub is_passed: bool,
    /// The measured value; `null` if nothing was measured.
    pub measured: Option<f64>,
    /// The unit of `measured`.
    pub unit: Unit,
}
