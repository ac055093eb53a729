//! Writes one histogram of a [`Report`] as the percentile table that `HdrHistogram`'s tools plot,
//! in milliseconds.

use std::io::{self, Write};

use hdrhistogram::Histogram;

use super::Report;
use crate::metrics::{Distribution, HIGHEST_NS, Metric, SIGNIFICANT_DIGITS};

/// Lines for each halving of the distance to 100 %, as in other writers of the format.
const LINES_PER_HALVING: u32 = 5;
const NANOS_PER_MS: f64 = 1e6;

/// Writes the histogram of a metric, or of the report's main metric.
///
/// # Errors
/// The errors of `out`; without such a histogram the file has only a head and a foot.
pub fn write(report: &Report, metric: Option<Metric>, out: &mut dyn Write) -> io::Result<()> {
    let metric = metric.unwrap_or_else(|| report.main_metric());
    let found = report.histogram(metric).map(super::HistogramReport::distribution);
    let found = found.transpose().map_err(io::Error::other)?.unwrap_or_default();
    table(&found, out)
}

#[expect(clippy::cast_precision_loss, reason = "numbers for a plot")]
fn table(found: &Distribution, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let histogram = found.histogram();
    let mut total = 0;
    for step in histogram.iter_quantiles(LINES_PER_HALVING) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NANOS_PER_MS;
        let quantile = step.quantile_iterated_to();
        if quantile < 1.0 {
            let inverse = 1.0 / (1.0 - quantile);
            writeln!(out, "{value:12.6} {quantile:2.12} {total:10} {inverse:14.2}")?;
        } else {
            writeln!(out, "{value:12.6} {quantile:2.12} {total:10}")?;
        }
    }
    let ms = |ns: f64| ns / NANOS_PER_MS;
    let (mean, deviation) = (ms(histogram.mean()), ms(histogram.stdev()));
    let (max, count) = (ms(histogram.max() as f64), histogram.len());
    let (buckets, parts) = buckets(histogram);
    writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]")?;
    writeln!(out, "#[Max     = {max:12.6}, Total count    = {count:12}]")?;
    writeln!(out, "#[Buckets = {buckets:12}, SubBuckets     = {parts:12}]")
}

/// Returns the halves of the range, and the parts of each.
fn buckets(histogram: &Histogram<u64>) -> (u32, u64) {
    let parts = (2 * 10_u64.pow(u32::from(SIGNIFICANT_DIGITS))).next_power_of_two();
    let highest = histogram.high().max(HIGHEST_NS);
    (1 + (highest / parts).checked_ilog2().map_or(0, |bits| bits + 1), parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample_of;
    use crate::report::{HistogramReport, sample};

    #[test]
    fn a_table_that_ends_at_the_longest() {
        let mut distribution = Distribution::new();
        for us in 1..=1_000 {
            distribution.record(us * 1_000);
        }
        let mut report = sample();
        report.histograms = vec![HistogramReport::new(Metric::RttService, &distribution)];
        let mut out = Vec::new();
        write(&report, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(2)
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        let last = rows.last().unwrap();
        assert_eq!(last[1..], [1.0, 1_000.0]);
        assert!((last[0] - 1.0).abs() < 0.001, "{last:?}");
        assert!(rows.windows(2).all(|pair| pair[0][..3] <= pair[1][..3]), "{text}");
        let half = rows.iter().find(|row| (row[1] - 0.5).abs() < 1e-9).unwrap();
        assert!((half[0] - 0.5).abs() < 0.001, "{half:?}");
        assert!((half[3] - 2.0).abs() < 0.001, "{half:?}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
        // As HdrHistogram says for 1 ns to 10 min with 3 digits.
        assert!(
            text.contains("#[Buckets =           30, SubBuckets     =         2048]"),
            "{text}"
        );
    }

    #[test]
    fn the_table_is_of_what_the_command_is_about() {
        let mut distribution = Distribution::new();
        (0..7).for_each(|_| distribution.record(5_000));
        let histogram = |metric| HistogramReport::new(metric, &distribution);
        for (line, metric) in [
            ("run ws://h/", Metric::RttService),
            ("run ws://h/ -R 5", Metric::RttResponse),
            ("fanout ws://h/", Metric::FanoutLatency),
            ("connect ws://h/", Metric::ConnectTotal),
        ] {
            let mut report = sample_of(line);
            report.histograms = vec![histogram(metric)];
            let mut out = Vec::new();
            write(&report, None, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("Total count    =            7]"), "{line}: {text}");
        }
    }

    #[test]
    fn nothing_is_a_head_and_a_foot() {
        let mut report = sample();
        report.histograms.clear();
        let mut out = Vec::new();
        write(&report, Some(Metric::CloseTcp), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Total count    =            0]"), "{text}");
    }
}
