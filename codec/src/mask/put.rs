//! Masked copies into buffers that grow: the two places where a length is set after a kernel has written.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use bytes::BufMut;

use super::{MaskKey, apply_to};

/// Appends `src` XOR `key` to `out`.
///
/// As far as `out` has room: check [`remaining_mut`](BufMut::remaining_mut) before. A `Vec` or `BytesMut` grows.
#[expect(unsafe_code, reason = "BufMut's room is uninitialised, and its length is set by hand")]
pub fn put(key: MaskKey, src: &[u8], out: &mut impl BufMut) {
    let mut rest = src;
    while !rest.is_empty() && out.has_remaining_mut() {
        let room = out.chunk_mut();
        // SAFETY: nothing uninitialised is written through this slice: `apply_to` only stores bytes.
        let room: &mut [MaybeUninit<u8>] = unsafe { room.as_uninit_slice_mut() };
        let written = apply_to(key.rotated(src.len() - rest.len()), rest, room, 0).len();
        // SAFETY: `apply_to` has just initialised the first `written` bytes of the room.
        unsafe { out.advance_mut(written) };
        rest = rest.get(written..).unwrap_or(&[]);
    }
}

/// Appends `src` XOR `key` to `out` by `copy`, which fills a part of the room it is given and returns that part.
#[expect(unsafe_code, reason = "the room is uninitialised, and the length is set by hand")]
pub(crate) fn append_with<E>(
    out: &mut Vec<u8>,
    copy: impl for<'d> FnOnce(&'d mut [MaybeUninit<u8>]) -> Result<&'d mut [u8], E>,
) -> Result<(), E> {
    let room = out.spare_capacity_mut();
    let start = room.as_ptr().cast::<u8>();
    let room_len = room.len();
    let written = copy(room)?;
    // Whatever `copy` returned, only initialised bytes at the start of the room count.
    let written = if written.as_ptr() == start { written.len().min(room_len) } else { 0 };
    let len = out.len() + written;
    // SAFETY: `written` bytes from the first free one on are initialised (they were handed back as `&mut [u8]`), and
    // they lie within the capacity.
    unsafe { out.set_len(len) };
    Ok(())
}
