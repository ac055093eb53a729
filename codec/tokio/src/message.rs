//! Messages that own their payload, under the names known from tungstenite.

use std::fmt;

use bytes::Bytes;
use wscodec::CloseCode;
use wscodec::connection::SharedEvent;
use wscodec::message::{SharedMessage, Utf8Bytes};

/// A message to send or a received one. Payloads are shared: cloning copies none.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A Ping; a received one has been answered. At most 125 bytes.
    Ping(Bytes),
    /// A Pong, solicited or not. At most 125 bytes.
    Pong(Bytes),
    /// A Close; a received one has been answered, and nothing follows it.
    Close(Option<CloseFrame>),
}

/// Why a connection is closed.
#[derive(Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The reason as a number.
    pub code: CloseCode,
    /// The reason in words, at most 123 bytes.
    pub reason: Utf8Bytes,
}

impl Message {
    /// Creates a text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Returns whether the message is text.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Returns whether the message is binary.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Returns whether the message is a Close.
    #[must_use]
    pub const fn is_close(&self) -> bool {
        matches!(self, Self::Close(_))
    }

    /// Returns the length of the payload, or of a Close's reason, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close(close) => close.as_ref().map_or(0, |close| close.reason.len()),
        }
    }

    /// Returns whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Consumes the message and returns its payload, or a Close's reason.
    #[must_use]
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(close) => close.map(|close| close.reason.into_bytes()).unwrap_or_default(),
        }
    }

    /// Returns the message as the codec sends it; a Close, which is not sent as a message, as the
    /// error.
    pub(crate) fn into_shared(self) -> Result<SharedMessage, Option<CloseFrame>> {
        Ok(match self {
            Self::Text(text) => SharedMessage::Text(text),
            Self::Binary(bytes) => SharedMessage::Binary(bytes),
            Self::Ping(bytes) => SharedMessage::Ping(bytes),
            Self::Pong(bytes) => SharedMessage::Pong(bytes),
            Self::Close(close) => return Err(close),
        })
    }

    /// Returns the message of an event; `None` for a piece, which this crate does not ask for.
    pub(crate) fn of_event(event: SharedEvent) -> Option<Self> {
        Some(match event {
            SharedEvent::Text(text) => Self::Text(text),
            SharedEvent::Binary(bytes) => Self::Binary(bytes),
            SharedEvent::Ping(bytes) => Self::Ping(bytes),
            SharedEvent::Pong(bytes) => Self::Pong(bytes),
            SharedEvent::Close(close) => {
                Self::Close(close.map(|(code, reason)| CloseFrame { code, reason }))
            }
            _ => return None,
        })
    }
}

impl CloseFrame {
    /// Creates a Close with a code and a reason of at most 123 bytes.
    pub fn new(code: CloseCode, reason: impl Into<Utf8Bytes>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Returns the Close as the codec sends it.
    pub(crate) fn as_frame(&self) -> wscodec::CloseFrame<'_> {
        wscodec::CloseFrame { code: self.code, reason: self.reason.as_str() }
    }
}

/// Shows the length of the payload, not the payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Text(_) => "Text",
            Self::Binary(_) => "Binary",
            Self::Ping(_) => "Ping",
            Self::Pong(_) => "Pong",
            Self::Close(close) => return f.debug_tuple("Close").field(close).finish(),
        };
        write!(f, "{name}({} bytes)", self.len())
    }
}

/// Shows the code and the length of the reason.
impl fmt::Debug for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseFrame({}, {} bytes)", self.code.as_u16(), self.reason.len())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}
