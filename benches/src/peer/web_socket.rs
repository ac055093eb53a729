//! web-socket 0.7: owns an `AsyncRead + AsyncWrite`, three small reads a frame, masks byte by byte.
//! It hands out fragments as they are and validates no text: both are done for it here.

use bytes::Bytes;
use web_socket::{DataType, Event, Frame, MessageType, Stream, WebSocket};

use super::{Assembly, Decoder, Echo, Encoder, MESSAGE_LEN_MAX};
use crate::memory::{MemoryStream, now};
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "web-socket";

fn server(stream: MemoryStream) -> WebSocket<MemoryStream> {
    let mut socket = WebSocket::server(stream);
    socket.max_payload_len = MESSAGE_LEN_MAX;
    socket
}

fn kind(ty: MessageType) -> Kind {
    match ty {
        MessageType::Text => Kind::Text,
        MessageType::Binary => Kind::Binary,
    }
}

/// `WebSocket::recv`.
pub(crate) struct Receiving {
    socket: WebSocket<MemoryStream>,
    assembly: Assembly,
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, _: usize) -> Self {
        Self { socket: server(stream), assembly: Assembly::default() }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            let Event::Data { ty, data } = now(self.socket.recv()).expect("a frame") else {
                panic!("the wire holds data only");
            };
            let (kind, fin) = match ty {
                DataType::Complete(ty) => (Some(kind(ty)), true),
                DataType::Stream(Stream::Start(ty)) => (Some(kind(ty)), false),
                DataType::Stream(Stream::Next(_)) => (None, false),
                DataType::Stream(Stream::End(_)) => (None, true),
            };
            left -= u64::from(self.assembly.frame(kind, fin, &data, sink));
        }
    }
}

/// `WebSocket::send`.
pub(crate) struct Sending(WebSocket<MemoryStream>);

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        Self(match sender {
            Sender::Client => WebSocket::client(stream),
            Sender::Server => server(stream),
        })
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            now(self.0.send(Frame::from(&message[..]))).expect("sent");
        }
    }
}

/// Both.
pub(crate) struct Echoing(WebSocket<MemoryStream>);

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self(server(stream))
    }

    fn echo(&mut self, messages: u64) {
        for _ in 0..messages {
            let Event::Data { data, .. } = now(self.0.recv()).expect("a frame") else {
                panic!("the wire holds data only");
            };
            now(self.0.send(Frame::from(&*data))).expect("sent");
        }
    }
}
