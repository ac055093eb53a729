//! Reads the names of a scenario's steps, rules and users before a comparison:
//! `step.login.p99<50ms`.

use super::statistic::Statistic;

/// The part of a scenario that a threshold is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Played {
    /// A step, by its name.
    Step(String, Value),
    /// A rule, by its name.
    Rule(String, Value),
    /// Established users that reached the end of `[[begin]]`.
    Ready,
    /// Received messages that nothing took.
    Unmatched,
}

/// A value of a step or a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A time of its histogram.
    Time(Statistic),
    /// A counter of its report.
    Count(&'static str),
}

/// Counters of a step and of a rule.
pub(super) const OF_STEP: [&str; 7] =
    ["sent", "ok", "failed", "timed_out", "lost", "late", "again"];
pub(super) const OF_RULE: [&str; 3] = ["received", "missing", "behind"];

/// Reads a name; `None` if it names nothing of a scenario.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn parse(name: &str) -> Option<Result<Played, String>> {
    let (kind, rest) = match name {
        "ready" => return Some(Ok(Played::Ready)),
        "unmatched" => return Some(Ok(Played::Unmatched)),
        name => name.split_once('.')?,
    };
    let counters = match kind {
        "step" => &OF_STEP[..],
        "rule" => &OF_RULE,
        _ => return None,
    };
    // The first name that leaves a value: both may have dots in them.
    let mut parts = rest.match_indices('.').map(|(at, _)| (&rest[..at], &rest[at + 1..]));
    let found = parts.find_map(|(name, value)| Some((name, self::value(value, counters)?)));
    let Some((name, value)) = found else {
        return Some(Err(format!(
            "no value of a {kind} at the end of \"{}\"; use .pNN, .min, .mean, .max, or .{}",
            name.chars().take(60).collect::<String>(),
            counters.join(", .")
        )));
    };
    let name = name.to_owned();
    Some(Ok(if kind == "step" { Played::Step(name, value) } else { Played::Rule(name, value) }))
}

fn value(text: &str, counters: &[&'static str]) -> Option<Value> {
    if let Some(counter) = counters.iter().find(|counter| **counter == text) {
        return Some(Value::Count(counter));
    }
    Statistic::parse(text).map(Value::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_may_have_points() {
        let step = |name: &str, value| Some(Ok(Played::Step(name.into(), value)));
        let p = |percentile| Value::Time(Statistic::Percentile(percentile));
        assert_eq!(parse("step.login.p99.9"), step("login", p(99.9)));
        assert_eq!(parse("step.engine.open.p50"), step("engine.open", p(50.0)));
        assert_eq!(parse("step.a.failed"), step("a", Value::Count("failed")));
        assert_eq!(parse("ready"), Some(Ok(Played::Ready)));
        assert_eq!(parse("rtt.p99"), None);
        let wrong = parse("step.login").unwrap().unwrap_err();
        assert!(wrong.contains("use .pNN"), "{wrong}");
        assert!(parse("rule.a.failed").unwrap().is_err());
    }
}
