//! Errors, grouped by the side at fault, and the one `match` from an error to the close code to
//! send.

use core::fmt;

use crate::close::CloseCode;

/// What is wrong with a frame header. The peer's fault, always.
///
/// RFC 6455, 5.2 and 5.5. Every variant is detected on the header alone, as early as its bytes
/// allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set to which no negotiated extension gives a meaning here. Bits 0-2 are
    /// RSV3-RSV1.
    ReservedBits {
        /// The bits that were set: RSV1 is 4, RSV2 is 2, RSV3 is 1.
        rsv: u8,
    },
    /// Opcode 3-7 or 11-15.
    ReservedOpcode {
        /// The four bits.
        opcode: u8,
    },
    /// A control frame without FIN.
    ControlFragmented {
        /// 8 is Close, 9 Ping, 10 Pong.
        opcode: u8,
    },
    /// A control frame whose length field is 126 or 127, meaning more than 125 bytes.
    ControlTooLong {
        /// 8 is Close, 9 Ping, 10 Pong.
        opcode: u8,
    },
    /// A client sent an unmasked frame.
    MaskRequired,
    /// A server sent a masked frame.
    MaskForbidden,
    /// A length in a longer form than needed.
    LengthNotMinimal {
        /// The length, in bytes.
        payload_len: u64,
    },
    /// A 64-bit length with its most significant bit set.
    LengthMsb {
        /// The length, in bytes.
        payload_len: u64,
    },
    /// A frame longer than [`Limits::frame_size_max`](crate::Limits::frame_size_max).
    FrameTooBig {
        /// The payload length that the header declares, in bytes.
        payload_len: u64,
        /// The limit, in bytes.
        frame_size_max: u64,
    },
}

impl FrameError {
    /// Returns a stable number for other languages and for logs: 101 to 119. Numbers never change
    /// their meaning.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::ReservedBits { .. } => 101,
            Self::ReservedOpcode { .. } => 102,
            Self::ControlFragmented { .. } => 103,
            Self::ControlTooLong { .. } => 104,
            Self::MaskRequired => 105,
            Self::MaskForbidden => 106,
            Self::LengthNotMinimal { .. } => 107,
            Self::LengthMsb { .. } => 108,
            Self::FrameTooBig { .. } => 109,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ReservedBits { rsv } => {
                write!(f, "reserved bits {rsv:03b} (RSV1 RSV2 RSV3) set without an extension")
            }
            Self::ReservedOpcode { opcode } => write!(f, "reserved opcode {opcode:#x}"),
            Self::ControlFragmented { opcode } => {
                write!(f, "control frame (opcode {opcode:#x}) without FIN")
            }
            Self::ControlTooLong { opcode } => {
                write!(f, "control frame (opcode {opcode:#x}) longer than 125 bytes")
            }
            Self::MaskRequired => f.write_str("unmasked frame from a client"),
            Self::MaskForbidden => f.write_str("masked frame from a server"),
            Self::LengthNotMinimal { payload_len } => {
                write!(f, "payload length {payload_len} not in its shortest form")
            }
            Self::LengthMsb { payload_len } => {
                write!(f, "payload length {payload_len:#x} with its most significant bit set")
            }
            Self::FrameTooBig { payload_len, frame_size_max } => {
                write!(f, "frame of {payload_len} bytes, limit {frame_size_max}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// Text that is not UTF-8, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utf8Error {
    /// The number of valid, complete bytes before the offending character.
    pub valid_up_to: u64,
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text is not UTF-8 after byte {}", self.valid_up_to)
    }
}

impl core::error::Error for Utf8Error {}

/// What is wrong with a compressed message (RFC 7692).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InflateError {
    /// The compressed data breaks its format, or refers to bytes that the agreed window does not
    /// hold.
    Corrupt,
    /// The message ends within its compressed data.
    Truncated,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrupt => "compressed message is corrupt",
            Self::Truncated => "compressed message ends too early",
        })
    }
}

impl core::error::Error for InflateError {}

/// Why a connection failed: how the peer broke the protocol or exceeded a limit.
///
/// After any of these, the connection stays failed; it has sent [`close_code`](Self::close_code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame header that is not allowed.
    Frame(FrameError),
    /// A continuation frame with no message open (RFC 6455, 5.4).
    UnexpectedContinuation,
    /// A text or binary frame while another message is open (RFC 6455, 5.4).
    ExpectedContinuation,
    /// A message longer than [`Limits::message_size_max`](crate::Limits::message_size_max).
    MessageTooBig {
        /// The length of the message including the offending frame, in bytes.
        message_size: u64,
        /// The limit, in bytes.
        message_size_max: usize,
    },
    /// A compressed message longer than any encoding of
    /// [`Limits::message_size_max`](crate::Limits::message_size_max) incompressible bytes.
    CompressedTooBig {
        /// The length of the compressed message including the offending frame, in bytes.
        compressed_size: u64,
        /// The limit, in bytes: an eighth and 1 KiB above the message's limit.
        compressed_size_max: usize,
    },
    /// A compressed message that can't be decompressed. RFC 7692 names no close code for it; it is
    /// reported, as in other implementations, as 1007, "data within a message that was not
    /// consistent with the type of the message" (RFC 6455, 7.4.1).
    Inflate(InflateError),
    /// A message of more frames than [`Limits::fragments_max`](crate::Limits::fragments_max).
    TooManyFragments {
        /// The limit.
        fragments_max: u32,
    },
    /// A text message, or a close reason, that is not UTF-8 (RFC 6455, 8.1).
    Utf8(Utf8Error),
    /// A Close frame with one byte of payload (RFC 6455, 5.5.1).
    ClosePayload,
    /// A close code that is not allowed on the wire (RFC 6455, 7.4).
    CloseCode {
        /// The number received.
        code: u16,
    },
    /// The stream ended without a closing handshake, which other APIs report as 1006 (RFC 6455,
    /// 7.1.5).
    UnexpectedEof,
}

impl ProtocolError {
    /// Returns the close code that reports this to the peer (RFC 6455, 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Frame(FrameError::FrameTooBig { .. })
            | Self::MessageTooBig { .. }
            | Self::CompressedTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::Frame(
                FrameError::ReservedBits { .. }
                | FrameError::ReservedOpcode { .. }
                | FrameError::ControlFragmented { .. }
                | FrameError::ControlTooLong { .. }
                | FrameError::MaskRequired
                | FrameError::MaskForbidden
                | FrameError::LengthNotMinimal { .. }
                | FrameError::LengthMsb { .. },
            )
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::ClosePayload
            | Self::CloseCode { .. }
            | Self::UnexpectedEof => CloseCode::PROTOCOL_ERROR,
            Self::Utf8(_) | Self::Inflate(_) => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
        }
    }

    /// Returns a stable number for other languages and for logs: 100 to 199. Numbers never change
    /// their meaning.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Frame(error) => error.number(),
            Self::UnexpectedContinuation => 120,
            Self::ExpectedContinuation => 121,
            Self::MessageTooBig { .. } => 122,
            Self::CompressedTooBig { .. } => 123,
            Self::TooManyFragments { .. } => 124,
            Self::Utf8(_) => 130,
            Self::Inflate(InflateError::Corrupt) => 131,
            Self::Inflate(InflateError::Truncated) => 132,
            Self::ClosePayload => 140,
            Self::CloseCode { .. } => 141,
            Self::UnexpectedEof => 150,
        }
    }

    /// Returns a short, stable name for counters and logs, such as `mask_required`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Frame(FrameError::ReservedBits { .. }) => "reserved_bits",
            Self::Frame(FrameError::ReservedOpcode { .. }) => "reserved_opcode",
            Self::Frame(FrameError::ControlFragmented { .. }) => "control_fragmented",
            Self::Frame(FrameError::ControlTooLong { .. }) => "control_too_long",
            Self::Frame(FrameError::MaskRequired) => "mask_required",
            Self::Frame(FrameError::MaskForbidden) => "mask_forbidden",
            Self::Frame(FrameError::LengthNotMinimal { .. }) => "length_not_minimal",
            Self::Frame(FrameError::LengthMsb { .. }) => "length_msb",
            Self::Frame(FrameError::FrameTooBig { .. }) => "frame_too_big",
            Self::UnexpectedContinuation => "unexpected_continuation",
            Self::ExpectedContinuation => "expected_continuation",
            Self::MessageTooBig { .. } => "message_too_big",
            Self::CompressedTooBig { .. } => "compressed_too_big",
            Self::Inflate(_) => "inflate",
            Self::TooManyFragments { .. } => "too_many_fragments",
            Self::Utf8(_) => "utf8",
            Self::ClosePayload => "close_payload",
            Self::CloseCode { .. } => "close_code",
            Self::UnexpectedEof => "unexpected_eof",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Frame(error) => error.fmt(f),
            Self::UnexpectedContinuation => f.write_str("continuation frame with no message open"),
            Self::ExpectedContinuation => f.write_str("data frame while a message is open"),
            Self::MessageTooBig { message_size, message_size_max } => {
                write!(f, "message of at least {message_size} bytes, limit {message_size_max}")
            }
            Self::CompressedTooBig { compressed_size, compressed_size_max } => {
                write!(
                    f,
                    "compressed message of at least {compressed_size} bytes, limit {compressed_size_max}"
                )
            }
            Self::Inflate(error) => error.fmt(f),
            Self::TooManyFragments { fragments_max } => {
                write!(f, "message of more than {fragments_max} frames")
            }
            Self::Utf8(error) => error.fmt(f),
            Self::ClosePayload => f.write_str("Close frame with one byte of payload"),
            Self::CloseCode { code } => write!(f, "close code {code} may not be sent"),
            Self::UnexpectedEof => f.write_str("stream ended without a closing handshake"),
        }
    }
}

impl core::error::Error for ProtocolError {
    /// Returns the inner error, for code that looks for its type. `Display` already includes its
    /// text.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            Self::Utf8(error) => Some(error),
            Self::Inflate(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for ProtocolError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Utf8Error> for ProtocolError {
    fn from(error: Utf8Error) -> Self {
        Self::Utf8(error)
    }
}

impl From<InflateError> for ProtocolError {
    fn from(error: InflateError) -> Self {
        Self::Inflate(error)
    }
}

/// Why something was not sent: the caller's fault. Nothing was written, and the connection
/// continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame has been sent or the connection has failed: nothing may follow (RFC 6455,
    /// 5.5.1).
    NotOpen,
    /// A Ping or Pong of more than 125 bytes (RFC 6455, 5.5).
    ControlTooLong {
        /// The payload's length, in bytes.
        payload_len: usize,
    },
    /// A close reason of more than 123 bytes (RFC 6455, 5.5).
    ReasonTooLong {
        /// The reason's length, in bytes.
        reason_len: usize,
    },
    /// A whole message, or the first fragment of one, while a message sent in fragments is open
    /// (RFC 6455, 5.4).
    MessageOpen,
    /// A later fragment with no message open, or of a different type than its message (RFC 6455,
    /// 5.4).
    NoMessageOpen,
    /// A header that declares a length other than its payload's.
    PayloadLength {
        /// The length in the header, in bytes.
        declared: u64,
        /// The payload's length, in bytes.
        payload_len: usize,
    },
    /// A separate header is available only for data frames that are whole messages, for Pings and
    /// for Pongs.
    Opcode {
        /// The four bits.
        opcode: u8,
    },
    /// The caller's buffer can't take the frame.
    BufferFull {
        /// The room that the frame needs, in bytes.
        needed: usize,
    },
}

impl SendError {
    /// Returns a stable number for other languages and for logs: 200 to 299. Numbers never change
    /// their meaning.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::NotOpen => 201,
            Self::ControlTooLong { .. } => 202,
            Self::ReasonTooLong { .. } => 203,
            Self::MessageOpen => 204,
            Self::NoMessageOpen => 205,
            Self::PayloadLength { .. } => 206,
            Self::BufferFull { .. } => 207,
            Self::Opcode { .. } => 208,
        }
    }

    /// Returns a short, stable name for counters and logs, such as `not_open`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotOpen => "not_open",
            Self::ControlTooLong { .. } => "send_control_too_long",
            Self::ReasonTooLong { .. } => "reason_too_long",
            Self::MessageOpen => "message_open",
            Self::NoMessageOpen => "no_message_open",
            Self::PayloadLength { .. } => "payload_length",
            Self::BufferFull { .. } => "buffer_full",
            Self::Opcode { .. } => "send_opcode",
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotOpen => f.write_str("connection is not open: nothing may be sent any more"),
            Self::ControlTooLong { payload_len } => {
                write!(f, "control payload of {payload_len} bytes, limit 125")
            }
            Self::ReasonTooLong { reason_len } => {
                write!(f, "close reason of {reason_len} bytes, limit 123")
            }
            Self::MessageOpen => f.write_str("a message sent in fragments is still open"),
            Self::NoMessageOpen => f.write_str("no message of this type is open to continue"),
            Self::PayloadLength { declared, payload_len } => {
                write!(f, "header declares {declared} bytes, the payload has {payload_len}")
            }
            Self::Opcode { opcode } => write!(f, "no header by itself of opcode {opcode:#x}"),
            Self::BufferFull { needed } => write!(f, "buffer has no room for {needed} bytes"),
        }
    }
}

impl core::error::Error for SendError {}
