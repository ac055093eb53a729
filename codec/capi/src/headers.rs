//! Headers, to be written and as they were received.

use std::ffi::c_char;

use wscodec::handshake::{Header, Headers, accept_key};

use crate::failure::Failure;
use crate::guard;
use crate::memory::{self, WsSlice};
use crate::status::{WS_OK, WsError, WsStatus};

/// What functions return that look for a header or a subprotocol and have found it.
pub const WS_FOUND: WsStatus = 1;

/// A header to be written: two texts that end with a zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsHeader {
    /// The name.
    pub name: *const c_char,
    /// The value, ASCII.
    pub value: *const c_char,
}

/// Passes each header to `push`, as (name, value).
///
/// # Safety
/// `headers` points to `len` headers, whose texts end with a zero.
pub(crate) unsafe fn push_all<T>(
    headers: *const WsHeader,
    len: usize,
    start: T,
    mut push: impl FnMut(T, &str, &str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut all = start;
    // SAFETY: the caller's word.
    for header in unsafe { memory::elements(headers, len)? } {
        // SAFETY: the caller's word.
        let (name, value) = unsafe { (memory::text(header.name)?, memory::text(header.value)?) };
        all = push(all, name.ok_or(WsError::NullPointer)?, value.ok_or(WsError::NullPointer)?)?;
    }
    Ok(all)
}

/// Tells the value of the first header with a name.
///
/// # Safety
/// `name` ends with a zero; `value` points to memory for a slice.
pub(crate) unsafe fn find(
    mut headers: Headers<'_>,
    name: *const c_char,
    value: *mut WsSlice,
) -> Result<WsStatus, Failure> {
    // SAFETY: the caller's word.
    let (name, value) = unsafe { (memory::text(name)?, memory::place(value)?) };
    let name = name.ok_or(WsError::NullPointer)?;
    let found = headers.find(|header| header.is(name));
    value.write(found.map_or(WsSlice::NONE, |header| WsSlice::of(header.value)));
    Ok(if found.is_some() { WS_FOUND } else { WS_OK })
}

/// Tells name and value of the header at `index`.
///
/// # Safety
/// `name` and `value` point to memory for a slice each.
pub(crate) unsafe fn at(
    mut headers: Headers<'_>,
    index: usize,
    name: *mut WsSlice,
    value: *mut WsSlice,
) -> Result<WsStatus, Failure> {
    // SAFETY: the caller's word.
    let (name, value) = unsafe { (memory::place(name)?, memory::place(value)?) };
    let found = headers.nth(index);
    name.write(found.map_or(WsSlice::NONE, |Header { name, .. }| WsSlice::of(name.as_bytes())));
    value.write(found.map_or(WsSlice::NONE, |header| WsSlice::of(header.value)));
    Ok(if found.is_some() { WS_FOUND } else { WS_OK })
}

/// Writes the 28 bytes of the Sec-WebSocket-Accept that answers `key`, the value of a
/// Sec-WebSocket-Key, to `accept` (RFC 6455, 4.2.2), without a zero at the end: for a server
/// whose HTTP another library does.
///
/// Returns `WS_OK`, or `WS_ERROR_REQUEST_KEY` if it is not 16 bytes in base64.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_accept_key(
    key: *const c_char,
    key_len: usize,
    accept: *mut c_char,
) -> WsStatus {
    guard::guard(|| {
        // SAFETY: the caller's word.
        let (key, place) = unsafe {
            (memory::bytes(key.cast(), key_len)?, memory::place(accept.cast::<[u8; 28]>())?)
        };
        let answer = accept_key(key).map_err(wscodec::handshake::HandshakeError::from)?;
        place.write(answer);
        Ok(WS_OK)
    })
}
