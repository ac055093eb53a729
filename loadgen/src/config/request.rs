//! Arguments to what the opening handshake says, and to the bounds of a connection's ends.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{TIMEOUT_MAX, bounded};
use crate::cli::RequestArgs;
use crate::deflate;

/// What the opening handshake says, and how long each end of a connection may take.
#[derive(Clone, Debug)]
pub struct Request {
    /// Headers beside those of the protocol.
    pub headers: Vec<(String, String)>,
    /// Subprotocols to offer, the preferred first.
    pub subprotocols: Vec<String>,
    /// The |Origin| header.
    pub origin: Option<String>,
    /// permessage-deflate; `None` offers nothing.
    pub deflate: Option<deflate::Offer>,
    /// Bound on TCP and opening handshake together.
    pub connect_timeout: Duration,
    /// Bound on the closing handshake and the end of the stream together.
    pub close_timeout: Duration,
}

impl Request {
    /// Checks the bounds; whether the headers may be sent is for the handshake to say.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(args: RequestArgs) -> Result<Self, String> {
        let least = Duration::from_millis(1);
        let mut headers = args.headers;
        if let Some(user) = &args.user {
            headers.push(authorization(user, &headers)?);
        }
        Ok(Self {
            headers,
            subprotocols: args.subprotocols,
            origin: args.origin,
            deflate: args.deflate.wanted().map(|deflate| deflate::Offer {
                deflate,
                is_required: args.deflate.deflate_required,
            }),
            connect_timeout: bounded(
                "--connect-timeout",
                args.connect_timeout,
                least,
                TIMEOUT_MAX,
            )?,
            close_timeout: bounded("--close-timeout", args.close_timeout, least, TIMEOUT_MAX)?,
        })
    }
}

/// The header that says who is there (RFC 7617, 2).
fn authorization(user: &str, headers: &[(String, String)]) -> Result<(String, String), String> {
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err("--user and -H 'Authorization: ...' exclude each other".into());
    }
    // Not said back: there may be a password in it all the same.
    if !user.contains(':') {
        return Err("--user has no colon; use NAME:PASSWORD".into());
    }
    Ok(("Authorization".into(), format!("Basic {}", STANDARD.encode(user))))
}

#[cfg(test)]
mod tests {
    use super::authorization;

    #[test]
    fn a_user_is_a_header_as_rfc_7617_has_it() {
        let (name, value) = authorization("Aladdin:open sesame", &[]).unwrap();
        assert_eq!((&*name, &*value), ("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(authorization("Aladdin", &[]).unwrap_err().contains("use NAME:PASSWORD"));
        let other = [("authorization".into(), "Bearer x".into())];
        assert!(authorization("a:b", &other).unwrap_err().contains("exclude each other"));
    }
}
