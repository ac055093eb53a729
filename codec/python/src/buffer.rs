//! The memory of Python objects: buffers to read from and to unmask in, and new `bytes` to fill.
//!
//! The only module with unsafe code. Invariant: a slice lives no longer than the export or the
//! reference that keeps its memory in place.

use std::mem::MaybeUninit;
use std::os::raw::c_int;
use std::ptr;
use std::slice;

use bytes::BufMut;
use bytes::buf::UninitSlice;
use pyo3::exceptions::{PyMemoryError, PyOverflowError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// From this many bytes on the GIL is released while a payload is copied or masked. Below, that
/// takes less than a few microseconds, and a busy thread may keep the GIL for five milliseconds.
pub(crate) const DETACH_LEN_MIN: usize = 64 << 10;

/// The same for what goes through a compressor, which is slower by a hundred times.
pub(crate) const DETACH_DEFLATE_LEN_MIN: usize = 4 << 10;

/// Whether bytes can change while they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The content of a `bytes` or a `str`, which stays the same with or without the GIL.
    Fixed,
    /// The content of any other buffer, which only the GIL protects.
    Shared,
}

/// Lends the bytes of any object with the buffer protocol.
///
/// # Errors
/// `TypeError` if it has none, `BufferError` if its memory is not contiguous.
pub(crate) fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    run: impl FnOnce(&[u8], Content) -> R,
) -> PyResult<R> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(run(bytes.as_bytes(), Content::Fixed));
    }
    let mut view = View::new();
    view.export(object, ffi::PyBUF_SIMPLE)?;
    Ok(run(view.bytes(), Content::Shared))
}

/// Lends the bytes of any object with the buffer protocol, to be changed where they lie.
///
/// # Errors
/// `BufferError` or `TypeError` if it has none, or is read-only or not contiguous.
pub(crate) fn with_bytes_mut<R>(
    object: &Bound<'_, PyAny>,
    run: impl FnOnce(&mut [u8]) -> R,
) -> PyResult<R> {
    let mut view = View::new();
    view.export(object, ffi::PyBUF_WRITABLE)?;
    Ok(run(view.bytes_mut()))
}

/// Lends the text of a `str` in UTF-8, or the bytes of a buffer.
///
/// # Errors
/// `UnicodeEncodeError` for a lone surrogate, and those of [`with_bytes`].
pub(crate) fn with_text_or_bytes<R>(
    object: &Bound<'_, PyAny>,
    run: impl FnOnce(Result<&str, &[u8]>, Content) -> R,
) -> PyResult<R> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(run(Ok(text.to_str()?), Content::Fixed));
    }
    with_bytes(object, |bytes, content| run(Err(bytes), content))
}

/// An export of a buffer, which keeps its memory in place until it is dropped.
struct View(MaybeUninit<ffi::Py_buffer>, bool);

impl View {
    const fn new() -> Self {
        Self(MaybeUninit::uninit(), false)
    }

    /// Asks for one contiguous piece of memory. Called once; the view doesn't move afterwards.
    #[expect(unsafe_code, reason = "the buffer protocol of the C API")]
    fn export(&mut self, object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<()> {
        debug_assert!(!self.1, "exported once");
        // SAFETY: `object` is alive and this thread is attached, as `Bound` says; the view is
        // written before it is read.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), self.0.as_mut_ptr(), flags) } != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        self.1 = true;
        Ok(())
    }

    /// Returns where the memory begins and how long it is. An empty buffer may have no memory.
    #[expect(unsafe_code, reason = "reads what PyObject_GetBuffer has written")]
    fn place(&self) -> (*mut u8, usize) {
        if !self.1 {
            return (ptr::NonNull::dangling().as_ptr(), 0);
        }
        // SAFETY: the export succeeded, so all fields are written.
        let view = unsafe { self.0.assume_init_ref() };
        match usize::try_from(view.len) {
            Ok(len) if len > 0 && !view.buf.is_null() => (view.buf.cast(), len),
            _ => (ptr::NonNull::dangling().as_ptr(), 0),
        }
    }

    #[expect(unsafe_code, reason = "the memory of a Python object as a slice")]
    fn bytes(&self) -> &[u8] {
        let (start, len) = self.place();
        // SAFETY: the export holds `len` contiguous bytes in place while `self` lives, and no
        // other thread changes them while this one has the GIL. Without a GIL the caller's
        // documentation forbids it.
        unsafe { slice::from_raw_parts(start, len) }
    }

    #[expect(unsafe_code, reason = "the memory of a Python object as a slice")]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, len) = self.place();
        // SAFETY: as for `bytes`, and the export was asked to be writable.
        unsafe { slice::from_raw_parts_mut(start, len) }
    }
}

impl Drop for View {
    #[expect(unsafe_code, reason = "the buffer protocol of the C API")]
    fn drop(&mut self) {
        if self.1 {
            // SAFETY: exported and not yet released. A view lives only within a call from
            // Python, on a thread that is attached.
            unsafe { ffi::PyBuffer_Release(self.0.as_mut_ptr()) }
        }
    }
}

/// Creates a `bytes` of `len` bytes from what `fill` appends, without zeroing it first. The GIL is
/// released while it is filled if `detach` says so.
///
/// # Errors
/// `MemoryError`, and `OverflowError` for more than an object can hold.
pub(crate) fn new_bytes(
    py: Python<'_>,
    len: usize,
    detach: bool,
    fill: impl FnOnce(&mut Filling<'_>) + Send,
) -> PyResult<Bound<'_, PyBytes>> {
    let (object, memory) = uninit_bytes(py, len)?;
    let mut filling = Filling { memory, len: 0 };
    if detach {
        py.detach(|| fill(&mut filling));
    } else {
        fill(&mut filling);
    }
    // What was not written would be whatever the allocator left there.
    let missing = len - filling.len;
    filling.put_bytes(0, missing);
    debug_assert_eq!(missing, 0, "all of it is written");
    Ok(object)
}

/// Creates a `bytes` whose content is yet to be written.
#[expect(unsafe_code, reason = "PyO3 creates `bytes` only zeroed or from a slice")]
fn uninit_bytes<'m>(
    py: Python<'_>,
    len: usize,
) -> PyResult<(Bound<'_, PyBytes>, &'m mut [MaybeUninit<u8>])> {
    let len_signed = ffi::Py_ssize_t::try_from(len)
        .map_err(|_| PyOverflowError::new_err("more bytes than an object can hold"))?;
    // SAFETY: attached; without a source the content is uninitialised. The result is a new
    // reference to a `bytes`, or null.
    let object = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), len_signed);
        Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>()
    };
    // SAFETY: a `bytes` of this thread alone, so it is read and written through this slice only;
    // the caller keeps `object` for as long as it uses the slice. The empty `bytes` is shared, and
    // the slice then has no bytes.
    let memory = unsafe {
        let start = ffi::PyBytes_AsString(object.as_ptr());
        if start.is_null() {
            return Err(PyMemoryError::new_err("no memory for bytes"));
        }
        slice::from_raw_parts_mut(start.cast(), len)
    };
    Ok((object, memory))
}

/// The memory of a new `bytes` while it is filled.
#[derive(Debug)]
pub(crate) struct Filling<'m> {
    memory: &'m mut [MaybeUninit<u8>],
    len: usize,
}

impl Filling<'_> {
    /// Appends `payload` XOR `key`, in one pass.
    pub(crate) fn put_masked(&mut self, key: wscodec::mask::MaskKey, payload: &[u8], phase: usize) {
        let room = self.memory.get_mut(self.len..).unwrap_or_default();
        self.len += wscodec::mask::apply_to(key, payload, room, phase).len();
    }
}

#[expect(unsafe_code, reason = "BufMut's room is uninitialised, and its length is set by hand")]
// SAFETY: `remaining_mut` and `chunk_mut` are of the same slice, which `advance_mut` can't leave.
unsafe impl BufMut for Filling<'_> {
    fn remaining_mut(&self) -> usize {
        self.memory.len() - self.len
    }

    unsafe fn advance_mut(&mut self, cnt: usize) {
        assert!(cnt <= self.remaining_mut(), "advance beyond the room");
        self.len += cnt;
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        UninitSlice::uninit(self.memory.get_mut(self.len..).unwrap_or_default())
    }
}

/// Creates a `bytes` that is a copy of a slice.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn copy_to_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    new_bytes(py, bytes.len(), false, |filling| filling.put_slice(bytes))
}
