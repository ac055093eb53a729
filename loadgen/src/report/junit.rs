//! Writes a [`Report`] as the XML of `JUnit`, which CI systems show as test cases: one for the run, one for
//! the measurement, and one for each threshold.

use std::io::{self, Write};

use super::Report;
use crate::escape;
use crate::verdict::State;

/// Most bytes of a text from outside that are shown.
const SHOWN_MAX: usize = 1_000;

/// What became of a test case.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Writes the XML.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let cases = cases(report);
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|(_, outcome)| is(outcome)).count();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let suite = quoted(&format!("loadgen {} {}", report.command, report.target.shown()));
    let seconds = seconds(report);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, "<testsuites>")?;
    writeln!(
        out,
        r#"  <testsuite name="{suite}" tests="{}" failures="{failures}" errors="0" skipped="{skipped}" time="{seconds}">"#,
        cases.len()
    )?;
    for (name, outcome) in &cases {
        let name = quoted(name);
        write!(out, r#"    <testcase classname="{suite}" name="{name}""#)?;
        match outcome {
            Outcome::Passed => writeln!(out, "/>")?,
            Outcome::Failed(why) => {
                writeln!(out, r#"><failure message="{}"/></testcase>"#, quoted(why))?;
            }
            Outcome::Skipped(why) => {
                writeln!(out, r#"><skipped message="{}"/></testcase>"#, quoted(why))?;
            }
        }
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn cases(report: &Report) -> Vec<(String, Outcome)> {
    let run = if report.outcome.is_ok {
        Outcome::Passed
    } else {
        Outcome::Failed(report.outcome.reasons.join("; "))
    };
    let reasons = report.verdict.reasons.join("; ");
    let measurement = match report.verdict.state {
        State::Valid => Outcome::Passed,
        State::None => Outcome::Skipped(format!("nothing to judge; {reasons}")),
        State::Degraded => Outcome::Skipped(format!("degraded: {reasons}")),
        State::Saturated => Outcome::Failed(format!("saturated: {reasons}")),
    };
    let mut cases = vec![("run".to_owned(), run), ("measurement".to_owned(), measurement)];
    cases.extend(report.thresholds.iter().map(|threshold| {
        let outcome = if threshold.is_passed {
            Outcome::Passed
        } else {
            Outcome::Failed(format!("measured {}", threshold.shown()))
        };
        (format!("threshold {}", threshold.expression), outcome)
    }));
    cases
}

/// Returns the length of the whole run.
fn seconds(report: &Report) -> String {
    let phases = &report.phases;
    let ends = [phases.ramp, phases.warmup, phases.measured, phases.drain, phases.close];
    let end_ns = ends.iter().flatten().map(|phase| phase.end_ns).max().unwrap_or(0);
    crate::units::seconds(end_ns)
}

/// Returns a text as it may stand in an attribute.
fn quoted(text: &str) -> String {
    let text = escape::control(text, SHOWN_MAX);
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '"' => quoted.push_str("&quot;"),
            // XML has no way to write them.
            '\u{fffe}' | '\u{ffff}' => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::threshold::Threshold;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_case_for_the_run_the_measurement_and_each_threshold() {
        let mut report = sample();
        report.outcome.is_ok = true;
        report.verdict.state = State::Degraded;
        report.verdict.reasons = vec!["busy <all> the time".into()];
        report.judge(&[
            Threshold::parse("rtt.p99<1ms").unwrap(),
            Threshold::parse("lost==0").unwrap(),
        ]);
        let text = written(&report);
        assert!(
            text.contains(r#"tests="4" failures="1" errors="0" skipped="1" time="1.010">"#),
            "{text}"
        );
        assert!(text.contains(r#"name="run"/>"#), "{text}");
        let skipped =
            r#"name="measurement"><skipped message="degraded: busy &lt;all&gt; the time"/>"#;
        assert!(text.contains(skipped), "{text}");
        let failed = r#"name="threshold rtt.p99&lt;1ms"><failure message="measured 5.00 ms"/>"#;
        assert!(text.contains(failed), "{text}");
        assert!(text.contains(r#"name="threshold lost==0"/>"#), "{text}");
    }

    #[test]
    fn a_saturated_client_and_a_failed_run_are_failures() {
        let mut report = sample();
        report.outcome.is_ok = false;
        report.outcome.reasons = vec!["a \"quoted\" \u{1} reason & more".into()];
        report.verdict.state = State::Saturated;
        let text = written(&report);
        assert!(text.contains(r#"tests="2" failures="2""#), "{text}");
        assert!(text.contains(r"a &quot;quoted&quot; \x01 reason &amp; more"), "{text}");
    }
}
