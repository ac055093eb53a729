//! WebSockets in hyper: a service upgrades a request, a client a connection.
//!
//! ```no_run
//! use std::convert::Infallible;
//!
//! use futures_util::{SinkExt, StreamExt};
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use hyper_util::rt::TokioIo;
//! use wscodec_tokio::wscodec::handshake::Acceptance;
//! use wscodec_tokio::{Config, Error, hyper::upgrade};
//!
//! async fn serve(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let config = Config::default();
//!     let (response, upgrading) = match upgrade(&mut request, &config, |_| Ok(Acceptance::new())) {
//!         Ok(upgrade) => upgrade,
//!         Err(rejection) => return Ok(Response::from(rejection).map(Full::from)),
//!     };
//!     tokio::spawn(async move {
//!         let mut socket = upgrading.await?;
//!         while let Some(message) = socket.next().await {
//!             let message = message?;
//!             if message.is_text() || message.is_binary() {
//!                 socket.send(message).await?;
//!             }
//!         }
//!         Ok::<(), Error>(())
//!     });
//!     Ok(response.map(|()| Full::default()))
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
//! loop {
//!     let stream = TokioIo::new(listener.accept().await?.0);
//!     let connection = hyper::server::conn::http1::Builder::new()
//!         .serve_connection(stream, service_fn(serve))
//!         .with_upgrades();
//!     tokio::spawn(connection);
//! }
//! # }
//! ```
//!
//! With the feature `h2`, a service on HTTP/2 whose connections have
//! `hyper::server::conn::http2::Builder::enable_connect_protocol` upgrades in the same way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{Request, Response};
use hyper::body::Body;
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use wscodec::Connection;
use wscodec::handshake::{Acceptance, ClientRequest, Offer, Rejection};

use crate::config::Config;
use crate::error::Error;
use crate::handshake::within;
use crate::stream::WebSocketStream;
use crate::upgrade::{self, Accepted, Offering};

/// The stream that hyper hands over.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Accepts the WebSocket that a request asks for, with the result of `answer`: a subprotocol,
/// headers, or a refusal by origin.
///
/// Respond with what is returned, and await the [`Upgrading`] in another task: it is done once
/// hyper has sent the response.
///
/// # Errors
/// The response that refuses, with a status that says why: a request that asks for no WebSocket, or
/// wrongly; or what `answer` says. 500 if `answer` selects what was not offered.
pub fn upgrade<B>(
    request: &mut Request<B>,
    config: &Config,
    answer: impl FnOnce(&Offer<'_>) -> Result<Acceptance, Rejection>,
) -> Result<(Response<()>, Upgrading), Rejection> {
    let on_upgrade = hyper::upgrade::on(&mut *request);
    // What is judged borrows the head alone, which is put back.
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.version = request.version();
    parts.headers = std::mem::take(request.headers_mut());
    let protocol = protocol_of(request.extensions());
    let accepted = upgrade::accept(&parts, protocol.as_deref(), config, answer);
    *request.headers_mut() = parts.headers;
    let Accepted { response, connection, subprotocol } = accepted?;
    let upgrading = Upgrading::new(on_upgrade, connection, subprotocol, config);
    Ok((response, upgrading))
}

/// Returns the `:protocol` of an extended CONNECT.
#[cfg(feature = "h2")]
pub(crate) fn protocol_of(extensions: &http::Extensions) -> Option<String> {
    let protocol = extensions.get::<hyper::ext::Protocol>()?;
    Some(protocol.as_str().to_owned())
}

/// Returns `None`: without HTTP/2 there is none.
#[cfg(not(feature = "h2"))]
pub(crate) fn protocol_of(_: &http::Extensions) -> Option<String> {
    None
}

/// A connection that hyper is about to hand over: a future of it.
#[derive(Debug)]
#[must_use = "the connection is dropped with it"]
pub struct Upgrading {
    on_upgrade: OnUpgrade,
    /// What the connection begins with; `None` once it has.
    begin: Option<Box<Begin>>,
}

#[derive(Debug)]
struct Begin {
    connection: Connection,
    subprotocol: Option<Box<str>>,
    config: Config,
}

impl Upgrading {
    pub(crate) fn new(
        on_upgrade: OnUpgrade,
        connection: Connection,
        subprotocol: Option<Box<str>>,
        config: &Config,
    ) -> Self {
        let begin = Begin { connection, subprotocol, config: config.clone() };
        Self { on_upgrade, begin: Some(Box::new(begin)) }
    }
}

/// # Errors
/// [`Error::Io`] if the connection ended before.
impl Future for Upgrading {
    type Output = Result<WebSocketStream<Upgraded>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let upgraded = ready!(Pin::new(&mut this.on_upgrade).poll(cx)).map_err(io::Error::other)?;
        let Some(begin) = this.begin.take() else { return Poll::Pending };
        let Begin { connection, subprotocol, config } = *begin;
        // hyper hands over what it has read ahead with the stream.
        let (stream, read) = (TokioIo::new(upgraded), BytesMut::new());
        let socket = WebSocketStream::from_connection(stream, connection, read, &config);
        Poll::Ready(Ok(socket.with_subprotocol(subprotocol.as_deref())))
    }
}

/// Opens a WebSocket on a fresh connection of HTTP/1.1, which the caller drives, with
/// `with_upgrades`.
///
/// ```no_run
/// use http_body_util::Empty;
/// use hyper::body::Bytes;
/// use hyper_util::rt::TokioIo;
/// use wscodec_tokio::wscodec::handshake::ClientRequest;
/// use wscodec_tokio::{Config, hyper::connect};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("localhost:9001").await?;
/// let handshake = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream));
/// let (mut sender, connection) = handshake.await?;
/// tokio::spawn(connection.with_upgrades());
/// let request = ClientRequest::new("localhost:9001", "/")?;
/// let socket = connect(&mut sender, &request, &Config::default()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Handshake`] if the server refuses or answers wrongly;
/// [`Timeout::Handshake`](crate::Timeout::Handshake), [`Error::Io`].
pub async fn connect<B: Body + Default + 'static>(
    sender: &mut SendRequest<B>,
    request: &ClientRequest,
    config: &Config,
) -> Result<WebSocketStream<Upgraded>, Error> {
    within(config.handshake_timeout, async {
        let offering = Offering::upgrade(request, config)?;
        let request = offering.offered.to_request().map_err(io::Error::other)?;
        let request = request.map(|()| B::default());
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let (connection, subprotocol) = offering.open(&response, config)?;
        let subprotocol = subprotocol.map(Into::into);
        Upgrading::new(hyper::upgrade::on(response), connection, subprotocol, config).await
    })
    .await
}
