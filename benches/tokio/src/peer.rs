//! The servers that are compared: each echoes on a stream whose opening handshake is done, in the
//! loop that its documentation shows.
//!
//! Compression, keep-alive and times are off in all of them, and no limit on sizes is met.

use std::io;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More than any message.
const MESSAGE_LEN_MAX: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The subject.
    Wscodec,
    /// The subject through its two halves, in one task.
    WscodecSplit,
    TokioTungstenite,
    TokioWebsockets,
    Fastwebsockets,
    Yawc,
    SockudoWs,
    /// Sends back as many bytes as it has read, without a WebSocket: what tokio and TCP take.
    Tcp,
}

impl Peer {
    pub(crate) const ALL: [Self; 8] = [
        Self::Wscodec,
        Self::WscodecSplit,
        Self::TokioTungstenite,
        Self::TokioWebsockets,
        Self::Fastwebsockets,
        Self::Yawc,
        Self::SockudoWs,
        Self::Tcp,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wscodec => "wscodec-tokio",
            Self::WscodecSplit => "wscodec-tokio, split",
            Self::TokioTungstenite => "tokio-tungstenite",
            Self::TokioWebsockets => "tokio-websockets",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Yawc => "yawc",
            Self::SockudoWs => "sockudo-ws",
            Self::Tcp => "TCP alone",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// Sends every message back, in a task of its own, until the connection is over.
    pub(crate) fn spawn(self, stream: TcpStream) {
        match self {
            Self::Wscodec => drop(tokio::spawn(wscodec(stream))),
            Self::WscodecSplit => drop(tokio::spawn(wscodec_split(stream))),
            Self::TokioTungstenite => drop(tokio::spawn(tokio_tungstenite(stream))),
            Self::TokioWebsockets => drop(tokio::spawn(tokio_websockets(stream))),
            Self::Fastwebsockets => drop(tokio::spawn(fastwebsockets(stream))),
            Self::Yawc => drop(tokio::spawn(yawc(stream))),
            Self::SockudoWs => drop(tokio::spawn(sockudo_ws(stream))),
            Self::Tcp => drop(tokio::spawn(tcp(stream))),
        }
    }
}

fn opened(stream: TcpStream) -> wscodec_tokio::WebSocketStream<TcpStream> {
    use wscodec_tokio::wscodec::{ConnectionBuilder, Limits};

    let limits = Limits::default()
        .with_frame_size_max(MESSAGE_LEN_MAX as u64)
        .with_message_size_max(MESSAGE_LEN_MAX);
    let connection = ConnectionBuilder::server().limits(limits).open();
    let config = wscodec_tokio::Config::default();
    wscodec_tokio::WebSocketStream::from_connection(stream, connection, BytesMut::new(), &config)
}

async fn wscodec(stream: TcpStream) -> Option<()> {
    let mut socket = opened(stream);
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}

async fn wscodec_split(stream: TcpStream) -> Option<()> {
    let (mut reader, writer) = opened(stream).split_with(TcpStream::into_split);
    while let Some(message) = reader.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            writer.send(message).await.ok()?;
        }
    }
    Some(())
}

async fn tokio_tungstenite(stream: TcpStream) -> Option<()> {
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

    let config = WebSocketConfig::default()
        .max_frame_size(Some(MESSAGE_LEN_MAX))
        .max_message_size(Some(MESSAGE_LEN_MAX));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}

async fn tokio_websockets(stream: TcpStream) -> Option<()> {
    use tokio_websockets::{Config, Limits, ServerBuilder};

    // One frame a message, as the others send.
    let config = Config::default().frame_size(usize::MAX);
    let mut socket = ServerBuilder::new().config(config).limits(Limits::unlimited()).serve(stream);
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}

async fn fastwebsockets(stream: TcpStream) -> Option<()> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_max_message_size(MESSAGE_LEN_MAX);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await.ok()?;
        match frame.opcode {
            OpCode::Close => return Some(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await.ok()?,
            _ => {}
        }
    }
}

async fn yawc(stream: TcpStream) -> Option<()> {
    use yawc::{Frame, OpCode, Options, Role, WebSocket};

    let options = Options::default().with_limits(MESSAGE_LEN_MAX, 2 * MESSAGE_LEN_MAX);
    let mut socket = WebSocket::from_stream(stream, Role::Server, options).ok()?;
    while let Some(frame) = socket.next().await {
        let (opcode, _, payload) = frame.into_parts();
        let answer = match opcode {
            OpCode::Text => Frame::text(payload),
            OpCode::Binary => Frame::binary(payload),
            _ => continue,
        };
        socket.send(answer).await.ok()?;
    }
    Some(())
}

async fn sockudo_ws(stream: TcpStream) -> Option<()> {
    use sockudo_ws::{Config, Message, WebSocketStream};

    let config = Config::builder()
        .max_message_size(MESSAGE_LEN_MAX)
        .max_frame_size(MESSAGE_LEN_MAX)
        .idle_timeout(0)
        .auto_ping(false)
        .build();
    let mut socket = WebSocketStream::server(stream, config);
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}

/// The client's header is longer than a server's by the key, which is left out.
async fn tcp(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        stream.readable().await?;
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(buffer.get(..len).unwrap_or_default()).await?;
    }
}
