//! Validation by the wide vectors of x86-64, which unmask in the same pass.

#![expect(clippy::inline_always, reason = "one loop compiled for several instruction sets")]

mod avx2;
mod avx512;
mod avx512vbmi;
#[cfg(all(test, feature = "std"))]
mod exhaustive;
mod lookup;
mod walk;

use crate::mask::x86::Wide;
use crate::mask::{Isa, Kernel, MaskKey, Span};

/// XORs `key` over `span`, whose result starts with a character, and returns whether the result has
/// no fault, except that it may end within a character. Returns `None` and does nothing if the
/// kernel has no walk of its own.
#[inline]
#[expect(unsafe_code, reason = "the CPU was found to have what is called")]
pub(super) fn unmask_and_check<S: Span>(
    kernel: Kernel,
    key: MaskKey,
    span: &mut S,
) -> Option<bool> {
    let Isa::Wide(wide) = kernel.isa() else { return None };
    Some(match wide {
        // SAFETY: a `Wide` is made only after the CPU was found to have it.
        Wide::Avx512Vbmi => unsafe { avx512vbmi::unmask_and_check(key, span) },
        // SAFETY: as above.
        Wide::Avx512 => unsafe { avx512::unmask_and_check(key, span) },
        // SAFETY: as above.
        Wide::Avx2 => unsafe { avx2::unmask_and_check(key, span) },
    })
}
