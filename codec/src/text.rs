//! Masked text: unmasked and validated in one pass, while it is hot.
//!
//! ```text
//! unmask ── up to 128 bytes, all of them ASCII ── inlined
//!        └── else ── Utf8Validator ── a kernel that does both in one walk
//!                                  └─ or block by block: unmask, then validate what is not ASCII
//! ```

use core::mem::MaybeUninit;

use crate::error::Utf8Error;
use crate::mask::{
    Baseline, Copying, InPlace, Kernel, MaskKey, SHORT_LEN_MAX, Span, apply_short_ascii,
};
use crate::utf8::Utf8Validator;

/// Unmasks `payload` in place and pushes it to `validator`. `phase` is as in
/// [`mask::apply`](crate::mask::apply).
///
/// # Errors
/// [`Utf8Error`] as for [`Utf8Validator::push`]; how much of `payload` is then unmasked is
/// unspecified.
#[inline]
pub fn unmask(
    key: MaskKey,
    payload: &mut [u8],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<(), Utf8Error> {
    if payload.len() <= SHORT_LEN_MAX
        && validator.is_complete()
        && apply_short_ascii::<Baseline, _>(key.rotated(phase), &mut InPlace(payload))
    {
        validator.skip(payload.len());
        return Ok(());
    }
    unmask_by(Kernel::best(), key, payload, phase, validator)
}

/// Like [`unmask`], with a kernel of the caller's choice.
///
/// # Errors
/// See [`unmask`].
#[inline]
pub fn unmask_by(
    kernel: Kernel,
    key: MaskKey,
    payload: &mut [u8],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<(), Utf8Error> {
    validator.push_masked(kernel, key.rotated(phase), InPlace(payload))
}

/// Writes `src` unmasked to the start of `dst` as [`mask::apply_to`](crate::mask::apply_to) does,
/// pushes it to `validator`, and returns it.
///
/// # Errors
/// [`Utf8Error`] as for [`Utf8Validator::push`].
#[inline]
#[expect(unsafe_code, reason = "hands out the memory that was just written")]
pub fn unmask_to<'d>(
    key: MaskKey,
    src: &[u8],
    dst: &'d mut [MaybeUninit<u8>],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<&'d mut [u8], Utf8Error> {
    let mut span = Copying::new(src, dst);
    if span.len() <= SHORT_LEN_MAX
        && validator.is_complete()
        && apply_short_ascii::<Baseline, _>(key.rotated(phase), &mut span)
    {
        validator.skip(span.len());
        // SAFETY: `apply_short_ascii` returned `true`, so it has stored all of a span of this
        // length.
        return Ok(unsafe { span.into_stored() });
    }
    unmask_to_span(Kernel::best(), key.rotated(phase), span, validator)
}

/// Like [`unmask_to`], with a kernel of the caller's choice.
///
/// # Errors
/// See [`unmask_to`].
#[inline]
pub fn unmask_to_by<'d>(
    kernel: Kernel,
    key: MaskKey,
    src: &[u8],
    dst: &'d mut [MaybeUninit<u8>],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<&'d mut [u8], Utf8Error> {
    unmask_to_span(kernel, key.rotated(phase), Copying::new(src, dst), validator)
}

#[inline]
#[expect(unsafe_code, reason = "hands out the memory that was just written")]
fn unmask_to_span<'d>(
    kernel: Kernel,
    key: MaskKey,
    mut span: Copying<'_, 'd>,
    validator: &mut Utf8Validator,
) -> Result<&'d mut [u8], Utf8Error> {
    validator.push_masked(kernel, key, span.reborrow())?;
    // SAFETY: a piece taken without an error has been stored in full.
    Ok(unsafe { span.into_stored() })
}
