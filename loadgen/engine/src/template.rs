//! Parses text with placeholders into the parts of a message or of an opening request.
//!
//! ```text
//!   {seq}           which message of its connection, from 0
//!   {conn}          which connection of the run, from 0
//!   {conn:5}        the same, with zeros in front: at least five digits; also {seq:5}
//!   {time}          when it was due, as in 2026-11-21T14:05:45.123456789Z
//!   {time:ns}       the same in nanoseconds since 1970
//!   {rand:8}        eight letters and digits
//!   {rand:1..100}   a number, both ends in it
//!   {topic}         the number of the topic (--subscribe, --publish, requests of fanout)
//!   {payload}       what is to be published (--publish)
//!   {{              a brace
//! ```
//!
//! A brace that isn't followed by a lower-case letter stands for itself, so JSON needs no escapes.
//! Everything but the time follows from the seed.

use std::fmt::{self, Write};

/// Most bytes of one placeholder: the codec's default limit for a payload.
const TEXT_LEN_MAX: u64 = 64 << 20;
/// Most placeholders of a message.
const PARTS_MAX: usize = 10_000;
/// Digits of the largest number.
const DIGITS_MAX: usize = 20;
/// Bytes of a `{time}`, and of a `{time:ns}` until the year 2286.
pub(crate) const TIME_LEN: usize = 30;
pub(crate) const TIME_NS_LEN: usize = 19;

/// What a template is for, which decides which placeholders it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A whole message.
    Message,
    /// A message that a connection sends once it is open.
    Subscription,
    /// Text around the payload of a published message.
    Publication,
    /// A URL, a header, a subprotocol or an origin: rendered once for each connection.
    Request,
    /// A request of a connection that has a topic.
    TopicRequest,
}

impl Purpose {
    const fn has_topic(self) -> bool {
        !matches!(self, Self::Message | Self::Request)
    }

    const fn has_sequence(self) -> bool {
        !matches!(self, Self::Request | Self::TopicRequest)
    }

    /// Lists the allowed placeholders, for the error about any other.
    const fn placeholders(self) -> &'static str {
        match self {
            Self::Message => {
                "{seq}, {conn}, {conn:5}, {time}, {time:ns}, {rand:8} or {rand:1..100}, write {{ \
                 for a brace, or use --raw to send braces as they are"
            }
            Self::Subscription | Self::TopicRequest => {
                "{topic}, {conn}, {conn:5}, {time}, {time:ns}, {rand:8} or {rand:1..100}, or write \
                 {{ for a brace"
            }
            Self::Publication => {
                "{payload}, {topic}, {seq}, {conn}, {conn:5}, {time}, {time:ns}, {rand:8} or \
                 {rand:1..100}, or write {{ for a brace"
            }
            Self::Request => {
                "{conn}, {conn:5}, {time}, {time:ns}, {rand:8} or {rand:1..100}, or write {{ for a \
                 brace"
            }
        }
    }
}

/// A payload, or its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

impl fmt::Display for Template {
    /// Writes the template as it was, or could have been, typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| part.fmt(f))
    }
}

/// A part of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal bytes.
    Literal(Box<[u8]>),
    /// Number of the message on its connection.
    Sequence {
        /// The fewest digits, padded with zeros.
        digits: usize,
    },
    /// Number of the connection in the run.
    Connection {
        /// The fewest digits, padded with zeros.
        digits: usize,
    },
    /// When the message was due, for people.
    Time,
    /// When the message was due, for programs.
    TimeNs,
    /// This many letters and digits.
    Text(usize),
    /// The number of the topic.
    Topic,
    /// The payload that is published.
    Payload,
    /// A number.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
}

impl Part {
    /// Returns the fewest and the most bytes of the part; a published payload has its own length.
    fn len(&self) -> (usize, usize) {
        let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
        match self {
            Self::Literal(bytes) => (bytes.len(), bytes.len()),
            Self::Sequence { digits } | Self::Connection { digits } => (*digits, DIGITS_MAX),
            Self::Topic => (1, DIGITS_MAX),
            Self::Payload => (0, 0),
            Self::Time => (TIME_LEN, TIME_LEN),
            Self::TimeNs => (TIME_NS_LEN, TIME_NS_LEN),
            Self::Text(len) => (*len, *len),
            Self::Number { least, most } => (digits(*least), digits(*most)),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let mut rest = text.chars().peekable();
                while let Some(c) = rest.next() {
                    f.write_char(c)?;
                    // Text that reads as a placeholder is literal only if its brace is doubled.
                    if c == '{' && rest.peek().is_none_or(|&c| c == '{' || c.is_ascii_lowercase()) {
                        f.write_char('{')?;
                    }
                }
                Ok(())
            }
            Self::Sequence { digits: 1 } => f.write_str("{seq}"),
            Self::Sequence { digits } => write!(f, "{{seq:{digits}}}"),
            Self::Connection { digits: 1 } => f.write_str("{conn}"),
            Self::Connection { digits } => write!(f, "{{conn:{digits}}}"),
            Self::Time => f.write_str("{time}"),
            Self::TimeNs => f.write_str("{time:ns}"),
            Self::Text(len) => write!(f, "{{rand:{len}}}"),
            Self::Topic => f.write_str("{topic}"),
            Self::Payload => f.write_str("{payload}"),
            Self::Number { least, most } => write!(f, "{{rand:{least}..{most}}}"),
        }
    }
}

impl Template {
    /// Returns a template of these parts, in order.
    #[must_use]
    pub(crate) fn of_parts(parts: Vec<Part>) -> Self {
        Self { parts: parts.into() }
    }

    /// Checks whether a text in which no placeholder is replaced contains one that exists.
    #[must_use]
    pub(crate) fn has_placeholder(text: &str) -> bool {
        let parsed = Self::parse_for(text.as_bytes(), Purpose::Subscription);
        parsed.is_ok_and(|template| template.as_literal().is_none())
    }

    /// Returns a template of bytes without placeholders.
    #[must_use]
    pub fn literal(bytes: &[u8]) -> Self {
        Self { parts: [Part::Literal(bytes.into())].into() }
    }

    /// Reads a message with placeholders.
    ///
    /// # Errors
    /// What is wrong, to be put after the flag's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::parse_for(bytes, Purpose::Message)
    }

    /// Reads bytes with the placeholders that `purpose` allows.
    ///
    /// # Errors
    /// What is wrong, to be put after the flag's name.
    pub fn parse_for(bytes: &[u8], purpose: Purpose) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = bytes;
        while let Some(place) = rest.iter().position(|&byte| byte == b'{') {
            let (before, from) = rest.split_at(place);
            literal.extend_from_slice(before);
            let inside = &from[1..];
            match inside.first() {
                Some(b'{') => {
                    literal.push(b'{');
                    rest = &inside[1..];
                }
                Some(b'a'..=b'z') => {
                    let Some(end) = inside.iter().position(|&byte| byte == b'}') else {
                        let shown = shown(&inside[..inside.len().min(20)]);
                        return Err(format!("{{{shown} has no end; write {{{{ for a brace"));
                    };
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal).into()));
                    }
                    parts.push(placeholder(&inside[..end], purpose)?);
                    rest = &inside[end + 1..];
                }
                _ => {
                    literal.push(b'{');
                    rest = inside;
                }
            }
            if parts.len() > PARTS_MAX {
                return Err(format!("more than {PARTS_MAX} placeholders in a message"));
            }
        }
        literal.extend_from_slice(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        let template = Self { parts: parts.into() };
        if purpose == Purpose::Publication && template.count(&Part::Payload) != 1 {
            return Err("it has no place for the payload; write {payload} in it, once".into());
        }
        Ok(template)
    }

    /// Counts how often the template contains a part.
    fn count(&self, part: &Part) -> usize {
        self.parts.iter().filter(|own| *own == part).count()
    }

    /// Checks whether the template contains the number of the topic.
    #[must_use]
    pub fn has_topic(&self) -> bool {
        self.count(&Part::Topic) > 0
    }

    /// Returns the parts.
    #[must_use]
    pub const fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the bytes, if there is no placeholder.
    #[must_use]
    pub const fn as_literal(&self) -> Option<&[u8]> {
        match &*self.parts {
            [] => Some(&[]),
            [Part::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Checks whether the template contains the time.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Time | Part::TimeNs))
    }

    /// Returns the size of the smallest payload, in bytes.
    #[must_use]
    pub fn size_least(&self) -> usize {
        self.parts.iter().map(|part| part.len().0).sum()
    }

    /// Returns an upper bound of the payload size, in bytes.
    #[must_use]
    pub fn size_most(&self) -> usize {
        self.parts.iter().map(|part| part.len().1).fold(0, usize::saturating_add)
    }
}

fn placeholder(inside: &[u8], purpose: Purpose) -> Result<Part, String> {
    let text = str::from_utf8(inside).unwrap_or_default();
    let (name, argument) = match text.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    match (name, argument) {
        ("seq", digits) if purpose.has_sequence() => match self::digits(digits) {
            Some(digits) => Ok(Part::Sequence { digits }),
            None => Err(bad_digits(inside)),
        },
        ("conn", digits) => match self::digits(digits) {
            Some(digits) => Ok(Part::Connection { digits }),
            None => Err(bad_digits(inside)),
        },
        ("topic", None) if purpose.has_topic() => Ok(Part::Topic),
        ("payload", None) if purpose == Purpose::Publication => Ok(Part::Payload),
        ("time", None) => Ok(Part::Time),
        ("time", Some("ns")) => Ok(Part::TimeNs),
        ("rand", Some(argument)) => rand(argument).ok_or_else(|| {
            let shown = shown(inside);
            format!("bad placeholder {{{shown}}}; use one like {{rand:8}} or {{rand:1..100}}")
        }),
        _ => Err(format!(
            "unknown placeholder {{{}}}; use {}",
            shown(inside),
            purpose.placeholders()
        )),
    }
}

/// Reads the fewest digits of a number, as in `{conn:5}`.
fn digits(argument: Option<&str>) -> Option<usize> {
    let Some(argument) = argument else { return Some(1) };
    usize::try_from(number(argument)?).ok().filter(|digits| (1..=DIGITS_MAX).contains(digits))
}

fn bad_digits(inside: &[u8]) -> String {
    let shown = shown(inside);
    format!("bad placeholder {{{shown}}}; use one like {{conn}} or {{conn:5}}, up to {DIGITS_MAX}")
}

fn number(text: &str) -> Option<u64> {
    // `parse` would accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn rand(argument: &str) -> Option<Part> {
    if let Some((least, most)) = argument.split_once("..") {
        let (least, most) = (number(least)?, number(most)?);
        return (least <= most && most < u64::MAX).then_some(Part::Number { least, most });
    }
    let len = number(argument).filter(|&len| (1..=TEXT_LEN_MAX).contains(&len))?;
    Some(Part::Text(usize::try_from(len).ok()?))
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_braces_and_what_stands_between() {
        let template = Template::parse(b"a{seq}{{seq}{conn}{rand:8}{rand:1..100}}{time:ns}{time}");
        let literal = |text: &str| Part::Literal(text.as_bytes().into());
        assert_eq!(
            template.unwrap().parts(),
            [
                literal("a"),
                Part::Sequence { digits: 1 },
                literal("{seq}"),
                Part::Connection { digits: 1 },
                Part::Text(8),
                Part::Number { least: 1, most: 100 },
                literal("}"),
                Part::TimeNs,
                Part::Time,
            ]
        );
    }

    #[test]
    fn json_needs_no_escapes() {
        let json = br#"{"op":{"a":[{}, { }]},"n":1}"#;
        assert_eq!(Template::parse(json).unwrap().as_literal(), Some(&json[..]));
        let with = Template::parse(br#"{"id":{seq}}"#).unwrap();
        assert_eq!((with.parts().len(), with.size_least(), with.size_most()), (3, 8, 27));
        assert_eq!(Template::parse(b"").unwrap().as_literal(), Some(&b""[..]));
        assert_eq!(Template::parse(b"{").unwrap().as_literal(), Some(&b"{"[..]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("{foo}", "unknown placeholder {foo}"),
            ("{seq:}", "bad placeholder {seq:}; use one like {conn} or {conn:5}, up to 20"),
            ("{conn:0}", "bad placeholder {conn:0}"),
            ("{conn:21}", "bad placeholder {conn:21}"),
            ("{conn:+5}", "bad placeholder {conn:+5}"),
            ("{time:s}", "unknown placeholder"),
            ("{rand}", "unknown placeholder {rand}"),
            ("{rand:}", "bad placeholder {rand:}"),
            ("{rand:0}", "bad placeholder"),
            ("{rand:x}", "bad placeholder"),
            ("{rand:+1}", "bad placeholder"),
            ("{rand:5..4}", "bad placeholder"),
            ("{rand:..4}", "bad placeholder"),
            ("{rand:0..18446744073709551615}", "bad placeholder"),
            ("{rand:99999999999}", "bad placeholder"),
            ("{seq", "has no end"),
            ("{a\r\n}", "unknown placeholder {a\\r\\n}"),
        ] {
            let said = Template::parse(text.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains(char::is_control), "{text}: {said}");
        }
        let many = "{seq}".repeat(PARTS_MAX + 1);
        assert!(Template::parse(many.as_bytes()).is_err());
    }

    #[test]
    fn n8_a_template_is_shown_as_it_could_be_typed() {
        for text in [
            "",
            "plain",
            r#"{"a":{"b":[{}, {1}]}}"#,
            "{{conn} {{{conn}{{",
            "{conn}{conn:5}{seq}{seq:20}{time}{time:ns}{rand:8}{rand:1..9}}",
        ] {
            let template = Template::parse(text.as_bytes()).unwrap();
            assert_eq!(template.to_string(), text);
            assert_eq!(Template::parse(template.to_string().as_bytes()), Ok(template));
        }
    }

    #[test]
    fn n8_a_request_has_no_sequence_and_names_what_it_has() {
        let of = |text: &str, purpose| Template::parse_for(text.as_bytes(), purpose);
        assert!(of("{conn}{conn:5}{rand:8}{rand:1..2}{time}", Purpose::Request).is_ok());
        assert!(of("{topic}", Purpose::TopicRequest).is_ok());
        for (text, purpose, why) in [
            ("{seq}", Purpose::Request, "unknown placeholder {seq}; use {conn}, {conn:5}, {time}"),
            ("{topic}", Purpose::Request, "unknown placeholder {topic}; use {conn}, "),
            ("{user}", Purpose::TopicRequest, "unknown placeholder {user}; use {topic}, {conn}, "),
            ("{payload}", Purpose::TopicRequest, "unknown placeholder {payload}"),
        ] {
            let said = of(text, purpose).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn topics_and_payloads_stand_only_where_there_are_any() {
        let of = |text: &str, purpose| Template::parse_for(text.as_bytes(), purpose);
        let subscription = of(r#"{"op":"subscribe","topic":"t{topic}"}"#, Purpose::Subscription);
        assert!(subscription.is_ok_and(|template| template.has_topic()));
        let publication = of(r#"{"topic":"t{topic}","data":"{payload}"}"#, Purpose::Publication);
        assert_eq!(publication.unwrap().parts()[3], Part::Payload);
        for (text, purpose, why) in [
            ("{topic}", Purpose::Message, "unknown placeholder {topic}; use {seq}, "),
            ("{payload}", Purpose::Subscription, "unknown placeholder {payload}; use {topic}, "),
            ("{data}", Purpose::Publication, "unknown placeholder {data}; use {payload}, "),
            ("{topic}", Purpose::Publication, "write {payload} in it"),
            ("", Purpose::Publication, "write {payload} in it"),
            ("{payload}{payload}", Purpose::Publication, "once"),
        ] {
            let said = of(text, purpose).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        let raw = of("{x}", Purpose::Subscription).unwrap_err();
        assert!(!raw.contains("--raw"), "there is no such flag: {raw}");
    }
}
