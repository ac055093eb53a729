//! The kernels of x86-64: SSE2, which is the baseline, and the wide vectors that some CPUs also
//! have.
//!
//! Compiled only where the target has SSE2. A target for bare metal may have turned it off, and
//! then must not touch a vector register. Invariant: a [`Wide`] is made only by detection, so
//! holding one proves that the CPU can run it.

mod avx2;
mod avx512;
mod sse2;

pub(crate) use core::arch::x86_64::__m128i as Baseline;

use super::MaskKey;
use super::span::{Lane, Span};

/// Bytes that the loops of the wide kernels take at once: a cache line.
pub(crate) const BLOCK_LEN: usize = 64;

/// A wider instruction set than the baseline, which this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wide {
    /// AVX-512 F, BW and VL; validation also takes VBMI.
    Avx512Vbmi,
    /// AVX-512 F, BW and VL.
    Avx512,
    Avx2,
}

// Each of these queries `cpuid` and `xgetbv` once, with or without `std`, and keeps the answer in
// an atomic.
cpufeatures::new!(has_avx512vbmi, "avx512f", "avx512bw", "avx512vl", "avx512vbmi");
cpufeatures::new!(has_avx512, "avx512f", "avx512bw", "avx512vl");
cpufeatures::new!(has_avx2, "avx2");

impl Wide {
    /// Returns the widest set that the CPU has.
    #[inline]
    pub(super) fn best() -> Option<Self> {
        if has_avx512vbmi::get() {
            Some(Self::Avx512Vbmi)
        } else if has_avx512::get() {
            Some(Self::Avx512)
        } else if has_avx2::get() {
            Some(Self::Avx2)
        } else {
            None
        }
    }

    /// Returns all sets that the CPU has, the widest first.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        let detected = [
            has_avx512vbmi::get().then_some(Self::Avx512Vbmi),
            has_avx512::get().then_some(Self::Avx512),
            has_avx2::get().then_some(Self::Avx2),
        ];
        detected.into_iter().flatten()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Avx512Vbmi => "avx512vbmi",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
        }
    }

    /// XORs `key` over `span`.
    #[inline]
    #[expect(unsafe_code, reason = "the CPU was found to have what is called")]
    pub(super) fn apply<S: Span>(self, key: MaskKey, span: &mut S) {
        match self {
            // SAFETY: a `Wide` is made only after the CPU was found to have it.
            Self::Avx512Vbmi | Self::Avx512 => unsafe { avx512::apply(key, span) },
            // SAFETY: as above.
            Self::Avx2 => unsafe { avx2::apply(key, span) },
        }
    }
}

/// Returns the array as one lane of the same length.
#[inline(always)]
#[expect(unsafe_code, reason = "an unaligned load")]
pub(crate) fn lane<L: Lane, const N: usize>(bytes: &[u8; N]) -> L {
    const { assert!(size_of::<L>() == N) }
    // SAFETY: `bytes` is as long as an `L`, for which any bytes are a value.
    unsafe { bytes.as_ptr().cast::<L>().read_unaligned() }
}

/// Returns where a wide kernel starts its loop: in a long span at the first address that is a
/// multiple of [`BLOCK_LEN`], since a store that crosses a cache line costs two.
#[inline]
pub(crate) fn aligned_from<S: Span>(span: &mut S) -> usize {
    // An unknown address is treated as an aligned one.
    let address = span.places().map_or(0, |places| places.as_ptr().addr());
    if span.len() < S::ALIGNED_LEN_MIN { 0 } else { address.wrapping_neg() % BLOCK_LEN }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::span::InPlace;
    use super::*;

    /// A store that crosses a cache line costs two, so long spans begin at one.
    #[test]
    fn long_spans_begin_at_a_cache_line_and_short_ones_where_they_are() {
        let mut memory = vec![0_u8; 4096];
        for at in 0..2 * BLOCK_LEN {
            for (len, is_aligned) in [(511, false), (512, true), (513, true), (3_000, true)] {
                let bytes = &mut memory[at..at + len];
                let address = bytes.as_ptr().addr();
                let skipped = aligned_from(&mut InPlace(bytes));
                if is_aligned {
                    assert!(skipped < BLOCK_LEN && (address + skipped).is_multiple_of(BLOCK_LEN));
                } else {
                    assert_eq!(skipped, 0);
                }
            }
        }
    }
}
