//! AVX2: the lookup algorithm of Keiser and Lemire on blocks of two vectors of 32 bytes.

use core::arch::x86_64::{
    __m256i, _mm256_alignr_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
    _mm256_subs_epu8, _mm256_testz_si256, _mm256_xor_si256,
};

use super::lookup::{FIRST_HIGH, FIRST_LOW, SECOND_HIGH};
use super::walk::{Steps, walk};
use crate::mask::x86::{BLOCK_LEN, lane};
use crate::mask::{Baseline, MaskKey, ReadOnly, Span, apply_short_ascii};

type Block = [__m256i; 2];

struct State {
    /// The previous 32 bytes.
    before: __m256i,
    errors: __m256i,
}

/// Like [`walk`]; returns whether no error was found.
#[target_feature(enable = "avx2")]
pub(super) fn unmask_and_check<S: Span>(key: MaskKey, span: &mut S) -> bool {
    let zero = _mm256_setzero_si256();
    let steps = Steps {
        unmask: |block, key| unmask(block, key),
        unmask_part: |bytes: &[u8], key| unmask_part(bytes, key),
        is_ascii: |blocks| is_ascii(blocks),
        check: |state: &mut State, [low, high]: Block, from, to| {
            let errors = [check(state.before, low), check(low, high)];
            let [low, high_errors] = keep(errors, from, to);
            state.errors = _mm256_or_si256(state.errors, _mm256_or_si256(low, high_errors));
            state.before = high;
        },
    };
    let state = walk(key, span, State { before: zero, errors: zero }, &steps);
    _mm256_testz_si256(state.errors, state.errors) == 1
}

/// Returns the positions of errors in `vector`, which follows the vector `before`.
#[target_feature(enable = "avx2")]
#[inline]
fn check(before: __m256i, vector: __m256i) -> __m256i {
    let low_nibbles = _mm256_set1_epi8(0x0f);
    // Each 128 bits of `vector` after the 128 bits before them.
    let shifted = _mm256_permute2x128_si256::<0x21>(before, vector);
    let one_before = _mm256_alignr_epi8::<15>(vector, shifted);
    let two_before = _mm256_alignr_epi8::<14>(vector, shifted);
    let three_before = _mm256_alignr_epi8::<13>(vector, shifted);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(one_before), low_nibbles);
    let first_high = _mm256_shuffle_epi8(table(&FIRST_HIGH), high);
    let low = _mm256_and_si256(one_before, low_nibbles);
    let first_low = _mm256_shuffle_epi8(table(&FIRST_LOW), low);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(vector), low_nibbles);
    let second_high = _mm256_shuffle_epi8(table(&SECOND_HIGH), high);
    let pairs = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
    // Top bits: E0 or more is two before, where a third byte is due, or F0 or more is three before.
    let third = _mm256_subs_epu8(two_before, _mm256_set1_epi8(0x60));
    let fourth = _mm256_subs_epu8(three_before, _mm256_set1_epi8(0x70));
    let due = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(i8::MIN));
    _mm256_xor_si256(pairs, due)
}

#[target_feature(enable = "avx2")]
#[inline]
fn unmask([low, high]: Block, key: MaskKey) -> Block {
    let wide = _mm256_set1_epi32(key.to_u32().cast_signed());
    [_mm256_xor_si256(low, wide), _mm256_xor_si256(high, wide)]
}

/// Unmasks at most a block, padded with zeros; for ASCII, returns only zeros.
#[target_feature(enable = "avx2")]
#[inline]
fn unmask_part(bytes: &[u8], key: MaskKey) -> Block {
    let zero = _mm256_setzero_si256();
    let mut padded = [0; BLOCK_LEN];
    let len = bytes.len().min(BLOCK_LEN);
    if apply_short_ascii::<Baseline, _>(key, &mut ReadOnly(bytes)) {
        return [zero, zero];
    }
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    keep(unmask(lane(&padded), key), 0, len)
}

#[target_feature(enable = "avx2")]
#[inline]
fn is_ascii(blocks: [Block; 4]) -> bool {
    let [first, second, third, fourth] = blocks.map(|[low, high]| _mm256_or_si256(low, high));
    let all = _mm256_or_si256(_mm256_or_si256(first, second), _mm256_or_si256(third, fourth));
    _mm256_movemask_epi8(all) == 0
}

/// Returns the bytes with an index of at least `from` and less than `to`; the others are zero.
#[target_feature(enable = "avx2")]
#[inline]
fn keep(errors: Block, from: usize, to: usize) -> Block {
    /// A block of zeros, one of ones, one of zeros.
    #[expect(clippy::indexing_slicing, reason = "by the compiler")]
    const WINDOW: [u8; 3 * BLOCK_LEN] = {
        let mut window = [0; 3 * BLOCK_LEN];
        let mut i = BLOCK_LEN;
        while i < 2 * BLOCK_LEN {
            window[i] = 0xff;
            i += 1;
        }
        window
    };
    if from == 0 && to == BLOCK_LEN {
        return errors;
    }
    let [mut low, mut high] = errors;
    for start in [BLOCK_LEN.wrapping_sub(from), (2 * BLOCK_LEN).wrapping_sub(to)] {
        if let Some(window) = WINDOW.get(start..).and_then(|window| window.first_chunk()) {
            let [window_low, window_high] = lane::<Block, BLOCK_LEN>(window);
            low = _mm256_and_si256(low, window_low);
            high = _mm256_and_si256(high, window_high);
        }
    }
    [low, high]
}

/// Returns the table in both halves.
#[target_feature(enable = "avx2")]
#[inline]
fn table(entries: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(lane(entries))
}

/// Returns, for each block of `text`, a bit for each byte with an error.
#[cfg(all(test, feature = "std"))]
#[target_feature(enable = "avx2")]
pub(super) fn faults(text: &[[u8; 64]], faults: &mut [u64]) {
    use core::arch::x86_64::_mm256_cmpeq_epi8;

    let zero = _mm256_setzero_si256();
    let nonzero_bytes = |errors| !_mm256_movemask_epi8(_mm256_cmpeq_epi8(errors, zero));
    let mut before = zero;
    for (block, faults) in text.iter().zip(faults) {
        let [low, high] = lane::<Block, BLOCK_LEN>(block);
        let low_faults = nonzero_bytes(check(before, low)).cast_unsigned();
        let high_faults = nonzero_bytes(check(low, high)).cast_unsigned();
        *faults = u64::from(low_faults) | u64::from(high_faults) << 32;
        before = high;
    }
}
