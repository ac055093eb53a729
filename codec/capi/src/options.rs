//! Structs that may grow: their first field is their size, as the program was compiled with.
//!
//! A library newer than the program takes what is missing for zero, which is every field's default.
//! A library older than the program refuses fields that it does not know, unless they are zero.

use std::mem::MaybeUninit;
use std::slice;

use crate::failure::Failure;
use crate::status::WsError;

/// A struct of options.
///
/// # Safety
/// The type must begin with its size as a `usize`, be `repr(C)`, and be valid when all its bytes
/// are zero.
pub(crate) unsafe trait Options: Copy {}

/// Reads options; `None` for a null pointer.
///
/// # Safety
/// `options` is null, or points to a struct as long as its first field says.
pub(crate) unsafe fn read<T: Options>(options: *const T) -> Result<Option<T>, Failure> {
    if options.is_null() {
        return Ok(None);
    }
    // SAFETY: at least the size is there; it need not be aligned.
    let size = unsafe { options.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() || isize::try_from(size).is_err() {
        return Err(WsError::OptionsSize.into());
    }
    let known = size.min(size_of::<T>());
    let mut read = MaybeUninit::<T>::zeroed();
    // SAFETY: both are at least this long.
    unsafe { read.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(options.cast(), known) };
    // SAFETY: the struct is as long as it says.
    let unknown = unsafe { slice::from_raw_parts(options.cast::<u8>().add(known), size - known) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(WsError::OptionsSize.into());
    }
    // SAFETY: zero is valid for every field, and so is what the caller has written to those that it
    // has.
    Ok(Some(unsafe { read.assume_init() }))
}

/// Returns `value`, or `default` if it is 0.
pub(crate) fn or<T: Default + PartialEq>(value: T, default: T) -> T {
    if value == T::default() { default } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(C)]
    struct Two {
        size: usize,
        first: usize,
        second: usize,
    }

    // SAFETY: all fields are numbers.
    unsafe impl Options for Two {}

    const WORD: usize = size_of::<usize>();

    fn read_words(words: &[usize]) -> Result<Option<Two>, Failure> {
        assert!(words[0] <= size_of_val(words));
        // SAFETY: as long as it says.
        unsafe { read(words.as_ptr().cast::<Two>()) }
    }

    #[test]
    fn what_an_older_program_does_not_have_is_zero() {
        let of = |size, first, second| Ok(Some(Two { size, first, second }));
        assert_eq!(read_words(&[WORD, 7, 8]), of(WORD, 0, 0));
        assert_eq!(read_words(&[2 * WORD, 7, 8]), of(2 * WORD, 7, 0));
        assert_eq!(read_words(&[3 * WORD, 7, 8]), of(3 * WORD, 7, 8));
    }

    #[test]
    fn what_a_newer_program_has_must_be_zero() {
        assert_eq!(
            read_words(&[4 * WORD, 7, 8, 0]),
            Ok(Some(Two { size: 4 * WORD, first: 7, second: 8 }))
        );
        assert_eq!(read_words(&[4 * WORD, 7, 8, 1]), Err(WsError::OptionsSize.into()));
    }

    #[test]
    fn a_size_that_was_forgotten_is_an_error_and_no_options_are_none() {
        assert_eq!(read_words(&[0, 7, 8]), Err(WsError::OptionsSize.into()));
        assert_eq!(read_words(&[WORD - 1, 7, 8]), Err(WsError::OptionsSize.into()));
        // SAFETY: null is allowed.
        assert_eq!(unsafe { read::<Two>(std::ptr::null()) }, Ok(None));
    }
}
