//! wscodec, through the calls that a user makes.

use bytes::{Bytes, BytesMut};
use wscodec::handshake::{Acceptance, HandshakeLimits, ServerHandshake};
use wscodec::header::{FrameHeader, HEADER_LEN_MAX, HeaderRules, Opcode, Parsed};
use wscodec::mask::{self, MaskKey};
use wscodec::{Config, Connection, Event, Limits, Message, Role};

use super::{
    Acceptor, Decoder, Echo, Encoder, HeaderEncoder, HeaderParser, MESSAGE_LEN_MAX, Masker,
    READ_LEN,
};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "wscodec";

/// `mask::apply`.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        mask::apply(MaskKey::new(key), payload, 0);
    }
}

/// `FrameHeader::parse` and `encode`.
pub(crate) struct Head(HeaderRules);

impl HeaderParser for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self(HeaderRules::for_receiver(Role::Server, &Limits::default()))
    }

    #[inline]
    fn parse(&self, bytes: &[u8]) -> (u64, usize) {
        match FrameHeader::parse(bytes, &self.0) {
            Ok(Parsed::Complete { header, header_len }) => (header.payload_len(), header_len),
            _ => (0, 0),
        }
    }
}

impl HeaderEncoder for Head {
    const NAME: &'static str = NAME;

    fn new() -> Self {
        Self(HeaderRules::for_receiver(Role::Server, &Limits::default()))
    }

    #[inline]
    fn encode(&mut self, payload_len: usize, key: Option<[u8; 4]>, out: &mut BytesMut) {
        let header = FrameHeader::new(Opcode::Binary, payload_len as u64).expect("a data frame");
        let header = header.with_mask(key.map(MaskKey::new));
        out.extend_from_slice(header.encode().as_bytes());
    }
}

pub(super) fn server() -> Connection {
    let limits = Limits::default()
        .with_frame_size_max(MESSAGE_LEN_MAX as u64)
        .with_message_size_max(MESSAGE_LEN_MAX);
    Connection::new(Role::Server, Config::default().with_limits(limits))
}

/// `Connection::receive` over a buffer of the caller's.
pub(crate) struct Receiving {
    stream: MemoryStream,
    connection: Connection,
    buf: Vec<u8>,
    out: Vec<u8>,
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, read_len: usize) -> Self {
        Self { stream, connection: server(), buf: vec![0; read_len], out: Vec::new() }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            let len = self.stream.fill(&mut self.buf);
            let mut input = &mut self.buf[..len];
            loop {
                match self.connection.receive(&mut input, &mut self.out).expect("no fault") {
                    Some(Event::Text(text)) => sink.message(Kind::Text, text.as_bytes()),
                    Some(Event::Binary(data)) => sink.message(Kind::Binary, data),
                    Some(_) => continue,
                    None => break,
                }
                left -= 1;
            }
        }
    }
}

/// `Connection::send` into one buffer for all messages.
pub(crate) struct Sending {
    stream: MemoryStream,
    connection: Connection,
    out: Vec<u8>,
}

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        let connection = Connection::new(role, Config::default());
        Self { stream, connection, out: Vec::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        self.out.clear();
        for message in messages {
            self.connection.send(Message::Binary(message), &mut self.out).expect("sent");
        }
        self.stream.put(&self.out);
    }
}

/// `Connection::send` into memory that is there already, as nexus-web's writer has it.
pub(crate) struct SendingToSlice {
    stream: MemoryStream,
    connection: Connection,
    out: Vec<u8>,
}

impl Encoder for SendingToSlice {
    const NAME: &'static str = "wscodec, into a slice";

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let Sending { stream, connection, out } = Sending::new(stream, sender);
        Self { stream, connection, out }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        let len_max = messages.iter().map(|message| message.len() + HEADER_LEN_MAX).sum();
        if self.out.len() < len_max {
            self.out.resize(len_max, 0);
        }
        let mut rest = &mut self.out[..];
        for message in messages {
            self.connection.send(Message::Binary(message), &mut rest).expect("sent");
        }
        let left = rest.len();
        self.stream.put(&self.out[..self.out.len() - left]);
    }
}

/// `FrameHeader::encode`, and the payload as it is, for a vectored write: for servers, who don't
/// mask.
pub(crate) struct SendingVectored {
    stream: MemoryStream,
}

impl Encoder for SendingVectored {
    const NAME: &'static str = "wscodec, vectored";

    fn new(stream: MemoryStream, _: Sender) -> Self {
        Self { stream }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            let header = FrameHeader::new(Opcode::Binary, message.len() as u64);
            self.stream.put(header.expect("a data frame").encode().as_bytes());
            self.stream.put(message);
        }
    }
}

/// `Connection::receive_with_sender`, one buffer of replies a read.
pub(crate) struct Echoing {
    stream: MemoryStream,
    connection: Connection,
    buf: Vec<u8>,
    out: Vec<u8>,
}

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self { stream, connection: server(), buf: vec![0; READ_LEN], out: Vec::new() }
    }

    fn echo(&mut self, messages: u64) {
        let mut left = messages;
        while left > 0 {
            let len = self.stream.fill(&mut self.buf);
            let mut input = &mut self.buf[..len];
            while let Some((event, sender)) =
                self.connection.receive_with_sender(&mut input, &mut self.out).expect("no fault")
            {
                let Event::Binary(data) = event else { continue };
                sender.send(Message::Binary(data), &mut self.out).expect("sent");
                left -= 1;
            }
            self.stream.put(&self.out);
            self.out.clear();
        }
    }
}

/// `ServerHandshake` and a fresh `Connection`, over a buffer as of a worker thread, on the stack.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(mut stream: MemoryStream) {
        let (mut buf, mut out) = ([0; 4096], Vec::new());
        let len = stream.fill(&mut buf);
        let mut handshake = ServerHandshake::new(HandshakeLimits::default());
        let request = handshake.receive(&mut &mut buf[..len]).expect("a request");
        assert!(request.is_some(), "all of it was read");
        handshake.accept(&Acceptance::default(), &mut out).expect("accepted");
        stream.put(&out);
        std::hint::black_box(&server());
    }
}
