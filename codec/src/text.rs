//! Masked text: unmasked and validated in one walk, while it is hot.

use core::mem::MaybeUninit;

use crate::error::Utf8Error;
use crate::mask::{self, MaskKey};
use crate::utf8::Utf8Validator;

/// Unmasks `payload` in place and pushes it to `validator`. `phase` is as in [`mask::apply`].
///
/// # Errors
/// [`Utf8Error`] as [`Utf8Validator::push`] says; how much of `payload` is unmasked then is not specified.
#[inline]
pub fn unmask(
    key: MaskKey,
    payload: &mut [u8],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<(), Utf8Error> {
    mask::apply(key, payload, phase);
    validator.push(payload)
}

/// Writes `src` unmasked to the start of `dst` as [`mask::apply_to`] does, pushes it to `validator`, and returns it.
///
/// # Errors
/// [`Utf8Error`] as [`Utf8Validator::push`] says.
#[inline]
pub fn unmask_to<'d>(
    key: MaskKey,
    src: &[u8],
    dst: &'d mut [MaybeUninit<u8>],
    phase: usize,
    validator: &mut Utf8Validator,
) -> Result<&'d mut [u8], Utf8Error> {
    let text = mask::apply_to(key, src, dst, phase);
    validator.push(text)?;
    Ok(text)
}
