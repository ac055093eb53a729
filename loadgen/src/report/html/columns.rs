//! Joins the rows of the time series to at most a few hundred columns, as wide as charts can show.

use crate::metrics::{Distribution, IntervalCounts};
use crate::report::{Report, RowReport};

/// Most columns of a chart.
const COLUMNS_MAX: usize = 200;
/// Buckets of the heat map in each decade of latency.
const BUCKETS_PER_DECADE: f64 = 12.0;

/// What happened in one or more rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// When it begins, in seconds after the run began.
    pub(super) begin_s: f64,
    /// When it ends.
    pub(super) end_s: f64,
    /// Connections open at its end.
    pub(super) open: u64,
    /// What happened in it.
    pub(super) counts: IntervalCounts,
    /// Median, 99th percentile and maximum of its latencies, in nanoseconds.
    pub(super) latency: Option<[u64; 3]>,
    /// Latencies in each bucket: number of the bucket, and count.
    pub(super) heat: Vec<(i32, u64)>,
    /// Processor time of the watched process in the rows that have it, their length, and its
    /// resident memory at the end of the last.
    pub(super) watched: Option<WatchedColumn>,
}

/// What the watched process used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WatchedColumn {
    cpu_ns: u64,
    length_ns: u64,
    /// In bytes.
    pub(super) rss: u64,
}

impl WatchedColumn {
    /// Returns processor time in percent of a processor.
    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    pub(super) fn cpu_percent(&self) -> f64 {
        100.0 * self.cpu_ns as f64 / (self.length_ns as f64).max(1.0)
    }
}

impl Column {
    /// Returns a count a second.
    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    pub(super) fn per_s(&self, count: u64) -> f64 {
        count as f64 / (self.end_s - self.begin_s).max(1e-9)
    }

    /// Returns the middle, as a share of `length_s`.
    pub(super) fn middle(&self, length_s: f64) -> f64 {
        f64::midpoint(self.begin_s, self.end_s) / length_s
    }
}

/// Returns the columns of a report's time series.
pub(super) fn columns(report: &Report) -> Vec<Column> {
    let rows = &report.time_series.rows;
    let each = rows.len().div_ceil(COLUMNS_MAX).max(1);
    rows.chunks(each).map(column).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
fn column(rows: &[RowReport]) -> Column {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let mut column = Column::default();
    let mut latencies = Distribution::new();
    for (place, row) in rows.iter().enumerate() {
        let RowReport { begin_ns, length_ns, open, counts, latency, watched, .. } = row;
        if place == 0 {
            column.begin_s = seconds(*begin_ns);
        }
        column.end_s = seconds(begin_ns.saturating_add(*length_ns));
        column.open = *open;
        column.counts.add(counts);
        if let Some(found) = watched {
            let whole = column.watched.get_or_insert_default();
            whole.cpu_ns = whole.cpu_ns.saturating_add(found.cpu_ns);
            whole.length_ns = whole.length_ns.saturating_add(*length_ns);
            whole.rss = found.rss;
        }
        if let Some(found) = latency.as_ref().and_then(|latency| latency.distribution().ok()) {
            latencies.add(&found);
        }
    }
    let percentile = |percentile| latencies.percentile(percentile);
    column.latency = percentile(50.0)
        .zip(percentile(99.0))
        .zip(latencies.max())
        .map(|((p50, p99), max)| [p50, p99, max]);
    for step in latencies.histogram().iter_recorded() {
        let (bucket, count) = (bucket(step.value_iterated_to()), step.count_at_value());
        match column.heat.last_mut() {
            Some((last, sum)) if *last == bucket => *sum = sum.saturating_add(count),
            _ => column.heat.push((bucket, count)),
        }
    }
    // Old results have percentiles of a row alone.
    if let (None, [row]) = (column.latency, rows)
        && let (Some(p50), Some(p99)) = (row.p50_ns, row.p99_ns)
    {
        column.latency = Some([p50, p99, p99]);
    }
    column
}

/// Returns the bucket of a latency.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a logarithm is small"
)]
fn bucket(ns: u64) -> i32 {
    ((ns.max(1) as f64).log10() * BUCKETS_PER_DECADE).floor() as i32
}

/// Returns the shortest latency of a bucket, in nanoseconds.
pub(super) fn bucket_begin(bucket: i32) -> f64 {
    10_f64.powf(f64::from(bucket) / BUCKETS_PER_DECADE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{LatencyReport, sample};

    #[test]
    fn rows_are_joined_and_nothing_is_lost() {
        let mut latencies = Distribution::new();
        latencies.record_n(1_000, 99);
        latencies.record(1_000_000);
        let latency = LatencyReport::new(&latencies);
        let row = |second: u64| RowReport {
            begin_ns: second * 1_000_000_000,
            length_ns: 1_000_000_000,
            open: second,
            counts: IntervalCounts { sent: 10, ..IntervalCounts::default() },
            p50_ns: None,
            p99_ns: None,
            latency: latency.clone(),
            by_address: Vec::new(),
            rules: Vec::new(),
            watched: None,
            steps: Vec::new(),
        };
        let mut report = sample();
        report.time_series.rows = (0..601).map(row).collect();
        let columns = columns(&report);
        assert!(columns.len() <= COLUMNS_MAX, "{}", columns.len());
        assert_eq!(columns.iter().map(|column| column.counts.sent).sum::<u64>(), 6_010);
        assert!(
            columns.iter().all(|column| (column.per_s(column.counts.sent) - 10.0).abs() < 1e-6)
        );
        assert_eq!((columns[0].begin_s, columns.last().unwrap().end_s), (0.0, 601.0));
        assert!(columns.windows(2).all(|pair| (pair[0].end_s - pair[1].begin_s).abs() < 1e-9));
        let heat = &columns[0].heat;
        assert_eq!(heat.iter().map(|(_, count)| count).sum::<u64>(), 400, "four rows of 100");
        assert_eq!(heat.len(), 2);
        assert!((bucket_begin(heat[0].0)..bucket_begin(heat[0].0 + 1)).contains(&1_000.5));
        let [p50, _, max] = columns[0].latency.unwrap();
        assert!((990..=1_010).contains(&p50) && (990_000..=1_010_000).contains(&max));
    }
}
