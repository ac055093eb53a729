//! Finds the leaves of a JSON text: strings, numbers, booleans and null, each with its pointer and
//! its place, so that a part of the text can be replaced and the rest stays as it was written.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::scenario::pointer::unescaped;

/// How deeply a text may be nested; leaves below that are not listed.
const DEPTH_MAX: usize = 32;
/// Most leaves of a text; those after them are not listed.
const LEAVES_MAX: usize = 400;

/// A leaf of a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its pointer, as scenarios write it.
    pub(super) pointer: String,
    /// Where it is; of a string what is between the quotes.
    pub(super) span: Range<usize>,
    /// Whether it is a string.
    pub(super) is_text: bool,
    /// Its value: of a string without escapes.
    pub(super) value: Vec<u8>,
}

/// Returns the leaves in the order of the text; `None` if the text is no JSON object or list.
pub(super) fn leaves(text: &[u8]) -> Option<Vec<Leaf>> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') || serde_json::from_slice::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut walk = Walk { text, at: 0, pointer: String::new(), found: Vec::new() };
    walk.value(0);
    Some(walk.found)
}

/// A walk over a text that is known to be JSON.
struct Walk<'t> {
    text: &'t [u8],
    at: usize,
    pointer: String,
    found: Vec<Leaf>,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        self.at += rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.text.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => self.skip(),
            Some(b'{') => self.members(b'}', depth),
            Some(b'[') => self.members(b']', depth),
            Some(b'"') => {
                let span = self.string();
                let value = unescaped(&self.text[span.clone()]).into_owned();
                self.push(span, true, value);
            }
            _ => {
                let begin = self.at;
                let ends = |byte: &u8| b",]}".contains(byte) || byte.is_ascii_whitespace();
                let rest = self.text.get(begin..).unwrap_or_default();
                self.at = begin + rest.iter().position(ends).unwrap_or(rest.len());
                self.push(begin..self.at, false, self.text[begin..self.at].to_vec());
            }
        }
    }

    fn push(&mut self, span: Range<usize>, is_text: bool, value: Vec<u8>) {
        if self.found.len() < LEAVES_MAX {
            self.found.push(Leaf { pointer: self.pointer.clone(), span, is_text, value });
        }
    }

    fn members(&mut self, end: u8, depth: usize) {
        self.at += 1;
        for index in 0_usize.. {
            match self.peek() {
                None => return,
                Some(byte) if byte == end => break,
                Some(b',') => self.at += 1,
                _ => {}
            }
            let len = self.pointer.len();
            self.pointer.push('/');
            if end == b'}' {
                if self.peek() != Some(b'"') {
                    return;
                }
                let span = self.string();
                let name = unescaped(&self.text[span]).into_owned();
                let name = String::from_utf8_lossy(&name).replace('~', "~0").replace('/', "~1");
                self.pointer.push_str(&name);
                if self.peek() == Some(b':') {
                    self.at += 1;
                }
            } else {
                self.pointer.push_str(&index.to_string());
            }
            self.value(depth + 1);
            self.pointer.truncate(len);
        }
        self.at += 1;
    }

    /// Passes a string, and returns what is between its quotes.
    fn string(&mut self) -> Range<usize> {
        let begin = self.at + 1;
        let mut at = begin;
        while let Some(&byte) = self.text.get(at) {
            match byte {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let end = at.min(self.text.len());
        self.at = end + 1;
        begin..end
    }

    /// Passes an object or a list.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn leaves_have_pointers_and_places() {
        let text = br#" {"a": [1, {"b/c": "x\"y"}, []], "d":true,"e":{} }"#;
        let found = leaves(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|leaf| (&*leaf.pointer, str::from_utf8(&text[leaf.span.clone()]).unwrap()))
            .collect();
        assert_eq!(found, [("/a/0", "1"), ("/a/1/b~1c", r#"x\"y"#), ("/d", "true")]);
        for no_json in ["", "12", "\"a\"", "{", "{\"a\":1} x", "[1,]"] {
            assert_eq!(leaves(no_json.as_bytes()), None, "{no_json}");
        }
    }

    #[test]
    fn depth_takes_no_stack() {
        let text = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(leaves(text.as_bytes()), Some(Vec::new()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\/~\u{1}é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map("[a-z~/\"]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// `serde_json` finds the same value at each pointer.
        #[test]
        fn leaves_are_those_of_serde_json(value in any_json(), is_pretty: bool) {
            let text = if is_pretty { format!("{value:#}") } else { value.to_string() };
            for leaf in leaves(text.as_bytes()).unwrap_or_default() {
                let expected = value.pointer(&leaf.pointer).unwrap();
                let text = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
                prop_assert_eq!(leaf.value, text.into_bytes());
            }
        }
    }
}
