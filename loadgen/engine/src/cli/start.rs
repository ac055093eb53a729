//! Turns `2026-11-21T14:00:00Z`, Unix seconds or `+5s` into the time at which a run starts.

use std::time::{Duration, SystemTime};

use crate::quantity;

/// How far ahead a start may be. A time in milliseconds or one of next year is a mistake.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Reads a wall-clock time that is later than `now`.
///
/// # Errors
/// What is wrong, to follow the flag's name.
pub fn parse(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    const EXAMPLES: &str = "use a time like 2026-11-21T14:00:00Z, unix seconds, or +5s";
    let at = if let Some(span) = text.strip_prefix('+') {
        now.checked_add(quantity::duration(span)?)
    } else {
        let since_1970 = unix(text).or_else(|| rfc3339(text));
        SystemTime::UNIX_EPOCH.checked_add(since_1970.ok_or(EXAMPLES)?)
    };
    let at = at.ok_or(EXAMPLES)?;
    match at.duration_since(now) {
        Err(past) => Err(in_the_past(past.duration())),
        Ok(ahead) if ahead > AHEAD_MAX => Err(format!(
            "it is {:.1} days ahead; use a time within {} hours",
            ahead.as_secs_f64() / 86_400.0,
            AHEAD_MAX.as_secs() / 3_600
        )),
        Ok(_) => Ok(at),
    }
}

/// Describes a start that was `ago`.
#[must_use]
pub fn in_the_past(ago: Duration) -> String {
    format!("it is {:.3} s in the past; use a later time", ago.as_secs_f64())
}

/// Reads `1795269600` or `1795269600.25`.
fn unix(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    Some(Duration::new(digits(seconds, 1, 15)?, nanos(fraction)?))
}

/// Reads `2026-11-21T14:00:00.5+01:00` (RFC 3339, 5.6), from 1970 on.
fn rfc3339(text: &str) -> Option<Duration> {
    if !text.is_ascii() {
        return None;
    }
    let field = |begin: usize, len: usize| digits(text.get(begin..begin + len)?, len, len);
    let has =
        |place: usize, any: &[u8]| text.as_bytes().get(place).is_some_and(|b| any.contains(b));
    if !(has(4, b"-") && has(7, b"-") && has(10, b"Tt ") && has(13, b":") && has(16, b":")) {
        return None;
    }
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    // A 60th second is a leap second.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !is_time || year < 1970 || day == 0 || day > days_in(year, month)? {
        return None;
    }
    let rest = text.get(19..)?;
    let zone_begin = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at(zone_begin);
    let nanos = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        fraction => nanos(fraction?)?,
    };
    let days = days_before(year) + (1..month).filter_map(|month| days_in(year, month)).sum::<u64>();
    let seconds = (days + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = match zone.as_bytes() {
        [b'Z' | b'z'] => seconds,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(&zone[1..3], 2, 2)?, digits(&zone[4..6], 2, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3_600 + minutes * 60;
            if *sign == b'+' { seconds.checked_sub(offset)? } else { seconds + offset }
        }
        _ => return None,
    };
    Some(Duration::new(seconds, nanos))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> Option<u64> {
    Some(match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    })
}

/// Returns the number of days from 1970 to the start of `year`.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

/// Reads a number of `least` to `most` digits.
fn digits(text: &str, least: usize, most: usize) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && (least..=most).contains(&text.len())).then(|| text.parse().ok()).flatten()
}

/// Reads the digits after a decimal point, as nanoseconds.
fn nanos(fraction: &str) -> Option<u32> {
    let nanos = digits(fraction, 1, 9)? * 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    u32::try_from(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)
    }

    #[test]
    fn every_form_of_one_time() {
        // `date -u -d @1795269600.5`
        let now = at(1_795_269_590_000_000_000);
        let begin = at(1_795_269_600_500_000_000);
        for text in [
            "2026-11-21T14:00:00.5Z",
            "2026-11-21t14:00:00.500z",
            "2026-11-21 15:30:00.5+01:30",
            "2026-11-20T18:00:00.5-20:00",
            "1795269600.5",
            "+10.5s",
            "+10s500ms",
        ] {
            assert_eq!(parse(text, now), Ok(begin), "{text}");
        }
    }

    #[test]
    fn days_of_every_kind_of_year() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1972-02-29T00:00:00Z", 68_169_600),
            ("1999-12-31T23:59:60Z", 946_684_800),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2400-02-29T12:00:00Z", 13_574_606_400),
        ] {
            assert_eq!(rfc3339(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_none_to_begin_at() {
        let now = at(1_795_269_600_000_000_000);
        for (text, why) in [
            ("", "use a time like"),
            ("soon", "use a time like"),
            ("2026-11-21", "use a time like"),
            ("2026-11-21T14:00:00", "use a time like"),
            ("2026-11-21T14:00Z", "use a time like"),
            ("2026-13-21T14:00:00Z", "use a time like"),
            ("2026-02-29T14:00:00Z", "use a time like"),
            ("2026-11-00T14:00:00Z", "use a time like"),
            ("2026-11-21T24:00:00Z", "use a time like"),
            ("2026-11-21T14:00:00.Z", "use a time like"),
            ("2026-11-21T14:00:00+0100", "use a time like"),
            ("2026-11-21T14:00:00+24:00", "use a time like"),
            ("2026-11-21T14:00:0\u{fc}Z", "use a time like"),
            ("99999999999999999999", "use a time like"),
            ("-5", "use a time like"),
            ("+x", "not a time"),
            ("2026-11-21T13:59:59Z", "1.000 s in the past"),
            ("0", "in the past"),
            ("1795269600500", "days ahead"),
            ("2027-11-21T14:00:00Z", "365.0 days ahead"),
        ] {
            let said = parse(text, now).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
