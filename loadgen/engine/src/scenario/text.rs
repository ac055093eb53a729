//! Renders text with placeholders into the bytes of one message of one user.
//!
//! ```text
//!   {id}            the number of the request, from 1 on each connection
//!   {conn} {conn:5} which user of the run, from 0
//!   {iter}          which iteration of the user, from 0; also {iter+1}, and {iter*2+1} for 1, 3, 5 …
//!   {time}          seconds since 1970; also {time:ms}, {time:us} and {time:ns}
//!   {rand:8}        letters and digits
//!   {rand:1..100}   a number, both ends in it
//!   {uuid}          a random UUID (version 4)
//!   {stamp}         who sends it, which of the sender's it is, and when: for [[on]] with stamp = true
//!   {name}          a column of the feed, a variable, or what was captured
//!   {name:json}     the same, escaped for a JSON string
//!   {base64:name}   the same in base64
//!   {hmac-sha256:key:text}  the HMAC of one by another, in hex; with :base64 behind it, in that
//!   {{              a brace
//! ```
//!
//! Only a brace, one of these and a closing brace are a placeholder, so JSON and GraphQL need no
//! escapes; but a plain `{name}` that doesn't exist is refused, unless it begins with a capital.
//! Everything but the time follows
//! from the seed, whatever the number of threads and segments.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::feed::Row;
use crate::index::ConnectionIndex;
use crate::nearest::meant;
use crate::random::{self, Use};

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Most letters of a `{rand:8}`.
const RAND_LEN_MAX: usize = 1 << 20;
const DIGITS_MAX: usize = 20;
/// The begin of a stamp.
const STAMP: &[u8] = b"stamp ";

/// Names that placeholders may have besides those of this module.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Variables and captures, by their slots.
    pub(super) slots: Vec<String>,
    /// Columns of the feed.
    pub(super) columns: Vec<String>,
    /// Random placeholders so far: each has its own random numbers.
    pub(super) random_parts: u32,
}

impl Scope {
    /// Returns the names of a program.
    #[must_use]
    pub fn of(program: &super::Program) -> Self {
        let columns = program.feed.as_ref().map_or_else(Vec::new, |feed| feed.columns.clone());
        // Beyond the program's own random placeholders.
        Self { slots: program.slots.clone(), columns, random_parts: 1 << 20 }
    }

    /// Returns the slot of a variable, and creates it if there is none.
    pub(super) fn slot(&mut self, name: &str) -> usize {
        let found = self.slots.iter().position(|slot| slot == name);
        found.unwrap_or_else(|| {
            self.slots.push(name.to_owned());
            self.slots.len() - 1
        })
    }

    /// Checks whether the feed has a column.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    fn source(&self, name: &str) -> Option<Source> {
        if let Some(slot) = self.slots.iter().position(|slot| slot == name) {
            return Some(Source::Slot(slot));
        }
        self.columns.iter().position(|column| column == name).map(Source::Column)
    }

    fn next_random(&mut self) -> u32 {
        self.random_parts += 1;
        self.random_parts
    }
}

/// Text with placeholders.
#[derive(Clone, Debug, Default)]
pub struct Text {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(Box<[u8]>),
    Id,
    Connection {
        digits: usize,
    },
    /// The number of the iteration, times one and plus the other.
    Iteration {
        times: u64,
        plus: u64,
    },
    /// Nanoseconds since 1970, divided by this.
    Time(u64),
    Letters {
        len: usize,
        place: u32,
    },
    Number {
        least: u64,
        most: u64,
        place: u32,
    },
    Uuid {
        place: u32,
    },
    Stamp,
    Value(Source, Form),
    Hmac {
        key: Source,
        text: Source,
        is_base64: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Slot(usize),
    Column(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Plain,
    Json,
    Base64,
}

/// The values of placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The seed of the run.
    pub seed: u64,
    /// The number of the user in the run.
    pub connection: ConnectionIndex,
    /// The number of the request.
    pub id: u64,
    /// The number of the iteration.
    pub iteration: u64,
    /// The number of the message in the iteration: it makes the random values of repeated steps
    /// differ.
    pub message: u64,
    /// Stamps of this user so far.
    pub stamp: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
    /// Variables and captures.
    pub slots: &'c [Box<[u8]>],
    /// The user's row of the feed.
    pub row: Row<'c>,
}

impl Text {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// What is wrong with a placeholder.
    pub fn parse(typed: &str, scope: &mut Scope) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = typed;
        while let Some(at) = rest.find('{') {
            literal.extend_from_slice(&rest.as_bytes()[..at]);
            let inside = &rest[at + 1..];
            if let Some(more) = inside.strip_prefix('{') {
                literal.push(b'{');
                rest = more;
                continue;
            }
            let word = placeholder(inside);
            match word.map(|word| (word, part(word, scope))) {
                Some((word, Ok(Some(part)))) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal).into()));
                    }
                    parts.push(part);
                    rest = &inside[word.len() + 1..];
                }
                Some((_, Err(why))) => return Err(why),
                None | Some((_, Ok(None))) => {
                    literal.push(b'{');
                    rest = inside;
                }
            }
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        Ok(Self { parts })
    }

    /// Checks whether the text includes the number of the request.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.parts.contains(&Part::Id)
    }

    /// Checks whether the text includes a stamp.
    #[must_use]
    pub fn has_stamp(&self) -> bool {
        self.parts.contains(&Part::Stamp)
    }

    /// Appends the text of one message.
    pub fn render(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            part.render(context, out);
        }
    }
}

impl Part {
    fn render(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        // Writing to a `Vec` doesn't fail.
        match self {
            Self::Literal(bytes) => out.extend_from_slice(bytes),
            Self::Id => write!(out, "{}", context.id).unwrap_or(()),
            Self::Connection { digits } => {
                write!(out, "{:0digits$}", context.connection).unwrap_or(());
            }
            Self::Iteration { times, plus } => {
                let number = context.iteration.wrapping_mul(*times).wrapping_add(*plus);
                write!(out, "{number}").unwrap_or(());
            }
            Self::Time(unit_ns) => write!(out, "{}", context.unix_ns / unit_ns).unwrap_or(()),
            Self::Letters { len, place } => {
                let number = context.random(*place);
                out.extend((0..*len as u64).map(|n| {
                    let letter = random::below(random::after(number, n), LETTERS.len() as u64);
                    LETTERS[usize::try_from(letter).unwrap_or(0)]
                }));
            }
            Self::Number { least, most, place } => {
                let drawn = random::below(context.random(*place), most - least + 1);
                write!(out, "{}", least + drawn).unwrap_or(());
            }
            Self::Uuid { place } => {
                let number = context.random(*place);
                let (high, low) = (random::after(number, 0), random::after(number, 1));
                write!(
                    out,
                    "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xfff,
                    low >> 48 & 0x3fff | 0x8000,
                    low & 0xffff_ffff_ffff
                )
                .unwrap_or(());
            }
            Self::Stamp => {
                out.extend_from_slice(STAMP);
                let Context { connection, stamp, unix_ns, .. } = context;
                write!(out, "{connection} {stamp} {unix_ns} ").unwrap_or(());
            }
            Self::Value(source, form) => {
                let value = context.value(*source);
                match form {
                    Form::Plain => out.extend_from_slice(value),
                    Form::Json => escape(value, out),
                    Form::Base64 => base64(value, out),
                }
            }
            Self::Hmac { key, text, is_base64 } => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, context.value(*key));
                let tag = hmac::sign(&key, context.value(*text));
                if *is_base64 {
                    base64(tag.as_ref(), out);
                } else {
                    tag.as_ref().iter().for_each(|byte| write!(out, "{byte:02x}").unwrap_or(()));
                }
            }
        }
    }
}

impl<'c> Context<'c> {
    fn value(&self, source: Source) -> &'c [u8] {
        match source {
            Source::Slot(slot) => self.slots.get(slot).map_or(&[], |slot| slot),
            Source::Column(column) => self.row.cell(column),
        }
    }

    fn random(&self, place: u32) -> u64 {
        let first = random::number(self.seed, Use::Part(place), self.connection, self.iteration);
        random::after(first, self.message)
    }
}

/// Appends bytes in base64. Encodes in place, so that a message takes no buffer of its own.
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + bytes.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(bytes, &mut out[begin..]).unwrap_or(0);
}

/// Appends text, escaped for a JSON string.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => write!(out, "\\u{byte:04x}").unwrap_or(()),
            _ => out.push(byte),
        }
    }
}

/// Returns the word before a closing brace, if it looks like a placeholder.
fn placeholder(inside: &str) -> Option<&str> {
    let word = &inside[..inside.find('}')?];
    // Other sums in braces are text.
    let signs: &[u8] = if is_sum(word) { b"_-.:*+" } else { b"_-.:" };
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|c| c.is_ascii_alphanumeric() || signs.contains(&c));
    is_word.then_some(word)
}

/// Returns the first word of a text that looks like a placeholder in braces.
#[must_use]
pub fn first_placeholder(text: &str) -> Option<&str> {
    let mut words = text.match_indices('{').filter_map(|(at, _)| placeholder(&text[at + 1..]));
    words.find(|word| is_lower(word))
}

/// Checks whether a word in braces is a placeholder even if nothing has its name.
fn is_lower(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Returns `Ok(None)` for text that only looks like a placeholder.
fn part(word: &str, scope: &mut Scope) -> Result<Option<Part>, String> {
    let (name, argument) = match word.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (word, None),
    };
    let bad = |hint: &str| Err(format!("bad placeholder {{{word}}}; write one like {hint}"));
    let found = match (name, argument) {
        // The user's own names win, so a column may be called time.
        (name, None | Some("json")) if scope.source(name).is_some() => {
            let form = if argument.is_some() { Form::Json } else { Form::Plain };
            scope.source(name).map(|source| Part::Value(source, form))
        }
        ("base64", Some(name)) => match scope.source(name) {
            Some(source) => Some(Part::Value(source, Form::Base64)),
            None => return Err(unknown(name, scope)),
        },
        ("hmac-sha256", Some(argument)) => match hmac_part(argument, scope)? {
            Some(part) => Some(part),
            None => return bad("{hmac-sha256:key:text} or {hmac-sha256:key:text:base64}"),
        },
        ("hmac-sha256", None) => return bad("{hmac-sha256:key:text}"),
        ("id", None) => Some(Part::Id),
        ("conn", None) => Some(Part::Connection { digits: 1 }),
        ("conn", Some(digits)) => match digits.parse() {
            Ok(digits) if (1..=DIGITS_MAX).contains(&digits) => Some(Part::Connection { digits }),
            _ => return bad("{conn} or {conn:5}"),
        },
        ("iter", None) => Some(Part::Iteration { times: 1, plus: 0 }),
        _ if is_sum(word) => match sum(word) {
            Some(part) => Some(part),
            None => return bad("{iter+1} or {iter*2+1}"),
        },
        ("time", None) => Some(Part::Time(1_000_000_000)),
        ("time", Some("ms")) => Some(Part::Time(1_000_000)),
        ("time", Some("us")) => Some(Part::Time(1_000)),
        ("time", Some("ns")) => Some(Part::Time(1)),
        ("time", Some(_)) => return bad("{time}, {time:ms}, {time:us} or {time:ns}"),
        ("rand", Some(argument)) => match rand(argument, scope) {
            Some(part) => Some(part),
            None => return bad("{rand:8} or {rand:1..100}"),
        },
        ("rand", None) => return bad("{rand:8} or {rand:1..100}"),
        ("uuid", None) => Some(Part::Uuid { place: scope.next_random() }),
        ("stamp", None) => Some(Part::Stamp),
        (name, None | Some("json")) if is_lower(name) => return Err(unknown(name, scope)),
        _ => None,
    };
    Ok(found)
}

/// Checks whether a word is to be a sum with the number of the iteration.
fn is_sum(word: &str) -> bool {
    word.strip_prefix("iter").is_some_and(|rest| rest.starts_with(['*', '+']))
}

/// Reads `iter+1`, `iter*2` or `iter*2+1`.
fn sum(word: &str) -> Option<Part> {
    let rest = word.strip_prefix("iter")?;
    let (times, plus) = match rest.strip_prefix('*') {
        None => ("1", rest.strip_prefix('+')?),
        Some(rest) => rest.split_once('+').unwrap_or((rest, "0")),
    };
    Some(Part::Iteration { times: number(times)?, plus: number(plus)? })
}

/// Reads digits, without a sign.
fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

/// Reads `key:text`, perhaps with `:base64` behind it.
fn hmac_part(argument: &str, scope: &Scope) -> Result<Option<Part>, String> {
    let words: Vec<&str> = argument.split(':').collect();
    let (key, text, is_base64) = match words[..] {
        [key, text] => (key, text, false),
        [key, text, "base64"] => (key, text, true),
        _ => return Ok(None),
    };
    let source = |name| scope.source(name).ok_or_else(|| unknown(name, scope));
    Ok(Some(Part::Hmac { key: source(key)?, text: source(text)?, is_base64 }))
}

fn rand(argument: &str, scope: &mut Scope) -> Option<Part> {
    if let Some((least, most)) = argument.split_once("..") {
        let (least, most) = (least.parse().ok()?, most.parse::<u64>().ok()?);
        let is_range = least <= most && most < u64::MAX;
        return is_range.then(|| Part::Number { least, most, place: scope.next_random() });
    }
    let len = argument.parse().ok().filter(|len| (1..=RAND_LEN_MAX).contains(len))?;
    Some(Part::Letters { len, place: scope.next_random() })
}

fn unknown(name: &str, scope: &Scope) -> String {
    const OWN: [&str; 7] = ["id", "conn", "iter", "time", "uuid", "stamp", "rand:8"];
    let named: Vec<&str> =
        scope.slots.iter().chain(&scope.columns).map(String::as_str).chain(OWN).collect();
    let hint = match meant(name, named.iter().copied()) {
        Some(meant) => format!("write {{{meant}}}"),
        None => format!("there are {{{}}}", named.join("}, {")),
    };
    format!("unknown placeholder {{{name}}}; {hint}, or write {{{{ for a brace")
}

/// A stamp in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The user that sent it.
    pub connection: ConnectionIndex,
    /// The number of the stamp among that user's.
    pub sequence: u64,
    /// When it was sent, in nanoseconds since 1970.
    pub unix_ns: u64,
}

impl Stamp {
    /// Finds the first stamp in a message.
    #[must_use]
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        loop {
            let at = memchr::memmem::find(rest, STAMP)?;
            rest = &rest[at + STAMP.len()..];
            let mut numbers = rest.splitn(4, |&byte| byte == b' ');
            let mut next = || str::from_utf8(numbers.next()?).ok()?.parse().ok();
            if let (Some(connection), Some(sequence), Some(unix_ns)) = (next(), next(), next()) {
                let connection = ConnectionIndex(connection);
                return Some(Self { connection, sequence, unix_ns });
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const CONTEXT: Context<'static> = Context {
        seed: 7,
        connection: ConnectionIndex(3),
        id: 12,
        iteration: 5,
        message: 0,
        stamp: 1,
        unix_ns: 1_700_000_000_123_456_789,
        slots: &[],
        row: Row::NONE,
    };

    fn rendered(typed: &str, names: &[&str], values: &[&str]) -> String {
        let mut scope = Scope::default();
        for name in names {
            scope.slot(name);
        }
        let slots: Vec<Box<[u8]>> = values.iter().map(|value| value.as_bytes().into()).collect();
        let mut out = Vec::new();
        let context = Context { slots: &slots, ..CONTEXT };
        Text::parse(typed, &mut scope).unwrap().render(&context, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_become_what_they_stand_for() {
        for (typed, text) in [
            (r#"{"id":{id},"n":{iter}}"#, r#"{"id":12,"n":5}"#),
            ("{iter+1} {iter*2} {iter*2+1} {iter+007}", "6 10 11 12"),
            ("{a+b} {iter } {iter-1+2}", "{a+b} {iter } {iter-1+2}"),
            ("{conn} {conn:3}", "3 003"),
            ("{time} {time:ms}", "1700000000 1700000000123"),
            ("{stamp}", "stamp 3 1 1700000000123456789 "),
            ("{{id}", "{id}"),
            ("{hello(name:$n){x y}}", "{hello(name:$n){x y}}"),
            ("{ id } {} {a:1} {Id}", "{ id } {} {a:1} {Id}"),
            ("{who} {who:json} {base64:who}", "a\"b a\\\"b YSJi"),
            ("{time:us} {time:ns}", "1700000000123456 1700000000123456789"),
        ] {
            assert_eq!(rendered(typed, &["who"], &["a\"b"]), text, "{typed}");
        }
    }

    /// RFC 4231, 4.3.
    #[test]
    fn an_hmac_signs_one_value_by_another() {
        let (names, values) = (["key", "text"], ["Jefe", "what do ya want for nothing?"]);
        assert_eq!(
            rendered("{hmac-sha256:key:text}", &names, &values),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            rendered("{hmac-sha256:key:text:base64}", &names, &values),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }

    #[test]
    fn random_values_follow_from_seed_user_and_iteration() {
        let (one, again) =
            (rendered("{rand:8}{uuid}", &[], &[]), rendered("{rand:8}{uuid}", &[], &[]));
        assert_eq!(one, again);
        assert_eq!((one.len(), one.as_bytes()[8 + 14]), (44, b'4'));
        let number: u64 = rendered("{rand:5..9}", &[], &[]).parse().unwrap();
        assert!((5..=9).contains(&number));
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused_with_the_nearest() {
        for (typed, said) in [
            ("{tokn}", "unknown placeholder {tokn}; write {token}, or write {{ for a brace"),
            ("{rand}", "bad placeholder {rand}; write one like {rand:8}"),
            ("{rand:5..1}", "bad placeholder {rand:5..1}"),
            ("{conn:0}", "bad placeholder {conn:0}"),
            ("{time:s}", "bad placeholder {time:s}"),
            ("{iter+}", "bad placeholder {iter+}; write one like {iter+1} or {iter*2+1}"),
            ("{iter++1}", "bad placeholder {iter++1}"),
            ("{iter+x}", "bad placeholder {iter+x}"),
            ("{iter+1*2}", "bad placeholder {iter+1*2}"),
            ("{base64:x}", "unknown placeholder {x}"),
            ("{hmac-sha256:token}", "bad placeholder {hmac-sha256:token}; write one like"),
            ("{hmac-sha256:token:text}", "unknown placeholder {text}"),
        ] {
            let mut scope = Scope::default();
            scope.slot("token");
            let why = Text::parse(typed, &mut scope).unwrap_err();
            assert!(why.contains(said), "{typed}: {why}");
        }
    }

    #[test]
    fn stamps_are_found_in_what_is_around_them() {
        let found = Stamp::find(br#"{"m":"a stamp of stamp 3 14 99 b"}"#);
        assert_eq!(
            found,
            Some(Stamp { connection: ConnectionIndex(3), sequence: 14, unix_ns: 99 })
        );
        assert_eq!(Stamp::find(b"stamp 1 2"), None);
    }
}
