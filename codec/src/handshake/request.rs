//! A client's request as the server reads it: from a head to the rules of RFC 6455, 4.2.1.
//!
//! Invariant: a [`Request`] is handed out only of a request that has passed every rule.

use alloc::vec::Vec;

use super::error::{HandshakeError, HeadError, RequestError};
use super::extensions::{self, Extensions};
use super::field::{self, Once};
use super::head::{Head, Header, Headers, Span};
use super::host;
use super::key::EncodedKey;
use super::target::Target;

/// How many different subprotocols a request may offer. Stops lists that are costly to search.
const SUBPROTOCOLS_MAX: usize = 64;

/// A request that may be accepted, borrowed from the handshake.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h> {
    head: &'h Head,
    opening: &'h Opening,
}

impl<'h> Request<'h> {
    pub(super) const fn new(head: &'h Head, opening: &'h Opening) -> Self {
        Self { head, opening }
    }

    /// The request target as it was received, in origin-form or absolute-form. Visible ASCII,
    /// percent-encoding and all.
    #[must_use]
    pub fn target(&self) -> &'h str {
        self.opening.target_text.text(self.head.bytes())
    }

    /// The target's path, from the slash on.
    #[must_use]
    pub fn path(&self) -> &'h str {
        self.opening.target.path.map_or("/", |path| path.text(self.head.bytes()))
    }

    /// The target's query, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&'h str> {
        self.opening.target.query.map(|query| query.text(self.head.bytes()))
    }

    /// The host and port that the client wants: the authority of an absolute-form target, which
    /// overrides |Host| (RFC 9112, 3.2.2), or else |Host|. Never empty.
    #[must_use]
    pub fn host(&self) -> &'h str {
        self.opening.target.authority.unwrap_or(self.opening.host).text(self.head.bytes())
    }

    /// The value of |Origin|: visible ASCII, and no more than that is known of it. Browsers send
    /// one always; compare it whole, never its end or its beginning, and refuse what is foreign
    /// with 403 (RFC 6455, 10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&'h str> {
        self.opening.origin.map(|origin| origin.text(self.head.bytes()))
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

    /// The subprotocols that the client offers, the preferred one first, each one once.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> + use<'h> {
        let bytes = self.head.bytes();
        self.opening.subprotocols.iter().map(|name| name.text(bytes))
    }

    /// The extensions that the client offers, the preferred one first, and not more than
    /// [`EXTENSIONS_MAX`](super::EXTENSIONS_MAX).
    #[must_use]
    pub fn extensions(&self) -> Extensions<'h> {
        Extensions::offers(self.head)
    }
}

/// What has been found in a request that passed, by position in its head.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    target_text: Span,
    target: Target,
    host: Span,
    origin: Option<Span>,
    subprotocols: Vec<Span>,
    pub(super) key: EncodedKey,
}

/// A request line in its three parts (RFC 9112, 3).
struct RequestLine<'h> {
    method: &'h [u8],
    target: &'h [u8],
}

impl<'h> RequestLine<'h> {
    fn parse(line: &'h [u8]) -> Result<Self, HeadError> {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let (Some(method), Some(target), Some(version)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(HeadError::StartLine);
        };
        match version {
            b"HTTP/1.1" => Ok(Self { method, target }),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Err(HeadError::Version { major: major - b'0', minor: minor - b'0' })
            }
            _ => Err(HeadError::StartLine),
        }
    }
}

/// What the headers say, gathered in one walk over them.
#[derive(Debug, Default)]
struct Fields<'h> {
    host: Once<'h>,
    origin: Once<'h>,
    key: Once<'h>,
    version: Once<'h>,
    has_body: bool,
    upgrade: bool,
    connection: bool,
    subprotocols: Vec<&'h [u8]>,
    /// What the first malformed list is refused with.
    malformed: Option<RequestError>,
}

impl<'h> Fields<'h> {
    fn read(head: &'h Head) -> Self {
        let mut fields = Self::default();
        for header in head.headers() {
            fields.take(header);
        }
        fields
    }

    fn take(&mut self, header: Header<'h>) {
        let value = header.value;
        if header.is("Host") {
            self.host.take(value);
        } else if header.is("Origin") {
            self.origin.take(value);
        } else if header.is("Upgrade") {
            self.upgrade |=
                field::list(value).any(|element| element.eq_ignore_ascii_case(b"websocket"));
        } else if header.is("Connection") {
            self.connection |=
                field::list(value).any(|element| element.eq_ignore_ascii_case(b"upgrade"));
        } else if header.is("Sec-WebSocket-Key") {
            self.key.take(value);
        } else if header.is("Sec-WebSocket-Version") {
            self.version.take(value);
        } else if header.is("Sec-WebSocket-Protocol") {
            self.take_subprotocols(value);
        } else if header.is(extensions::NAME) {
            if extensions::judge_line(value).is_err() {
                self.malformed.get_or_insert(RequestError::Extensions);
            }
        } else if header.is("Content-Length") {
            self.has_body |= value.is_empty() || value.iter().any(|&byte| byte != b'0');
        } else if header.is("Transfer-Encoding") {
            self.has_body = true;
        }
    }

    fn take_subprotocols(&mut self, value: &'h [u8]) {
        let mut names = field::list(value).peekable();
        // RFC 6455, 4.3: "Sec-WebSocket-Protocol-Client = 1#token".
        let mut is_well_formed = names.peek().is_some();
        for name in names {
            if self.subprotocols.contains(&name) {
                continue; // the client must not repeat it, but what that means is clear
            }
            is_well_formed &= field::is_token(name) && self.subprotocols.len() < SUBPROTOCOLS_MAX;
            if !is_well_formed {
                break;
            }
            self.subprotocols.push(name);
        }
        if !is_well_formed {
            self.malformed.get_or_insert(RequestError::Subprotocols);
        }
    }
}

/// Judges the complete head of a request by RFC 6455, 4.2.1.
///
/// The order is that of the answers' use: a request that is plain HTTP learns that an upgrade is
/// required before it learns that it lacks a key.
pub(super) fn judge(head: &Head) -> Result<Opening, HandshakeError> {
    let bytes = head.bytes();
    let line = RequestLine::parse(head.start_line())?;
    // RFC 6455, 4.2.1: "An HTTP/1.1 or higher GET request [...]". Methods are case-sensitive.
    if line.method != b"GET" {
        return Err(RequestError::Method.into());
    }
    let target = Target::parse(line.target, bytes).ok_or(RequestError::Target)?;
    let fields = Fields::read(head);
    // RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
    // request message that lacks a Host header field and to any request message that contains more
    // than one Host header field line or a Host header field with an invalid field value."
    let host = fields
        .host
        .value()
        .filter(|host| host::find_fault(host).is_none())
        .ok_or(RequestError::Host)?;
    if fields.has_body {
        return Err(RequestError::Body.into());
    }
    if !fields.upgrade {
        return Err(RequestError::Upgrade.into());
    }
    if !fields.connection {
        return Err(RequestError::Connection.into());
    }
    // RFC 6455, 4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13."
    if fields.version.value() != Some(b"13") {
        return Err(RequestError::Version.into());
    }
    // RFC 6455, 11.3.1: "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an
    // HTTP request."
    let key = fields.key.value().and_then(EncodedKey::parse).ok_or(RequestError::Key)?;
    let origin = match fields.origin {
        Once::Absent => None,
        Once::Present(origin) if is_origin(origin) => Some(origin),
        Once::Present(_) | Once::Doubled => return Err(RequestError::Origin.into()),
    };
    if let Some(error) = fields.malformed {
        return Err(error.into());
    }
    Ok(Opening {
        target_text: Span::of(line.target, bytes),
        target,
        host: Span::of(host, bytes),
        origin: origin.map(|origin| Span::of(origin, bytes)),
        subprotocols: fields.subprotocols.iter().map(|name| Span::of(name, bytes)).collect(),
        key,
    })
}

fn is_origin(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_graphic)
}
