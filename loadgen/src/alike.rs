//! A line to what it has in common with lines that differ from it in numbers only.

/// Units that follow a number.
const UNITS: [&str; 11] = ["ns", "us", "ms", "s", "min", "h", "%", "B", "KB", "MB", "GB"];

/// `line` with `#` for each number and the unit behind it: lines of one kind are equal.
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
        is_behind_number = word.ends_with(|c: char| c.is_ascii_digit());
        let mut is_in_number = false;
        for c in word.chars() {
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
            ("p99 1 s late", "p99 1 s early", false),
            ("us first", "ms first", false),
            ("", "0", false),
        ] {
            assert_eq!(kind(one) == kind(other), is_alike, "{one:?} {other:?}");
        }
    }
}
