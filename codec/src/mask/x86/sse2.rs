//! SSE2: the baseline of x86-64 wherever it is in the target, so no detection is needed.

#![expect(unsafe_code, reason = "vectors have no padding, and their intrinsics need no detection")]

use core::arch::x86_64::{__m128i, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi32, _mm_xor_si128};

use crate::mask::MaskKey;
use crate::mask::span::Lane;
use crate::mask::vector16::Vector16;

// SAFETY: sixteen bytes, any of which may have any value.
unsafe impl Lane for __m128i {}

impl Vector16 for __m128i {
    const NAME: &'static str = "sse2";
    const IS_SIMD: bool = true;

    #[inline(always)]
    fn splat(key: MaskKey) -> Self {
        // SAFETY: this file is compiled only if SSE2 is in the target.
        unsafe { _mm_set1_epi32(key.to_u32().cast_signed()) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm_xor_si128(self, other) }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm_or_si128(self, other) }
    }

    #[inline(always)]
    fn has_top_bit(self) -> bool {
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(self) != 0 }
    }
}
