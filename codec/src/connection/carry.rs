//! A character split between two pieces of a streamed text.

use crate::utf8::Utf8Validator;

/// A text being received, and the character split between two of its pieces.
#[derive(Debug, Default)]
pub(super) struct Carry {
    pub(super) validator: Utf8Validator,
    /// The bytes of one character, the last `len` of them so far.
    character: [u8; 4],
    pub(super) len: u8,
}

impl Carry {
    /// Returns the completed character, or an empty string.
    pub(super) fn as_str(&self) -> &str {
        let bytes = self.character.get(..usize::from(self.len)).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        for (to, from) in self.character.iter_mut().skip(usize::from(self.len)).zip(bytes) {
            *to = *from;
            self.len += 1;
        }
    }

    /// Returns the number of bytes that the begun character still needs, judging by its first byte.
    pub(super) fn missing(&self) -> usize {
        let [first, ..] = self.character;
        let len: usize = match first {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        len.saturating_sub(usize::from(self.len))
    }
}
