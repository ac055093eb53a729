//! Text that is known to be UTF-8, and the buffer of a message that spans reads.
//!
//! The only place where bytes become `&str` without being checked again. Invariant of
//! [`MessageBuffer`]: if the message is text, every byte of it has gone through `validator` since
//! the last `clear`, in order; `as_text` hands out a `&str` only once the validator has confirmed
//! that all of them are valid and the last character is whole.

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::buf::{Limit, UninitSlice};
use bytes::{BufMut, Bytes};

use crate::decoder::MaskedPayload;
use crate::error::{InflateError, ProtocolError, Utf8Error};
use crate::mask::{self, MaskKey};
use crate::redacted::Redacted;
use crate::text;
use crate::utf8::Utf8Validator;

use super::{DataKind, spare};

/// Buffers up to this capacity are kept between messages while reads keep ending inside messages.
const RETAINED_CAPACITY_MAX: usize = 64 << 10;

/// Unmasks and validates a whole text in place.
#[inline]
pub(crate) fn unmask_str(payload: MaskedPayload<'_>) -> Result<&str, Utf8Error> {
    let mut validator = Utf8Validator::new();
    let bytes = payload.unmask_text(&mut validator)?;
    validator.finish()?;
    Ok(unmasked_str(bytes))
}

/// Returns bytes that a validator has accepted as complete text.
#[inline]
#[expect(unsafe_code, reason = "a second validation would double the cost of text")]
pub(crate) fn unmasked_str(validated: &[u8]) -> &str {
    debug_assert!(core::str::from_utf8(validated).is_ok());
    // SAFETY: all callers pass bytes that a validator has accepted as whole characters and that
    // have not been changed since: `unmask_str`, `MessageBuffer::as_text` and `as_text_piece`, the
    // streamed path of the connection, `Utf8Bytes`, whose bytes are shared and so never change, and
    // `sync::WebSocket`, the only owner of its read buffer.
    unsafe { core::str::from_utf8_unchecked(validated) }
}

/// Returns the bytes as text; empty if they have been changed and are no longer valid.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}

/// Fills the start of an empty buffer so that what follows is placed well; returns where that is.
fn placed(bytes: &mut Vec<u8>) -> u16 {
    u16::try_from(spare::place(bytes)).unwrap_or_default()
}

/// How a buffer grows: with what has arrived, never with what was only declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// The greatest length of the message, as far as its headers tell.
    pub(crate) total_len_max: usize,
    /// The capacity for each byte that has arrived.
    pub(crate) factor: usize,
}

/// The progress of one decompressor call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of bytes written to the start of the room.
    pub(crate) written: usize,
    /// Whether nothing is left: all input is taken and its output written. If not, call again.
    pub(crate) is_drained: bool,
}

/// The bytes of the message being assembled, no more than have arrived.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct MessageBuffer {
    bytes: Vec<u8>,
    /// Where in `bytes` the message begins. What precedes it moves it to a better place in its page.
    start: u16,
    /// Messages leave as shared bytes, which may begin anywhere in the buffer.
    is_shared: bool,
    validator: Utf8Validator,
    /// Every byte of `bytes` was pushed to `validator`, which accepted them and the end.
    is_validated: bool,
    /// How many bytes at the start of `bytes` are whole characters that the validator has accepted;
    /// or, for a binary message, how many to hand out as a piece.
    piece_len: usize,
    /// `piece_len` counts validated text.
    is_text_piece: bool,
    /// The bytes from `piece_len` on were read into a [`Room`] and are still masked. A message
    /// handed out in pieces has no room, so one number serves both.
    has_room: bool,
}

/// Room for the next bytes of a message's payload, to be read from the socket straight into the
/// message.
///
/// It takes at most the rest of the current frame's payload, as a [`BufMut`] with that much room.
/// The next call that receives unmasks what was written, and validates text.
///
/// [`Connection::room`](crate::Connection::room) lends it.
pub struct Room<'c>(Limit<&'c mut Vec<u8>>);

impl fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Room").field(&Redacted(self.0.remaining_mut())).finish()
    }
}

#[expect(unsafe_code, reason = "BufMut is an unsafe trait")]
// SAFETY: all methods are those of `Limit<&mut Vec<u8>>`, which upholds the trait's contract.
unsafe impl BufMut for Room<'_> {
    fn remaining_mut(&self) -> usize {
        self.0.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, len: usize) {
        // SAFETY: the caller upholds the contract of the same method.
        unsafe { self.0.advance_mut(len) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.0.chunk_mut()
    }
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for MessageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuffer")
            .field("bytes", &Redacted(self.len()))
            .finish_non_exhaustive()
    }
}

impl MessageBuffer {
    /// Appends a piece, unmasking it while copying, and validating it if it is text.
    pub(crate) fn append(
        &mut self,
        kind: DataKind,
        piece: MaskedPayload<'_>,
        growth: Growth,
    ) -> Result<(), Utf8Error> {
        let (key, src) = piece.into_parts();
        self.is_validated = false;
        self.reserve(src.len(), growth);
        let validator = &mut self.validator;
        match (kind, key == MaskKey::ZERO) {
            (DataKind::Binary, true) => {
                self.bytes.extend_from_slice(src);
                Ok(())
            }
            (DataKind::Binary, false) => {
                mask::append_with(&mut self.bytes, |room| Ok(mask::apply_to(key, src, room, 0)))
            }
            (DataKind::Text, true) => {
                self.bytes.extend_from_slice(src);
                validator.push(src)
            }
            (DataKind::Text, false) => mask::append_with(&mut self.bytes, |room| {
                text::unmask_to(key, src, room, 0, validator)
            }),
        }
    }

    /// Lends room for at most the next `len` bytes, which are still to come. A message read this
    /// way has begun to arrive.
    pub(crate) fn room(&mut self, len: usize, growth: Growth) -> Option<Room<'_>> {
        let start = self.judged_len();
        (self.has_room, self.piece_len) = (true, start);
        let len = len.saturating_sub(self.len() - start);
        if len == 0 {
            return None;
        }
        self.is_validated = false;
        self.reserve(len, growth);
        Some(Room((&mut self.bytes).limit(len)))
    }

    /// Returns the number of bytes, excluding those read into rooms.
    pub(crate) fn judged_len(&self) -> usize {
        if self.has_room { self.piece_len } else { self.len() }
    }

    /// Returns the most that the message can become without more memory, in bytes.
    pub(crate) fn len_max(&self) -> usize {
        self.bytes.capacity() - usize::from(self.start)
    }

    fn len(&self) -> usize {
        self.bytes.len() - usize::from(self.start)
    }

    /// Returns the bytes that were read into rooms, still masked, and the validator for text. The
    /// caller must unmask them; they no longer belong to a room.
    pub(crate) fn take_filled(&mut self) -> Option<(&mut [u8], &mut Utf8Validator)> {
        if !mem::take(&mut self.has_room) {
            return None;
        }
        let start = usize::from(self.start) + mem::take(&mut self.piece_len);
        self.is_validated = false;
        Some((self.bytes.get_mut(start..).unwrap_or_default(), &mut self.validator))
    }

    /// Takes the message, and its memory with it.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.drain(..usize::from(self.start));
        self.release();
        bytes
    }

    /// Takes the message as shared bytes.
    pub(crate) fn take_shared(&mut self) -> Bytes {
        let bytes = mem::take(&mut self.bytes);
        let message = spare::share(bytes, usize::from(self.start));
        self.release();
        message
    }

    /// Notes that messages will leave by [`take_shared`](Self::take_shared).
    pub(crate) const fn will_be_shared(&mut self) {
        self.is_shared = true;
    }

    /// Takes the text, once [`finish`](Self::finish) has accepted it.
    #[expect(unsafe_code, reason = "a second validation would double the cost of text")]
    pub(crate) fn take_text(&mut self) -> Option<String> {
        if !self.is_validated {
            return None;
        }
        // SAFETY: `finish` has set `is_validated`: the validator has accepted every byte and the
        // end.
        Some(unsafe { String::from_utf8_unchecked(self.take()) })
    }

    /// Appends what `decompress` writes to a room of `room_len` bytes; text is validated as it
    /// comes out.
    ///
    /// `total_len_max` is the greatest allowed length of the message: growth stops there.
    pub(crate) fn append_decompressed(
        &mut self,
        kind: DataKind,
        room_len: usize,
        total_len_max: usize,
        decompress: impl FnOnce(&mut [u8]) -> Result<Progress, InflateError>,
    ) -> Result<Progress, ProtocolError> {
        self.is_validated = false;
        let factor = if self.len() == 0 { 1 } else { 2 }; // the first room is often enough
        self.reserve(room_len, Growth { total_len_max, factor });
        let start = self.bytes.len(); // `reserve` may have moved the message
        self.bytes.resize(start + room_len, 0);
        let outcome = decompress(self.bytes.get_mut(start..).unwrap_or_default());
        let written = outcome.map_or(0, |progress| progress.written.min(room_len));
        self.bytes.truncate(start + written);
        let progress = outcome?;
        if kind == DataKind::Text {
            self.validator.push(self.bytes.get(start..).unwrap_or_default())?;
        }
        Ok(progress)
    }

    /// Makes a piece of the content, to be handed out: all of it, or all whole characters of a
    /// text.
    pub(crate) fn end_piece(&mut self, kind: DataKind) {
        let begun_len = match kind {
            DataKind::Text => self.validator.pending().len(),
            DataKind::Binary => 0,
        };
        self.is_text_piece = kind == DataKind::Text;
        self.piece_len = self.len().saturating_sub(begun_len);
    }

    /// Returns the piece of a binary message.
    pub(crate) fn as_piece(&self) -> &[u8] {
        self.as_bytes().get(..self.piece_len).unwrap_or_default()
    }

    /// Returns the piece of a text message; empty for a binary message.
    pub(crate) fn as_text_piece(&self) -> &str {
        if self.is_text_piece { unmasked_str(self.as_piece()) } else { "" }
    }

    /// Drops the piece that was handed out; what remains is the beginning of a character, or
    /// nothing.
    pub(crate) fn drop_piece(&mut self) {
        let start = usize::from(self.start);
        let end = self.bytes.len().min(start + self.piece_len);
        self.bytes.drain(start..end);
        self.piece_len = 0;
    }

    /// Reserves room for `additional` bytes, and for a multiple of the resulting length, but never
    /// for more than the message can become; or takes memory that the thread keeps.
    fn reserve(&mut self, additional: usize, growth: Growth) {
        let needed = self.len() + additional;
        if needed > self.len_max() {
            let capacity =
                needed.max(needed.saturating_mul(growth.factor).min(growth.total_len_max));
            if !self.take_spare(capacity, growth) {
                let is_empty = self.bytes.is_empty();
                let skip_max = self.skip_max(capacity);
                self.bytes.reserve_exact(capacity + skip_max - self.len());
                if is_empty && skip_max > 0 {
                    self.start = placed(&mut self.bytes);
                }
            }
        }
    }

    /// Returns how many bytes to reserve in front of a message for which `capacity` bytes are.
    const fn skip_max(&self, capacity: usize) -> usize {
        if self.is_shared { spare::skip_max(capacity) } else { 0 }
    }

    /// Moves to a spare buffer of the thread with room for `capacity` bytes, if it has one.
    fn take_spare(&mut self, capacity: usize, growth: Growth) -> bool {
        let skip_max = self.skip_max(capacity);
        let len_max = growth.total_len_max.saturating_add(self.skip_max(growth.total_len_max));
        let Some(mut bytes) = spare::take(capacity + skip_max, len_max) else { return false };
        let start = if skip_max > 0 { placed(&mut bytes) } else { 0 };
        bytes.extend_from_slice(self.as_bytes());
        spare::give(mem::replace(&mut self.bytes, bytes));
        self.start = start;
        true
    }

    /// Ends the message: text fails if it ends inside a character.
    pub(crate) fn finish(&mut self, kind: DataKind) -> Result<(), Utf8Error> {
        if kind == DataKind::Text {
            self.validator.finish()?;
            self.is_validated = true;
        }
        Ok(())
    }

    /// Returns how much can be appended without allocating, in bytes.
    pub(crate) fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Returns the memory that the buffer takes, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..).unwrap_or_default()
    }

    /// Returns the text, once [`finish`](Self::finish) has accepted it; empty before.
    pub(crate) fn as_text(&self) -> &str {
        if self.is_validated { unmasked_str(self.as_bytes()) } else { "" }
    }

    /// Empties the buffer for the next message; lets go of a large one at once.
    pub(crate) fn clear(&mut self) {
        if self.bytes.capacity() > RETAINED_CAPACITY_MAX {
            self.recycle();
        }
        self.bytes.clear();
        self.start = 0;
        self.validator = Utf8Validator::new();
        self.is_validated = false;
        self.piece_len = 0;
        self.has_room = false;
    }

    /// Gives the memory to the thread's spares, if it is large, and frees it otherwise.
    pub(crate) fn recycle(&mut self) {
        spare::give(mem::take(&mut self.bytes));
        self.release();
    }

    /// Frees the memory.
    pub(crate) fn release(&mut self) {
        self.bytes = Vec::new();
        self.start = 0;
        self.is_validated = false;
        self.piece_len = 0;
        self.has_room = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_capacity(capacity: usize, len: usize) -> MessageBuffer {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(len, 0);
        MessageBuffer { bytes, ..MessageBuffer::default() }
    }

    #[test]
    fn up_to_64_kib_are_kept_for_the_next_message() {
        for (capacity, kept) in [(10, 10), (64 << 10, 64 << 10), ((64 << 10) + 1, 0)] {
            let mut buffer = of_capacity(capacity, capacity);
            buffer.clear();
            assert_eq!((buffer.bytes.capacity(), buffer.bytes.len()), (kept, 0));
        }
    }

    #[test]
    fn room_is_made_only_when_there_is_none_and_never_beyond_the_message() {
        let growth = Growth { total_len_max: 50, factor: 4 };
        for (additional, capacity) in [(0, 10), (4, 10), (5, 44), (7, 50), (44, 50), (60, 66)] {
            let mut buffer = of_capacity(10, 6);
            assert_eq!((buffer.capacity(), buffer.spare()), (10, 4));
            buffer.reserve(additional, growth);
            assert_eq!(buffer.bytes.capacity(), capacity, "{additional}");
        }
    }
}
