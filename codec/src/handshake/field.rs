//! Field values: from the bytes after a header's colon to tokens and lists (RFC 9110, 5.5 and 5.6).
//!
//! Pure functions, linear in their input, and used in both directions: what is refused from the
//! peer is also refused from the caller.

/// Returns whether `byte` is allowed in a token (RFC 9110, 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
            | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// Returns whether `bytes` are a token: one `tchar` or more.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Returns `bytes` as a token, which is ASCII and therefore text.
pub(super) fn as_token(bytes: &[u8]) -> Option<&str> {
    if is_token(bytes) { core::str::from_utf8(bytes).ok() } else { None }
}

/// Returns whether `byte` is allowed in a field value: everything except control characters other
/// than HTAB. Bytes from 0x80 on are allowed, and mean nothing (`obs-text`).
pub(super) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=0x7e | 0x80..)
}

/// Returns the first byte that `allowed` refuses, and its position.
pub(super) fn find_refused(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Option<(usize, u8)> {
    bytes.iter().copied().enumerate().find(|&(_, byte)| !allowed(byte))
}

/// Returns `value` without surrounding spaces and tabs (`OWS`).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Returns the elements of a comma-separated list without quoted strings; empty ones are skipped,
/// as RFC 9110, 5.6.1.2 requires of recipients.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Returns whether a list without quoted strings has an element, in any case.
pub(super) fn lists(value: &[u8], wanted: &[u8]) -> bool {
    list(value).any(|element| element.eq_ignore_ascii_case(wanted))
}

/// Returns the headers from lines of `name: value` that the crate itself wrote, all ASCII.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = core::str::from_utf8(text).unwrap_or_default();
    text.split("\r\n").filter_map(|line| line.split_once(": "))
}

/// A header that may occur only once in a message.
#[derive(Debug, Default)]
pub(super) enum Once<'h> {
    #[default]
    Absent,
    Present(&'h [u8]),
    Doubled,
}

impl<'h> Once<'h> {
    pub(super) fn take(&mut self, value: &'h [u8]) {
        *self = match self {
            Self::Absent => Self::Present(value),
            Self::Present(_) | Self::Doubled => Self::Doubled,
        };
    }

    /// Returns the value, if there is exactly one.
    pub(super) const fn value(&self) -> Option<&'h [u8]> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Doubled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn token_bytes_are_those_of_the_rfc() {
        let allowed: Vec<u8> = (0..=255).filter(|&byte| is_token_byte(byte)).collect();
        let separators = b"()<>@,;:\\\"/[]?={} \t";
        for byte in 0..=255_u8 {
            let expected = byte.is_ascii_graphic() && !separators.contains(&byte);
            assert_eq!(allowed.contains(&byte), expected, "{byte:#x}");
        }
    }

    #[test]
    fn list_skips_empty_elements_and_trims() {
        let elements: Vec<&[u8]> = list(b" ,a ,\t b,, c d ,").collect();
        assert_eq!(elements, [&b"a"[..], b"b", b"c d"]);
        assert_eq!(list(b" , ,").count(), 0);
    }

    #[test]
    fn value_bytes_are_all_but_controls() {
        for byte in 0..=255_u8 {
            let expected = byte == b'\t' || !byte.is_ascii_control();
            assert_eq!(is_value_byte(byte), expected, "{byte:#x}");
        }
    }
}
