//! Events, as C sees them.

use wscodec::Event;
use wscodec::header::Fin;

use crate::memory;

/// What arrived. The numbers of messages and control frames are their opcodes (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WsEventKind {
    /// A text message, or a piece of one: valid UTF-8, whole characters.
    Text = 1,
    /// A binary message, or a piece of one.
    Binary = 2,
    /// The peer's Close: `close_code` and the reason, valid UTF-8. The answer is in the output
    /// already.
    Close = 8,
    /// A Ping. The Pong is in the output already.
    Ping = 9,
    /// A Pong.
    Pong = 10,
}

/// The close code of an empty Close, which is never sent (RFC 6455, 7.1.5).
pub const WS_CLOSE_NO_STATUS: u16 = 1005;

/// What was received.
///
/// `data` points into the caller's input or into the connection. It is valid until the next call
/// with the connection that is not only a question (as `ws_ready_state` is), and no longer than
/// the caller leaves the input alone.
#[derive(Debug)]
#[repr(C)]
pub struct WsEvent {
    /// A `ws_event_kind`.
    pub kind: u32,
    /// The code of a Close, `WS_CLOSE_NO_STATUS` if it has none; 0 for all else.
    pub close_code: u16,
    /// 1 if the message ends with this; 0 only for pieces, under `WS_DELIVERY_STREAMED`.
    pub is_final: u8,
    /// 1 if `data` lies in the caller's input, which the caller may change; 0 if in the
    /// connection, or if there is nothing.
    pub is_in_input: u8,
    /// The payload, unmasked and decompressed; the reason of a Close. Not ended by a zero, never
    /// null.
    pub data: *const u8,
    /// The length of the payload, in bytes.
    pub len: usize,
}

impl WsEvent {
    /// Describes an event that was found while an input of `input_len` bytes at `input` was
    /// taken.
    #[inline]
    pub(crate) fn new(event: &Event<'_>, input: *const u8, input_len: usize) -> Option<Self> {
        let (kind, close_code, payload, fin) = match *event {
            Event::Text(text) => (WsEventKind::Text, 0, text.as_bytes(), Fin::Final),
            Event::Binary(bytes) => (WsEventKind::Binary, 0, bytes, Fin::Final),
            Event::TextPiece(text, fin) => (WsEventKind::Text, 0, text.as_bytes(), fin),
            Event::BinaryPiece(bytes, fin) => (WsEventKind::Binary, 0, bytes, fin),
            Event::Ping(bytes) => (WsEventKind::Ping, 0, bytes, Fin::Final),
            Event::Pong(bytes) => (WsEventKind::Pong, 0, bytes, Fin::Final),
            Event::Close(None) => (WsEventKind::Close, WS_CLOSE_NO_STATUS, &b""[..], Fin::Final),
            Event::Close(Some(close)) => {
                (WsEventKind::Close, close.code.as_u16(), close.reason.as_bytes(), Fin::Final)
            }
            _ => return None,
        };
        let offset = payload.as_ptr().addr().wrapping_sub(input.addr());
        Some(Self {
            kind: kind as u32,
            close_code,
            is_final: u8::from(fin == Fin::Final),
            is_in_input: u8::from(!payload.is_empty() && offset < input_len),
            data: memory::pointer_to(payload),
            len: payload.len(),
        })
    }
}
