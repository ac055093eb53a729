//! Connections of HTTP/2, each of which carries several WebSockets (RFC 8441).
//!
//! ```text
//!   Http2Pool ─ take ─▶ Http2Connection ─ the first to need it opens it, the others wait
//!                          └─ connect ─▶ an extended CONNECT, and a Stream for each WebSocket
//! ```
//!
//! A worker has its own pool, so nothing here is locked but what h2 locks. A task drives each
//! connection for as long as it has streams or may get more.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, PingPong, RecvStream};
use http::Response;
use http::uri::Scheme;
use tokio::sync::{Notify, OnceCell};
use tokio::task::spawn_local;
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{Answered, ClientRequest, ResponseError};

use super::fault::{Fault, stream_fault};
use super::stream::{Http2Share, Stream, http2_fault, io_error};
use super::tls::server_code;

/// Bytes that a peer may send on a stream before they are read.
const STREAM_WINDOW: u32 = 1 << 20;
/// What h2 may keep beside the payloads of DATA frames that have not been read, as a multiple of the
/// window. By default it takes some thousand short messages that wait for an attack.
const BUDGET_PER_BYTE: usize = 16;
/// The largest window of a connection (RFC 9113, 6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// The connections of a worker.
#[derive(Debug)]
pub struct Http2Pool {
    /// WebSockets that a connection carries in its life.
    streams: NonZeroU32,
    /// Of each route, the connection that carries the next WebSockets.
    current: RefCell<Vec<Option<Rc<Http2Connection>>>>,
    /// Shared by the tasks that drive connections; notified when one has ended.
    driven: Rc<Notify>,
}

/// A connection, or one that is yet to be opened.
#[derive(Debug, Default)]
pub struct Http2Connection {
    opened: OnceCell<Opened>,
    /// WebSockets that it was taken for.
    taken: Cell<u32>,
    /// Shared by its open streams, and the task that drives it.
    share: Rc<Http2Share>,
}

/// A connection whose server takes WebSockets.
#[derive(Debug)]
pub struct Opened(SendRequest<Bytes>);

/// A WebSocket that is open.
#[derive(Debug)]
pub struct Accepted {
    /// The stream, which carries frames from now on.
    pub stream: Stream,
    /// The parameters of permessage-deflate, if it was agreed on.
    pub deflate: Option<DeflateAgreed>,
    /// The head of the response.
    pub response: Response<()>,
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub enum Refused {
    /// The stream or its connection failed.
    Stream(Fault),
    /// The response refuses, or is not that of a WebSocket.
    Response(ResponseError, Response<Stream>),
}

impl Http2Pool {
    /// Returns a pool for `routes` routes, whose connections carry `streams` WebSockets each.
    pub(crate) fn new(streams: NonZeroU32, routes: usize) -> Self {
        let current = RefCell::new((0..routes).map(|_| None).collect());
        Self { streams, current, driven: Rc::default() }
    }

    /// Returns the connection that carries the next WebSocket of a route.
    pub fn take(&self, route: usize) -> Rc<Http2Connection> {
        let mut current = self.current.borrow_mut();
        let Some(place) = current.get_mut(route) else { return Rc::default() };
        let has_room =
            |own: &Rc<Http2Connection>| own.taken.get() < self.streams.get() && !own.is_over();
        let connection = place.take().filter(has_room).unwrap_or_default();
        connection.taken.set(connection.taken.get() + 1);
        Rc::clone(place.insert(connection))
    }

    /// Begins HTTP/2 on a fresh stream, and waits until the server has said that it takes
    /// WebSockets. Afterwards a task of this thread drives the connection.
    ///
    /// # Errors
    /// How the stream failed, or what the server does not offer.
    pub async fn start(&self, own: &Http2Connection, stream: Stream) -> Result<Opened, Fault> {
        let window = STREAM_WINDOW.saturating_mul(self.streams.get()).min(WINDOW_MAX);
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(window)
            .data_frame_budget((window as usize).saturating_mul(BUDGET_PER_BYTE));
        let begun = builder.handshake(stream).await;
        let (sender, mut connection) = begun.map_err(first_fault)?;
        let mut settled = Settled { question: connection.ping_pong(), is_asked: false };
        poll_fn(|cx| settled.poll(&mut connection, &sender, cx)).await?;
        let (driven, share) = (Rc::clone(&self.driven), Rc::downgrade(&own.share));
        spawn_local(async move {
            // The streams are told what else goes wrong.
            if let Err(error) = connection.await
                && !error.is_io()
                && let Some(share) = share.upgrade()
            {
                share.fault.set(http2_fault(&error)).ok();
            }
            driven.notify_one();
        });
        Ok(Opened(sender))
    }

    /// Opens no more WebSockets, and waits until all connections have ended, each with its last
    /// stream.
    pub(crate) async fn end(&self) {
        self.current.borrow_mut().iter_mut().for_each(|place| *place = None);
        while Rc::strong_count(&self.driven) > 1 {
            self.driven.notified().await;
        }
    }
}

/// Waits for the server's first SETTINGS.
struct Settled {
    /// A Ping, whose answer comes after them.
    question: Option<PingPong>,
    is_asked: bool,
}

impl Settled {
    fn poll(
        &mut self,
        connection: &mut Connection<Stream, Bytes>,
        sender: &SendRequest<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        let Some(question) = &mut self.question else { return Poll::Ready(Ok(())) };
        if !self.is_asked {
            self.is_asked = true;
            question.send_ping(Ping::opaque()).map_err(first_fault)?;
        }
        if let Poll::Ready(ended) = Pin::new(connection).poll(cx) {
            let said = "the server ended the connection before its HTTP/2 settings; leave out \
                        --http2 if it speaks HTTP/1.1 here";
            return Poll::Ready(Err(ended.err().map_or(Fault::new("eof", said), first_fault)));
        }
        if sender.is_extended_connect_protocol_enabled() {
            return Poll::Ready(Ok(()));
        }
        question.poll_pong(cx).map(|pong| {
            pong.map_err(first_fault)?;
            let said = "the server speaks HTTP/2 and takes no WebSockets over it (no \
                        SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441): enable that on it, or leave \
                        out --http2";
            Err(Fault::new("no_connect_protocol", said))
        })
    }
}

/// Explains an error before the server has shown that it speaks HTTP/2.
fn first_fault(error: h2::Error) -> Fault {
    if error.is_library() {
        let said = format!(
            "what the server sent is not HTTP/2 ({error}); it may speak HTTP/1.1: leave out \
             --http2; or TLS: use wss://"
        );
        return Fault::new("not_http2", said);
    }
    if !error.is_io() {
        return http2_fault(&error);
    }
    let error = io_error(error);
    let code = match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => "eof",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "reset",
        _ => "io",
    };
    let said = format!(
        "{error}, before the server's HTTP/2 settings; leave out --http2 if it speaks HTTP/1.1 here"
    );
    Fault::new(code, said)
}

impl Http2Connection {
    /// Returns the open connection; `open` opens it, unless another caller does already. If that
    /// fails, the next caller tries.
    pub(crate) async fn opened<E>(
        &self,
        open: impl Future<Output = Result<Opened, E>>,
    ) -> Result<&Opened, E> {
        self.opened.get_or_try_init(|| open).await
    }

    /// Returns how many streams are open, or being opened.
    pub(crate) fn streams(&self) -> u64 {
        (Rc::strong_count(&self.share) - 1) as u64
    }

    /// Checks whether it can carry no more: it has failed, or the server has sent GOAWAY.
    fn is_over(&self) -> bool {
        let Some(opened) = self.opened.get() else { return false };
        let ready = opened.0.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Err(_)))
    }

    /// Opens a WebSocket on a stream of its own.
    ///
    /// # Errors
    /// Why the server, or its stream, gave no WebSocket.
    pub async fn connect(
        &self,
        opened: &Opened,
        request: &ClientRequest,
        is_secure: bool,
        mut deflate: DeflateClient,
    ) -> Result<Accepted, Refused> {
        let share = Rc::clone(&self.share); // one more from now on
        let most = opened.0.current_max_send_streams() as u64;
        if self.streams() > most {
            let said = format!(
                "the server allows {most} streams at once on a connection \
                 (SETTINGS_MAX_CONCURRENT_STREAMS); use --streams {most}"
            );
            return Err(Refused::Stream(Fault::new("max_streams", said)));
        }
        let of_stream =
            |error: h2::Error| Refused::Stream(fault_before_response(&share.io_error(error)));
        let bad = |said: String| Refused::Stream(Fault::new("request", said));
        let offered = request.offer_connect(&deflate).map_err(|error| bad(error.to_string()))?;
        let mut head = offered.to_request().map_err(|error| bad(error.to_string()))?;
        // "[...] MUST be "https" for "wss"-schemed WebSockets and "http" for "ws"-schemed
        // WebSockets" (RFC 8441, 5).
        let mut uri = head.uri().clone().into_parts();
        uri.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
        *head.uri_mut() =
            uri.try_into().map_err(|error: http::uri::InvalidUriParts| bad(error.to_string()))?;
        head.extensions_mut().insert(Protocol::from_static("websocket"));
        let mut sender = opened.0.clone().ready().await.map_err(of_stream)?;
        let (response, send) = sender.send_request(head, false).map_err(of_stream)?;
        let response: Response<RecvStream> = response.await.map_err(of_stream)?;
        let (head, receive) = response.into_parts();
        let stream = Stream::http2(send, receive, share);
        let response = Response::from_parts(head, ());
        let answered = Answered::from_response(&offered, &response)
            .and_then(|answered| answered.agree(&mut deflate));
        match answered {
            Ok(()) => {
                let deflate = deflate.agreed().copied();
                Ok(Accepted { stream, deflate, response })
            }
            Err(error) => Err(Refused::Response(error, response.map(|()| stream))),
        }
    }
}

/// Returns the code under which a server counts a client whose connection failed before any request.
pub fn http2_server_code(error: h2::Error) -> &'static str {
    server_code(&io_error(error)).unwrap_or("http2_preface")
}

/// Explains an error of a stream before its response.
fn fault_before_response(error: &io::Error) -> Fault {
    if let Some(fault) = stream_fault(error) {
        return fault.clone();
    }
    let code = match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "reset"
        }
        ErrorKind::UnexpectedEof => "eof",
        _ => "io",
    };
    Fault::new(code, error.to_string())
}
