//! Errors as they cross the border: a number, a name, a code and a sentence.

use std::fmt::Display;

#[cfg(any(feature = "handshake", feature = "deflate"))]
use wscodec::handshake::HandshakeMisuse;
#[cfg(feature = "handshake")]
use wscodec::handshake::{HandshakeError, RequestError, ResponseError};
#[cfg(feature = "connection")]
use wscodec::{ProtocolError, SendError};

/// An error. Numbers of 500 and above are this layer's own, of which JavaScript has some; the others are the codec's.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) number: u16,
    pub(crate) name: &'static str,
    /// The close code or the HTTP status that reports it, or 0.
    pub(crate) code: u16,
    /// What `name` doesn't say. Empty for the module's own errors, whose words are in `words`.
    pub(crate) message: String,
    words: &'static str,
}

impl Fault {
    pub(crate) const FREED: Self = Self::own(501, "freed", "the object has been freed");
    pub(crate) const TEXT: Self = Self::own(502, "utf8_argument", "text is not UTF-8");
    #[cfg(feature = "connection")]
    pub(crate) const CLOSE_CODE: Self = Self::own(
        503,
        "close_code_argument",
        "close code may not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4)",
    );
    pub(crate) const ARGUMENT: Self = Self::own(505, "argument", "an argument is out of range");

    const fn own(number: u16, name: &'static str, words: &'static str) -> Self {
        Self { number, name, code: 0, message: String::new(), words }
    }

    fn of(number: u16, name: &'static str, code: u16, error: &impl Display) -> Self {
        Self { number, name, code, message: error.to_string(), words: "" }
    }

    /// Returns the sentence.
    pub(crate) fn message(&self) -> &str {
        if self.message.is_empty() { self.words } else { &self.message }
    }
}

#[cfg(feature = "connection")]
impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        Self::of(error.number(), error.name(), error.close_code().as_u16(), &error)
    }
}

#[cfg(feature = "connection")]
impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        Self::of(error.number(), error.name(), 0, &error)
    }
}

#[cfg(feature = "handshake")]
impl From<HandshakeError> for Fault {
    fn from(error: HandshakeError) -> Self {
        Self::of(error.number(), error.name(), error.status(), &error)
    }
}

#[cfg(feature = "handshake")]
impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        HandshakeError::from(error).into()
    }
}

#[cfg(feature = "handshake")]
impl From<ResponseError> for Fault {
    fn from(error: ResponseError) -> Self {
        HandshakeError::from(error).into()
    }
}

#[cfg(any(feature = "handshake", feature = "deflate"))]
impl From<HandshakeMisuse> for Fault {
    fn from(error: HandshakeMisuse) -> Self {
        Self::of(error.number(), error.name(), 0, &error)
    }
}
