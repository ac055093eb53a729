//! What the machine allows: `memcpy`, and XOR of whole 64-byte blocks with nothing around it.

/// Bytes in a block of [`xor_blocks`].
const BLOCK_LEN: usize = 64;

/// XORs `key` over the whole 64-byte blocks of `payload`, whose last bytes, fewer than a block, are
/// left out.
///
/// In vectors as wide as the CPU has: AVX-512, AVX2, or what the target was compiled for.
#[inline]
pub(crate) fn xor_blocks(payload: &mut [u8], key: [u8; 4]) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the limit needs the widest vectors, chosen at run time")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: `is_x86_feature_detected!` just said that the CPU has AVX-512F, all that the
            // function asks.
            return unsafe { xor_blocks_avx512(payload, key) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: `is_x86_feature_detected!` just said that the CPU has AVX2, all that the
            // function asks.
            return unsafe { xor_blocks_avx2(payload, key) };
        }
    }
    xor_blocks_with(payload, key);
}

/// The same for the 64-byte blocks that are aligned, as a limit for stores that never cross a cache
/// line.
#[inline]
pub(crate) fn xor_aligned_blocks(payload: &mut [u8], key: [u8; 4]) {
    let start = payload.as_ptr().align_offset(BLOCK_LEN).min(payload.len());
    xor_blocks(&mut payload[start..], key);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn xor_blocks_avx512(payload: &mut [u8], key: [u8; 4]) {
    xor_blocks_with(payload, key);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn xor_blocks_avx2(payload: &mut [u8], key: [u8; 4]) {
    xor_blocks_with(payload, key);
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "takes on the target features of its callers")]
fn xor_blocks_with(payload: &mut [u8], key: [u8; 4]) {
    let mut wide = [0; BLOCK_LEN];
    for quad in wide.as_chunks_mut::<4>().0 {
        *quad = key;
    }
    for block in payload.as_chunks_mut::<BLOCK_LEN>().0 {
        for (byte, key) in block.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
}

/// The name of what [`xor_blocks`] runs on.
pub(crate) fn xor_blocks_kind() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") {
            return "AVX2";
        }
    }
    "the target's own vectors"
}
