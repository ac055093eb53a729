//! What every function goes through: nothing unwinds into C, and a handle that may be broken is not
//! used again.

use std::mem;
use std::panic::{self, AssertUnwindSafe};

use crate::failure::Failure;
use crate::status::{WsError, WsStatus};

/// What a function returns if it did not fail: 0 or more.
pub(crate) type Outcome = Result<WsStatus, Failure>;

/// A type of which C knows the name alone; its pointers are those of [`Handle`]s.
pub(crate) trait Opaque {
    /// What is behind the pointer.
    type Value;
}

/// A value behind a pointer that C holds.
struct Handle<T> {
    value: T,
    /// A panic was caught while the value was being changed.
    is_broken: bool,
}

/// Moves a value to where C can hold it.
pub(crate) fn give<O: Opaque>(value: O::Value) -> *mut O {
    Box::into_raw(Box::new(Handle { value, is_broken: false })).cast()
}

/// Frees the value.
///
/// # Safety
/// `handle` is null or comes from [`give`] and has not been freed.
pub(crate) unsafe fn free<O: Opaque>(handle: *mut O) {
    if !handle.is_null() {
        // SAFETY: `give` has made it of such a box; that it has not been freed is the caller's word.
        let handle = unsafe { Box::from_raw(handle.cast::<Handle<O::Value>>()) };
        guard(|| {
            drop(handle);
            Ok(0)
        });
    }
}

/// Takes the value back and frees the handle; `None` for a null pointer and a broken handle, which
/// stays as it is.
///
/// # Safety
/// See [`free`].
pub(crate) unsafe fn take<O: Opaque>(handle: *mut O) -> Option<O::Value> {
    // SAFETY: the caller's word.
    unsafe { get(handle)? };
    // SAFETY: `give` has made it of such a box; that it has not been freed is the caller's word.
    Some(unsafe { Box::from_raw(handle.cast::<Handle<O::Value>>()) }.value)
}

/// Runs `call` on the value.
///
/// # Safety
/// `handle` is null or comes from [`give`], has not been freed, and is not used by another thread
/// meanwhile.
#[inline]
pub(crate) unsafe fn call<O: Opaque>(
    handle: *mut O,
    call: impl FnOnce(&mut O::Value) -> Outcome,
) -> WsStatus {
    // SAFETY: `give` has made it of such a handle; the rest is the caller's word.
    let Some(handle) = (unsafe { handle.cast::<Handle<O::Value>>().as_mut() }) else {
        return Failure::from(WsError::NullPointer).record();
    };
    if handle.is_broken {
        return Failure::from(WsError::Panicked).record();
    }
    let status = guard(|| call(&mut handle.value));
    if status == WsError::Panicked as WsStatus {
        handle.is_broken = true;
    }
    status
}

/// Returns the value; `None` for a null pointer and a broken handle.
///
/// # Safety
/// See [`call`].
pub(crate) unsafe fn get<'a, O: Opaque>(handle: *const O) -> Option<&'a O::Value> {
    // SAFETY: `give` has made it of such a handle; the rest is the caller's word.
    let handle = unsafe { handle.cast::<Handle<O::Value>>().as_ref() };
    handle.filter(|handle| !handle.is_broken).map(|handle| &handle.value)
}

/// Runs `call` on the value, which it does not change.
///
/// # Safety
/// See [`call`](call()).
#[inline]
pub(crate) unsafe fn read<O: Opaque>(
    handle: *const O,
    call: impl FnOnce(&O::Value) -> Outcome,
) -> WsStatus {
    // SAFETY: the caller's word.
    match unsafe { get(handle) } {
        Some(value) => guard(|| call(value)),
        None if handle.is_null() => Failure::from(WsError::NullPointer).record(),
        None => Failure::from(WsError::Panicked).record(),
    }
}

/// Runs `call`; a panic in it is an error.
#[inline]
pub(crate) fn guard(call: impl FnOnce() -> Outcome) -> WsStatus {
    // Unwind safe, since a handle that was being changed is not used again.
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => failure.record(),
        Err(payload) => {
            mem::forget(payload); // dropping it may panic
            Failure::from(WsError::Panicked).record()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANICKED: WsStatus = WsError::Panicked as WsStatus;

    struct Number;

    impl Opaque for Number {
        type Value = i32;
    }

    #[test]
    fn a_panic_is_an_error_and_its_handle_is_not_used_again() {
        let handle = give::<Number>(1);
        // SAFETY: a live handle, of this thread alone.
        unsafe {
            assert_eq!(call(handle, |value| Ok(*value)), 1);
            assert_eq!(call(handle, |_| panic!("as this test wants")), PANICKED);
            assert_eq!(call(handle, |value| Ok(*value)), PANICKED);
            assert_eq!(read(handle, |value| Ok(*value)), PANICKED);
            assert!(get(handle).is_none());
            free(handle);
        }
    }

    #[test]
    fn a_panic_while_a_value_is_freed_does_not_unwind() {
        struct Breaks;
        impl Drop for Breaks {
            fn drop(&mut self) {
                panic!("as this test wants");
            }
        }
        impl Opaque for Breaks {
            type Value = Self;
        }
        // SAFETY: a live handle, of this thread alone.
        unsafe { free(give::<Breaks>(Breaks)) };
    }

    #[test]
    fn no_handle_is_an_error() {
        // SAFETY: null is allowed.
        unsafe {
            let null = WsError::NullPointer as WsStatus;
            assert_eq!(call(std::ptr::null_mut::<Number>(), |value| Ok(*value)), null);
            assert_eq!(read(std::ptr::null::<Number>(), |value| Ok(*value)), null);
            free(std::ptr::null_mut::<Number>());
        }
    }
}
