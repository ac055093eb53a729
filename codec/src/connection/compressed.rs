//! Compressed messages (RFC 7692, 6.2): passes payload to the extension as it arrives, and its
//! output to the assembler.
//!
//! Separate from the path of other messages, which pays nothing for it. Invariant:
//! `Phase::Compressed` occurs only with an extension.

use crate::error::ProtocolError;
use crate::header::{Fin, FrameHeader, Rsv};
use crate::limits::Limits;
use crate::message::transform::compressed_size_max;
use crate::message::{DataKind, FramePlace, Inflow};

use super::found::Held;
use super::inbound::{Inbound, Phase};
use super::receive::Step;
use super::{Delivery, Event};

impl Inbound {
    /// Checks whether the frame belongs to a compressed message, and if so checks its header.
    ///
    /// "A message with the "Per-Message Compressed" bit set on the first fragment of the message is
    /// called a "compressed message"" (RFC 7692, 6). The header check ensures that no other frame
    /// has the bit.
    #[cold]
    pub(super) fn compressed_begins(
        &mut self,
        header: &FrameHeader,
    ) -> Result<bool, ProtocolError> {
        let Some(inflow) = &mut self.inflow else { return Ok(false) };
        if header.rsv() == Rsv::NONE && !inflow.is_open() {
            return Ok(false);
        }
        // The frames declare compressed lengths; the message's own limit is checked during
        // decompression.
        let compressed_size_max = compressed_size_max(&self.limits);
        let limits = Limits { message_size_max: compressed_size_max, ..self.limits };
        let place = self.assembler.begin(header, &limits).map_err(|error| match error {
            ProtocolError::MessageTooBig { message_size: compressed_size, .. } => {
                ProtocolError::CompressedTooBig { compressed_size, compressed_size_max }
            }
            other => other,
        })?;
        if !inflow.is_open() {
            inflow.open();
        }
        let (FramePlace::Whole(kind) | FramePlace::Part(kind)) = place;
        self.phase = Phase::Compressed(kind);
        Ok(true)
    }

    /// Continues the current frame of a compressed message; returns `None` if there is nothing to
    /// report yet.
    #[inline(never)]
    pub(super) fn decompress<'i>(
        &mut self,
        kind: DataKind,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        // Taken out temporarily, so that the rest of the receiver is free.
        let Some(mut inflow) = self.inflow.take() else { return Ok(Some(Step::NeedMore)) };
        let outcome = match self.delivery {
            Delivery::Whole => self.decompress_whole(kind, &mut inflow, input),
            Delivery::Streamed => self.decompress_piece(kind, &mut inflow, input),
        };
        self.inflow = Some(inflow);
        outcome
    }

    fn decompress_whole<'i>(
        &mut self,
        kind: DataKind,
        inflow: &mut Inflow,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        let piece = self.decoder.payload(input).unmask();
        inflow.append(kind, piece, self.assembler.buffer_mut(), &self.limits)?;
        if self.decoder.remaining() > 0 {
            return Ok(Some(Step::NeedMore));
        }
        self.phase = Phase::Header;
        if !self.assembler.is_final() {
            return Ok(None);
        }
        inflow.finish(kind, self.assembler.buffer_mut(), &self.limits)?;
        self.assembler.end();
        Ok(Some(Step::Held(Held::Message(kind))))
    }

    fn decompress_piece<'i>(
        &mut self,
        kind: DataKind,
        inflow: &mut Inflow,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        self.assembler.buffer_mut().drop_piece();
        loop {
            let buffer = self.assembler.buffer_mut();
            if !inflow.fill_piece(kind, buffer, &self.limits)? {
                return Ok(self.piece_step(kind, Fin::More)); // full, and there is more
            }
            if self.decoder.remaining() > 0 {
                if input.is_empty() {
                    return Ok(self.piece_step(kind, Fin::More).or(Some(Step::NeedMore)));
                }
                let piece = self.decoder.payload_at_most(input, Inflow::HELD_LEN_MAX).unmask();
                inflow.hold(piece);
            } else if !self.assembler.is_final() {
                self.phase = Phase::Header;
                return Ok(self.piece_step(kind, Fin::More));
            } else if inflow.begin_finish() {
                self.phase = Phase::Header;
                inflow.close();
                self.assembler.end();
                self.assembler.buffer_mut().finish(kind)?;
                return Ok(self.piece_step(kind, Fin::Final));
            }
        }
    }

    /// Returns the content of the assembler as a piece, if it is one: a last piece may be empty.
    fn piece_step<'i>(&mut self, kind: DataKind, fin: Fin) -> Option<Step<'i>> {
        let buffer = self.assembler.buffer_mut();
        buffer.end_piece(kind);
        (fin == Fin::Final || !buffer.as_piece().is_empty())
            .then_some(Step::Held(Held::Piece(kind, fin)))
    }

    /// Returns the event of [`Held::Piece`].
    pub(super) fn piece(&self, kind: DataKind, fin: Fin) -> Event<'_> {
        let buffer = self.assembler.buffer();
        match kind {
            DataKind::Text => Event::TextPiece(buffer.as_text_piece(), fin),
            DataKind::Binary => Event::BinaryPiece(buffer.as_piece(), fin),
        }
    }
}
