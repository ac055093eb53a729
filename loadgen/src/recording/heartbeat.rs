//! Finds heartbeats: what the client sends by the clock, and what it answers at once whenever it is
//! asked.

use std::collections::BTreeMap;

use super::Side;
use super::guess::{Confidence, Guess};
use super::place::Form;
use super::story::{Beat, Fate, Story};
use crate::{escape, units};

/// Words that say that a message is a heartbeat.
const WORDS: [&str; 12] = [
    "ping",
    "pong",
    "heartbeat",
    "heart_beat",
    "heart-beat",
    "keepalive",
    "keep_alive",
    "keep-alive",
    "alive",
    "ka",
    "hb",
    "noop",
];
/// The longest heartbeat.
const LEN_MAX: usize = 256;
/// How long an answer by itself takes at most.
const AT_ONCE_NS: u64 = 300_000_000;
/// Bytes of a message that are shown.
pub(super) const SHOWN_LEN_MAX: usize = 60;

/// Checks whether a message says that it is a heartbeat.
fn is_named_so(story: &Story<'_>, place: usize) -> bool {
    let unit = &story.units[place];
    if unit.bytes.len() > LEN_MAX {
        return false;
    }
    if unit.bytes.iter().all(u8::is_ascii_whitespace) || unit.bytes == b"{}" {
        return true;
    }
    story.kinds.words(unit).iter().any(|word| {
        let last = word.rsplit(['.', ':', '/']).next().unwrap_or(word);
        WORDS.contains(&last) || last.split_whitespace().next().is_some_and(|w| WORDS.contains(&w))
    })
}

/// Finds heartbeats whose messages say what they are.
pub(super) fn find_named(story: &mut Story<'_>) {
    find_answers(story, true);
    find_timers(story);
}

/// Finds messages that are always answered with the same message, whatever they say.
pub(super) fn find_others(story: &mut Story<'_>) {
    find_answers(story, false);
}

pub(super) fn shown(story: &Story<'_>, place: usize) -> String {
    escape::bytes(&story.units[place].bytes, SHOWN_LEN_MAX)
}

/// Messages of the server by their matches, and names.
fn by_kind(story: &Story<'_>) -> BTreeMap<String, (String, Vec<usize>)> {
    let mut kinds: BTreeMap<String, (String, Vec<usize>)> = BTreeMap::new();
    for place in story.open(Side::Server) {
        let kind = story.kinds.kind(&story.units[place]);
        kinds.entry(kind.matcher).or_insert_with(|| (kind.name, Vec::new())).1.push(place);
    }
    kinds
}

fn find_answers(story: &mut Story<'_>, is_named: bool) {
    for (name, asked) in by_kind(story).into_values() {
        if is_named && !is_named_so(story, asked[0]) || !is_named && asked.len() < 3 {
            continue;
        }
        let Some(answers) = answers_to(story, &asked, is_named) else { continue };
        let shown = format!("{} with {}", shown(story, asked[0]), shown(story, answers[0]));
        let longest = asked.iter().zip(&answers).map(|(a, b)| story.gap_ns(*a, *b)).max();
        let evidence = format!(
            "{} of {} were answered so, within {}",
            answers.len(),
            asked.len(),
            units::duration(longest.unwrap_or(0))
        );
        let confidence = if is_named { Confidence::Sure } else { Confidence::Likely };
        story.guesses.push(Guess::new(
            "heartbeat",
            confidence,
            format!("answers {shown}"),
            evidence,
        ));
        let (asked_first, said) = (asked[0], answers[0]);
        let repeated = repeated(story, asked_first, said);
        story.beats.push(Beat::Answer { asked: asked_first, said, repeated, name });
        for place in asked.into_iter().chain(answers) {
            story.fates[place] = Fate::Heartbeat;
        }
    }
}

/// Returns the answers to these messages, if each has one but perhaps the last.
fn answers_to(story: &Story<'_>, asked: &[usize], is_named: bool) -> Option<Vec<usize>> {
    let open = story.open(Side::Client);
    let mut answers: Vec<usize> = Vec::new();
    let mut shape: Option<String> = None;
    for &place in asked {
        let after = open.partition_point(|&client| client < place);
        let answer = open[after..].iter().copied().find(|&client| {
            story.gap_ns(place, client) <= AT_ONCE_NS
                && answers.last().is_none_or(|&last| last < client)
                && shape
                    .as_ref()
                    .is_none_or(|shape| *shape == story.kinds.shape(&story.units[client]))
                && (!is_named || shape.is_some() || is_named_so(story, client))
        });
        match answer {
            Some(answer) => {
                shape.get_or_insert_with(|| story.kinds.shape(&story.units[answer]));
                answers.push(answer);
            }
            None if Some(&place) == asked.last() => {}
            None => return None,
        }
    }
    let shape = shape?;
    // The same message is sent for no other reason.
    let same = open.iter().filter(|&&client| story.kinds.shape(&story.units[client]) == shape);
    if same.count() != answers.len() {
        return None;
    }
    let is_constant = |places: &[usize]| {
        places.iter().all(|place| story.units[*place].bytes == story.units[places[0]].bytes)
    };
    (is_named || is_constant(asked) && is_constant(&answers)).then_some(answers)
}

/// Returns the values of a question that its answer repeats.
fn repeated(
    story: &Story<'_>,
    asked: usize,
    said: usize,
) -> Vec<((std::ops::Range<usize>, String), String)> {
    let (asked, said) = (&story.units[asked], &story.units[said]);
    let mut found = Vec::new();
    for field in &said.fields {
        let is_value = field.value.iter().any(u8::is_ascii_digit) && field.form != Form::Plain;
        let from = asked.fields.iter().find(|from| is_value && from.value == field.value);
        if let Some(pick) = from.and_then(|from| from.place.pick()) {
            let name = format!("beat_{}", super::quoting::variable(field.place.name()));
            let form = if field.form == Form::JsonText { ":json" } else { "" };
            let edit = (field.span.clone(), format!("{{{name}{form}}}"));
            found.push((edit, format!("{name} = {pick}")));
        }
    }
    found
}

fn find_timers(story: &mut Story<'_>) {
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for place in story.open(Side::Client) {
        if is_named_so(story, place) {
            shapes.entry(story.kinds.shape(&story.units[place])).or_default().push(place);
        }
    }
    for places in shapes.into_values() {
        let mut gaps: Vec<_> =
            places.windows(2).map(|pair| story.gap_ns(pair[0], pair[1])).collect();
        gaps.sort_unstable();
        let typical = gaps.get(gaps.len() / 2).copied();
        let interval_ns = rounded(typical.unwrap_or(25_000_000_000));
        let confidence = match gaps.len() {
            0 => Confidence::Unsure,
            1 => Confidence::Likely,
            _ => Confidence::Sure,
        };
        let evidence = match (gaps.first(), gaps.last()) {
            (Some(least), Some(most)) => format!(
                "{} in the recording, {} to {} apart",
                places.len(),
                units::duration(*least),
                units::duration(*most)
            ),
            _ => "one in the recording, so how often is not known".into(),
        };
        story.guesses.push(Guess::new(
            "heartbeat",
            confidence,
            format!("sends {} every {}", shown(story, places[0]), toml_time(interval_ns)),
            evidence,
        ));
        story.beats.push(Beat::Timer { said: places[0], interval_ns });
        for place in places {
            story.fates[place] = Fate::Heartbeat;
        }
    }
}

/// Rounds to two digits, at least a millisecond.
pub(super) fn rounded(ns: u64) -> u64 {
    let ms = ns.div_ceil(1_000_000).max(1);
    let unit = 10_u64.pow(ms.ilog10().saturating_sub(1));
    (ms + unit / 2) / unit * unit * 1_000_000
}

/// Returns a time as scenarios have it.
pub(super) fn toml_time(ns: u64) -> String {
    let ms = ns / 1_000_000;
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}
