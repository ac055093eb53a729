//! Writes a [`Report`] as one HTML page: without a script, without a request, for a screen of any
//! width, and for paper.
//!
//! Everything that a server, a file or a user wrote goes through `shown` and `maud`'s escaping.

mod columns;
mod curve;
pub mod diff;
mod facts;
mod heat;
mod plot;
mod repeat;
mod tables;
mod time;
pub mod trend;
mod waterfall;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::summary::{Tile, tiles};
use super::{Report, ThresholdReport, json};
use crate::verdict::State;
use crate::{escape, payload};

const STYLE: &str = include_str!("style.css");
/// Most bytes of a text from outside that are shown.
const SHOWN_MAX: usize = 500;
/// Most bytes of the result that the page carries. With the charts it then stays below 200 KB.
const RESULT_MAX: usize = 110_000;

/// Writes the page.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let page = page(report)?.into_string();
    out.write_all(page.as_bytes())?;
    out.write_all(b"\n")
}

/// Returns a text from outside, safe to show: no control characters, nothing that turns the
/// direction of text, and of bounded length.
fn shown(text: &str) -> String {
    escape::control(text, SHOWN_MAX)
}

/// Returns when the run began, to the second.
fn begun(report: &Report) -> String {
    let time = payload::rfc3339(report.started_at_unix_ms.saturating_mul(1_000_000));
    let text = String::from_utf8_lossy(&time[..19]).replace('T', " ");
    format!("{text} UTC")
}

fn page(report: &Report) -> io::Result<Markup> {
    let columns = columns::columns(report);
    let (command, server) = (shown(&report.command), shown(&report.target.shown()));
    let title = format!("{command} {server} — loadgen");
    let again = again(report)?;
    Ok(document(
        &title,
        &html! {
            (head(report))
            main {
                (numbers(&tiles(report)))
                (thresholds(report))
                (time::charts(report, &columns))
                (curve::chart(report))
                (waterfall::chart(report))
                (tables::scenario(report))
                (tables::latencies(report))
                (tables::counts(report))
                (tables::failures(report))
                (tables::parts(report))
                (tables::setup(report))
                (again)
            }
        },
    ))
}

/// Returns a page with this body.
fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                // No script and no request, whatever a server may have put into a text.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

fn verdict_chip(state: State) -> Markup {
    let class = match state {
        State::Valid => "good",
        State::Saturated => "bad",
        State::Degraded | State::None => "fair",
    };
    let word = if state == State::None { "nothing to judge" } else { state.name() };
    html! { span.chip.(class) { (word) } }
}

fn head(report: &Report) -> Markup {
    let outcome = &report.outcome;
    let (class, word) = if outcome.is_ok { ("good", "ok") } else { ("bad", "failed") };
    let state = report.verdict.state;
    let server = if report.target.is_embedded { "embedded server " } else { "" };
    html! {
        header {
            h1 { (shown(&report.command)) " " span.url { (server) (shown(&report.target.shown())) } }
            p {
                span.chip.(class) { (word) }
                "measurement: " (verdict_chip(state))
                (threshold_chip(report))
                @if let Some(by) = &report.aborted_by { span.chip.bad { "aborted by " (shown(by)) } }
                @if report.is_interrupted { span.chip.fair { "interrupted" } }
                @for label in &report.config.labels {
                    span.chip { (shown(&label.key)) "=" (shown(&label.value)) }
                }
            }
            ul.reasons {
                @for reason in &outcome.reasons { li.bad { (shown(reason)) } }
                @for reason in &outcome.left_to_thresholds { li { "left to thresholds: " (shown(reason)) } }
                @for reason in &report.verdict.reasons { li { (state.name()) ": " (shown(reason)) } }
                @for note in &report.notes { li { (shown(note)) } }
                @for sum in &report.imbalances { li.bad { (shown(sum)) } }
            }
            p.note {
                (shown(&report.generator.name)) " " (shown(&report.generator.version))
                ", seed " (report.config.seed) ", begun " (begun(report))
                " on " (shown(&report.host.system))
            }
        }
    }
}

fn threshold_chip(report: &Report) -> Markup {
    let all = report.thresholds.len();
    let failed = report.thresholds.iter().filter(|threshold| !threshold.is_passed).count();
    html! {
        @if failed > 0 { span.chip.bad { "thresholds: " (failed) " of " (all) " failed" } }
        @else if all > 0 { span.chip.good { "thresholds: " (all) " of " (all) " passed" } }
    }
}

fn numbers(tiles: &[Tile]) -> Markup {
    html! {
        div.tiles {
            @for tile in tiles {
                div.tile {
                    div.name { (tile.name) }
                    div.value.bad[tile.is_bad] { (tile.value) }
                    div.of { (tile.note) }
                }
            }
        }
    }
}

fn thresholds(report: &Report) -> Markup {
    if report.thresholds.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Thresholds" }
            (thresholds_table(&report.thresholds))
        }
    }
}

fn thresholds_table(thresholds: &[ThresholdReport]) -> Markup {
    html! {
        table { tbody { @for threshold in thresholds {
            @let (class, word) = if threshold.is_passed { ("good", "pass") } else { ("bad", "fail") };
            tr {
                td { span.chip.(class) { (word) } }
                td { code { (shown(&threshold.expression)) } }
                td.n { (threshold.shown()) }
            }
        } } }
    }
}

/// Writes the command to repeat the run, and the link to the result.
fn again(report: &Report) -> io::Result<Markup> {
    let (command, left_out) = repeat::command(report);
    let (data, is_whole) = packed(report)?;
    let place = if report.merged.is_some() { "each segment, with --segment" } else { "" };
    Ok(html! {
        section {
            h2 { "Again" }
            pre { code { (shown(&command)) } }
            @if !left_out.is_empty() {
                p.note { "Not in this line: " (left_out.join(", ")) "." }
            }
            @if !place.is_empty() { p.note { "The run covered " (place) "." } }
            p {
                a download="result.json.gz" href={ "data:application/gzip;base64," (data) } { "result.json.gz" }
                " is the result of this page; " code { "loadgen report result.json.gz" } " reads it."
                @if !is_whole { " It leaves out the latencies of single intervals, which would be most of this page." }
            }
        }
    })
}

/// Returns the result, compressed, in base64, and whether it is all of it.
fn packed(report: &Report) -> io::Result<(String, bool)> {
    let whole = gzip(report)?;
    if whole.len() <= RESULT_MAX {
        return Ok((whole, true));
    }
    let mut part = report.clone();
    part.time_series.rows.iter_mut().for_each(|row| row.latency = None);
    Ok((gzip(&part)?, false))
}

fn gzip(report: &Report) -> io::Result<String> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    json::write(report, &mut out)?;
    Ok(STANDARD.encode(out.finish()?))
}

#[cfg(test)]
mod tests;
