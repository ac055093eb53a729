//! Checks whether a message matches, and extracts values from it.

use std::borrow::Cow;

use memchr::memmem;
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::pointer::Pointer;

/// A message, and where the JSON in it begins.
#[derive(Clone, Copy, Debug)]
pub struct View<'m> {
    /// The whole message.
    pub bytes: &'m [u8],
    /// The JSON that pointers search.
    pub json: &'m [u8],
}

impl<'m> View<'m> {
    /// Returns a view of a message whose JSON follows what `json_after` matches.
    #[must_use]
    pub fn new(bytes: &'m [u8], json_after: Option<&Pattern>) -> Self {
        let begin = json_after.and_then(|pattern| pattern.end(bytes)).unwrap_or(0);
        Self { bytes, json: &bytes[begin..] }
    }
}

/// A regular expression on bytes: `\d` and similar classes are ASCII.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let config = Regex::config().utf8_empty(false);
        Regex::builder().syntax(syntax).configure(config).build(typed).map(Self).map_err(|error| {
            let said = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("{typed:?} is not a regular expression: {last}")
        })
    }

    /// Returns the number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.0.captures_len().saturating_sub(1)
    }

    fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }

    /// Returns where the first match ends.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        self.0.find(bytes).map(|found| found.end())
    }

    /// Returns what the first group matches. Uses slots on the stack: `captures` would allocate.
    fn group<'m>(&self, bytes: &'m [u8]) -> Option<&'m [u8]> {
        let mut slots = [None; 4];
        self.0.search_slots(&Input::new(bytes), &mut slots)?;
        bytes.get(slots[2]?.get()..slots[3]?.get())
    }
}

/// Conditions on a message: all tests must hold.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// The cheapest first.
    pub(super) tests: Vec<Test>,
}

/// A test of a message.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Contains(Box<memmem::Finder<'static>>),
    Regex(Box<Pattern>),
    Json(Pointer, Literal),
    Has(Pointer),
    Lacks(Pointer),
}

/// A JSON value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(Box<[u8]>),
    /// As written in JSON: an integer, `true` or `false`.
    Plain(Box<[u8]>),
    Number(f64),
}

impl Matcher {
    /// Checks whether a message matches.
    #[must_use]
    pub fn is_match(&self, view: View<'_>) -> bool {
        self.tests.iter().all(|test| test.holds(view))
    }
}

impl Test {
    fn holds(&self, view: View<'_>) -> bool {
        match self {
            Self::Exact(bytes) => view.bytes == &**bytes,
            Self::Prefix(bytes) => view.bytes.starts_with(bytes),
            Self::Contains(finder) => finder.find(view.bytes).is_some(),
            Self::Regex(pattern) => pattern.is_match(view.bytes),
            Self::Has(pointer) => pointer.find(view.json).is_some(),
            Self::Lacks(pointer) => pointer.find(view.json).is_none(),
            Self::Json(pointer, expected) => match pointer.find(view.json) {
                None => false,
                Some(found) => match expected {
                    Literal::Plain(plain) => found.raw() == &**plain,
                    Literal::Text(text) => found.text().is_some_and(|found| *found == **text),
                    #[expect(clippy::float_cmp, reason = "both were read from decimal digits")]
                    Literal::Number(number) => str::from_utf8(found.raw())
                        .is_ok_and(|raw| raw.parse::<f64>().is_ok_and(|raw| raw == *number)),
                },
            },
        }
    }
}

/// Where a value is in a message.
#[derive(Clone, Debug)]
pub enum Pick {
    /// At a JSON pointer.
    Pointer(Pointer),
    /// In the first group of a regular expression.
    Regex(Box<Pattern>),
    /// Between two offsets, as text or as a number with the highest byte first.
    Bytes {
        /// The first offset.
        begin: usize,
        /// The offset after the last; `None` for all that follows.
        end: Option<usize>,
        /// Whether it is a number.
        is_number: bool,
    },
}

impl Pick {
    /// Returns the value, if it is there.
    #[must_use]
    pub fn of<'m>(&self, view: View<'m>) -> Option<Cow<'m, [u8]>> {
        match self {
            Self::Pointer(pointer) => Some(pointer.find(view.json)?.content()),
            Self::Regex(pattern) => pattern.group(view.bytes).map(Cow::Borrowed),
            Self::Bytes { begin, end, is_number } => {
                let bytes = view.bytes.get(*begin..end.unwrap_or(view.bytes.len()))?;
                if !*is_number {
                    return Some(Cow::Borrowed(bytes));
                }
                let number =
                    bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
                Some(Cow::Owned(number.to_string().into_bytes()))
            }
        }
    }

    /// Returns the value as an integer, if it is one.
    #[must_use]
    pub fn number(&self, view: View<'_>) -> Option<u64> {
        if let Self::Bytes { begin, end, is_number: true } = self {
            let bytes = view.bytes.get(*begin..end.unwrap_or(view.bytes.len()))?;
            return Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)));
        }
        let value = self.of(view)?;
        str::from_utf8(&value).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_bytes_are_picked() {
        let view = View::new(b"43127[{\"a\":1}]", None);
        let id = Pick::Regex(Box::new(Pattern::parse(r"^43(\d+)\[").unwrap()));
        assert_eq!((id.of(view).as_deref(), id.number(view)), (Some(&b"127"[..]), Some(127)));
        assert_eq!(id.of(View::new(b"42[1]", None)), None);
        let packet = View::new(&[0x90, 3, 1, 2, 0], None);
        let pick = Pick::Bytes { begin: 2, end: Some(4), is_number: true };
        assert_eq!(
            (pick.of(packet).as_deref(), pick.number(packet)),
            (Some(&b"258"[..]), Some(258))
        );
        assert_eq!(pick.of(View::new(b"abc", None)), None);
    }

    #[test]
    fn json_stands_behind_what_json_after_matches() {
        let after = Pattern::parse(r"^\d+(?:/[^,]*,)?\d*").unwrap();
        for (text, json) in
            [("42/room,7[\"a\"]", "[\"a\"]"), ("2", ""), ("[1]", "[1]"), ("43127[]", "[]")]
        {
            assert_eq!(View::new(text.as_bytes(), Some(&after)).json, json.as_bytes(), "{text}");
        }
    }
}
