//! What looks like a secret: it goes to a file of its own, and not into the scenario.

use crate::net;

/// Names of secrets that often are names of something else: only a value that looks random is one.
const AMBIGUOUS: [&str; 9] =
    ["key", "code", "sid", "pin", "sig", "auth", "creds", "ticket", "signature"];
/// The shortest value that looks random.
const RANDOM_LEN_MIN: usize = 16;

/// Checks whether a value of this name should not be seen by others.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let is_ambiguous = AMBIGUOUS.contains(&&*lower) || lower.contains("session");
    if is_ambiguous {
        return is_random(value);
    }
    net::is_secret(name) || lower == "passcode" || is_token(value)
}

/// Checks whether a value is a JSON Web Token (RFC 7519), or says that it bears a token.
fn is_token(value: &str) -> bool {
    let is_jwt = value.starts_with("eyJ") && value.matches('.').count() == 2;
    is_jwt || value.starts_with("Bearer ") || value.starts_with("Basic ")
}

fn is_random(value: &str) -> bool {
    let has = |is_so: fn(char) -> bool| value.contains(is_so);
    value.len() >= RANDOM_LEN_MIN
        && !has(char::is_whitespace)
        && has(|c| c.is_ascii_digit())
        && has(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_looks() {
        for (name, value, expected) in [
            ("password", "p0", true),
            ("access_token", "x", true),
            ("key", "4", false),
            ("key", "AKIA0123456789abcdef", true),
            ("session", "main", false),
            ("data", "eyJhbGciOiJIUzI1NiJ9.e30.abc", true),
            ("text", "hello", false),
            ("passcode", "guest", true),
            ("token", "", false),
        ] {
            assert_eq!(is_secret(name, value), expected, "{name} {value}");
        }
    }
}
