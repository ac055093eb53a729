//! Formats nanoseconds since 1970 as an RFC 3339 date and time, in UTC.

use crate::config::TIME_LEN;

const NANOS_PER_S: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Formats a time, such as `2026-11-21T14:05:45.123456789Z`.
#[must_use]
pub fn rfc3339(unix_ns: u64) -> [u8; TIME_LEN] {
    let (seconds, nanos) = (unix_ns / NANOS_PER_S, unix_ns % NANOS_PER_S);
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    for (end, mut number) in [
        (4, year),
        (7, month),
        (10, day),
        (13, second / 3_600),
        (16, second / 60 % 60),
        (19, second % 60),
        (29, nanos),
    ] {
        // Each place starts as 0 and stays so once the number is used up.
        for digit in text[..end].iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit = b'0' + (number % 10).to_le_bytes()[0];
            number /= 10;
        }
    }
    text
}

/// Returns year, month and day of a day since 1970: Howard Hinnant's `civil_from_days`, in eras of
/// 400 years that begin in March, so that the leap day is the last of its year.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + 400 * era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_795_269_945, "2026-11-21T14:05:45"),
            (4_107_542_399, "2100-02-28T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (18_446_744_073, "2554-07-21T23:34:33"),
        ] {
            let shown = rfc3339(seconds * NANOS_PER_S + 5);
            assert_eq!(str::from_utf8(&shown).unwrap(), format!("{text}.000000005Z"));
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut last = date(0);
        for day in 1..=146_097 {
            let (year, month, day) = date(day);
            let is_next = if day > 1 {
                (year, month, day) == (last.0, last.1, last.2 + 1)
            } else if month > 1 {
                (year, month) == (last.0, last.1 + 1) && last.2 >= 28
            } else {
                (year, last.1, last.2) == (last.0 + 1, 12, 31)
            };
            assert!(is_next, "{last:?} {year}-{month}-{day}");
            last = (year, month, day);
        }
        assert_eq!(last, (2370, 1, 1));
    }
}
