//! Masking: XOR of a payload with a repeating key of four bytes (RFC 6455, 5.3).
//!
//! Masking and unmasking are the same operation. `phase` is how many payload bytes of the frame came before the
//! slice, so that a payload which arrives in several reads is unmasked piece by piece.

mod key;
mod put;
mod scalar;

use core::mem::MaybeUninit;

#[cfg(feature = "std")]
pub use key::ThreadKeys;
pub use key::{ChaChaKeys, FixedKey, MaskKey, MaskKeySource};
pub use put::put;
pub(crate) use put::{append_with, put_frame};

/// XORs `key` over `payload` in place.
///
/// ```
/// use wscodec::mask::{self, MaskKey};
/// let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58]; // RFC 6455, 5.7
/// mask::apply(key, &mut payload, 0);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply(key: MaskKey, payload: &mut [u8], phase: usize) {
    scalar::apply(key.rotated(phase), payload);
}

/// Writes `src` XOR `key` to the start of `dst`, whose old content is not read, and returns what was written.
///
/// As far as both reach: the result is as long as the shorter of the two.
#[inline]
#[expect(unsafe_code, reason = "hands out the part of uninitialised memory that was just written")]
pub fn apply_to<'d>(
    key: MaskKey,
    src: &[u8],
    dst: &'d mut [MaybeUninit<u8>],
    phase: usize,
) -> &'d mut [u8] {
    let len = src.len().min(dst.len());
    let (dst, _) = dst.split_at_mut(len);
    scalar::apply_to(key.rotated(phase), src.get(..len).unwrap_or(src), dst);
    // SAFETY: `scalar::apply_to` wrote every byte of `dst`, which is as long as `src`; `MaybeUninit<u8>` has the
    // layout of `u8`, and the exclusive borrow is passed on.
    unsafe { &mut *(core::ptr::from_mut(dst) as *mut [u8]) }
}
