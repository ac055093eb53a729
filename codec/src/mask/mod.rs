//! Masking: XOR of a payload with a repeating key of four bytes (RFC 6455, 5.3).
//!
//! Masking and unmasking are the same operation. `phase` is how many payload bytes of the frame
//! came before the slice, so that a payload which arrives in several reads is unmasked piece by
//! piece.
//!
//! ```text
//! apply ── up to 128 bytes ── vector16, inlined: overlapping loads of the target's baseline
//!      └── more ── Kernel::best() ── avx512 │ avx2 │ vector16 by sse2 │ neon │ simd128 │ scalar
//! ```

#![expect(
    clippy::inline_always,
    reason = "vectors in registers, stores and answers that nobody asked for gone"
)]

mod kernel;
mod key;

#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
mod avx512;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(wscodec_scalar)))]
mod neon;
mod put;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(wscodec_scalar)))]
mod simd128;
mod span;
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
mod sse2;
mod vector16;

use core::mem::MaybeUninit;

pub use kernel::Kernel;
#[cfg(feature = "std")]
pub use key::ThreadKeys;
pub use key::{ChaChaKeys, FixedKey, MaskKey, MaskKeySource};
pub use put::put;
pub(crate) use put::{append_with, put_frame, put_short};

pub(crate) use baseline::Baseline;
pub(crate) use kernel::Isa;
pub(crate) use span::{Copying, InPlace, ReadOnly, Span};
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
pub(crate) use span::{Lane, lane};
pub(crate) use vector16::{apply_short, apply_short_ascii};

/// The vectors that need no detection, and their name.
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
mod baseline {
    pub(super) const BASELINE: &str = "sse2";
    pub(super) const HAS_BASELINE: bool = true;
    pub(crate) type Baseline = core::arch::x86_64::__m128i;
}
#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(wscodec_scalar)))]
mod baseline {
    pub(super) const BASELINE: &str = "neon";
    pub(super) const HAS_BASELINE: bool = true;
    pub(crate) type Baseline = core::arch::aarch64::uint8x16_t;
}
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(wscodec_scalar)))]
mod baseline {
    pub(super) const BASELINE: &str = "simd128";
    pub(super) const HAS_BASELINE: bool = true;
    pub(crate) type Baseline = core::arch::wasm32::v128;
}
#[cfg(any(
    wscodec_scalar,
    not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "wasm32", target_feature = "simd128"),
    ))
))]
mod baseline {
    pub(super) const BASELINE: &str = "scalar";
    pub(super) const HAS_BASELINE: bool = false;
    pub(crate) type Baseline = super::scalar::Words;
}

/// Payloads of up to so many bytes take the inlined path, which covers them with eight vectors of
/// 16.
pub(crate) const SHORT_LEN_MAX: usize = 128;

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
    if payload.len() <= SHORT_LEN_MAX {
        apply_short::<Baseline, _>(key.rotated(phase), &mut InPlace(payload));
    } else {
        Kernel::best().apply(key, payload, phase);
    }
}

/// Writes `src` XOR `key` to the start of `dst`, whose old content is not read, and returns what
/// was written.
///
/// As far as both reach: the result is as long as the shorter of the two.
#[inline]
#[expect(unsafe_code, reason = "hands out the memory that was just written")]
pub fn apply_to<'d>(
    key: MaskKey,
    src: &[u8],
    dst: &'d mut [MaybeUninit<u8>],
    phase: usize,
) -> &'d mut [u8] {
    let mut span = Copying::new(src, dst);
    if span.len() <= SHORT_LEN_MAX {
        apply_short::<Baseline, _>(key.rotated(phase), &mut span);
        // SAFETY: `apply_short` stores all of a span of this length.
        unsafe { span.into_stored() }
    } else {
        Kernel::best().copy(key.rotated(phase), span)
    }
}

/// Bytes that the loops of the kernels for wide vectors take at once: a cache line.
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
pub(crate) const BLOCK_LEN: usize = 64;

/// Where a kernel for wide vectors starts its loop: in a long span at the first address that is a
/// multiple of [`BLOCK_LEN`], for a store that crosses a cache line costs two.
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
#[inline]
pub(crate) fn aligned_from<S: Span>(span: &mut S) -> usize {
    // An address that is not known is as good as an aligned one.
    let address = span.places().map_or(0, |places| places.as_ptr().addr());
    if span.len() < S::ALIGNED_LEN_MIN { 0 } else { address.wrapping_neg() % BLOCK_LEN }
}

#[cfg(all(test, target_arch = "x86_64", not(wscodec_scalar)))]
mod tests {
    use alloc::vec;

    use super::*;

    /// A store that crosses a cache line costs two, so long spans begin at one.
    #[test]
    fn long_spans_begin_at_a_cache_line_and_short_ones_where_they_are() {
        let mut memory = vec![0_u8; 4096];
        for at in 0..2 * BLOCK_LEN {
            for (len, is_aligned) in [(511, false), (512, true), (513, true), (3_000, true)] {
                let bytes = &mut memory[at..at + len];
                let address = bytes.as_ptr().addr();
                let skipped = aligned_from(&mut InPlace(bytes));
                if is_aligned {
                    assert!(skipped < BLOCK_LEN && (address + skipped).is_multiple_of(BLOCK_LEN));
                } else {
                    assert_eq!(skipped, 0);
                }
            }
        }
    }
}
