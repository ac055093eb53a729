//! Masking: XOR of a payload with a repeating key of four bytes (RFC 6455, 5.3).
//!
//! Masking and unmasking are the same operation. `phase` is how many payload bytes of the frame
//! came before the slice, so that a payload that arrives in several reads is unmasked piece by
//! piece.
//!
//! ```text
//! apply ── up to 128 bytes ── vector16, inlined: overlapping loads of the target's baseline
//!      └── more ── Kernel::best() ── avx512 │ avx2 │ vector16 by sse2 │ neon │ simd128 │ scalar
//! ```

#![expect(
    clippy::inline_always,
    reason = "vectors in registers, no stores or answers that were not asked for"
)]

mod kernel;
mod key;
mod put;
mod scalar;
mod span;
mod vector16;

use core::mem::MaybeUninit;

pub use kernel::Kernel;
#[cfg(feature = "std")]
pub use key::ThreadKeys;
pub use key::{ChaChaKeys, DefaultKeys, FixedKey, MaskKey, MaskKeySource};
pub use put::put;
pub(crate) use put::{append_with, put_frame, put_short};

pub(crate) use kernel::Isa;
pub(crate) use span::{Copying, InPlace, ReadOnly, Span};
pub(crate) use vector16::{apply_short, apply_short_ascii};

// The baseline is the vectors that need no detection. Masking tests the compilation target only
// here, with one condition per target.
cfg_if::cfg_if! {
    if #[cfg(wscodec_scalar)] {
        mod narrow;
        use narrow::Wide;
        pub(crate) use scalar::Words as Baseline;
    } else if #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))] {
        pub(crate) mod x86;
        pub(crate) use span::Lane;
        pub(crate) use x86::{Baseline, Wide};
    } else if #[cfg(all(target_arch = "aarch64", target_feature = "neon"))] {
        mod narrow;
        mod neon;
        use narrow::Wide;
        pub(crate) use neon::Baseline;
    } else if #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))] {
        mod narrow;
        mod simd128;
        use narrow::Wide;
        pub(crate) use simd128::Baseline;
    } else {
        mod narrow;
        use narrow::Wide;
        pub(crate) use scalar::Words as Baseline;
    }
}

/// Payloads of up to this many bytes take the inlined path, which covers them with eight vectors of
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
/// The result is as long as the shorter of the two.
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
