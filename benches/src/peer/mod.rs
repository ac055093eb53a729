//! The contestants, a file each, and the work they can do, a trait each.
//!
//! Each is configured as fast as its documentation allows. What a crate keeps private is not
//! measured: masking of tungstenite (its loop is the one of fastwebsockets), tokio-websockets and
//! web-socket; handshakes of fastwebsockets and yawc, which take hyper's requests, and of
//! web-socket, which has none.

pub(crate) mod fastwebsockets;
pub(crate) mod nexus_web;
pub(crate) mod sockudo;
pub(crate) mod soketto;
pub(crate) mod tokio_websockets;
pub(crate) mod tungstenite;
pub(crate) mod web_socket;
pub(crate) mod wscodec;
pub(crate) mod wscodec_shared;
pub(crate) mod yawc;

use bytes::{Bytes, BytesMut};

use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

/// A read buffer of common size.
pub(crate) const READ_LEN: usize = 64 * 1024;
/// A limit above every message here.
pub(crate) const MESSAGE_LEN_MAX: usize = 256 * 1024 * 1024;

/// XORs a key over a payload in place.
pub(crate) trait Masker {
    const NAME: &'static str;
    /// Whether every byte is done; limits do less.
    const IS_WHOLE: bool = true;
    fn mask(payload: &mut [u8], key: [u8; 4]);
}

/// Parses one header.
pub(crate) trait HeaderParser {
    const NAME: &'static str;
    fn new() -> Self;
    /// The length of the payload and of the header.
    fn parse(&self, bytes: &[u8]) -> (u64, usize);
}

/// Encodes the header of one final binary frame.
pub(crate) trait HeaderEncoder {
    const NAME: &'static str;
    fn new() -> Self;
    /// Appends it to `out`, which has room.
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut);
}

/// The server's end of a connection: decodes what a client sent, as far as it goes in that crate:
/// with the checks of the protocol, fragments joined and UTF-8 validated.
pub(crate) trait Decoder: Sized {
    const NAME: &'static str;
    /// `read_len` is what those who read for themselves ask the stream for at once.
    fn new(stream: MemoryStream, read_len: usize) -> Self;
    /// Reads and decodes until `messages` went to `sink`.
    fn decode(&mut self, messages: u64, sink: &mut impl Sink);
}

/// Sends binary messages.
pub(crate) trait Encoder: Sized {
    const NAME: &'static str;
    fn new(stream: MemoryStream, sender: Sender) -> Self;
    /// Sends all of `messages` and flushes.
    fn encode(&mut self, messages: &[Bytes]);
}

/// A server that sends back what it receives.
pub(crate) trait Echo: Sized {
    const NAME: &'static str;
    fn new(stream: MemoryStream) -> Self;
    /// Echoes `messages`, the last of them flushed.
    fn echo(&mut self, messages: u64);
}

/// The server's side of the opening handshake.
pub(crate) trait Acceptor {
    const NAME: &'static str;
    /// Reads the request, writes the response, is ready for frames, and drops it all.
    fn accept(stream: MemoryStream);
}

/// For crates that hand out frames: joins fragments, and validates the text that they don't
/// validate.
#[derive(Debug, Default)]
struct Assembly {
    kind: Option<Kind>,
    payload: Vec<u8>,
}

impl Assembly {
    /// Takes a frame; `kind` is `None` for continuations. True if a message went to `sink`.
    #[inline]
    fn frame(&mut self, kind: Option<Kind>, fin: bool, data: &[u8], sink: &mut impl Sink) -> bool {
        match (kind, fin) {
            (Some(kind), true) => {
                deliver(kind, data, sink);
                return true;
            }
            (Some(kind), false) => {
                self.kind = Some(kind);
                self.payload.clear();
                self.payload.extend_from_slice(data);
            }
            (None, _) => self.payload.extend_from_slice(data),
        }
        if fin && let Some(kind) = self.kind.take() {
            deliver(kind, &self.payload, sink);
        }
        fin
    }
}

#[inline]
fn deliver(kind: Kind, data: &[u8], sink: &mut impl Sink) {
    if kind == Kind::Text {
        simdutf8::basic::from_utf8(data).expect("the wire holds valid text");
    }
    sink.message(kind, data);
}

/// Reads at most `len` bytes behind what `buf` still holds, as `read_buf` would.
#[inline]
fn read_into(stream: &mut MemoryStream, buf: &mut BytesMut, len: usize) {
    buf.reserve(len);
    stream.fill_buf(buf, len);
}
