//! A connection over a tokio stream: a `Stream` and `Sink` of messages.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use wscodec::connection::SharedEvent;
use wscodec::message::SharedMessage;
use wscodec::{Connection, ProtocolError, ReadyState, Role, SendError};

use crate::config::Config;
use crate::error::Error;
use crate::inlet::{Inlet, Input, Side};
use crate::message::{CloseFrame, Message};
use crate::outgoing::Outgoing;

/// A WebSocket over a tokio stream: a [`Stream`] and [`Sink`] of [`Message`].
///
/// Polling the stream also writes what is due and keeps the times of the [`Config`], so it must be
/// polled for Pings to be answered. It yields the peer's Close as a message, or an error, and then
/// ends: poll it until it does, and the Close reaches the peer and TCP is closed in order (RFC
/// 6455, 7.1.1): a server's end first; a client waits for the server's, within
/// [`Config::close_timeout`].
///
/// If a write fails, the stream still yields what the peer sent before, such as a Close that says
/// why.
pub struct WebSocketStream<S> {
    pub(crate) whole: Whole<S>,
    pub(crate) inlet: Inlet,
    pub(crate) subprotocol: Option<Box<str>>,
}

/// Both directions of a connection.
pub(crate) struct Whole<S> {
    pub(crate) stream: S,
    pub(crate) connection: Connection,
    pub(crate) outgoing: Outgoing,
    pub(crate) has_sent: bool,
}

impl<S> WebSocketStream<S> {
    /// Continues with a stream whose opening handshake was done elsewhere, and from which `read` has
    /// been read since.
    pub fn from_connection(
        stream: S,
        connection: Connection,
        read: BytesMut,
        config: &Config,
    ) -> Self {
        let outgoing = Outgoing::new(config.write_buffer_size_max);
        Self {
            whole: Whole { stream, connection, outgoing, has_sent: false },
            inlet: Inlet::new(read, config),
            subprotocol: None,
        }
    }

    pub(crate) fn with_subprotocol(mut self, subprotocol: Option<&str>) -> Self {
        self.subprotocol = subprotocol.map(Into::into);
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
        &self.whole.stream
    }

    /// Returns the stream. The connection never sees what is read from it or written to it.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.whole.stream
    }

    /// Consumes the connection and returns its stream.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.whole.stream
    }

    /// Returns the connection's state.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.whole.connection
    }

    /// Returns the length of the write queue, in bytes.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.whole.outgoing.len()
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
        match self.whole.start_close(close.as_ref()) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(error) => return Err(error.into()),
        }
        poll_fn(|cx| self.whole.poll_flush(cx)).await?;
        Ok(())
    }

    /// Closes the connection to its end: sends the Close, waits for the peer's, dropping messages
    /// that still arrive, and closes TCP in order. [`Config::close_timeout`] bounds each of the two.
    ///
    /// May be called again if its future was dropped.
    ///
    /// # Errors
    /// Those of [`close`](Self::close); [`Timeout::Close`](crate::Timeout::Close) if the peer did
    /// not answer, and [`Error::Protocol`] if it ended or broke the connection instead.
    pub async fn close_gracefully(&mut self, close: Option<CloseFrame>) -> Result<(), Error> {
        match self.whole.start_close(close.as_ref()) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(error) => return Err(error.into()),
        }
        let mut outcome = Ok(());
        while let Some(message) = poll_fn(|cx| self.inlet.poll_message(&mut self.whole, cx)).await {
            outcome = outcome.and(message.map(drop));
        }
        outcome
    }
}

impl<S> Whole<S> {
    pub(crate) fn start_close(&mut self, close: Option<&CloseFrame>) -> Result<(), SendError> {
        self.connection.close(close.map(CloseFrame::as_frame), self.outgoing.queue.tail())
    }

    pub(crate) fn send(&mut self, message: Message) -> Result<(), SendError> {
        match message.into_shared() {
            Ok(message) => {
                self.has_sent = true;
                self.connection.sender().send_into(message, &mut self.outgoing.queue)
            }
            Err(close) => self.start_close(close.as_ref()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side for Whole<S> {
    fn role(&self) -> Role {
        self.connection.role()
    }

    fn ready_state(&self) -> ReadyState {
        self.connection.ready_state()
    }

    fn receive(&mut self, input: &mut BytesMut) -> Result<Option<SharedEvent>, ProtocolError> {
        self.connection.receive_shared(input, self.outgoing.queue.tail())
    }

    fn whole_len(&self, input: &[u8]) -> Option<usize> {
        self.connection.whole_len(input)
    }

    fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        self.connection.receive_eof()
    }

    fn poll_read(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        input.poll_read(&mut self.stream, self.connection.room(), cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_flush(&mut self.stream, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_above_mark(&self) -> bool {
        self.outgoing.is_above_mark()
    }

    fn queue_ping(&mut self) {
        let ping = SharedMessage::Ping(Bytes::new());
        // Refused only once a Close has been sent, which is a question too.
        self.connection.sender().send_into(ping, &mut self.outgoing.queue).ok();
    }

    fn queue_close(&mut self, close: wscodec::CloseFrame<'_>) {
        self.connection.close(Some(close), self.outgoing.queue.tail()).ok();
    }

    fn take_has_sent(&mut self) -> bool {
        std::mem::take(&mut self.has_sent)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketStream<S> {
    type Item = Result<Message, Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let this = self.get_mut();
        this.inlet.poll_message(&mut this.whole, cx)
    }
}

/// Sending a Close starts the closing handshake, like [`WebSocketStream::close`]; so does closing
/// the sink.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketStream<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Whole { stream, outgoing, .. } = &mut self.get_mut().whole;
        ready!(outgoing.poll_ready(stream, cx))?;
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Ok(self.get_mut().whole.send(message)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.get_mut().whole.poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.whole.start_close(None).ok(); // refused if a Close has been sent already
        ready!(this.whole.poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }
}

/// Shows how many bytes wait, not the bytes.
impl<S: fmt::Debug> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("stream", &self.whole.stream)
            .field("ready_state", &self.whole.connection.ready_state())
            .field("outgoing", &self.whole.outgoing)
            .finish_non_exhaustive()
    }
}
