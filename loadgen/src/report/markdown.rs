//! Writes the most important numbers of a [`Report`] as Markdown, for a summary of CI such as
//! GitHub's `$GITHUB_STEP_SUMMARY`, or for a comment.

use std::io::{self, Write};

use super::Report;
use super::summary::tiles;
use crate::{escape, units};

/// Most bytes of a text from outside that are shown.
const SHOWN_MAX: usize = 300;
/// Most errors that are shown.
const ERRORS_MAX: usize = 10;

/// Writes the Markdown.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let outcome = if report.outcome.is_ok { "ok" } else { "failed" };
    let (command, server) = (plain(&report.command), plain(&report.target.shown()));
    writeln!(out, "### loadgen {command} {server}: {outcome}\n")?;
    writeln!(out, "Measurement: **{}**\n", report.verdict.state.name())?;
    let reasons = report.outcome.reasons.iter().chain(&report.verdict.reasons);
    let mut has_reasons = false;
    for reason in reasons.chain(&report.notes) {
        writeln!(out, "- {}", plain(reason))?;
        has_reasons = true;
    }
    if has_reasons {
        writeln!(out)?;
    }
    let tiles = tiles(report);
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    writeln!(out, "{}", row(tiles.iter().map(|tile| plain(&tile.name)).collect()))?;
    writeln!(out, "{}", row(tiles.iter().map(|_| "--:".into()).collect()))?;
    writeln!(out, "{}", row(tiles.iter().map(|tile| plain(&tile.value)).collect()))?;
    thresholds(report, out)?;
    latencies(report, out)?;
    errors(report, out)
}

fn thresholds(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| threshold | | measured |\n| --- | --- | --: |")?;
    for threshold in &report.thresholds {
        let outcome = if threshold.is_passed { "pass" } else { "**FAIL**" };
        writeln!(out, "| {} | {outcome} | {} |", plain(&threshold.expression), threshold.shown())?;
    }
    Ok(())
}

fn latencies(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let of_scenario = report.scenario.iter().flat_map(super::scenario::ScenarioReport::histograms);
    let found = report.histograms.iter().chain(of_scenario).filter(|found| found.count > 0);
    let mut is_first = true;
    for histogram in found {
        if std::mem::take(&mut is_first) {
            writeln!(out, "\n| latency | p50 | p90 | p99 | p99.9 | max | count |")?;
            writeln!(out, "| --- | --: | --: | --: | --: | --: | --: |")?;
        }
        write!(out, "| {} |", plain(&histogram.metric))?;
        for percentile in [50.0, 90.0, 99.0, 99.9, 100.0] {
            let value = histogram.percentile(percentile);
            write!(out, " {} |", value.map_or_else(|| "-".into(), units::duration))?;
        }
        writeln!(out, " {} |", units::count(histogram.count))?;
    }
    Ok(())
}

fn errors(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.errors.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| error | count | first |\n| --- | --: | --- |")?;
    for error in report.errors.iter().take(ERRORS_MAX) {
        let (phase, code) = (plain(&error.phase), plain(&error.code));
        writeln!(
            out,
            "| {phase}.{code} | {} | {} |",
            units::count(error.count),
            plain(&error.sample)
        )?;
    }
    let more = report.errors.len().saturating_sub(ERRORS_MAX);
    if more > 0 {
        writeln!(out, "\nand {more} more kinds of errors")?;
    }
    Ok(())
}

/// Returns a text in which nothing is markup, and that stays in its cell.
fn plain(text: &str) -> String {
    let text = escape::control(text, SHOWN_MAX);
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention would call people.
            '@' => plain.push_str("&#64;"),
            '|' => plain.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ErrorReport, sample};
    use crate::threshold::Threshold;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_summary_of_a_run() {
        let mut report = sample();
        report.judge(&[Threshold::parse("rtt.p99<1ms").unwrap()]);
        let text = written(&report);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("### loadgen run ws://127.0.0.1:9001/: "));
        assert!(text.contains("\n| rtt.p99&lt;1ms | **FAIL** | 5.00 ms |\n"), "{text}");
        assert!(text.contains("\n| rtt.service | "), "{text}");
        // Every table has as many cells in each row.
        let mut cells = None;
        for line in text.lines() {
            let of_line = line.starts_with('|').then(|| line.matches('|').count());
            assert!(cells.is_none() || of_line.is_none() || cells == of_line, "{line}\n{text}");
            cells = of_line;
        }
    }

    #[test]
    fn no_text_of_a_server_is_markup() {
        let mut report = sample();
        report.errors = vec![ErrorReport {
            phase: "http".into(),
            code: "status".into(),
            count: 1,
            sample: "<img src=x> | a | **b** [c](d) @everyone `e`\n# f".into(),
            other_samples: Vec::new(),
        }];
        let text = written(&report);
        let line = text.lines().find(|line| line.starts_with("| http.status")).unwrap();
        assert_eq!(
            line,
            "| http.status | 1 | &lt;img src=x&gt; &#124; a &#124; \\*\\*b\\*\\* \\[c\\](d) \
             &#64;everyone \\`e\\`\\\\n\\# f |"
        );
    }
}
