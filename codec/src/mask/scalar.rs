//! Plain integers, for targets without SIMD or where `--cfg wscodec_scalar` turns it off.

use super::MaskKey;
use super::vector16::Vector16;

/// Sixteen bytes as two words.
pub(crate) type Words = [u64; 2];

impl Vector16 for Words {
    const NAME: &'static str = "scalar";
    const IS_SIMD: bool = false;

    #[inline(always)]
    fn splat(key: MaskKey) -> Self {
        [key.to_u64(); 2]
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self, other);
        [a ^ c, b ^ d]
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self, other);
        [a | c, b | d]
    }

    #[inline(always)]
    fn has_top_bit(self) -> bool {
        let [a, b] = self;
        (a | b) & 0x8080_8080_8080_8080 != 0
    }
}
