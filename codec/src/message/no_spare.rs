//! Without threads there is nothing that could keep the memory of large messages: it is freed.

use alloc::vec::Vec;

use bytes::{Buf as _, Bytes};

/// Returns no buffer.
pub(super) fn take(_: usize, _: usize) -> Option<Vec<u8>> {
    None
}

/// Frees the memory.
pub(super) fn give(_: Vec<u8>) {}

/// Returns a new buffer with room for `len` bytes.
pub(crate) fn with_room(len: usize) -> Vec<u8> {
    Vec::with_capacity(len)
}

/// Leaves a message where the buffer begins.
pub(super) fn place(_: &mut Vec<u8>) -> usize {
    0
}

/// Returns the room to reserve in front of a message: none.
pub(super) const fn skip_max(_: usize) -> usize {
    0
}

/// Returns the message, all of the buffer from `start` on, as shared bytes.
pub(crate) fn share(bytes: Vec<u8>, start: usize) -> Bytes {
    let mut message = Bytes::from(bytes);
    message.advance(start.min(message.len()));
    message
}
