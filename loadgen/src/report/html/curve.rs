//! Latency by percentile, with as much room for the last nines as for the first half.

use maud::{Markup, PreEscaped, html};

use super::plot::{Chart, Line, Scale, numbers, time};
use crate::metrics::{Distribution, Metric};
use crate::report::Report;

/// Points of a curve in each halving of the distance to 100 %.
const POINTS_PER_HALVING: u32 = 4;
/// Curves that belong together: the first group of which any was measured is drawn.
const GROUPS: [&[(Metric, &str, &str)]; 6] = [
    &[
        (Metric::RttResponse, "response, from when a message was due", "c1"),
        (Metric::RttService, "service, from the write", "c2"),
        (Metric::SendLag, "send lag of the client", "c3"),
        (Metric::RecvLag, "wait for the client to read", "c4"),
    ],
    &[
        (Metric::IterationResponse, "response, from when an iteration was due", "c1"),
        (Metric::IterationService, "service, from its start", "c2"),
        (Metric::IterationLag, "lag of its first write", "c3"),
    ],
    &[
        (Metric::FanoutLast, "last copy of a message", "c1"),
        (Metric::FanoutLatency, "each copy", "c2"),
        (Metric::FanoutFirst, "first copy", "c4"),
    ],
    &[(Metric::PushLatency, "from the time in a message", "c1")],
    &[(Metric::PingRtt, "Ping to Pong", "c1")],
    &[
        (Metric::ConnectTotal, "connect, whole", "c1"),
        (Metric::ConnectUpgrade, "upgrade", "c2"),
        (Metric::ConnectTls, "TLS", "c3"),
        (Metric::ConnectTcp, "TCP", "c4"),
    ],
];

/// Draws the curves; nothing if no latency was measured.
pub(super) fn chart(report: &Report) -> Markup {
    let drawn = GROUPS.iter().find_map(|group| {
        let found: Vec<_> = group
            .iter()
            .filter_map(|&(metric, name, class)| {
                let found = report.histogram(metric).filter(|found| found.count > 0)?;
                Some((name, class, found.distribution().ok()?))
            })
            .collect();
        (!found.is_empty()).then_some(found)
    });
    let Some(drawn) = drawn else { return html! {} };
    let most = drawn.iter().map(|(_, _, found)| found.count()).max().unwrap_or(1);
    let nines = nines(most);
    let lines: Vec<_> = drawn
        .iter()
        .map(|(name, class, found)| Line { name, class, points: points(found, nines) })
        .collect();
    let about = "Latency by percentile";
    let scale = Scale::log(numbers(&lines));
    let ticks = ticks(nines);
    let behind = PreEscaped(String::new());
    html! {
        section {
            h2 { "Latency by percentile" }
            (Chart { lines: &lines, scale, unit: time, ticks: &ticks, behind, about }.draw())
            @if lines.len() > 1 && lines[0].name.starts_with("response") {
                p.note {
                    "Response counts from when something was due, service from when it was sent. \
                     Where response is far above service, a load generator without a schedule \
                     would not have shown the difference."
                }
            }
        }
    }
}

/// Draws the same latency of two results; nothing if they have none in common.
pub(super) fn both(before: &Report, after: &Report) -> Markup {
    let metric = before.main_metric();
    let found = |report: &Report| {
        report.histogram(metric).filter(|found| found.count > 0)?.distribution().ok()
    };
    let Some((left, right)) = found(before).zip(found(after)) else { return html! {} };
    let nines = nines(left.count().max(right.count()));
    let line = |name, class, found| Line { name, class, points: points(found, nines) };
    let lines = [line("before", "c1", &left), line("after", "c3", &right)];
    let (scale, ticks) = (Scale::log(numbers(&lines)), ticks(nines));
    let behind = PreEscaped(String::new());
    let about = "Latency by percentile, before and after";
    html! {
        section {
            h2 { "Latency by percentile, " (metric.name()) }
            (Chart { lines: &lines, scale, unit: time, ticks: &ticks, behind, about }.draw())
        }
    }
}

/// Returns how many nines so many values can tell: 3 for 1,000.
#[expect(clippy::cast_precision_loss, reason = "a logarithm")]
fn nines(count: u64) -> f64 {
    (count.max(10) as f64).log10().ceil().min(7.0)
}

#[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
fn points(found: &Distribution, nines: f64) -> Vec<(f64, Option<f64>)> {
    let step = |step: hdrhistogram::iterators::IterationValue<u64>| {
        let rest = 1.0 - step.quantile_iterated_to();
        let place = if rest > 0.0 { -rest.log10() / nines } else { 1.0 };
        (place.clamp(0.0, 1.0), Some(step.value_iterated_to() as f64))
    };
    found.histogram().iter_quantiles(POINTS_PER_HALVING).map(step).collect()
}

fn ticks(nines: f64) -> Vec<(f64, String)> {
    let names: [(f64, &str); 8] = [
        (0.5, "p50"),
        (0.1, "p90"),
        (0.01, "p99"),
        (1e-3, "p99.9"),
        (1e-4, "p99.99"),
        (1e-5, "p99.999"),
        (1e-6, "p99.9999"),
        (1e-7, "max"),
    ];
    let place = |(rest, name): (f64, &str)| (-rest.log10() / nines, name.to_owned());
    names.into_iter().map(place).filter(|(place, _)| *place <= 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{HistogramReport, sample};

    #[test]
    fn as_many_nines_as_the_values_can_tell() {
        for (count, nines_of_it) in [(1, 1.0), (10, 1.0), (1_000, 3.0), (1_001, 4.0)] {
            assert!((nines(count) - nines_of_it).abs() < 1e-9, "{count}");
        }
        let names: Vec<_> = ticks(3.0).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["p50", "p90", "p99", "p99.9"]);
    }

    #[test]
    fn a_curve_ends_at_the_longest_latency() {
        let mut found = Distribution::new();
        (1..=1_000).for_each(|us| found.record(us * 1_000));
        let points = points(&found, 3.0);
        assert!(points.windows(2).all(|pair| pair[0] <= pair[1]), "{points:?}");
        let (place, number) = *points.last().unwrap();
        assert!((place - 1.0).abs() < 1e-9);
        assert!((number.unwrap() - 1e6).abs() < 1e3);
    }

    #[test]
    fn without_latencies_there_is_no_chart() {
        let mut report = sample();
        assert!(chart(&report).into_string().contains("service, from the write"));
        report.histograms.clear();
        assert_eq!(chart(&report).into_string(), "");
        report.histograms = vec![HistogramReport::new(Metric::RttService, &Distribution::new())];
        assert_eq!(chart(&report).into_string(), "");
    }
}
