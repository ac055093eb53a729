//! The opening request of a connection, and the time limits for opening and closing it.

use std::time::Duration;

use wscodec::Limits;

use super::{Purpose, RECEIVED_SIZE_MAX, TIMEOUT_MAX, Template, bounded, within_size};
use crate::cli::RequestArgs;
use crate::deflate;
use crate::net::Secrets;

/// Most bytes of a header's value, or of another text of the request, that contains placeholders.
const RENDERED_LEN_MAX: usize = 64 << 10;

/// The opening request, and the time limits for opening and closing a connection.
#[derive(Clone, Debug)]
pub struct Request {
    /// The |Host| header, if it differs from the URL's.
    pub host: Option<Template>,
    /// Headers beyond those of the protocol.
    pub headers: Vec<(String, HeaderValue)>,
    /// Subprotocols to offer, in order of preference.
    pub subprotocols: Vec<Template>,
    /// The |Origin| header.
    pub origin: Option<Template>,
    /// Whether to mask secrets where the request is shown or saved.
    pub secrets: Secrets,
    /// permessage-deflate; `None` offers nothing.
    pub deflate: Option<deflate::Offer>,
    /// The largest message that a server may send, if it was asked for.
    pub message_size_max: Option<u64>,
    /// The largest frame that a server may send, if it was asked for.
    pub frame_size_max: Option<u64>,
    /// Time limit for TCP, TLS and the opening handshake together.
    pub connect_timeout: Duration,
    /// Time limit for the closing handshake and the end of the stream together.
    pub close_timeout: Duration,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// The text itself.
    Plain(Template),
    /// A user and password, in base64 after the scheme's name (RFC 7617, 2).
    Basic(Template),
}

impl HeaderValue {
    /// Returns the text that the value is made from.
    #[must_use]
    pub const fn template(&self) -> &Template {
        match self {
            Self::Plain(template) | Self::Basic(template) => template,
        }
    }
}

impl Request {
    /// Checks the bounds and reads the placeholders. Rendering the request checks whether the
    /// headers may be sent. `purpose` is [`Purpose::Request`], or [`Purpose::TopicRequest`] where
    /// connections have topics.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(args: &RequestArgs, purpose: Purpose) -> Result<Self, String> {
        let least = Duration::from_millis(1);
        let template = |flag: &str, text: &str| template(flag, text, purpose);
        let (mut host, mut headers) = (None, Vec::new());
        for (name, value) in &args.headers {
            let value = template(&format!("-H {name:?}"), value)?;
            if !name.eq_ignore_ascii_case("host") {
                headers.push((name.clone(), HeaderValue::Plain(value)));
            } else if host.replace(value).is_some() {
                return Err("-H 'Host: ...' twice; a request has one Host".into());
            }
        }
        if let Some(user) = &args.user {
            headers.push(authorization(user, &args.headers, purpose)?);
        }
        let subprotocols = args.subprotocols.iter().map(|name| template("--subprotocol", name));
        Ok(Self {
            host,
            headers,
            subprotocols: subprotocols.collect::<Result<_, _>>()?,
            origin: args
                .origin
                .as_deref()
                .map(|origin| template("--origin", origin))
                .transpose()?,
            secrets: args.secrets(),
            deflate: args.deflate.wanted().map(|deflate| deflate::Offer {
                deflate,
                is_required: args.deflate.deflate_required,
            }),
            message_size_max: size_max("--max-message", args.max_message)?,
            frame_size_max: size_max("--max-frame", args.max_frame)?,
            connect_timeout: bounded(
                "--connect-timeout",
                args.connect_timeout,
                least,
                TIMEOUT_MAX,
            )?,
            close_timeout: bounded("--close-timeout", args.close_timeout, least, TIMEOUT_MAX)?,
        })
    }

    /// Returns what a server may send: what was asked for, else the codec's defaults. An echo of
    /// `sent_size_max` bytes always has room. A limit that wasn't given is no less than the other,
    /// so one flag is enough for a large message in one frame.
    #[must_use]
    pub fn limits(&self, sent_size_max: usize) -> Limits {
        let default = Limits::default();
        let sent = sent_size_max as u64;
        let frame = self
            .frame_size_max
            .unwrap_or_else(|| default.frame_size_max.max(self.message_size_max.unwrap_or(0)));
        let message = self.message_size_max.unwrap_or_else(|| {
            (default.message_size_max as u64).max(self.frame_size_max.unwrap_or(0))
        });
        default
            .with_frame_size_max(frame.max(sent))
            .with_message_size_max(usize::try_from(message.max(sent)).unwrap_or(usize::MAX))
    }

    /// Returns every text that is rendered for a connection, except for the URL.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let headers = self.headers.iter().map(|(_, value)| value.template());
        self.host.iter().chain(headers).chain(&self.subprotocols).chain(&self.origin)
    }
}

/// Checks a limit on what a server sends: from one byte to the most that `serve` accepts.
fn size_max(flag: &str, size: Option<u64>) -> Result<Option<u64>, String> {
    size.map(|size| within_size(flag, size, 1, RECEIVED_SIZE_MAX)).transpose()
}

/// Reads a text of a request.
fn template(flag: &str, text: &str, purpose: Purpose) -> Result<Template, String> {
    let template = Template::parse_for(text.as_bytes(), purpose)
        .map_err(|why| format!("bad {flag}: {why}"))?;
    if template.as_literal().is_none() && template.size_most() > RENDERED_LEN_MAX {
        return Err(format!(
            "bad {flag}: it may grow to {} bytes; use at most {RENDERED_LEN_MAX}",
            template.size_most()
        ));
    }
    Ok(template)
}

/// Makes a user's |Authorization| header (RFC 7617, 2).
fn authorization(
    user: &str,
    headers: &[(String, String)],
    purpose: Purpose,
) -> Result<(String, HeaderValue), String> {
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err("--user and -H 'Authorization: ...' exclude each other".into());
    }
    // The text isn't shown, because it may contain a password.
    if !user.contains(':') {
        return Err("--user has no colon; use NAME:PASSWORD".into());
    }
    let user = template("--user", user, purpose).map_err(|_| {
        "bad --user: a placeholder that doesn't exist; use {conn}, {conn:5} or {rand:8}, or write \
         {{ for a brace"
    })?;
    Ok(("Authorization".into(), HeaderValue::Basic(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_header_as_rfc_7617_has_it() {
        let of = |user: &str, headers: &[_]| authorization(user, headers, Purpose::Request);
        let (name, value) = of("Aladdin:open sesame", &[]).unwrap();
        let user = Template::literal(b"Aladdin:open sesame");
        assert_eq!((&*name, value), ("Authorization", HeaderValue::Basic(user)));
        assert!(of("Aladdin", &[]).unwrap_err().contains("use NAME:PASSWORD"));
        let other = [("authorization".into(), "Bearer x".into())];
        assert!(of("a:b", &other).unwrap_err().contains("exclude each other"));
        let said = of("a:{secret}", &[]).unwrap_err();
        assert!(said.contains("use {conn}, ") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn n8_a_rendered_value_has_a_bound() {
        assert!(template("-H", "{rand:4096}", Purpose::Request).is_ok());
        let said = template("-H", "{rand:65537}", Purpose::Request).unwrap_err();
        assert_eq!(said, "bad -H: it may grow to 65537 bytes; use at most 65536");
    }
}
