//! An echo server on tungstenite, a thread a connection, which closes with 4000 when it is told
//! `close`. Prints the port that it was given.
//!
//! A package of its own, so that loadgen's own tests don't build tungstenite.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::Builder::new().stack_size(256 << 10).spawn(|| echo(stream))?;
    }
    Ok(())
}

/// Echoes until the client closes or breaks something, which is the client's matter.
fn echo(stream: TcpStream) {
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let sent = match message {
            Message::Text(text) if text.as_str() == "close" => {
                socket.close(Some(CloseFrame { code: 4000.into(), reason: "as asked".into() }))
            }
            Message::Text(_) | Message::Binary(_) => socket.send(message),
            _ => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
