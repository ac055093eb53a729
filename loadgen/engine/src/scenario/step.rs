//! Turns tables of a scenario file into steps, matchers and messages.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;

use super::body::{Body, Item, Length};
use super::matcher::{Literal, Matcher, Pattern, Pick, Test};
use super::node::{Kind, Node};
use super::pointer::Pointer;
use super::text::{Scope, Text};
use super::{Action, Capture, Exchange, Pause, Step, Until};
use crate::nearest::meant;

/// How long an answer may take, unless a step says otherwise.
const TIMEOUT_NS: u64 = 5_000_000_000;
/// How often a step may be done.
const TIMES_MAX: u64 = 1_000_000_000;
/// Most measured steps of a scenario: each has a histogram of 254 KB a thread.
pub(super) const MEASURES_MAX: usize = 64;
/// How deeply the items of a binary message may be nested.
const DEPTH_MAX: usize = 16;

pub(super) const STEP_KEYS: [&str; 14] = [
    "name", "send", "bytes", "reply", "expect", "wait", "fail", "capture", "timeout", "pause",
    "times", "choose", "do", "overlap",
];
/// How many requests may be in flight at once on a connection.
const OVERLAP_MAX: u64 = 4_096;

/// The names that steps refer to.
pub(super) struct Names<'n> {
    pub(super) scope: &'n mut Scope,
    /// Names of blocks.
    pub(super) blocks: &'n [String],
    pub(super) measures: &'n mut Vec<String>,
    /// Verbs by name.
    pub(super) verbs: &'n [(String, Node)],
    /// Whether `[reply]` says how a message names its request.
    pub(super) has_reply: bool,
}

impl Names<'_> {
    /// Reads a step of a block.
    pub(super) fn step(&mut self, node: &Node, block: &str, number: usize) -> Result<Step, String> {
        let mut keys = STEP_KEYS.to_vec();
        keys.push("close");
        keys.extend(self.verbs.iter().map(|(name, _)| name.as_str()));
        node.known("a step", &keys)?;
        let expanded = self.expanded(node)?;
        let node = expanded.as_ref().unwrap_or(node);
        let times = match node.get("times") {
            None => 1,
            Some(times) => match times.number("times")? {
                number @ 1..=TIMES_MAX => u32::try_from(number).unwrap_or(u32::MAX),
                _ => return Err(times.wrong(format_args!("times is 1 to {TIMES_MAX}"))),
            },
        };
        let overlap = match node.get("overlap") {
            None => 1,
            Some(overlap) => match overlap.number("overlap")? {
                number @ 1..=OVERLAP_MAX => usize::try_from(number).unwrap_or(1),
                _ => return Err(overlap.wrong(format_args!("overlap is 1 to {OVERLAP_MAX}"))),
            },
        };
        let actions = ["send", "bytes", "wait", "pause", "choose", "do", "close"];
        let found: Vec<_> = actions.into_iter().filter(|key| node.get(key).is_some()).collect();
        let action = match found[..] {
            [one] => one,
            [] => {
                let verbs: Vec<_> = self.verbs.iter().map(|(name, _)| name.as_str()).collect();
                return Err(node.wrong(format_args!(
                    "a step does nothing; give it one of {}",
                    [&actions[..], &verbs].concat().join(", ")
                )));
            }
            [first, second, ..] => {
                return Err(node.wrong(format_args!(
                    "a step has both {first} and {second}; make two steps of it"
                )));
            }
        };
        if !matches!(action, "send" | "bytes" | "wait") {
            for key in ["reply", "expect", "fail", "capture", "timeout"] {
                if let Some(extra) = node.get(key) {
                    return Err(extra.wrong(format_args!("{key} has no effect with {action}")));
                }
            }
        }
        let mut measure = None;
        let action = match action {
            "pause" => Action::Pause(pause(node)?),
            "choose" => Action::Choose(self.choice(node)?),
            "do" => {
                let target = node.get("do").map_or(Ok(""), |name| name.text("do"))?;
                Action::Do(self.block(node, target)?)
            }
            "close" => Action::Close(close_code(node)?),
            _ => {
                measure = Some(self.measure(node, block, number)?);
                Action::Exchange(Box::new(self.exchange(node)?))
            }
        };
        Ok(Step { measure, times, overlap, action })
    }

    fn block(&self, node: &Node, name: &str) -> Result<usize, String> {
        self.blocks.iter().skip(super::STEP + 1).position(|block| block == name).map_or_else(
            || {
                let flows: Vec<_> =
                    self.blocks.iter().skip(super::STEP + 1).map(String::as_str).collect();
                let hint = match meant(name, flows.iter().copied()) {
                    Some(meant) => format!("write {meant:?}"),
                    None => format!("add [[flow.{name}]]"),
                };
                Err(node.wrong(format_args!("there is no flow {name:?}; {hint}")))
            },
            |place| Ok(place + super::STEP + 1),
        )
    }

    fn choice(&self, node: &Node) -> Result<Vec<(usize, u64)>, String> {
        let Some(choose) = node.get("choose") else { return Ok(Vec::new()) };
        let entries = choose.entries("choose")?;
        let choice = entries
            .iter()
            .map(|(name, weight)| Ok((self.block(weight, name)?, weight.number(name)?)))
            .collect::<Result<Vec<_>, String>>()?;
        if choice.iter().map(|(_, weight)| *weight).fold(0, u64::saturating_add) == 0 {
            return Err(choose.wrong("choose has nothing to choose; give a flow a weight above 0"));
        }
        Ok(choice)
    }

    /// Returns the measure of a step; steps with the same name share it.
    fn measure(&mut self, node: &Node, block: &str, number: usize) -> Result<usize, String> {
        let name = match node.get("name") {
            Some(name) => name_of(name)?,
            None => format!("{block}.{number}"),
        };
        if let Some(found) = self.measures.iter().position(|measure| *measure == name) {
            return Ok(found);
        }
        if self.measures.len() == MEASURES_MAX {
            return Err(node.wrong(format_args!(
                "more than {MEASURES_MAX} steps with messages; give some the same name"
            )));
        }
        self.measures.push(name);
        Ok(self.measures.len() - 1)
    }

    fn exchange(&mut self, node: &Node) -> Result<Exchange, String> {
        let body = self.body(node)?;
        let until = match (node.get("wait"), node.get("expect"), node.get("reply")) {
            (Some(wait), None, None) => Until::Match(matcher(wait)?),
            (Some(_), Some(other), _) | (Some(_), _, Some(other)) => {
                return Err(other.wrong("wait already says what ends the step"));
            }
            (None, Some(_), Some(reply)) => {
                return Err(reply.wrong("a step has reply or expect, not both"));
            }
            (None, Some(expect), None) => Until::Match(matcher(expect)?),
            (None, None, reply) => {
                let has_id = body.as_ref().is_some_and(Body::has_id);
                let is_asked = reply.map(|reply| reply.truth("reply")).transpose()?;
                match is_asked {
                    Some(false) => Until::Sent,
                    None if !has_id || !self.has_reply => Until::Sent,
                    Some(true) if !self.has_reply => {
                        return Err(node.wrong(
                            "nothing says how a reply names its request; add [reply] with id = …",
                        ));
                    }
                    Some(true) if !has_id => {
                        return Err(node.wrong(
                            "a reply is found by the request's number; put {id} into the message",
                        ));
                    }
                    _ => Until::Reply,
                }
            }
        };
        let fail = node.get("fail").map(matcher).transpose()?;
        if matches!(until, Until::Sent) {
            for key in ["fail", "capture", "timeout"] {
                if let Some(extra) = node.get(key) {
                    return Err(extra.wrong(format_args!(
                        "{key} needs an answer to wait for; add expect = {{ … }} or reply = true"
                    )));
                }
            }
        }
        let timeout = node.get("timeout");
        let timeout_ns = timeout
            .map(|timeout| timeout.span_ns("timeout", Duration::from_millis(1)))
            .transpose()?;
        Ok(Exchange {
            body,
            until,
            fail,
            captures: self.captures(node)?,
            timeout_ns: timeout_ns.unwrap_or(TIMEOUT_NS),
        })
    }

    pub(super) fn captures(&mut self, node: &Node) -> Result<Vec<Capture>, String> {
        let Some(captures) = node.get("capture") else { return Ok(Vec::new()) };
        let entries = captures.entries("capture")?;
        let capture = |(name, node): &(String, Node)| {
            Ok(Capture { slot: self.scope.slot(name), pick: pick(node)? })
        };
        entries.iter().map(capture).collect()
    }

    /// Returns what a table sends, if anything.
    pub(super) fn body(&mut self, node: &Node) -> Result<Option<Body>, String> {
        match (node.get("send"), node.get("bytes")) {
            (Some(_), Some(bytes)) => Err(bytes.wrong("send and bytes exclude each other")),
            (Some(send), None) => Ok(Some(Body::Text(text(send, "send", self.scope)?))),
            (None, Some(bytes)) => Ok(Some(Body::Bytes(items(bytes, self.scope, 0)?))),
            (None, None) => Ok(None),
        }
    }

    /// Returns a step in which a verb is replaced by its definition.
    fn expanded(&self, node: &Node) -> Result<Option<Node>, String> {
        let is_used = |(name, _): &&(String, Node)| node.get(name).is_some();
        let Some((name, verb)) = self.verbs.iter().find(is_used) else { return Ok(None) };
        let Some(given) = node.get(name) else { return Ok(None) };
        let arguments = given.entries(name)?;
        let mut used = Vec::new();
        let mut change = |_: &Node, text: &str| {
            let mut out = String::new();
            let mut rest = text;
            while let Some((before, after)) = rest.split_once("{@") {
                out.push_str(before);
                let Some((argument, more)) = after.split_once('}') else {
                    out.push_str("{@");
                    rest = after;
                    continue;
                };
                let found = arguments.iter().find(|(name, _)| name == argument);
                let Some((_, value)) = found else {
                    return Err(given.wrong(format_args!(
                        "{name} needs {argument}; write {name} = {{ {argument} = \"…\" }}"
                    )));
                };
                match &value.kind {
                    Kind::Text(text) | Kind::Plain(text) => out.push_str(text),
                    _ => return Err(value.wrong(format_args!("{argument} is not text"))),
                }
                used.push(argument.to_owned());
                rest = more;
            }
            out.push_str(rest);
            Ok(out)
        };
        let mut expanded = verb.with_texts(&mut change)?;
        if let Some((extra, value)) = arguments.iter().find(|(name, _)| !used.contains(name)) {
            return Err(value.wrong(format_args!("{name} has no {extra:?}")));
        }
        // The step's own entries win.
        let mut entries: Vec<_> =
            node.entries("a step")?.iter().filter(|(key, _)| key != name).cloned().collect();
        if let Kind::Table(of_verb) = &mut expanded.kind {
            let is_new = |(key, _): &(String, Node)| entries.iter().all(|(own, _)| own != key);
            let new: Vec<_> = of_verb.drain(..).filter(is_new).collect();
            entries.extend(new);
        }
        let mut step = node.clone();
        step.kind = Kind::Table(entries);
        Ok(Some(step))
    }
}

/// Reads a name for reports and thresholds.
pub(super) fn name_of(node: &Node) -> Result<String, String> {
    let name = node.text("name")?;
    let is_fit = !name.is_empty()
        && name.len() <= 40
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
    if is_fit {
        return Ok(name.to_owned());
    }
    Err(node.wrong(format_args!("name = {name:?}; use up to 40 letters, digits, and - _ .")))
}

pub(super) fn text(node: &Node, what: &str, scope: &mut Scope) -> Result<Text, String> {
    Text::parse(node.text(what)?, scope).map_err(|why| node.wrong(why))
}

fn items(node: &Node, scope: &mut Scope, depth: usize) -> Result<Vec<Item>, String> {
    if depth > DEPTH_MAX {
        return Err(node.wrong("lengths are nested too deeply"));
    }
    node.list("bytes")?.iter().map(|node| item(node, scope, depth)).collect()
}

fn item(node: &Node, scope: &mut Scope, depth: usize) -> Result<Item, String> {
    const KEYS: [&str; 7] = ["hex", "u8", "u16", "u32", "len16", "varlen", "base64"];
    if let Kind::Text(typed) = &node.kind {
        return Text::parse(typed, scope).map(Item::Text).map_err(|why| node.wrong(why));
    }
    let entries = node.known("an item of bytes", &KEYS)?;
    let [(key, value)] = entries else {
        return Err(
            node.wrong(format_args!("an item of bytes is text, or one of {}", KEYS.join(", ")))
        );
    };
    let number = |scope: &mut Scope, len| match &value.kind {
        Kind::Plain(plain) => {
            let text = Text::parse(plain, scope).map_err(|why| value.wrong(why))?;
            Ok(Item::Number(text, len))
        }
        _ => Ok(Item::Number(text(value, key, scope)?, len)),
    };
    match key.as_str() {
        "hex" => Ok(Item::Plain(hex(value)?.into())),
        "base64" => {
            let typed = value.text(key)?;
            if super::text::first_placeholder(typed).is_some() {
                return Ok(Item::Base64(text(value, key, scope)?));
            }
            let bytes = STANDARD.decode(typed);
            Ok(Item::Plain(bytes.map_err(|why| value.wrong(format_args!("base64: {why}")))?.into()))
        }
        "u8" => number(scope, 1),
        "u16" => number(scope, 2),
        "u32" => number(scope, 4),
        "len16" => Ok(Item::Counted(Length::Two, items(value, scope, depth + 1)?)),
        _ => Ok(Item::Counted(Length::Varying, items(value, scope, depth + 1)?)),
    }
}

fn hex(node: &Node) -> Result<Vec<u8>, String> {
    let typed = node.text("hex")?;
    let digits: Vec<u8> = typed.chars().filter(|c| !c.is_whitespace()).map_while(nibble).collect();
    let is_all = digits.len() == typed.chars().filter(|c| !c.is_whitespace()).count();
    if is_all && digits.len().is_multiple_of(2) {
        return Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
    }
    Err(node.wrong(format_args!("{typed:?} is not hex; write pairs of digits like \"20 02\"")))
}

fn nibble(c: char) -> Option<u8> {
    u8::try_from(c.to_digit(16)?).ok()
}

fn close_code(node: &Node) -> Result<u16, String> {
    let Some(close) = node.get("close") else { return Ok(1_000) };
    match close.number("close")? {
        code @ (1_000..=1_003 | 1_007..=1_014 | 3_000..=4_999) => {
            Ok(u16::try_from(code).unwrap_or(1_000))
        }
        code => Err(close.wrong(format_args!("{code} may not be sent; use 1000, or 3000 to 4999"))),
    }
}

fn pause(node: &Node) -> Result<Pause, String> {
    let Some(pause) = node.get("pause") else { return Ok(Pause::Fixed(0)) };
    let typed = pause.text("pause")?;
    let span = |text: &str| pause.span_of(text, "pause", Duration::ZERO);
    if let Some(mean) = typed.strip_prefix("exp ") {
        return Ok(Pause::Exponential(span(mean)?));
    }
    let Some((least, most)) = typed.split_once("..") else { return Ok(Pause::Fixed(span(typed)?)) };
    let (least, most) = (span(least)?, span(most)?);
    if least > most {
        return Err(pause.wrong(format_args!("pause = {typed:?}; write the shorter one first")));
    }
    Ok(Pause::Between(least, most))
}

/// Reads the conditions on a message.
pub(super) fn matcher(node: &Node) -> Result<Matcher, String> {
    const KEYS: [&str; 8] = ["exact", "prefix", "contains", "hex", "regex", "json", "has", "lacks"];
    if matches!(node.kind, Kind::Text(_) | Kind::Plain(_) | Kind::List(_)) {
        return Err(node.wrong(
            "a match is a table such as { prefix = \"0{\" } or { json = { \"/type\" = \"next\" } }",
        ));
    }
    let entries = node.known("a match", &KEYS)?;
    refuse_placeholders(node)?;
    let mut tests = Vec::new();
    for (key, value) in entries {
        match key.as_str() {
            "exact" => tests.push(Test::Exact(value.text(key)?.as_bytes().into())),
            "prefix" => tests.push(Test::Prefix(value.text(key)?.as_bytes().into())),
            "hex" => tests.push(Test::Prefix(hex(value)?.into())),
            "contains" => {
                for part in value.one_or_more() {
                    let finder = Finder::new(part.text(key)?.as_bytes()).into_owned();
                    tests.push(Test::Contains(Box::new(finder)));
                }
            }
            "regex" => tests.push(Test::Regex(Box::new(pattern(value)?))),
            "json" => {
                for (typed, value) in value.entries(key)? {
                    tests.push(Test::Json(pointer(value, typed)?, literal(value)?));
                }
            }
            _ => {
                for typed in value.one_or_more() {
                    let pointer = pointer(typed, typed.text(key)?)?;
                    let is_has = key == "has";
                    tests.push(if is_has { Test::Has(pointer) } else { Test::Lacks(pointer) });
                }
            }
        }
    }
    if tests.is_empty() {
        return Err(node.wrong(format_args!("an empty match; give it one of {}", KEYS.join(", "))));
    }
    tests.sort_by_key(|test| match test {
        Test::Exact(_) | Test::Prefix(_) => 0,
        Test::Json(..) | Test::Has(_) | Test::Lacks(_) => 1,
        Test::Contains(_) => 2,
        Test::Regex(_) => 3,
    });
    Ok(Matcher { tests })
}

/// A matcher is the same for all users, so it is prepared once.
fn refuse_placeholders(node: &Node) -> Result<(), String> {
    let mut refuse = |node: &Node, typed: &str| match super::text::first_placeholder(typed) {
        None => Ok(String::new()),
        Some(word) => Err(node.wrong(format_args!(
            "a match has no placeholders, and {{{word}}} looks like one; match what doesn't vary"
        ))),
    };
    node.with_texts(&mut refuse).map(|_| ())
}

fn literal(node: &Node) -> Result<Literal, String> {
    match &node.kind {
        Kind::Text(text) => Ok(Literal::Text(text.as_bytes().into())),
        Kind::Plain(plain) if plain.contains(['.', 'e', 'E']) && plain.parse::<f64>().is_ok() => {
            Ok(Literal::Number(plain.parse().unwrap_or(0.0)))
        }
        Kind::Plain(plain) => Ok(Literal::Plain(plain.replace('_', "").into_bytes().into())),
        _ => Err(node.wrong("a value in json is text, a number, true or false; for more use has")),
    }
}

pub(super) fn pattern(node: &Node) -> Result<Pattern, String> {
    Pattern::parse(node.text("regex")?).map_err(|why| node.wrong(why))
}

fn pointer(node: &Node, typed: &str) -> Result<Pointer, String> {
    Pointer::parse(typed).map_err(|why| node.wrong(why))
}

/// Reads where a value is in a message.
pub(super) fn pick(node: &Node) -> Result<Pick, String> {
    if let Kind::Text(typed) = &node.kind {
        return Ok(Pick::Pointer(pointer(node, typed)?));
    }
    let entries = node.known("a place", &["json", "regex", "bytes", "as", "unit", "by"])?;
    let find = |key| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    match (find("json"), find("regex"), find("bytes")) {
        (Some(typed), None, None) => Ok(Pick::Pointer(pointer(typed, typed.text("json")?)?)),
        (None, Some(regex), None) => {
            let found = pattern(regex)?;
            if found.groups() != 1 {
                return Err(regex.wrong("the value is what the one (…) matches; write one group"));
            }
            Ok(Pick::Regex(Box::new(found)))
        }
        (None, None, Some(range)) => bytes(range, find("as")),
        _ => Err(node.wrong(
            "a value stands at a JSON pointer \"/a/b\", { regex = \"…(…)\" } or { bytes = \"2..4\" }",
        )),
    }
}

fn bytes(range: &Node, number: Option<&Node>) -> Result<Pick, String> {
    let typed = range.text("bytes")?;
    let ends = typed.split_once("..").and_then(|(begin, end)| {
        let end = if end.is_empty() { None } else { Some(end.parse::<usize>().ok()?) };
        Some((begin.parse::<usize>().ok()?, end))
    });
    let Some((begin, end)) = ends.filter(|(begin, end)| end.is_none_or(|end| end > *begin)) else {
        return Err(range.wrong(format_args!("bytes = {typed:?}; write a range like \"2..4\"")));
    };
    let width = match number.map(|number| number.text("as")).transpose()? {
        None | Some("text") => None,
        Some("u8") => Some(1),
        Some("u16") => Some(2),
        Some("u32") => Some(4),
        Some(other) => {
            return Err(range.wrong(format_args!("as = {other:?}; use u8, u16, u32 or text")));
        }
    };
    if let Some(width) = width
        && end != Some(begin + width)
    {
        return Err(range.wrong(format_args!("a number of {width} bytes is not at {typed:?}")));
    }
    Ok(Pick::Bytes { begin, end, is_number: width.is_some() })
}
