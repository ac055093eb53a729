//! An echo server on mio (epoll, kqueue): one thread, one read buffer, any number of connections.
//!
//! ```text
//! cargo run -p wscodec --example mio_server -- 127.0.0.1:9001
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use wscodec::handshake::{Acceptance, HandshakeLimits, Rejection, ServerHandshake};
use wscodec::{Connection, ConnectionBuilder, Event, Message, ReadyState};

const LISTENER: Token = Token(0);
/// Above this many bytes that the socket has not taken, nothing is read.
const QUEUED_LEN_MAX: usize = 256 << 10;

struct Session {
    stream: TcpStream,
    state: State,
    /// What the socket has not taken.
    out: Vec<u8>,
    /// Whether the connection ends once `out` is written.
    is_ending: bool,
}

enum State {
    Opening(Box<ServerHandshake>),
    Open(Box<Connection>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let mut listener = TcpListener::bind(address.parse()?)?;
    println!("{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut sessions = HashMap::new();
    let (mut next, mut events) = (1, Events::with_capacity(256));
    let mut buffer = vec![0; 64 << 10];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(next), interest)?;
                    sessions.insert(Token(next), Session::new(stream));
                    next += 1;
                }
                continue;
            }
            let Some(session) = sessions.get_mut(&event.token()) else { continue };
            // Events come once a change, so each is met until the socket has no more to give or take.
            if !session.advance(&mut buffer).unwrap_or(false) {
                sessions.remove(&event.token());
            }
        }
    }
}

impl Session {
    fn new(stream: TcpStream) -> Self {
        let handshake = Box::new(ServerHandshake::new(HandshakeLimits::default()));
        Self { stream, state: State::Opening(handshake), out: Vec::new(), is_ending: false }
    }

    /// Reads and writes as far as the socket goes along; returns whether the connection goes on.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            if !self.write()? {
                return Ok(true); // an event comes once there is room again
            }
            if self.is_ending {
                return Ok(false);
            }
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(len) => self.take(buffer.get_mut(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what waits; returns whether so little is left that more may be read.
    fn write(&mut self) -> io::Result<bool> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(len) => drop(self.out.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(self.out.len() <= QUEUED_LEN_MAX && !self.is_ending);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes all that was read.
    fn take(&mut self, mut input: &mut [u8]) {
        if let State::Opening(handshake) = &mut self.state {
            match handshake.receive(&mut input) {
                Ok(None) => return,
                Ok(Some(_)) => {
                    self.is_ending = handshake.accept(&Acceptance::new(), &mut self.out).is_err();
                    self.state = State::Open(Box::new(ConnectionBuilder::server().open()));
                }
                Err(error) => {
                    handshake.reject(Rejection::from(error), &mut self.out).ok();
                    self.is_ending = true;
                    return;
                }
            }
        }
        // What follows the head are frames already.
        let State::Open(connection) = &mut self.state else { return };
        loop {
            let message = match connection.receive_with_sender(&mut input, &mut self.out) {
                Ok(Some((Event::Text(text), sender))) => (sender, Message::Text(text)),
                Ok(Some((Event::Binary(bytes), sender))) => (sender, Message::Binary(bytes)),
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(_) => {
                    self.is_ending = true; // after the Close that says why
                    return;
                }
            };
            message.0.send(message.1, &mut self.out).ok(); // refused only after a Close
        }
        self.is_ending = connection.ready_state() == ReadyState::Closed;
    }
}
