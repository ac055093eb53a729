//! The opening request of a connection, and the time limits for opening and closing it.

use std::time::Duration;

use super::{Purpose, TIMEOUT_MAX, Template, bounded};
use crate::cli::RequestArgs;
use crate::deflate;
use crate::net::Secrets;

/// Most bytes of a header's value, or of another text of the request, that has placeholders.
const RENDERED_LEN_MAX: usize = 64 << 10;

/// The opening request, and the time limits for opening and closing a connection.
#[derive(Clone, Debug)]
pub struct Request {
    /// The |Host| header, if it differs from the URL's.
    pub host: Option<Template>,
    /// Headers beside those of the protocol.
    pub headers: Vec<(String, HeaderValue)>,
    /// Subprotocols to offer, the preferred first.
    pub subprotocols: Vec<Template>,
    /// The |Origin| header.
    pub origin: Option<Template>,
    /// Whether secrets are masked where the request is shown or saved.
    pub secrets: Secrets,
    /// permessage-deflate; `None` offers nothing.
    pub deflate: Option<deflate::Offer>,
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
    /// A user and password, in base64 behind the scheme's name (RFC 7617, 2).
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
    /// Checks the bounds and reads the placeholders; whether the headers may be sent is checked when
    /// the request is rendered. `purpose` is [`Purpose::Request`], or [`Purpose::TopicRequest`]
    /// where connections have topics.
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
            connect_timeout: bounded(
                "--connect-timeout",
                args.connect_timeout,
                least,
                TIMEOUT_MAX,
            )?,
            close_timeout: bounded("--close-timeout", args.close_timeout, least, TIMEOUT_MAX)?,
        })
    }

    /// Returns every text that is rendered for a connection, except for the URL.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let headers = self.headers.iter().map(|(_, value)| value.template());
        self.host.iter().chain(headers).chain(&self.subprotocols).chain(&self.origin)
    }
}

/// Reads a text of a request.
fn template(flag: &str, text: &str, purpose: Purpose) -> Result<Template, String> {
    let template = Template::parse_for(text.as_bytes(), purpose)
        .map_err(|why| format!("bad {flag}: {why}"))?;
    if template.as_literal().is_none() && template.size_most() > RENDERED_LEN_MAX {
        return Err(format!(
            "bad {flag}: it may come to {} bytes; use at most {RENDERED_LEN_MAX}",
            template.size_most()
        ));
    }
    Ok(template)
}

/// Makes the |Authorization| header of a user (RFC 7617, 2).
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
        assert_eq!(said, "bad -H: it may come to 65537 bytes; use at most 65536");
    }
}
