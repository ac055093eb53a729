//! Writes texts as TOML strings, and as templates in which nothing is taken for a placeholder.

use std::fmt::Write;
use std::ops::Range;

/// Returns a TOML string: without escapes where that is possible.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c == '\t' || !c.is_control();
    if !text.contains('\'') && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a `String` doesn't fail.
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or(()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns bytes as pairs of hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// A part of a text to replace, and the placeholder to put there.
pub(super) type Edit = (Range<usize>, String);

/// Returns a template that renders to `text`, but for the edits. Edits that overlap an earlier one
/// are left out.
pub(super) fn template(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|(span, _)| span.start);
    let (mut out, mut at) = (String::new(), 0);
    for (span, placeholder) in edits {
        let Some(before) = text.get(at..span.start) else { continue };
        if text.get(span.clone()).is_none() {
            continue;
        }
        escape(before, true, &mut out);
        out.push_str(placeholder);
        at = span.end;
    }
    escape(text.get(at..).unwrap_or_default(), false, &mut out);
    out
}

/// Doubles braces that would be read as the begin of a placeholder, or as half of a double one.
fn escape(text: &str, is_before_placeholder: bool, out: &mut String) {
    for (at, c) in text.char_indices() {
        out.push(c);
        if c != '{' {
            continue;
        }
        let rest = &text[at + 1..];
        let is_last = rest.is_empty() && is_before_placeholder;
        if is_last || rest.starts_with('{') || looks_like_placeholder(rest) {
            out.push('{');
        }
    }
}

fn looks_like_placeholder(inside: &str) -> bool {
    inside.starts_with(|c: char| c.is_ascii_lowercase())
        && inside
            .find(|c: char| !c.is_ascii_alphanumeric() && !"_-.:*+".contains(c))
            .is_some_and(|end| inside[end..].starts_with('}'))
}

/// Returns a name for reports: letters, digits, and `-_.`, at most 32.
pub(super) fn name(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(32)
        .collect();
    name.truncate(name.trim_end_matches('-').len());
    let name = name.trim_start_matches('-');
    if name.is_empty() { "message".into() } else { name.into() }
}

/// Returns a name for a variable: lower-case letters, digits and `_`.
pub(super) fn variable(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().take(24) {
        match c {
            c if c.is_ascii_uppercase() => {
                if name.ends_with(|c: char| c.is_ascii_lowercase()) {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
            }
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ => name.push('_'),
        }
    }
    let name = name.trim_matches('_');
    let is_fit = name.starts_with(|c: char| c.is_ascii_lowercase());
    if is_fit { name.to_owned() } else { format!("v_{name}").trim_end_matches('_').to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::scenario;
    use super::*;
    use crate::index::ConnectionIndex;

    #[test]
    fn texts_are_quoted_as_simply_as_possible() {
        for (text, toml) in [
            (r#"{"a":"b\n"}"#, r#"'{"a":"b\n"}'"#),
            ("it's \"so\"", r#""it's \"so\"""#),
            ("a\nb\u{1e}", r#""a\nb\u001e""#),
        ] {
            assert_eq!(quoted(text), toml);
        }
    }

    #[test]
    fn names_and_variables() {
        assert_eq!(name("eth_call"), "eth_call");
        assert_eq!(name("/topic/a b/"), "topic-a-b");
        assert_eq!(name("é"), "message");
        assert_eq!(variable("sessionId"), "session_id");
        assert_eq!(variable("X-Api-Key"), "x_api_key");
        assert_eq!(variable("0"), "v_0");
    }

    proptest! {
        /// A scenario with the template sends the text.
        #[test]
        fn a_template_renders_to_its_text(text in "[{}a-z:.0-9*+'\"\\\\\n\u{1e}é]{0,24}", edit: bool) {
            let edits = if edit { vec![(0..0, "{conn}".to_owned())] } else { Vec::new() };
            let toml = format!("[vars]\na = {}\n", quoted(&template(&text, &edits)));
            let program = scenario::parse("a.toml", &toml).unwrap();
            let slots = program.slots_of(1, ConnectionIndex(7), 0);
            let expected = if edit { format!("7{text}") } else { text };
            prop_assert_eq!(&*slots[program.vars[0].0], expected.as_bytes());
        }
    }
}
