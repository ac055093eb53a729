//! Which instruction sets this CPU has, found out once, and the way from there to the code for
//! them.
//!
//! Invariant: a [`Kernel`] is made by detection only, so holding one proves that the CPU can run
//! it.

use core::mem::MaybeUninit;

use super::baseline::{BASELINE, HAS_BASELINE};
use super::span::{Copying, InPlace, Span};
use super::vector16::apply_long;
use super::{Baseline, MaskKey, scalar};

/// An implementation of masking and of text validation that this CPU can run.
///
/// [`mask::apply`](super::apply), [`text`](crate::text) and [`utf8`](crate::utf8) use the
/// [best](Self::best) one; a kernel by name is for tests, benchmarks and reports.
///
/// ```
/// use wscodec::mask::{Kernel, MaskKey};
/// for kernel in Kernel::available() {
///     let mut payload = *b"Hello"; // RFC 6455, 5.7
///     kernel.apply(MaskKey::new([0x37, 0xfa, 0x21, 0x3d]), &mut payload, 0);
///     assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58], "{}", kernel.name());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(Isa);

/// Instruction sets that are compiled in, the best first. The CPU need not have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Isa {
    /// AVX-512 F, BW and VL; validation also takes VBMI.
    #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
    Avx512Vbmi,
    /// AVX-512 F, BW and VL.
    #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
    Avx512,
    #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
    Avx2,
    /// What the target always has: SSE2, NEON, simd128, or nothing.
    Baseline,
    Scalar,
}

// Each of these asks `cpuid` and `xgetbv` once, with or without `std`, and keeps the answer in an
// atomic.
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
cpufeatures::new!(has_avx512vbmi, "avx512f", "avx512bw", "avx512vl", "avx512vbmi");
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
cpufeatures::new!(has_avx512, "avx512f", "avx512bw", "avx512vl");
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
cpufeatures::new!(has_avx2, "avx2");

impl Kernel {
    /// The fastest of the [available](Self::available). The first call asks the CPU, later ones
    /// cost a load or two.
    #[must_use]
    #[inline]
    pub fn best() -> Self {
        #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
        if has_avx512vbmi::get() {
            return Self(Isa::Avx512Vbmi);
        } else if has_avx512::get() {
            return Self(Isa::Avx512);
        } else if has_avx2::get() {
            return Self(Isa::Avx2);
        }
        Self(if HAS_BASELINE { Isa::Baseline } else { Isa::Scalar })
    }

    /// Every kernel that this CPU can run, the fastest first. The last is scalar.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
        let detected = [
            has_avx512vbmi::get().then_some(Isa::Avx512Vbmi),
            has_avx512::get().then_some(Isa::Avx512),
            has_avx2::get().then_some(Isa::Avx2),
        ];
        #[cfg(not(all(target_arch = "x86_64", not(wscodec_scalar))))]
        let detected = [None];
        let baseline = HAS_BASELINE.then_some(Isa::Baseline);
        detected.into_iter().flatten().chain(baseline).chain([Isa::Scalar]).map(Self)
    }

    /// The instruction set in lower case, such as `avx512`; `scalar` for plain integers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            Isa::Avx512Vbmi => "avx512vbmi",
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            Isa::Avx512 => "avx512",
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            Isa::Avx2 => "avx2",
            Isa::Baseline => BASELINE,
            Isa::Scalar => "scalar",
        }
    }

    /// XORs `key` over `payload` in place, as [`mask::apply`](super::apply) does.
    #[inline]
    pub fn apply(self, key: MaskKey, payload: &mut [u8], phase: usize) {
        self.run(key.rotated(phase), &mut InPlace(payload));
    }

    /// Writes `src` XOR `key` to the start of `dst`, as [`mask::apply_to`](super::apply_to) does.
    #[inline]
    pub fn apply_to<'d>(
        self,
        key: MaskKey,
        src: &[u8],
        dst: &'d mut [MaybeUninit<u8>],
        phase: usize,
    ) -> &'d mut [u8] {
        self.copy(key.rotated(phase), Copying::new(src, dst))
    }

    /// XORs `key` over what `span` copies, and returns the copy.
    #[inline]
    #[expect(unsafe_code, reason = "hands out the memory that was just written")]
    pub(super) fn copy<'d>(self, key: MaskKey, mut span: Copying<'_, 'd>) -> &'d mut [u8] {
        self.run(key, &mut span);
        // SAFETY: every kernel stores all of a span.
        unsafe { span.into_stored() }
    }

    /// The instruction set, which the CPU has.
    #[inline]
    pub(crate) const fn isa(self) -> Isa {
        self.0
    }

    /// XORs `key` over `span`; `true` only if what was written is ASCII. Only the kernels whose
    /// text validation is not their own look.
    #[inline]
    pub(crate) fn run_detecting<S: Span>(self, key: MaskKey, span: &mut S) -> bool {
        match self.0 {
            Isa::Baseline => apply_long::<Baseline, S, true>(key, span),
            Isa::Scalar => apply_long::<scalar::Words, S, true>(key, span),
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            _ => {
                self.run(key, span);
                false
            }
        }
    }

    #[cfg_attr(
        all(target_arch = "x86_64", not(wscodec_scalar)),
        expect(unsafe_code, reason = "the CPU was found to have what is called")
    )]
    #[inline]
    fn run<S: Span>(self, key: MaskKey, span: &mut S) {
        match self.0 {
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            Isa::Avx512Vbmi | Isa::Avx512 => {
                // SAFETY: a `Kernel` with this in it is made only after the CPU was found to have
                // it.
                unsafe { super::avx512::apply(key, span) }
            }
            #[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
            // SAFETY: as above.
            Isa::Avx2 => unsafe { super::avx2::apply(key, span) },
            Isa::Baseline => {
                apply_long::<Baseline, S, false>(key, span);
            }
            Isa::Scalar => {
                apply_long::<scalar::Words, S, false>(key, span);
            }
        }
    }
}
