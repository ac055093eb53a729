//! AVX-512 with VBMI: finds each byte's class with one lookup in a table of 128 entries.
//!
//! Three tables of 16 entries, as Keiser and Lemire have it ("Validating UTF-8 in less than one
//! instruction per byte", 2021), become two that give a byte's class as the first and as the second
//! byte of a pair. Per byte `i`, with `cont`, `two`, `three`, `four` for "continuation" and "lead
//! of two, three or four bytes or more":
//!
//! ```text
//! cont[i] == two[i-1] ^ three[i-2] ^ four[i-3]       else something is missing or too much
//! refused[i-1] & half[i] == 0                        else overlong, surrogate, above 10FFFF or no lead at all
//! ```
//!
//! `half` says in which part of 80..BF a continuation lies, `refused` which parts may not follow a
//! lead. The first rule finds the first fault though it adds without carry: before it no byte can
//! be due twice.

use core::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_cmpge_epu8_mask, _mm512_maskz_permutexvar_epi8,
    _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8, _mm512_set1_epi8,
    _mm512_setzero_si512, _mm512_slli_epi16, _mm512_srli_epi16, _mm512_ternarylogic_epi32,
};

#[cfg(all(test, feature = "std"))]
use super::avx512::nonzero_bytes;
use super::avx512::{is_ascii, is_zero, keep, unmask, unmask_part};
use super::walk::{Steps, walk};
use crate::mask::x86::lane;
use crate::mask::{MaskKey, Span};

/// Continuation (in `SECOND`), or lead (in `FIRST`).
const LINK: u8 = 0x80;
/// Lead of at least four bytes (in `FIRST`), or of at least three (in `SECOND`).
const LONG: u8 = 0x40;
const HALF_80_8F: u8 = 1;
const HALF_90_9F: u8 = 2;
const HALF_A0_BF: u8 = 4;

/// What a lead is as the first of two, by its lower six bits. Other bytes are nothing as the first.
#[expect(clippy::indexing_slicing, reason = "by the compiler")]
const FIRST: [u8; 64] = {
    let mut classes = [0; 64];
    let mut byte = 0xc0;
    while byte <= 0xff {
        let refused = match byte {
            0xc0 | 0xc1 | 0xf5.. => HALF_80_8F | HALF_90_9F | HALF_A0_BF,
            0xe0 => HALF_80_8F | HALF_90_9F,
            0xed => HALF_A0_BF,
            0xf0 => HALF_80_8F,
            0xf4 => HALF_90_9F | HALF_A0_BF,
            _ => 0,
        };
        let long = if byte >= 0xf0 { LONG } else { 0 };
        classes[byte % 64] = LINK | long | refused;
        byte += 1;
    }
    classes
};

/// What a byte is as the second of two, by its upper six bits.
#[expect(clippy::indexing_slicing, reason = "by the compiler")]
const SECOND: [u8; 64] = {
    let mut classes = [0; 64];
    let mut byte = 0x80;
    while byte <= 0xff {
        classes[byte / 4] = match byte {
            0x80..0x90 => LINK | HALF_80_8F,
            0x90..0xa0 => LINK | HALF_90_9F,
            0xa0..0xc0 => LINK | HALF_A0_BF,
            0xc0..0xe0 => 0,
            _ => LONG,
        };
        byte += 4;
    }
    classes
};

/// For each byte, the index of the one before; the first follows the last.
const ONE_BEFORE: [u8; 64] = before(1);
/// For each byte, the index of the one two before; the first two follow the last.
const TWO_BEFORE: [u8; 64] = before(2);

#[expect(clippy::indexing_slicing, reason = "by the compiler")]
const fn before(distance: u8) -> [u8; 64] {
    let mut indices = [64 - distance; 64];
    let mut i = 1;
    while i < 64 {
        indices[i] = indices[i - 1] + 1;
        i += 1;
    }
    indices
}

/// State of the previous block; both fields are rotated, so that what the next block needs is at
/// the start.
struct State {
    /// Its bytes as first ones.
    first: __m512i,
    /// Where the byte two bytes further is due as a third, or the byte after that as a fourth.
    long: __m512i,
    errors: __m512i,
}

/// Like [`walk`]; returns whether no error was found.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn unmask_and_check<S: Span>(key: MaskKey, span: &mut S) -> bool {
    let zero = _mm512_setzero_si512();
    let state = State { first: zero, long: zero, errors: zero };
    let steps = Steps {
        unmask: |block, key| unmask(block, key),
        unmask_part: |bytes: &[u8], key| unmask_part(bytes, key),
        is_ascii: |blocks| is_ascii(blocks),
        check: |state: &mut State, block, from, to| {
            let errors = check(state, block);
            state.errors = _mm512_or_si512(state.errors, keep(errors, from, to));
        },
    };
    let state = walk(key, span, state, &steps);
    is_zero(state.errors)
}

/// Returns the positions of errors in `block`, which follows the block in `state`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
#[inline]
fn check(state: &mut State, block: __m512i) -> __m512i {
    const XOR3: i32 = 0x96;
    const SELECT: i32 = 0xca;
    let leads = _mm512_cmpge_epu8_mask(block, _mm512_set1_epi8(0xc0_u8.cast_signed()));
    let first = _mm512_maskz_permutexvar_epi8(leads, block, lane(&FIRST));
    // Only the lower six bits of an index count, so nothing need be cleared.
    let second = _mm512_permutexvar_epi8(_mm512_srli_epi16::<2>(block), lane(&SECOND));
    let first_before = _mm512_permutex2var_epi8(state.first, lane(&ONE_BEFORE), first);
    let long = _mm512_or_si512(first_before, second);
    let long_before = _mm512_permutex2var_epi8(state.long, lane(&TWO_BEFORE), long);
    state.first = first;
    state.long = long;
    // `LONG` moves to where `LINK` is; the other bits of this don't count.
    let due = _mm512_slli_epi16::<1>(long_before);
    let link = _mm512_ternarylogic_epi32::<XOR3>(first_before, second, due);
    let refused = _mm512_and_si512(first_before, second);
    _mm512_ternarylogic_epi32::<SELECT>(_mm512_set1_epi8(LINK.cast_signed()), link, refused)
}

/// Returns, for each block of `text`, a bit for each byte with an error.
#[cfg(all(test, feature = "std"))]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn faults(text: &[[u8; 64]], faults: &mut [u64]) {
    let zero = _mm512_setzero_si512();
    let mut state = State { first: zero, long: zero, errors: zero };
    for (block, faults) in text.iter().zip(faults) {
        *faults = nonzero_bytes(check(&mut state, lane(block)));
    }
}
