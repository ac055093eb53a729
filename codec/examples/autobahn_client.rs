//! A blocking client on the codec, driven by an Autobahn fuzzing server: every message goes back as
//! it came, compressed where the server takes the offer.
//!
//! ```text
//! cargo run --release -p wscodec --features deflate --example autobahn_client -- 127.0.0.1:9001
//! ```
//!
//! The whole of what a client needs is in `Client`: a socket, a read buffer, and the codec between
//! them.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use wscodec::deflate::{ContextTakeover, Deflate, DeflateClient};
use wscodec::handshake::{ClientHandshake, ClientRequest, HandshakeKey};
use wscodec::{Connection, ConnectionBuilder, Event, Message, Sender};

const AGENT: &str = "wscodec";

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: autobahn_client HOST:PORT")?;
    let mut count = String::new();
    Client::open(&address, "/getCaseCount")?.run(|text| text.clone_into(&mut count))?;
    for case in 1..=count.parse::<u32>()? {
        let target = format!("/runCase?case={case}&agent={AGENT}");
        // How a case ends is the server's to judge.
        Client::open(&address, &target)?.echo().ok();
    }
    Client::open(&address, &format!("/updateReports?agent={AGENT}"))?.echo().ok();
    println!("{count} cases");
    Ok(())
}

struct Client {
    stream: TcpStream,
    connection: Connection,
    /// What is read into; `unread` bytes of it came with the response and are frames.
    buffer: Vec<u8>,
    unread: std::ops::Range<usize>,
}

impl Client {
    /// Connects and goes through the opening handshake.
    fn open(address: &str, target: &str) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut out = Vec::new();
        let request = ClientRequest::new(address, target)?;
        // The second is for servers that want no context takeover from clients, and wait for an offer of it.
        let plain = Deflate::client();
        let offers = DeflateClient::new(plain).or(plain.with_client_context(ContextTakeover::Off));
        let mut handshake = ClientHandshake::start_with_extensions(
            &request,
            HandshakeKey::random(),
            offers,
            &mut out,
        )?;
        stream.write_all(&out)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let len = stream.read(&mut buffer)?;
            if len == 0 {
                handshake.receive_eof()?;
            }
            let mut input = buffer.get_mut(..len).unwrap_or_default();
            if handshake.receive(&mut input)?.is_some() {
                let unread = len - input.len()..len;
                let deflate = handshake.into_extensions();
                let connection = ConnectionBuilder::client().extension(deflate.agreed()).open();
                return Ok(Self { stream, connection, buffer, unread });
            }
        }
    }

    /// Hands every text to `on_text` until the connection is closed; binary messages are dropped.
    fn run(mut self, mut on_text: impl FnMut(&str)) -> Result<(), Box<dyn Error>> {
        self.drive(|event, _, _| {
            if let Event::Text(text) = event {
                on_text(text);
            }
        })
    }

    /// Sends every message back until the connection is closed.
    fn echo(mut self) -> Result<(), Box<dyn Error>> {
        self.drive(|event, sender, out| {
            let message = match event {
                Event::Text(text) => Message::Text(text),
                Event::Binary(bytes) => Message::Binary(bytes),
                _ => return,
            };
            sender.send(message, out).ok(); // refused only once a Close has been sent
        })
    }

    /// Reads, lets `answer` answer, and writes, until the server has ended the stream.
    fn drive(
        &mut self,
        mut answer: impl FnMut(Event<'_>, &mut Sender, &mut Vec<u8>),
    ) -> Result<(), Box<dyn Error>> {
        let mut out = Vec::new();
        let mut outcome = Ok(());
        loop {
            let mut input = self.buffer.get_mut(self.unread.clone()).unwrap_or_default();
            while outcome.is_ok() {
                match self.connection.receive_with_sender(&mut input, &mut out) {
                    Ok(Some((event, sender))) => answer(event, sender, &mut out),
                    Ok(None) => break,
                    Err(error) => outcome = Err(error.into()),
                }
            }
            let len = match self.exchange(&out, outcome.is_err()) {
                // Closed cleanly (7.1.4): a server that resets what is left of the stream takes
                // nothing away.
                Err(error) if self.connection.is_clean() && is_reset(&error) => 0,
                len => len?,
            };
            out.clear();
            self.unread = 0..len;
            if len == 0 {
                return outcome.and(self.connection.receive_eof().map_err(Into::into));
            }
        }
    }

    /// Writes what there is to write, and reads into the buffer.
    fn exchange(&mut self, out: &[u8], has_failed: bool) -> io::Result<usize> {
        if !out.is_empty() {
            self.stream.write_all(out)?;
            // A client leaves the end of the stream to the server (RFC 6455, 7.1.1), but not
            // after a failure (7.1.7).
            if has_failed {
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        self.stream.read(&mut self.buffer)
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use wscodec::handshake::{Acceptance, HandshakeLimits, ServerHandshake};

    use super::*;

    /// Serves one client: sends `wire` after the handshake, and resets the connection once `unread`
    /// bytes have come, by closing a socket that has them unread.
    fn serve_and_reset(wire: Vec<u8>, unread: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut handshake = ServerHandshake::new(HandshakeLimits::default());
            while handshake.request().is_none() {
                let mut buffer = [0; 1 << 10];
                let len = stream.read(&mut buffer).unwrap();
                handshake.receive(&mut &mut buffer[..len]).unwrap();
            }
            let mut out = Vec::new();
            handshake.accept(&Acceptance::new(), &mut out).unwrap();
            out.extend(wire);
            stream.write_all(&out).unwrap();
            while stream.peek(&mut vec![0; unread]).unwrap() < unread {}
        });
        address
    }

    /// What the client reads before the reset, and how it ended.
    fn run(closes: bool, unread: usize) -> (String, Result<(), Box<dyn Error>>) {
        let (mut wire, mut server) = (Vec::new(), ConnectionBuilder::server().open());
        server.send(Message::Text("246"), &mut wire).unwrap();
        server.send(Message::Ping(b"?"), &mut wire).unwrap();
        if closes {
            server.close(None, &mut wire).unwrap();
        }
        let address = serve_and_reset(wire, unread).to_string();
        let mut text = String::new();
        let client = Client::open(&address, "/getCaseCount").unwrap();
        let outcome = client.run(|received| received.clone_into(&mut text));
        (text, outcome)
    }

    #[test]
    fn a_reset_after_both_closes_is_the_end() {
        let (pong, close) = (7, 6);
        let (text, outcome) = run(true, pong + close);
        assert_eq!(text, "246");
        outcome.unwrap();
    }

    #[test]
    fn a_reset_before_a_close_is_an_error() {
        let (text, outcome) = run(false, 7);
        assert_eq!(text, "246");
        let error = outcome.unwrap_err().downcast::<io::Error>().unwrap();
        assert!(is_reset(&error), "{error}");
    }
}
