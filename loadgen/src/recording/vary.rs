//! Finds what varies in a message that a client sends again and again.

use std::ops::Range;

use super::place::{Field, Form};
use super::quoting::Edit;
use super::unit::Unit;

/// Seconds that a time in a message may differ from when it was sent.
const CLOCK_S: u64 = 10;

/// Why a value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Uuid,
    /// It grows by this in each iteration.
    Counter(u64),
    Number,
    /// It differs, and nothing is known to put there.
    Unknown,
}

/// Returns the placeholder for a value that is the time at which it was sent.
pub(super) fn time(field: &Field, at_ns: u64) -> Option<&'static str> {
    let value: u64 = str::from_utf8(&field.value).ok()?.parse().ok()?;
    if at_ns < 1_000_000_000_000_000_000 {
        return None; // the recording has no wall clock
    }
    let units = [
        ("{time}", 1_000_000_000),
        ("{time:ms}", 1_000_000),
        ("{time:us}", 1_000),
        ("{time:ns}", 1),
    ];
    let is_near = |unit: u64| {
        let (sent, bound) = (at_ns / unit, CLOCK_S * 1_000_000_000 / unit);
        value.abs_diff(sent) <= bound
    };
    units.into_iter().find(|(_, unit)| is_near(*unit)).map(|(placeholder, _)| placeholder)
}

/// Checks whether a value is a UUID.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns what to put into a field of the first of these messages, if the field differs among
/// them; `steps` is how many messages an iteration has.
pub(super) fn varying(
    units: &[&Unit],
    place: usize,
    steps: usize,
) -> Option<(Option<Edit>, Cause)> {
    let first = units.first()?;
    let field = first.fields.get(place)?;
    let all: Vec<&Field> = units.iter().filter_map(|unit| unit.fields.get(place)).collect();
    if all.len() < units.len() || all.iter().any(|other| other.place != field.place) {
        return None;
    }
    if all.len() < 2 || all.iter().all(|other| other.value == field.value) {
        return None;
    }
    let span = field.span.clone();
    let texts: Vec<&[u8]> = units
        .iter()
        .zip(&all)
        .filter_map(|(unit, field)| unit.bytes.get(field.span.clone()))
        .collect();
    if field.form == Form::JsonText && all.iter().all(|field| is_uuid(&field.value)) {
        return Some((Some((span, "{uuid}".into())), Cause::Uuid));
    }
    match middle(&texts, steps) {
        Some((inside, placeholder, cause)) => {
            let inside = span.start + inside.start..span.start + inside.end;
            Some((Some((inside, placeholder)), cause))
        }
        None => Some((None, Cause::Unknown)),
    }
}

/// Finds a number that differs, between what all texts begin with and what all end with.
fn middle(texts: &[&[u8]], steps: usize) -> Option<(Range<usize>, String, Cause)> {
    let first = *texts.first()?;
    let alike = |len: usize, is_so: &dyn Fn(&[u8], usize) -> bool| {
        (0..len).take_while(|&at| texts.iter().all(|text| is_so(text, at))).count()
    };
    let shortest = texts.iter().map(|text| text.len()).min()?;
    let mut begin = alike(shortest, &|text, at| text[at] == first[at]);
    while begin > 0 && first[begin - 1].is_ascii_digit() {
        begin -= 1;
    }
    let mut tail = alike(shortest - begin, &|text, at| {
        text[text.len() - 1 - at] == first[first.len() - 1 - at]
    });
    while tail > 0 && first[first.len() - tail].is_ascii_digit() {
        tail -= 1;
    }
    let numbers: Vec<u64> = texts
        .iter()
        .map(|text| str::from_utf8(&text[begin..text.len() - tail]).ok()?.parse().ok())
        .collect::<Option<_>>()?;
    let span = begin..first.len() - tail;
    if let Some(times) = growth(&numbers, steps) {
        return Some((span, counter(times, *numbers.first()?), Cause::Counter(times)));
    }
    Some((span, drawn(*numbers.iter().min()?, *numbers.iter().max()?, &numbers), Cause::Number))
}

/// Returns the placeholder of a number between these; zeros that all end with are kept.
fn drawn(mut least: u64, mut most: u64, numbers: &[u64]) -> String {
    let mut unit = 1;
    let mut zeros = String::new();
    // A zero has none to spare.
    while least > 0 && numbers.iter().all(|number| (number / unit).is_multiple_of(10)) {
        (least, most, unit) = (least / 10, most / 10, unit * 10);
        zeros.push('0');
    }
    format!("{{rand:{least}..{most}}}{zeros}")
}

/// Returns by how much a counter grows in each iteration: by one, or by one for each message if
/// all of them have it.
fn growth(numbers: &[u64], steps: usize) -> Option<u64> {
    let (first, second) = (numbers.first()?, numbers.get(1)?);
    let times = second.checked_sub(*first)?;
    let is_even = numbers.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(times));
    let is_of_messages = numbers.len() > 2 && times == steps as u64;
    (is_even && times > 0 && (times == 1 || is_of_messages)).then_some(times)
}

/// Returns the placeholder of a counter that grows by `times`, from `first`.
fn counter(times: u64, first: u64) -> String {
    let times = if times == 1 { String::new() } else { format!("*{times}") };
    let plus = if first == 0 { String::new() } else { format!("+{first}") };
    format!("{{iter{times}{plus}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_between_equal_texts_are_found() {
        for (texts, expected) in [
            (&["post 0 ok", "post 1 ok"][..], Some((5..6, "{iter}", Cause::Counter(1)))),
            (&["9", "10", "11"], Some((0..1, "{iter+9}", Cause::Counter(1)))),
            (&["a70", "a71", "a75"], Some((1..3, "{rand:70..75}", Cause::Number))),
            (&["1x1", "2x1"], Some((0..1, "{iter+1}", Cause::Counter(1)))),
            // Of three messages in each iteration.
            (&["4", "7", "10"], Some((0..1, "{iter*3+4}", Cause::Counter(3)))),
            (&["0", "3", "6"], Some((0..1, "{iter*3}", Cause::Counter(3)))),
            (&["4", "7"], Some((0..1, "{rand:4..7}", Cause::Number))),
            (&["10", "20", "40"], Some((0..2, "{rand:1..4}0", Cause::Number))),
            (&["2500", "300"], Some((0..4, "{rand:3..25}00", Cause::Number))),
            (&["0", "20", "10"], Some((0..1, "{rand:0..20}", Cause::Number))),
            (&["90", "100"], Some((0..2, "{rand:9..10}0", Cause::Number))),
            (&["7", "4", "1"], Some((0..1, "{rand:1..7}", Cause::Number))),
            (&["red", "green"], None),
            (&["", "1"], None),
        ] {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            let expected = expected.map(|(span, text, cause)| (span, text.to_owned(), cause));
            assert_eq!(middle(&texts, 3), expected, "{texts:?}");
        }
    }
}
