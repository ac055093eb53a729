//! The server's response as its client reads it: from a head to a status and the rules of RFC 6455,
//! 4.1.

use super::answered::Fields;
use super::error::{HeadError, ResponseError};
use super::extensions::Extensions;
use super::field;
use super::head::{Head, Headers};
use super::offered::Expected;

/// The head of a response, borrowed from the handshake.
#[derive(Clone, Copy, Debug)]
pub struct Response<'h> {
    head: &'h Head,
    status: u16,
    verdict: Verdict,
}

/// Whether a response has passed every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Failed,
}

impl<'h> Response<'h> {
    /// Creates a 101 that has passed every rule.
    pub(super) const fn accepted(head: &'h Head) -> Self {
        Self { head, status: 101, verdict: Verdict::Accepted }
    }

    /// Creates a response that refuses, or breaks a rule.
    pub(super) const fn failed(head: &'h Head, status: u16) -> Self {
        Self { head, status, verdict: Verdict::Failed }
    }

    /// Returns the status, 101 if the server accepts.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason phrase, which may be empty and need not be UTF-8.
    #[must_use]
    pub fn reason(&self) -> &'h [u8] {
        const BEFORE_REASON: usize = b"HTTP/1.1 101 ".len();
        self.head.start_line().get(BEFORE_REASON..).unwrap_or_default()
    }

    /// Returns the headers in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        self.head.headers()
    }

    /// Returns the value of the first header with that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.head.header(name)
    }

    /// Returns the subprotocol that the server selected, one of those that were offered. A response
    /// that did not open the connection has none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'h str> {
        match self.verdict {
            Verdict::Accepted => self.header("Sec-WebSocket-Protocol").and_then(field::as_token),
            Verdict::Failed => None,
        }
    }
}

/// Returns the status of a status line (RFC 9112, 4), and whether its version is 1.1.
pub(super) fn parse_status_line(line: &[u8]) -> Result<(u16, bool), HeadError> {
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b' ', code @ ..] = line else {
        return Err(HeadError::StartLine);
    };
    if !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return Err(HeadError::StartLine);
    }
    let (major, minor) = (major - b'0', minor - b'0');
    let is_1_1 = match (major, minor) {
        (1, 1) => true,
        (1, 0) => false, // may refuse, but not switch protocols
        _ => return Err(HeadError::Version { major, minor }),
    };
    let ([a, b, c] | [a, b, c, b' ', ..]) = code else { return Err(HeadError::StartLine) };
    let mut status = 0;
    for digit in [a, b, c] {
        if !digit.is_ascii_digit() {
            return Err(HeadError::StartLine);
        }
        status = status * 10 + u16::from(digit - b'0');
    }
    if status < 100 {
        return Err(HeadError::StartLine);
    }
    Ok((status, is_1_1))
}

/// Checks a 101.
pub(super) fn judge(head: &Head, expected: &Expected) -> Result<(), ResponseError> {
    let mut fields = Fields::default();
    for header in head.headers() {
        fields.take(header.name, header.value);
    }
    fields.judge(expected, &Extensions::answer(head)).map(drop)
}
