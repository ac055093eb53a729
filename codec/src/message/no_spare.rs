//! Without threads there is nothing that could keep the memory of large messages: it is freed.

use alloc::vec::Vec;

use bytes::Bytes;

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

/// Returns the message as shared bytes.
pub(crate) fn share(message: Vec<u8>) -> Bytes {
    message.into()
}
