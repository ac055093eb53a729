//! Control frames: the payload of one that spans reads, and the replies that are due (RFC 6455,
//! 5.5).

use alloc::boxed::Box;
use core::fmt;

use crate::close::{CloseCode, CloseFrame};
use crate::error::{ProtocolError, Utf8Error};
use crate::header::CONTROL_PAYLOAD_LEN_MAX;
use crate::redacted::Redacted;

/// The payload of a control frame. The first byte allocates its memory, which can be freed.
#[derive(Default)]
pub(super) struct ControlPayload {
    bytes: Option<Box<[u8; CONTROL_PAYLOAD_LEN_MAX]>>,
    len: u8,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPayload")
            .field("bytes", &Redacted(self.as_bytes().len()))
            .finish_non_exhaustive()
    }
}

impl ControlPayload {
    pub(super) fn as_bytes(&self) -> &[u8] {
        let all: &[u8] = self.bytes.as_ref().map_or(&[], |bytes| &bytes[..]);
        all.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Appends as much of `piece` as fits; the header check ensures that all of it does.
    pub(super) fn append(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        let bytes = self.bytes.get_or_insert_with(|| Box::new([0; CONTROL_PAYLOAD_LEN_MAX]));
        for (to, from) in bytes.iter_mut().skip(usize::from(self.len)).zip(piece) {
            *to = *from;
            self.len += 1;
        }
    }

    /// Empties the payload, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Frees the memory.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}

/// Checks and reads the payload of a Close frame (RFC 6455, 5.5.1).
pub(super) fn parse_close(payload: &[u8]) -> Result<Option<CloseFrame<'_>>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer"
        return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::ClosePayload) };
    };
    let code = u16::from_be_bytes(*code);
    let code = CloseCode::try_from(code).map_err(|_| ProtocolError::CloseCode { code })?;
    match core::str::from_utf8(reason) {
        Ok(reason) => Ok(Some(CloseFrame { code, reason })),
        Err(error) => Err(Utf8Error { valid_up_to: error.valid_up_to() as u64 }.into()),
    }
}
