//! AVX-512 without VBMI: the lookup algorithm of Keiser and Lemire on blocks of 64 bytes.

#![expect(unsafe_code, reason = "loads a part of a vector")]

use core::arch::x86_64::{
    __m512i, _mm512_alignr_epi8, _mm512_alignr_epi64, _mm512_and_si512, _mm512_broadcast_i32x4,
    _mm512_maskz_loadu_epi8, _mm512_maskz_mov_epi8, _mm512_movepi8_mask, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_srli_epi16, _mm512_subs_epu8, _mm512_ternarylogic_epi32, _mm512_test_epi8_mask,
    _mm512_xor_si512,
};

use super::lookup::{FIRST_HIGH, FIRST_LOW, SECOND_HIGH};
use super::walk::{Steps, walk};
use crate::mask::x86::{BLOCK_LEN, lane};
use crate::mask::{MaskKey, Span};

struct State {
    block: __m512i,
    errors: __m512i,
}

/// Like [`walk`]; returns whether no error was found.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn unmask_and_check<S: Span>(key: MaskKey, span: &mut S) -> bool {
    let zero = _mm512_setzero_si512();
    let steps = Steps {
        unmask: |block, key| unmask(block, key),
        unmask_part: |bytes: &[u8], key| unmask_part(bytes, key),
        is_ascii: |blocks| is_ascii(blocks),
        check: |state: &mut State, block, from, to| {
            let errors = check(state.block, block);
            state.errors = _mm512_or_si512(state.errors, keep(errors, from, to));
            state.block = block;
        },
    };
    let state = walk(key, span, State { block: zero, errors: zero }, &steps);
    is_zero(state.errors)
}

/// Returns the positions of errors in `block`, which follows the block `before`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn check(before: __m512i, block: __m512i) -> __m512i {
    const AND3: i32 = 0x80;
    /// (a | b) & c
    const OR_AND: i32 = 0xa8;
    let low_nibbles = _mm512_set1_epi8(0x0f);
    // Each 128 bits of `block` after the 128 bits before them.
    let shifted = _mm512_alignr_epi64::<6>(block, before);
    let one_before = _mm512_alignr_epi8::<15>(block, shifted);
    let two_before = _mm512_alignr_epi8::<14>(block, shifted);
    let three_before = _mm512_alignr_epi8::<13>(block, shifted);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(one_before), low_nibbles);
    let first_high = _mm512_shuffle_epi8(table(&FIRST_HIGH), high);
    let low = _mm512_and_si512(one_before, low_nibbles);
    let first_low = _mm512_shuffle_epi8(table(&FIRST_LOW), low);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(block), low_nibbles);
    let second_high = _mm512_shuffle_epi8(table(&SECOND_HIGH), high);
    let pairs = _mm512_ternarylogic_epi32::<AND3>(first_high, first_low, second_high);
    // Top bits: E0 or more is two before, where a third byte is due, or F0 or more is three before.
    let third = _mm512_subs_epu8(two_before, _mm512_set1_epi8(0x60));
    let fourth = _mm512_subs_epu8(three_before, _mm512_set1_epi8(0x70));
    let top_bit = _mm512_set1_epi8(i8::MIN);
    let due = _mm512_ternarylogic_epi32::<OR_AND>(third, fourth, top_bit);
    _mm512_xor_si512(pairs, due)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn unmask(block: __m512i, key: MaskKey) -> __m512i {
    _mm512_xor_si512(block, _mm512_set1_epi32(key.to_u32().cast_signed()))
}

/// Unmasks at most a block, padded with zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn unmask_part(bytes: &[u8], key: MaskKey) -> __m512i {
    let lanes = lanes(0, bytes.len().min(BLOCK_LEN));
    // SAFETY: only the bytes of `bytes` are read; those whose bit in `lanes` is not set are not
    // accessed.
    let part = unsafe { _mm512_maskz_loadu_epi8(lanes, bytes.as_ptr().cast()) };
    _mm512_maskz_mov_epi8(lanes, unmask(part, key))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn is_ascii([a, b, c, d]: [__m512i; 4]) -> bool {
    _mm512_movepi8_mask(_mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d))) == 0
}

/// Returns the bytes with an index of at least `from` and less than `to`; the others are zero.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn keep(block: __m512i, from: usize, to: usize) -> __m512i {
    if from == 0 && to == BLOCK_LEN { block } else { _mm512_maskz_mov_epi8(lanes(from, to), block) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn is_zero(block: __m512i) -> bool {
    _mm512_test_epi8_mask(block, block) == 0
}

/// Returns a bit for each index of at least `from` and less than `to`, at most 64.
#[inline]
fn lanes(from: usize, to: usize) -> u64 {
    let below = |index: usize| if index >= BLOCK_LEN { u64::MAX } else { (1 << index) - 1 };
    below(to) & !below(from)
}

/// Returns the table in each 128 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn table(entries: &[u8; 16]) -> __m512i {
    _mm512_broadcast_i32x4(lane(entries))
}

/// Returns, for each block of `text`, a bit for each byte with an error.
#[cfg(all(test, feature = "std"))]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn faults(text: &[[u8; 64]], faults: &mut [u64]) {
    let mut before = _mm512_setzero_si512();
    for (block, faults) in text.iter().zip(faults) {
        let block = lane(block);
        *faults = nonzero_bytes(check(before, block));
        before = block;
    }
}

#[cfg(all(test, feature = "std"))]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn nonzero_bytes(block: __m512i) -> u64 {
    _mm512_test_epi8_mask(block, block)
}
