//! Masked copies into buffers that grow: the two places where a length is set after a kernel has
//! written.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use bytes::BufMut;

use super::{Baseline, Copying, MaskKey, SHORT_LEN_MAX, apply_short, apply_to};

/// Appends a frame with a short header: the `head_len` lowest bytes of `head`, lowest first, then
/// `payload`, XOR `key` if there is one. Returns `false`, having written nothing, if `out` has no
/// contiguous room for it.
///
/// Works in registers: this is the cost of most messages.
#[inline(always)]
#[expect(unsafe_code, reason = "BufMut's room is uninitialised, and its length is set by hand")]
pub(crate) fn put_short(
    (head, head_len): (u64, usize),
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    let room = out.chunk_mut();
    // SAFETY: nothing uninitialised is written through this slice: only bytes are stored.
    let room: &mut [MaybeUninit<u8>] = unsafe { room.as_uninit_slice_mut() };
    if room.len() < 8 + payload.len() || head_len > 8 {
        return false;
    }
    if let Some(first) = room.first_chunk_mut::<8>() {
        *first = head.to_le_bytes().map(MaybeUninit::new);
    }
    let after = room.get_mut(head_len..).unwrap_or_default();
    match key {
        // More than two vectors of 16 bytes are slower than one call to the C library.
        None if payload.len() > 32 => copy(payload, after),
        Some(key) if payload.len() > SHORT_LEN_MAX => {
            apply_to(key, payload, after, 0);
        }
        key => {
            let key = key.unwrap_or(MaskKey::ZERO);
            apply_short::<Baseline, _>(key, &mut Copying::new(payload, after));
        }
    }
    // SAFETY: the eight bytes of the header were initialised above, of which `head_len` count, and
    // after them `payload.len()` more, for which there is room by the check above.
    unsafe { out.advance_mut(head_len + payload.len()) };
    true
}

/// Appends a frame: the `head_len` lowest bytes of `head`, lowest first, then `payload`, XOR `key`
/// if there is one. `out` must have enough room in total; if the room is contiguous, the frame is
/// written with a single check of it.
#[inline]
#[expect(unsafe_code, reason = "BufMut's room is uninitialised, and its length is set by hand")]
pub(crate) fn put_frame(
    (head, head_len): (u128, usize),
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) {
    let room = out.chunk_mut();
    // SAFETY: nothing uninitialised is written through this slice: only bytes are stored.
    let room: &mut [MaybeUninit<u8>] = unsafe { room.as_uninit_slice_mut() };
    let room_len = room.len();
    let Some((first, _)) = room.split_first_chunk_mut::<16>() else {
        return put_frame_in_pieces((head, head_len), key, payload, out);
    };
    if room_len < 16 + payload.len() {
        return put_frame_in_pieces((head, head_len), key, payload, out);
    }
    // Stores all sixteen bytes from registers; the payload overwrites those beyond the header.
    *first = head.to_le_bytes().map(MaybeUninit::new);
    let after = room.get_mut(head_len..).unwrap_or_default();
    match key {
        Some(key) => {
            apply_to(key, payload, after, 0);
        }
        None => copy(payload, after),
    }
    // SAFETY: the header's bytes were initialised above (`head_len` is at most 14), and after them
    // `payload.len()` more, for which there is room by the check above.
    unsafe { out.advance_mut(head_len + payload.len()) };
}

/// Copies `from` to the start of `to`, up to the shorter length.
#[inline]
#[expect(unsafe_code, reason = "bytes as bytes that may be uninitialised")]
fn copy(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, and any byte is a valid one.
    let from: &[MaybeUninit<u8>] =
        unsafe { &*(core::ptr::from_ref(from) as *const [MaybeUninit<u8>]) };
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}

/// Like [`put_frame`], into a buffer that must grow or whose room is not contiguous.
#[cold]
fn put_frame_in_pieces(
    (head, head_len): (u128, usize),
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) {
    out.put_slice(head.to_le_bytes().get(..head_len).unwrap_or_default());
    match key {
        Some(key) => put(key, payload, out),
        None => out.put_slice(payload),
    }
}

/// Appends `src` XOR `key` to `out`.
///
/// Appends only as far as `out` has room: check [`remaining_mut`](BufMut::remaining_mut) first. A
/// `Vec` or `BytesMut` grows.
#[expect(unsafe_code, reason = "BufMut's room is uninitialised, and its length is set by hand")]
pub fn put(key: MaskKey, src: &[u8], out: &mut impl BufMut) {
    let mut rest = src;
    while !rest.is_empty() && out.has_remaining_mut() {
        let room = out.chunk_mut();
        // SAFETY: nothing uninitialised is written through this slice: `apply_to` only stores
        // bytes.
        let room: &mut [MaybeUninit<u8>] = unsafe { room.as_uninit_slice_mut() };
        let written = apply_to(key.rotated(src.len() - rest.len()), rest, room, 0).len();
        // SAFETY: `apply_to` has just initialised the first `written` bytes of the room.
        unsafe { out.advance_mut(written) };
        rest = rest.get(written..).unwrap_or(&[]);
    }
}

/// Appends `src` XOR `key` to `out` with `copy`, which fills a part of the room it is given and
/// returns that part.
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
    // SAFETY: `written` bytes from the first free one on are initialised (they were handed back as
    // `&mut [u8]`), and they lie within the capacity.
    unsafe { out.set_len(len) };
    Ok(())
}
