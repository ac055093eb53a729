//! Splits the steps of a client into what it does once, what it does again and again, and what it
//! does at the end.

use super::guess::{Confidence, Guess};
use super::heartbeat::{rounded, shown, toml_time};
use super::story::Story;
use crate::units;

/// Pauses shorter than this are the client's own time.
const PAUSE_NS_MIN: u64 = 20_000_000;
/// Longer pauses are cut.
const PAUSE_NS_MAX: u64 = 10_000_000_000;
/// Most steps of an iteration.
const STEPS_MAX: usize = 300;
/// Parts of names of what is done once, at the beginning.
const BEGINS: [&str; 22] = [
    "login",
    "log_in",
    "logon",
    "auth",
    "signin",
    "sign_in",
    "subscri",
    "join",
    "connect",
    "init",
    "hello",
    "register",
    "identify",
    "handshake",
    "listen",
    "watch",
    "follow",
    "config",
    "setup",
    "open",
    "enter",
    "start",
];
/// Parts of names of what is done at the end.
const ENDS: [&str; 10] = [
    "logout",
    "log_out",
    "unsubscri",
    "leave",
    "disconnect",
    "bye",
    "quit",
    "close",
    "exit",
    "terminate",
];

/// The steps of a client: indices of units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) begin: Vec<usize>,
    /// The steps of an iteration, each in all iterations.
    pub(super) steps: Vec<Vec<usize>>,
    pub(super) end: Vec<usize>,
}

/// Orders the steps.
pub(super) fn order(story: &mut Story<'_>) -> Order {
    let steps = story.steps();
    let shapes: Vec<_> = steps.iter().map(|s| story.kinds.shape(&story.units[*s])).collect();
    let names: Vec<_> = steps.iter().map(|s| story.kinds.asked(&story.units[*s])).collect();
    let is_one = |name: &String, list: &[&str]| list.iter().any(|part| name.contains(part));
    let once = |place: usize| shapes.iter().filter(|shape| **shape == shapes[place]).count() == 1;
    let ends = (0..steps.len()).rev().take_while(|&place| is_one(&names[place], &ENDS));
    let end = steps.len() - ends.count();
    let is_begin = |name: &String| {
        // What a query of GraphQL is called says nothing.
        let is_query = name.starts_with("query") || name.starts_with("mutation");
        !is_query && is_one(name, &BEGINS) && !is_one(name, &ENDS)
    };
    let has_repeats = (0..end).any(|place| !once(place));
    let begins =
        (0..end).take_while(|&place| is_begin(&names[place]) || has_repeats && once(place));
    let begin = begins.count();
    let period = period(&shapes[begin..end]);
    let middle = &steps[begin..end];
    let iterations: Vec<Vec<usize>> = match period {
        Some(period) => (0..period)
            .map(|place| middle.iter().skip(place).step_by(period).copied().collect())
            .collect(),
        None => middle.iter().take(STEPS_MAX).map(|step| vec![*step]).collect(),
    };
    say(story, (begin, &iterations, period.map(|period| middle.len() / period)), middle.len());
    Order { begin: steps[..begin].to_vec(), steps: iterations, end: steps[end..].to_vec() }
}

/// Returns the length of the shortest sequence that is repeated at least twice, up to the end.
fn period(shapes: &[String]) -> Option<usize> {
    (1..=shapes.len() / 2)
        .find(|&period| shapes.iter().zip(&shapes[period..]).all(|(shape, later)| shape == later))
}

fn say(
    story: &mut Story<'_>,
    (begin, iterations, times): (usize, &[Vec<usize>], Option<usize>),
    all: usize,
) {
    let steps = |count: usize| units::counted(count as u64, "message");
    let (confidence, says, evidence) = match times {
        Some(times) => (
            if times > 2 { Confidence::Sure } else { Confidence::Likely },
            format!("repeats {}, after {} once", steps(iterations.len()), steps(begin)),
            format!("the recording has them {times} times in a row"),
        ),
        None if all == 0 => (
            Confidence::Likely,
            format!("sends {} once, then users are held", steps(begin)),
            "the recording has none behind those that begin a session".into(),
        ),
        None => (
            Confidence::Unsure,
            format!("repeats {}, after {} once", steps(iterations.len()), steps(begin)),
            if iterations.len() < all {
                format!("the recording has {all} in no order that repeats; the first are taken")
            } else {
                "the recording has them once, or in no order that repeats".into()
            },
        ),
    };
    story.guesses.push(Guess::new("loop", confidence, says, evidence));
}

/// Returns the pause before a step as scenarios have it, from all of its iterations; `None` if
/// there is none to speak of.
pub(super) fn pause(story: &mut Story<'_>, occurrences: &[usize]) -> Option<String> {
    let steps = story.steps();
    let mut thought: Vec<u64> = occurrences
        .iter()
        .filter_map(|&step| {
            let before = *steps[..steps.binary_search(&step).ok()?].last()?;
            let answered = story.until.get(&before).map(|until| until.unit());
            let from = answered.filter(|answer| *answer < step).unwrap_or(before);
            Some(story.gap_ns(from, step))
        })
        .collect();
    thought.sort_unstable();
    let (&least, &most) = (thought.first()?, thought.last()?);
    if thought[thought.len() / 2] < PAUSE_NS_MIN {
        return None;
    }
    if most > PAUSE_NS_MAX {
        story.guesses.push(Guess::new(
            "pause",
            Confidence::Unsure,
            format!(
                "waits 10s, not {}, before {}",
                toml_time(rounded(most)),
                shown(story, occurrences[0])
            ),
            "a long pause may be the user's, and not the page's",
        ));
    }
    let [least, most] = [least, most].map(|ns| rounded(ns.min(PAUSE_NS_MAX)));
    Some(if most - least <= most / 5 {
        toml_time(most)
    } else {
        format!("{}..{}", toml_time(least), toml_time(most))
    })
}
