//! AVX-512: 64 bytes at a time.

#![expect(unsafe_code, reason = "says that vectors have no padding")]

use core::arch::x86_64::{__m512i, _mm512_set1_epi32, _mm512_xor_si512};

use super::{BLOCK_LEN, Baseline, aligned_from};
use crate::mask::MaskKey;
use crate::mask::span::{Lane, Span};
use crate::mask::vector16::apply_short;

// SAFETY: sixty-four bytes, any of which may have any value.
unsafe impl Lane for __m512i {}

type Block = __m512i;

/// XORs `key` over a span of any length.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn apply<S: Span>(key: MaskKey, span: &mut S) {
    let len = span.len();
    let Some(head) = span.load::<Block>(0) else {
        apply_short::<Baseline, S>(key, span);
        return;
    };
    let mut at = aligned_from(span);
    let wide = splat(key.rotated(at));
    if at > 0 {
        // The bytes that both cover are loaded for the second before the first is stored.
        let Some(first) = span.load::<Block>(at) else { return };
        span.store(0, xor(head, splat(key)));
        span.store(at, xor(first, wide));
        at += BLOCK_LEN;
    }
    while len - at > 5 * BLOCK_LEN {
        let Some([a, b, c, d]) = span.load::<[Block; 4]>(at) else { return };
        span.store(at, [xor(a, wide), xor(b, wide), xor(c, wide), xor(d, wide)]);
        at += 4 * BLOCK_LEN;
    }
    while len - at > 2 * BLOCK_LEN {
        let Some(block) = span.load::<Block>(at) else { return };
        span.store(at, xor(block, wide));
        at += BLOCK_LEN;
    }
    // One to two blocks are left: two that overlap, both loaded before either is stored.
    let (Some(block), Some(last)) = (span.load::<Block>(at), span.last::<Block>()) else { return };
    span.store(at, xor(block, wide));
    span.store_last(xor(last, splat(key.rotated(len))));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn splat(key: MaskKey) -> __m512i {
    _mm512_set1_epi32(key.to_u32().cast_signed())
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}
