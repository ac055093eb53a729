//! The response with which a server refuses: from an error or a status to bytes.

use crate::redacted::Redacted;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::client_request::push_header;
use super::error::HandshakeError;
use super::field;
use super::misuse::HandshakeMisuse;

/// The default type of a body.
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// A response that refuses a handshake: status, headers, body.
///
/// It always says `Connection: close` and the body's length. A 405 names `GET`, a 426 names
/// `websocket` and version 13 (RFC 6455, 4.2.2). If made from a [`HandshakeError`], its body says
/// what was wrong in a line of text.
///
/// ```
/// use wscodec::handshake::Rejection;
/// let rejection = Rejection::new(503)?.header("Retry-After", "5")?.body("too many connections\n");
/// # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    status: u16,
    headers: Vec<u8>,
    has_content_type: bool,
    body: Vec<u8>,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.status)
            .field("headers", &Redacted(self.headers.len()))
            .field("body", &Redacted(self.body.len()))
            .finish_non_exhaustive()
    }
}

impl Rejection {
    /// Creates a refusal with this status, 200 to 599 except those that can't have a body, and
    /// without a body.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Status`].
    pub const fn new(status: u16) -> Result<Self, HandshakeMisuse> {
        match status {
            204 | 205 | 304 => Err(HandshakeMisuse::Status { status }),
            200..=599 => Ok(Self::of_status(status)),
            _ => Err(HandshakeMisuse::Status { status }),
        }
    }

    const fn of_status(status: u16) -> Self {
        Self { status, headers: Vec::new(), has_content_type: false, body: Vec::new() }
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`HandshakeMisuse::HeaderName`], [`HandshakeMisuse::HeaderReserved`] and
    /// [`HandshakeMisuse::HeaderValue`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HandshakeMisuse> {
        push_header(&mut self.headers, name, value)?;
        self.has_content_type |= name.eq_ignore_ascii_case("Content-Type");
        Ok(self)
    }

    /// Replaces the body. It is plain text unless a |Content-Type| header says otherwise.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the headers, as (name, value), without |Connection| and |Content-Length|: for HTTP
    /// stacks that write responses themselves. A 426 still has |Connection|, since RFC 9110, 7.8
    /// requires the `Upgrade` option in it.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_status: &[(&str, &str)] = match self.status {
            405 => &[("Allow", "GET")],
            426 => &[
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Connection", "Upgrade"),
            ],
            _ => &[],
        };
        let has_own_type = self.body.is_empty() || self.has_content_type;
        let content_type = (!has_own_type).then_some(("Content-Type", PLAIN_TEXT));
        of_status.iter().copied().chain(field::lines(&self.headers)).chain(content_type)
    }

    /// Consumes the response and returns its body.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Returns the response up to and including its blank line.
    pub(super) fn encode_head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        // RFC 9110, 7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option in the
        // Connection header field".
        let option = if self.status == 426 { "close, Upgrade" } else { "close" };
        let content_len = self.body.len().to_string();
        let others = self.headers().filter(|(name, _)| *name != "Connection");
        let headers = [("Connection", option)].into_iter().chain(others);
        for (name, value) in headers.chain([("Content-Length", &*content_len)]) {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        }
        head.push_str("\r\n");
        head
    }

    pub(super) fn body_bytes(&self) -> &[u8] {
        &self.body
    }
}

impl From<HandshakeError> for Rejection {
    fn from(error: HandshakeError) -> Self {
        // A status that this server received or sent itself may not allow a body: it becomes a 502.
        let rejection = Self::new(error.status()).unwrap_or(Self::of_status(502));
        rejection.body(format!("{error}\n"))
    }
}

/// Returns the reason phrase of a status (RFC 9110, 15); empty if the status is not commonly used
/// here.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
