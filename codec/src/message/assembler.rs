//! Fragments to messages: the allowed order and size of fragments (RFC 6455, 5.4).
//!
//! Checked on headers alone, before payload is taken. Invariant: `open` is `Some` exactly between
//! the first fragment of a message and its last.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::decoder::MaskedPayload;
use crate::error::{ProtocolError, Utf8Error};
use crate::header::{Fin, FrameHeader, Opcode};
use crate::limits::Limits;

use super::DataKind;
use super::buffer::{Growth, MessageBuffer, Room};

/// The least size of a room, in bytes, if that much is still to come: what a connection may reserve
/// for a header alone and the few bytes that came with it.
const ROOM_LEN_FIRST: usize = 64 << 10;

/// Assembles the data frames of one direction.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    buffer: MessageBuffer,
    open: Option<DataKind>,
    /// Whether the current frame is the last of its message.
    is_final: bool,
    /// The number of frames of the open message so far.
    fragments: u32,
    /// The payload length that the headers of the open message have declared so far, in bytes.
    declared_len: u64,
}

/// The position of a data frame in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramePlace {
    /// It is the whole message.
    Whole(DataKind),
    /// Other frames of the message come before or after it.
    Part(DataKind),
}

impl Assembler {
    /// Returns whether a message is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Checks the header of a data frame and opens its message, if the frame is the first.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        limits: &Limits,
    ) -> Result<FramePlace, ProtocolError> {
        let is_final = header.fin() == Fin::Final;
        let (kind, is_first) = match (header.opcode(), self.open) {
            (Opcode::Continuation, Some(kind)) => (kind, false),
            (Opcode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            // "a sender MUST NOT interleave the fragments of one message with those of another"
            // (5.4)
            (_, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (Opcode::Text, None) => (DataKind::Text, true),
            (_, None) => (DataKind::Binary, true),
        };
        if is_first {
            self.buffer.clear();
            self.fragments = 0;
            self.declared_len = 0;
        }
        if self.fragments >= limits.fragments_max {
            return Err(ProtocolError::TooManyFragments { fragments_max: limits.fragments_max });
        }
        let message_size = self.declared_len.saturating_add(header.payload_len());
        if message_size > limits.message_size_max as u64 {
            let message_size_max = limits.message_size_max;
            return Err(ProtocolError::MessageTooBig { message_size, message_size_max });
        }
        self.fragments += 1;
        self.declared_len = message_size;
        self.is_final = is_final;
        self.open = Some(kind);
        Ok(if is_first && is_final { FramePlace::Whole(kind) } else { FramePlace::Part(kind) })
    }

    /// Returns whether the current frame is the last of its message.
    pub(crate) fn is_final(&self) -> bool {
        self.is_final
    }

    /// Ends a message that was handed out without the buffer, or whose last frame is done.
    pub(crate) fn end(&mut self) {
        self.open = None;
    }

    /// Takes a piece of the current frame's payload.
    pub(crate) fn append(
        &mut self,
        kind: DataKind,
        piece: MaskedPayload<'_>,
        limits: &Limits,
    ) -> Result<(), Utf8Error> {
        let growth = self.growth(limits);
        self.buffer.append(kind, piece, growth)
    }

    /// Once the last header has arrived the length is known: growth stops there, and may get there
    /// in fewer steps.
    fn growth(&self, limits: &Limits) -> Growth {
        if self.is_final {
            let declared = usize::try_from(self.declared_len).unwrap_or(usize::MAX);
            Growth { total_len_max: declared, factor: 4 }
        } else {
            Growth { total_len_max: limits.message_size_max, factor: 2 }
        }
    }

    /// Lends room for the rest of the current frame's payload. The room is at most three times what
    /// has arrived, or [`ROOM_LEN_FIRST`], or what is there already: memory follows the bytes that
    /// arrived.
    pub(crate) fn room(&mut self, remaining: u64, limits: &Limits) -> Option<Room<'_>> {
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        let arrived = self.buffer.judged_len();
        let is_there = self.buffer.len_max() - arrived;
        let len = remaining.min(arrived.saturating_mul(3).max(ROOM_LEN_FIRST).max(is_there));
        let growth = Growth { factor: 1, ..self.growth(limits) };
        self.buffer.room(len, growth)
    }

    /// Takes what was read into rooms; `unmask` is from the decoder.
    pub(crate) fn take_filled(
        &mut self,
        kind: DataKind,
        unmask: impl FnOnce(&mut [u8]) -> MaskedPayload<'_>,
    ) -> Result<(), Utf8Error> {
        let Some((filled, validator)) = self.buffer.take_filled() else { return Ok(()) };
        let piece = unmask(filled);
        match kind {
            DataKind::Binary => drop(piece.unmask()),
            DataKind::Text => drop(piece.unmask_text(validator)?),
        }
        Ok(())
    }

    /// Ends the message whose last frame has been taken.
    pub(crate) fn finish(&mut self, kind: DataKind) -> Result<(), Utf8Error> {
        self.end();
        self.buffer.finish(kind)
    }

    /// Takes the message that was handed out last.
    pub(crate) fn take_message(&mut self) -> Vec<u8> {
        if self.is_open() { Vec::new() } else { self.buffer.take() }
    }

    /// Like [`take_message`](Self::take_message), as shared bytes.
    pub(crate) fn take_shared(&mut self) -> Bytes {
        if self.is_open() { Bytes::new() } else { self.buffer.take_shared() }
    }

    /// Like [`take_message`](Self::take_message), for text.
    pub(crate) fn take_text(&mut self) -> Option<String> {
        if self.is_open() { None } else { self.buffer.take_text() }
    }

    pub(crate) fn buffer(&self) -> &MessageBuffer {
        &self.buffer
    }

    /// Returns the buffer, for an extension's output from the open message's payload.
    pub(crate) fn buffer_mut(&mut self) -> &mut MessageBuffer {
        &mut self.buffer
    }

    /// Lets go of the memory of a message that has been handed out.
    pub(crate) fn recycle(&mut self) {
        self.buffer.recycle();
    }

    /// Frees the memory of a message that never will be handed out.
    pub(crate) fn release(&mut self) {
        self.buffer.release();
    }
}
