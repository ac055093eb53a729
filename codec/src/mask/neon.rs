//! NEON: the baseline of AArch64, so no detection is needed.

#![expect(unsafe_code, reason = "vectors have no padding, and their intrinsics need no detection")]

use core::arch::aarch64::{
    uint8x16_t, vdupq_n_u32, veorq_u8, vmaxvq_u8, vorrq_u8, vreinterpretq_u8_u32,
};

use super::MaskKey;
use super::span::Lane;
use super::vector16::Vector16;

pub(crate) type Baseline = uint8x16_t;

// SAFETY: sixteen bytes, any of which may have any value.
unsafe impl Lane for uint8x16_t {}

impl Vector16 for uint8x16_t {
    const NAME: &'static str = "neon";
    const IS_SIMD: bool = true;

    #[inline(always)]
    fn splat(key: MaskKey) -> Self {
        // SAFETY: this file is compiled only if NEON is in the target.
        unsafe { vreinterpretq_u8_u32(vdupq_n_u32(key.to_u32())) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { veorq_u8(self, other) }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { vorrq_u8(self, other) }
    }

    #[inline(always)]
    fn has_top_bit(self) -> bool {
        // SAFETY: as above.
        unsafe { vmaxvq_u8(self) >= 0x80 }
    }
}
