//! What a connection reports, borrowed from the caller's input or from the connection.

use crate::close::CloseFrame;
use crate::header::Fin;
use crate::redacted::Redacted;
use core::fmt;

/// What was received. Borrowed: use or copy it before the next call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A whole text message.
    Text(&'e str),
    /// A whole binary message.
    Binary(&'e [u8]),
    /// The next piece of a text message, under [`Delivery::Streamed`](super::Delivery::Streamed):
    /// whole characters. [`Fin::Final`] marks the last piece, which may be empty.
    TextPiece(&'e str, Fin),
    /// The next piece of a binary message, under [`Delivery::Streamed`](super::Delivery::Streamed).
    BinaryPiece(&'e [u8], Fin),
    /// A Ping. The Pong is already handled.
    Ping(&'e [u8]),
    /// A Pong, solicited or not.
    Pong(&'e [u8]),
    /// The peer's Close; `None` if it was empty, which other APIs report as 1005. The answer is
    /// already handled.
    Close(Option<CloseFrame<'e>>),
}

/// Shows the lengths of payloads, not their bytes.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Redacted(text.len())).finish(),
            Self::Binary(bytes) => f.debug_tuple("Binary").field(&Redacted(bytes.len())).finish(),
            Self::TextPiece(text, fin) => {
                f.debug_tuple("TextPiece").field(&Redacted(text.len())).field(fin).finish()
            }
            Self::BinaryPiece(bytes, fin) => {
                f.debug_tuple("BinaryPiece").field(&Redacted(bytes.len())).field(fin).finish()
            }
            Self::Ping(bytes) => f.debug_tuple("Ping").field(&Redacted(bytes.len())).finish(),
            Self::Pong(bytes) => f.debug_tuple("Pong").field(&Redacted(bytes.len())).finish(),
            Self::Close(close) => f.debug_tuple("Close").field(close).finish(),
        }
    }
}
