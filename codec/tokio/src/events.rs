//! Connections by events, for those who want no streams: `on_open`, `on_message`, `on_error`,
//! `on_close`, in servers and clients alike.
//!
//! ```
//! use wscodec_tokio::Message;
//! use wscodec_tokio::events::Events;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Events::new().on_message(|session, message| async move {
//!     if let Message::Text(text) = message {
//!         session.send(format!("you said: {text}")).await.ok();
//!     }
//! });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", listener.local_addr()?);
//! tokio::spawn(async move { server.serve(listener).await });
//!
//! let client = Events::new()
//!     .on_open(|session| async move {
//!         session.send("hello").await.ok();
//!     })
//!     .on_message(|session, message| async move {
//!         assert_eq!(message, Message::text("you said: hello"));
//!         session.close(None).await.ok();
//!     });
//! let session = client.connect(&url).await?;
//! session.closed().await;
//! # Ok(())
//! # }
//! ```
//!
//! The handlers of one connection are called one after the other: the next message waits until the
//! future of the one before is done, and so, in the end, does the peer. Meanwhile Pings are answered
//! up to the next message. Connections don't wait for each other.

use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wscodec::handshake::{Acceptance, ClientRequest, HandshakeMisuse, Rejection, Request};
use wscodec::message::Utf8Bytes;
use wscodec::{CloseCode, ReadyState};

use crate::config::Config;
use crate::connect::Connector;
use crate::error::Error;
use crate::handshake::accept_async_with;
use crate::message::{CloseFrame, Message};
use crate::split::{WebSocketReader, WebSocketWriter};
use crate::stream::WebSocketStream;

/// How long to wait before connections are accepted again after that has failed, such as for want
/// of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Done = Pin<Box<dyn Future<Output = ()> + Send>>;
type Callback<T> = Box<dyn Fn(Session, T) -> Done + Send + Sync>;
type Handler<T> = Option<Callback<T>>;
type Answer = Box<dyn Fn(Request<'_>) -> Result<Acceptance, Rejection> + Send + Sync>;
type Refused = Box<dyn Fn(SocketAddr, Error) + Send + Sync>;
type BoxedWrite = Box<dyn AsyncWrite + Send + Unpin>;

/// The handlers of a server's or a client's connections, and how these are opened.
#[derive(Default)]
pub struct Events {
    config: Config,
    connector: Option<Connector>,
    request: Option<Answer>,
    refused: Option<Refused>,
    open: Handler<()>,
    message: Handler<Message>,
    error: Handler<Error>,
    close: Handler<CloseEvent>,
}

/// How a connection ended, as web pages are told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// The code of the peer's Close; 1005 if it had none, 1006 if there was no Close (RFC 6455,
    /// 7.1.5).
    pub code: u16,
    /// The reason in the peer's Close.
    pub reason: Utf8Bytes,
    /// Whether the peer has sent a Close.
    pub was_clean: bool,
}

impl Events {
    /// Creates handlers that do nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the configuration of the connections.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets how a client connects, such as with which TLS; its configuration is that of
    /// [`config`](Self::config).
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Sets what decides about a client's request: a subprotocol, headers, or a refusal, such as of
    /// another origin. Without it every request is accepted.
    #[must_use]
    pub fn on_request(
        mut self,
        answer: impl Fn(Request<'_>) -> Result<Acceptance, Rejection> + Send + Sync + 'static,
    ) -> Self {
        self.request = Some(Box::new(answer));
        self
    }

    /// Sets what is called when a client's opening handshake fails or is refused, with its address.
    #[must_use]
    pub fn on_refused(
        mut self,
        handler: impl Fn(SocketAddr, Error) + Send + Sync + 'static,
    ) -> Self {
        self.refused = Some(Box::new(handler));
        self
    }

    /// Sets what is called first on each connection.
    #[must_use]
    pub fn on_open<F>(mut self, handler: impl Fn(Session) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.open = Some(Box::new(move |session, ()| Box::pin(handler(session))));
        self
    }

    /// Sets what is called for each text and binary message.
    #[must_use]
    pub fn on_message<F>(
        mut self,
        handler: impl Fn(Session, Message) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.message = Some(Box::new(move |session, message| Box::pin(handler(session, message))));
        self
    }

    /// Sets what is called if the connection fails; [`on_close`](Self::on_close) follows.
    #[must_use]
    pub fn on_error<F>(
        mut self,
        handler: impl Fn(Session, Error) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.error = Some(Box::new(move |session, error| Box::pin(handler(session, error))));
        self
    }

    /// Sets what is called last on each connection that was opened, once, however it ended.
    #[must_use]
    pub fn on_close<F>(
        mut self,
        handler: impl Fn(Session, CloseEvent) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.close = Some(Box::new(move |session, close| Box::pin(handler(session, close))));
        self
    }

    /// Serves the clients of a listener, each in a task of its own, and never returns.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve(self, listener: TcpListener) {
        self.serve_until(listener, pending::<()>()).await;
    }

    /// Like [`serve`](Self::serve), until `stop` is done: then no more clients are accepted, every
    /// connection is closed with 1001, and it returns once all have ended.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve_until(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let events = Arc::new(self);
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                while let Poll::Ready(Some(_)) = connections.poll_join_next(cx) {}
                listener.poll_accept(cx).map(Some)
            });
            let (stream, peer) = match accepted.await {
                None => break,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) if is_of_one_client(&error) => continue,
                Some(Err(_)) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (events, stopped) = (Arc::clone(&events), stopped.clone());
            connections.spawn(async move {
                if let Err(error) = events.serve_one(stream, peer, stopped).await
                    && let Some(refused) = &events.refused
                {
                    refused(peer, error);
                }
            });
        }
        drop(listener);
        stopping.send_replace(true);
        while connections.join_next().await.is_some() {}
    }

    async fn serve_one(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let answer = |request: Request<'_>| match &self.request {
            Some(answer) => answer(request),
            None => Ok(Acceptance::new()),
        };
        let socket = accept_async_with(stream, &self.config, answer).await?;
        let (reader, session, ended) = of_tcp(socket, Some(peer));
        self.drive(reader, session, ended, Some(stopped)).await;
        Ok(())
    }

    /// Opens a connection to a URL, and handles it in a task of its own.
    ///
    /// # Errors
    /// See [`connect_async`](crate::connect_async).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(self, url: &str) -> Result<Session, Error> {
        self.connect_with(url, Ok).await
    }

    /// Like [`connect`](Self::connect), with what `complete` adds to the request: subprotocols, an
    /// origin, headers.
    ///
    /// # Errors
    /// See [`Connector::connect_with`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect_with(
        mut self,
        url: &str,
        complete: impl FnOnce(ClientRequest) -> Result<ClientRequest, HandshakeMisuse>,
    ) -> Result<Session, Error> {
        let connector = self.connector.take().unwrap_or_default().with_config(self.config.clone());
        let socket = connector.connect_with(url, complete).await?;
        let peer = socket.get_ref().get_ref().peer_addr().ok();
        let (reader, session, ended) = of_any(socket, peer);
        let handle = session.clone();
        tokio::spawn(async move { self.drive(reader, session, ended, None).await });
        Ok(handle)
    }

    /// Handles a connection that was opened elsewhere, such as by axum or over TLS, until it has
    /// ended.
    pub async fn run<S>(&self, socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (reader, session, ended) = of_any(socket, None);
        self.drive(reader, session, ended, None).await;
    }

    async fn drive<R: AsyncRead + Unpin>(
        &self,
        mut reader: WebSocketReader<R, BoxedWrite>,
        session: Session,
        ended: watch::Sender<bool>,
        mut stopped: Option<watch::Receiver<bool>>,
    ) {
        let mut stopping = pin!(async {
            match &mut stopped {
                Some(stopped) => drop(stopped.wait_for(|is_stopped| *is_stopped).await),
                None => pending().await,
            }
        });
        let mut has_stopped = false;
        let mut ahead = None;
        let mut close = CloseEvent { code: 1006, reason: Utf8Bytes::default(), was_clean: false };
        let mut handling = call(self.open.as_ref(), &session, ());
        loop {
            // The handler goes first, so that its peer waits for it; one message is read ahead.
            let item = poll_fn(|cx| {
                if !has_stopped && stopping.as_mut().poll(cx).is_ready() {
                    has_stopped = true;
                    session
                        .inner
                        .writer
                        .start_close(CloseCode::GOING_AWAY, "the server shuts down");
                }
                if let Some(future) = &mut handling
                    && future.as_mut().poll(cx).is_ready()
                {
                    handling = None;
                }
                if ahead.is_none()
                    && let Poll::Ready(item) = Pin::new(&mut reader).poll_next(cx)
                {
                    ahead = Some(item);
                }
                match handling {
                    None => ahead.take().map_or(Poll::Pending, Poll::Ready),
                    Some(_) => Poll::Pending,
                }
            });
            handling = match item.await {
                None => break,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    call(self.message.as_ref(), &session, message)
                }
                Some(Ok(Message::Close(frame))) => {
                    close.was_clean = true;
                    close.code = 1005;
                    if let Some(frame) = frame {
                        (close.code, close.reason) = (frame.code.as_u16(), frame.reason);
                    }
                    None
                }
                Some(Ok(_)) => None,
                Some(Err(error)) => call(self.error.as_ref(), &session, error),
            };
        }
        if let Some(handling) = call(self.close.as_ref(), &session, close) {
            handling.await;
        }
        ended.send_replace(true);
    }
}

fn call<T>(handler: Option<&Callback<T>>, session: &Session, event: T) -> Option<Done> {
    handler.map(|handler| handler(session.clone(), event))
}

/// Returns whether accepting failed because of one client, and can go on at once.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Splits a TCP stream without a lock.
fn of_tcp(
    socket: WebSocketStream<TcpStream>,
    peer: Option<SocketAddr>,
) -> (WebSocketReader<impl AsyncRead + Unpin, BoxedWrite>, Session, watch::Sender<bool>) {
    let (reader, writer) = socket.split_with(|stream| {
        let (read, write) = stream.into_split();
        (read, Box::new(write) as BoxedWrite)
    });
    let (session, ended) = Session::new(writer, reader.subprotocol(), peer);
    (reader, session, ended)
}

fn of_any<S>(
    socket: WebSocketStream<S>,
    peer: Option<SocketAddr>,
) -> (WebSocketReader<impl AsyncRead + Unpin, BoxedWrite>, Session, watch::Sender<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = socket.split_with(|stream| {
        let (read, write) = tokio::io::split(stream);
        (read, Box::new(write) as BoxedWrite)
    });
    let (session, ended) = Session::new(writer, reader.subprotocol(), peer);
    (reader, session, ended)
}

/// Shows which handlers there are.
impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("config", &self.config)
            .field("on_open", &self.open.is_some())
            .field("on_message", &self.message.is_some())
            .field("on_error", &self.error.is_some())
            .field("on_close", &self.close.is_some())
            .finish_non_exhaustive()
    }
}

/// A connection, to send on and to close, from its handlers or from anywhere else. Clones are of
/// the same connection.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    id: u64,
    peer: Option<SocketAddr>,
    subprotocol: Option<Box<str>>,
    writer: WebSocketWriter<BoxedWrite>,
    ended: watch::Receiver<bool>,
}

impl Session {
    fn new(
        writer: WebSocketWriter<BoxedWrite>,
        subprotocol: Option<&str>,
        peer: Option<SocketAddr>,
    ) -> (Self, watch::Sender<bool>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (ending, ended) = watch::channel(false);
        let (id, subprotocol) = (NEXT.fetch_add(1, Ordering::Relaxed), subprotocol.map(Into::into));
        (Self { inner: Arc::new(Inner { id, peer, subprotocol, writer, ended }) }, ending)
    }

    /// Returns a number that no other connection of this process has had.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// Returns the peer's address, if it is known.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.peer
    }

    /// Returns the subprotocol that was agreed.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.inner.subprotocol.as_deref()
    }

    /// Returns whether messages may be sent: no Close was sent or received.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner.writer.ready_state() == ReadyState::Open
    }

    /// Sends a message; returns once the stream has taken it. Waits while the peer does not read.
    ///
    /// # Errors
    /// [`Error::Send`] if the message may not be sent; [`Error::Io`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.inner.writer.send(message).await
    }

    /// Starts the closing handshake; [`closed`](Self::closed) waits for its end.
    ///
    /// # Errors
    /// [`Error::Send`] if the reason is longer than 123 bytes; [`Error::Io`].
    pub async fn close(&self, close: Option<CloseFrame>) -> Result<(), Error> {
        self.inner.writer.close(close).await
    }

    /// Waits until the connection has ended, and its last handler with it.
    pub async fn closed(&self) {
        // An error means that its task is gone, and the connection with it.
        self.inner.ended.clone().wait_for(|has_ended| *has_ended).await.ok();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.inner.id)
            .field("peer", &self.inner.peer)
            .field("subprotocol", &self.inner.subprotocol)
            .finish_non_exhaustive()
    }
}
