//! sockudo-ws 3.1: a protocol over `BytesMut`; AVX-512 masking with scalar ends, simdutf8. Its
//! masking keys come from fastrand, its default: quicker than a cryptographic generator, and
//! predictable.

use bytes::{Bytes, BytesMut};
use sockudo_ws::frame::{OpCode, encode_frame_header};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::{Message, Role, protocol::Protocol};

use super::{
    Acceptor, Decoder, Echo, Encoder, HeaderEncoder, MESSAGE_LEN_MAX, Masker, READ_LEN, read_into,
};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "sockudo-ws";

/// The public `simd::apply_mask`.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        sockudo_ws::simd::apply_mask(payload, key);
    }
}

/// `encode_frame_header`.
pub(crate) struct Head;

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut) {
        encode_frame_header(out, OpCode::Binary, payload_len, true, key);
    }
}

fn protocol(role: Role) -> Protocol {
    Protocol::new(role, MESSAGE_LEN_MAX, MESSAGE_LEN_MAX)
}

/// `Protocol::process_into`, its "zero-allocation hot path".
pub(crate) struct Receiving {
    stream: MemoryStream,
    read_len: usize,
    protocol: Protocol,
    input: BytesMut,
    messages: Vec<Message>,
}

impl Receiving {
    /// Reads once and decodes what is there; the messages of the time before are dropped first, so
    /// that their memory can be read into again.
    fn step(&mut self) {
        self.messages.clear();
        read_into(&mut self.stream, &mut self.input, self.read_len);
        self.protocol.process_into(&mut self.input, &mut self.messages).expect("no fault");
    }
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, read_len: usize) -> Self {
        let (input, messages) = (BytesMut::with_capacity(read_len), Vec::new());
        Self { stream, read_len, protocol: protocol(Role::Server), input, messages }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            self.step();
            for message in &self.messages {
                match message {
                    Message::Text(data) => sink.message(Kind::Text, data),
                    Message::Binary(data) => sink.message(Kind::Binary, data),
                    _ => continue,
                }
                left -= 1;
            }
        }
    }
}

/// `Protocol::encode_message` into one buffer for all messages.
pub(crate) struct Sending {
    stream: MemoryStream,
    protocol: Protocol,
    out: BytesMut,
}

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        Self { stream, protocol: protocol(role), out: BytesMut::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        self.out.clear();
        for message in messages {
            let message = Message::Binary(message.clone());
            self.protocol.encode_message(&message, &mut self.out).expect("encoded");
        }
        self.stream.put(&self.out);
    }
}

/// Both, one buffer of replies a read.
pub(crate) struct Echoing {
    receiving: Receiving,
    out: BytesMut,
}

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self { receiving: Receiving::new(stream, READ_LEN), out: BytesMut::new() }
    }

    fn echo(&mut self, messages: u64) {
        let mut left = messages;
        while left > 0 {
            self.receiving.step();
            self.out.clear();
            let Receiving { protocol, messages, stream, .. } = &mut self.receiving;
            for message in &*messages {
                protocol.encode_message(message, &mut self.out).expect("encoded");
                left -= 1;
            }
            stream.put(&self.out);
        }
    }
}

/// `parse_request`, `generate_accept_key`, `build_response`.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(mut stream: MemoryStream) {
        let mut input = BytesMut::new();
        read_into(&mut stream, &mut input, 4096);
        let (request, _) = parse_request(&input).expect("a request").expect("all of it");
        let response = build_response(&generate_accept_key(request.key), None, None);
        stream.put(&response);
        std::hint::black_box(&protocol(Role::Server).is_closed());
    }
}
