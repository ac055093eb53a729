//! The reference: eight bytes at a time in plain Rust. Every other kernel is tested against it.

use core::mem::MaybeUninit;

use super::MaskKey;

/// XORs `key` over `payload`, whose first byte takes the key's first.
pub(super) fn apply(key: MaskKey, payload: &mut [u8]) {
    let [a, b, c, d] = key.to_bytes();
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

/// Writes `src` XOR `key` to the start of `dst`, as far as both reach.
pub(super) fn apply_to(key: MaskKey, src: &[u8], dst: &mut [MaybeUninit<u8>]) {
    let key = key.to_bytes();
    for ((from, to), key) in src.iter().zip(dst).zip(key.iter().cycle()) {
        to.write(from ^ key);
    }
}
