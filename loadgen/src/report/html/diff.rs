//! The page of a comparison: what changed, how sure that is, and both curves of latency.

use std::io::{self, Write};

use maud::{Markup, html};

use super::curve;
use super::{document, shown, verdict_chip};
use crate::report::Report;
use crate::report::diff::{Change, DiffReport, DiffRow};
use crate::units;

/// Furthest ratio from 1 that an interval is drawn for, either way.
const RATIO_MAX: f64 = 4.0;

/// Writes the page of a comparison, and of the first run of each side.
///
/// # Errors
/// The errors of `out`.
pub fn write(
    diff: &DiffReport,
    before: &Report,
    after: &Report,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = format!("{} and {} — loadgen diff", shown(&diff.before), shown(&diff.after));
    let page = document(
        &title,
        &html! {
            (head(diff))
            main {
                (thresholds(diff))
                (curve::both(before, after))
                (told(diff))
                (differences(diff))
                (others(diff))
            }
        },
    );
    out.write_all(page.into_string().as_bytes())?;
    out.write_all(b"\n")
}

fn head(diff: &DiffReport) -> Markup {
    let [worse, better] =
        [Change::Worse, Change::Better].map(|change| diff.changed(change).count());
    let runs = |runs: u64| if runs > 1 { format!(", {runs} runs") } else { String::new() };
    html! {
        header {
            h1 { "Comparison " span.url { (shown(&diff.before)) " → " (shown(&diff.after)) } }
            p {
                @if worse > 0 { span.chip.bad { (worse) " worse" } }
                @if better > 0 { span.chip.good { (better) " better" } }
                @if worse + better == 0 { span.chip { "no difference" } }
                "before: " (verdict_chip(diff.verdicts.0))
                "after: " (verdict_chip(diff.verdicts.1))
            }
            p { (diff.summary()) "." }
            p.note {
                "before " (shown(&diff.before)) (runs(diff.runs.0))
                ", after " (shown(&diff.after)) (runs(diff.runs.1))
                ". All intervals together have the true ratios in them with a probability of 95 %. \
                 Those of a single run know how its seconds differ, not how runs do: for small \
                 differences, compare folders of several runs."
            }
        }
    }
}

fn thresholds(diff: &DiffReport) -> Markup {
    html! {
        @if !diff.thresholds.is_empty() {
            section {
                h2 { "Thresholds on ratios" }
                (super::thresholds_table(&diff.thresholds))
            }
        }
    }
}

/// The numbers with an interval, drawn around 1.
fn told(diff: &DiffReport) -> Markup {
    let rows: Vec<_> = diff.rows.iter().filter(|row| row.interval.is_some()).collect();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "What can be told" }
                div.wide { table {
                    thead { tr {
                        th { "" } th { "" } th.n { "ratio" } th.n { "before" } th.n { "after" }
                        th.n { "interval" } th.ratios { "a quarter … once … four times" }
                    } }
                    tbody { @for row in rows { (told_row(row)) } }
                } }
            }
        }
    }
}

fn told_row(row: &DiffRow) -> Markup {
    let (from, to) = row.interval.unwrap_or((1.0, 1.0));
    let change = row.change.unwrap_or(Change::None);
    let class = match change {
        Change::None => "same",
        Change::Better => "good",
        Change::Worse => "bad",
    };
    let place = |ratio: f64| 50.0 + 50.0 * (ratio.ln() / RATIO_MAX.ln()).clamp(-1.0, 1.0);
    let (left, right) = (place(from), place(to));
    html! {
        tr {
            th { (row.name) }
            td.(class) { (change.name()) }
            (numbers(row))
            td.n { (format!("{from:.3} to {to:.3}")) }
            td.ratios { div.ratio {
                div.once {}
                div.(class) style=(format!("left:{left:.1}%;width:{:.1}%", (right - left).max(0.5))) {}
            } }
        }
    }
}

fn numbers(row: &DiffRow) -> Markup {
    let [before, after] = [row.before, row.after].map(|number| units::number(number, row.unit));
    let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}x"));
    html! { td.n { (ratio) } td.n { (before) } td.n { (after) } }
}

/// Numbers without an interval that differ; the rest is in a list that can be unfolded.
fn others(diff: &DiffReport) -> Markup {
    let others = diff.rows.iter().filter(|row| row.interval.is_none());
    let is_same = |row: &&DiffRow| row.before == row.after;
    let (same, different): (Vec<_>, Vec<_>) = others.partition(is_same);
    let table = |rows: &[&DiffRow]| {
        html! {
            div.wide { table {
                thead { tr { th { "" } th.n { "ratio" } th.n { "before" } th.n { "after" } } }
                tbody { @for row in rows { tr { th { (row.name) } (numbers(row)) } } }
            } }
        }
    };
    html! {
        section {
            h2 { "Other numbers" }
            @if different.is_empty() { p.note { "None differs." } } @else { (table(&different)) }
            @if !same.is_empty() {
                details { summary { (units::counted(same.len() as u64, "number")) " that are equal" } (table(&same)) }
            }
        }
    }
}

fn differences(diff: &DiffReport) -> Markup {
    html! {
        section {
            h2 { "Configurations" }
            @if diff.differences.is_empty() {
                p.note { "They do not differ." }
            } @else {
                div.wide { table {
                    thead { tr { th { "" } th { "before" } th { "after" } } }
                    tbody { @for (path, before, after) in &diff.differences {
                        tr { th { (shown(path)) } td.text { (shown(before)) } td.text { (shown(after)) } }
                    } }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn page(change: impl FnOnce(&mut Report)) -> String {
        let (before, mut after) = (sample(), sample());
        change(&mut after);
        let sides = (std::slice::from_ref(&before), std::slice::from_ref(&after));
        let diff = DiffReport::new(("a<b>.json", sides.0), ("b.json", sides.1), &[]).unwrap();
        let mut out = Vec::new();
        write(&diff, &before, &after, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_page_has_both_sides_and_names_are_escaped() {
        let page = page(|report| {
            report.config.pipeline = Some(9);
            report.messages.as_mut().unwrap().measured.lost = 2;
        });
        for text in
            ["a&lt;b&gt;.json", "no difference", "config.pipeline", "<td class=\"n\">2</td>"]
        {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<b>") && !page.contains("<script"), "{page}");
        assert!(page.contains(">before</span>") && page.contains(">after</span>"), "two curves");
    }

    #[test]
    fn equal_results_say_so() {
        let page = page(|_| {});
        assert!(page.contains("None differs.") && page.contains("They do not differ."), "{page}");
    }
}
