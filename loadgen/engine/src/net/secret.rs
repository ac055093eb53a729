//! Removes what looks like a secret from the texts of a request, for showing and saving.

use crate::template::{Part, Purpose, Template};

/// Replaces a secret.
const MASK: &str = "***";
/// Substrings of secrets' names, in lower case and without separators.
const WORDS: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "pwd",
    "apikey",
    "jwt",
    "signature",
    "credential",
    "session",
    "ticket",
    "bearer",
];
/// Names of secrets that would be substrings of too many other names.
const NAMES: [&str; 9] = ["auth", "code", "key", "pass", "pin", "sid", "sig", "authtok", "creds"];

/// Checks whether a name is typical of a secret.
pub fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&&*name)
        || name.contains("authoriz")
        || WORDS.iter().any(|word| name.contains(word))
}

/// Masks the values of query parameters in a URL that look like secrets. A value made only of
/// placeholders is not one.
pub(super) fn masked_url(url: &str) -> String {
    let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
    let parameters = query.split_inclusive(['&', ';']).map(|parameter| {
        let (parameter, end) = match parameter.strip_suffix(['&', ';']) {
            Some(rest) => parameter.split_at(rest.len()),
            None => (parameter, ""),
        };
        match parameter.split_once('=') {
            Some((name, value)) if is_secret(name) && has_literal(value) => {
                format!("{name}={MASK}{end}")
            }
            _ => format!("{parameter}{end}"),
        }
    });
    format!("{before}?{}", parameters.collect::<String>())
}

/// Masks subprotocols that carry a secret: `bearer.abc`, and whatever follows a secret's name, as
/// in `access_token, abc`.
#[must_use]
pub fn masked_subprotocols(names: &[String]) -> Vec<String> {
    let mut is_next = false;
    let masked = names.iter().map(|name| {
        if std::mem::replace(&mut is_next, false) && has_literal(name) {
            return MASK.to_owned();
        }
        match name.rsplit_once(['.', '-']) {
            Some((kind, value)) if is_secret(kind) && has_literal(value) => {
                let separator = &name[kind.len()..=kind.len()];
                format!("{kind}{separator}{MASK}")
            }
            _ => {
                is_next = is_secret(name);
                name.clone()
            }
        }
    });
    masked.collect()
}

/// Checks whether a text contains anything besides placeholders.
fn has_literal(text: &str) -> bool {
    match Template::parse_for(text.as_bytes(), Purpose::Request) {
        Ok(template) => template.parts().iter().any(|part| matches!(part, Part::Literal(_))),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m5_values_that_look_like_secrets_are_masked() {
        for (url, masked) in [
            ("ws://h/?token=abc&room=7", "ws://h/?token=***&room=7"),
            ("ws://h/?room=7&access_token=a=b", "ws://h/?room=7&access_token=***"),
            ("ws://h/?apiKey=x;X-Amz-Signature=y", "ws://h/?apiKey=***;X-Amz-Signature=***"),
            ("ws://h/?auth=x&Authorization=y", "ws://h/?auth=***&Authorization=***"),
            ("ws://h/?token=t{conn}", "ws://h/?token=***"),
            ("ws://h/?token={rand:8}", "ws://h/?token={rand:8}"),
            ("ws://h/?author=x&monkey=y&tokens", "ws://h/?author=x&monkey=y&tokens"),
            ("ws://h/?token=", "ws://h/?token="),
            ("ws://h/token=x", "ws://h/token=x"),
        ] {
            assert_eq!(masked_url(url), masked, "{url}");
        }
    }

    #[test]
    fn m5_secrets_in_subprotocols_are_masked() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (given, masked) in [
            (&["chat", "superchat.v2"][..], &["chat", "superchat.v2"][..]),
            (&["base64url.bearer.io.abc", "v1"], &["base64url.bearer.io.***", "v1"]),
            (&["access_token", "abc", "chat"], &["access_token", "***", "chat"]),
            (&["access_token", "{rand:8}"], &["access_token", "{rand:8}"]),
        ] {
            assert_eq!(masked_subprotocols(&names(given)), masked);
        }
    }
}
