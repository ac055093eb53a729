//! Messages to bytes: into the caller's buffer, or as a header for a payload that stays where it is.

use std::num::NonZeroUsize;

use wscodec::header::{Fin, Opcode};
use wscodec::{CloseCode, CloseFrame, Fragment, Message};

use crate::connection::{Open, WS_REPLY_LEN_MAX, WsConnection};
use crate::failure::Failure;
use crate::guard;
use crate::memory::{self, Output, WsBuffer};
use crate::status::{WS_OK, WsError, WsStatus};

/// The longest header of a frame, in bytes.
const HEADER_LEN_MAX: usize = 14;

/// What is sent. The numbers are the opcodes (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WsKind {
    /// Text: UTF-8, which is checked.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// Asks the peer for a Pong with the same payload; at most 125 bytes.
    Ping = 9,
    /// An unsolicited Pong; at most 125 bytes. The connection answers Pings by itself.
    Pong = 10,
}

impl WsKind {
    pub(crate) fn of(number: u32) -> Result<Self, Failure> {
        let all = [Self::Text, Self::Binary, Self::Ping, Self::Pong];
        all.into_iter().find(|&kind| kind as u32 == number).ok_or_else(|| WsError::Argument.into())
    }

    /// Makes a message of this kind; a text is validated.
    pub(crate) fn message(self, payload: &[u8]) -> Result<Message<'_>, Failure> {
        Ok(match self {
            Self::Text => Message::Text(memory::message_text(payload)?),
            Self::Binary => Message::Binary(payload),
            Self::Ping => Message::Ping(payload),
            Self::Pong => Message::Pong(payload),
        })
    }
}

/// The header of a frame, for a payload that the caller sends behind it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsHead {
    /// The header as it goes on the wire: `len` bytes of it.
    pub bytes: [u8; 14],
    /// The length of the header, 2 to 14 bytes.
    pub len: u8,
    /// 1 if the payload must be masked with `mask_key` (by `ws_mask` or `ws_mask_copy`) before it
    /// is sent, as a client's must; 0 if it must be sent as it is.
    pub is_masked: u8,
    /// The key; zero if the payload is not masked.
    pub mask_key: [u8; 4],
}

/// Runs `send` on a payload and on the room of `out`, which must be apart.
unsafe fn with_payload(
    connection: *mut WsConnection,
    payload: *const u8,
    payload_len: usize,
    out: *mut WsBuffer,
    send: impl FnOnce(&mut Open, &[u8], &mut Output<'_>) -> Result<(), Failure>,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word; that they are apart is checked before either is touched.
        let mut out = unsafe { Output::new(out)? };
        out.check_apart(payload, payload_len)?;
        // SAFETY: the caller's word. The payload may be one that the connection has lent: sending
        // changes nothing of what has been received.
        let payload = unsafe { memory::bytes(payload, payload_len)? };
        let outcome = send(open, payload, &mut out);
        out.settle(outcome).map(|()| WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Appends a message to `out` as one frame; a client masks it while it is copied. `kind` is a
/// `ws_kind`. With permessage-deflate a message that gets shorter is sent compressed.
///
/// The payload may be that of the last event, also if it lies in the connection. Replies that are
/// due go out first.
///
/// Returns `WS_OK`. Otherwise nothing of the message was written: `WS_ERROR_BUFFER_FULL`,
/// `WS_ERROR_NOT_OPEN` after a Close or a failure, `WS_ERROR_MESSAGE_OPEN` for data while a
/// message sent in fragments is open, `WS_ERROR_SEND_CONTROL_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`
/// for a text that is none, `WS_ERROR_ARGUMENT`, `WS_ERROR_OVERLAP` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send(
    connection: *mut WsConnection,
    kind: u32,
    payload: *const u8,
    payload_len: usize,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, payload: &[u8], out: &mut Output<'_>| {
        let message = WsKind::of(kind)?.message(payload)?;
        Ok(open.sender().send(message, &mut out.room)?)
    };
    // SAFETY: the caller's word.
    unsafe { with_payload(connection, payload, payload_len, out, send) }
}

/// Like `ws_send`, but never compressed: for payloads that are compressed already, and for
/// secrets that must not share a context with what an attacker may choose (RFC 7692, 8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_uncompressed(
    connection: *mut WsConnection,
    kind: u32,
    payload: *const u8,
    payload_len: usize,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, payload: &[u8], out: &mut Output<'_>| {
        let message = WsKind::of(kind)?.message(payload)?;
        Ok(open.sender().send_uncompressed(message, &mut out.room)?)
    };
    // SAFETY: the caller's word.
    unsafe { with_payload(connection, payload, payload_len, out, send) }
}

/// Appends a piece of a message to `out` as a frame. The first piece opens the message, and one
/// with `is_final` other than 0 ends it. `kind` is `WS_KIND_TEXT` or `WS_KIND_BINARY`, the same
/// for all pieces; those of a text must be whole characters.
///
/// Returns what `ws_send` returns; `WS_ERROR_NO_MESSAGE_OPEN` if the open message is of the other
/// kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_fragment(
    connection: *mut WsConnection,
    kind: u32,
    payload: *const u8,
    payload_len: usize,
    is_final: i32,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, payload: &[u8], out: &mut Output<'_>| {
        let fragment = match WsKind::of(kind)? {
            WsKind::Text => Fragment::Text(memory::message_text(payload)?),
            WsKind::Binary => Fragment::Binary(payload),
            WsKind::Ping | WsKind::Pong => return Err(WsError::Argument.into()),
        };
        let fin = if is_final == 0 { Fin::More } else { Fin::Final };
        Ok(open.sender().send_fragment(fragment, fin, &mut out.room)?)
    };
    // SAFETY: the caller's word.
    unsafe { with_payload(connection, payload, payload_len, out, send) }
}

/// Like `ws_send`, in frames of at most `fragment_size_max` bytes, which must not be 0. A Ping or
/// a Pong goes out whole.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_fragmented(
    connection: *mut WsConnection,
    kind: u32,
    payload: *const u8,
    payload_len: usize,
    fragment_size_max: usize,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, payload: &[u8], out: &mut Output<'_>| {
        let size_max = NonZeroUsize::new(fragment_size_max).ok_or(WsError::Argument)?;
        let message = WsKind::of(kind)?.message(payload)?;
        Ok(open.sender().send_fragmented(message, size_max, &mut out.room)?)
    };
    // SAFETY: the caller's word.
    unsafe { with_payload(connection, payload, payload_len, out, send) }
}

/// Makes the header of a message whose payload the caller sends itself, behind it: for vectored
/// writes and registered buffers. The payload is not looked at: a text must be UTF-8. It goes out
/// uncompressed; a client's must be masked, see `ws_head`.
///
/// The message counts as sent. Replies that are due are not part of it: write what `ws_flush`
/// appends before it.
///
/// Returns `WS_OK` or the errors of `ws_send` but for those about the payload and the buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_head(
    connection: *mut WsConnection,
    kind: u32,
    payload_len: u64,
    head: *mut WsHead,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(head)? };
        let opcode = match WsKind::of(kind)? {
            WsKind::Text => Opcode::Text,
            WsKind::Binary => Opcode::Binary,
            WsKind::Ping => Opcode::Ping,
            WsKind::Pong => Opcode::Pong,
        };
        let (header, key) = open.sender().head(opcode, payload_len)?;
        let mut head = WsHead {
            bytes: [0; HEADER_LEN_MAX],
            len: 0,
            is_masked: key.is_some().into(),
            mask_key: key.unwrap_or_default().to_bytes(),
        };
        for (to, from) in head.bytes.iter_mut().zip(header.as_bytes()) {
            *to = *from;
            head.len += 1;
        }
        place.write(head);
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Starts the closing handshake: appends a Close to `out`. Messages may still arrive until the
/// peer's Close does.
///
/// `code` is 1000-1003, 1007-1014 or 3000-4999; 0 sends an empty Close, which the peer reports as
/// 1005, and must have no reason. The reason is UTF-8 for people to read, at most 123 bytes.
///
/// Returns `WS_OK`; `WS_ERROR_NOT_OPEN` if a Close has been sent, `WS_ERROR_CLOSE_CODE_ARGUMENT`,
/// `WS_ERROR_REASON_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT`,
/// `WS_ERROR_BUFFER_FULL`, `WS_ERROR_OVERLAP` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_close(
    connection: *mut WsConnection,
    code: u16,
    reason: *const u8,
    reason_len: usize,
    out: *mut WsBuffer,
) -> WsStatus {
    let send = |open: &mut Open, reason: &[u8], out: &mut Output<'_>| {
        let close = match code {
            0 if reason.is_empty() => None,
            0 => return Err(WsError::Argument.into()),
            code => Some(CloseFrame {
                code: CloseCode::try_from(code).map_err(|_| WsError::CloseCodeArgument)?,
                reason: memory::message_text(reason)?,
            }),
        };
        Ok(open.sender().close(close, &mut out.room)?)
    };
    // SAFETY: the caller's word.
    unsafe { with_payload(connection, reason, reason_len, out, send) }
}

/// Returns room that is enough for any one call that sends a payload of `payload_len` bytes, with
/// all replies that may be due: as `ws_send`, `ws_send_fragment`, `ws_send_prepared` and
/// `ws_close` do, but not `ws_send_fragmented`, which takes 14 bytes more for each frame. 0 for
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_room(
    connection: *const WsConnection,
    payload_len: usize,
) -> usize {
    // SAFETY: the caller's word.
    let Some(open) = (unsafe { guard::get(connection) }) else { return 0 };
    // What a fragment can become that does not compress: nine bits a byte, and the headers of blocks.
    let longer = if open.is_extended { payload_len / 8 + payload_len / 256 + 64 } else { 0 };
    (2 * WS_REPLY_LEN_MAX + HEADER_LEN_MAX).saturating_add(payload_len).saturating_add(longer)
}
