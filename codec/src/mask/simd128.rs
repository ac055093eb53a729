//! WebAssembly's simd128: compiled in where the target has it, since a module that uses it loads
//! only where it is supported.

#![expect(unsafe_code, reason = "vectors have no padding")]

use core::arch::wasm32::{u8x16_bitmask, u32x4_splat, v128, v128_or, v128_xor};

use super::MaskKey;
use super::span::Lane;
use super::vector16::Vector16;

pub(crate) type Baseline = v128;

// SAFETY: sixteen bytes, any of which may have any value.
unsafe impl Lane for v128 {}

impl Vector16 for v128 {
    const NAME: &'static str = "simd128";
    const IS_SIMD: bool = true;

    #[inline(always)]
    fn splat(key: MaskKey) -> Self {
        u32x4_splat(key.to_u32())
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        v128_xor(self, other)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        v128_or(self, other)
    }

    #[inline(always)]
    fn has_top_bit(self) -> bool {
        u8x16_bitmask(self) != 0
    }
}
