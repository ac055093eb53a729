//! Messages to bytes (RFC 6455, 5 and 6.1).

use core::num::NonZeroUsize;

use bytes::BufMut;

use crate::close::CloseFrame;
use crate::encoder;
use crate::error::SendError;
use crate::header::{CONTROL_PAYLOAD_LEN_MAX, EncodedHeader, Fin, Opcode};
use crate::mask::MaskKeySource;
use crate::message::{DataKind, Message, PreparedMessage, header_of};

use super::Connection;
use super::control::ControlPayload;

/// A piece of a data message, sent as a frame of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'m> {
    /// Whole characters of a text message.
    Text(&'m str),
    /// Bytes of a binary message.
    Binary(&'m [u8]),
}

impl<K: MaskKeySource> Connection<K> {
    /// Appends a message to `out` as one frame; a client masks it with a fresh key while it is copied.
    ///
    /// Pings and Pongs may go between the fragments of a message.
    ///
    /// # Errors
    /// Nothing is written then: [`SendError::NotOpen`] after a Close or a failure, [`SendError::MessageOpen`] for a data
    /// message while [`send_fragment`](Self::send_fragment) has one open, [`SendError::ControlTooLong`],
    /// [`SendError::BufferFull`].
    #[inline]
    pub fn send(&mut self, message: Message<'_>, out: &mut impl BufMut) -> Result<(), SendError> {
        self.send_frame(message.opcode(), message.payload(), out)
    }

    /// Appends a prepared message to `out`: for a server a copy of bytes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_prepared(
        &mut self,
        prepared: &PreparedMessage,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.send_frame(prepared.opcode(), prepared.payload(), out)
    }

    /// Appends a piece of a message to `out` as a frame; the first opens the message, [`Fin::Final`] ends it.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::NoMessageOpen`] if the open message is of the other type.
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
        self.send_piece(opcode, payload, fin, out)?;
        self.sending = if fin == Fin::Final { None } else { Some(kind) };
        Ok(())
    }

    /// Appends a data message to `out` in frames of at most `fragment_size_max` bytes, which may split characters.
    /// A Ping or Pong goes out whole.
    ///
    /// # Errors
    /// As [`send`](Self::send).
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
        let frames = payload.len().div_ceil(fragment_size_max.get());
        let needed = frames.saturating_mul(crate::header::HEADER_LEN_MAX) + payload.len();
        if out.remaining_mut() < needed {
            return Err(SendError::BufferFull { needed });
        }
        let mut opcode = message.opcode();
        let mut pieces = payload.chunks(fragment_size_max.get()).peekable();
        while let Some(piece) = pieces.next() {
            let fin = if pieces.peek().is_some() { Fin::More } else { Fin::Final };
            self.send_piece(opcode, piece, fin, out)?;
            opcode = Opcode::Continuation;
        }
        Ok(())
    }

    /// Starts the closing handshake: appends a Close to `out`. Messages may still arrive until the peer's Close does.
    ///
    /// `None` sends an empty Close, which the peer reports as 1005.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] if a Close has been sent or the connection has failed, [`SendError::ReasonTooLong`] for a
    /// reason of more than 123 bytes, [`SendError::BufferFull`].
    pub fn close(
        &mut self,
        close: Option<CloseFrame<'_>>,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        let mut payload = ControlPayload::default();
        if let Some(CloseFrame { code, reason }) = close {
            if reason.len() > CONTROL_PAYLOAD_LEN_MAX - 2 {
                return Err(SendError::ReasonTooLong { reason_len: reason.len() });
            }
            payload.append(&code.as_u16().to_be_bytes());
            payload.append(reason.as_bytes());
        }
        self.send_frame(Opcode::Close, payload.as_bytes(), out)?;
        self.close_sent = true;
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
        let header = header_of(opcode, payload)?;
        let header = header.with_fin(fin).unwrap_or(header).with_mask(self.next_key());
        encoder::encode(header, payload, out)
    }

    #[inline]
    fn send_frame(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.check_sendable(opcode)?;
        if opcode.is_control() && payload.len() > CONTROL_PAYLOAD_LEN_MAX {
            return Err(SendError::ControlTooLong { payload_len: payload.len() });
        }
        if self.pong_due.is_some() {
            self.flush(out);
        }
        let key = self.next_key();
        let head = EncodedHeader::of_final(opcode, payload.len() as u64, key);
        encoder::append(head, key, payload, out)
    }

    #[inline]
    fn check_sendable(&self, opcode: Opcode) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        if self.sending.is_some() && !opcode.is_control() {
            return Err(SendError::MessageOpen);
        }
        Ok(())
    }
}

fn opcode_of(kind: DataKind) -> Opcode {
    match kind {
        DataKind::Text => Opcode::Text,
        DataKind::Binary => Opcode::Binary,
    }
}
