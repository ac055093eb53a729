//! A WebSocket over a blocking stream: anything that is [`Read`] and [`Write`], such as a
//! `TcpStream` or a TLS stream over one.
//!
//! Everything that the core leaves to its caller, in the simplest stack: one read buffer, one write
//! queue, and blocking reads and writes. A connection's state never depends on whether a read or
//! write succeeded, so with timeouts set on the stream, any call may be repeated.
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//! use wscodec::handshake::ClientRequest;
//! use wscodec::sync::{Error, WebSocket};
//! use wscodec::{Event, Message};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = std::thread::spawn(move || -> Result<(), Error> {
//!     let mut socket = WebSocket::accept(listener.accept()?.0)?;
//!     while let Some(event) = socket.next()? {
//!         let text = match event {
//!             Event::Text(text) => format!("you said: {text}"),
//!             _ => continue, // Pings and Close have been answered
//!         };
//!         socket.send(Message::Text(&text))?;
//!     }
//!     Ok(())
//! });
//!
//! let request = ClientRequest::new(&address.to_string(), "/")?;
//! let mut socket = WebSocket::connect(TcpStream::connect(address)?, &request)?;
//! socket.send(Message::Text("hello"))?;
//! assert_eq!(socket.next()?, Some(Event::Text("you said: hello")));
//! socket.close(None)?;
//! assert_eq!(socket.next()?, Some(Event::Close(None))); // the server's answer
//! assert_eq!(socket.next()?, None);
//! server.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;

use alloc::vec::Vec;
use core::fmt;
use std::io::{self, IoSlice, Read, Write};

use bytes::Buf as _;

pub use error::Error;

use crate::close::CloseFrame;
use crate::connection::{Connection, ConnectionBuilder, Event, Found, ReadyState};
use crate::error::SendError;
use crate::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, Rejection,
    Request, ServerHandshake,
};
use crate::message::{Message, SendQueue, SharedMessage};

/// The read buffer's length, in bytes.
const INPUT_LEN: usize = 64 << 10;
/// The most pieces written in one call.
const SLICES_MAX: usize = 16;

/// One side of an open connection over a blocking stream.
///
/// It holds a read buffer of 64 KiB. See the [module](self) for an example.
pub struct WebSocket<S> {
    stream: S,
    connection: Connection,
    input: Input,
    queue: SendQueue,
    /// An event waiting for its reply to be written.
    found: Option<(usize, Found)>,
    has_ended: bool,
}

/// The bytes that have been read, and how much of them has been taken.
struct Input {
    bytes: Vec<u8>,
    taken: usize,
    end: usize,
}

impl Input {
    fn new() -> Self {
        Self { bytes: alloc::vec![0; INPUT_LEN], taken: 0, end: 0 }
    }

    fn unread(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.taken..self.end).unwrap_or_default()
    }

    /// Reads once, after all bytes have been taken; returns the number of bytes read.
    fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        (self.taken, self.end) = (0, 0);
        loop {
            match stream.read(&mut self.bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => {
                    self.end = outcome?.min(self.bytes.len());
                    return Ok(self.end);
                }
            }
        }
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Continues with a stream whose opening handshake is done, and from which nothing has been
    /// read since.
    pub fn new(stream: S, connection: Connection) -> Self {
        Self::with_input(stream, connection, Input::new())
    }

    fn with_input(stream: S, connection: Connection, input: Input) -> Self {
        let (queue, found) = (SendQueue::new(), None);
        Self { stream, connection, input, queue, found, has_ended: false }
    }

    /// Accepts any WebSocket that a client asks for on a fresh stream, with the default limits.
    ///
    /// Bound its time with timeouts on the stream: a client may stay silent forever.
    ///
    /// # Errors
    /// [`Error::Handshake`] if the request can't be accepted; it has been answered. [`Error::Io`].
    pub fn accept(stream: S) -> Result<Self, Error> {
        Self::accept_with(stream, ConnectionBuilder::server().open(), |_| Ok(Acceptance::new()))
    }

    /// Like [`accept`](Self::accept), with a `connection` from the caller, and with the result of
    /// `answer` for the request: a subprotocol, headers, or a refusal by target or origin.
    ///
    /// # Errors
    /// See [`accept`](Self::accept); [`HandshakeError::Rejected`] if `answer` refused;
    /// [`Error::Misuse`] if `answer` selected what was not offered.
    pub fn accept_with(
        mut stream: S,
        connection: Connection,
        answer: impl FnOnce(Request<'_>) -> Result<Acceptance, Rejection>,
    ) -> Result<Self, Error> {
        let mut handshake = ServerHandshake::new(HandshakeLimits::default());
        let mut input = Input::new();
        let mut out = Vec::new();
        let answer = loop {
            let mut unread = input.unread();
            let outcome = handshake.receive(&mut unread);
            let left = unread.len();
            input.taken = input.end - left;
            match outcome {
                Ok(Some(request)) => break answer(request),
                Ok(None) => {}
                Err(error) => {
                    handshake.reject(error, &mut out)?;
                    stream.write_all(&out)?;
                    stream.flush()?;
                    return Err(error.into());
                }
            }
            if input.read(&mut stream)? == 0 {
                handshake.receive_eof()?;
            }
        };
        match answer {
            Ok(acceptance) => handshake.accept(&acceptance, &mut out)?,
            Err(rejection) => {
                let status = rejection.status();
                handshake.reject(rejection, &mut out)?;
                stream.write_all(&out)?;
                stream.flush()?;
                return Err(HandshakeError::Rejected { status }.into());
            }
        }
        stream.write_all(&out)?;
        stream.flush()?;
        Ok(Self::with_input(stream, connection, input))
    }

    /// Opens a WebSocket on a fresh stream to a server, with the default limits.
    ///
    /// # Errors
    /// [`Error::Handshake`] if the server refuses or answers wrongly; [`Error::Io`].
    pub fn connect(stream: S, request: &ClientRequest) -> Result<Self, Error> {
        Self::connect_with(stream, request, ConnectionBuilder::client().open())
    }

    /// Like [`connect`](Self::connect), with a `connection` from the caller.
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    pub fn connect_with(
        mut stream: S,
        request: &ClientRequest,
        connection: Connection,
    ) -> Result<Self, Error> {
        let mut out = Vec::new();
        let mut handshake = ClientHandshake::start(request, &mut out)?;
        stream.write_all(&out)?;
        stream.flush()?;
        let mut input = Input::new();
        loop {
            let mut unread = input.unread();
            let outcome = handshake.receive(&mut unread);
            let left = unread.len();
            input.taken = input.end - left;
            if outcome?.is_some() {
                break;
            }
            if input.read(&mut stream)? == 0 {
                handshake.receive_eof()?;
            }
        }
        Ok(Self::with_input(stream, connection, input))
    }

    /// Waits for the next event and lends it: whole messages are borrowed from the read buffer or
    /// from the connection. Replies (Pong, Close) have been written by then.
    ///
    /// `None` means that the connection is closed and both Close frames were exchanged; a server
    /// then closes the stream, and a client waits a bounded time for the server to do so (RFC 6455,
    /// 7.1.1).
    ///
    /// # Errors
    /// [`Error::Protocol`], permanently: the peer has been told why. This includes
    /// [`UnexpectedEof`](crate::ProtocolError::UnexpectedEof), a stream that ended without a Close.
    /// [`Error::Io`].
    #[expect(clippy::should_implement_trait, reason = "it lends, as no iterator can")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let (start, found) = match self.found.take() {
            Some(found) => found,
            None => match self.find()? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        if let Err(error) = self.flush() {
            self.found = Some((start, found));
            return Err(error);
        }
        let input = self.input.bytes.get(start..).unwrap_or_default();
        Ok(Some(self.connection.event_unchanged(&found, input)))
    }

    /// Reads until there is an event; returns where the input that holds it began, and where the
    /// event lies.
    fn find(&mut self) -> Result<Option<(usize, Found)>, Error> {
        loop {
            let start = self.input.taken;
            let step = match self.connection.receive_at(self.input.unread(), self.queue.tail()) {
                Ok(step) => step,
                Err(error) => {
                    // The peer may be gone; the known error says more than a failed write.
                    self.flush().ok();
                    return Err(error.into());
                }
            };
            self.input.taken += step.taken();
            if let Some(found) = step.into_event() {
                return Ok(Some((start, found)));
            }
            self.flush()?;
            if self.connection.ready_state() == ReadyState::Closed || self.has_ended {
                return Ok(None);
            }
            if self.input.read(&mut self.stream)? == 0 {
                self.has_ended = true;
                self.connection.receive_eof()?;
            }
        }
    }

    /// Sends a message; returns once the stream has taken all of it.
    ///
    /// # Errors
    /// [`Error::Send`] if it may not be sent; [`Error::Io`], after which [`flush`](Self::flush)
    /// continues with what the stream has not taken.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Like [`send`](Self::send), with a payload that a server does not copy.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn send_shared(&mut self, message: impl Into<SharedMessage>) -> Result<(), Error> {
        self.connection.sender().send_into(message.into(), &mut self.queue)?;
        self.flush()
    }

    /// Queues a message without writing it, so that [`flush`](Self::flush) sends several in one
    /// write. [`next`](Self::next) also writes what is queued.
    ///
    /// # Errors
    /// If the message may not be sent.
    pub fn feed(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.connection.send(message, self.queue.tail())
    }

    /// Starts the closing handshake. Keep calling [`next`](Self::next) until it returns `None`.
    ///
    /// # Errors
    /// [`Error::Send`] if a Close has been sent before, or the reason is longer than 123 bytes;
    /// [`Error::Io`].
    pub fn close(&mut self, close: Option<CloseFrame<'_>>) -> Result<(), Error> {
        self.connection.close(close, self.queue.tail())?;
        self.flush()
    }

    /// Writes what is queued, and flushes the stream.
    ///
    /// # Errors
    /// [`Error::Io`]; what the stream has not taken stays queued.
    pub fn flush(&mut self) -> Result<(), Error> {
        if !self.queue.has_remaining() {
            return Ok(());
        }
        while self.queue.has_remaining() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = self.queue.chunks_vectored(&mut slices);
            match self.stream.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => self.queue.advance(written.min(self.queue.remaining())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.stream.flush()?)
    }
}

impl<S> WebSocket<S> {
    /// Returns the stream, to set its timeouts. The connection never sees what is read from it.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream. The connection never sees what is read from it or written to it.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the connection's state.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Consumes the WebSocket and returns its stream, its connection, and the bytes read but not
    /// taken.
    #[must_use]
    pub fn into_parts(mut self) -> (S, Connection, Vec<u8>) {
        let rest = self.input.unread().to_vec();
        (self.stream, self.connection, rest)
    }
}

/// Shows how many bytes wait, not the bytes.
impl<S: fmt::Debug> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("stream", &self.stream)
            .field("ready_state", &self.connection.ready_state())
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
