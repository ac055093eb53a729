//! The two halves of a connection, for tasks of their own.
//!
//! The reading half owns its half of the stream and of the codec, so reading takes no lock. The
//! writing half is shared: whoever has something to send writes, and so does the reading half with
//! the replies that it owes, so that these go out though nobody sends. Its lock is held within a
//! poll, never across an await.
//!
//! Invariant: what waits for the stream to take more is woken through [`Wakers`], which knows
//! everyone; a stream itself remembers only who asked last.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
#[cfg(feature = "events")]
use wscodec::CloseCode;
use wscodec::connection::{Receiver, Reply, SharedEvent};
use wscodec::message::SharedMessage;
use wscodec::{ProtocolError, ReadyState, Role, SendError, Sender};

use crate::error::Error;
use crate::inlet::{Inlet, Input, Side};
use crate::message::{CloseFrame, Message};
use crate::outgoing::Outgoing;
use crate::stream::{WebSocketStream, Whole};

/// The reading half of a [`WebSocketStream`]: a [`Stream`] of [`Message`].
///
/// Polling it also sends the replies and Pings that are due and keeps the times of the
/// [`Config`](crate::Config), as polling the whole does. Without it, the connection is not ended in
/// order: poll it until it ends.
pub struct WebSocketReader<R, W> {
    half: Half<R, W>,
    inlet: Inlet,
    subprotocol: Option<Box<str>>,
}

/// The writing half of a [`WebSocketStream`]: a [`Sink`] of [`Message`].
///
/// Clones write to the same connection, so that several tasks may send; each message goes out
/// whole.
pub struct WebSocketWriter<W> {
    shared: Arc<Shared<W>>,
}

/// The halves given to [`WebSocketReader::reunite`] are not of one connection, or there is another
/// clone of the writing half. [`into_halves`](Self::into_halves) gives them back.
pub struct ReuniteError<R, W>(Box<(WebSocketReader<R, W>, WebSocketWriter<W>)>);

impl<R, W> ReuniteError<R, W> {
    /// Returns the halves as they were.
    #[must_use]
    pub fn into_halves(self) -> (WebSocketReader<R, W>, WebSocketWriter<W>) {
        *self.0
    }
}

/// What the halves share.
struct Shared<W> {
    writing: Mutex<Writing<W>>,
    wakers: Arc<Wakers>,
    /// `wakers`, as a stream takes it.
    waker: Waker,
    /// Whether this side has sent a Close, or tried to.
    is_closing: AtomicBool,
    /// Whether messages were sent since the reading half looked.
    has_sent: AtomicBool,
}

struct Writing<W> {
    stream: W,
    sender: Sender,
    outgoing: Outgoing,
}

/// Who waits for the stream to take more, and who for a Close.
#[derive(Default)]
struct Wakers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writers: Vec<Waker>,
    /// The reading half, which waits for something to read, but also for a Close of this side.
    until_close: Option<Waker>,
}

/// One who may wait for the stream to take more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Reader,
    Writer,
}

impl<S: AsyncRead + AsyncWrite> WebSocketStream<S> {
    /// Splits the connection into halves for two tasks.
    ///
    /// A stream of any type is split by [`tokio::io::split`], whose halves lock each other out
    /// while one is polled. Use [`split_with`](Self::split_with) for those that split without,
    /// such as a `TcpStream`.
    ///
    /// ```
    /// # use futures_util::{SinkExt, StreamExt};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # use wscodec_tokio::{Error, Message, WebSocketStream};
    /// # async fn run<S>(socket: WebSocketStream<S>) -> Result<(), Error>
    /// # where S: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// let (mut reader, mut writer) = socket.split();
    /// tokio::spawn(async move {
    ///     while let Some(Ok(message)) = reader.next().await {
    ///         println!("{message:?}");
    ///     }
    /// });
    /// writer.send(Message::text("hello")).await
    /// # }
    /// ```
    #[must_use]
    #[expect(clippy::type_complexity, reason = "tokio's halves, by their names")]
    pub fn split(
        self,
    ) -> (WebSocketReader<ReadHalf<S>, WriteHalf<S>>, WebSocketWriter<WriteHalf<S>>) {
        self.split_with(tokio::io::split)
    }
}

impl<S> WebSocketStream<S> {
    /// Like [`split`](Self::split), with the stream split by `split`, such as
    /// `tokio::net::TcpStream::into_split`, whose halves need no lock.
    #[must_use]
    pub fn split_with<R, W>(
        self,
        split: impl FnOnce(S) -> (R, W),
    ) -> (WebSocketReader<R, W>, WebSocketWriter<W>) {
        let Self { whole, inlet, subprotocol } = self;
        let Whole { stream, connection, outgoing, has_sent } = whole;
        let (read_stream, stream) = split(stream);
        let role = connection.role();
        let is_closing = connection.ready_state() != ReadyState::Open;
        let (receiver, sender) = connection.split();
        let wakers = Arc::new(Wakers::default());
        let shared = Arc::new(Shared {
            writing: Mutex::new(Writing { stream, sender, outgoing }),
            waker: Waker::from(Arc::clone(&wakers)),
            wakers,
            is_closing: AtomicBool::new(is_closing),
            has_sent: AtomicBool::new(has_sent),
        });
        let writer = WebSocketWriter { shared: Arc::clone(&shared) };
        // What was queued before is written by whoever is polled first.
        let half = Half {
            stream: read_stream,
            receiver,
            replies: Vec::new(),
            role,
            owes: true,
            has_seen_close: is_closing,
            shared,
        };
        (WebSocketReader { half, inlet, subprotocol }, writer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketReader<ReadHalf<S>, WriteHalf<S>> {
    /// Joins the halves that [`WebSocketStream::split`] has made.
    ///
    /// # Errors
    /// [`ReuniteError`] if they are not of one connection, or the writing half has clones.
    pub fn reunite(
        self,
        writer: WebSocketWriter<WriteHalf<S>>,
    ) -> Result<WebSocketStream<S>, ReuniteError<ReadHalf<S>, WriteHalf<S>>> {
        self.reunite_with(writer, ReadHalf::unsplit)
    }
}

impl<R, W> WebSocketReader<R, W> {
    /// Joins the halves that [`WebSocketStream::split_with`] has made, with the halves of the
    /// stream joined by `join`.
    ///
    /// # Errors
    /// [`ReuniteError`] if they are not of one connection, or the writing half has clones.
    pub fn reunite_with<S>(
        self,
        writer: WebSocketWriter<W>,
        join: impl FnOnce(R, W) -> S,
    ) -> Result<WebSocketStream<S>, ReuniteError<R, W>> {
        let shared = &self.half.shared;
        if !Arc::ptr_eq(shared, &writer.shared) || Arc::strong_count(shared) != 2 {
            return Err(ReuniteError(Box::new((self, writer))));
        }
        let Self { half, inlet, subprotocol } = self;
        drop(half.shared); // the writing half still holds it
        let Ok(shared) = Arc::try_unwrap(writer.shared) else {
            unreachable!("there were two holders, both of them here, so none can have been added")
        };
        let has_sent = shared.has_sent.into_inner();
        let writing = shared.writing.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Writing { stream, sender, outgoing } = writing;
        let stream = join(half.stream, stream);
        let connection = half.receiver.reunite(sender);
        let whole = Whole { stream, connection, outgoing, has_sent };
        Ok(WebSocketStream { whole, inlet, subprotocol })
    }

    /// Returns the subprotocol that was agreed.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the reading half of the stream.
    #[must_use]
    pub const fn get_ref(&self) -> &R {
        &self.half.stream
    }

    /// Returns whether the writing half is of the same connection.
    #[must_use]
    pub fn is_pair_of(&self, writer: &WebSocketWriter<W>) -> bool {
        Arc::ptr_eq(&self.half.shared, &writer.shared)
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Stream for WebSocketReader<R, W> {
    type Item = Result<Message, Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let this = self.get_mut();
        // Before it looks whether this side has closed, so that a Close after that wakes it.
        this.half.shared.wakers.await_close(cx.waker());
        this.inlet.poll_message(&mut this.half, cx)
    }
}

impl<W: AsyncWrite + Unpin> WebSocketWriter<W> {
    /// Sends a message, and returns once it is written and flushed.
    ///
    /// A future that is dropped has sent the message whole or not at all.
    ///
    /// # Errors
    /// [`Error::Send`] if the message may not be sent; [`Error::Io`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, once there is room below
    /// [`Config::write_buffer_size_max`](crate::Config::write_buffer_size_max).
    /// [`flush`](Self::flush) writes it, with what else is queued.
    ///
    /// # Errors
    /// [`Error::Send`] if the message may not be sent; [`Error::Io`].
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| {
            ready!(self.shared.poll_ready(cx))?;
            Poll::Ready(message.take().map_or(Ok(()), |message| self.shared.queue(message)))
        })
        .await
    }

    /// Writes what is queued.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn flush(&self) -> Result<(), Error> {
        Ok(poll_fn(|cx| self.shared.poll_flush(Party::Writer, cx)).await?)
    }

    /// Starts the closing handshake, and returns once the Close is written; the reading half ends
    /// the connection. A Close is never sent twice.
    ///
    /// # Errors
    /// [`Error::Send`] if the reason is longer than 123 bytes; [`Error::Io`].
    pub async fn close(&self, close: Option<CloseFrame>) -> Result<(), Error> {
        match self.shared.start_close(close.as_ref().map(CloseFrame::as_frame)) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(error) => return Err(error.into()),
        }
        self.flush().await
    }
}

impl<W> WebSocketWriter<W> {
    /// Returns the length of the write queue, in bytes.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.shared.lock().outgoing.len()
    }

    /// Queues a Close, if none was sent; the reading half writes it.
    #[cfg(feature = "events")]
    pub(crate) fn start_close(&self, code: CloseCode, reason: &str) {
        self.shared.start_close(Some(wscodec::CloseFrame { code, reason })).ok();
    }

    /// Returns the state of the connection, as far as the writing half knows.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.shared.lock().sender.ready_state()
    }
}

/// Sending a Close starts the closing handshake, like [`WebSocketWriter::close`]; so does closing
/// the sink.
impl<W: AsyncWrite + Unpin> Sink<Message> for WebSocketWriter<W> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.shared.poll_ready(cx))?;
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.shared.queue(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.shared.poll_flush(Party::Writer, cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.start_close(None).ok(); // refused if a Close has been sent already
        ready!(self.shared.poll_flush(Party::Writer, cx))?;
        Poll::Ready(Ok(()))
    }
}

impl<W> Clone for WebSocketWriter<W> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<W> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Writing<W>> {
        // Only a stream that panics can poison it; what it had taken is not known then, and writing
        // to it again will say.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, message: Message) -> Result<(), Error> {
        let message = match message.into_shared() {
            Ok(message) => message,
            Err(close) => {
                return Ok(self.start_close(close.as_ref().map(CloseFrame::as_frame))?);
            }
        };
        self.has_sent.store(true, Ordering::Relaxed);
        let mut guard = self.lock();
        let Writing { sender, outgoing, .. } = &mut *guard;
        Ok(sender.send_into(message, &mut outgoing.queue)?)
    }

    fn start_close(&self, close: Option<wscodec::CloseFrame<'_>>) -> Result<(), SendError> {
        let mut guard = self.lock();
        let Writing { sender, outgoing, .. } = &mut *guard;
        sender.close(close, outgoing.queue.tail())?;
        drop(guard);
        self.is_closing.store(true, Ordering::Release);
        // Its time for the peer's answer begins.
        self.wakers.wake_at_close();
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin> Shared<W> {
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Party::Writer, cx, |writing, cx| {
            writing.outgoing.poll_ready(&mut writing.stream, cx)
        })
    }

    fn poll_flush(&self, party: Party, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(party, cx, |writing, cx| writing.outgoing.poll_flush(&mut writing.stream, cx))
    }

    /// Polls the stream so that it wakes everyone who waits for it.
    fn poll<T>(
        &self,
        party: Party,
        cx: &Context<'_>,
        mut poll: impl FnMut(&mut Writing<W>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut guard = self.lock();
        let mut everyone = Context::from_waker(&self.waker);
        let outcome = poll(&mut guard, &mut everyone);
        if outcome.is_ready() {
            return outcome;
        }
        // Only who has to wait is known; the stream may have become ready before.
        self.wakers.add(party, cx.waker());
        poll(&mut guard, &mut everyone)
    }
}

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, party: Party, waker: &Waker) {
        let mut waiting = self.lock();
        match party {
            Party::Reader => waiting.reader = Some(waker.clone()),
            Party::Writer if waiting.writers.iter().any(|known| known.will_wake(waker)) => {}
            Party::Writer => waiting.writers.push(waker.clone()),
        }
    }

    fn await_close(&self, waker: &Waker) {
        let mut waiting = self.lock();
        if !waiting.until_close.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiting.until_close = Some(waker.clone());
        }
    }

    fn wake_at_close(&self) {
        let reader = self.lock().until_close.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut waiting = self.lock();
        let (reader, writers) = (waiting.reader.take(), mem::take(&mut waiting.writers));
        drop(waiting);
        for waker in reader.into_iter().chain(writers) {
            waker.wake();
        }
    }
}

/// The reading half, as the inlet drives it.
struct Half<R, W> {
    stream: R,
    receiver: Receiver,
    /// Always empty between two calls.
    replies: Vec<Reply>,
    role: Role,
    /// Whether something is queued that this half has to write: its replies, or a Close.
    owes: bool,
    /// Whether this half knows that this side has sent a Close.
    has_seen_close: bool,
    shared: Arc<Shared<W>>,
}

impl<R, W> Half<R, W> {
    /// Passes the replies on to the sending half of the codec.
    fn pass_replies(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        let mut guard = self.shared.lock();
        let Writing { sender, outgoing, .. } = &mut *guard;
        for reply in self.replies.drain(..) {
            sender.reply(reply, outgoing.queue.tail());
        }
        drop(guard);
        self.replies = Vec::new();
        self.owes = true;
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Side for Half<R, W> {
    fn role(&self) -> Role {
        self.role
    }

    fn ready_state(&self) -> ReadyState {
        if self.receiver.is_done() {
            // The answer to a Close has been queued with it.
            ReadyState::Closed
        } else if self.shared.is_closing.load(Ordering::Acquire) {
            ReadyState::Closing
        } else {
            ReadyState::Open
        }
    }

    fn receive(&mut self, input: &mut BytesMut) -> Result<Option<SharedEvent>, ProtocolError> {
        let received = self.receiver.receive_shared(input, &mut self.replies);
        self.pass_replies();
        received
    }

    fn whole_len(&self, input: &[u8]) -> Option<usize> {
        self.receiver.whole_len(input)
    }

    fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        let outcome = self.receiver.receive_eof(&mut self.replies);
        self.pass_replies();
        outcome
    }

    fn poll_read(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        input.poll_read(&mut self.stream, self.receiver.room(), cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_seen_close && self.shared.is_closing.load(Ordering::Acquire) {
            // Should whoever closes not be polled any more.
            (self.has_seen_close, self.owes) = (true, true);
        }
        if self.owes {
            ready!(self.shared.poll_flush(Party::Reader, cx))?;
            self.owes = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll(Party::Reader, cx, |writing, cx| {
            // A Close of the other half may still wait in the queue.
            ready!(writing.outgoing.poll_flush(&mut writing.stream, cx))?;
            Pin::new(&mut writing.stream).poll_shutdown(cx)
        })
    }

    fn is_above_mark(&self) -> bool {
        self.owes && self.shared.lock().outgoing.is_above_mark()
    }

    fn queue_ping(&mut self) {
        let mut guard = self.shared.lock();
        let Writing { sender, outgoing, .. } = &mut *guard;
        let ping = SharedMessage::Ping(Bytes::new());
        // Refused only once a Close has been sent, which is a question too.
        sender.send_into(ping, &mut outgoing.queue).ok();
        drop(guard);
        self.owes = true;
    }

    fn queue_close(&mut self, close: wscodec::CloseFrame<'_>) {
        self.shared.start_close(Some(close)).ok(); // refused if a Close has been sent already
        self.owes = true;
    }

    fn take_has_sent(&mut self) -> bool {
        self.shared.has_sent.swap(false, Ordering::Relaxed)
    }
}

impl<R: fmt::Debug, W: fmt::Debug> fmt::Debug for WebSocketReader<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader")
            .field("stream", &self.half.stream)
            .field("is_done", &self.half.receiver.is_done())
            .finish_non_exhaustive()
    }
}

/// Shows how many bytes wait, not the bytes.
impl<W> fmt::Debug for WebSocketWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let writing = self.shared.lock();
        f.debug_struct("WebSocketWriter")
            .field("ready_state", &writing.sender.ready_state())
            .field("outgoing", &writing.outgoing)
            .finish_non_exhaustive()
    }
}

impl<R, W> fmt::Debug for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<R, W> fmt::Display for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of one connection, or the writing half has clones")
    }
}

impl<R, W> std::error::Error for ReuniteError<R, W> {}
