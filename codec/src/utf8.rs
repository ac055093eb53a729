//! UTF-8 validation of text that arrives in pieces (RFC 6455, 8.1; RFC 3629).
//!
//! Whole blocks go to `simdutf8`; what is kept between pieces is at most three bytes of a character whose end has
//! not arrived. Invariant: `pending` is a proper prefix of some valid character.

use crate::error::Utf8Error;

/// Validates a text piece by piece and fails at the first byte that no valid text could have there.
///
/// ```
/// use wscodec::utf8::Utf8Validator;
/// let mut validator = Utf8Validator::new();
/// validator.push(b"caf\xc3")?; // the first half of an e with an acute accent
/// assert!(!validator.is_complete());
/// validator.push(b"\xa9")?;
/// validator.finish()?;
/// # Ok::<(), wscodec::Utf8Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Validator {
    /// Bytes of the text before `pending`, all of them whole characters.
    valid_len: u64,
    pending: [u8; 3],
    pending_len: u8,
}

impl Utf8Validator {
    /// A validator at the start of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self { valid_len: 0, pending: [0; 3], pending_len: 0 }
    }

    /// Whether what was pushed so far ends with a whole character.
    #[must_use]
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.pending_len == 0
    }

    /// Bytes of the character that is not complete yet: 0 to 3.
    #[must_use]
    #[inline]
    pub fn pending(&self) -> &[u8] {
        self.pending.get(..usize::from(self.pending_len)).unwrap_or(&[])
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Utf8Error`] as soon as a byte is there that no valid text could have; the validator is then at the start of
    /// a new text.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        let piece = if self.pending_len == 0 { piece } else { self.complete_pending(piece)? };
        match simdutf8::basic::from_utf8(piece) {
            Ok(_) => {
                self.valid_len += piece.len() as u64;
                Ok(())
            }
            Err(_) => self.push_slow(piece),
        }
    }

    /// Ends the text, and is ready for the next.
    ///
    /// # Errors
    /// [`Utf8Error`] if the text ends in the middle of a character.
    #[inline]
    pub fn finish(&mut self) -> Result<(), Utf8Error> {
        let ended = core::mem::take(self);
        if ended.pending_len == 0 {
            Ok(())
        } else {
            Err(Utf8Error { valid_up_to: ended.valid_len })
        }
    }

    /// Adds bytes to the pending character until it is whole; returns what is left of `piece`.
    #[cold]
    fn complete_pending<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], Utf8Error> {
        let mut character = [0; 4];
        let mut len = usize::from(self.pending_len);
        for (to, from) in character.iter_mut().zip(self.pending()) {
            *to = *from;
        }
        let mut rest = piece;
        while let [byte, tail @ ..] = rest {
            let Some(slot) = character.get_mut(len) else { break };
            *slot = *byte;
            len += 1;
            rest = tail;
            let character = character.get(..len).unwrap_or(&[]);
            match core::str::from_utf8(character) {
                Ok(_) => {
                    self.valid_len += len as u64;
                    self.pending_len = 0;
                    return Ok(rest);
                }
                Err(error) if error.error_len().is_none() => self.keep(character),
                Err(_) => return Err(self.fail(0)),
            }
        }
        Ok(rest)
    }

    /// `piece` starts with a whole character and holds an error or ends within a character.
    #[cold]
    fn push_slow(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        let Err(error) = simdutf8::compat::from_utf8(piece) else {
            self.valid_len += piece.len() as u64;
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(self.fail(error.valid_up_to() as u64));
        }
        self.valid_len += error.valid_up_to() as u64;
        self.keep(piece.get(error.valid_up_to()..).unwrap_or(&[]));
        Ok(())
    }

    fn keep(&mut self, prefix: &[u8]) {
        self.pending_len = 0;
        for (to, from) in self.pending.iter_mut().zip(prefix) {
            *to = *from;
            self.pending_len += 1;
        }
    }

    fn fail(&mut self, valid_in_piece: u64) -> Utf8Error {
        let valid_up_to = self.valid_len + valid_in_piece;
        *self = Self::new();
        Utf8Error { valid_up_to }
    }
}
