//! Messages to bytes through an extension that compresses (RFC 7692, 6.1).
//!
//! Separate from the path without an extension, which pays a single test for it. Invariant: RSV1 is
//! set on the first frame of each message that the extension compressed, and nowhere else.

#[cfg(feature = "std")]
use alloc::vec::Vec;
use core::num::NonZeroUsize;

use bytes::BufMut;
#[cfg(feature = "std")]
use bytes::Bytes;

use crate::encoder::{self, header_of};
use crate::error::SendError;
use crate::header::{Fin, HEADER_LEN_MAX, Opcode, Rsv};
use crate::mask::{MaskKey, MaskKeySource};
#[cfg(feature = "std")]
use crate::message::PreparedMessage;
#[cfg(feature = "std")]
use crate::message::transform::Prepared;
use crate::message::transform::compressed_len_max;
use crate::message::{Message, Sent};

use super::send::Sender;

impl<K: MaskKeySource> Sender<K> {
    /// Like [`send`](Self::send), for a data message.
    #[inline(never)]
    pub(super) fn send_compressed(
        &mut self,
        opcode: Opcode,
        key: Option<MaskKey>,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.check_sendable(opcode)?;
        self.flush(out);
        let Some(outflow) = &mut self.outflow else {
            return self.send_plain(opcode, key, payload, out);
        };
        let sent = outflow
            .compressor
            .compress(payload, &mut |compressed| append_compressed(opcode, key, compressed, out));
        match sent? {
            Sent::Compressed => Ok(()),
            Sent::Declined => self.send_plain(opcode, key, payload, out),
        }
    }

    /// Like [`send_prepared`](Self::send_prepared), for a data message.
    #[cfg(feature = "std")]
    #[inline(never)]
    pub(super) fn send_prepared_compressed(
        &mut self,
        prepared: &PreparedMessage,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let (opcode, payload) = (prepared.opcode(), prepared.payload());
        self.check_sendable(opcode)?;
        self.flush(out);
        let key = self.next_key();
        let Some(outflow) = &mut self.outflow else {
            return self.send_plain(opcode, key, payload, out);
        };
        match outflow.compressor.prepare(opcode, payload, prepared.compressed()) {
            Prepared::Shared(shared) => {
                append_compressed(opcode, key, shared.compressed(), out)?;
                outflow.compressor.prepared_sent(payload);
                Ok(())
            }
            Prepared::Plain => self.send_plain(opcode, key, payload, out),
            Prepared::Own => self.send_compressed(opcode, key, payload, out),
        }
    }

    /// Like [`prepared_frame`](Self::prepared_frame), for a data message that may be sent.
    #[cfg(feature = "std")]
    pub(super) fn prepared_frame_compressed(
        &mut self,
        prepared: &PreparedMessage,
    ) -> Result<Bytes, SendError> {
        let (opcode, payload) = (prepared.opcode(), prepared.payload());
        let key = self.next_key();
        let Some(outflow) = &mut self.outflow else { return Ok(self.plain_frame(prepared)) };
        let mut frame = Vec::new();
        match outflow.compressor.prepare(opcode, payload, prepared.compressed()) {
            Prepared::Shared(shared) => {
                let shared_frame = if key.is_none() {
                    shared.frame().clone()
                } else {
                    append_compressed(opcode, key, shared.compressed(), &mut frame)?;
                    frame.into()
                };
                outflow.compressor.prepared_sent(payload);
                return Ok(shared_frame);
            }
            Prepared::Plain => return Ok(self.plain_frame(prepared)),
            Prepared::Own => {}
        }
        let sent = outflow.compressor.compress(payload, &mut |compressed| {
            append_compressed(opcode, key, compressed, &mut frame)
        });
        match sent? {
            Sent::Compressed => Ok(frame.into()),
            Sent::Declined => Ok(self.plain_frame(prepared)),
        }
    }

    /// Like [`send_fragmented`](Self::send_fragmented), but splits the compressed message. Returns
    /// whether it was sent.
    ///
    /// "An endpoint fragments a compressed message by splitting the result of running this
    /// algorithm" (RFC 7692, 7.2.1).
    #[inline(never)]
    pub(super) fn send_split_compressed(
        &mut self,
        message: Message<'_>,
        fragment_size_max: NonZeroUsize,
        out: &mut impl BufMut,
    ) -> Result<bool, SendError> {
        self.flush(out);
        let Some(mut outflow) = self.outflow.take() else { return Ok(false) };
        let sent = outflow.compressor.compress(message.payload(), &mut |compressed| {
            self.send_split(message.opcode(), Rsv::RSV1, compressed, fragment_size_max, out)
        });
        self.outflow = Some(outflow);
        Ok(sent? == Sent::Compressed)
    }

    /// Like [`send_fragment`](Self::send_fragment); returns whether the fragment was sent. A
    /// message whose first fragment is not its last is always compressed, since its final length is
    /// not known.
    #[inline(never)]
    pub(super) fn send_fragment_compressed(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        fin: Fin,
        out: &mut impl BufMut,
    ) -> Result<bool, SendError> {
        let is_first = opcode != Opcode::Continuation;
        if is_first && fin == Fin::Final {
            let key = self.next_key();
            return self.send_compressed(opcode, key, payload, out).map(|()| true);
        }
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        self.flush(out);
        if !is_first && self.outflow.as_ref().is_none_or(|outflow| !outflow.is_open) {
            return Ok(false);
        }
        // Checked first, since compression can't be undone.
        let needed = HEADER_LEN_MAX + compressed_len_max(payload.len());
        if out.remaining_mut() < needed {
            return Err(SendError::BufferFull { needed });
        }
        let Some(mut outflow) = self.outflow.take() else { return Ok(false) };
        let rsv = if is_first { Rsv::RSV1 } else { Rsv::NONE };
        let sent = outflow.compressor.compress_fragment(payload, fin, &mut |compressed| {
            let header = header_of(opcode, compressed)?.with_rsv(rsv);
            self.put_frame(header, compressed, fin, out)
        });
        outflow.is_open = fin == Fin::More;
        self.outflow = Some(outflow);
        sent.map(|()| true)
    }
}

/// Appends a whole message that an extension has compressed, as one frame.
fn append_compressed(
    opcode: Opcode,
    key: Option<MaskKey>,
    compressed: &[u8],
    out: &mut impl BufMut,
) -> Result<(), SendError> {
    let header = header_of(opcode, compressed)?.with_rsv(Rsv::RSV1).with_mask(key);
    encoder::encode(header, compressed, out)
}
