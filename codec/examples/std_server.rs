//! An echo server on blocking sockets, a thread a connection.
//!
//! ```text
//! cargo run -p wscodec --example std_server -- 127.0.0.1:9001
//! ```

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use wscodec::sync::{Error, WebSocket};
use wscodec::{Event, Message};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(|| {
            if let Err(error) = serve(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut socket = WebSocket::accept(stream)?;
    while let Some(event) = socket.next()? {
        match event {
            Event::Text(text) => {
                let text = text.to_owned();
                socket.send(Message::Text(&text))?;
            }
            Event::Binary(bytes) => {
                let bytes = bytes.to_vec();
                socket.send(Message::Binary(&bytes))?;
            }
            _ => {} // Pings and Closes are answered
        }
    }
    Ok(()) // both Closes have gone by: dropping the stream closes it
}
