//! An echo server on another crate, on one thread: `echo CRATE` prints its port and serves.

use std::error::Error;
use std::io;

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

type Outcome = Result<(), Box<dyn Error>>;

/// The request's head, at most.
const HEAD_SIZE_MAX: usize = 8 << 10;
const PEERS: &str = "fastwebsockets | tokio-tungstenite | tokio-websockets | wscodec-tokio";

fn main() -> Outcome {
    let peer = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            match peer.as_str() {
                "fastwebsockets" => drop(tokio::task::spawn_local(fastwebsockets(stream))),
                "tokio-tungstenite" => drop(tokio::task::spawn_local(tungstenite(stream))),
                "tokio-websockets" => drop(tokio::task::spawn_local(websockets(stream))),
                "wscodec-tokio" => drop(tokio::task::spawn_local(wscodec(stream))),
                _ => return Err(format!("echo {PEERS}").into()),
            }
        }
    })
}

/// A connection's errors are its own: the client has gone, or will notice.
async fn fastwebsockets(mut stream: TcpStream) {
    if upgrade(&mut stream).await.is_err() {
        return;
    }
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    while let Ok(frame) = socket.read_frame().await {
        let is_data = matches!(frame.opcode, OpCode::Text | OpCode::Binary);
        if frame.opcode == OpCode::Close || is_data && socket.write_frame(frame).await.is_err() {
            return;
        }
    }
}

async fn tungstenite(stream: TcpStream) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn websockets(stream: TcpStream) {
    let accepted = tokio_websockets::ServerBuilder::new().accept(stream).await;
    let Ok((_, mut socket)) = accepted else { return };
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn wscodec(stream: TcpStream) {
    let Ok(mut socket) = wscodec_tokio::accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The opening handshake, for the crate that leaves it to an HTTP server.
async fn upgrade(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_SIZE_MAX || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await
}
