//! The caller's memory: pointers with lengths into slices, checked as far as they can be.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::slice;

use crate::failure::Failure;
use crate::status::WsError;

/// Bytes that were read from the peer: the caller's memory, in which payloads are unmasked.
///
/// A function that takes bytes moves `data` forward and makes `len` smaller.
#[derive(Debug)]
#[repr(C)]
pub struct WsInput {
    /// The first byte that has not been taken.
    pub data: *mut u8,
    /// How many bytes from there on have not been taken.
    pub len: usize,
}

/// Where output goes: the caller's memory, to which functions append.
///
/// Set `data` and `capacity`, and `len` to 0; write the `len` bytes to the socket, then set `len`
/// to 0 again. The memory may be uninitialised. Bytes between `len` and `capacity` have no
/// meaning after a call, whatever they were before.
#[derive(Debug)]
#[repr(C)]
pub struct WsBuffer {
    /// The memory.
    pub data: *mut u8,
    /// How many bytes it has.
    pub capacity: usize,
    /// How many of them are filled, from the first on.
    pub len: usize,
    /// Set by a function that returns `WS_ERROR_BUFFER_FULL` or `WS_ERROR_HANDSHAKE_BUFFER_FULL`:
    /// the room that it needs, so `capacity - len` must be at least as much when it is called
    /// again.
    pub needed: usize,
}

/// Bytes that the library lends: not ended by a zero. `data` is null if there is nothing, which
/// is not the same as something of length 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsSlice {
    /// The first byte.
    pub data: *const c_char,
    /// How many bytes there are.
    pub len: usize,
}

impl WsSlice {
    /// Nothing.
    pub(crate) const NONE: Self = Self { data: std::ptr::null(), len: 0 };

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self { data: pointer_to(bytes).cast(), len: bytes.len() }
    }

    pub(crate) fn of_text(text: Option<&str>) -> Self {
        text.map_or(Self::NONE, |text| Self::of(text.as_bytes()))
    }
}

/// Returns a pointer that C may pass to `memcpy` even if there are no bytes.
pub(crate) const fn pointer_to(bytes: &[u8]) -> *const u8 {
    if bytes.is_empty() { c"".as_ptr().cast() } else { bytes.as_ptr() }
}

/// Checks that `len` bytes at `data` can exist.
fn check(data: *const u8, len: usize) -> Result<(), Failure> {
    if len == 0 {
        Ok(())
    } else if data.is_null() {
        Err(WsError::NullPointer.into())
    } else if isize::try_from(len).is_err() || data.addr().checked_add(len).is_none() {
        Err(WsError::Argument.into())
    } else {
        Ok(())
    }
}

/// Returns the caller's bytes.
///
/// # Safety
/// If `len` is not 0, `data` is null or points to `len` bytes that are not written to meanwhile.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    check(data, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null, and no longer than memory can be: checked. The rest is the caller's word.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// Returns the caller's bytes, to be changed.
///
/// # Safety
/// If `len` is not 0, `data` is null or points to `len` bytes that nothing else touches
/// meanwhile.
pub(crate) unsafe fn bytes_mut<'a>(data: *mut u8, len: usize) -> Result<&'a mut [u8], Failure> {
    check(data, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not null, and no longer than memory can be: checked. The rest is the caller's word.
    Ok(unsafe { slice::from_raw_parts_mut(data, len) })
}

/// Returns the caller's memory, to be written to.
///
/// # Safety
/// If `len` is not 0, `data` is null or points to `len` bytes, which may be uninitialised, and
/// which nothing else touches meanwhile.
pub(crate) unsafe fn uninit<'a>(
    data: *mut u8,
    len: usize,
) -> Result<&'a mut [MaybeUninit<u8>], Failure> {
    check(data, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not null, and no longer than memory can be: checked. Any bytes are `MaybeUninit`s. The
    // rest is the caller's word.
    Ok(unsafe { slice::from_raw_parts_mut(data.cast(), len) })
}

/// Returns the caller's elements.
///
/// # Safety
/// If `len` is not 0, `data` is null or points to `len` elements that are not written to
/// meanwhile.
pub(crate) unsafe fn elements<'a, T>(data: *const T, len: usize) -> Result<&'a [T], Failure> {
    let size = len.checked_mul(size_of::<T>()).ok_or(WsError::Argument)?;
    check(data.cast(), size)?;
    if len == 0 {
        return Ok(&[]);
    }
    if !data.is_aligned() {
        return Err(WsError::Argument.into());
    }
    // SAFETY: not null, aligned, and no longer than memory can be: checked. The rest is the caller's
    // word.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// Returns the text of a string that ends with a zero; `None` for a null pointer.
///
/// # Safety
/// `text` is null or points to bytes with a zero at their end, none written to meanwhile.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null; the end is the caller's word.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| WsError::Utf8Argument.into())
}

/// Returns the caller's bytes as the text of a message.
pub(crate) fn message_text(bytes: &[u8]) -> Result<&str, Failure> {
    // Validated by the codec, whose validation is the faster one, so that there is no other
    // dependency.
    let mut validator = wscodec::utf8::Utf8Validator::new();
    if validator.push(bytes).and_then(|()| validator.finish()).is_err() {
        return Err(WsError::Utf8Argument.into());
    }
    // SAFETY: the validator has accepted all bytes and the end.
    Ok(unsafe { str::from_utf8_unchecked(bytes) })
}

/// Lends the place to which a function writes its result.
///
/// # Safety
/// `place` is null, or aligned and points to memory for a `T`, which may be uninitialised.
pub(crate) unsafe fn place<'a, T>(place: *mut T) -> Result<&'a mut MaybeUninit<T>, Failure> {
    // SAFETY: memory for a `T` is memory for a `MaybeUninit<T>`.
    unsafe { place.cast::<MaybeUninit<T>>().as_mut() }.ok_or_else(|| WsError::NullPointer.into())
}

impl WsInput {
    /// Returns the bytes that have not been taken.
    ///
    /// # Safety
    /// `data` points to `len` bytes that nothing else touches meanwhile.
    pub(crate) unsafe fn bytes<'a>(&mut self) -> Result<&'a mut [u8], Failure> {
        // SAFETY: the caller's word.
        unsafe { bytes_mut(self.data, self.len) }
    }

    /// Moves to the last `rest_len` bytes.
    pub(crate) fn advance_to(&mut self, rest_len: usize) {
        self.data = self.data.wrapping_add(self.len - rest_len);
        self.len = rest_len;
    }

    /// Checks that the input can exist, and that no byte of it is in the room of `out`.
    pub(crate) fn check_apart(&self, out: &Output<'_>) -> Result<(), Failure> {
        out.check_apart(self.data, self.len)
    }
}

/// The room of a [`WsBuffer`]. What was written counts once this is dropped.
pub(crate) struct Output<'b> {
    buffer: Option<&'b mut WsBuffer>,
    /// What is left, for the codec to write to.
    pub(crate) room: &'b mut [MaybeUninit<u8>],
    room_len: usize,
}

impl Output<'_> {
    /// Lends the room of `buffer`.
    ///
    /// # Safety
    /// `buffer` is null or points to a buffer whose `data` points to `capacity` bytes, which may
    /// be uninitialised; nothing else touches buffer and room meanwhile.
    pub(crate) unsafe fn new(buffer: *mut WsBuffer) -> Result<Self, Failure> {
        // SAFETY: the caller's word.
        let buffer = unsafe { buffer.as_mut() }.ok_or(WsError::NullPointer)?;
        check(buffer.data, buffer.capacity)?;
        let room_len = buffer.capacity.checked_sub(buffer.len).ok_or(WsError::Argument)?;
        // SAFETY: within the buffer, since `len` is at most `capacity`; the rest is the caller's word.
        let room = unsafe { uninit(buffer.data.wrapping_add(buffer.len), room_len)? };
        Ok(Self { buffer: Some(buffer), room, room_len })
    }

    /// Like [`new`](Self::new), without room if `buffer` is null.
    ///
    /// # Safety
    /// See [`new`](Self::new).
    pub(crate) unsafe fn optional(buffer: *mut WsBuffer) -> Result<Self, Failure> {
        if buffer.is_null() {
            return Ok(Self { buffer: None, room: &mut [], room_len: 0 });
        }
        // SAFETY: the caller's word.
        unsafe { Self::new(buffer) }
    }

    /// Checks that these bytes can exist, and that none of them is in the room.
    pub(crate) fn check_apart(&self, data: *const u8, len: usize) -> Result<(), Failure> {
        check(data, len)?;
        let (room, data) = (self.room.as_ptr().addr(), data.addr());
        let is_apart = len == 0
            || self.room.is_empty()
            || room.wrapping_sub(data) >= len && data.wrapping_sub(room) >= self.room.len();
        if is_apart { Ok(()) } else { Err(WsError::Overlap.into()) }
    }

    /// Tells the caller how much room is needed, if that is the failure.
    pub(crate) fn settle<T>(self, outcome: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
        outcome.map_err(|error| {
            let failure = error.into();
            let mut output = self;
            if let (Some(needed), Some(buffer)) = (failure.room_needed(), &mut output.buffer) {
                buffer.needed = needed;
            }
            failure
        })
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            buffer.len += self.room_len - self.room.len();
        }
    }
}
