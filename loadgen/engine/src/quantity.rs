//! Numbers as people write them, and as reports print them, to integers: `10k`, `1.5M`, `1,465,010`,
//! `500ms`, `4.27 ms`, `1m30s`, `4k`, `1KiB`, `1,498/s`.
//!
//! Exact: digits are scaled as integers, so that `1.5M` is 1,500,000 and what doesn't come out
//! whole is refused.

mod rate;

use std::time::Duration;

use crate::units;
pub use rate::Rate;

const NANOS_PER_S: u64 = 1_000_000_000;

/// Reads a whole number: `100`, `10k`, `1.5M`, `2G`, `1,000`, with `_` between digits.
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = split_unit(text);
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err("not a number; use a number like 100, 10k or 1.5M".into()),
    };
    scaled(digits, factor).map_err(|fault| fault.say("number", "100, 10k or 1.5M"))
}

/// Reads events a second, to the thousandth: `0.5`, `50k`, `1,498/s`.
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn rate(text: &str) -> Result<Rate, String> {
    if text.trim_start().starts_with('-') {
        return Err("a rate can't be negative; use a number like 0.5, 100 or 50k".into());
    }
    let per_s = text.strip_suffix("/s").map_or(text, str::trim_end);
    let (digits, unit) = split_unit(per_s);
    let factor = match unit {
        "" => 1_000,
        "k" | "K" => 1_000_000,
        "m" | "M" => 1_000_000_000,
        _ => return Err("not a rate; use a number a second like 0.5, 100 or 50k".into()),
    };
    let per_1000_s =
        scaled(digits, factor).map_err(|fault| fault.say("rate", "0.5, 100 or 50k"))?;
    Rate::new(per_1000_s).ok_or_else(|| {
        let most = units::count(Rate::PER_S_MAX);
        format!("out of range; use a rate above 0 and up to {most} a second")
    })
}

/// Reads bytes: `64`, `4k` or `4KiB` (4,096), `1M` (1,048,576).
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split_unit(text);
    let factor = match unit.strip_suffix(['b', 'B']).unwrap_or(unit) {
        "" => 1,
        "k" | "K" | "ki" | "Ki" => 1 << 10,
        "m" | "M" | "mi" | "Mi" => 1 << 20,
        "g" | "G" | "gi" | "Gi" => 1 << 30,
        _ => return Err("not a size; use bytes like 64, 4k or 1M".into()),
    };
    scaled(digits, factor).map_err(|fault| fault.say("size", "64, 4k or 1M"))
}

/// Reads a span of time: `10s`, `500ms`, `2m`, `1m30s`, `1d`; a number alone is seconds.
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn duration(text: &str) -> Result<Duration, String> {
    let say = |fault: Fault| fault.say("time", "10s, 500ms or 2m");
    let mut rest = text;
    let mut total = 0_u64;
    loop {
        let (digits, tail) = split_unit(rest);
        let unit_len = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        let factor = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "" | "s" => NANOS_PER_S,
            "m" => 60 * NANOS_PER_S,
            "h" => 3_600 * NANOS_PER_S,
            "d" => 86_400 * NANOS_PER_S,
            _ => return Err(say(Fault::NotANumber)),
        };
        let part = scaled(digits, factor).map_err(say)?;
        total = total.checked_add(part).ok_or_else(|| say(Fault::TooLarge))?;
        if next.is_empty() {
            return Ok(Duration::from_nanos(total));
        }
        rest = next.strip_prefix(' ').unwrap_or(next);
    }
}

/// Shows a span of time as it would be typed: `1ms`, `90s`, `7d`.
#[must_use]
pub fn typed(span: Duration) -> String {
    const UNITS: [(&str, u128); 7] = [
        ("d", 86_400 * NANOS_PER_S as u128),
        ("h", 3_600 * NANOS_PER_S as u128),
        ("m", 60 * NANOS_PER_S as u128),
        ("s", NANOS_PER_S as u128),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let ns = span.as_nanos();
    if ns == 0 {
        return "0s".into();
    }
    let whole = UNITS.iter().find(|(_, size)| ns.is_multiple_of(*size));
    whole.map_or_else(String::new, |(unit, size)| format!("{}{unit}", ns / size))
}

/// Shows bytes as they would be typed: `61`, `4KiB`, `1GiB`.
#[must_use]
pub fn typed_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = UNITS.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    whole.map_or_else(|| units::count(bytes), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Why a number can't be taken.
#[derive(Clone, Copy, Debug)]
enum Fault {
    NotANumber,
    Negative,
    NotWhole,
    TooLarge,
}

impl Fault {
    fn say(self, what: &str, examples: &str) -> String {
        match self {
            Self::NotANumber => format!("not a {what}; use one like {examples}"),
            Self::Negative => format!("a {what} can't be negative; use one like {examples}"),
            Self::NotWhole => format!("doesn't come out whole; use a {what} like {examples}"),
            Self::TooLarge => format!("too large; use a {what} like {examples}"),
        }
    }
}

/// Splits the digits in front from the unit, which a space may separate.
fn split_unit(text: &str) -> (&str, &str) {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '_' | '-' | '+');
    let (digits, unit) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
    let apart = unit.strip_prefix(' ').filter(|unit| unit.starts_with(char::is_alphabetic));
    (digits, apart.unwrap_or(unit))
}

/// Checks whether commas, if there are any, set thousands apart: `1,5` is not 15.
fn has_thousands(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default().len();
    whole.find(',').is_none() || ((1..=3).contains(&first) && groups.all(|group| group.len() == 3))
}

/// `digits` times `factor`, exactly.
fn scaled(digits: &str, factor: u64) -> Result<u64, Fault> {
    if digits.starts_with('-') {
        return Err(Fault::Negative);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !has_thousands(whole) {
        return Err(Fault::NotANumber);
    }
    let is_whole = whole.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b','));
    if !is_whole || !is_number(fraction) || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return Err(Fault::NotANumber);
    }
    let (mut value, mut divisor) = (0_u128, 1_u128);
    for (part, scale) in [(whole, 1), (fraction, 10)] {
        for digit in part.bytes().filter(u8::is_ascii_digit) {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u128::from(digit - b'0')))
                .ok_or(Fault::TooLarge)?;
            divisor = divisor.checked_mul(scale).ok_or(Fault::TooLarge)?;
        }
    }
    let value = value.checked_mul(u128::from(factor)).ok_or(Fault::TooLarge)?;
    if !value.is_multiple_of(divisor) {
        return Err(Fault::NotWhole);
    }
    u64::try_from(value / divisor).map_err(|_| Fault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (text, value) in
            [("0", 0), ("100", 100), ("10k", 10_000), ("1.5M", 1_500_000), ("2G", 2_000_000_000)]
        {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        assert_eq!(count("1_000"), Ok(1_000));
        assert_eq!(count("0.5k"), Ok(500));
        assert_eq!(count("1,465,010"), Ok(1_465_010));
        for (text, why) in [
            ("", "not a number"),
            ("k", "not a number"),
            (".", "not a number"),
            ("ten", "not a number"),
            ("10kk", "not a number"),
            ("1.2.3", "not a number"),
            ("+1", "not a number"),
            ("-1", "can't be negative"),
            ("1,5", "not a number"),
            ("1234,567", "not a number"),
            (",123", "not a number"),
            ("1.5", "doesn't come out whole"),
            ("1.0001k", "doesn't come out whole"),
            ("99999999999999999999", "too large"),
            ("99999999999999999999999999999999999999999999999", "too large"),
            ("0.00000000000000000000000000000000000000000000001", "too large"),
        ] {
            let said = count(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn rates() {
        for (text, per_1000_s) in
            [("1", 1_000), ("0.5", 500), ("50k", 50_000_000), ("1.5M", 1_500_000_000)]
        {
            assert_eq!(rate(text).map(Rate::per_1000_s), Ok(per_1000_s), "{text}");
        }
        for (text, why) in [
            ("0", "out of range"),
            ("-5", "can't be negative"),
            ("1G", "not a rate"),
            ("1000M", "out of range"),
            ("0.0001", "doesn't come out whole"),
            ("fast", "not a rate"),
        ] {
            let said = rate(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("64", 64), ("4k", 4096), ("1M", 1 << 20), ("1.5KB", 1536), ("7b", 7)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "4q", "-1", "0.3"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("10s", 10_000),
            ("10", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("0.25m", 15_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(duration("3us"), Ok(Duration::from_micros(3)));
        for text in ["", "s", "-1s", "10x", "1s-2s", "1  s", " s", "9999999999h", "ms10"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    /// What a report prints can be typed.
    #[test]
    fn e6_numbers_as_reports_print_them() {
        for ns in [0, 512, 9_120, 112_000, 3_200_000, 12_000_000_000, 1_234_000_000_000] {
            let shown = units::duration(ns);
            assert_eq!(duration(&shown), Ok(Duration::from_nanos(ns)), "{shown}");
        }
        for per_s in [0.5, 2.25, 99.5, 1_498.0, 146_491.0] {
            let shown = format!("{}/s", units::per_s(per_s));
            let read = rate(&shown).unwrap().per_s();
            assert!((read - per_s).abs() < 0.05, "{shown} as {read}");
        }
        for n in [0, 999, 1_000, 1_465_010] {
            assert_eq!(count(&units::count(n)), Ok(n));
        }
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("344 \u{b5}s"), Ok(Duration::from_micros(344)));
    }

    #[test]
    fn p10_units_of_files_and_days() {
        assert_eq!((size("1KiB"), size("4 KiB")), (Ok(1_024), Ok(4_096)));
        assert_eq!(
            (size("1MiB"), size("1GiB"), size("2kb")),
            (Ok(1 << 20), Ok(1 << 30), Ok(2_048))
        );
        assert!(size("1kbb").is_err() && size("1i").is_err());
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("1d12h"), Ok(Duration::from_secs(129_600)));
    }

    #[test]
    fn e11_bounds_are_shown_as_they_are_typed() {
        for (span, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1), "1ms"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_secs(604_800), "7d"),
            (Duration::from_secs(3_600), "1h"),
        ] {
            assert_eq!(typed(span), text);
            assert_eq!(duration(text), Ok(span));
        }
        for (bytes, text) in [(61, "61"), (4_096, "4KiB"), (64 << 20, "64MiB"), (1_025, "1,025")] {
            assert_eq!(typed_size(bytes), text);
            assert_eq!(size(text), Ok(bytes));
        }
    }
}
