//! One end of a compressed connection, by each of the contestants: messages to bytes, and bytes to
//! messages, in memory.
//!
//! All are on zlib-rs, with the same level and windows of 32 KiB. Servers don't mask, so masking
//! plays no part.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use sockudo_ws::{
    CompressedProtocol, DeflateConfig, Message as SockudoMessage, protocol::Protocol,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec::deflate::{ContextTakeover, Deflate, DeflateAgreed, DeflateClient, DeflateLevel};
use wscodec::deflate::{DeflateServer, WindowBits};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::{Connection, ConnectionBuilder, Event, Message, Role};
use yawc::{CompressionLevel, DeflatePool, Frame, Options, WebSocket};

/// The level of all: zlib's default.
pub const LEVEL: u8 = 6;
const MESSAGE_LEN_MAX: usize = 64 << 20;

/// Whether both sides keep their windows between messages, or nothing is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `permessage-deflate`.
    Takeover,
    /// `permessage-deflate; server_no_context_takeover; client_no_context_takeover`.
    NoTakeover,
    /// No extension.
    Plain,
}

impl Mode {
    /// As tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Takeover => "context takeover",
            Self::NoTakeover => "no context takeover",
            Self::Plain => "no compression",
        }
    }
}

/// An end of a connection.
pub trait Side {
    /// Appends a text message to `out`.
    fn send(&mut self, message: &str, out: &mut Vec<u8>);
    /// Takes `wire`, and hands out the text messages in it.
    fn receive(&mut self, wire: &[u8], take: &mut dyn FnMut(&[u8]));
    /// Drops the buffers that are this program's and not the connection's.
    fn trim(&mut self);
}

/// Who takes part.
pub const NAMES: [&str; 4] = ["wscodec", "wscodec, level 4", "yawc", "sockudo-ws"];

/// An end by its contestant's name.
///
/// # Panics
/// If there is no such contestant.
#[must_use]
pub fn side(name: &str, role: Role, mode: Mode) -> Box<dyn Side> {
    match name {
        "wscodec" => Box::new(Wscodec::new(role, mode, LEVEL)),
        "wscodec, level 4" => Box::new(Wscodec::new(role, mode, 4)),
        "yawc" => Box::new(Yawc::new(role, mode, None)),
        "yawc, pooled" => Box::new(Yawc::new(role, mode, Some(POOL.with(Clone::clone)))),
        "sockudo-ws" => Box::new(Sockudo::new(role, mode)),
        other => panic!("{other} takes no part"),
    }
}

struct Wscodec {
    connection: Connection,
    /// What is received is unmasked in place.
    input: Vec<u8>,
}

impl Wscodec {
    fn new(role: Role, mode: Mode, level: u8) -> Self {
        let agreed = (mode != Mode::Plain).then(|| agreed(role, mode, level));
        let connection = ConnectionBuilder::new(role).extension(agreed.as_ref()).open();
        Self { connection, input: Vec::new() }
    }
}

/// What comes of a handshake in memory.
fn agreed(role: Role, mode: Mode, level: u8) -> DeflateAgreed {
    let context = match mode {
        Mode::NoTakeover => ContextTakeover::Off,
        Mode::Takeover | Mode::Plain => ContextTakeover::Allowed,
    };
    let wanted = Deflate::client()
        .with_level(DeflateLevel::new(level).unwrap_or_default())
        .with_server_context(context)
        .with_client_context(context)
        .with_client_max_window_bits(Some(WindowBits::MAX));
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("localhost", "/").expect("a good request");
    let mut client = ClientHandshake::start_with_extensions(
        &request,
        HandshakeKey::random(),
        DeflateClient::new(wanted),
        &mut to_server,
    )
    .expect("a good request");
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    handshake.receive(&mut &mut to_server[..]).expect("a good request");
    let mut server = DeflateServer::new(wanted);
    handshake
        .accept_with_extensions(&Acceptance::new(), &mut server, &mut to_client)
        .expect("accepted");
    client.receive(&mut &mut to_client[..]).expect("a good response");
    let agreed = match role {
        Role::Client => client.extensions().agreed().copied(),
        Role::Server => server.agreed().copied(),
    };
    agreed.expect("agreed")
}

impl Side for Wscodec {
    fn send(&mut self, message: &str, out: &mut Vec<u8>) {
        self.connection.send(Message::Text(message), out).expect("sent");
    }

    fn receive(&mut self, wire: &[u8], take: &mut dyn FnMut(&[u8])) {
        self.input.clear();
        self.input.extend_from_slice(wire);
        let mut input = &mut self.input[..];
        let mut replies = Vec::new();
        while let Some(event) = self.connection.receive(&mut input, &mut replies).expect("good") {
            if let Event::Text(text) = event {
                take(text.as_bytes());
            }
        }
    }

    fn trim(&mut self) {
        self.input = Vec::new();
    }
}

/// A stream in memory: what was put in is read, what is written is taken out.
#[derive(Clone, Debug, Default)]
struct Memory(Rc<RefCell<Buffers>>);

#[derive(Debug, Default)]
struct Buffers {
    input: Vec<u8>,
    read: usize,
    output: Vec<u8>,
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut buffers = self.0.borrow_mut();
        let rest = &buffers.input[buffers.read..];
        if rest.is_empty() {
            return Poll::Pending;
        }
        let len = rest.len().min(out.remaining());
        out.put_slice(&rest[..len]);
        buffers.read += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    /// As large as wscodec's own.
    static POOL: DeflatePool = DeflatePool::new(8);
}

struct Yawc {
    memory: Memory,
    socket: WebSocket<Memory>,
}

impl Yawc {
    fn new(role: Role, mode: Mode, pool: Option<DeflatePool>) -> Self {
        let extensions = match mode {
            Mode::Takeover => Some("permessage-deflate"),
            Mode::NoTakeover => {
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            }
            Mode::Plain => None,
        };
        let role = match role {
            Role::Client => yawc::Role::Client,
            Role::Server => yawc::Role::Server,
        };
        let options = Options::default().with_utf8().with_limits(MESSAGE_LEN_MAX, MESSAGE_LEN_MAX);
        let options = match mode {
            Mode::Plain => options.without_compression(),
            _ => options.with_compression_level(CompressionLevel::new(u32::from(LEVEL))),
        };
        let options = match pool {
            Some(pool) => options.with_deflate_pool(pool),
            None => options,
        };
        let memory = Memory::default();
        let socket =
            WebSocket::from_stream_with_extensions(memory.clone(), role, extensions, options)
                .expect("good options");
        Self { memory, socket }
    }
}

/// The first poll, which has to do: memory is always ready.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory is always ready"),
    }
}

impl Side for Yawc {
    fn send(&mut self, message: &str, out: &mut Vec<u8>) {
        let frame = Frame::text(Bytes::copy_from_slice(message.as_bytes()));
        let socket = &mut self.socket;
        now(std::future::poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx))).expect("ready");
        Pin::new(&mut *socket).start_send(frame).expect("sent");
        now(std::future::poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx))).expect("flushed");
        let mut buffers = self.memory.0.borrow_mut();
        out.extend_from_slice(&buffers.output);
        buffers.output.clear();
    }

    fn receive(&mut self, wire: &[u8], take: &mut dyn FnMut(&[u8])) {
        {
            let mut buffers = self.memory.0.borrow_mut();
            buffers.read = 0;
            buffers.input.clear();
            buffers.input.extend_from_slice(wire);
        }
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(frame) = Pin::new(&mut self.socket).poll_next(&mut cx) {
            take(frame.expect("a good frame").payload());
        }
    }

    fn trim(&mut self) {
        *self.memory.0.borrow_mut() = Buffers::default();
    }
}

#[expect(clippy::large_enum_variant, reason = "each stands in a box of its own")]
enum Sockudo {
    Plain(Protocol, BytesMut),
    Compressed(CompressedProtocol, BytesMut, Vec<SockudoMessage>),
}

impl Sockudo {
    fn new(role: Role, mode: Mode) -> Self {
        let is_off = mode == Mode::NoTakeover;
        let config = DeflateConfig {
            server_no_context_takeover: is_off,
            client_no_context_takeover: is_off,
            compression_level: u32::from(LEVEL),
            ..DeflateConfig::default()
        };
        match (mode, role) {
            (Mode::Plain, role) => {
                let role = match role {
                    Role::Client => sockudo_ws::Role::Client,
                    Role::Server => sockudo_ws::Role::Server,
                };
                let protocol = Protocol::new(role, MESSAGE_LEN_MAX, MESSAGE_LEN_MAX);
                Self::Plain(protocol, BytesMut::new())
            }
            (_, Role::Client) => Self::Compressed(
                CompressedProtocol::client(MESSAGE_LEN_MAX, MESSAGE_LEN_MAX, config),
                BytesMut::new(),
                Vec::new(),
            ),
            (_, Role::Server) => Self::Compressed(
                CompressedProtocol::server(MESSAGE_LEN_MAX, MESSAGE_LEN_MAX, config),
                BytesMut::new(),
                Vec::new(),
            ),
        }
    }
}

impl Side for Sockudo {
    fn send(&mut self, message: &str, out: &mut Vec<u8>) {
        let message = SockudoMessage::Text(Bytes::copy_from_slice(message.as_bytes()));
        let buffer = match self {
            Self::Plain(protocol, buffer) => {
                protocol.encode_message(&message, buffer).expect("sent");
                buffer
            }
            Self::Compressed(protocol, buffer, _) => {
                protocol.encode_message(&message, buffer).expect("sent");
                buffer
            }
        };
        out.extend_from_slice(buffer);
        buffer.clear();
    }

    fn receive(&mut self, wire: &[u8], take: &mut dyn FnMut(&[u8])) {
        let mut input = BytesMut::from(wire);
        let mut messages = Vec::new();
        match self {
            Self::Plain(protocol, _) => protocol.process_into(&mut input, &mut messages),
            Self::Compressed(protocol, _, kept) => {
                messages = std::mem::take(kept);
                protocol.process_into(&mut input, &mut messages)
            }
        }
        .expect("good frames");
        for message in &messages {
            if let SockudoMessage::Text(text) = message {
                take(text);
            }
        }
        messages.clear();
        if let Self::Compressed(_, _, kept) = self {
            *kept = messages;
        }
    }

    fn trim(&mut self) {
        match self {
            Self::Plain(_, buffer) => *buffer = BytesMut::new(),
            Self::Compressed(_, buffer, kept) => {
                (*buffer, *kept) = (BytesMut::new(), Vec::new());
            }
        }
    }
}

/// JSON as a chat sends it, of `len` bytes: different each time, and much the same.
#[must_use]
pub fn chat(number: u64, len: usize) -> String {
    const WORDS: [&str; 16] = [
        "hello", "there", "how", "are", "you", "today", "meeting", "noon", "thanks", "ship", "it",
        "later", "maybe", "review", "the", "change",
    ];
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    };
    let mut text = String::from("[");
    while text.len() < len - 1 {
        if text.len() > 1 {
            text.push(',');
        }
        let (id, user) = (1_000_000 + random() % 1_000_000, random() % 500);
        let head = format!(
            r#"{{"type":"message","room":"general","id":{id},"user":"user{user}","text":""#
        );
        text.push_str(&head);
        for _ in 0..12 + random() % 12 {
            text.push_str(WORDS[usize::try_from(random() % 16).unwrap_or(0)]);
            text.push(' ');
        }
        text.push_str("\"}");
    }
    text.truncate(len - 1);
    text.push(']');
    text
}
