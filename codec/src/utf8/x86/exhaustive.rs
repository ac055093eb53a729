//! Tests: compare the kernels with the standard library on every string of up to three bytes, and
//! every one of four bytes with a lead of three or four.
//!
//! The strings stand one after another in a long text, three ASCII bytes between them, so that what
//! one leaves open shows before the next. Seven and 64 have no common divisor: each string meets
//! the edges of vectors where its number wants it, and neighbours in number, which differ in their
//! last byte, meet all of them. A build by the `dev` profile takes a sample.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use std::vec;
use std::vec::Vec;

use super::{avx2, avx512, avx512vbmi};
use crate::mask::x86::Wide;
use crate::mask::{Isa, Kernel};

const STRING_LEN: usize = 4;
const STEP: usize = STRING_LEN + 3;
/// Strings in one text: a multiple of 64, so that the text is whole blocks.
const BATCH: usize = 1 << 14;

/// Returns whether to test everything: not in a `dev` profile build, where it would take minutes.
fn is_exhaustive() -> bool {
    let program = std::env::current_exe().unwrap();
    !program.iter().any(|part| part == "debug")
}

#[expect(unsafe_code, reason = "the CPU was found to have what is called")]
fn faults(kernel: Kernel, text: &[[u8; 64]], faults: &mut [u64]) {
    let Isa::Wide(wide) = kernel.isa() else { return };
    match wide {
        // SAFETY: a `Wide` is made only after the CPU was found to have it.
        Wide::Avx512Vbmi => unsafe { avx512vbmi::faults(text, faults) },
        // SAFETY: as above.
        Wide::Avx512 => unsafe { avx512::faults(text, faults) },
        // SAFETY: as above.
        Wide::Avx2 => unsafe { avx2::faults(text, faults) },
    }
}

/// Compares every kernel with the standard library on these strings, padded with ASCII.
fn compare(strings: impl Iterator<Item = [u8; STRING_LEN]>) -> usize {
    let kernels: Vec<_> =
        Kernel::available().filter(|kernel| matches!(kernel.isa(), Isa::Wide(_))).collect();
    let mut strings = strings.peekable();
    let mut text = vec![[b'a'; 64]; BATCH * STEP / 64];
    let mut found = vec![0; text.len()];
    let mut batch = Vec::new();
    let mut count = 0;
    while strings.peek().is_some() {
        batch.clear();
        batch.extend(strings.by_ref().take(BATCH));
        count += batch.len();
        let bytes = text.as_flattened_mut();
        for (place, string) in bytes.chunks_exact_mut(STEP).zip(&batch) {
            place[..STRING_LEN].copy_from_slice(string);
        }
        bytes[batch.len() * STEP..].fill(b'a');
        let valid: Vec<_> = batch.iter().map(|s| core::str::from_utf8(s).is_ok()).collect();
        for kernel in &kernels {
            faults(*kernel, &text, &mut found);
            for (i, (string, is_valid)) in batch.iter().zip(&valid).enumerate() {
                let at = i * STEP;
                let wide = u128::from(found[at / 64])
                    | u128::from(found.get(at / 64 + 1).copied().unwrap_or(0)) << 64;
                let is_faultless = (wide >> (at % 64)) & ((1 << STEP) - 1) == 0;
                assert!(is_faultless == *is_valid, "{} {string:02x?} at {at}", kernel.name());
            }
        }
    }
    count
}

/// Returns every `stride`th number below `end`, or every one.
fn numbers(end: u32, stride: usize) -> impl Iterator<Item = u32> {
    (0..end).step_by(if is_exhaustive() { 1 } else { stride })
}

#[test]
fn every_string_of_up_to_three_bytes() {
    // The fourth byte is ASCII; a shorter string is one with more of it.
    let count = compare(numbers(1 << 24, 101).map(|number| {
        let [_, a, b, c] = number.to_be_bytes();
        [a, b, c, b'a']
    }));
    assert!(count > 100_000);
}

#[test]
fn every_string_of_four_bytes_after_a_lead_of_three_or_four() {
    let count = compare(numbers(0x20 << 24, 3989).map(|number| {
        let [a, b, c, d] = number.to_be_bytes();
        [0xe0 + a, b, c, d]
    }));
    assert!(count > 100_000);
}

#[test]
fn every_string_of_four_bytes_at_the_bounds_of_a_rule_at_every_byte_of_a_block() {
    const BOUNDS: [u8; 26] = [
        0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
        0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
    ];
    let strings = numbers(26_u32.pow(4), 7)
        .map(|number| [0, 1, 2, 3].map(|place| BOUNDS[(number / 26_u32.pow(place) % 26) as usize]));
    // 64 times in a row: seven bytes further each time, so once at every byte of a block.
    let count = compare(strings.flat_map(|string| core::iter::repeat_n(string, 64)));
    assert!(count > 64 * 26_usize.pow(4) / 8);
}
