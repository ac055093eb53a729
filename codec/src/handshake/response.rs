//! The server's response as its client reads it: from a head to a status and the rules of RFC 6455,
//! 4.1.

use super::error::{HeadError, ResponseError};
use super::extensions::{self, Extensions};
use super::field::{self, Once};
use super::head::{Head, Header, Headers};

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
    /// A 101 that has passed every rule.
    pub(super) const fn accepted(head: &'h Head) -> Self {
        Self { head, status: 101, verdict: Verdict::Accepted }
    }

    /// A response that refuses, or does not keep the rules.
    pub(super) const fn failed(head: &'h Head, status: u16) -> Self {
        Self { head, status, verdict: Verdict::Failed }
    }

    /// The status, 101 if the server accepts.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase, which may be empty and need not be UTF-8.
    #[must_use]
    pub fn reason(&self) -> &'h [u8] {
        const BEFORE_REASON: usize = b"HTTP/1.1 101 ".len();
        self.head.start_line().get(BEFORE_REASON..).unwrap_or_default()
    }

    /// The headers in their order.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        self.head.headers()
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.headers().find(|header| header.is(name)).map(|header| header.value)
    }

    /// The subprotocol that the server selected, one of those that were offered. A response that
    /// has not opened the connection has none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'h str> {
        match self.verdict {
            Verdict::Accepted => self.header("Sec-WebSocket-Protocol").and_then(field::as_token),
            Verdict::Failed => None,
        }
    }
}

/// The status of a status line (RFC 9112, 4), and whether its version is 1.1.
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

/// What a 101 says, gathered in one walk over its headers.
#[derive(Debug, Default)]
struct Answer<'h> {
    upgrade: Option<bool>,
    connection: bool,
    accept: Once<'h>,
    subprotocol: Once<'h>,
    extensions_malformed: bool,
}

impl<'h> Answer<'h> {
    fn read(head: &'h Head) -> Self {
        let mut answer = Self::default();
        for header in head.headers() {
            answer.take(header);
        }
        answer
    }

    fn take(&mut self, header: Header<'h>) {
        let value = header.value;
        if header.is("Upgrade") {
            // Every element must be `websocket`: a server switches to one protocol.
            let mut elements = field::list(value).peekable();
            let is_websocket = elements.peek().is_some()
                && elements.all(|element| element.eq_ignore_ascii_case(b"websocket"));
            self.upgrade = Some(is_websocket && self.upgrade.unwrap_or(true));
        } else if header.is("Connection") {
            self.connection |=
                field::list(value).any(|element| element.eq_ignore_ascii_case(b"upgrade"));
        } else if header.is("Sec-WebSocket-Accept") {
            self.accept.take(value);
        } else if header.is("Sec-WebSocket-Protocol") {
            self.subprotocol.take(value);
        } else if header.is(extensions::NAME) {
            self.extensions_malformed |= extensions::judge_line(value).is_err();
        }
    }
}

/// Judges a 101 by RFC 6455, 4.1. |Content-Length| and |Transfer-Encoding| are ignored: a 1xx has
/// no content, and what follows its head are frames (RFC 9112, 6.3).
pub(super) fn judge(
    head: &Head,
    accept: &[u8],
    subprotocols_offered: &str,
    extensions_offered: &Extensions<'_>,
) -> Result<(), ResponseError> {
    let answer = Answer::read(head);
    // "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a
    // value that is not an ASCII case-insensitive match for the value "websocket", the client MUST
    // _Fail the WebSocket Connection_."
    if answer.upgrade != Some(true) {
        return Err(ResponseError::Upgrade);
    }
    // "If the response lacks a |Connection| header field or the |Connection| header field doesn't
    // contain a token that is an ASCII case-insensitive match for the value "Upgrade", the client
    // MUST _Fail the WebSocket Connection_."
    if !answer.connection {
        return Err(ResponseError::Connection);
    }
    // RFC 6455, 11.3.3: "The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an
    // HTTP response."
    match answer.accept {
        Once::Absent => return Err(ResponseError::AcceptMissing),
        Once::Doubled => return Err(ResponseError::AcceptDoubled),
        Once::Present(value) if value != accept => return Err(ResponseError::AcceptMismatch),
        Once::Present(_) => {}
    }
    // "[...] and this header field indicates the use of a subprotocol that was not present in the
    // client's handshake [...], the client MUST _Fail the WebSocket Connection_."
    let is_offered = match answer.subprotocol {
        Once::Absent => true,
        Once::Present(selected) => {
            field::list(subprotocols_offered.as_bytes()).any(|offered| offered == selected)
        }
        Once::Doubled => false,
    };
    if !is_offered {
        return Err(ResponseError::Subprotocol);
    }
    if answer.extensions_malformed {
        return Err(ResponseError::Extensions);
    }
    // "[...] and this header field indicates the use of an extension that was not present in the
    // client's handshake [...], the client MUST _Fail the WebSocket Connection_."
    let answered = Extensions::answer(head);
    if !extensions::are_offered(&answered, extensions_offered) {
        return Err(ResponseError::ExtensionNotOffered);
    }
    if extensions::has_doubled(&answered) {
        return Err(ResponseError::ExtensionDoubled);
    }
    Ok(())
}
