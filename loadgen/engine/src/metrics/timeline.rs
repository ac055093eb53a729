//! Turns snapshots at regular times into a time series of bounded length.

use super::live::{IntervalCounts, Latencies, PlayedInterval, Snapshot};
use super::reach::AddressCounts;
use crate::process::ProcessUsage;

/// Most rows of a time series: a run longer than this many seconds has longer intervals.
const ROWS_MAX: u64 = 3_600;
const SECOND_NS: u64 = 1_000_000_000;

/// What happened in one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it began, in nanoseconds after the run began.
    pub begin_ns: u64,
    /// How long it was, in nanoseconds.
    pub length_ns: u64,
    /// Connections open at its end; once this side closes them, those that were open until then.
    pub open: u64,
    /// What happened in it.
    pub counts: IntervalCounts,
    /// What happened to addresses, each with its place among those of all URLs with several.
    pub addresses: Vec<(usize, AddressCounts)>,
    /// What happened in it at the steps of a scenario.
    pub played: PlayedInterval,
    /// Median latency of the echoes received in it, to 3 %, in nanoseconds. Response latency under
    /// open loop, otherwise service latency.
    pub p50_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// All its latencies, to 3 %.
    pub latencies: Latencies,
    /// What the watched process used in it and had at its end; `None` if none is watched, or it has
    /// ended.
    pub watched: Option<ProcessUsage>,
}

/// A time series under construction.
#[derive(Clone, Debug)]
pub struct Timeline {
    interval_ns: u64,
    rows: Vec<Row>,
    last: Snapshot,
    last_ns: u64,
}

impl Timeline {
    /// Returns an empty time series for a run of at most `expected_ns`.
    #[must_use]
    pub fn new(expected_ns: u64) -> Self {
        let interval_ns = expected_ns.div_ceil(ROWS_MAX * SECOND_NS).max(1) * SECOND_NS;
        Self { interval_ns, rows: Vec::new(), last: Snapshot::zero(), last_ns: 0 }
    }

    /// Returns the length of an interval, in nanoseconds. The last may be shorter, and one that was
    /// read late is longer.
    #[must_use]
    pub const fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// Returns when the next interval ends, in nanoseconds after the run began.
    #[must_use]
    pub const fn next_ns(&self) -> u64 {
        (self.last_ns / self.interval_ns + 1) * self.interval_ns
    }

    /// Ends an interval at `now_ns`, and returns its row; `None` if no time has passed.
    pub fn push(
        &mut self,
        now_ns: u64,
        now: Snapshot,
        watched: Option<ProcessUsage>,
    ) -> Option<&Row> {
        if now_ns <= self.last_ns {
            return None;
        }
        let last = &self.last;
        let percentiles = now.percentiles_since(last, [50.0, 99.0]);
        self.rows.push(Row {
            begin_ns: self.last_ns,
            length_ns: now_ns - self.last_ns,
            open: now.kept,
            counts: now.counts.since(&last.counts),
            addresses: now.addresses_since(last),
            played: now.played_since(last),
            p50_ns: percentiles.map(|[p50, _]| p50),
            p99_ns: percentiles.map(|[_, p99]| p99),
            latencies: now.latencies_since(last),
            watched,
        });
        self.last = now;
        self.last_ns = now_ns;
        self.rows.last()
    }

    /// Returns the rows, in order and without gaps.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::Live;
    use super::*;

    #[test]
    fn rows_add_up_to_the_whole() {
        let live = Live::new();
        let mut timeline = Timeline::new(10 * SECOND_NS);
        assert_eq!(timeline.next_ns(), SECOND_NS);
        for second in 1..=3 {
            live.sent.add(second * 10);
            live.latency(second * 1_000);
            timeline.push(second * SECOND_NS + 5, Snapshot::of([&live]), None);
        }
        assert_eq!(timeline.next_ns(), 4 * SECOND_NS);
        let rows = timeline.rows();
        assert_eq!(rows.iter().map(|row| row.counts.sent).collect::<Vec<_>>(), [10, 20, 30]);
        assert!(
            rows.windows(2).all(|pair| pair[0].begin_ns + pair[0].length_ns == pair[1].begin_ns)
        );
        assert!(rows[2].p50_ns.unwrap() >= 3_000);
    }

    #[test]
    fn a_long_run_has_longer_intervals_and_no_more_rows() {
        let week = 7 * 24 * 3_600 * SECOND_NS;
        assert!(week / Timeline::new(week).interval_ns() <= ROWS_MAX);
    }
}
