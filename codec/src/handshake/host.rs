//! The value of |Host|, and the authority of a target: a host and its port, checked against the
//! grammar (RFC 3986, 3.2.2 and 3.2.3; RFC 9110, 7.2).
//!
//! ```text
//! Host = uri-host [ ":" port ]
//! ```
//!
//! Two parsers must not disagree on what is the host and what is the port: a value with a second
//! colon or an unmatched bracket is refused, and so is an empty host. User information is not
//! allowed.

/// Returns the position at which `value` breaks the grammar; its length if something is missing at
/// its end.
pub(super) fn find_fault(value: &[u8]) -> Option<usize> {
    let host_end = match value {
        [b'[', ..] => match end_of_literal(value) {
            Ok(end) => end,
            Err(at) => return Some(at),
        },
        _ => match end_of_name(value) {
            Ok(end) => end,
            Err(at) => return Some(at),
        },
    };
    let (_, port) = value.split_at_checked(host_end)?;
    match port {
        [] => None,
        [b':', digits @ ..] => {
            digits.iter().position(|byte| !byte.is_ascii_digit()).map(|at| host_end + 1 + at)
        }
        _ => Some(host_end),
    }
}

/// Returns the length of an address in brackets, including the brackets. A zone may follow the
/// address in either notation.
fn end_of_literal(value: &[u8]) -> Result<usize, usize> {
    let end = value.iter().skip(1).position(|&byte| byte != b':' && !is_name_byte(byte));
    match end.map(|end| (end + 1, value.get(end + 1))) {
        Some((end @ 2.., Some(b']'))) => Ok(end + 1),
        Some((end, _)) => Err(end),
        None => Err(value.len()),
    }
}

/// Returns the length of a name or an IPv4 address.
fn end_of_name(value: &[u8]) -> Result<usize, usize> {
    let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
    let name = value.get(..end).unwrap_or_default();
    if name.is_empty() {
        return Err(0);
    }
    let is_fault = |(at, &byte): (usize, &u8)| match byte {
        b'%' => !matches!(
            name.get(at + 1..at + 3),
            Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()
        ),
        _ => !is_name_byte(byte),
    };
    name.iter().enumerate().position(is_fault).map_or(Ok(end), Err)
}

/// Returns whether `byte` is allowed in a name: unreserved, a sub-delimiter, or the percent sign of
/// an encoded byte.
const fn is_name_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-' | b'.' | b'_' | b'~' | b'%'
            | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_b36_hosts_are_judged_where_they_go_wrong() {
        let rows = [
            ("a", None),
            ("a.example.", None),
            ("a:80", None),
            ("a:", None), // a port may be empty
            ("127.0.0.1:9001", None),
            ("xn--bcher-kva.example", None),
            ("a_b~c!$&'()*+,;=", None),
            ("a%2f:1", None),
            ("[::1]", None),
            ("[2001:db8::1]:8080", None),
            ("[fe80::1%25eth0]:80", None),
            ("[fe80::1%eth0]", None),
            ("[v1.a:b]", None),
            ("", Some(0)),
            (":80", Some(0)),
            (":", Some(0)),
            ("a:b", Some(2)),
            ("a:80:90", Some(4)),
            ("a::80", Some(2)),
            ("::1", Some(0)),
            ("2001:db8::1", Some(5)),
            ("a:80 ", Some(4)),
            ("a b", Some(1)),
            ("user@a", Some(4)),
            ("user:1@a", Some(6)),
            ("a/b", Some(1)),
            ("a[", Some(1)),
            ("a]", Some(1)),
            ("[", Some(1)),
            ("[]", Some(1)),
            ("[::1", Some(4)),
            ("[::1]]", Some(5)),
            ("[::1]a", Some(5)),
            ("[::1]:a", Some(6)),
            ("[[::1]]", Some(1)),
            ("[::1/]", Some(4)),
            ("a%", Some(1)),
            ("a%2", Some(1)),
            ("a%2g", Some(1)),
            ("%zz", Some(0)),
            ("a\u{e4}", Some(1)),
        ];
        for (value, fault) in rows {
            assert_eq!(find_fault(value.as_bytes()), fault, "{value:?}");
        }
    }
}
