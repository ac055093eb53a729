//! What kind of message one is: how a rule or a step matches it, and which others are the same but
//! for their values.

use std::collections::{BTreeMap, BTreeSet};

use super::framing::Framing;
use super::place::Place;
use super::quoting::{self, quoted};
use super::unit::Unit;
use super::{Side, mqtt};

/// Members that say what a message is, the more telling first.
const TELLING: [&str; 17] = [
    "/method",
    "/event",
    "/target",
    "/op",
    "/type",
    "/action",
    "/cmd",
    "/command",
    "/kind",
    "/msg_type",
    "/header/msg_type",
    "/msg",
    "/name",
    "/e",
    "/t",
    "/0",
    "/3",
];
/// Most values of a member that says what a message is.
const VALUES_MAX: usize = 24;
const VALUE_LEN_MAX: usize = 48;

/// How a message is matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// A match, as it is written in a scenario.
    pub(super) matcher: String,
    /// A name for it.
    pub(super) name: String,
    /// Whether it looks at little enough to be wrong.
    pub(super) is_vague: bool,
}

/// What tells the messages of a connection apart.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    /// Pointers to members that have few values, of messages of the client and of the server.
    telling: [Vec<&'static str>; 2],
    framing: Framing,
}

impl Kinds {
    /// Finds what tells these messages apart.
    pub(super) fn of(units: &[Unit], framing: &Framing) -> Self {
        let telling = |from| {
            let of_side = || units.iter().filter(move |unit| unit.from == from);
            let is_telling = |pointer: &&&str| {
                let values = of_side().filter_map(|unit| said(unit, pointer));
                let values: BTreeSet<_> = values.take(100_000).collect();
                (1..=VALUES_MAX).contains(&values.len())
            };
            TELLING.iter().filter(is_telling).copied().collect()
        };
        Self { telling: [telling(Side::Client), telling(Side::Server)], framing: framing.clone() }
    }

    /// Returns the first member that says what a message is, and what it says.
    fn telling<'u>(&self, unit: &'u Unit) -> Option<(&'static str, &'u str)> {
        let pointers = &self.telling[usize::from(unit.from == Side::Server)];
        pointers.iter().find_map(|pointer| Some((*pointer, said(unit, pointer)?)))
    }

    /// Returns the kind of a message of the server.
    pub(super) fn kind(&self, unit: &Unit) -> Kind {
        let kind = |matcher: String, name: &str, is_vague| Kind {
            matcher: format!("{{ {matcher} }}"),
            name: quoting::name(name),
            is_vague,
        };
        if let Framing::Mqtt { .. } = self.framing {
            return mqtt_kind(unit);
        }
        if self.framing == Framing::Stomp && !unit.is_json() {
            return stomp_kind(unit);
        }
        if unit.json_begin == 2
            && let Some(event) = unit.bytes.strip_prefix(b"42").and(unit.text("/0"))
            && is_simple(event)
        {
            return kind(matching("prefix", &format!("42[\"{event}\"")), event, false);
        }
        if unit.is_json() {
            if let Some((pointer, value)) = self.telling(unit) {
                let is_text = json_text(unit, pointer);
                let literal = if is_text { quoted(value) } else { value.to_owned() };
                let named = if is_text { value } else { &format!("{pointer}-{value}") };
                let matcher = format!("json = {{ {} = {literal} }}", quoted(pointer));
                return kind(matcher, named, false);
            }
            let names = top_names(unit);
            let listed: Vec<_> =
                names.iter().take(4).map(|name| quoted(&format!("/{name}"))).collect();
            if !listed.is_empty() && unit.json_begin == 0 {
                let matcher = format!("has = [{}]", listed.join(", "));
                return kind(matcher, names[0], true);
            }
        }
        let Ok(text) = str::from_utf8(&unit.bytes) else {
            let first = unit.bytes.get(..1).unwrap_or_default();
            let digits = quoting::hex(first);
            return kind(format!("hex = \"{digits}\""), &format!("binary-{digits}"), true);
        };
        let is_digit = |c: char| c.is_ascii_digit();
        if text.len() <= 32 && !text.contains(is_digit) {
            return kind(matching("exact", text), text, false);
        }
        let ends = |c: char| c.is_ascii_digit() || c.is_whitespace() || ":,;|{\"".contains(c);
        match text.find(ends).unwrap_or(text.len()).min(32) {
            0 if text.starts_with(is_digit) => kind("regex = '^[0-9]'".into(), "number", true),
            0 => {
                let first = text.chars().next().unwrap_or_default().to_string();
                kind(matching("prefix", &first), "text", true)
            }
            end => {
                let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                kind(matching("prefix", &text[..end]), &text[..end], true)
            }
        }
    }

    /// Returns what is the same in all messages of a client that ask for the same.
    pub(super) fn shape(&self, unit: &Unit) -> String {
        if let Framing::Mqtt { .. } = self.framing {
            let topic = unit.field(&Place::Mqtt("topic")).map(|field| &*field.value);
            let topic = String::from_utf8_lossy(topic.unwrap_or_default());
            return format!("{} {}", mqtt::kind(&unit.bytes), collapsed(&topic));
        }
        let mut shape = String::new();
        if self.framing == Framing::Stomp {
            let command = unit.bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            shape.push_str(&String::from_utf8_lossy(command));
        }
        if !unit.is_json() {
            let text = String::from_utf8_lossy(&unit.bytes);
            let first = text.split(|c: char| c.is_whitespace() || ":,;|".contains(c)).next();
            shape.push_str(&collapsed(first.unwrap_or_default()));
            let binary = if unit.is_text { "" } else { "binary " };
            return format!("{binary}{shape}");
        }
        let prefix = &unit.bytes[..unit.json_begin];
        shape.push_str(&collapsed(&String::from_utf8_lossy(prefix)));
        for pointer in &self.telling[0] {
            shape.push(' ');
            shape.push_str(said(unit, pointer).unwrap_or_default());
        }
        for pointer in ["/payload/operationName", "/payload/query"] {
            shape.push_str(unit.text(pointer).unwrap_or_default());
        }
        let mut names = BTreeSet::new();
        for field in &unit.fields {
            if let Place::Pointer(pointer) = &field.place {
                let parts = pointer.split('/').skip(1);
                let parts =
                    parts.map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
                names.insert(parts.collect::<Vec<_>>().join("/"));
            }
        }
        for name in names {
            shape.push(' ');
            shape.push_str(&name);
        }
        shape
    }

    /// Returns a name for a message of the client.
    pub(super) fn step_name(&self, unit: &Unit) -> String {
        if let Framing::Mqtt { .. } = self.framing {
            return mqtt_name(unit);
        }
        if let Some(query) = unit.text("/payload/query") {
            return quoting::name(&operation(query, unit.text("/payload/operationName")));
        }
        if let Some((_, value)) = self.telling(unit) {
            return quoting::name(value);
        }
        if unit.is_json() && self.framing != Framing::Stomp {
            let names = top_names(unit);
            let other = names.iter().find(|name| !name.eq_ignore_ascii_case("id"));
            return quoting::name(other.or(names.first()).copied().unwrap_or("message"));
        }
        let text = String::from_utf8_lossy(&unit.bytes);
        let first = text.split(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).next();
        quoting::name(&first.unwrap_or_default().to_lowercase())
    }

    /// Returns the words by which a message of a client says what it asks for.
    pub(super) fn asked(&self, unit: &Unit) -> String {
        let mut asked = self.step_name(unit);
        for pointer in &self.telling[0] {
            asked.push(' ');
            asked.push_str(said(unit, pointer).unwrap_or_default());
        }
        asked.to_ascii_lowercase()
    }

    /// Returns the words by which a message says what it is.
    pub(super) fn words(&self, unit: &Unit) -> Vec<String> {
        let mut words = vec![self.step_name(unit)];
        if unit.is_json() {
            let pointers = &self.telling[usize::from(unit.from == Side::Server)];
            words.extend(pointers.iter().filter_map(|p| said(unit, p)).map(str::to_owned));
            if words.len() == 1 {
                words.extend(top_names(unit).into_iter().map(str::to_owned));
            }
        } else if unit.is_text && unit.bytes.len() <= 64 {
            words.push(String::from_utf8_lossy(&unit.bytes).trim().to_owned());
        }
        words.into_iter().map(|word| word.to_ascii_lowercase()).collect()
    }
}

/// Returns what a member says, if that may tell what a message is.
fn said<'u>(unit: &'u Unit, pointer: &str) -> Option<&'u str> {
    let value = unit.text(pointer).filter(|value| value.len() <= VALUE_LEN_MAX)?;
    let is_text = json_text(unit, pointer);
    let is_word = value.starts_with(char::is_alphabetic) && is_simple(value);
    let is_small = value.len() <= 2 && value.bytes().all(|byte| byte.is_ascii_digit());
    (is_text && is_word || !is_text && is_small).then_some(value)
}

/// Checks whether a text is a word in any of the usual spellings.
fn is_simple(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || " -_.:/".contains(c))
}

fn json_text(unit: &Unit, pointer: &str) -> bool {
    unit.fields.iter().any(|field| {
        matches!(&field.place, Place::Pointer(p) if p == pointer)
            && field.form == super::place::Form::JsonText
    })
}

/// Returns the names of a message's own members, in order.
fn top_names(unit: &Unit) -> Vec<&str> {
    let mut names = Vec::new();
    for field in &unit.fields {
        let Place::Pointer(pointer) = &field.place else { continue };
        let name = pointer.split('/').nth(1).unwrap_or_default();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns `exact = '…'` or the like; bytes if the text could be taken for a placeholder.
pub(super) fn matching(key: &str, text: &str) -> String {
    if crate::scenario::text::first_placeholder(text).is_some() {
        return format!("hex = \"{}\"", quoting::hex(text.as_bytes()));
    }
    format!("{key} = {}", quoted(text))
}

fn stomp_kind(unit: &Unit) -> Kind {
    let text = String::from_utf8_lossy(&unit.bytes);
    let command = text.lines().next().unwrap_or_default();
    if command.is_empty() {
        let matcher = format!("{{ {} }}", matching("exact", &text));
        return Kind { matcher, name: "heart-beat".into(), is_vague: false };
    }
    let prefix = matching("prefix", command);
    let named = quoting::name(&command.to_lowercase());
    match text.lines().find_map(|line| line.strip_prefix("destination:")) {
        Some(topic) => {
            let topic = format!("\ndestination:{topic}\n");
            let matcher = format!("{{ {prefix}, {} }}", matching("contains", &topic));
            Kind { matcher, name: named, is_vague: false }
        }
        None => Kind { matcher: format!("{{ {prefix} }}"), name: named, is_vague: false },
    }
}

fn mqtt_kind(unit: &Unit) -> Kind {
    let first = unit.bytes.first().copied().unwrap_or(0);
    let topic = unit.field(&Place::Mqtt("topic")).map(|field| &*field.value);
    match topic.and_then(|topic| str::from_utf8(topic).ok()) {
        Some(topic) if !topic.is_empty() => Kind {
            matcher: format!("{{ hex = \"{first:02x}\", {} }}", matching("contains", topic)),
            name: quoting::name(topic),
            is_vague: true,
        },
        _ => Kind {
            matcher: format!("{{ hex = \"{first:02x}\" }}"),
            name: mqtt_name(unit),
            is_vague: false,
        },
    }
}

fn mqtt_name(unit: &Unit) -> String {
    const NAMES: [&str; 16] = [
        "packet",
        "connect",
        "connack",
        "publish",
        "puback",
        "pubrec",
        "pubrel",
        "pubcomp",
        "subscribe",
        "suback",
        "unsubscribe",
        "unsuback",
        "pingreq",
        "pingresp",
        "disconnect",
        "auth",
    ];
    NAMES[usize::from(mqtt::kind(&unit.bytes)) % NAMES.len()].into()
}

/// Returns the text with every run of digits as `#`.
fn collapsed(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(64) {
        match c {
            c if c.is_ascii_digit() && out.ends_with('#') => {}
            c if c.is_ascii_digit() => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

/// Returns the kind of a GraphQL operation and its name, or its first field.
fn operation(query: &str, name: Option<&str>) -> String {
    let mut words =
        query.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    let kinds = ["query", "mutation", "subscription"];
    let first = words.clone().next().unwrap_or("query");
    let kind = if kinds.contains(&first) { first } else { "query" };
    if first == kind {
        words.next();
    }
    match name.or_else(|| words.next()) {
        Some(name) if name.starts_with(kind) => name.to_owned(),
        Some(name) => format!("{kind}.{name}"),
        None => kind.to_owned(),
    }
}

/// Gives names that differ: a number is put behind one that is taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeMap<String, usize>,
}

impl Names {
    /// Returns the name, or with a number behind it.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let count = self.taken.entry(name.to_owned()).or_insert(0);
        *count += 1;
        match *count {
            1 => name.to_owned(),
            count => self.unique(&format!("{name}-{count}")),
        }
    }
}
