//! UTF-8 validation of text that arrives in pieces (RFC 6455, 8.1; RFC 3629).
//!
//! The state between pieces is at most three bytes of a character whose end has not arrived. Short
//! ASCII takes an inlined path. The rest goes to a kernel, which unmasks in the same pass if asked
//! to: our own for AVX-512 and AVX2, `simdutf8` elsewhere. A kernel only accepts or refuses; the
//! standard library finds the exact position of a fault, and nothing that a kernel refused is valid
//! unless the standard library has checked it. Invariant: `pending` is a proper prefix of some
//! valid character.

use crate::error::Utf8Error;
use crate::mask::{
    Baseline, Isa, Kernel, MaskKey, ReadOnly, SHORT_LEN_MAX, Span, apply_short, apply_short_ascii,
};

cfg_if::cfg_if! {
    if #[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(wscodec_scalar)))] {
        mod x86;
        use x86::unmask_and_check;
    } else {
        use without_walk as unmask_and_check;
    }
}

/// From this length in bytes on, a kernel is faster than the standard library, which starts sooner.
const WALK_LEN_MIN: usize = 16;

/// The number of bytes unmasked before validating them where that takes two steps: small compared
/// with any first-level cache.
const HOT_LEN: usize = 4096;

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
    /// The number of bytes before `pending`, all of them whole characters.
    valid_len: u64,
    pending: [u8; 3],
    pending_len: u8,
}

impl Utf8Validator {
    /// Creates a validator at the start of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self { valid_len: 0, pending: [0; 3], pending_len: 0 }
    }

    /// Returns whether what was pushed so far ends with a whole character.
    #[must_use]
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.pending_len == 0
    }

    /// Returns the bytes of the incomplete character: 0 to 3.
    #[must_use]
    #[inline]
    pub fn pending(&self) -> &[u8] {
        self.pending.get(..usize::from(self.pending_len)).unwrap_or(&[])
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Utf8Error`] at the first byte that no valid text could have there; the validator is then
    /// at the start of a new text.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        if piece.len() <= SHORT_LEN_MAX
            && self.is_complete()
            && apply_short_ascii::<Baseline, _>(MaskKey::ZERO, &mut ReadOnly(piece))
        {
            self.skip(piece.len());
            return Ok(());
        }
        self.push_by(Kernel::best(), piece)
    }

    /// Like [`push`](Self::push), with a kernel of the caller's choice.
    ///
    /// # Errors
    /// See [`push`](Self::push).
    pub fn push_by(&mut self, kernel: Kernel, piece: &[u8]) -> Result<(), Utf8Error> {
        self.push_masked(kernel, MaskKey::ZERO, ReadOnly(piece))
    }

    /// XORs `key` over the next piece, stores it, and takes it.
    #[inline]
    #[expect(unsafe_code, reason = "looks at what was just stored")]
    pub(crate) fn push_masked<S: Span>(
        &mut self,
        kernel: Kernel,
        key: MaskKey,
        mut piece: S,
    ) -> Result<(), Utf8Error> {
        if !self.is_complete() {
            return self.push_masked_end(kernel, key, piece);
        }
        if piece.len() < WALK_LEN_MIN {
            apply_short::<Baseline, _>(key, &mut piece);
            // SAFETY: `apply_short` stores all of a span of this length.
            return self.take_exactly(unsafe { piece.stored() });
        }
        let Some(is_valid) = unmask_and_check(kernel, key, &mut piece) else {
            return self.push_blocks(kernel, key, piece);
        };
        // SAFETY: `unmask_and_check` stores all of a span unless it returns `None`.
        let piece = unsafe { piece.stored() };
        if is_valid && piece.last().is_none_or(u8::is_ascii) {
            self.skip(piece.len());
            return Ok(());
        }
        self.take_checked(piece, is_valid)
    }

    /// Like [`push_masked`](Self::push_masked), where a character is pending.
    #[cold]
    #[expect(unsafe_code, reason = "looks at what was just stored")]
    fn push_masked_end<S: Span>(
        &mut self,
        kernel: Kernel,
        key: MaskKey,
        piece: S,
    ) -> Result<(), Utf8Error> {
        let end_len = self.missing_len().min(piece.len());
        let (mut end, rest) = piece.split(end_len);
        apply_short::<Baseline, _>(key, &mut end);
        // SAFETY: as in `push_masked`.
        self.take_end(unsafe { end.stored() })?;
        if rest.len() == 0 { Ok(()) } else { self.push_masked(kernel, key.rotated(end_len), rest) }
    }

    /// Ends the text, and resets the validator for the next one.
    ///
    /// # Errors
    /// [`Utf8Error`] if the text ends in the middle of a character.
    #[inline]
    pub fn finish(&mut self) -> Result<(), Utf8Error> {
        // Field by field: copying the whole right after writing a part would wait for that write.
        let (is_complete, valid_up_to) = (self.is_complete(), self.valid_len);
        *self = Self::new();
        if is_complete { Ok(()) } else { Err(Utf8Error { valid_up_to }) }
    }

    /// Adds bytes to the pending character until it is whole; returns the rest of `piece`.
    #[cold]
    fn take_end<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], Utf8Error> {
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

    /// Counts `len` bytes of whole characters.
    #[inline]
    pub(crate) fn skip(&mut self, len: usize) {
        self.valid_len += len as u64;
    }

    /// Returns how many bytes the pending character still needs: 0 to 3.
    #[inline]
    fn missing_len(&self) -> usize {
        let char_len: usize = match self.pending() {
            [] => 0,
            [(..0xe0), ..] => 2,
            [(..0xf0), ..] => 3,
            _ => 4,
        };
        char_len.saturating_sub(usize::from(self.pending_len))
    }

    /// Takes a piece that starts with a character, with a kernel's verdict on whether it is valid,
    /// except that it may end within a character.
    fn take_checked(&mut self, piece: &[u8], is_valid: bool) -> Result<(), Utf8Error> {
        if !is_valid {
            return self.take_exactly(piece);
        }
        let (whole, open) = split_open(piece);
        self.skip(whole.len());
        if open.is_empty() { Ok(()) } else { self.take_exactly(open) }
    }

    /// Like [`push_masked`](Self::push_masked), for a piece that starts with a character, where
    /// unmasking and validating take two steps: block by block, and only what is not ASCII is
    /// validated.
    #[expect(unsafe_code, reason = "looks at what was just stored")]
    fn push_blocks<S: Span>(
        &mut self,
        kernel: Kernel,
        key: MaskKey,
        piece: S,
    ) -> Result<(), Utf8Error> {
        let mut rest = piece;
        while rest.len() > 0 {
            // A span that is not stored needs no separate pass.
            let block_len = if S::IS_READ_ONLY { rest.len() } else { HOT_LEN.min(rest.len()) };
            let (mut block, after) = rest.split(block_len);
            rest = after;
            let is_ascii = !S::IS_READ_ONLY && kernel.run_detecting(key, &mut block);
            // SAFETY: `run_detecting` stores all of a span.
            let block = unsafe { block.stored() };
            if is_ascii && self.is_complete() {
                self.skip(block.len());
                continue;
            }
            let block = if self.is_complete() { block } else { self.take_end(block)? };
            let (whole, _) = split_open(block);
            let is_valid = if kernel.isa() == Isa::Scalar {
                core::str::from_utf8(whole).is_ok()
            } else {
                simdutf8::basic::from_utf8(whole).is_ok()
            };
            self.take_checked(block, is_valid)?;
        }
        Ok(())
    }

    /// Takes a piece that starts with a character.
    fn take_exactly(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        let Err(error) = core::str::from_utf8(piece) else {
            self.skip(piece.len());
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(self.fail(error.valid_up_to() as u64));
        }
        self.skip(error.valid_up_to());
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

/// Cuts off a possibly incomplete character: a lead among the last three bytes that needs more
/// bytes than follow.
#[inline]
fn split_open(piece: &[u8]) -> (&[u8], &[u8]) {
    let open_len = match piece {
        [.., 0xc0..=0xff] => 1,
        [.., 0xe0..=0xff, 0x80..=0xbf] => 2,
        [.., 0xf0..=0xff, 0x80..=0xbf, 0x80..=0xbf] => 3,
        _ => 0,
    };
    piece.split_at_checked(piece.len() - open_len).unwrap_or((piece, &[]))
}

/// Reports that the kernel has no walk of its own, for targets where no kernel has one.
#[allow(dead_code, reason = "for targets without wide vectors")]
fn without_walk<S: Span>(_: Kernel, _: MaskKey, _: &mut S) -> Option<bool> {
    None
}
