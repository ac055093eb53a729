//! Finds the message of the server that answers one of the client: by an id that both have, or by
//! what always follows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::guess::{Confidence, Guess};
use super::heartbeat::shown;
use super::place::{Form, Place};
use super::protocol::IdAt;
use super::story::{ANSWER_NS, Fate, Ids, Story, Until};
use super::unit::Unit;
use super::{Side, mqtt};
use crate::{escape, units};

/// Values that more messages have are no ids.
const SAME_MAX: usize = 200;
/// How long what follows by its kind may take.
const FOLLOWS_NS: u64 = 5_000_000_000;

/// Finds replies by id.
pub(super) fn find_by_id(story: &mut Story<'_>) {
    match story.protocol.id_at {
        Some(id_at) => by_known_id(story, id_at),
        None => by_vote(story),
    }
}

/// Returns where a message has its id, and the id.
fn id_of(unit: &Unit, id_at: IdAt, is_5: bool) -> Option<(Range<usize>, Vec<u8>)> {
    match id_at {
        IdAt::Pointer(pointer) => {
            let field = unit.field(&Place::Pointer(pointer.into()))?;
            (*field.value != *b"null").then(|| (field.span.clone(), field.value.clone()))
        }
        IdAt::Receipt => {
            let field = unit.field(&Place::Header("receipt".into()))?;
            Some((field.span.clone(), field.value.clone()))
        }
        IdAt::Digits => {
            let digits = unit.bytes.get(2..unit.json_begin).filter(|digits| !digits.is_empty())?;
            let is_id = unit.bytes.starts_with(b"42") && digits.iter().all(u8::is_ascii_digit);
            is_id.then(|| (2..unit.json_begin, digits.to_vec()))
        }
        IdAt::Packet => {
            let id = mqtt::id(&unit.bytes, is_5)?;
            Some((0..0, id.to_string().into_bytes()))
        }
    }
}

fn by_known_id(story: &mut Story<'_>, id_at: IdAt) {
    let Some(program) = story.protocol.program.clone() else { return };
    let Some(reply) = &program.reply else { return };
    let is_5 = story.protocol.is("mqtt5");
    let mut answers: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for place in story.open(Side::Server) {
        let view = story.units[place].view();
        let may_be = reply.when.as_ref().is_none_or(|when| when.is_match(view))
            && reply.skip.as_ref().is_none_or(|skip| !skip.is_match(view));
        if let Some(id) = reply.id.of(view).filter(|_| may_be) {
            answers.entry(id.into_owned()).or_default().push(place);
        }
    }
    let (mut asked, mut answered, mut slowest_ns) = (0, 0, 0);
    for place in story.open(Side::Client) {
        let Some((span, id)) = id_of(&story.units[place], id_at, is_5) else { continue };
        let named = match (story.protocol.preset, id_at) {
            (Some("jupyter"), _) => "{id}-{session}",
            _ => "{id}",
        };
        if id_at != IdAt::Packet {
            story.id_edits.insert(place, (span, named.into()));
        }
        asked += 1;
        let in_time = |answer: &usize| {
            *answer > place
                && story.fates[*answer] == Fate::Open
                && story.gap_ns(place, *answer) <= ANSWER_NS
        };
        let of_id = answers.get(&id).map_or(&[][..], |places| places);
        let Some(answer) = of_id.iter().copied().find(in_time) else { continue };
        if is_stream(&story.units[place]) {
            continue;
        }
        answered += 1;
        let view = story.units[answer].view();
        if reply.fail.as_ref().is_some_and(|fail| fail.is_match(view)) {
            let said = shown(story, answer);
            story.guesses.push(Guess::new(
                "left out",
                Confidence::Likely,
                format!("{} is not sent", shown(story, place)),
                format!("the server refused it: {said}"),
            ));
            (story.fates[place], story.fates[answer]) = (Fate::Left, Fate::Answer);
            continue;
        }
        slowest_ns = slowest_ns.max(story.gap_ns(place, answer));
        take(story, place, Until::Reply(answer));
    }
    if asked > 0 {
        let says = format!("matches replies by {}", id_name(id_at));
        let evidence = format!(
            "the protocol says so; {answered} of {asked} requests were answered, within {}",
            units::duration(slowest_ns)
        );
        story.guesses.push(Guess::new("reply", Confidence::Sure, says, evidence));
    }
}

fn id_name(id_at: IdAt) -> &'static str {
    match id_at {
        IdAt::Pointer(pointer) => pointer,
        IdAt::Receipt => "receipt",
        IdAt::Digits => "the number behind 42",
        IdAt::Packet => "packet identifier",
    }
}

/// Checks whether a message asks for any number of answers, as a subscription of GraphQL.
fn is_stream(unit: &Unit) -> bool {
    let query = unit.text("/payload/query").unwrap_or_default();
    query.trim_start().starts_with("subscription")
}

fn take(story: &mut Story<'_>, place: usize, until: Until) {
    story.fates[place] = Fate::Step;
    story.fates[until.unit()] = Fate::Answer;
    story.until.insert(place, until);
}

/// Places of an id in messages of the client and of the server, with the pairs of messages that
/// have the same.
type Votes = BTreeMap<(Place, Place), Vec<(usize, usize)>>;

/// Finds an id by vote: a value of a message of the client that one of the server repeats.
fn by_vote(story: &mut Story<'_>) {
    let votes = votes(story);
    let client = story.open(Side::Client);
    let has = |place: &Place| {
        client.iter().filter(|unit| story.units[**unit].field(place).is_some()).count()
    };
    let scored = votes.into_iter().filter_map(|((asked, answered), pairs)| {
        let ids: BTreeSet<_> = pairs
            .iter()
            .map(|(unit, _)| story.units[*unit].field(&asked).map(|f| &f.value))
            .collect();
        let (matched, all) = (pairs.len(), has(&asked));
        let is_named = is_id_name(asked.name());
        let is_enough = ids.len() * 10 >= matched * 9 && matched * 10 >= all * 6;
        let is_id = is_enough && (matched >= 3 || is_named);
        is_id.then_some(((is_named, asked == answered, matched), asked, answered, pairs))
    });
    let Some((_, asked, answered, pairs)) = scored.max_by(|a, b| a.0.cmp(&b.0)) else { return };
    let Place::Pointer(pointer) = &answered else { return };
    let evidence = evidence(story, &asked, &pairs);
    let ids: Vec<_> = client
        .iter()
        .filter_map(|place| Some((*place, story.units[*place].field(&asked)?.clone())))
        .collect();
    let named = named_by(story, &asked, &pairs);
    for (place, field) in ids {
        let id = match &named {
            Some(named) => named.clone(),
            None => "{id}".into(),
        };
        story.id_edits.insert(place, (field.span, id));
    }
    let mut refused = None;
    for (unit, answer) in &pairs {
        let is_wrong = |pointer: &str| {
            story.units[*answer].text(pointer).is_some_and(|said| said != "null" && said != "false")
        };
        if is_wrong("/error") || story.units[*answer].text("/ok") == Some("false") {
            refused = Some(*answer);
            (story.fates[*unit], story.fates[*answer]) = (Fate::Left, Fate::Answer);
            continue;
        }
        take(story, *unit, Until::Reply(*answer));
    }
    let fail = wrong(story, &pairs);
    let says = format!("matches replies by {pointer}, which repeats {}", shown_place(&asked));
    let confidence = if pairs.len() >= 3 { Confidence::Sure } else { Confidence::Likely };
    story.guesses.push(Guess::new("reply", confidence, says, evidence));
    if let Some((_, says)) = fail.clone() {
        let (confidence, why) = match refused {
            Some(place) => (Confidence::Sure, format!("the server sent {}", shown(story, place))),
            None => (Confidence::Unsure, "no reply in the recording is so".to_owned()),
        };
        story.guesses.push(Guess::new("reply", confidence, says, why));
    }
    story.ids =
        Some(Ids { pointer: pointer.clone(), named, fail: fail.map(|(matcher, _)| matcher) });
}

fn votes(story: &Story<'_>) -> Votes {
    let mut by_value: HashMap<&[u8], Vec<(usize, &Place)>> = HashMap::new();
    for place in story.open(Side::Server) {
        for field in story.units[place].fields.iter().filter(|field| may_be_id(field)) {
            by_value.entry(&field.value).or_default().push((place, &field.place));
        }
    }
    let mut votes = Votes::new();
    for place in story.open(Side::Client) {
        for field in story.units[place].fields.iter().filter(|field| may_be_id(field)) {
            let Some(found) = by_value.get(&*field.value) else { continue };
            if found.len() > SAME_MAX {
                continue;
            }
            let mut seen = BTreeSet::new();
            for (answer, at) in found {
                let is_answer = *answer > place && story.gap_ns(place, *answer) <= ANSWER_NS;
                if is_answer && seen.insert(*at) {
                    let pair = (field.place.clone(), (*at).clone());
                    votes.entry(pair).or_default().push((place, *answer));
                }
            }
        }
    }
    votes
}

fn may_be_id(field: &super::place::Field) -> bool {
    let is_short = !field.value.is_empty() && field.value.len() <= 64;
    let has_digit = field.value.iter().any(u8::is_ascii_digit);
    is_short && has_digit && field.form != Form::Plain
}

/// Checks whether a name is one that people give to ids of requests.
fn is_id_name(name: &str) -> bool {
    const NAMES: [&str; 11] =
        ["id", "ref", "seq", "rid", "cid", "nonce", "reqid", "req_id", "tag", "mid", "uid"];
    let lower = name.to_ascii_lowercase();
    NAMES.contains(&&*lower) || lower.ends_with("id") && lower.starts_with(['r', 'm', 'c', 't'])
}

fn shown_place(place: &Place) -> &str {
    match place {
        Place::Pointer(pointer) => pointer,
        other => other.name(),
    }
}

fn evidence(story: &Story<'_>, asked: &Place, pairs: &[(usize, usize)]) -> String {
    let ids: Vec<_> = pairs
        .iter()
        .filter_map(|(unit, _)| str::from_utf8(&story.units[*unit].field(asked)?.value).ok())
        .collect();
    let numbers: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let grows = numbers.len() == ids.len()
        && numbers.len() > 1
        && numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
    let slowest = pairs.iter().map(|(unit, answer)| story.gap_ns(*unit, *answer)).max();
    let how = if grows { "grows by one" } else { "differs" };
    let shown = escape::control(ids.first().copied().unwrap_or_default(), 40);
    format!(
        "{} {how} in {} sent messages, from {shown}, and as many received messages repeat it, \
         within {}",
        shown_place(asked),
        pairs.len(),
        units::duration(slowest.unwrap_or(0))
    )
}

/// Returns how requests are named, if their ids have letters around a number.
fn named_by(story: &Story<'_>, asked: &Place, pairs: &[(usize, usize)]) -> Option<String> {
    let mut prefixes = BTreeSet::new();
    for (unit, _) in pairs {
        let id = str::from_utf8(&story.units[*unit].field(asked)?.value).ok()?;
        let prefix = id.trim_end_matches(|c: char| c.is_ascii_digit());
        prefixes.insert((prefix.to_owned(), prefix.len() < id.len()));
    }
    let [(prefix, true)] = &prefixes.into_iter().collect::<Vec<_>>()[..] else { return None };
    let is_plain =
        !prefix.is_empty() && prefix.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
    // A UUID may end in digits.
    (is_plain && prefix.len() <= 12 && !prefix.contains(|c: char| c.is_ascii_digit()))
        .then(|| format!("{prefix}{{id}}"))
}

/// Returns a match of wrong replies that no good one fulfils, and what it says.
fn wrong(story: &Story<'_>, pairs: &[(usize, usize)]) -> Option<(&'static str, String)> {
    let good = || {
        let answers = pairs.iter().filter(|(unit, _)| story.fates[*unit] == Fate::Step);
        answers.map(|(_, answer)| &story.units[*answer])
    };
    if good().count() > 0 && good().all(|unit| unit.text("/ok") == Some("true")) {
        return Some((
            "{ json = { \"/ok\" = false } }",
            "counts replies with ok false as failed".into(),
        ));
    }
    let is_free = good().all(|unit| !unit.has("/error"));
    is_free.then(|| ("{ has = \"/error\" }", "counts replies with an error as failed".to_owned()))
}

/// Finds what messages without an id wait for: a kind of message that always follows, and comes
/// only then.
pub(super) fn find_by_kind(story: &mut Story<'_>) {
    let open = story.open(Side::Client);
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    // Where a protocol has ids, a message without a reply of its own waits for nothing.
    let has_ids = story.protocol.id_at.is_some();
    for &place in &open {
        story.fates[place] = Fate::Step;
        if !has_ids && !story.id_edits.contains_key(&place) {
            shapes.entry(story.kinds.shape(&story.units[place])).or_default().push(place);
        }
    }
    let mut shapes: Vec<_> = shapes.into_values().collect();
    shapes.sort_by_key(|places| places[0]);
    for places in shapes {
        let Some((name, answers)) = follower(story, &places) else { continue };
        let slowest = places.iter().zip(&answers).map(|(a, b)| story.gap_ns(*a, *b)).max();
        let confidence = if places.len() > 1 { Confidence::Likely } else { Confidence::Unsure };
        story.guesses.push(Guess::new(
            "expect",
            confidence,
            format!("waits for {name} after {}", shown(story, places[0])),
            format!(
                "it followed {} of {} times, within {}, and never came otherwise",
                answers.len(),
                places.len(),
                units::duration(slowest.unwrap_or(0))
            ),
        ));
        for (place, answer) in places.iter().zip(&answers) {
            take(story, *place, Until::Expect(*answer));
        }
    }
    find_in_turn(story, &open);
}

/// Finds one kind of message that follows every message of the client that waits for nothing yet,
/// such as an `ok` to whatever was asked.
fn find_in_turn(story: &mut Story<'_>, sent: &[usize]) {
    let left =
        |place: &&usize| !story.until.contains_key(place) && !story.id_edits.contains_key(place);
    let places: Vec<_> = sent.iter().filter(left).copied().collect();
    if places.len() < 2 || story.protocol.id_at.is_some() {
        return;
    }
    let Some((name, answers)) = follower(story, &places) else { return };
    story.guesses.push(Guess::new(
        "expect",
        Confidence::Likely,
        format!("waits for {name} after every message that has no other answer"),
        format!("it followed each of {}, and never came otherwise", places.len()),
    ));
    for (place, answer) in places.iter().zip(&answers) {
        take(story, *place, Until::Expect(*answer));
    }
}

/// Returns the name of the first kind of message that follows each of these, and no other, and its
/// messages.
fn follower(story: &Story<'_>, places: &[usize]) -> Option<(String, Vec<usize>)> {
    let open = story.open(Side::Server);
    let mut by_kind: BTreeMap<String, (String, Vec<usize>)> = BTreeMap::new();
    for &place in &open {
        let kind = story.kinds.kind(&story.units[place]);
        by_kind.entry(kind.matcher).or_insert_with(|| (kind.name, Vec::new())).1.push(place);
    }
    let mut found: Vec<_> = by_kind
        .into_values()
        .filter(|(_, answers)| answers.len() == places.len())
        .filter(|(_, answers)| {
            let nexts = places.iter().skip(1).chain([&usize::MAX]);
            places.iter().zip(nexts).zip(answers).all(|((&place, &next), &answer)| {
                answer > place && answer < next && story.gap_ns(place, answer) <= FOLLOWS_NS
            })
        })
        .collect();
    found.sort_by_key(|(_, answers)| answers[0]);
    found.into_iter().next()
}

/// Marks what the server says before the client says anything: users wait for it.
pub(super) fn find_greeting(story: &mut Story<'_>) -> Vec<usize> {
    let first_step = story.steps().first().copied().unwrap_or(usize::MAX);
    let greetings: Vec<_> =
        story.open(Side::Server).into_iter().take_while(|place| *place < first_step).collect();
    let mut found = Vec::new();
    for place in greetings.into_iter().take(2) {
        let kind = story.kinds.kind(&story.units[place]);
        let same = |other: &usize| story.kinds.kind(&story.units[*other]).matcher == kind.matcher;
        if first_step == usize::MAX
            || story.open(Side::Server).iter().filter(|o| same(o)).count() != 1
        {
            continue;
        }
        story.guesses.push(Guess::new(
            "begin",
            Confidence::Likely,
            format!("waits for {} before the first message", kind.name),
            "the server sent it first, and never again",
        ));
        story.fates[place] = Fate::Answer;
        found.push(place);
    }
    found
}
