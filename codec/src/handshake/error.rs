//! What can be wrong with the peer's part of the handshake, and the one `match` from error to HTTP
//! status.

use core::fmt;

/// Why the opening handshake failed: by the peer's fault or its decision.
///
/// After any of these, the handshake stays failed and takes no more input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// What arrived is not the head of an HTTP/1.1 message, or is beyond a limit. Either side.
    Head(HeadError),
    /// The request is HTTP, but not an opening handshake that a server may accept (RFC 6455,
    /// 4.2.1).
    Request(RequestError),
    /// The response is HTTP, but does not open a connection (RFC 6455, 4.1).
    Response(ResponseError),
    /// The stream ended before the head did.
    UnexpectedEof,
    /// This server has already refused the handshake, with this status. Nothing more is parsed.
    Rejected {
        /// The status that was sent.
        status: u16,
    },
}

/// What is wrong with a head, before its fields mean anything.
///
/// Stricter than RFC 9112 where leniency has been used for smuggling: every line must end in CR LF,
/// no line may be folded, and no empty line may precede the start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The first bytes can't begin an HTTP message: TLS, SSH, FTP and the like. Detected at the
    /// first wrong byte.
    NotHttp {
        /// How many bytes were correct.
        at: usize,
        /// The wrong byte.
        byte: u8,
    },
    /// The start line is not `method SP target SP version`, or `version SP status [SP reason]`.
    StartLine,
    /// An HTTP version other than 1.1.
    Version {
        /// The digit before the point.
        major: u8,
        /// The digit after the point.
        minor: u8,
    },
    /// A line that ends in LF without CR.
    BareLf,
    /// A CR not followed by LF.
    BareCr,
    /// A control character.
    ControlCharacter {
        /// The character.
        byte: u8,
    },
    /// A header name that is empty or not a token; this includes white space before the colon.
    HeaderName {
        /// The byte that is not allowed in a token.
        byte: u8,
    },
    /// A header line that begins with white space: obsolete line folding, or a trick (RFC 9112,
    /// 5.2).
    Folding,
    /// The start line is longer than
    /// [`HandshakeLimits::start_line_size_max`](super::HandshakeLimits).
    StartLineTooLong {
        /// The limit, in bytes.
        start_line_size_max: usize,
    },
    /// The head is longer than [`HandshakeLimits::head_size_max`](super::HandshakeLimits).
    TooLarge {
        /// The limit, in bytes.
        head_size_max: usize,
    },
    /// More header lines than [`HandshakeLimits::headers_max`](super::HandshakeLimits).
    TooManyHeaders {
        /// The limit.
        headers_max: usize,
    },
}

/// Why a request is not an opening handshake that may be accepted (RFC 6455, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A method other than `GET`.
    Method,
    /// A target that is neither in origin-form nor an absolute `http`, `https`, `ws` or `wss` URI,
    /// or has characters that are not allowed in a URI, a fragment, or an encoded NUL.
    Target,
    /// No |Host|, several, an empty one, or one with characters that are not allowed in an
    /// authority.
    Host,
    /// A request with a body: |Content-Length| other than 0, or |Transfer-Encoding|. Its bytes
    /// would be read as frames.
    Body,
    /// No |Upgrade| that lists `websocket`: a plain HTTP request.
    Upgrade,
    /// No |Connection| that lists `Upgrade`.
    Connection,
    /// No |Sec-WebSocket-Version|, several, or one other than 13.
    Version,
    /// No |Sec-WebSocket-Key|, several, or one that is not 16 bytes in base64.
    Key,
    /// Several |Origin| headers, or one with characters other than visible ASCII.
    Origin,
    /// |Sec-WebSocket-Protocol| that is not a list of tokens, or lists more than 64 different ones.
    Subprotocols,
    /// |Sec-WebSocket-Extensions| that does not follow the grammar (RFC 6455, 9.1).
    Extensions,
}

/// Why a response does not open a connection (RFC 6455, 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The server answered with a final status other than 101. The response's head stays readable;
    /// redirects are never followed.
    Refused {
        /// The status, 200 to 999.
        status: u16,
    },
    /// More than eight interim (1xx) responses.
    TooManyInterim,
    /// No |Upgrade|, or one with a value other than `websocket`.
    Upgrade,
    /// No |Connection| that lists `Upgrade`.
    Connection,
    /// No |Sec-WebSocket-Accept|.
    AcceptMissing,
    /// Several |Sec-WebSocket-Accept|.
    AcceptDoubled,
    /// A |Sec-WebSocket-Accept| that is not the answer to our key.
    AcceptMismatch,
    /// A subprotocol that was not offered, or several |Sec-WebSocket-Protocol|.
    Subprotocol,
    /// |Sec-WebSocket-Extensions| that does not follow the grammar (RFC 6455, 9.1).
    Extensions,
    /// An extension that was not offered.
    ExtensionNotOffered,
    /// An extension twice.
    ExtensionDoubled,
    /// An extension with parameters that do not answer the offer.
    ExtensionParameters,
}

impl HandshakeError {
    /// Returns the HTTP status that reports this to the peer.
    ///
    /// A server answers with it. A client can't answer, but a gateway that relays the outcome of
    /// its own request can: 502 for a wrong response, and a refusal with its own status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Head(error) => error.status(),
            Self::Request(error) => error.status(),
            Self::Response(error) => error.status(),
            Self::UnexpectedEof => 400,
            Self::Rejected { status } => *status,
        }
    }

    /// Returns a short, stable name for counters and logs, such as `accept_mismatch`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Head(error) => error.name(),
            Self::Request(error) => error.name(),
            Self::Response(error) => error.name(),
            Self::UnexpectedEof => "unexpected_eof",
            Self::Rejected { .. } => "rejected",
        }
    }
}

impl HeadError {
    /// Returns the HTTP status to answer with; see [`HandshakeError::status`].
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotHttp { .. }
            | Self::StartLine
            | Self::BareLf
            | Self::BareCr
            | Self::ControlCharacter { .. }
            | Self::HeaderName { .. }
            | Self::Folding => 400,
            Self::Version { .. } => 505,
            Self::StartLineTooLong { .. } => 414,
            Self::TooLarge { .. } | Self::TooManyHeaders { .. } => 431,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NotHttp { .. } => "not_http",
            Self::StartLine => "start_line",
            Self::Version { .. } => "http_version",
            Self::BareLf => "bare_lf",
            Self::BareCr => "bare_cr",
            Self::ControlCharacter { .. } => "control_character",
            Self::HeaderName { .. } => "header_name",
            Self::Folding => "folding",
            Self::StartLineTooLong { .. } => "start_line_too_long",
            Self::TooLarge { .. } => "head_too_large",
            Self::TooManyHeaders { .. } => "too_many_headers",
        }
    }
}

impl RequestError {
    /// Returns the HTTP status to answer with; see [`HandshakeError::status`].
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Upgrade | Self::Version => 426,
            Self::Target
            | Self::Host
            | Self::Body
            | Self::Connection
            | Self::Key
            | Self::Origin
            | Self::Subprotocols
            | Self::Extensions => 400,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Target => "target",
            Self::Host => "host",
            Self::Body => "body",
            Self::Upgrade => "upgrade",
            Self::Connection => "connection",
            Self::Version => "websocket_version",
            Self::Key => "key",
            Self::Origin => "origin",
            Self::Subprotocols => "subprotocols",
            Self::Extensions => "extensions",
        }
    }
}

impl ResponseError {
    /// Returns the HTTP status that a gateway answers with; see [`HandshakeError::status`].
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Refused { status } => status,
            Self::TooManyInterim
            | Self::Upgrade
            | Self::Connection
            | Self::AcceptMissing
            | Self::AcceptDoubled
            | Self::AcceptMismatch
            | Self::Subprotocol
            | Self::Extensions
            | Self::ExtensionNotOffered
            | Self::ExtensionDoubled
            | Self::ExtensionParameters => 502,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::TooManyInterim => "too_many_interim",
            Self::Upgrade => "upgrade",
            Self::Connection => "connection",
            Self::AcceptMissing => "accept_missing",
            Self::AcceptDoubled => "accept_doubled",
            Self::AcceptMismatch => "accept_mismatch",
            Self::Subprotocol => "subprotocol",
            Self::Extensions => "extensions",
            Self::ExtensionNotOffered => "extension_not_offered",
            Self::ExtensionDoubled => "extension_doubled",
            Self::ExtensionParameters => "extension_parameters",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Head(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Response(error) => error.fmt(f),
            Self::UnexpectedEof => f.write_str("stream ended before the end of the handshake"),
            Self::Rejected { status } => write!(f, "handshake already refused with {status}"),
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotHttp { at, byte } => write!(f, "not HTTP: byte {byte:#04x} at {at}"),
            Self::StartLine => f.write_str("malformed start line"),
            Self::Version { major, minor } => write!(f, "HTTP version {major}.{minor}, not 1.1"),
            Self::BareLf => f.write_str("line ends in LF without CR"),
            Self::BareCr => f.write_str("CR without LF"),
            Self::ControlCharacter { byte } => write!(f, "control character {byte:#04x}"),
            Self::HeaderName { byte } => write!(f, "byte {byte:#04x} in a header name"),
            Self::Folding => f.write_str("header line begins with white space"),
            Self::StartLineTooLong { start_line_size_max } => {
                write!(f, "start line longer than {start_line_size_max} bytes")
            }
            Self::TooLarge { head_size_max } => write!(f, "head longer than {head_size_max} bytes"),
            Self::TooManyHeaders { headers_max } => write!(f, "more than {headers_max} headers"),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "method is not GET",
            Self::Target => "request target is not a path or an absolute URI",
            Self::Host => "Host missing, doubled or malformed",
            Self::Body => "request with a body",
            Self::Upgrade => "Upgrade does not list websocket",
            Self::Connection => "Connection does not list Upgrade",
            Self::Version => "Sec-WebSocket-Version is not 13",
            Self::Key => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::Origin => "Origin doubled or malformed",
            Self::Subprotocols => "Sec-WebSocket-Protocol is not a list of at most 64 tokens",
            Self::Extensions => "malformed Sec-WebSocket-Extensions",
        })
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Refused { status } => return write!(f, "server answered {status}, not 101"),
            Self::TooManyInterim => "more than 8 interim responses",
            Self::Upgrade => "Upgrade missing or not websocket",
            Self::Connection => "Connection does not list Upgrade",
            Self::AcceptMissing => "Sec-WebSocket-Accept missing",
            Self::AcceptDoubled => "Sec-WebSocket-Accept doubled",
            Self::AcceptMismatch => "Sec-WebSocket-Accept does not answer the key",
            Self::Subprotocol => "server selected a subprotocol that was not offered",
            Self::Extensions => "malformed Sec-WebSocket-Extensions",
            Self::ExtensionNotOffered => "server selected an extension that was not offered",
            Self::ExtensionDoubled => "server selected an extension twice",
            Self::ExtensionParameters => "extension parameters do not answer the offer",
        })
    }
}

impl core::error::Error for HandshakeError {
    /// Returns the inner error, for code that looks for its type. `Display` already includes its
    /// text.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Head(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Response(error) => Some(error),
            Self::UnexpectedEof | Self::Rejected { .. } => None,
        }
    }
}

impl core::error::Error for HeadError {}
impl core::error::Error for RequestError {}
impl core::error::Error for ResponseError {}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<RequestError> for HandshakeError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ResponseError> for HandshakeError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}
