//! Messages larger than memory: pieces as they arrive, with characters kept whole.

use crate::error::ProtocolError;
use crate::header::Fin;
use crate::message::{DataKind, unmasked_str};

use super::Event;
use super::found::Held;
use super::inbound::{Inbound, Phase};
use super::receive::Step;

impl Inbound {
    /// Returns the next piece of the current frame; `None` if there is nothing to report yet.
    pub(super) fn stream_piece<'i>(
        &mut self,
        kind: DataKind,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        if self.decoder.remaining() > 0 && input.is_empty() {
            return Ok(Some(Step::NeedMore));
        }
        let step = match kind {
            DataKind::Binary => {
                let piece = self.decoder.payload(input).unmask();
                let fin = self.stream_advances(kind)?;
                (!piece.is_empty() || fin == Fin::Final)
                    .then_some(Step::Input(Event::BinaryPiece(piece, fin)))
            }
            DataKind::Text if self.carry.validator.is_complete() => {
                let piece = self.decoder.payload(input);
                let piece = piece.unmask_text(&mut self.carry.validator)?;
                // The piece began with a whole character, so everything but the pending bytes is
                // whole characters.
                let (whole, begun) = piece
                    .split_at(piece.len().saturating_sub(self.carry.validator.pending().len()));
                self.carry.len = 0;
                self.carry.append(begun);
                let fin = self.stream_advances(kind)?;
                (!whole.is_empty() || fin == Fin::Final)
                    .then(|| Step::Input(Event::TextPiece(unmasked_str(whole), fin)))
            }
            DataKind::Text => {
                let missing = self.carry.missing();
                let piece = self.decoder.payload_at_most(input, missing);
                let piece = piece.unmask_text(&mut self.carry.validator)?;
                self.carry.append(piece);
                let is_whole = self.carry.validator.is_complete();
                let fin = self.stream_advances(kind)?;
                is_whole.then_some(Step::Held(Held::Carry(fin)))
            }
        };
        Ok(step)
    }

    /// Handles the frame's end, and returns whether the piece just taken was the message's last.
    fn stream_advances(&mut self, kind: DataKind) -> Result<Fin, ProtocolError> {
        if self.decoder.remaining() > 0 {
            return Ok(Fin::More);
        }
        self.phase = Phase::Header;
        if !self.assembler.is_final() {
            return Ok(Fin::More);
        }
        self.assembler.end();
        if kind == DataKind::Text {
            self.carry.validator.finish()?;
        }
        Ok(Fin::Final)
    }
}
