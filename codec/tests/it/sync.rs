//! Blocking streams: both ends joined by pipes in memory, reads and writes of any size, and streams
//! that give up for a while.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use wscodec::handshake::{Acceptance, ClientRequest, HandshakeError, Rejection, ResponseError};
use wscodec::sync::{Error, WebSocket};
use wscodec::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, ProtocolError, ReadyState, Role,
    SendError,
};

/// One end of a pipe, whose reads and writes are of `len_max` bytes at most.
#[derive(Debug)]
struct Pipe {
    to: Option<Sender<Vec<u8>>>,
    from: Receiver<Vec<u8>>,
    read: VecDeque<u8>,
    len_max: usize,
    /// How many calls are refused before one goes through.
    refusals: usize,
    refused: usize,
}

fn pipe(len_max: usize, refusals: usize) -> (Pipe, Pipe) {
    let (to_b, from_a) = channel();
    let (to_a, from_b) = channel();
    let end = |to, from| Pipe {
        to: Some(to),
        from,
        read: VecDeque::new(),
        len_max,
        refusals,
        refused: 0,
    };
    (end(to_b, from_b), end(to_a, from_a))
}

impl Pipe {
    fn refuse(&mut self, kind: io::ErrorKind) -> io::Result<()> {
        if self.refused < self.refusals {
            self.refused += 1;
            return Err(kind.into());
        }
        self.refused = 0;
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.refuse(io::ErrorKind::Interrupted)?;
        if self.read.is_empty() {
            match self.from.recv() {
                Ok(bytes) => self.read.extend(bytes),
                Err(_) => return Ok(0),
            }
        }
        let len = buffer.len().min(self.len_max);
        self.read.read(&mut buffer[..len])
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.refuse(io::ErrorKind::Interrupted)?;
        let bytes = &bytes[..bytes.len().min(self.len_max)];
        let to = self.to.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        to.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn request() -> ClientRequest {
    ClientRequest::new("localhost", "/echo").unwrap()
}

/// Echoes until the client closes.
fn echo(mut socket: WebSocket<Pipe>) -> Result<WebSocket<Pipe>, Error> {
    while let Some(event) = socket.next()? {
        match event {
            Event::Text(text) => {
                let text = text.to_owned();
                socket.send(Message::Text(&text))?;
            }
            Event::Binary(bytes) => {
                let bytes = bytes.to_vec();
                socket.send_shared(bytes)?;
            }
            _ => {}
        }
    }
    Ok(socket)
}

#[test]
fn messages_go_both_ways_whatever_the_reads_and_writes() {
    for (len_max, refusals) in [(1, 0), (7, 1), (1000, 2), (usize::MAX, 0)] {
        let (client, server) = pipe(len_max, refusals);
        let server = thread::spawn(|| WebSocket::accept(server).and_then(echo));
        let mut socket = WebSocket::connect(client, &request()).unwrap();
        let large = "grüße ".repeat(if len_max < 100 { 100 } else { 30_000 });
        for text in ["", "hello", &large] {
            socket.send(Message::Text(text)).unwrap();
            socket.feed(Message::Ping(b"between")).unwrap();
            socket.send_shared(text.as_bytes().to_vec()).unwrap();
            assert_eq!(socket.next().unwrap(), Some(Event::Text(text)));
            assert_eq!(socket.next().unwrap(), Some(Event::Pong(b"between")));
            assert_eq!(socket.next().unwrap(), Some(Event::Binary(text.as_bytes())));
        }
        let close = CloseFrame { code: CloseCode::NORMAL, reason: "done" };
        socket.close(Some(close)).unwrap();
        let error = socket.send(Message::Text("late")).unwrap_err();
        assert!(matches!(error, Error::Send(SendError::NotOpen)), "{error}");
        let answer = Some(Event::Close(Some(CloseFrame { code: CloseCode::NORMAL, reason: "" })));
        assert_eq!(socket.next().unwrap(), answer);
        assert_eq!(socket.next().unwrap(), None);
        assert_eq!(socket.next().unwrap(), None, "and so it stays");
        assert_eq!(socket.connection().ready_state(), ReadyState::Closed);
        server.join().unwrap().unwrap();
    }
}

#[test]
fn a_server_refuses_and_a_client_learns_why() {
    let (client, server) = pipe(usize::MAX, 0);
    let server = thread::spawn(|| {
        let connection = Connection::server(Config::default());
        WebSocket::accept_with(server, connection, |request| {
            assert_eq!(request.path(), "/echo");
            Err(Rejection::new(403).unwrap())
        })
        .map(drop)
    });
    let error = WebSocket::connect(client, &request()).unwrap_err();
    let refused = HandshakeError::Response(ResponseError::Refused { status: 403 });
    assert!(matches!(error, Error::Handshake(error) if error == refused));
    let error = server.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Rejected { status: 403 })));

    // What is no handshake is answered, and what selects the unasked is the server's fault.
    let (mut client, server) = pipe(usize::MAX, 0);
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let error = WebSocket::accept(server).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Request(_))), "{error}");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 426");
    let (client, server) = pipe(usize::MAX, 0);
    let client = thread::spawn(|| WebSocket::connect(client, &request()).map(drop));
    let connection = Connection::server(Config::default());
    let error = WebSocket::accept_with(server, connection, |_| {
        Ok(Acceptance::new().subprotocol("unasked").unwrap())
    })
    .unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    let error = client.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::UnexpectedEof)), "{error}");
}

#[test]
fn a_stream_that_ends_without_a_close_and_a_peer_that_breaks_the_protocol_are_errors() {
    let open = |end| WebSocket::new(end, Connection::server(Config::default()));
    let (client, server) = pipe(usize::MAX, 0);
    drop(client);
    let mut server = open(server);
    for _ in 0..2 {
        let error = server.next().unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof)), "{error}");
    }
    // The events before an offence, then the offence, and the peer is told.
    let (mut client, server) = pipe(usize::MAX, 0);
    client.write_all(b"\x81\x80\0\0\0\0\x83\x80\0\0\0\0").unwrap();
    let mut server = open(server);
    assert_eq!(server.next().unwrap(), Some(Event::Text("")));
    let error = server.next().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Frame(_))), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let mut close = [0; 4];
    client.read_exact(&mut close).unwrap();
    assert_eq!((close[0], &close[2..]), (0x88, &b"\x03\xea"[..]));
}

/// A stream with a timeout: the call is repeated, and nothing is lost or sent twice.
#[test]
fn calls_that_time_out_are_repeated() {
    #[derive(Debug)]
    struct Slow(VecDeque<io::Result<Vec<u8>>>, Vec<u8>, bool);
    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.0.pop_front().unwrap_or(Ok(Vec::new()))?;
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.1.push(bytes[0]);
            Ok(1)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let late = || Err(io::ErrorKind::TimedOut.into());
    let reads = [
        late(),
        Ok(b"\x82\x05ab".to_vec()),
        late(),
        Ok(b"c".to_vec()),
        Ok(b"de\x89\x01p".to_vec()),
        late(),
        Ok(b"\x88\0".to_vec()),
    ];
    let slow = Slow(reads.into_iter().collect(), Vec::new(), false);
    let mut client = WebSocket::new(slow, Connection::new(Role::Client, Config::default()));
    let mut events = Vec::new();
    let mut retries = 0;
    loop {
        match client.next() {
            Ok(Some(event)) => events.push(crate::support::Owned::from(event)),
            Ok(None) => break,
            Err(Error::Io(_)) => retries += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(retries > 3);
    assert_eq!(events.first(), Some(&crate::support::binary(b"abcde")));
    let (slow, ..) = client.into_parts();
    let opcodes: Vec<u8> = [slow.1[0], slow.1[7]].to_vec();
    assert_eq!((opcodes, slow.1.len()), (vec![0x8a, 0x88], 13), "one Pong and one Close");
}
