//! WebSockets over HTTP/2 (RFC 8441), on the streams of the `h2` crate.
//!
//! A WebSocket is one stream of a connection: DATA frames carry its bytes, `END_STREAM` is the end of
//! the TCP stream, and `RST_STREAM` its reset. Windows open as messages are taken, so a receiver that
//! doesn't poll stops its peer.
//!
//! ```
//! use bytes::Bytes;
//! use futures_util::{SinkExt, StreamExt};
//! use http::uri::Scheme;
//! use wscodec_tokio::wscodec::handshake::{Acceptance, ClientRequest};
//! use wscodec_tokio::{Config, Error, Message, h2::{Client, DATA_FRAME_BUDGET, accept}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (near, far) = tokio::io::duplex(64 << 10); // TCP or TLS
//! tokio::spawn(async move {
//!     let mut builder = h2::server::Builder::new();
//!     builder.enable_connect_protocol(); // tells clients that they may
//!     builder.data_frame_budget(DATA_FRAME_BUDGET); // many short messages are no attack
//!     let mut connection = builder.handshake::<_, Bytes>(far).await?;
//!     while let Some(request) = connection.accept().await {
//!         let (request, respond) = request?;
//!         tokio::spawn(async move {
//!             let config = Config::default();
//!             let mut socket = accept(request, respond, &config, |_| Ok(Acceptance::new()))?;
//!             while let Some(message) = socket.next().await {
//!                 let message = message?;
//!                 if message.is_text() {
//!                     socket.send(message).await?;
//!                 }
//!             }
//!             Ok::<(), Error>(())
//!         });
//!     }
//!     Ok::<(), h2::Error>(())
//! });
//!
//! let (mut client, connection) = Client::handshake(near, Scheme::HTTP).await?;
//! tokio::spawn(connection);
//! let request = ClientRequest::new("localhost", "/chat")?;
//! let mut socket = client.connect(&request, &Config::default()).await?;
//! socket.send(Message::text("hello")).await?;
//! assert_eq!(socket.next().await.unwrap()?, Message::text("hello"));
//! # Ok(())
//! # }
//! ```

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{Connection, SendRequest};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Ping, PingPong, Reason, RecvStream, SendStream};
use http::uri::Scheme;
use http::{Request, Response, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec::handshake::{Acceptance, ClientRequest, HandshakeError, Offer, Rejection};

use crate::config::Config;
use crate::error::Error;
use crate::handshake::within;
use crate::stream::WebSocketStream;
use crate::upgrade::{self, Accepted, Offering};

/// The `data_frame_budget` of a connection that carries WebSockets, in bytes: what h2 may keep
/// beside the payloads of DATA frames that have not been read.
///
/// Peers put each short message into a frame of its own. By default h2 takes about a hundred of them
/// that wait for an attack, and ends the connection with `ENHANCE_YOUR_CALM`. This is enough for a
/// default window (65,535 bytes) full of frames of one byte, so that flow control alone
/// is the bound. [`Client::handshake`] sets it.
pub const DATA_FRAME_BUDGET: usize = 65_535 * 255;

/// The value of `:protocol` that asks for a WebSocket.
const WEBSOCKET: &str = "websocket";

/// Returns whether a request asks for a WebSocket; any other is the server's to answer.
pub fn is_websocket<B>(request: &Request<B>) -> bool {
    request.method() == http::Method::CONNECT && protocol_of(request) == Some(WEBSOCKET)
}

fn protocol_of<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<Protocol>().map(Protocol::as_str)
}

/// Accepts the WebSocket that a request asks for, with the result of `answer`: a subprotocol,
/// headers, or a refusal by origin.
///
/// The connection must have `h2::server::Builder::enable_connect_protocol`, and should have the
/// [`DATA_FRAME_BUDGET`].
///
/// # Errors
/// [`HandshakeError::Rejected`] with the status with which the request was refused: because it asks
/// for no WebSocket, or wrongly, or by `answer`. [`Error::Io`].
pub fn accept(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    config: &Config,
    answer: impl FnOnce(&Offer<'_>) -> Result<Acceptance, Rejection>,
) -> Result<WebSocketStream<H2Stream>, Error> {
    let protocol = protocol_of(&request).map(str::to_owned);
    let (parts, receive) = request.into_parts();
    match upgrade::accept(&parts, protocol.as_deref(), config, answer) {
        Ok(Accepted { response, connection, subprotocol }) => {
            let send = respond.send_response(response, false).map_err(error_of_stream)?;
            let stream = H2Stream::new(send, receive);
            let socket =
                WebSocketStream::from_connection(stream, connection, BytesMut::new(), config);
            Ok(socket.with_subprotocol(subprotocol.as_deref()))
        }
        Err(rejection) => {
            let status = rejection.status();
            let (mut head, body) = Response::from(rejection).into_parts();
            // "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header
            // fields" (RFC 9113, 8.2.2).
            head.headers.remove(header::CONNECTION);
            head.headers.remove(header::UPGRADE);
            let head = Response::from_parts(head, ());
            let mut send = respond.send_response(head, body.is_empty()).map_err(error_of_stream)?;
            if !body.is_empty() {
                send.send_data(body.into(), true).map_err(error_of_stream)?;
            }
            Err(HandshakeError::Rejected { status }.into())
        }
    }
}

/// A client's connection of HTTP/2, on which WebSockets are opened, many at once.
pub struct Client {
    sender: SendRequest<Bytes>,
    scheme: Scheme,
    /// The question whose answer comes after the server's settings; `None` once they are here.
    settings: Option<PingPong>,
}

impl Client {
    /// Begins a connection on a fresh stream: TLS for which the ALPN protocol `h2` was agreed on, and
    /// [`Scheme::HTTPS`]; or TCP, and [`Scheme::HTTP`].
    ///
    /// The second value is a future that drives the connection: spawn it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        stream: S,
        scheme: Scheme,
    ) -> Result<(Self, Connection<S, Bytes>), Error> {
        let mut builder = h2::client::Builder::new();
        builder.data_frame_budget(DATA_FRAME_BUDGET);
        let handshake = builder.handshake(stream).await;
        let (sender, mut connection) = handshake.map_err(error_of_stream)?;
        let settings = connection.ping_pong();
        Ok((Self { sender, scheme, settings }, connection))
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    /// [`Error::Io`] of kind [`Unsupported`](io::ErrorKind::Unsupported) if the server does not take
    /// WebSockets over HTTP/2; and those of [`connect`].
    pub async fn connect(
        &mut self,
        request: &ClientRequest,
        config: &Config,
    ) -> Result<WebSocketStream<H2Stream>, Error> {
        if let Some(question) = &mut self.settings {
            within(config.handshake_timeout, async {
                question.ping(Ping::opaque()).await.map_err(error_of_stream)?;
                Ok(())
            })
            .await?;
            self.settings = None;
        }
        connect(self.sender.clone(), &self.scheme, request, config).await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Opens a WebSocket on a connection whose first settings of the server have arrived, as they have
/// after any response or [`PingPong`].
///
/// # Errors
/// [`Error::Io`] of kind [`Unsupported`](io::ErrorKind::Unsupported) if the server has not said
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441, 3), [`Error::Handshake`] if it refuses or answers
/// wrongly; [`Timeout::Handshake`](crate::Timeout::Handshake), [`Error::Io`].
pub async fn connect(
    sender: SendRequest<Bytes>,
    scheme: &Scheme,
    request: &ClientRequest,
    config: &Config,
) -> Result<WebSocketStream<H2Stream>, Error> {
    within(config.handshake_timeout, async {
        let mut sender = sender.ready().await.map_err(error_of_stream)?;
        if !sender.is_extended_connect_protocol_enabled() {
            let why = "the server does not take WebSockets over HTTP/2 (RFC 8441)";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why).into());
        }
        let offering = Offering::connect(request, config)?;
        let mut request = offering.offered.to_request().map_err(io::Error::other)?;
        // "[...] MUST be "https" for "wss"-schemed WebSockets and "http" for "ws"-schemed
        // WebSockets" (RFC 8441, 5).
        let mut uri = request.uri().clone().into_parts();
        uri.scheme = Some(scheme.clone());
        *request.uri_mut() = uri.try_into().map_err(io::Error::other)?;
        request.extensions_mut().insert(Protocol::from_static(WEBSOCKET));
        let (response, send) = sender.send_request(request, false).map_err(error_of_stream)?;
        let response = response.await.map_err(error_of_stream)?;
        let (connection, subprotocol) = offering.open(&response, config)?;
        let stream = H2Stream::new(send, response.into_body());
        let socket = WebSocketStream::from_connection(stream, connection, BytesMut::new(), config);
        Ok(socket.with_subprotocol(subprotocol.as_deref()))
    })
    .await
}

/// A stream of HTTP/2 as a byte stream.
///
/// What a DATA frame holds is copied once, into the message or the read buffer: h2 shares its
/// memory, and unmasking needs it alone. Its end and its resets are those of TCP (RFC 8441, 5).
#[derive(Debug)]
pub struct H2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What is left of a DATA frame.
    unread: Bytes,
    is_shut_down: bool,
}

impl H2Stream {
    /// Joins the two directions of a stream.
    #[must_use]
    pub const fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, unread: Bytes::new(), is_shut_down: false }
    }

    /// Returns the identifier of the stream.
    #[must_use]
    pub fn stream_id(&self) -> h2::StreamId {
        self.receive.stream_id()
    }

    /// Waits until something may be written; returns how much, up to `wanted` bytes.
    fn poll_capacity(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let capacity = self.send.capacity();
            if capacity > 0 {
                return Poll::Ready(Ok(capacity.min(wanted)));
            }
            self.send.reserve_capacity(wanted);
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error_of_stream(error))),
                // Not streaming any more: the peer has reset it, or this side has ended it.
                None => {
                    let error = match self.send.poll_reset(cx) {
                        Poll::Ready(Ok(reason)) => error_of_stream(reason.into()),
                        Poll::Ready(Err(error)) => error_of_stream(error),
                        Poll::Pending => io::ErrorKind::BrokenPipe.into(),
                    };
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    fn send(&mut self, data: Bytes) -> io::Result<()> {
        self.send.send_data(data, false).map_err(error_of_stream)
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(error_of_stream(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread.split_to(len));
        // Refused only if more is released than was received, or the stream is over.
        this.receive.flow_control().release_capacity(len).ok();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Writes one DATA frame's worth of all slices together.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        let len = ready!(this.poll_capacity(wanted, cx))?;
        let mut data = BytesMut::with_capacity(len);
        for slice in slices {
            let left = len - data.len();
            data.put_slice(slice.get(..left).unwrap_or(slice));
        }
        Poll::Ready(this.send(data.freeze()).map(|()| len))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: the task of the connection writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// "Orderly TCP-level closures are represented as `END_STREAM` flags" (RFC 8441, 5).
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut_down {
            this.is_shut_down = true;
            this.send.send_data(Bytes::new(), true).map_err(error_of_stream)?;
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns h2's error as that of a socket: "RST exceptions are represented with the `RST_STREAM` frame
/// with the CANCEL error code" (RFC 8441, 5).
fn error_of_stream(error: h2::Error) -> io::Error {
    let kind = match error.reason() {
        Some(Reason::CANCEL | Reason::NO_ERROR) => io::ErrorKind::ConnectionReset,
        Some(Reason::STREAM_CLOSED) => io::ErrorKind::BrokenPipe,
        Some(Reason::REFUSED_STREAM) => io::ErrorKind::ConnectionRefused,
        _ => io::ErrorKind::Other,
    };
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| kind.into());
    }
    io::Error::new(kind, error)
}
