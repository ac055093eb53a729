//! A line to what it has in common with lines that differ from it in numbers and identifiers only.

/// Units that follow a number.
const UNITS: [&str; 11] = ["ns", "us", "ms", "s", "min", "h", "%", "B", "KB", "MB", "GB"];

/// Characters from which on a word of letters and digits is an identifier, such as a session's.
const IDENTIFIER_LEN_MIN: usize = 12;

/// `line` with `#` for each number and the unit behind it, and for each identifier; a counted noun
/// is singular. Lines of one kind are equal.
#[must_use]
pub fn kind(line: &str) -> String {
    let mut kind = String::with_capacity(line.len());
    let mut is_behind_number = false;
    for word in line.split(' ') {
        let bare = word.trim_end_matches([',', ';', ':', ')']);
        if is_behind_number && UNITS.contains(&bare) {
            is_behind_number = false;
            continue;
        }
        let shown = without_identifiers(word);
        let shown = if is_behind_number { singular(shown, word.len() - bare.len()) } else { shown };
        is_behind_number = word.ends_with(|c: char| c.is_ascii_digit());
        let mut is_in_number = false;
        for c in shown.chars() {
            // A point or a comma between digits is of the number.
            let is_digit = c.is_ascii_digit() || is_in_number && matches!(c, '.' | ',');
            if !is_digit {
                kind.push(c);
            } else if !is_in_number {
                kind.push('#');
            }
            is_in_number = is_digit;
        }
        kind.push(' ');
    }
    kind
}

/// `word` as it is counted once, by the rules of `units::counted`; its last `punctuation` bytes stay.
fn singular(mut word: String, punctuation: usize) -> String {
    let rest = word.split_off(word.len() - punctuation);
    if let Some(stem) = word.strip_suffix("ies") {
        word = format!("{stem}y");
    } else if let Some(stem) = word.strip_suffix("sses") {
        word = format!("{stem}ss");
    } else if let Some(stem) = word.strip_suffix('s').filter(|stem| !stem.ends_with('s')) {
        word.truncate(stem.len());
    }
    word.push_str(&rest);
    word
}

/// `word` with `#` for what is made by a generator and not by a person: long, of letters and digits.
fn without_identifiers(word: &str) -> String {
    let is_of_identifier = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_identifier = |token: &str| {
        token.len() >= IDENTIFIER_LEN_MIN
            && token.contains(|c: char| c.is_ascii_digit())
            && token.contains(|c: char| c.is_ascii_alphabetic())
    };
    let mut shown = String::with_capacity(word.len());
    for part in word.split_inclusive(|c| !is_of_identifier(c)) {
        let token = part.trim_end_matches(|c| !is_of_identifier(c));
        let rest = &part[token.len()..];
        shown.push_str(if is_identifier(token) { "#" } else { token });
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_units_make_no_difference() {
        for (one, other, is_alike) in [
            ("late 3.1 ms (97 %)", "late 980 us (9 %)", true),
            (r#"{"type":"tick","n":1}"#, r#"{"type":"tick","n":1048}"#, true),
            (r#"{"type":"tick","n":1}"#, r#"{"type":"user","n":1}"#, false),
            ("sent 12,345", "sent 7", true),
            ("1 connection failed", "20 connections failed", true),
            ("lost 1 copy, late", "lost 3 copies, late", true),
            ("1 address: none", "3 addresses: none", true),
            ("connection failed", "connections failed", false),
            ("p99 1 s late", "p99 1 s early", false),
            ("us first", "ms first", false),
            ("", "0", false),
        ] {
            assert_eq!(kind(one) == kind(other), is_alike, "{one:?} {other:?}");
        }
    }

    #[test]
    fn n11_identifiers_make_no_difference() {
        for (one, other, is_alike) in [
            (r#"0{"sid":"K0NVjV7VxItmb9TmAAAC"}"#, r#"0{"sid":"oWJeNpMvi-zOShsuQZAAAB1"}"#, true),
            (r#"{"id":"d9428888-122b-11e1-b85c-61cd3cbb3210"}"#, r#"{"id":"7"}"#, true),
            (r#"{"type":"subscription_data"}"#, r#"{"type":"subscription_gone"}"#, false),
        ] {
            assert_eq!(kind(one) == kind(other), is_alike, "{one:?} {other:?}");
        }
    }
}
