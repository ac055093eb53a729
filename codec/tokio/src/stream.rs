//! A connection over a tokio stream: turns polls into reads and writes, and loses nothing between
//! two polls.
//!
//! Invariant: all bytes read are in `input` or in the connection, and all bytes to be written are
//! in `queue`, so dropping a future loses nothing.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use wscodec::message::{SendQueue, SharedMessage};
use wscodec::{Connection, ReadyState, SendError};

use crate::config::Config;
use crate::error::Error;
use crate::message::{CloseFrame, Message};

/// The size of the first read, and of later ones until a read fills it, in bytes.
const READ_LEN_MIN: usize = 8 << 10;
/// The most to read in one call, in bytes.
const READ_LEN_MAX: usize = 64 << 10;
/// The most pieces written in one call.
const SLICES_MAX: usize = 32;

/// A WebSocket over a tokio stream: a [`Stream`] and [`Sink`] of [`Message`].
///
/// The stream ends after the peer's Close, or after an error; before that, it yields the Close as a
/// message. Polling it also writes what is due, so it must be polled for Pings to be answered.
pub struct WebSocketStream<S> {
    stream: S,
    connection: Connection,
    input: BytesMut,
    read_len: usize,
    queue: SendQueue,
    write_buffer_size_max: usize,
    /// Whether bytes were written since the stream was flushed.
    needs_flush: bool,
    reading: Reading,
    subprotocol: Option<String>,
}

/// What polling the stream does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Going,
    /// Nothing more will arrive; the queue is still to be written.
    Ending,
    Done,
}

impl<S> WebSocketStream<S> {
    /// Continues with a stream whose opening handshake was done elsewhere, such as by hyper, and
    /// from which `read` has been read since.
    pub fn from_connection(
        stream: S,
        connection: Connection,
        read: BytesMut,
        config: &Config,
    ) -> Self {
        Self {
            stream,
            connection,
            input: read,
            read_len: READ_LEN_MIN,
            queue: SendQueue::new(),
            write_buffer_size_max: config.write_buffer_size_max,
            needs_flush: false,
            reading: Reading::Going,
            subprotocol: None,
        }
    }

    pub(crate) fn with_subprotocol(mut self, subprotocol: Option<String>) -> Self {
        self.subprotocol = subprotocol;
        self
    }

    /// Returns the subprotocol that was agreed.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the stream.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream. The connection never sees what is read from it or written to it.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Consumes the connection and returns its stream.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Returns the connection's state.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the length of the write queue, in bytes.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.queue.remaining()
    }

    fn start_close(&mut self, close: Option<&CloseFrame>) -> Result<(), SendError> {
        let frame = close
            .map(|close| wscodec::CloseFrame { code: close.code, reason: close.reason.as_str() });
        self.connection.close(frame, self.queue.tail())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Starts the closing handshake, and returns once the Close is written. Keep polling the stream
    /// until it ends: messages may still arrive before the peer's Close. A Close is never sent
    /// twice.
    ///
    /// # Errors
    /// [`Error::Send`] if the reason is longer than 123 bytes; [`Error::Io`].
    pub async fn close(&mut self, close: Option<CloseFrame>) -> Result<(), Error> {
        match self.start_close(close.as_ref()) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(error) => return Err(error.into()),
        }
        poll_fn(|cx| self.poll_flush_all(cx)).await
    }

    /// Writes what is queued until the stream takes no more.
    fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.queue.has_remaining() {
            let stream = Pin::new(&mut self.stream);
            let written = if stream.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let filled = self.queue.chunks_vectored(&mut slices);
                ready!(stream.poll_write_vectored(cx, &slices[..filled]))?
            } else {
                ready!(stream.poll_write(cx, self.queue.chunk()))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queue.advance(written);
            self.needs_flush = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, and flushes the stream.
    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_write_queue(cx))?;
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, into `input` or the connection; returns the number of bytes read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // The futures of `read_buf` keep no state between polls, so each poll makes one.
        if let Some(mut room) = self.connection.room() {
            return pin!(self.stream.read_buf(&mut room)).poll(cx);
        }
        self.input.reserve(self.read_len);
        let outcome = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        match &outcome {
            Poll::Ready(Ok(len)) if *len >= self.read_len => {
                self.read_len = (self.read_len * 2).min(READ_LEN_MAX);
            }
            Poll::Ready(_) => {}
            // A waiting connection holds no buffer.
            Poll::Pending => self.input = BytesMut::new(),
        }
        outcome
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            match self.reading {
                Reading::Going => {}
                Reading::Ending => {
                    // The peer may be gone already.
                    let _ = ready!(self.poll_flush_all(cx));
                    self.reading = Reading::Done;
                    return Poll::Ready(None);
                }
                Reading::Done => return Poll::Ready(None),
            }
            let event = self.connection.receive_shared(&mut self.input, self.queue.tail());
            // Due output goes out now, as far as the stream takes it.
            let written = self.poll_flush_all(cx);
            match event {
                Ok(Some(event)) => {
                    if self.connection.ready_state() == ReadyState::Closed {
                        self.reading = Reading::Ending;
                    }
                    let Some(message) = Message::of_event(event) else { continue };
                    return Poll::Ready(Some(Ok(message)));
                }
                Ok(None) => {}
                Err(error) => {
                    self.reading = Reading::Ending;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
            if let Poll::Ready(Err(error)) = written {
                self.reading = Reading::Done;
                return Poll::Ready(Some(Err(error)));
            }
            if self.connection.ready_state() == ReadyState::Closed {
                self.reading = Reading::Ending;
                continue;
            }
            // A peer that does not read is not read from, which bounds the output queued for it.
            if self.queue.remaining() > self.write_buffer_size_max {
                return Poll::Pending; // the write has been polled, and wakes this task
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => {
                    if let Err(error) = self.connection.receive_eof() {
                        self.reading = Reading::Done;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    self.reading = Reading::Ending;
                }
                Ok(_) => {}
                Err(error) => {
                    self.reading = Reading::Done;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketStream<S> {
    type Item = Result<Message, Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        self.get_mut().poll_message(cx)
    }
}

/// Sending a Close starts the closing handshake, like [`WebSocketStream::close`]; so does closing
/// the sink.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketStream<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        if this.queue.remaining() >= this.write_buffer_size_max {
            ready!(this.poll_write_queue(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        let message = match message {
            Message::Text(text) => SharedMessage::Text(text),
            Message::Binary(bytes) => SharedMessage::Binary(bytes),
            Message::Ping(bytes) => SharedMessage::Ping(bytes),
            Message::Pong(bytes) => SharedMessage::Pong(bytes),
            Message::Close(close) => return Ok(this.start_close(close.as_ref())?),
        };
        Ok(this.connection.sender().send_into(message, &mut this.queue)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_flush_all(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.start_close(None).ok(); // refused if a Close has been sent already
        this.poll_flush_all(cx)
    }
}

/// Shows how many bytes wait, not the bytes.
impl<S: fmt::Debug> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("stream", &self.stream)
            .field("ready_state", &self.connection.ready_state())
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
