//! Turns a line such as `rtt.p99<20ms` and a report into PASS or FAIL.
//!
//! Separate from the verdict, which judges the client: a threshold judges the server, by the user's
//! own measure. A threshold without data fails, since nothing shows that it holds.
//!
//! ```text
//!   subject           op               value
//!   METRIC.p99        < <= > >= == !=  20ms       also any pNN, min, mean, max
//!   METRIC.count                       10k
//!   lost, failed, …                    10  0.1%   a number, or a share of all
//!   achieved, opened                   50k/s      achieved also 99%, of the offered rate
//! ```

mod live;
mod measure;
mod scenario;
mod statistic;

use std::fmt;

use crate::metrics::Metric;
use crate::nearest::nearest;
use crate::quantity;
pub use live::SoFar;
pub use measure::{Counter, IsShare, Rated, Subject};
pub use scenario::{Played, Value};
pub use statistic::Statistic;

/// A condition that a report has to meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    expression: String,
    subject: Subject,
    comparison: Comparison,
    limit: f64,
}

/// How a measured value is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// All comparisons, those of two characters first.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    #[expect(clippy::float_cmp, reason = "integers below 2^53, or what was typed")]
    fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Less => measured < limit,
            Self::LessOrEqual => measured <= limit,
            Self::Greater => measured > limit,
            Self::GreaterOrEqual => measured >= limit,
            Self::Equal => measured == limit,
            Self::NotEqual => measured != limit,
        }
    }
}

impl Threshold {
    /// Reads a threshold.
    ///
    /// # Errors
    /// What is wrong, to be put after the flag's name; for an unknown name, with names that exist.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, comparison, value) = split(text)?;
        let (subject, limit) = measure::parse(name, value)?;
        Ok(Self {
            expression: format!("{name}{}{value}", comparison.0),
            subject,
            comparison: comparison.1,
            limit,
        })
    }

    /// Reads a threshold on the ratio of two results, for `diff`: its value
    /// is a factor, such as `1.1`, `1.1x` or `110%`.
    ///
    /// # Errors
    /// See [`parse`](Self::parse).
    pub fn parse_ratio(text: &str) -> Result<Self, String> {
        let (name, comparison, value) = split(text)?;
        let subject = measure::subject(name)?;
        let digits = value.strip_suffix(['x', '%']).unwrap_or(value);
        let scale = if value.ends_with('%') { 100.0 } else { 1.0 };
        let limit = statistic::decimal(digits)
            .ok_or("it is compared with a ratio; use one like 1.1, 1.1x or 110%")?
            / scale;
        let expression = format!("{name}{}{value}", comparison.0);
        Ok(Self { expression, subject, comparison: comparison.1, limit })
    }

    /// Returns the subject.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Checks whether it is about a count that fails a run without thresholds.
    #[must_use]
    pub fn is_about(&self, counter: Counter) -> bool {
        matches!(&self.subject, Subject::Count(found) | Subject::Share(found) if *found == counter)
    }

    /// Checks whether it is about failures of a step of a scenario, or, if `step` is `None`, about
    /// users that aren't ready.
    #[must_use]
    pub fn is_about_step(&self, step: Option<&str>) -> bool {
        match (&self.subject, step) {
            (Subject::Played(Played::Step(name, Value::Count(_)), _), Some(step)) => name == step,
            (Subject::Played(Played::Ready, _), None) => true,
            _ => false,
        }
    }

    /// Checks whether it is about the messages of a rule of a scenario.
    #[must_use]
    pub fn is_about_rule(&self, rule: &str) -> bool {
        matches!(&self.subject, Subject::Played(Played::Rule(name, Value::Count(_)), _) if name == rule)
    }

    /// Checks whether it can't hold any more in this run, whatever still happens: it limits a count
    /// that never gets smaller, and has been exceeded.
    #[must_use]
    pub fn is_lost_at(&self, measured: f64) -> bool {
        let is_limit = matches!(
            self.comparison,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Equal
        );
        let is_above = !self.holds(measured) && measured >= self.limit;
        matches!(self.subject, Subject::Count(_)) && is_limit && is_above
    }

    /// Checks whether a measured value meets it.
    #[must_use]
    pub fn holds(&self, measured: f64) -> bool {
        self.comparison.holds(measured, self.limit)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

/// Splits a threshold into the name, the comparison as typed and as parsed, and the value.
fn split(text: &str) -> Result<(&str, (&'static str, Comparison), &str), String> {
    let place = text.find(['<', '>', '=', '!']);
    let found = place.and_then(|place| {
        let (name, rest) = text.split_at(place);
        let comparison = Comparison::ALL.into_iter().find(|(typed, _)| rest.starts_with(typed))?;
        Some((name.trim(), comparison, rest[comparison.0.len()..].trim()))
    });
    found.ok_or_else(|| {
        "no comparison (< <= > >= == !=); use a threshold like rtt.p99<20ms or failed<1%".into()
    })
}

/// Names from other tools, and the names here.
const ALIASES: [(&str, &str); 8] = [
    ("latency", "rtt"),
    ("duration", "rtt"),
    ("response_time", "rtt.response"),
    ("throughput", "achieved"),
    ("rps", "achieved"),
    ("qps", "achieved"),
    ("rate", "achieved"),
    ("error_rate", "errors"),
];
/// How many names are suggested for an unknown one.
const SUGGESTIONS: usize = 3;

/// Returns the three names nearest to an unknown one, in words.
fn suggestions(name: &str) -> String {
    let times = std::iter::once("rtt").chain(Metric::ALL.into_iter().map(Metric::name));
    let plain = Counter::ALL.into_iter().map(Counter::name);
    let plain: Vec<_> = plain.chain(Rated::ALL.into_iter().map(Rated::name)).collect();
    let all: Vec<_> = times.chain(plain.iter().copied()).collect();
    let (stem, statistic) = match name.rsplit_once('.') {
        Some((stem, last)) if is_statistic(last) => (stem, last),
        _ => (name, "p99"),
    };
    let alias = ALIASES.iter().find(|(other, _)| stem.eq_ignore_ascii_case(other));
    let meant = alias.map_or(stem, |(_, name)| *name);
    let shown = |name: &str| {
        if plain.contains(&name) { name.to_owned() } else { format!("{name}.{statistic}") }
    };
    let near: Vec<_> = nearest(meant, all, SUGGESTIONS).into_iter().map(shown).collect();
    format!("use {}; --threshold help lists all", near.join(", "))
}

/// Checks whether a word names a value of a histogram.
fn is_statistic(word: &str) -> bool {
    word == "count" || Statistic::parse(word).is_some()
}

/// Returns the page of `--threshold help`: every name that exists, and what it is compared with.
#[must_use]
pub fn help() -> String {
    let mut page = String::from(
        "A threshold is a name, a comparison (< <= > >= == !=) and a value. The command\n\
         exits with 99 unless it holds; without data it fails.\n\n\
         Times: NAME.p50, .p99.9 or any percentile, .min, .mean, .max, as in\n\
         rtt.p99<20ms; and NAME.count, how many were recorded. rtt is rtt.response\n\
         under -R, else rtt.service.\n",
    );
    let times: Vec<_> =
        std::iter::once("rtt").chain(Metric::ALL.into_iter().map(Metric::name)).collect();
    columns(&mut page, &times);
    page.push_str("\nCounts: lost==0, or a share of all, as in failed<1%.\n");
    columns(&mut page, &Counter::ALL.map(Counter::name));
    page.push_str("\nRates: achieved>50k/s, or a share of what was due, as in achieved>99%.\n");
    columns(&mut page, &Rated::ALL.map(Rated::name));
    page.push_str(
        "\nScenarios: step.NAME.p99<50ms and step.NAME.failed<0.1% (also .sent, .ok,\n\
         .timed_out, .lost, .late, .again), rule.NAME.p99 and rule.NAME.missing==0 (also\n\
         .received, .behind), ready==100%, unmatched==0.\n",
    );
    page.push_str(
        "\nloadgen diff compares ratios, after to before: rtt.p99<1.1x, achieved>=95%.\n",
    );
    page
}

/// Appends names in columns that fit 80 characters.
fn columns(page: &mut String, names: &[&str]) {
    const COLUMNS: usize = 3;
    for row in names.chunks(COLUMNS) {
        let cells: Vec<_> = row.iter().map(|name| format!("{name:<24}")).collect();
        page.push_str("  ");
        page.push_str(cells.join(" ").trim_end());
        page.push('\n');
    }
}

/// Reads a span of time with its unit, in nanoseconds.
fn time(value: &str) -> Result<f64, String> {
    if value.ends_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("\"{value}\" has no unit; use a time like 20ms or 1.5s"));
    }
    let duration = quantity::duration(value)?;
    Ok(exact(crate::clock::nanos(duration)))
}

/// Returns a count as a float that compares as the integer does.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds below 2^53")]
const fn exact(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        for text in [
            "rtt.p99<20ms",
            "rtt.service.p99.9 <= 1.5s",
            "connect.upgrade.max<1s",
            "send.lag.mean<100us",
            "close.handshake.count>=10k",
            "lost==0",
            "failed<1%",
            "errors<=0.01%",
            "achieved>99.5%",
            "achieved>=50k/s",
            "opened>100",
            "received!=0",
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!(threshold.to_string(), text.replace(' ', ""));
        }
    }

    #[test]
    fn what_cannot_and_why() {
        for (text, why) in [
            ("", "no comparison"),
            ("rtt.p99", "no comparison"),
            ("rtt.p99=20ms", "no comparison"),
            ("rtt.p99<", "not a time"),
            ("rtt.p99<20", "has no unit"),
            ("rtt.p99<20parsecs", "not a time"),
            ("rtt.p101<1s", "no value \"p101\""),
            ("rtt.p0<1s", "no value \"p0\""),
            ("rtt.p<1s", "no value \"p\""),
            ("rtt.pNaN<1s", "no value"),
            ("rtt<1s", "use rtt.p99"),
            ("nonsense<1", "no metric \"nonsense\"; use "),
            ("rtt.nonsense.p99<1s", "no metric"),
            ("rtt.count<5ms", "not a number"),
            ("rtt.count<5%", "not a number"),
            ("lost<1ms", "not a number"),
            ("lost<-1", "can't be negative"),
            ("lost<x%", "not a share"),
            ("achieved<1ms", "not a rate"),
            ("opened>99%", "opened can't be a share"),
        ] {
            let said = Threshold::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    /// FIELD E7: 45 names in one line are no help.
    #[test]
    fn e7_wrong_metric_names_nearest() {
        for (text, near) in [
            ("latency.p99<20ms", "use rtt.p99, "),
            ("rtt.servce.p95<1s", "use rtt.service.p95, "),
            ("conect.tcp.max<1s", "use connect.tcp.max, "),
            ("losst==0", "use lost, "),
            ("throughput>5", "use achieved, "),
            ("error_rate<1%", "use errors, "),
        ] {
            let said = Threshold::parse(text).unwrap_err();
            assert!(said.contains(near), "{text}: {said}");
            assert!(said.ends_with("; --threshold help lists all"), "{text}: {said}");
            assert!(said.len() < 130, "{text}: {said}");
        }
        let said = Threshold::parse("x<1").unwrap_err();
        assert_eq!(said.split_once("use ").unwrap().1.matches(", ").count(), 2, "{said}");
        let page = help();
        for name in Metric::ALL.map(Metric::name).iter().chain(&Counter::ALL.map(Counter::name)) {
            assert!(page.contains(name), "{name}");
        }
        assert!(page.lines().all(|line| line.len() <= 80), "{page}");
    }

    /// FIELD E6.
    #[test]
    fn e6_values_as_reports_print_them() {
        for (text, limit) in [
            ("rtt.p95<10 ms", 1e7),
            ("rtt.p95 < 4.27 ms", 4.27e6),
            ("achieved>1000/s", 1_000.0),
            ("achieved>1,498/s", 1_498.0),
            ("received>=1,465,010", 1_465_010.0),
            ("failed<0.100 %", 0.1),
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert!((threshold.limit - limit).abs() < 1e-6, "{text}: {}", threshold.limit);
        }
    }

    #[test]
    fn ratios() {
        for (text, limit) in [("rtt.p99<1.1", 1.1), ("rtt.p99<1.1x", 1.1), ("lost<=110%", 1.1)] {
            let threshold = Threshold::parse_ratio(text).unwrap();
            assert!((threshold.limit - limit).abs() < 1e-12, "{text}");
        }
        assert!(Threshold::parse_ratio("rtt.p99<20ms").unwrap_err().contains("a ratio"));
        assert!(Threshold::parse_ratio("x<1").unwrap_err().contains("no metric"));
    }

    #[test]
    fn comparisons_at_the_limit() {
        let holds = |text: &str| {
            let threshold = Threshold::parse(text).unwrap();
            [4.0, 5.0, 6.0].map(|measured| threshold.comparison.holds(measured, threshold.limit))
        };
        assert_eq!(holds("lost<5"), [true, false, false]);
        assert_eq!(holds("lost<=5"), [true, true, false]);
        assert_eq!(holds("lost>5"), [false, false, true]);
        assert_eq!(holds("lost>=5"), [false, true, true]);
        assert_eq!(holds("lost==5"), [false, true, false]);
        assert_eq!(holds("lost!=5"), [true, false, true]);
    }
}
