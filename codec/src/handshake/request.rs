//! A client's request as the server reads it: from a head to the rules of RFC 6455, 4.2.1.
//!
//! Invariant: a [`Request`] is handed out only for a request that passed every rule.

use alloc::vec::Vec;

use super::error::{HandshakeError, HeadError, RequestError};
use super::extensions::Extensions;
use super::field::Once;
use super::head::{Head, Headers, Span};
use super::host;
use super::offer::{self, Fields};
use super::opening::Opening;
use super::target::Target;

/// A request that may be accepted, borrowed from the handshake.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h> {
    head: &'h Head,
    judged: &'h Judged,
}

impl<'h> Request<'h> {
    pub(super) const fn new(head: &'h Head, judged: &'h Judged) -> Self {
        Self { head, judged }
    }

    /// Returns the request target as it was received, in origin-form or absolute-form. Visible
    /// ASCII, still percent-encoded.
    #[must_use]
    pub fn target(&self) -> &'h str {
        self.judged.target_text.text(self.head.bytes())
    }

    /// Returns the target's path, from the slash on.
    #[must_use]
    pub fn path(&self) -> &'h str {
        self.judged.target.path.map_or("/", |path| path.text(self.head.bytes()))
    }

    /// Returns the target's query, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&'h str> {
        self.judged.target.query.map(|query| query.text(self.head.bytes()))
    }

    /// Returns the host and port that the client wants: the authority of an absolute-form target,
    /// which overrides |Host| (RFC 9112, 3.2.2), or else |Host|. Never empty.
    #[must_use]
    pub fn host(&self) -> &'h str {
        self.judged.target.authority.unwrap_or(self.judged.host).text(self.head.bytes())
    }

    /// Returns the value of |Origin|: visible ASCII, not checked further. Browsers always send one;
    /// compare it as a whole, never only its end or its beginning, and refuse a foreign one with
    /// 403 (RFC 6455, 10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&'h str> {
        self.judged.origin.map(|origin| origin.text(self.head.bytes()))
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

    /// Returns the subprotocols that the client offers, the preferred one first, each one once.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> + use<'h> {
        let bytes = self.head.bytes();
        self.judged.subprotocols.iter().map(|name| name.text(bytes))
    }

    /// Returns the extensions that the client offers, the preferred one first, and not more than
    /// [`EXTENSIONS_MAX`](super::EXTENSIONS_MAX).
    #[must_use]
    pub fn extensions(&self) -> Extensions<'h> {
        Extensions::offers(self.head)
    }
}

/// The parts of a request that passed, by position in its head.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    target_text: Span,
    target: Target,
    host: Span,
    origin: Option<Span>,
    subprotocols: Vec<Span>,
    pub(super) accept: [u8; 28],
}

/// A request line of HTTP/1 in its three parts (RFC 9112, 3).
pub(super) struct RequestLine<'h> {
    pub(super) method: &'h [u8],
    pub(super) target: &'h [u8],
    /// The digit after the point of the version.
    pub(super) minor: u8,
}

impl<'h> RequestLine<'h> {
    pub(super) fn parse(line: &'h [u8]) -> Result<Self, HeadError> {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let (Some(method), Some(target), Some(version)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(HeadError::StartLine);
        };
        match version {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                let (major, minor) = (major - b'0', minor - b'0');
                if major == 1 && minor <= 1 {
                    Ok(Self { method, target, minor })
                } else {
                    Err(HeadError::Version { major, minor })
                }
            }
            _ => Err(HeadError::StartLine),
        }
    }
}

/// Checks the complete head of a request by RFC 6455, 4.2.1.
pub(super) fn judge(head: &Head) -> Result<Judged, HandshakeError> {
    let bytes = head.bytes();
    let line = RequestLine::parse(head.start_line())?;
    if line.minor != 1 {
        return Err(HeadError::Version { major: 1, minor: line.minor }.into());
    }
    // RFC 6455, 4.2.1: "An HTTP/1.1 or higher GET request [...]". Methods are case-sensitive.
    if line.method != b"GET" {
        return Err(RequestError::Method.into());
    }
    let target = Target::parse(line.target, bytes).ok_or(RequestError::Target)?;
    let (mut fields, mut host) = (Fields::default(), Once::default());
    for header in head.headers() {
        if header.is("Host") {
            host.take(header.value);
        } else {
            fields.take(header.name, header.value);
        }
    }
    // RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
    // request message that lacks a Host header field and to any request message that contains more
    // than one Host header field line or a Host header field with an invalid field value."
    let host =
        host.value().filter(|host| host::find_fault(host).is_none()).ok_or(RequestError::Host)?;
    let offer::Judged { key, origin, subprotocols } = fields.judge(Opening::Upgrade)?;
    Ok(Judged {
        target_text: Span::of(line.target, bytes),
        target,
        host: Span::of(host, bytes),
        origin: origin.map(|origin| Span::of(origin, bytes)),
        subprotocols: subprotocols.iter().map(|name| Span::of(name, bytes)).collect(),
        accept: key.ok_or(RequestError::Key)?.accept(),
    })
}
