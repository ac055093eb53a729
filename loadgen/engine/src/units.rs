//! Formats integers for people: three digits and a unit, thousands separated.

use serde::{Deserialize, Serialize};

/// Formats `1234567` as `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of things: `1 connection`, `1,234 connections`, `2 copies`. `noun` is the
/// singular.
#[must_use]
pub fn counted(n: u64, noun: &str) -> String {
    let number = count(n);
    if n == 1 {
        return format!("{number} {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

/// Formats nanoseconds as `512 ns`, `9.12 us`, `112 us`, `3.20 ms`, `12.0 s`.
#[must_use]
pub fn duration(ns: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    if ns < 1_000 {
        return format!("{ns} ns");
    }
    for (unit, size) in UNITS {
        if let Some(number) = three_digits(ns, size) {
            return format!("{number} {unit}");
        }
    }
    format!("{} s", count(ns.saturating_add(500_000_000) / 1_000_000_000))
}

/// Formats nanoseconds as seconds to the thousandth: `1.204`.
#[must_use]
pub fn seconds(ns: u64) -> String {
    let ms = ns / 1_000_000;
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// Formats bytes as `512 B`, `14.2 MB`, in powers of a thousand.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [(&str, u64); 5] = [
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    if n < 1_000 {
        return format!("{n} B");
    }
    UNITS
        .iter()
        .find_map(|&(unit, size)| Some(format!("{} {unit}", three_digits(n, size)?)))
        .unwrap_or_else(|| format!("{} TB", count(n / 1_000_000_000_000)))
}

/// Formats a number of processors: `2`, `0.2`, `1.25`.
#[must_use]
pub fn processors(number: f64) -> String {
    format!("{number:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats a number a second: whole from 100, otherwise three digits.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub fn per_s(rate: f64) -> String {
    if rate >= 100.0 {
        count(rate.round() as u64)
    } else {
        let decimals = if rate >= 10.0 { 1 } else { 2 };
        format!("{rate:.decimals$}")
    }
}

/// The unit of a threshold's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Time,
    /// A count.
    #[serde(rename = "count")]
    Count,
    /// Percent.
    #[serde(rename = "percent")]
    Share,
    /// Per second.
    #[serde(rename = "per_s")]
    Rate,
    /// One number in terms of another.
    #[serde(rename = "ratio")]
    Ratio,
}

/// Formats a number with the unit that thresholds use.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub fn number(number: Option<f64>, unit: Unit) -> String {
    match (number, unit) {
        (None, _) => "no data".into(),
        (Some(ns), Unit::Time) => duration(ns as u64),
        (Some(percent), Unit::Share) => format!("{percent:.3} %"),
        (Some(rate), Unit::Rate) => format!("{}/s", per_s(rate)),
        (Some(ratio), Unit::Ratio) => format!("{ratio:.3}x"),
        (Some(n), Unit::Count) => count(n as u64),
    }
}

/// Formats `n / size` with three digits, if it is below 1,000 once rounded.
fn three_digits(n: u64, size: u64) -> Option<String> {
    let (n, size) = (u128::from(n), u128::from(size));
    let rounded = |scale: u128| (n * scale + size / 2) / size;
    if n * 1_000 < size * 9_995 {
        Some(format!("{}.{:02}", rounded(100) / 100, rounded(100) % 100))
    } else if n * 100 < size * 9_995 {
        Some(format!("{}.{}", rounded(10) / 10, rounded(10) % 10))
    } else if n * 10 < size * 9_995 {
        Some(rounded(1).to_string())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn nouns_are_singular_for_one_only() {
        for (n, noun, text) in [
            (0, "connection", "0 connections"),
            (1, "connection", "1 connection"),
            (1_234, "Ping", "1,234 Pings"),
            (1, "copy", "1 copy"),
            (2, "copy", "2 copies"),
            (2, "latency", "2 latencies"),
            (2, "day", "2 days"),
            (2, "address", "2 addresses"),
        ] {
            assert_eq!(counted(n, noun), text);
        }
    }

    #[test]
    fn durations_have_three_digits() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (9_124, "9.12 us"),
            (9_996, "10.0 us"),
            (99_940, "99.9 us"),
            (99_960, "100 us"),
            (112_345, "112 us"),
            (999_499, "999 us"),
            (999_500, "1.00 ms"),
            (3_200_000, "3.20 ms"),
            (12_000_000, "12.0 ms"),
            (1_204_000_000, "1.20 s"),
            (600_000_000_000, "600 s"),
            (3_600_000_000_000, "3,600 s"),
        ] {
            assert_eq!(duration(ns), text, "{ns}");
        }
    }

    #[test]
    fn bytes_and_rates() {
        for (n, text) in [(0, "0 B"), (640, "640 B"), (14_200_000, "14.2 MB"), (5 << 40, "5.50 TB")]
        {
            assert_eq!(bytes(n), text);
        }
        for (rate, text) in [(0.5, "0.50"), (12.34, "12.3"), (50_000.4, "50,000")] {
            assert_eq!(per_s(rate), text);
        }
    }
}
