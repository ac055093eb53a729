//! soketto 0.8: a header codec, and a sender and a receiver over futures' streams. Masks byte by
//! byte.

use bytes::{Bytes, BytesMut};
use soketto::base::{Codec, Header, OpCode};
use soketto::connection::{Builder, Mode, Receiver};
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Data, Parsing, Sender as SokettoSender};

use super::{
    Acceptor, Decoder, Echo, Encoder, HeaderEncoder, HeaderParser, MESSAGE_LEN_MAX, Masker,
};
use crate::memory::{MemoryStream, now};
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "soketto";

/// `Codec::apply_mask`, which takes a header.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        let mut header = Header::new(OpCode::Binary);
        header.set_masked(true).set_mask(u32::from_be_bytes(key));
        Codec::apply_mask(&header, payload);
    }
}

/// `Codec::decode_header` and `encode_header`.
pub(crate) struct Head(Codec);

impl HeaderParser for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self(Codec::new())
    }

    #[inline]
    fn parse(&self, bytes: &[u8]) -> (u64, usize) {
        match self.0.decode_header(bytes) {
            Ok(Parsing::Done { value, offset }) => (value.payload_len() as u64, offset),
            _ => (0, 0),
        }
    }
}

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self(Codec::new())
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut) {
        let mut header = Header::new(OpCode::Binary);
        header.set_payload_len(payload_len);
        if let Some(key) = key {
            header.set_masked(true).set_mask(u32::from_be_bytes(key));
        }
        out.extend_from_slice(self.0.encode_header(&header));
    }
}

fn builder(stream: MemoryStream, mode: Mode) -> Builder<MemoryStream> {
    let mut builder = Builder::new(stream, mode);
    builder.set_max_frame_size(MESSAGE_LEN_MAX);
    builder.set_max_message_size(MESSAGE_LEN_MAX);
    builder
}

/// `Receiver::receive_data` into one vector that is used again.
pub(crate) struct Receiving {
    receiver: Receiver<MemoryStream>,
    message: Vec<u8>,
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, _: usize) -> Self {
        let (_, receiver) = builder(stream, Mode::Server).finish();
        Self { receiver, message: Vec::new() }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        for _ in 0..messages {
            self.message.clear();
            match now(self.receiver.receive_data(&mut self.message)).expect("a message") {
                Data::Text(_) => sink.message(Kind::Text, &self.message),
                Data::Binary(_) => sink.message(Kind::Binary, &self.message),
            }
        }
    }
}

/// `Sender::send_binary`.
pub(crate) struct Sending(SokettoSender<MemoryStream>);

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let mode = if sender == Sender::Client { Mode::Client } else { Mode::Server };
        Self(builder(stream, mode).finish().0)
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            now(self.0.send_binary(message)).expect("sent");
        }
        now(self.0.flush()).expect("flushed");
    }
}

/// Both halves.
pub(crate) struct Echoing {
    sender: SokettoSender<MemoryStream>,
    receiver: Receiver<MemoryStream>,
    message: Vec<u8>,
}

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        let (sender, receiver) = builder(stream, Mode::Server).finish();
        Self { sender, receiver, message: Vec::new() }
    }

    fn echo(&mut self, messages: u64) {
        for _ in 0..messages {
            self.message.clear();
            now(self.receiver.receive_data(&mut self.message)).expect("a message");
            now(self.sender.send_binary(&self.message)).expect("sent");
        }
        now(self.sender.flush()).expect("flushed");
    }
}

/// `handshake::Server`.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(stream: MemoryStream) {
        let mut server = Server::new(stream);
        let key = now(server.receive_request()).expect("a request").key();
        let response = Response::Accept { key, protocol: None };
        now(server.send_response(&response)).expect("sent");
        drop(server.into_builder().finish());
    }
}
