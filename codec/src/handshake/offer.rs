//! What a client offers, read from its headers alone (RFC 6455, 4.2.1; RFC 8441, 5).
//!
//! Separate from the bytes of a request, because most stacks have parsed those already: hyper,
//! axum, HTTP/2, HTTP/3, a proxy. The handshake that reads bytes is one user of it. Invariant: an
//! [`Offer`] is handed out only for headers that passed every rule.

use alloc::vec::Vec;
use core::fmt;

use super::acceptance::Acceptance;
use super::answer::{self, Answer};
use super::error::RequestError;
use super::extensions::{self, Extensions, ServerExtensions};
use super::field::{self, Once};
use super::key::EncodedKey;
use super::misuse::HandshakeMisuse;
use super::opening::Opening;

/// How many different subprotocols a request may offer. Stops lists that are costly to search.
const SUBPROTOCOLS_MAX: usize = 64;

/// What a client offers, borrowed from headers that an HTTP stack has parsed.
///
/// ```
/// use wscodec::handshake::{Acceptance, NoExtensions, Offer};
///
/// // What hyper, axum, h2 or another stack has parsed.
/// let headers: [(&str, &[u8]); 5] = [
///     ("host", b"example.com"),
///     ("connection", b"keep-alive, Upgrade"),
///     ("upgrade", b"websocket"),
///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
///     ("sec-websocket-version", b"13"),
/// ];
/// let offer = Offer::from_headers(headers)?;
/// let acceptance = Acceptance::new();
/// let answer = offer.answer(&acceptance, &mut NoExtensions)?;
/// assert_eq!(answer.status(), 101);
/// let headers: Vec<_> = answer.headers().collect();
/// assert_eq!(headers[2], ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Offer<'h> {
    opening: Opening,
    /// The key of a client of HTTP/1.1.
    key: Option<EncodedKey>,
    origin: Option<&'h str>,
    subprotocols: Vec<&'h str>,
    extensions: Vec<&'h [u8]>,
}

/// Shows what is offered, but not the key.
impl fmt::Debug for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("opening", &self.opening)
            .field("origin", &self.origin)
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &self.extensions().map(|offer| offer.name()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl<'h> Offer<'h> {
    /// Reads the headers of a GET request of HTTP/1.1, names in any case, as (name, value).
    ///
    /// The HTTP stack must check the method, the version, the target and |Host|: only a GET of
    /// HTTP/1.1 may become a WebSocket (RFC 6455, 4.2.1).
    ///
    /// # Errors
    /// The [`RequestError`]s that concern headers other than |Host|; answer with
    /// [`status`](RequestError::status). [`RequestError::Upgrade`] means that the request does not
    /// ask for a WebSocket: plain HTTP.
    pub fn from_headers(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, RequestError> {
        Self::read(Opening::Upgrade, headers)
    }

    /// Reads the headers of an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220), names in
    /// any case, as (name, value); pseudo-headers may be among them and are skipped.
    ///
    /// The caller must check that `:method` is CONNECT and `:protocol` is `websocket`: the HTTP
    /// stack hands them over separately from the headers.
    ///
    /// # Errors
    /// [`RequestError::Version`], [`RequestError::Origin`], [`RequestError::Subprotocols`] and
    /// [`RequestError::Extensions`].
    pub fn from_connect_headers(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, RequestError> {
        Self::read(Opening::Connect, headers)
    }

    fn read(
        opening: Opening,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, RequestError> {
        let mut fields = Fields::default();
        let extensions = extensions::gather(headers, |name, value| fields.take(name, value));
        let Judged { key, origin, subprotocols } = fields.judge(opening)?;
        Ok(Self {
            opening,
            key,
            origin: origin.and_then(|origin| core::str::from_utf8(origin).ok()),
            subprotocols: subprotocols.into_iter().filter_map(field::as_token).collect(),
            extensions,
        })
    }

    /// Returns the value of |Origin|: visible ASCII, not checked further. Browsers always send one;
    /// compare it as a whole, and refuse a foreign one with 403 (RFC 6455, 10.2).
    #[must_use]
    pub const fn origin(&self) -> Option<&'h str> {
        self.origin
    }

    /// Returns the subprotocols offered, the preferred one first, each one once.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> + use<'_, 'h> {
        self.subprotocols.iter().copied()
    }

    /// Returns the extensions offered, the preferred one first, and not more than
    /// [`EXTENSIONS_MAX`](super::EXTENSIONS_MAX).
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions::of_values(&self.extensions, extensions::EXTENSIONS_MAX)
    }

    /// Accepts, and returns the status and the headers to answer with, including what `extensions`
    /// accepts of the offers. Pass `&mut NoExtensions` to decline them all.
    ///
    /// # Errors
    /// [`HandshakeMisuse::SubprotocolNotOffered`], [`HandshakeMisuse::ExtensionNotOffered`], and
    /// the errors of `extensions` itself.
    pub fn answer<'a>(
        &self,
        acceptance: &'a Acceptance,
        extensions: &mut impl ServerExtensions,
    ) -> Result<Answer<'a>, HandshakeMisuse> {
        let accept = self.key.map(|key| key.accept());
        answer::answer(accept, self.subprotocols(), &self.extensions(), acceptance, extensions)
    }
}

/// The contents of a request's headers, gathered in one pass.
#[derive(Default)]
pub(super) struct Fields<'h> {
    origin: Once<'h>,
    key: Once<'h>,
    version: Once<'h>,
    has_body: bool,
    upgrade: bool,
    connection: bool,
    subprotocols: Vec<&'h [u8]>,
    /// The error that refuses the first malformed list.
    malformed: Option<RequestError>,
}

/// The result for headers that passed.
pub(super) struct Judged<'h> {
    pub(super) key: Option<EncodedKey>,
    pub(super) origin: Option<&'h [u8]>,
    pub(super) subprotocols: Vec<&'h [u8]>,
}

impl<'h> Fields<'h> {
    /// Takes the next header; its value must have no surrounding white space.
    pub(super) fn take(&mut self, name: &str, value: &'h [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Origin") {
            self.origin.take(value);
        } else if is("Upgrade") {
            self.upgrade |= field::lists(value, b"websocket");
        } else if is("Connection") {
            self.connection |= field::lists(value, b"upgrade");
        } else if is("Sec-WebSocket-Key") {
            self.key.take(value);
        } else if is("Sec-WebSocket-Version") {
            self.version.take(value);
        } else if is("Sec-WebSocket-Protocol") {
            self.take_subprotocols(value);
        } else if is(extensions::NAME) {
            if extensions::judge_line(value).is_err() {
                self.malformed.get_or_insert(RequestError::Extensions);
            }
        } else if is("Content-Length") {
            self.has_body |= value.is_empty() || value.iter().any(|&byte| byte != b'0');
        } else if is("Transfer-Encoding") {
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

    /// Checks the gathered headers by RFC 6455, 4.2.1, or by RFC 8441, 5.
    ///
    /// The most useful answer comes first: the client of a plain HTTP request is told that an
    /// upgrade is required before it is told that a key is missing.
    pub(super) fn judge(self, opening: Opening) -> Result<Judged<'h>, RequestError> {
        if opening == Opening::Upgrade {
            if self.has_body {
                return Err(RequestError::Body);
            }
            if !self.upgrade {
                return Err(RequestError::Upgrade);
            }
            if !self.connection {
                return Err(RequestError::Connection);
            }
        }
        // RFC 6455, 4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13." RFC 8441,
        // 5 keeps it.
        if self.version.value() != Some(b"13") {
            return Err(RequestError::Version);
        }
        let key = match opening {
            // RFC 6455, 11.3.1: "The |Sec-WebSocket-Key| header field MUST NOT appear more than
            // once in an HTTP request."
            Opening::Upgrade => {
                let key = self.key.value().and_then(EncodedKey::parse);
                Some(key.ok_or(RequestError::Key)?)
            }
            // RFC 8441, 5: "Implementations using this extended CONNECT to bootstrap WebSockets do
            // not do the processing of the Sec-WebSocket-Key and Sec-WebSocket-Accept header fields
            // of [RFC6455] as that functionality has been superseded by the :protocol
            // pseudo-header field."
            Opening::Connect => None,
        };
        let origin = match self.origin {
            Once::Absent => None,
            Once::Present(origin) if is_origin(origin) => Some(origin),
            Once::Present(_) | Once::Doubled => return Err(RequestError::Origin),
        };
        match self.malformed {
            Some(error) => Err(error),
            None => Ok(Judged { key, origin, subprotocols: self.subprotocols }),
        }
    }
}

fn is_origin(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_graphic)
}
