//! Finds where the values come from that a client sends: from the server, from a login, from the
//! clock, or from nothing that is known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::guess::{Confidence, Guess};
use super::heartbeat::shown;
use super::order::Order;
use super::place::{Field, Form, Place};
use super::quoting::{self, Edit};
use super::story::{Fate, Story, VarValue};
use super::unit::Unit;
use super::vary::{self, Cause};
use super::{Side, secret};

/// The shortest value that is taken for one of the server's.
const CAPTURED_LEN_MIN: usize = 4;

/// Where values come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// What is replaced in a message of the client.
    pub(super) edits: BTreeMap<usize, Vec<Edit>>,
    /// What is kept of a message of the server: names, and where each is.
    pub(super) captures: BTreeMap<usize, Vec<(String, String)>>,
    /// Variables of a user, with their templates.
    pub(super) vars: Vec<(String, String)>,
    /// Columns of the feed, with the values of the recording.
    pub(super) columns: Vec<(String, String)>,
}

impl Values {
    pub(super) fn edit(&mut self, unit: usize, edit: Edit) {
        self.edits.entry(unit).or_default().push(edit);
    }

    pub(super) fn edits_of(&self, unit: usize) -> &[Edit] {
        self.edits.get(&unit).map_or(&[], |edits| edits)
    }

    fn is_edited(&self, unit: usize, span: &Range<usize>) -> bool {
        let overlaps = |(edit, _): &Edit| edit.start < span.end && span.start < edit.end;
        self.edits_of(unit).iter().any(overlaps)
    }

    /// Returns the column for a value: that of an equal value of this name, or a new one.
    pub(super) fn column(&mut self, name: &str, value: &str) -> String {
        let is_of_name = |column: &str| {
            column == name || column.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
        };
        let found = self.columns.iter().find(|(column, of)| of == value && is_of_name(column));
        if let Some((column, _)) = found {
            return column.clone();
        }
        let mut unique = name.to_owned();
        for number in 2.. {
            if self.columns.iter().all(|(column, _)| *column != unique) {
                break;
            }
            unique = format!("{name}_{number}");
        }
        self.columns.push((unique.clone(), value.to_owned()));
        unique
    }
}

/// Finds the sources of all values in what a scenario will send.
pub(super) fn find(story: &mut Story<'_>, order: &Order) -> Values {
    let mut values = Values::default();
    for (unit, edit) in &story.id_edits {
        values.edit(*unit, edit.clone());
    }
    let sent = sent(story, order);
    client_names(story, &sent, &mut values);
    captures(story, &sent, &mut values);
    session_ids(story, &sent, &mut values);
    for &unit in &sent {
        secrets(story, unit, &mut values);
    }
    for occurrences in &order.steps {
        variations(story, (occurrences, order.steps.len()), &mut values);
    }
    clocks(story, &sent, &mut values);
    values
}

/// Returns the messages that the scenario will have, and those of which its variables are parts.
fn sent(story: &Story<'_>, order: &Order) -> Vec<usize> {
    let parts = story.vars.iter().filter_map(|var| match var.value {
        VarValue::Part(unit, _) => Some(unit),
        VarValue::Text(_) => None,
    });
    let firsts = order.steps.iter().filter_map(|step| step.first().copied());
    let mut sent: Vec<_> = parts.chain(order.begin.iter().copied()).collect();
    sent.extend(firsts.chain(order.end.iter().copied()));
    sent.sort_unstable();
    sent.dedup();
    sent
}

fn placeholder(name: &str, form: Form) -> String {
    match form {
        Form::JsonText => format!("{{{name}:json}}"),
        Form::JsonPlain | Form::Plain => format!("{{{name}}}"),
    }
}

/// Gives each user a client identifier of its own: a broker of MQTT throws one of two clients with
/// the same out (MQTT 3.1.1, 3.1.4).
fn client_names(story: &mut Story<'_>, sent: &[usize], values: &mut Values) {
    for &unit in sent {
        let Some(field) = story.units[unit].field(&Place::Mqtt("client")) else { continue };
        if !field.value.is_empty() {
            values.edit(unit, (field.span.clone(), "loadgen-{conn}".into()));
            let why = "a broker allows one connection for each";
            let says = "each user has a client identifier of its own";
            story.guesses.push(Guess::new("value", Confidence::Sure, says, why));
        }
    }
}

/// Finds values that the server sent before the client did.
fn captures(story: &mut Story<'_>, sent: &[usize], values: &mut Values) {
    let mut from_server: HashMap<Vec<u8>, (usize, Place)> = HashMap::new();
    let mut from_client: HashSet<Vec<u8>> = HashSet::new();
    let mut names: BTreeMap<(usize, Place), String> = BTreeMap::new();
    for unit in 0..story.units.len() {
        let fields = story.units[unit].fields.clone();
        if story.units[unit].from == Side::Server {
            if !matches!(story.fates[unit], Fate::Answer | Fate::Rule | Fate::Open) {
                continue;
            }
            for field in fields.into_iter().filter(may_come_from_server) {
                if from_client.contains(&field.value) {
                    continue;
                }
                let is_answer = story.fates[unit] == Fate::Answer;
                let place = (unit, field.place);
                let known = from_server.entry(field.value).or_insert_with(|| place.clone());
                if is_answer && story.fates[known.0] != Fate::Answer {
                    *known = place;
                }
            }
            continue;
        }
        let is_sent = sent.binary_search(&unit).is_ok();
        for field in fields {
            let found = from_server.get(&field.value).cloned();
            if let Some((server, place)) = found
                && is_sent
                && (is_telling(&field, &place) || place.name() == field.place.name())
                && !values.is_edited(unit, &field.span)
                && let Some(pick) = place.pick()
            {
                let key = (server, place.clone());
                let is_new = !names.contains_key(&key);
                let taken: HashSet<_> = names.values().cloned().collect();
                let name = names.entry(key).or_insert_with(|| fresh(place.name(), &taken)).clone();
                if is_new {
                    values.captures.entry(server).or_default().push((name.clone(), pick));
                    let what =
                        if story.fates[server] == Fate::Answer { "an answer" } else { "a push" };
                    let evidence = format!(
                        "{} sends what {} had before, and the client had not",
                        shown(story, unit),
                        shown(story, server)
                    );
                    story.guesses.push(Guess::new(
                        "capture",
                        Confidence::Likely,
                        format!("keeps {name} from {what}"),
                        evidence,
                    ));
                }
                values.edit(unit, (field.span.clone(), placeholder(&name, field.form)));
            }
            from_client.insert(field.value);
        }
    }
}

/// Returns a name for a capture that no other has, and no placeholder.
fn fresh(name: &str, taken: &HashSet<String>) -> String {
    const RESERVED: [&str; 8] = ["id", "conn", "iter", "time", "rand", "uuid", "stamp", "base64"];
    let mut name = quoting::variable(name);
    if RESERVED.contains(&&*name) {
        name.insert_str(0, "server_");
    }
    let mut unique = name.clone();
    for number in 2.. {
        if !taken.contains(&unique) {
            break;
        }
        unique = format!("{name}_{number}");
    }
    unique
}

/// Checks whether a value of the server may be one that a client sends later.
fn may_come_from_server(field: &Field) -> bool {
    let value = &field.value;
    let is_number = field.form == Form::JsonPlain;
    let is_special = value.len() >= CAPTURED_LEN_MIN
        && (!is_number || value.iter().all(u8::is_ascii_digit))
        || !is_number && value.len() >= 2 && value.iter().any(u8::is_ascii_digit);
    is_special && value.len() <= 4_096 && field.place != Place::Whole
}

/// Checks whether a value is so special that a client that sends it must have it from the server,
/// which had it at this place.
fn is_telling(field: &Field, from: &Place) -> bool {
    let value = &field.value;
    if value.len() < CAPTURED_LEN_MIN {
        return false;
    }
    if field.form == Form::JsonPlain {
        return true;
    }
    let name = from.name().to_ascii_lowercase();
    let names = ["id", "token", "session", "key", "cursor", "ticket", "nonce", "challenge", "ref"];
    let is_named = names.iter().any(|part| name.ends_with(part));
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    is_named || digits > 0 && value.len() >= 8 && !value.contains(&b' ')
}

/// Phoenix: the topic's messages carry the id of its join, which the client chose. Jupyter: those
/// of a session carry its id.
fn session_ids(story: &mut Story<'_>, sent: &[usize], values: &mut Values) {
    if story.protocol.is("jupyter") {
        let place = Place::Pointer("/header/session".into());
        for &unit in sent {
            if let Some(field) = story.units[unit].field(&place) {
                values.edit(unit, (field.span.clone(), "{session}".into()));
            }
        }
        return;
    }
    if !story.protocol.is("phoenix") {
        return;
    }
    let mut joins: Vec<(String, String)> = Vec::new();
    for &unit in sent {
        let of = &story.units[unit];
        let (Some(join), Some(event)) = (of.text("/0").map(str::to_owned), of.text("/3")) else {
            continue;
        };
        let is_join = event == "phx_join";
        let Some(field) = of.field(&Place::Pointer("/0".into())) else { continue };
        let span = field.span.clone();
        if is_join {
            let name = format!("join_{}", joins.len() + 1);
            if let Some(until) = story.until.get(&unit) {
                let kept = (name.clone(), "'/0'".to_owned());
                values.captures.entry(until.unit()).or_default().push(kept);
            }
            joins.push((join, name));
            values.edit(unit, (span, "{id}".into()));
        } else if let Some((_, name)) = joins.iter().find(|(of, _)| *of == join) {
            values.edit(unit, (span, format!("{{{name}}}")));
        }
    }
}

/// Finds secrets in a message, and the names that go with them.
fn secrets(story: &mut Story<'_>, unit: usize, values: &mut Values) {
    let fields = story.units[unit].fields.clone();
    let is_text = |field: &&Field| field.form != Form::JsonPlain && field.place != Place::Whole;
    let texts: Vec<_> = fields.iter().filter(is_text).collect();
    let is_secret = |field: &Field| {
        let value = str::from_utf8(&field.value).unwrap_or_default();
        secret::is_secret(field.place.name(), value)
    };
    if !texts.iter().any(|field| is_secret(field)) {
        return;
    }
    for field in texts {
        let is_user = ["user", "username", "login", "email", "user_name", "account"]
            .contains(&&*field.place.name().to_ascii_lowercase());
        if !(is_user || is_secret(field)) || values.is_edited(unit, &field.span) {
            continue;
        }
        let Ok(value) = str::from_utf8(&field.value) else { continue };
        let name = quoting::variable(field.place.name());
        let is_new = values.columns.iter().all(|(_, known)| known != value);
        let column = values.column(&name, value);
        values.edit(unit, (field.span.clone(), placeholder(&column, field.form)));
        if is_new {
            let (says, evidence) = if is_user {
                ("is each user's own", "it is sent beside a secret".to_owned())
            } else {
                let named = field.place.name();
                ("is a secret", format!("it is called {named}, or looks like a token"))
            };
            let says = format!("{{{column}}} {says}");
            story.guesses.push(Guess::new("secret", Confidence::Likely, says, evidence));
        }
    }
}

/// Finds what differs from one iteration to the next in one of its `steps`.
fn variations(story: &mut Story<'_>, (occurrences, steps): (&[usize], usize), values: &mut Values) {
    let Some(&first) = occurrences.first() else { return };
    let units: Vec<_> = occurrences.iter().map(|unit| &story.units[*unit]).collect();
    let mut guesses = Vec::new();
    for (place, field) in story.units[first].fields.iter().enumerate() {
        if values.is_edited(first, &field.span) || vary::time(field, units[0].at_ns).is_some() {
            continue;
        }
        let Some((edit, cause)) = vary::varying(&units, place, steps) else { continue };
        let where_ = match &field.place {
            Place::Pointer(pointer) => pointer.clone(),
            other => other.name().to_owned(),
        };
        let of = format!("{where_} in {}", shown(story, first));
        let counted = format!("it differs in {} messages", occurrences.len());
        guesses.push(match (&edit, cause) {
            (Some((_, placeholder)), Cause::Counter(times)) => Guess::new(
                "value",
                Confidence::Likely,
                format!("{of} is {placeholder}"),
                format!("it grows by {times} in {} messages", occurrences.len()),
            ),
            (Some((_, placeholder)), _) => {
                Guess::new("value", Confidence::Unsure, format!("{of} is {placeholder}"), counted)
            }
            (None, _) => Guess::new(
                "value",
                Confidence::Unsure,
                format!("{of} stays as it was first"),
                format!("{counted}, in no way that a placeholder has"),
            ),
        });
        if let Some(edit) = edit {
            values.edit(first, edit);
        }
    }
    story.guesses.extend(guesses);
}

/// Finds times and UUIDs of the client's own.
fn clocks(story: &mut Story<'_>, sent: &[usize], values: &mut Values) {
    let mut uuids: BTreeMap<Vec<u8>, Vec<(usize, Range<usize>)>> = BTreeMap::new();
    for &unit in sent {
        let of = &story.units[unit];
        let mut found = Vec::new();
        for field in of.fields.iter().filter(|field| !values.is_edited(unit, &field.span)) {
            if let Some(placeholder) = vary::time(field, of.at_ns) {
                found.push((field.span.clone(), placeholder.to_owned()));
            } else if field.form == Form::JsonText && vary::is_uuid(&field.value) {
                let places = uuids.entry(field.value.clone()).or_default();
                places.push((unit, field.span.clone()));
            }
        }
        for edit in found {
            story.guesses.push(Guess::new(
                "value",
                Confidence::Likely,
                format!("{} in {}", edit.1, shown(story, unit)),
                "it was the time when it was sent",
            ));
            values.edit(unit, edit);
        }
    }
    for (number, places) in uuids.into_values().enumerate() {
        // The later iterations of a step are not among those that the scenario has.
        let sent_in = times_sent(story, places[0].0, &places[0].1);
        let (placeholder, says) = if sent_in == 1 {
            ("{uuid}".to_owned(), "a new {uuid} each time".to_owned())
        } else {
            let name = format!("uuid_{}", number + 1);
            values.vars.push((name.clone(), "{uuid}".into()));
            (format!("{{{name}}}"), format!("one {{{name}}} for each user"))
        };
        story.guesses.push(Guess::new(
            "value",
            Confidence::Likely,
            format!("{says}, in {}", shown(story, places[0].0)),
            format!("the client sent a UUID that the server had not, {sent_in} times"),
        ));
        for (unit, span) in places {
            values.edit(unit, (span, placeholder.clone()));
        }
    }
}

/// Returns in how many messages the client sent the value that one of them has there.
fn times_sent(story: &Story<'_>, unit: usize, span: &Range<usize>) -> usize {
    let value = story.units[unit].fields.iter().find(|field| field.span == *span);
    let has = |of: &&Unit| {
        of.from == Side::Client
            && of.fields.iter().any(|field| Some(&field.value) == value.map(|field| &field.value))
    };
    story.units.iter().filter(has).count()
}
