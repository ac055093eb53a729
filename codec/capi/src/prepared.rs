//! A message that is encoded once and sent to many.

use bytes::Bytes;
use wscodec::PreparedMessage;

use crate::connection::{Open, WsConnection};
use crate::guard::{self, Opaque};
use crate::memory::{self, Output, WsBuffer, WsSlice};
use crate::send::WsKind;
use crate::status::{WS_OK, WsStatus};

/// A message that is encoded once, and compressed once, and sent to many. It may be used by
/// several threads at the same time.
#[derive(Debug)]
pub struct WsPrepared {
    _opaque: (),
}

impl Opaque for WsPrepared {
    type Value = PreparedMessage;
}

/// The frame of a prepared message for one connection: bytes that are kept until it is freed. It
/// may be used by several threads at the same time.
#[derive(Debug)]
pub struct WsFrame {
    _opaque: (),
}

impl Opaque for WsFrame {
    type Value = Bytes;
}

/// Encodes a message; copies the payload once. `kind` is a `ws_kind`.
///
/// Returns `WS_OK` and a message that `ws_prepared_free` must free;
/// `WS_ERROR_SEND_CONTROL_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT` or
/// `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_prepared_new(
    kind: u32,
    payload: *const u8,
    payload_len: usize,
    prepared: *mut *mut WsPrepared,
) -> WsStatus {
    guard::guard(|| {
        // SAFETY: the caller's word.
        let (payload, prepared) =
            unsafe { (memory::bytes(payload, payload_len)?, memory::place(prepared)?) };
        let message = PreparedMessage::new(WsKind::of(kind)?.message(payload)?)?;
        prepared.write(guard::give(message));
        Ok(WS_OK)
    })
}

/// Frees a prepared message. Null is allowed. Frames made from it stay valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_prepared_free(prepared: *mut WsPrepared) {
    // SAFETY: the caller's word.
    unsafe { guard::free(prepared) }
}

/// Returns how many bytes of output a server needs for it, uncompressed; 0 for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_prepared_frame_len(prepared: *const WsPrepared) -> usize {
    // SAFETY: the caller's word.
    unsafe { guard::get(prepared) }.map_or(0, PreparedMessage::frame_len)
}

/// Appends a prepared message to `out`: for a server a copy of its bytes, compressed if that was
/// agreed; a client masks it.
///
/// Returns what `ws_send` returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_prepared(
    connection: *mut WsConnection,
    prepared: *const WsPrepared,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, prepared: &PreparedMessage| {
        // SAFETY: the caller's word.
        let mut out = unsafe { Output::new(out)? };
        let outcome = open.sender().send_prepared(prepared, &mut out.room);
        out.settle(outcome).map(|()| WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe {
        guard::read(prepared, |prepared| Ok(guard::call(connection, |open| send(open, prepared))))
    }
}

/// Makes the frame of a prepared message for a connection, to be written behind everything that
/// was sent before: for a server the bytes that all connections share, compressed if that was
/// agreed; for a client a masked copy.
///
/// The message counts as sent. Replies that are due are not part of it: write what `ws_flush`
/// appends before it.
///
/// Returns `WS_OK` and a frame that `ws_frame_free` must free, or the errors of `ws_send` but for
/// those about the payload and the buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_prepared_frame(
    connection: *mut WsConnection,
    prepared: *const WsPrepared,
    frame: *mut *mut WsFrame,
) -> WsStatus {
    let send = |open: &mut Open, prepared: &PreparedMessage| {
        // SAFETY: the caller's word.
        let frame = unsafe { memory::place(frame)? };
        frame.write(guard::give(open.sender().prepared_frame(prepared)?));
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe {
        guard::read(prepared, |prepared| Ok(guard::call(connection, |open| send(open, prepared))))
    }
}

/// Returns the bytes of a frame, which are valid until it is freed; nothing for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_frame_bytes(frame: *const WsFrame) -> WsSlice {
    // SAFETY: the caller's word.
    unsafe { guard::get(frame) }.map_or(WsSlice::NONE, |bytes| WsSlice::of(bytes))
}

/// Frees a frame. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_frame_free(frame: *mut WsFrame) {
    // SAFETY: the caller's word.
    unsafe { guard::free(frame) }
}
