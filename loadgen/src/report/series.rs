//! What happened over time, in rows of equal length.

use serde::{Deserialize, Serialize};

use super::reach::AddressReport;
use crate::metrics::{IntervalCounts, StepInterval};
use crate::process::ProcessUsage;

/// What happened over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSeries {
    /// The length of an interval; the last may be shorter.
    pub interval_ns: u64,
    /// Intervals, without gaps, from the begin of the run.
    pub rows: Vec<RowReport>,
}

/// An interval of the time series. Its percentiles, to 3 %, are of response latency under open
/// loop, otherwise of service latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowReport {
    /// When it begins.
    pub begin_ns: u64,
    /// Its length.
    pub length_ns: u64,
    /// Connections open at its end.
    pub open: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub counts: IntervalCounts,
    /// What happened to addresses of names with several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_address: Vec<AddressReport>,
    /// Median latency.
    pub p50_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// Its latencies; `null` if there were none.
    pub latency: Option<LatencyReport>,
    /// The steps of a scenario, in the order of the scenario; absent if none was played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepInterval>,
    /// Messages of the rules of a scenario, in its order; absent if it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<u64>,
    /// What the watched process used in it and had at its end; absent if none was watched, or it had
    /// ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<ProcessUsage>,
}

/// Latencies of an interval, to 3 %.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// The longest.
    pub max_ns: u64,
    /// The data, as in a histogram.
    pub data: String,
}
