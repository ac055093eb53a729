//! Messages in fragments (RFC 6455, 5.4).

use core::fmt;
use core::num::NonZeroUsize;

use bytes::BufMut;

use crate::encoder::{self, header_of};
use crate::error::SendError;
use crate::header::{Fin, FrameHeader, HEADER_LEN_MAX, Opcode, Rsv};
use crate::mask::MaskKeySource;
use crate::message::{DataKind, Message};
use crate::redacted::Redacted;

use super::send::{Marks, Sender};

/// A piece of a data message, sent as a separate frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fragment<'m> {
    /// Whole characters of a text message.
    Text(&'m str),
    /// Bytes of a binary message.
    Binary(&'m [u8]),
}

/// Shows the lengths of payloads, not their bytes.
impl fmt::Debug for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Redacted(text.len())).finish(),
            Self::Binary(bytes) => f.debug_tuple("Binary").field(&Redacted(bytes.len())).finish(),
        }
    }
}

impl<K: MaskKeySource> Sender<K> {
    /// Appends a piece of a message to `out` as a frame; the first piece opens the message,
    /// [`Fin::Final`] ends it.
    ///
    /// # Errors
    /// See [`send`](Self::send); [`SendError::NoMessageOpen`] if the open message is of the other
    /// type.
    pub fn send_fragment(
        &mut self,
        fragment: Fragment<'_>,
        fin: Fin,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let (kind, payload) = match fragment {
            Fragment::Text(text) => (DataKind::Text, text.as_bytes()),
            Fragment::Binary(bytes) => (DataKind::Binary, bytes),
        };
        let opcode = match self.sending {
            Some(open) if open == kind => Opcode::Continuation,
            Some(_) => return Err(SendError::NoMessageOpen),
            None => opcode_of(kind),
        };
        if !self.has(Marks::EXTENDED)
            || !self.send_fragment_compressed(opcode, payload, fin, out)?
        {
            self.send_piece(opcode, payload, fin, out)?;
        }
        self.sending = if fin == Fin::Final { None } else { Some(kind) };
        self.marks.set(Marks::SENDING, self.sending.is_some());
        Ok(())
    }

    /// Appends a data message to `out` in frames of at most `fragment_size_max` bytes, which may
    /// split characters. A Ping or Pong goes out whole.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn send_fragmented(
        &mut self,
        message: Message<'_>,
        fragment_size_max: NonZeroUsize,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let payload = message.payload();
        if message.opcode().is_control() || payload.len() <= fragment_size_max.get() {
            return self.send(message, out);
        }
        self.check_sendable(message.opcode())?;
        self.flush(out);
        if self.has(Marks::EXTENDED)
            && self.send_split_compressed(message, fragment_size_max, out)?
        {
            return Ok(());
        }
        self.send_split(message.opcode(), Rsv::NONE, payload, fragment_size_max, out)
    }

    /// Appends a payload in frames of at most `fragment_size_max` bytes, the first with `opcode`
    /// and `rsv`.
    pub(super) fn send_split(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
        fragment_size_max: NonZeroUsize,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let frames = payload.len().div_ceil(fragment_size_max.get());
        let needed = frames.saturating_mul(HEADER_LEN_MAX) + payload.len();
        if out.remaining_mut() < needed {
            return Err(SendError::BufferFull { needed });
        }
        let (mut opcode, mut rsv) = (opcode, rsv);
        let mut pieces = payload.chunks(fragment_size_max.get()).peekable();
        while let Some(piece) = pieces.next() {
            let fin = if pieces.peek().is_some() { Fin::More } else { Fin::Final };
            let header = header_of(opcode, piece)?.with_rsv(rsv);
            self.put_frame(header, piece, fin, out)?;
            (opcode, rsv) = (Opcode::Continuation, Rsv::NONE);
        }
        Ok(())
    }

    fn send_piece(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        fin: Fin,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        self.flush(out);
        self.put_frame(header_of(opcode, payload)?, payload, fin, out)
    }

    pub(super) fn put_frame(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        fin: Fin,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let header = header.with_fin(fin).unwrap_or(header).with_mask(self.next_key());
        encoder::encode(header, payload, out)
    }
}

fn opcode_of(kind: DataKind) -> Opcode {
    match kind {
        DataKind::Text => Opcode::Text,
        DataKind::Binary => Opcode::Binary,
    }
}
