//! permessage-deflate between the words of RFC 7692, 7.1 and what one side wants or both have
//! agreed on.
//!
//! ```text
//!   server_no_context_takeover  client_no_context_takeover  server_max_window_bits=8..15  client_max_window_bits[=8..15]
//! ```
//!
//! What a client says is what it offers, and nothing else; what a server says is how it differs
//! from its defaults.

use wscodec::deflate::{ContextTakeover, Deflate, DeflateAgreed, DeflateLevel, WindowBits};

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What the connections of a run offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is wanted.
    pub deflate: Deflate,
    /// Whether a server that declines is a failure.
    pub is_required: bool,
}

/// Reads what a client offers; nothing is the default offer.
///
/// # Errors
/// What is wrong, and what to use.
pub fn parse_offer(text: &str) -> Result<Deflate, String> {
    if text.is_empty() {
        return Ok(Deflate::client());
    }
    parse(text, Deflate::client().with_client_max_window_bits(None), Some(WindowBits::MAX))
}

/// Reads how a server differs from its defaults.
///
/// # Errors
/// What is wrong, and what to use.
pub fn parse_acceptance(text: &str) -> Result<Deflate, String> {
    if text.is_empty() {
        return Ok(Deflate::server());
    }
    parse(text, Deflate::server(), None)
}

/// Reads a level.
///
/// # Errors
/// What is wrong, and what to use.
pub fn parse_level(text: &str) -> Result<DeflateLevel, String> {
    let level = text.parse().ok().and_then(DeflateLevel::new);
    level.ok_or_else(|| "use 1 (fastest) to 9 (smallest)".into())
}

/// Reads parameters that differ from `deflate`; `any` is what the client's window is if no size is
/// said, if that may be.
fn parse(text: &str, mut deflate: Deflate, any: Option<WindowBits>) -> Result<Deflate, String> {
    let mut names = Vec::new();
    for parameter in text.split(';') {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (parameter.trim(), None),
        };
        let size = || value.and_then(window_bits);
        let wrong = || format!("{name} is 8 to 15, such as {name}=12");
        match name {
            SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER if value.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            SERVER_NO_CONTEXT_TAKEOVER => deflate.server_context = ContextTakeover::Off,
            CLIENT_NO_CONTEXT_TAKEOVER => deflate.client_context = ContextTakeover::Off,
            SERVER_MAX_WINDOW_BITS => {
                deflate.server_max_window_bits = size().ok_or_else(wrong)?;
            }
            CLIENT_MAX_WINDOW_BITS => {
                let bits = size().or(any.filter(|_| value.is_none())).ok_or_else(wrong)?;
                deflate.client_max_window_bits = Some(bits);
            }
            "" => return Err("a parameter is empty; separate them by one ';'".into()),
            _ => {
                return Err(format!(
                    "unknown parameter {name:?}; use {SERVER_NO_CONTEXT_TAKEOVER}, \
                     {CLIENT_NO_CONTEXT_TAKEOVER}, {SERVER_MAX_WINDOW_BITS}=8..15 or \
                     {CLIENT_MAX_WINDOW_BITS}=8..15"
                ));
            }
        }
        if names.contains(&name) {
            return Err(format!("{name} is given twice"));
        }
        names.push(name);
    }
    Ok(deflate)
}

/// "a decimal integer value without leading zeroes between 8 to 15" (RFC 7692, 7.1.2.1)
fn window_bits(text: &str) -> Option<WindowBits> {
    (8..=15).filter_map(WindowBits::new).find(|bits| bits.get().to_string() == text)
}

/// What a client offers, as it stands in the request behind the extension's name.
#[must_use]
pub fn offered(deflate: &Deflate) -> String {
    let server_bits = deflate.server_max_window_bits;
    let client = deflate.client_max_window_bits.map(|bits| match bits {
        WindowBits::MAX => CLIENT_MAX_WINDOW_BITS.into(),
        bits => format!("{CLIENT_MAX_WINDOW_BITS}={}", bits.get()),
    });
    joined(
        [deflate.server_context, deflate.client_context],
        (server_bits < WindowBits::MAX)
            .then(|| format!("{SERVER_MAX_WINDOW_BITS}={}", server_bits.get())),
        client,
    )
}

/// What was agreed, with both windows whether they are the largest or not.
#[must_use]
pub fn agreed(agreed: &DeflateAgreed) -> String {
    joined(
        [agreed.server_context(), agreed.client_context()],
        Some(format!("{SERVER_MAX_WINDOW_BITS}={}", agreed.server_max_window_bits().get())),
        Some(format!("{CLIENT_MAX_WINDOW_BITS}={}", agreed.client_max_window_bits().get())),
    )
}

fn joined(
    contexts: [ContextTakeover; 2],
    server: Option<String>,
    client: Option<String>,
) -> String {
    let names = [SERVER_NO_CONTEXT_TAKEOVER, CLIENT_NO_CONTEXT_TAKEOVER];
    let flags = names.into_iter().zip(contexts);
    let flags = flags.filter(|(_, context)| *context == ContextTakeover::Off);
    let flags = flags.map(|(name, _)| name.to_owned());
    flags.chain(server).chain(client).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_offered() {
        for (text, expected) in [
            ("", "client_max_window_bits"),
            ("client_max_window_bits", "client_max_window_bits"),
            ("client_max_window_bits=15", "client_max_window_bits"),
            ("server_no_context_takeover", "server_no_context_takeover"),
            (" client_max_window_bits = 9 ;server_max_window_bits=8", ""),
            ("client_no_context_takeover;server_max_window_bits=15", "client_no_context_takeover"),
        ] {
            let said = offered(&parse_offer(text).unwrap());
            let both = "server_max_window_bits=8; client_max_window_bits=9";
            assert_eq!(said, if expected.is_empty() { both } else { expected }, "{text}");
        }
    }

    #[test]
    fn a_server_keeps_the_defaults_that_are_not_said() {
        let deflate = parse_acceptance("client_no_context_takeover; server_max_window_bits=15");
        let expected = Deflate::server()
            .with_client_context(ContextTakeover::Off)
            .with_server_max_window_bits(WindowBits::MAX);
        assert_eq!(deflate, Ok(expected));
    }
}
