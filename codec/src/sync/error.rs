//! What can go wrong over a blocking stream: the codec's errors and the stream's.

use core::fmt;
use std::io;

use crate::error::{ProtocolError, SendError};
use crate::handshake::{HandshakeError, HandshakeMisuse};

/// Why a call of a [`WebSocket`](super::WebSocket) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream's error. After [`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut) the call may be repeated: nothing is lost.
    Io(io::Error),
    /// The peer broke the protocol or exceeded a limit, and has been told.
    Protocol(ProtocolError),
    /// The message was not sent, and the connection continues.
    Send(SendError),
    /// The opening handshake failed; a refused client has been told.
    Handshake(HandshakeError),
    /// The answer to the handshake selected what the client did not offer.
    Misuse(HandshakeMisuse),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Misuse(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    /// Returns the inner error, for code that looks for its type. `Display` already includes its
    /// text.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Io(error) => error,
            Self::Protocol(error) => error,
            Self::Send(error) => error,
            Self::Handshake(error) => error,
            Self::Misuse(error) => error,
        })
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<HandshakeMisuse> for Error {
    fn from(error: HandshakeMisuse) -> Self {
        Self::Misuse(error)
    }
}
