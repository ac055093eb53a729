//! Masking by vectors of sixteen bytes: any target's baseline, and the path of short payloads
//! everywhere.
//!
//! No loop over single bytes: an end that does not fill a vector is covered by one that overlaps
//! the bytes before. Both are loaded before either is stored, since XOR applied twice undoes
//! itself; the overlapping one takes the key rotated by the phase at its offset, which is the
//! span's length modulo four.

use super::MaskKey;
use super::span::{Lane, Span};

/// Sixteen bytes that a target handles at once, without detection.
pub(crate) trait Vector16: Lane {
    /// The instruction set in lower case.
    const NAME: &'static str;
    /// Whether one instruction handles all sixteen.
    const IS_SIMD: bool;

    /// Returns the key, repeated four times.
    fn splat(key: MaskKey) -> Self;
    fn xor(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    /// Returns whether any byte has its top bit set, which no ASCII byte has.
    fn has_top_bit(self) -> bool;
}

/// Bytes that the loop of [`apply_long`] takes at once.
const BLOCK_LEN: usize = 64;

const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// XORs `key` over a span of at most 128 bytes.
///
/// Inlined into the caller, without dispatch.
#[inline(always)]
pub(crate) fn apply_short<V: Vector16, S: Span>(key: MaskKey, span: &mut S) {
    apply_up_to_128::<V, S, false>(key, span);
}

/// XORs `key` over a span of at most 128 bytes if that makes it ASCII, and returns whether it did;
/// otherwise stores nothing.
#[inline(always)]
pub(crate) fn apply_short_ascii<V: Vector16, S: Span>(key: MaskKey, span: &mut S) -> bool {
    apply_up_to_128::<V, S, true>(key, span)
}

#[inline(always)]
fn apply_up_to_128<V: Vector16, S: Span, const ASCII: bool>(key: MaskKey, span: &mut S) -> bool {
    // By what two of a kind cover, so that 8, 16, 32, 64 and 128 bytes are covered once, not twice.
    let len = span.len();
    if len <= 16 {
        return apply_up_to_16::<S, ASCII>(key, span);
    }
    let (wide, wide_end) = (V::splat(key), V::splat(key.rotated(len)));
    if len > 64
        && let (Some(head), Some(tail)) = (span.load::<[V; 4]>(0), span.last::<[V; 4]>())
    {
        let (head, head_bits) = xor4(head, wide);
        let (tail, tail_bits) = xor4(tail, wide_end);
        if ASCII && head_bits.or(tail_bits).has_top_bit() {
            return false;
        }
        span.store(0, head);
        span.store_last(tail);
        return true;
    }
    if len > 32
        && let (Some([a, b]), Some([c, d])) = (span.load::<[V; 2]>(0), span.last::<[V; 2]>())
    {
        let (a, b, c, d) = (a.xor(wide), b.xor(wide), c.xor(wide_end), d.xor(wide_end));
        if ASCII && a.or(b).or(c.or(d)).has_top_bit() {
            return false;
        }
        span.store(0, [a, b]);
        span.store_last([c, d]);
        return true;
    }
    if let (Some(head), Some(tail)) = (span.load::<V>(0), span.last::<V>()) {
        let (head, tail) = (head.xor(wide), tail.xor(wide_end));
        if ASCII && head.or(tail).has_top_bit() {
            return false;
        }
        span.store(0, head);
        span.store_last(tail);
        return true;
    }
    apply_up_to_16::<S, ASCII>(key, span)
}

#[inline(always)]
fn apply_up_to_16<S: Span, const ASCII: bool>(key: MaskKey, span: &mut S) -> bool {
    let key_end = key.rotated(span.len());
    if let (Some(head), Some(tail)) = (span.load::<u64>(0), span.last::<u64>()) {
        let (head, tail) = (head ^ key.to_u64(), tail ^ key_end.to_u64());
        if ASCII && (head | tail) & TOP_BITS != 0 {
            return false;
        }
        span.store(0, head);
        span.store_last(tail);
        return true;
    }
    if let (Some(head), Some(tail)) = (span.load::<u32>(0), span.last::<u32>()) {
        let (head, tail) = (head ^ key.to_u32(), tail ^ key_end.to_u32());
        if ASCII && u64::from(head | tail) & TOP_BITS != 0 {
            return false;
        }
        span.store(0, head);
        span.store_last(tail);
        return true;
    }
    // One to three bytes: the first, the middle one and the last are all of them.
    let (Some(first), Some(last)) = (span.load::<u8>(0), span.last::<u8>()) else { return true };
    let [first_key, second_key, ..] = key.to_bytes();
    let [.., last_key] = key_end.to_bytes();
    let middle_at = span.len() / 2;
    let middle_key = if middle_at == 0 { first_key } else { second_key };
    let middle = span.load::<u8>(middle_at).unwrap_or(first) ^ middle_key;
    let (first, last) = (first ^ first_key, last ^ last_key);
    if ASCII && !(first | middle | last).is_ascii() {
        return false;
    }
    span.store(0, first);
    span.store(middle_at, middle);
    span.store_last(last);
    true
}

/// XORs `key` over a span of any length. With `DETECT`, returns `true` only if what was written is
/// ASCII.
#[inline(always)]
pub(crate) fn apply_long<V: Vector16, S: Span, const DETECT: bool>(
    key: MaskKey,
    span: &mut S,
) -> bool {
    let len = span.len();
    if len < BLOCK_LEN {
        apply_short::<V, S>(key, span);
        return false;
    }
    let wide = V::splat(key);
    let mut bits = V::splat(MaskKey::ZERO);
    let mut at = 0;
    while len - at > 2 * BLOCK_LEN {
        let Some(block) = span.load::<[V; 4]>(at) else { break };
        let (block, block_bits) = xor4(block, wide);
        span.store(at, block);
        if DETECT {
            bits = bits.or(block_bits);
        }
        at += BLOCK_LEN;
    }
    // One to two blocks are left: two that overlap, both loaded before either is stored.
    let (Some(block), Some(last)) = (span.load::<[V; 4]>(at), span.last::<[V; 4]>()) else {
        return false;
    };
    let (block, block_bits) = xor4(block, wide);
    let (last, last_bits) = xor4(last, V::splat(key.rotated(len)));
    span.store(at, block);
    span.store_last(last);
    DETECT && !bits.or(block_bits).or(last_bits).has_top_bit()
}

/// Returns the four XOR `wide`, and the OR of the results.
#[inline(always)]
fn xor4<V: Vector16>([a, b, c, d]: [V; 4], wide: V) -> ([V; 4], V) {
    let (a, b, c, d) = (a.xor(wide), b.xor(wide), c.xor(wide), d.xor(wide));
    ([a, b, c, d], a.or(b).or(c.or(d)))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::scalar::Words;
    use super::super::span::InPlace;
    use super::super::{Baseline, Kernel};
    use super::*;

    const KEY: MaskKey = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);

    fn masked(plain: &[u8]) -> Vec<u8> {
        let keys = KEY.to_bytes().into_iter().cycle();
        plain.iter().zip(keys).map(|(byte, key)| byte ^ key).collect()
    }

    /// Returns whether a pass finds `plain` to be ASCII after unmasking, which is checked as well:
    /// if short, it is left unchanged unless it is ASCII.
    fn says_ascii<V: Vector16>(plain: &[u8]) -> bool {
        let mut short = masked(plain);
        let is_ascii = apply_short_ascii::<V, _>(KEY, &mut InPlace(&mut short));
        assert_eq!(short, if is_ascii { plain.to_vec() } else { masked(plain) });
        is_ascii
    }

    /// Text is nearly always ASCII: missing that would cost every message a second pass.
    #[test]
    fn ascii_is_seen_and_nothing_else_is_taken_for_it() {
        for len in 0..=128 {
            let ascii = vec![0x7f; len];
            assert!(says_ascii::<Baseline>(&ascii) && says_ascii::<Words>(&ascii), "{len}");
            for at in 0..len {
                let mut other = ascii.clone();
                other[at] = 0x80;
                assert!(
                    !says_ascii::<Baseline>(&other) && !says_ascii::<Words>(&other),
                    "{len} {at}"
                );
            }
        }
    }

    #[test]
    fn long_ascii_is_seen_by_the_kernels_that_look() {
        for kernel in
            Kernel::available().filter(|kernel| ["scalar", Baseline::NAME].contains(&kernel.name()))
        {
            for len in [64, 65, 128, 129, 200, 1_000] {
                let ascii = vec![0x7f; len];
                let mut bytes = masked(&ascii);
                assert!(kernel.run_detecting(KEY, &mut InPlace(&mut bytes)), "{len}");
                assert_eq!(bytes, ascii);
                for at in 0..len {
                    let mut other = ascii.clone();
                    other[at] = 0xff;
                    let mut bytes = masked(&other);
                    assert!(!kernel.run_detecting(KEY, &mut InPlace(&mut bytes)), "{len} {at}");
                    assert_eq!(bytes, other);
                }
            }
        }
    }
}
