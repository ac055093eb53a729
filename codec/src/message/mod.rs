//! Messages: what is sent, and how fragments become what is received (RFC 6455, 5.4 and 5.6).

mod assembler;
mod buffer;
mod owned;
mod prepared;
#[cfg(feature = "std")]
pub(crate) mod shared;
mod sink;
#[cfg_attr(not(feature = "std"), path = "no_spare.rs")]
pub(crate) mod spare;
pub(crate) mod transform;

pub(crate) use assembler::{Assembler, FramePlace};
pub use buffer::Room;
pub(crate) use buffer::{text_of, unmask_str, unmasked_str};
pub use owned::{SharedMessage, Utf8Bytes};
pub use prepared::PreparedMessage;
pub use sink::{SendQueue, Sink};
#[cfg(feature = "std")]
pub use spare::free_spare_memory;
pub(crate) use transform::{Inflow, Outflow, Sent};
pub use transform::{PerMessageExtension, Transform};

use crate::header::Opcode;
use crate::redacted::Redacted;
use core::fmt;

/// A message to send as a whole: a data message, a Ping or a Pong.
/// [`Connection::close`](crate::Connection::close) sends a Close.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'m> {
    /// Text.
    Text(&'m str),
    /// Bytes.
    Binary(&'m [u8]),
    /// Asks the peer for a Pong with the same payload; at most 125 bytes.
    Ping(&'m [u8]),
    /// An unsolicited Pong; at most 125 bytes. The connection itself answers Pings.
    Pong(&'m [u8]),
}

/// Shows the lengths of payloads, not their bytes.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Redacted(text.len())).finish(),
            Self::Binary(bytes) => f.debug_tuple("Binary").field(&Redacted(bytes.len())).finish(),
            Self::Ping(bytes) => f.debug_tuple("Ping").field(&Redacted(bytes.len())).finish(),
            Self::Pong(bytes) => f.debug_tuple("Pong").field(&Redacted(bytes.len())).finish(),
        }
    }
}

impl<'m> Message<'m> {
    /// Returns the opcode of the message's first frame.
    #[must_use]
    #[inline]
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
            Self::Ping(_) => Opcode::Ping,
            Self::Pong(_) => Opcode::Pong,
        }
    }

    /// Returns the payload as it is on the wire before masking.
    #[must_use]
    #[inline]
    pub const fn payload(&self) -> &'m [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload,
        }
    }
}

/// The type of a data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}
