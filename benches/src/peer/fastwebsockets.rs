//! fastwebsockets 0.10: owns an `AsyncRead + AsyncWrite`. Masking by four-byte words that the
//! compiler vectorizes.

use bytes::{Bytes, BytesMut};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};

use super::{Decoder, Echo, Encoder, HeaderEncoder, MESSAGE_LEN_MAX, Masker};
use crate::memory::{MemoryStream, now};
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "fastwebsockets";

/// The public `unmask`.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        fastwebsockets::unmask(payload, key);
    }
}

/// `Frame::fmt_head`, the frame made for it from a borrowed payload.
pub(crate) struct Head {
    payload: Vec<u8>,
}

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self { payload: vec![0; 1 << 17] }
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut) {
        let payload = Payload::Borrowed(&self.payload[..payload_len]);
        let mut head = [0; 16];
        let len = Frame::new(true, OpCode::Binary, key, payload).fmt_head(&mut head);
        out.extend_from_slice(&head[..len]);
    }
}

fn server(stream: MemoryStream) -> FragmentCollector<MemoryStream> {
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_max_message_size(MESSAGE_LEN_MAX);
    FragmentCollector::new(socket)
}

/// `FragmentCollector`, which joins fragments.
pub(crate) struct Receiving(FragmentCollector<MemoryStream>);

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, _: usize) -> Self {
        Self(server(stream))
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        for _ in 0..messages {
            let frame = now(self.0.read_frame()).expect("a frame");
            let kind = if frame.opcode == OpCode::Text { Kind::Text } else { Kind::Binary };
            sink.message(kind, &frame.payload);
        }
    }
}

/// `WebSocket::write_frame` with a borrowed payload.
pub(crate) struct Sending(WebSocket<MemoryStream>);

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        Self(WebSocket::after_handshake(stream, role))
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            let frame = Frame::binary(Payload::Borrowed(message));
            now(self.write(frame)).expect("written");
        }
        now(self.0.flush()).expect("flushed");
    }
}

impl Sending {
    /// Frames live as long as the socket says, which would tie all payloads together.
    async fn write(&mut self, frame: Frame<'_>) -> Result<(), fastwebsockets::WebSocketError> {
        self.0.write_frame(frame).await
    }
}

/// As its echo server.
pub(crate) struct Echoing(FragmentCollector<MemoryStream>);

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self(server(stream))
    }

    fn echo(&mut self, messages: u64) {
        for _ in 0..messages {
            let frame = now(self.0.read_frame()).expect("a frame");
            now(self.0.write_frame(frame)).expect("written");
        }
    }
}
