//! The kernels by name, and the choice of code for the instruction sets that this CPU has.

use core::mem::MaybeUninit;

use super::span::{Copying, InPlace, Span};
use super::vector16::{Vector16, apply_long};
use super::{Baseline, MaskKey, Wide, scalar};

/// An implementation of masking and of text validation that this CPU can run.
///
/// [`mask::apply`](super::apply), [`text`](crate::text) and [`utf8`](crate::utf8) use the
/// [best](Self::best) one; choosing a kernel by name is for tests, benchmarks and reports.
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

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Isa {
    /// A set beyond the target's baseline.
    Wide(Wide),
    /// The target's baseline: SSE2, NEON, simd128, or nothing.
    Baseline,
    Scalar,
}

impl Kernel {
    /// Returns the fastest of the [available](Self::available). The first call queries the CPU;
    /// later calls cost a load or two.
    #[must_use]
    #[inline]
    pub fn best() -> Self {
        match Wide::best() {
            Some(wide) => Self(Isa::Wide(wide)),
            None => Self(if Baseline::IS_SIMD { Isa::Baseline } else { Isa::Scalar }),
        }
    }

    /// Returns every kernel that this CPU can run, the fastest first. The last is scalar.
    pub fn available() -> impl Iterator<Item = Self> {
        let baseline = Baseline::IS_SIMD.then_some(Isa::Baseline);
        Wide::available().map(Isa::Wide).chain(baseline).chain([Isa::Scalar]).map(Self)
    }

    /// Returns the instruction set in lower case, such as `avx512`; `scalar` for plain integers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Isa::Wide(wide) => wide.name(),
            Isa::Baseline => Baseline::NAME,
            Isa::Scalar => scalar::Words::NAME,
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

    /// Returns the instruction set, which the CPU has.
    #[inline]
    pub(crate) const fn isa(self) -> Isa {
        self.0
    }

    /// XORs `key` over `span`; returns `true` only if what was written is ASCII. Only kernels
    /// without their own text validation check this.
    #[inline]
    pub(crate) fn run_detecting<S: Span>(self, key: MaskKey, span: &mut S) -> bool {
        match self.0 {
            Isa::Baseline => apply_long::<Baseline, S, true>(key, span),
            Isa::Scalar => apply_long::<scalar::Words, S, true>(key, span),
            Isa::Wide(_) => {
                self.run(key, span);
                false
            }
        }
    }

    #[inline]
    fn run<S: Span>(self, key: MaskKey, span: &mut S) {
        match self.0 {
            Isa::Wide(wide) => wide.apply(key, span),
            Isa::Baseline => {
                apply_long::<Baseline, S, false>(key, span);
            }
            Isa::Scalar => {
                apply_long::<scalar::Words, S, false>(key, span);
            }
        }
    }
}
