//! The page of a folder of results: how rate and latency went from run to run.

use std::collections::BTreeSet;
use std::io::{self, Write};

use maud::{Markup, PreEscaped, html};

use super::plot::{Chart, Line, Scale, numbers, rate, time};
use super::{document, shown, verdict_chip};
use crate::report::trend::{TrendReport, TrendRun};
use crate::units::{self, Unit};
use crate::verdict::State;

/// Most labels below a chart.
const TICKS_MAX: usize = 6;

/// Writes the page.
///
/// # Errors
/// The errors of `out`.
pub fn write(trend: &TrendReport, out: &mut impl Write) -> io::Result<()> {
    let title = format!("{} — loadgen", shown(&trend.folder));
    let page = document(
        &title,
        &html! {
            (head(trend))
            main {
                (charts(trend))
                (table(trend))
            }
        },
    );
    out.write_all(page.into_string().as_bytes())?;
    out.write_all(b"\n")
}

fn head(trend: &TrendReport) -> Markup {
    let failed = trend.runs.iter().filter(|run| !run.is_ok).count();
    let of = |state: State| trend.runs.iter().filter(|run| run.state == state).count();
    html! {
        header {
            h1 { "Results " span.url { (shown(&trend.folder)) } }
            p {
                span.chip { (units::counted(trend.runs.len() as u64, "run")) }
                @if failed > 0 { span.chip.bad { (failed) " failed" } } @else { span.chip.good { "all ok" } }
                @for (state, class) in [(State::Degraded, "fair"), (State::Saturated, "bad")] {
                    @if of(state) > 0 { span.chip.(class) { (of(state)) " " (state.name()) } }
                }
            }
            @if let (Some(first), Some(last)) = (trend.runs.first(), trend.runs.last()) {
                p.note { "from " (first.begun()) " to " (last.begun()) " UTC, latencies are " (trend.metric) }
            }
        }
    }
}

fn charts(trend: &TrendReport) -> Markup {
    let runs = &trend.runs;
    let line = |name, class, of: fn(&TrendRun) -> Option<f64>| Line {
        name,
        class,
        points: runs.iter().enumerate().map(|(at, run)| (place(at, runs.len()), of(run))).collect(),
    };
    let every = runs.len().div_ceil(TICKS_MAX).max(1);
    // `2026-11-30 08:58:11` without what all have in common, or what a day doesn't need.
    let is_one_day =
        runs.iter().map(|run| run.begun()[..10].to_owned()).collect::<BTreeSet<_>>().len() < 2;
    let part = if is_one_day { 11..19 } else { 5..16 };
    let tick =
        |at: usize| Some((place(at, runs.len()), runs.get(at)?.begun()[part.clone()].to_owned()));
    let ticks: Vec<_> = (0..runs.len()).step_by(every).filter_map(tick).collect();
    let rates = [line("", "c1", |run| run.per_s)];
    let latencies = [line("p50", "c2", |run| run.p50_ns), line("p99", "c3", |run| run.p99_ns)];
    let chart = |lines: &[Line], scale, unit, about| {
        let behind = PreEscaped(String::new());
        Chart { lines, scale, unit, ticks: &ticks, behind, about }.draw()
    };
    html! {
        section {
            h2 { "From run to run" }
            h3 { "Rate, per second" }
            (chart(&rates, Scale::linear(numbers(&rates)), rate, "Rate of each run"))
            h3 { "Latency" }
            (chart(&latencies, Scale::log(numbers(&latencies)), time, "Latency of each run"))
        }
    }
}

/// Returns where the `at`th of `number` runs stands; a single one in the middle.
#[expect(clippy::cast_precision_loss, reason = "a place in a chart")]
fn place(at: usize, number: usize) -> f64 {
    (at as f64 + 0.5) / number.max(1) as f64
}

fn table(trend: &TrendReport) -> Markup {
    let number = |value: Option<f64>, unit| match value {
        None => "-".to_owned(),
        value => units::number(value, unit),
    };
    html! {
        section {
            h2 { "Runs" }
            div.wide { table {
                thead { tr {
                    th { "begun (UTC)" } th { "file" } th.n { "rate" } th.n { "p50" } th.n { "p99" }
                    th { "result" } th { "measurement" } th { "labels" }
                } }
                tbody { @for run in &trend.runs { tr {
                    th { (run.begun()) }
                    td { (shown(&run.file)) }
                    td.n { (number(run.per_s, Unit::Rate)) }
                    td.n { (number(run.p50_ns, Unit::Time)) }
                    td.n { (number(run.p99_ns, Unit::Time)) }
                    td { @if run.is_ok { span.good { "ok" } } @else { span.bad { "failed" } } }
                    td { (verdict_chip(run.state)) }
                    td { (shown(&run.labels.join(" "))) }
                } } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn runs_are_drawn_and_labels_are_escaped() {
        let mut report = sample();
        report.config.labels = vec![crate::report::Label { key: "k".into(), value: "<i>".into() }];
        let results = vec![("a.json".to_owned(), sample()), ("b.json".to_owned(), report)];
        let mut out = Vec::new();
        write(&TrendReport::new("r", results), &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        for text in ["2 runs", "all ok", "k=&lt;i&gt;", "a.json", "M250 "] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<i>"), "{page}");
    }
}
