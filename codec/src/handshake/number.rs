//! Stable numbers for the handshake's errors, for other languages and for logs.

use super::{HandshakeError, HandshakeMisuse, HeadError, RequestError, ResponseError};

impl HandshakeError {
    /// Returns a stable number for other languages and for logs: 300 to 399. Numbers never change
    /// their meaning.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::UnexpectedEof => 301,
            Self::Rejected { .. } => 302,
            Self::Head(error) => match error {
                HeadError::NotHttp { .. } => 310,
                HeadError::StartLine => 311,
                HeadError::Version { .. } => 312,
                HeadError::BareLf => 313,
                HeadError::BareCr => 314,
                HeadError::ControlCharacter { .. } => 315,
                HeadError::HeaderName { .. } => 316,
                HeadError::Folding => 317,
                HeadError::StartLineTooLong { .. } => 318,
                HeadError::TooLarge { .. } => 319,
                HeadError::TooManyHeaders { .. } => 320,
            },
            Self::Request(error) => match error {
                RequestError::Method => 330,
                RequestError::Target => 331,
                RequestError::Host => 332,
                RequestError::Body => 333,
                RequestError::Upgrade => 334,
                RequestError::Connection => 335,
                RequestError::Version => 336,
                RequestError::Key => 337,
                RequestError::Origin => 338,
                RequestError::Subprotocols => 339,
                RequestError::Extensions => 340,
            },
            Self::Response(error) => match error {
                ResponseError::Refused { .. } => 360,
                ResponseError::TooManyInterim => 361,
                ResponseError::Upgrade => 362,
                ResponseError::Connection => 363,
                ResponseError::AcceptMissing => 364,
                ResponseError::AcceptDoubled => 365,
                ResponseError::AcceptMismatch => 366,
                ResponseError::Subprotocol => 367,
                ResponseError::Extensions => 368,
                ResponseError::ExtensionNotOffered => 369,
                ResponseError::ExtensionDoubled => 370,
                ResponseError::ExtensionParameters => 371,
            },
        }
    }
}

impl HandshakeMisuse {
    /// Returns a stable number for other languages and for logs: 400 to 499. Numbers never change
    /// their meaning.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Host { .. } => 401,
            Self::Target { .. } => 402,
            Self::HeaderName => 403,
            Self::HeaderReserved => 404,
            Self::HeaderValue { .. } => 405,
            Self::Subprotocol => 406,
            Self::SubprotocolDoubled => 407,
            Self::SubprotocolNotOffered => 408,
            Self::Extension => 409,
            Self::ExtensionNotOffered => 410,
            Self::Status { .. } => 411,
            Self::NoRequest => 412,
            Self::BufferFull { .. } => 413,
        }
    }
}
