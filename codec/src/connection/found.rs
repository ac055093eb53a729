//! Where an event lies, without a borrow, for callers that keep their own buffers: their `next` can
//! loop over reads and lend the event it finds.

use core::ops::Range;

use crate::header::{Fin, Opcode};
use crate::message::DataKind;

/// What [`Connection::receive_at`](super::Connection::receive_at) did with its input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the bytes taken are not to be passed again"]
pub struct Step {
    taken: usize,
    event: Option<Found>,
}

impl Step {
    pub(super) const fn new(taken: usize, event: Option<Found>) -> Self {
        Self { taken, event }
    }

    /// Returns the number of bytes taken from the front of the input, including the event's: pass
    /// the rest to the next call.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Returns the event; `None` once all input has been taken.
    #[must_use]
    pub const fn event(&self) -> Option<&Found> {
        self.event.as_ref()
    }

    /// Consumes the step and returns its event.
    #[must_use]
    pub fn into_event(self) -> Option<Found> {
        self.event
    }
}

/// An event, and where its payload lies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// In the input that was passed: unmasked there, and valid UTF-8 if it is text. The payload of
    /// a Close begins with the code, if there is one (RFC 6455, 5.5.1).
    Input(EventKind, Range<usize>),
    /// In the connection, until the next call that receives:
    /// [`Connection::event`](super::Connection::event) lends it,
    /// [`Connection::take_message`](super::Connection::take_message) gives a message away.
    Held(EventKind, Holder),
}

impl Found {
    /// Returns the kind of the event.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Input(kind, _) | Self::Held(kind, _) => *kind,
        }
    }
}

/// An [`Event`](super::Event) without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A whole text message.
    Text,
    /// A whole binary message.
    Binary,
    /// The next piece of a text message.
    TextPiece(Fin),
    /// The next piece of a binary message.
    BinaryPiece(Fin),
    /// A Ping. The Pong is already handled.
    Ping,
    /// A Pong, solicited or not.
    Pong,
    /// The peer's Close. The answer is already handled.
    Close,
}

impl EventKind {
    pub(super) const fn of_message(kind: DataKind) -> Self {
        match kind {
            DataKind::Text => Self::Text,
            DataKind::Binary => Self::Binary,
        }
    }

    pub(super) const fn of_piece(kind: DataKind, fin: Fin) -> Self {
        match kind {
            DataKind::Text => Self::TextPiece(fin),
            DataKind::Binary => Self::BinaryPiece(fin),
        }
    }

    pub(super) const fn of_control(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Ping => Self::Ping,
            Opcode::Pong => Self::Pong,
            _ => Self::Close,
        }
    }
}

/// Which part of a connection holds the payload of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(pub(super) Held);

/// The received data that a connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// A message in the assembler.
    Message(DataKind),
    /// A control frame in `control`.
    Control(Opcode),
    /// A character in `carry`.
    Carry(Fin),
    /// A piece of a compressed message in the assembler.
    Piece(DataKind, Fin),
}

impl Held {
    pub(super) const fn kind(self) -> EventKind {
        match self {
            Self::Message(kind) => EventKind::of_message(kind),
            Self::Control(opcode) => EventKind::of_control(opcode),
            Self::Carry(fin) => EventKind::TextPiece(fin),
            Self::Piece(kind, fin) => EventKind::of_piece(kind, fin),
        }
    }
}
