//! Fragments to messages: what may follow what, and how much of it (RFC 6455, 5.4).
//!
//! Judged on headers alone, before payload is taken. Invariant: `open` is `Some` exactly between
//! the first fragment of a message and its last.

use crate::decoder::MaskedPayload;
use crate::error::{ProtocolError, Utf8Error};
use crate::header::{Fin, FrameHeader, Opcode};
use crate::limits::Limits;

use super::DataKind;
use super::buffer::{Growth, MessageBuffer};

/// Puts the data frames of one direction together.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    buffer: MessageBuffer,
    open: Option<DataKind>,
    /// Whether the current frame is the last of its message.
    is_final: bool,
    /// Frames of the open message so far.
    fragments: u32,
    /// Payload that the headers of the open message have declared so far, in bytes.
    declared_len: u64,
}

/// Where a data frame stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramePlace {
    /// It is the whole message.
    Whole(DataKind),
    /// Other frames of the message come before or after it.
    Part(DataKind),
}

impl Assembler {
    /// Whether a message is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Judges the header of a data frame and opens its message, if it is the first.
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

    /// Whether the current frame is the last of its message.
    pub(crate) fn is_final(&self) -> bool {
        self.is_final
    }

    /// The message was handed out without the buffer, or its last frame is done.
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
        // Once the last header is there the length is known: growth stops at it, and may go there
        // in fewer steps.
        let growth = if self.is_final {
            let declared = usize::try_from(self.declared_len).unwrap_or(usize::MAX);
            Growth { total_len_max: declared, factor: 4 }
        } else {
            Growth { total_len_max: limits.message_size_max, factor: 2 }
        };
        self.buffer.append(kind, piece, growth)
    }

    /// Ends the message whose last frame has been taken.
    pub(crate) fn finish(&mut self, kind: DataKind) -> Result<(), Utf8Error> {
        self.end();
        self.buffer.finish(kind)
    }

    pub(crate) fn buffer(&self) -> &MessageBuffer {
        &self.buffer
    }

    /// The buffer, for what an extension makes of the open message's payload.
    pub(crate) fn buffer_mut(&mut self) -> &mut MessageBuffer {
        &mut self.buffer
    }

    /// Gives the memory of a message back that has been handed out, or that will never be.
    pub(crate) fn release(&mut self) {
        self.buffer.release();
    }
}
