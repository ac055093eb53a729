//! Finds the value that a JSON pointer points to in the text of a message, without parsing the
//! rest.
//!
//! The scanner skips what it doesn't need by counting brackets outside of strings, so a message of
//! any depth takes no stack, and one that isn't JSON yields no value or a wrong one, but never an
//! error: whether a message is valid JSON is the server's business. Values are read as `serde_json`
//! reads them, which the tests check.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr2;

/// A JSON pointer (RFC 6901), such as `/data/0/id`.
///
/// `"/a|/b"` finds `/b` in the JSON text that is in the string at `/a`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The pointer as typed.
    typed: Box<str>,
    /// The names of each part between `|`.
    parts: Box<[Box<[Name]>]>,
}

/// The name of a member, or the index in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: Box<[u8]>,
    index: Option<usize>,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with the pointer.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let parts = typed.split('|').map(names).collect::<Option<Box<[_]>>>();
        let parts = parts.ok_or_else(|| {
            format!("{typed:?} is not a JSON pointer; write one like \"/data/id\" or \"/0\"")
        })?;
        Ok(Self { typed: typed.into(), parts })
    }

    /// Returns the value as it is written in a JSON text.
    #[must_use]
    pub fn find<'j>(&self, json: &'j [u8]) -> Option<Value<'j>> {
        let (first, rest) = self.parts.split_first()?;
        let mut found = Cow::Borrowed(find(json, first)?);
        for part in rest {
            let text = Value(found).text()?;
            found = Cow::Owned(find(&text, part)?.to_vec());
        }
        Some(Value(found))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.typed.fmt(f)
    }
}

fn names(part: &str) -> Option<Box<[Name]>> {
    if part.is_empty() {
        return Some(Box::default());
    }
    let names = part.strip_prefix('/')?.split('/');
    Some(
        names
            .map(|name| {
                let text = name.replace("~1", "/").replace("~0", "~");
                let index = (text == "0" || !text.starts_with(['0', '+'])).then(|| text.parse());
                Name { index: index.and_then(Result::ok), text: text.into_bytes().into() }
            })
            .collect(),
    )
}

/// A value as written in a JSON text: `12`, `"a\n"`, `[1, 2]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'j>(Cow<'j, [u8]>);

impl<'j> Value<'j> {
    /// Returns the bytes as written.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.0
    }

    /// Returns the content of a string; `None` for other values.
    #[must_use]
    pub fn text(self) -> Option<Cow<'j, [u8]>> {
        let inner = |raw: &[u8]| raw.len() >= 2 && raw[0] == b'"' && raw[raw.len() - 1] == b'"';
        if !inner(&self.0) {
            return None;
        }
        Some(match self.0 {
            Cow::Borrowed(raw) => unescaped(&raw[1..raw.len() - 1]),
            Cow::Owned(raw) => Cow::Owned(unescaped(&raw[1..raw.len() - 1]).into_owned()),
        })
    }

    /// Returns the content of a string, and any other value as written.
    #[must_use]
    pub fn content(self) -> Cow<'j, [u8]> {
        let raw = self.0.clone();
        self.text().unwrap_or(raw)
    }
}

/// Replaces the escapes of a JSON string.
#[must_use]
pub fn unescaped(inner: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, more)) = rest.split_first() {
        rest = more;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escape, more)) = rest.split_first() else { break };
        rest = more;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let (c, used) = code_point(rest);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[used..];
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Returns the character of four hexadecimal digits, or of two surrogates, and the bytes that it
/// takes.
fn code_point(rest: &[u8]) -> (char, usize) {
    let four = |at: usize| {
        let digits = rest.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0_u32, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
    };
    let Some(high) = four(0) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if (0xd800..0xdc00).contains(&high)
        && rest.get(4..6) == Some(b"\\u")
        && let Some(low) = four(6).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let joined = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}

fn find<'j>(json: &'j [u8], names: &[Name]) -> Option<&'j [u8]> {
    let mut at = space(json, 0);
    for name in names {
        at = match json.get(at)? {
            b'{' => member(json, at + 1, &name.text)?,
            b'[' => element(json, at + 1, name.index?)?,
            _ => return None,
        };
    }
    let end = past(json, at)?;
    (end > at).then(|| &json[at..end])
}

/// Returns where the value of a member begins.
fn member(json: &[u8], mut at: usize, name: &[u8]) -> Option<usize> {
    loop {
        at = space(json, at);
        if json.get(at)? != &b'"' {
            return None;
        }
        let end = past_string(json, at)?;
        let key = &json[at + 1..end - 1];
        at = space(json, end);
        if json.get(at)? != &b':' {
            return None;
        }
        at = space(json, at + 1);
        if key == name || key.contains(&b'\\') && *unescaped(key) == *name {
            return Some(at);
        }
        at = next(json, past(json, at)?)?;
    }
}

/// Returns where an element begins.
fn element(json: &[u8], mut at: usize, index: usize) -> Option<usize> {
    for _ in 0..index {
        at = next(json, past(json, space(json, at))?)?;
    }
    let at = space(json, at);
    (json.get(at)? != &b']').then_some(at)
}

/// Returns the position after the comma that has to follow.
fn next(json: &[u8], at: usize) -> Option<usize> {
    let at = space(json, at);
    (json.get(at)? == &b',').then_some(at + 1)
}

#[inline]
fn space(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Returns where a value ends.
fn past(json: &[u8], at: usize) -> Option<usize> {
    match json.get(at)? {
        b'"' => past_string(json, at),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, at);
            loop {
                match json.get(at)? {
                    b'"' => {
                        at = past_string(json, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends =
                |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            Some(json[at..].iter().position(ends).map_or(json.len(), |len| at + len))
        }
    }
}

/// Returns the position after the closing quote of a string that begins at `at`.
fn past_string(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(json: &str, pointer: &str) -> Option<String> {
        let pointer = Pointer::parse(pointer).unwrap();
        Some(String::from_utf8_lossy(pointer.find(json.as_bytes())?.raw()).into_owned())
    }

    #[test]
    fn values_are_found_where_they_stand() {
        let json = r#" {"a" : [1, {"b c":"x\"}"}, [] ], "a/b":true ,"é":-1.5e3, "e":{} } "#;
        for (pointer, raw) in [
            ("/a/0", Some("1")),
            ("/a/1/b c", Some(r#""x\"}""#)),
            ("/a/2", Some("[]")),
            ("/a/3", None),
            ("/a/01", None),
            ("/a/x", None),
            ("/a~1b", Some("true")),
            ("/é", Some("-1.5e3")),
            ("/e", Some("{}")),
            ("/e/x", None),
            ("/nothing", None),
        ] {
            assert_eq!(found(json, pointer).as_deref(), raw, "{pointer}");
        }
        assert_eq!(found("12", "").as_deref(), Some("12"));
        assert!(Pointer::parse("a").unwrap_err().contains("not a JSON pointer"));
    }

    #[test]
    fn a_string_that_is_json_is_looked_into() {
        let json = r#"{"data":"{\"id\":[7,\"\\u00e9\\ud83d\\ude00\"]}"}"#;
        assert_eq!(found(json, "/data|/id/0").as_deref(), Some("7"));
        let text = Pointer::parse("/data|/id/1").unwrap().find(json.as_bytes()).unwrap();
        assert_eq!(text.content(), "é😀".as_bytes());
        assert_eq!(found(json, "/data|/no"), None);
    }

    #[test]
    fn what_is_no_json_yields_nothing_and_takes_no_stack() {
        let deep = "[".repeat(200_000);
        for json in ["", "{", "{\"a", "{\"a\"", "{\"a\":", "{a:1}", "[1,", "\"\\", &deep] {
            assert_eq!(found(json, "/a"), None, "{}", &json[..json.len().min(9)]);
            assert_eq!(found(json, "/0/0/x"), None);
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map("[a-c\"\\\\/~é]{0,2}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn serde_json_finds_the_same(value in json(), pointer in "(/[a-c0-2\"~é]{0,2}){0,3}") {
            for text in [value.to_string(), format!("{value:#}")] {
                let expected = value.pointer(&pointer);
                let found = Pointer::parse(&pointer).unwrap();
                let found = found.find(text.as_bytes()).map(|found| found.raw().to_vec());
                let parsed = found.map(|raw| serde_json::from_slice(&raw).unwrap());
                prop_assert_eq!(parsed.as_ref(), expected, "{} {}", text, pointer);
            }
        }
    }
}
