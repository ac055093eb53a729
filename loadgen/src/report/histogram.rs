//! Converts a [`Distribution`] to its part of a report, and back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::series::LatencyReport;
use crate::metrics::{Distribution, Metric};
use crate::units;

/// Percentiles of every histogram in a report.
const PERCENTILES: [f64; 9] = [25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];

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

/// A histogram: its most useful values, and all of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramReport {
    /// What was measured.
    pub metric: String,
    /// Where the duration starts and ends.
    pub description: String,
    /// Number of durations.
    pub count: u64,
    /// Durations below the range; in no percentile.
    pub below: u64,
    /// Durations above the range; in no percentile.
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

/// A percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// The percentile, of 100.
    pub percentile: f64,
    /// The duration that this percentage of all durations does not exceed.
    pub value_ns: u64,
}

impl HistogramReport {
    /// Converts a distribution to its part of a report.
    #[must_use]
    pub fn new(metric: Metric, distribution: &Distribution) -> Self {
        Self::named(metric.name(), metric.description(), distribution)
    }

    /// Converts a distribution whose metric is a scenario's.
    #[must_use]
    pub fn named(metric: &str, description: &str, distribution: &Distribution) -> Self {
        let percentile = |percentile| {
            let value_ns = distribution.percentile(percentile)?;
            Some(Percentile { percentile, value_ns })
        };
        Self {
            metric: metric.into(),
            description: description.into(),
            count: distribution.count(),
            below: distribution.below(),
            above: distribution.above(),
            min_ns: distribution.min().unwrap_or(0),
            mean_ns: distribution.mean().unwrap_or(0),
            deviation_ns: distribution.deviation().unwrap_or(0),
            max_ns: distribution.max().unwrap_or(0),
            percentiles: PERCENTILES.into_iter().filter_map(percentile).collect(),
            data: distribution
                .to_v2_deflate()
                .map(|data| STANDARD.encode(data))
                .unwrap_or_default(),
        }
    }

    /// Returns the distribution.
    ///
    /// # Errors
    /// What is wrong with the data.
    pub fn distribution(&self) -> Result<Distribution, String> {
        let bytes = STANDARD.decode(&self.data).map_err(|error| format!("base64: {error}"))?;
        let found = Distribution::from_v2_deflate(&bytes, self.below, self.above)?;
        if found.count() != self.count {
            return Err(format!(
                "it has {}, and says {}",
                units::counted(found.count(), "value"),
                self.count
            ));
        }
        Ok(found)
    }

    /// Returns a percentile that is in the report.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the constants of this program, unchanged")]
    pub fn percentile(&self, percentile: f64) -> Option<u64> {
        self.percentiles.iter().find(|row| row.percentile == percentile).map(|row| row.value_ns)
    }

    /// Returns the duration that `percentile` of 100 don't exceed, in nanoseconds; `None` if there
    /// is none.
    #[must_use]
    pub fn value_at(&self, percentile: f64) -> Option<u64> {
        self.percentile(percentile).or_else(|| self.distribution().ok()?.percentile(percentile))
    }
}

impl LatencyReport {
    /// Converts the latencies of an interval to their part of a report; `None` if there are none.
    #[must_use]
    pub fn new(latencies: &Distribution) -> Option<Self> {
        let data = latencies.to_v2_deflate().ok()?;
        Some(Self { max_ns: latencies.max()?, data: STANDARD.encode(data) })
    }

    /// Returns the distribution.
    ///
    /// # Errors
    /// What is wrong with the data.
    pub fn distribution(&self) -> Result<Distribution, String> {
        let bytes = STANDARD.decode(&self.data).map_err(|error| format!("base64: {error}"))?;
        Distribution::from_v2_deflate(&bytes, 0, 0)
    }
}
