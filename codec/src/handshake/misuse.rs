//! What the caller may not put into a handshake.

use core::fmt;

use bytes::BufMut;

/// Why something was not written: the caller's fault. Nothing was written, and nothing has changed.
///
/// Every text from the caller is checked before a byte is written, so a CR LF in it can't split a
/// request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeMisuse {
    /// A |Host| value that is not a host with an optional port.
    Host {
        /// The position of the wrong byte; 0 for an empty value, its length if its end is missing.
        at: usize,
    },
    /// A request target that does not begin with `/`, or has a byte that is not allowed in a
    /// target: control characters, space, `#`, bytes beyond ASCII, or an encoded NUL.
    Target {
        /// The position of the byte.
        at: usize,
    },
    /// A header name that is not a token.
    HeaderName,
    /// A header that the handshake itself writes: |Host|, |Connection|, |Upgrade|,
    /// |Content-Length|,
    /// |Transfer-Encoding| and all that begin with `Sec-WebSocket-`.
    HeaderReserved,
    /// A header value with a forbidden byte: a control character other than HTAB, or a byte beyond
    /// ASCII.
    HeaderValue {
        /// The position of the byte.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A subprotocol that is not a token.
    Subprotocol,
    /// A subprotocol offered twice (RFC 6455, 4.1: "MUST all be unique strings").
    SubprotocolDoubled,
    /// A subprotocol that the client did not offer (RFC 6455, 4.2.2).
    SubprotocolNotOffered,
    /// An extension name, parameter or value that is not a token, or a parameter without an
    /// extension.
    Extension,
    /// An extension that the client did not offer (RFC 6455, 9.1).
    ExtensionNotOffered,
    /// A status that can't refuse a handshake with a body: below 200, above 599, 204, 205 or 304.
    Status {
        /// The status.
        status: u16,
    },
    /// There is no request to accept: none has arrived yet, it was not valid, or it has been
    /// answered.
    NoRequest,
    /// The caller's buffer can't take what is to be written.
    BufferFull {
        /// The room needed, in bytes.
        needed: usize,
    },
}

impl HandshakeMisuse {
    /// Returns a short, stable name for counters and logs, such as `header_reserved`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host_argument",
            Self::Target { .. } => "target_argument",
            Self::HeaderName => "header_name_argument",
            Self::HeaderReserved => "header_reserved",
            Self::HeaderValue { .. } => "header_value_argument",
            Self::Subprotocol => "subprotocol_argument",
            Self::SubprotocolDoubled => "subprotocol_doubled",
            Self::SubprotocolNotOffered => "subprotocol_not_offered",
            Self::Extension => "extension_argument",
            Self::ExtensionNotOffered => "extension_not_offered_argument",
            Self::Status { .. } => "status_argument",
            Self::NoRequest => "no_request",
            Self::BufferFull { .. } => "buffer_full",
        }
    }
}

impl fmt::Display for HandshakeMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Host { at } => write!(f, "host is empty or malformed at byte {at}"),
            Self::Target { at } => write!(f, "request target malformed at byte {at}"),
            Self::HeaderName => f.write_str("header name is not a token"),
            Self::HeaderReserved => f.write_str("header belongs to the handshake"),
            Self::HeaderValue { at, byte } => {
                write!(f, "header value has byte {byte:#04x} at {at}")
            }
            Self::Subprotocol => f.write_str("subprotocol is not a token"),
            Self::SubprotocolDoubled => f.write_str("subprotocol offered twice"),
            Self::SubprotocolNotOffered => f.write_str("subprotocol was not offered"),
            Self::Extension => f.write_str("extension or parameter is not a token"),
            Self::ExtensionNotOffered => f.write_str("extension was not offered"),
            Self::Status { status } => write!(f, "status {status} can't refuse a handshake"),
            Self::NoRequest => f.write_str("there is no request to accept"),
            Self::BufferFull { needed } => write!(f, "buffer has no room for {needed} bytes"),
        }
    }
}

impl core::error::Error for HandshakeMisuse {}

/// Appends `parts` to `out`, all or nothing.
pub(super) fn write(out: &mut impl BufMut, parts: &[&[u8]]) -> Result<(), HandshakeMisuse> {
    let needed = parts.iter().map(|part| part.len()).sum();
    if out.remaining_mut() < needed {
        return Err(HandshakeMisuse::BufferFull { needed });
    }
    for part in parts {
        out.put_slice(part);
    }
    Ok(())
}
