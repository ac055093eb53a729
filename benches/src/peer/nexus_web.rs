//! nexus-web 0.8: no I/O of its own; unmasks in its read buffer by AVX2, borrows messages from it.

use bytes::{Bytes, BytesMut};
use nexus_web::ws::{Client, FrameReader, FrameWriter, Message, Role, apply_mask};

use super::{Acceptor, Decoder, Echo, Encoder, HeaderEncoder, MESSAGE_LEN_MAX, Masker, READ_LEN};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "nexus-web";

/// The public `apply_mask`.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        apply_mask(payload, key);
    }
}

/// `FrameWriter::build_header` of a server: a client's would draw a key for each.
pub(crate) struct Head(FrameWriter);

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self(FrameWriter::new(Role::Server))
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, _: Option<[u8; 4]>, out: &mut BytesMut) {
        out.extend_from_slice(self.0.build_header(0x82, payload_len).0.as_bytes());
    }
}

fn server(read_len: usize) -> FrameReader {
    FrameReader::builder()
        .role(Role::Server)
        .buffer_capacity(read_len)
        .max_frame_size(MESSAGE_LEN_MAX as u64)
        .max_message_size(MESSAGE_LEN_MAX)
        .build()
}

/// `FrameReader`.
pub(crate) struct Receiving {
    stream: MemoryStream,
    reader: FrameReader,
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, read_len: usize) -> Self {
        Self { stream, reader: server(read_len) }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            match self.reader.next().expect("no fault") {
                Some(Message::Text(text)) => sink.message(Kind::Text, text.as_bytes()),
                Some(Message::Binary(data)) => sink.message(Kind::Binary, data),
                Some(_) => {}
                None => {
                    self.reader.read_from(&mut self.stream).expect("room");
                    continue;
                }
            }
            left -= 1;
        }
    }
}

/// `FrameWriter` into one buffer for all messages.
pub(crate) struct Sending {
    stream: MemoryStream,
    writer: FrameWriter,
    out: Vec<u8>,
}

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        Self { stream, writer: FrameWriter::new(role), out: Vec::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        let mut len = 0;
        for message in messages {
            let end = len + self.writer.max_encoded_len(message.len());
            if self.out.len() < end {
                self.out.resize(end * 2, 0);
            }
            len += self.writer.encode_binary(message, &mut self.out[len..]);
        }
        self.stream.put(&self.out[..len]);
    }
}

/// Reader and writer, one buffer of replies a read.
pub(crate) struct Echoing {
    stream: MemoryStream,
    reader: FrameReader,
    writer: FrameWriter,
    out: Vec<u8>,
}

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        let writer = FrameWriter::new(Role::Server);
        Self { stream, reader: server(READ_LEN), writer, out: Vec::new() }
    }

    fn echo(&mut self, messages: u64) {
        let (mut left, mut len) = (messages, 0);
        while left > 0 {
            let Some(message) = self.reader.next().expect("no fault") else {
                self.stream.put(&self.out[..len]);
                len = 0;
                self.reader.read_from(&mut self.stream).expect("room");
                continue;
            };
            let (Message::Binary(data), writer) = (message, &mut self.writer) else { continue };
            let end = len + writer.max_encoded_len(data.len());
            if self.out.len() < end {
                self.out.resize(end * 2, 0);
            }
            len += writer.encode_binary(data, &mut self.out[len..]);
            left -= 1;
        }
        self.stream.put(&self.out[..len]);
    }
}

/// `Client::accept`.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(stream: MemoryStream) {
        Client::accept(stream).expect("accepted");
    }
}
