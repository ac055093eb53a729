//! Masking by itself, for payloads that the caller sends beside a header of the library's.

use wscodec::mask::{self, MaskKey};

use crate::guard;
use crate::memory;
use crate::status::{WsError, WsStatus};

unsafe fn key_at(key: *const u8) -> Result<MaskKey, crate::failure::Failure> {
    if key.is_null() {
        return Err(WsError::NullPointer.into());
    }
    // SAFETY: the caller's word: four bytes.
    let bytes = unsafe { memory::bytes(key, 4)? };
    let mut key = [0; 4];
    key.copy_from_slice(bytes);
    Ok(MaskKey::new(key))
}

/// Masks or unmasks a payload in place (RFC 6455, 5.3), which is the same: with the four bytes of
/// `key`, such as those of a `ws_head`. `phase` is how many bytes of the frame's payload come
/// before these; 0 if the payload is masked at once.
///
/// Returns `WS_OK`, or `WS_ERROR_NULL_POINTER` or `WS_ERROR_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_mask(
    key: *const u8,
    payload: *mut u8,
    payload_len: usize,
    phase: usize,
) -> WsStatus {
    guard::guard(|| {
        // SAFETY: the caller's word.
        let (key, payload) = unsafe { (key_at(key)?, memory::bytes_mut(payload, payload_len)?) };
        mask::apply(key, payload, phase);
        Ok(0)
    })
}

/// Like `ws_mask`, but leaves the payload as it is and writes the result to `to`, which must have
/// room for `payload_len` bytes, may be uninitialised, and must not overlap with the payload.
///
/// Returns `WS_OK`, or `WS_ERROR_NULL_POINTER`, `WS_ERROR_ARGUMENT` or `WS_ERROR_OVERLAP`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_mask_copy(
    key: *const u8,
    payload: *const u8,
    payload_len: usize,
    to: *mut u8,
    phase: usize,
) -> WsStatus {
    guard::guard(|| {
        if payload_len > 0 && payload.addr().abs_diff(to.addr()) < payload_len {
            return Err(WsError::Overlap.into());
        }
        // SAFETY: the caller's word, and that they do not overlap is checked.
        let (key, payload, to) = unsafe {
            (key_at(key)?, memory::bytes(payload, payload_len)?, memory::uninit(to, payload_len)?)
        };
        mask::apply_to(key, payload, to, phase);
        Ok(0)
    })
}
