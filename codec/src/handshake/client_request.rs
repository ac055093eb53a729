//! The client's request, from the caller's values to bytes; made once, sent with a fresh key for
//! each connection.
//!
//! Invariant: every text in it has been checked, so it encodes to exactly one request.

use crate::redacted::Redacted;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::field;
use super::host;
use super::misuse::HandshakeMisuse;
use super::target;

/// A client's request: target, host, subprotocols and additional headers.
///
/// ```
/// use wscodec::handshake::{ClientRequest, HandshakeMisuse};
///
/// let request = ClientRequest::new("example.com:8080", "/chat?room=1")?
///     .subprotocol("chat.v2")?
///     .subprotocol("chat")?
///     .origin("http://example.com")?
///     .header("Authorization", "Bearer 1234")?;
///
/// // What would split the request is refused before a byte is written.
/// let error = ClientRequest::new("example.com", "/chat\r\nX: 1").unwrap_err();
/// assert_eq!(error, HandshakeMisuse::Target { at: 5 });
/// # Ok::<_, HandshakeMisuse>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRequest {
    /// The start of the request, without the lines generated from the other fields.
    head: Vec<u8>,
    /// The value of |Sec-WebSocket-Protocol|.
    subprotocols: String,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("head", &Redacted(self.head.len()))
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}

impl ClientRequest {
    /// Creates a request for `target`, a path with an optional query, to the server `host`: the
    /// value of |Host|, including the port unless it is the scheme's default (RFC 6455, 4.1).
    ///
    /// # Errors
    /// [`HandshakeMisuse::Host`] and [`HandshakeMisuse::Target`].
    pub fn new(host: &str, target: &str) -> Result<Self, HandshakeMisuse> {
        if let Some(at) = host::find_fault(host.as_bytes()) {
            return Err(HandshakeMisuse::Host { at });
        }
        if !target.starts_with('/') {
            return Err(HandshakeMisuse::Target { at: 0 });
        }
        if let Some(at) = target::find_refused(target.as_bytes()) {
            return Err(HandshakeMisuse::Target { at });
        }
        let parts: [&[u8]; 5] = [
            b"GET ",
            target.as_bytes(),
            b" HTTP/1.1\r\nHost: ",
            host.as_bytes(),
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
        ];
        Ok(Self { head: parts.concat(), subprotocols: String::new() })
    }

    /// Offers a subprotocol; the first one offered is the preferred one.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Subprotocol`] and [`HandshakeMisuse::SubprotocolDoubled`].
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
        if !field::is_token(name.as_bytes()) {
            return Err(HandshakeMisuse::Subprotocol);
        }
        if field::list(self.subprotocols.as_bytes()).any(|offered| offered == name.as_bytes()) {
            return Err(HandshakeMisuse::SubprotocolDoubled);
        }
        if !self.subprotocols.is_empty() {
            self.subprotocols.push_str(", ");
        }
        self.subprotocols.push_str(name);
        Ok(self)
    }

    /// Sets the origin on whose behalf the client connects, such as `http://example.com`.
    ///
    /// # Errors
    /// [`HandshakeMisuse::HeaderValue`] if it is not visible ASCII.
    pub fn origin(mut self, origin: &str) -> Result<Self, HandshakeMisuse> {
        if let Some((at, byte)) =
            field::find_refused(origin.as_bytes(), |byte| byte.is_ascii_graphic())
        {
            return Err(HandshakeMisuse::HeaderValue { at, byte });
        }
        push_header(&mut self.head, "Origin", origin)?;
        Ok(self)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`HandshakeMisuse::HeaderName`], [`HandshakeMisuse::HeaderReserved`] and
    /// [`HandshakeMisuse::HeaderValue`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HandshakeMisuse> {
        push_header(&mut self.head, name, value)?;
        Ok(self)
    }

    /// Returns the target: a path with an optional query.
    #[must_use]
    pub fn target(&self) -> &str {
        let line = self.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        core::str::from_utf8(target).unwrap_or_default() // ASCII: checked
    }

    /// Returns the value of |Host|.
    #[must_use]
    pub fn host(&self) -> &str {
        field::lines(self.header_lines()).next().map_or("", |(_, host)| host)
    }

    /// Returns the subprotocols offered, as the header's value.
    pub(super) fn subprotocols(&self) -> &str {
        &self.subprotocols
    }

    /// Returns the header lines of [`head`](Self::head).
    pub(super) fn header_lines(&self) -> &[u8] {
        let line_len = self.head.iter().take_while(|&&byte| byte != b'\n').count();
        self.head.get(line_len + 1..).unwrap_or_default()
    }

    /// Returns the request up to the lines that differ for each connection.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }
}

/// Appends a header line from the caller, if it can't change what the rest of the head means.
pub(super) fn push_header(
    head: &mut Vec<u8>,
    name: &str,
    value: &str,
) -> Result<(), HandshakeMisuse> {
    if !field::is_token(name.as_bytes()) {
        return Err(HandshakeMisuse::HeaderName);
    }
    if is_reserved(name) {
        return Err(HandshakeMisuse::HeaderReserved);
    }
    let allowed = |byte: u8| byte.is_ascii() && field::is_value_byte(byte);
    if let Some((at, byte)) = field::find_refused(value.as_bytes(), allowed) {
        return Err(HandshakeMisuse::HeaderValue { at, byte });
    }
    for part in [name, ": ", value, "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    Ok(())
}

/// Returns whether the handshake itself writes the header with that name, or must not have it.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 5] =
        ["Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding"];
    const PREFIX: &str = "Sec-WebSocket-";
    RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}
