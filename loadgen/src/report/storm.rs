//! A storm: how long connections that were cut together took to come back, and at what cost.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::line::line;
use super::{HistogramReport, Report};
use crate::cli::SHARE_ALL;
use crate::clock::nanos;
use crate::config::Storm;
use crate::metrics::Metric;
use crate::units;

/// Which connections were to be cut, and when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StormAskedReport {
    /// After the begin of the measured time.
    pub at_ns: u64,
    /// In thousandths of a percent of all connections.
    pub share: u64,
}

impl StormAskedReport {
    pub(super) fn new(storm: Storm) -> Self {
        Self { at_ns: nanos(storm.at), share: storm.share }
    }
}

/// What became of the connections that were cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StormReport {
    /// Connections that were open, and were cut.
    pub cut: u64,
    /// Those of them that were open again when load ended.
    pub back: u64,
    /// Time from the cut until half of them were open again; `null` if they never were.
    pub back_50_percent_ns: Option<u64>,
    /// Likewise 90 %.
    pub back_90_percent_ns: Option<u64>,
    /// Likewise 99 %.
    pub back_99_percent_ns: Option<u64>,
    /// Likewise all.
    pub back_all_ns: Option<u64>,
    /// Attempts to reopen connections, whatever these were lost by.
    pub attempts: u64,
    /// Attempts that failed.
    pub wasted: u64,
    /// The most attempts in an interval of the time series, per second.
    pub attempts_per_s_max: f64,
}

impl StormReport {
    /// Derives what there is to say from the rest of a report; `None` without a storm.
    pub(super) fn of(report: &Report) -> Option<Self> {
        report.config.storm?;
        let reconnect = report.reconnect.as_ref()?;
        let is_cut = |loss: &&super::hold::DropReport| loss.phase == "run" && loss.code == "cut";
        let cut = reconnect.losses.iter().find(is_cut).map_or(0, |loss| loss.times.count);
        let back = report.histogram(Metric::StormBack);
        let until = |percent| back.and_then(|back| until_back(back, cut, percent));
        Some(Self {
            cut,
            back: back.map_or(0, |back| back.below + back.count + back.above),
            back_50_percent_ns: until(50),
            back_90_percent_ns: until(90),
            back_99_percent_ns: until(99),
            back_all_ns: until(100),
            attempts: reconnect.attempts,
            wasted: reconnect.failed,
            attempts_per_s_max: attempts_per_s_max(report),
        })
    }
}

/// Returns how long it took until so many percent of `cut` connections were back.
#[expect(clippy::cast_precision_loss, reason = "a percentile")]
fn until_back(back: &HistogramReport, cut: u64, percent: u64) -> Option<u64> {
    let rank = cut.saturating_mul(percent).div_ceil(100);
    if cut == 0 || rank > back.below + back.count {
        return None;
    }
    match rank.saturating_sub(back.below) {
        0 => Some(0),
        rank if rank == back.count => Some(back.max_ns),
        rank => back.value_at(100.0 * rank as f64 / back.count as f64),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn attempts_per_s_max(report: &Report) -> f64 {
    let rows = report.time_series.rows.iter().filter(|row| row.length_ns > 0);
    rows.map(|row| row.counts.reconnect_attempts as f64 * 1e9 / row.length_ns as f64)
        .fold(0.0, f64::max)
}

/// Writes the rows of a storm, if there was one.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (Some(asked), Some(storm)) = (&report.config.storm, &report.storm) else { return Ok(()) };
    let mut parts = vec![format!(
        "cut {} of {} at {} s",
        units::count(storm.cut),
        units::count(report.connections.established),
        units::seconds(asked.at_ns)
    )];
    let back = [
        ("50 %", storm.back_50_percent_ns),
        ("90 %", storm.back_90_percent_ns),
        ("99 %", storm.back_99_percent_ns),
        ("100 %", storm.back_all_ns),
    ];
    for (place, (share, ns)) in back.into_iter().enumerate() {
        let name = if place == 0 { "back " } else { "" };
        let time = ns.map_or_else(|| "never".into(), units::duration);
        parts.push(format!("{name}{share} {time}"));
    }
    line(f, "storm", &parts.join("   "))?;
    let per_s = units::per_s(storm.attempts_per_s_max);
    let parts = [
        format!("attempts {}", units::count(storm.attempts)),
        format!("wasted {}", units::count(storm.wasted)),
        format!("most {per_s}/s"),
    ];
    let of_all = if asked.share == SHARE_ALL { "all".into() } else { share(asked.share) };
    line(f, "", &format!("{}   asked for {of_all}", parts.join("   ")))
}

#[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
fn share(share: u64) -> String {
    format!("{} %", share as f64 / 1_000.0)
}
