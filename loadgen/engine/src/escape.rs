//! What a peer sent to text that can be printed: no byte of it may drive a terminal.

use std::fmt::Write;

/// `text` with control characters escaped, cut after `len_max` bytes.
#[must_use]
pub fn control(text: &str, len_max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(len_max));
    for c in text.chars() {
        if shown.len() >= len_max {
            shown.push('…');
            break;
        }
        push(&mut shown, c);
    }
    shown
}

/// `bytes` as text as far as they are ASCII, the others escaped; cut after `len_max` bytes.
#[must_use]
pub fn bytes(bytes: &[u8], len_max: usize) -> String {
    let mut shown = String::with_capacity(bytes.len().min(len_max));
    for &byte in bytes {
        if shown.len() >= len_max {
            shown.push('…');
            break;
        }
        if byte.is_ascii() {
            push(&mut shown, char::from(byte));
        } else {
            // Writing to a string doesn't fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// `word` as a shell reads it as one word, with control characters escaped.
#[must_use]
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/._-@%+,=".contains(c);
    let word = control(word, usize::MAX);
    if word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn push(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if c.is_ascii_control() => {
            let _ = write!(shown, "\\x{:02x}", u32::from(c));
        }
        // Also what turns the direction of text, and what is invisible: it could hide what stands
        // beside it.
        c if c.is_control() || is_invisible(c) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell() {
        for (word, shown) in [
            ("ws://127.0.0.1:9001/a_b", "ws://127.0.0.1:9001/a_b"),
            ("ws://h/?a=b&c=d", "'ws://h/?a=b&c=d'"),
            ("ws://h/it's\x1b", r"'ws://h/it'\''s\x1b'"),
            ("ws://h/{conn}", "'ws://h/{conn}'"),
        ] {
            assert_eq!(shell(word), shown);
        }
    }

    #[test]
    fn d35_nothing_in_it_drives_a_terminal() {
        for (text, shown) in [
            ("plain text, \u{fc} too", "plain text, \u{fc} too"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}abc", "\\u{202e}abc"),
        ] {
            assert_eq!(control(text, 100), shown);
        }
        assert_eq!(bytes(b"HTTP\x00\xff\x1b", 100), "HTTP\\x00\\xff\\x1b");
    }

    #[test]
    fn it_is_cut() {
        assert_eq!(control("abcdef", 3), "abc…");
        assert_eq!(bytes(b"abcdef", 3), "abc…");
        assert_eq!(control("abc", 3), "abc");
    }
}
