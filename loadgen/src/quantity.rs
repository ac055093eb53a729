//! Numbers as people write them to integers: `10k`, `1.5M`, `500ms`, `1m30s`, `4k`.
//!
//! Exact: digits are scaled as integers, so that `1.5M` is 1,500,000 and what doesn't come out
//! whole is refused.

mod rate;

use std::time::Duration;

pub use rate::Rate;

const NANOS_PER_S: u64 = 1_000_000_000;

/// A whole number: `100`, `10k`, `1.5M`, `2G`, with `_` between digits.
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

/// Events a second, to the thousandth: `0.5`, `50k`.
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn rate(text: &str) -> Result<Rate, String> {
    if text.trim_start().starts_with('-') {
        return Err("a rate can't be negative; use a number like 0.5, 100 or 50k".into());
    }
    let (digits, unit) = split_unit(text);
    let factor = match unit {
        "" => 1_000,
        "k" | "K" => 1_000_000,
        "m" | "M" => 1_000_000_000,
        _ => return Err("not a rate; use a number a second like 0.5, 100 or 50k".into()),
    };
    let per_1000_s =
        scaled(digits, factor).map_err(|fault| fault.say("rate", "0.5, 100 or 50k"))?;
    Rate::new(per_1000_s).ok_or_else(|| {
        format!("out of range; use a rate above 0 and up to {} a second", Rate::PER_S_MAX)
    })
}

/// Bytes: `64`, `4k` (4,096), `1M` (1,048,576).
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split_unit(text);
    let factor = match unit.trim_end_matches(['b', 'B']) {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err("not a size; use bytes like 64, 4k or 1M".into()),
    };
    scaled(digits, factor).map_err(|fault| fault.say("size", "64, 4k or 1M"))
}

/// A span of time: `10s`, `500ms`, `2m`, `1m30s`; a number alone is seconds.
///
/// # Errors
/// What is wrong, to be put behind the flag's name.
pub fn duration(text: &str) -> Result<Duration, String> {
    let say = |fault: Fault| fault.say("time", "10s, 500ms or 2m");
    let mut rest = text;
    let mut total = 0_u64;
    loop {
        let (digits, tail) = split_unit(rest);
        let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        let factor = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "" | "s" => NANOS_PER_S,
            "m" => 60 * NANOS_PER_S,
            "h" => 3_600 * NANOS_PER_S,
            _ => return Err(say(Fault::NotANumber)),
        };
        let part = scaled(digits, factor).map_err(say)?;
        total = total.checked_add(part).ok_or_else(|| say(Fault::TooLarge))?;
        if next.is_empty() {
            return Ok(Duration::from_nanos(total));
        }
        rest = next;
    }
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

/// The digits in front, and the rest.
fn split_unit(text: &str) -> (&str, &str) {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+');
    text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()))
}

/// `digits` times `factor`, exactly.
fn scaled(digits: &str, factor: u64) -> Result<u64, Fault> {
    if digits.starts_with('-') {
        return Err(Fault::Negative);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !is_number(whole) || !is_number(fraction) || !digits.bytes().any(|b| b.is_ascii_digit()) {
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
        for (text, why) in [
            ("", "not a number"),
            ("k", "not a number"),
            (".", "not a number"),
            ("ten", "not a number"),
            ("10kk", "not a number"),
            ("1.2.3", "not a number"),
            ("+1", "not a number"),
            ("-1", "can't be negative"),
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
        for text in ["", "s", "-1s", "10x", "1s-2s", "1 s", "9999999999h", "ms10"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
