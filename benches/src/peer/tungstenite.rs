//! tungstenite 0.30: owns a `Read + Write`. Masking by four-byte words, private, the loop that
//! fastwebsockets took over.

use std::io::Cursor;

use bytes::{BufMut, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::{Acceptor, Decoder, Echo, Encoder, HeaderEncoder, HeaderParser};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "tungstenite";

/// `FrameHeader::parse` and `format`.
pub(crate) struct Head;

impl HeaderParser for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn parse(&self, bytes: &[u8]) -> (u64, usize) {
        let mut cursor = Cursor::new(bytes);
        match FrameHeader::parse(&mut cursor) {
            Ok(Some((_, payload_len))) => {
                (payload_len, usize::try_from(cursor.position()).unwrap_or_default())
            }
            _ => (0, 0),
        }
    }
}

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut) {
        let opcode = OpCode::Data(Data::Binary);
        let header = FrameHeader { opcode, mask: key, ..FrameHeader::default() };
        header.format(payload_len as u64, &mut out.writer()).expect("room");
    }
}

fn socket(stream: MemoryStream, role: Role) -> WebSocket<MemoryStream> {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    WebSocket::from_raw_socket(stream, role, Some(config))
}

/// `WebSocket::read`, with its 128 KiB buffer.
pub(crate) struct Receiving(WebSocket<MemoryStream>);

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, _: usize) -> Self {
        Self(socket(stream, Role::Server))
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        for _ in 0..messages {
            match self.0.read().expect("a message") {
                Message::Text(text) => sink.message(Kind::Text, text.as_bytes()),
                Message::Binary(data) => sink.message(Kind::Binary, &data),
                _ => {}
            }
        }
    }
}

/// `WebSocket::write`, with its 128 KiB buffer, and `flush`.
pub(crate) struct Sending(WebSocket<MemoryStream>);

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        Self(socket(stream, role))
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            self.0.write(Message::Binary(message.clone())).expect("written");
        }
        self.0.flush().expect("flushed");
    }
}

/// Both.
pub(crate) struct Echoing(WebSocket<MemoryStream>);

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self(socket(stream, Role::Server))
    }

    fn echo(&mut self, messages: u64) {
        for _ in 0..messages {
            let message = self.0.read().expect("a message");
            self.0.write(message).expect("written");
        }
        self.0.flush().expect("flushed");
    }
}

/// `accept`, its 128 KiB buffers included.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(stream: MemoryStream) {
        assert!(tungstenite::accept(stream).is_ok(), "accepted");
    }
}
