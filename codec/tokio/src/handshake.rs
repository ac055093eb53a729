//! The opening handshake over a tokio stream.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
#[cfg(feature = "deflate")]
use wscodec::deflate::DeflateServer;
#[cfg(feature = "deflate")]
use wscodec::handshake::HandshakeKey;
use wscodec::handshake::{
    Acceptance, ClientExtensions, ClientHandshake, ClientRequest, HandshakeError, Rejection,
    Request, ServerHandshake,
};
use wscodec::{Connection, ConnectionBuilder};

use crate::config::Config;
use crate::error::{Error, Timeout};
use crate::stream::WebSocketStream;

/// The size of one read of a head, in bytes.
const READ_LEN: usize = 4 << 10;

/// Accepts any WebSocket that a client asks for on a fresh stream, with the default [`Config`].
///
/// Browsers let any page open WebSockets to any server: where that matters, compare
/// [`Request::origin`] in [`accept_async_with`] (RFC 6455, 10.2).
///
/// # Errors
/// [`Error::Handshake`] if the request can't be accepted; it has been answered.
/// [`Timeout::Handshake`], [`Error::Io`].
pub async fn accept_async<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
) -> Result<WebSocketStream<S>, Error> {
    accept_async_with(stream, &Config::default(), |_| Ok(Acceptance::new())).await
}

/// Like [`accept_async`], with the result of `answer` for the request: a subprotocol, headers, or a
/// refusal by target or origin.
///
/// ```
/// # use tokio::io::{AsyncRead, AsyncWrite};
/// use wscodec_tokio::wscodec::handshake::{Acceptance, Rejection};
/// use wscodec_tokio::{Config, Error, WebSocketStream, accept_async_with};
///
/// # async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<WebSocketStream<S>, Error> {
/// let socket = accept_async_with(stream, &Config::default(), |request| {
///     if request.origin() != Some("https://example.com") {
///         return Err(Rejection::new(403).unwrap());
///     }
///     let acceptance = Acceptance::new();
///     Ok(match request.subprotocols().find(|name| *name == "chat") {
///         Some(name) => acceptance.subprotocol(name).unwrap(),
///         None => acceptance,
///     })
/// })
/// .await?;
/// # Ok(socket)
/// # }
/// ```
///
/// # Errors
/// See [`accept_async`]; [`HandshakeError::Rejected`] if `answer` refused; [`Error::Misuse`] if it
/// selected what was not offered.
pub async fn accept_async_with<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    config: &Config,
    answer: impl FnOnce(Request<'_>) -> Result<Acceptance, Rejection>,
) -> Result<WebSocketStream<S>, Error> {
    let accept = accept(&mut stream, config, answer);
    let (connection, input, acceptance) = within(config.handshake_timeout, accept).await?;
    let socket = WebSocketStream::from_connection(stream, connection, input, config);
    Ok(socket.with_subprotocol(acceptance.selected_subprotocol()))
}

/// Returns the open connection, what was read of its frames, and what was accepted.
async fn accept(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    config: &Config,
    answer: impl FnOnce(Request<'_>) -> Result<Acceptance, Rejection>,
) -> Result<(Connection, BytesMut, Acceptance), Error> {
    let mut handshake = ServerHandshake::new(config.handshake_limits);
    let mut input = BytesMut::new();
    let answer = loop {
        let mut unread = &mut input[..];
        let outcome = handshake.receive(&mut unread);
        let left = unread.len();
        match outcome {
            Ok(Some(request)) => {
                let answer = answer(request);
                let taken = input.len() - left;
                let _ = input.split_to(taken);
                break answer;
            }
            Ok(None) => input.clear(),
            Err(error) => {
                refuse(stream, handshake, error).await?;
                return Err(error.into());
            }
        }
        input.reserve(READ_LEN);
        if stream.read_buf(&mut input).await? == 0 {
            handshake.receive_eof()?;
        }
    };
    let acceptance = match answer {
        Ok(acceptance) => acceptance,
        Err(rejection) => {
            let status = rejection.status();
            refuse(stream, handshake, rejection).await?;
            return Err(HandshakeError::Rejected { status }.into());
        }
    };
    let mut out = Vec::new();
    let connection = open(handshake, config, &acceptance, &mut out)?;
    write(stream, &out).await?;
    Ok((connection, input, acceptance))
}

/// Accepts, with permessage-deflate if both sides want it.
fn open(
    mut handshake: ServerHandshake,
    config: &Config,
    acceptance: &Acceptance,
    out: &mut Vec<u8>,
) -> Result<Connection, Error> {
    let builder = ConnectionBuilder::server().limits(config.limits);
    #[cfg(feature = "deflate")]
    if let Some((deflate, pool)) = &config.deflate {
        let mut deflate = DeflateServer::new(*deflate);
        handshake.accept_with_extensions(acceptance, &mut deflate, out)?;
        let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
        return Ok(builder.extension(agreed.as_ref()).open());
    }
    handshake.accept(acceptance, out)?;
    Ok(builder.open())
}

async fn refuse(
    stream: &mut (impl AsyncWrite + Unpin),
    mut handshake: ServerHandshake,
    rejection: impl Into<Rejection>,
) -> Result<(), Error> {
    let mut out = Vec::new();
    handshake.reject(rejection, &mut out)?;
    write(stream, &out).await?;
    // The response says `Connection: close`. Should the peer be gone, that changes nothing.
    stream.shutdown().await.ok();
    Ok(())
}

/// Opens a WebSocket on a fresh stream to a server, with the default [`Config`].
///
/// The stream may be of any kind: TLS of another library, a Unix socket, or one through a proxy
/// that has answered a CONNECT.
///
/// # Errors
/// [`Error::Handshake`] if the server refuses or answers wrongly; [`Timeout::Handshake`],
/// [`Error::Io`].
pub async fn client_async<S: AsyncRead + AsyncWrite + Unpin>(
    request: &ClientRequest,
    stream: S,
) -> Result<WebSocketStream<S>, Error> {
    client_async_with(request, stream, &Config::default()).await
}

/// Like [`client_async`], with a configuration.
///
/// # Errors
/// See [`client_async`].
pub async fn client_async_with<S: AsyncRead + AsyncWrite + Unpin>(
    request: &ClientRequest,
    stream: S,
    config: &Config,
) -> Result<WebSocketStream<S>, Error> {
    within(config.handshake_timeout, request_upgrade(request, stream, config)).await
}

/// [`client_async_with`], without a bound in time.
pub(crate) async fn request_upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    request: &ClientRequest,
    mut stream: S,
    config: &Config,
) -> Result<WebSocketStream<S>, Error> {
    let mut out = Vec::new();
    let builder = ConnectionBuilder::client().limits(config.limits);
    #[cfg(feature = "deflate")]
    if let Some((offers, pool)) = config.deflate_offers() {
        let key = HandshakeKey::random();
        let handshake = ClientHandshake::start_with_extensions(request, key, offers, &mut out)?;
        let mut handshake = handshake.with_limits(config.handshake_limits);
        write(&mut stream, &out).await?;
        let (input, subprotocol) = receive(&mut handshake, &mut stream).await?;
        let deflate = handshake.into_extensions();
        let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
        let connection = builder.extension(agreed.as_ref()).open();
        let socket = WebSocketStream::from_connection(stream, connection, input, config);
        return Ok(socket.with_subprotocol(subprotocol.as_deref()));
    }
    let handshake = ClientHandshake::start(request, &mut out)?;
    let mut handshake = handshake.with_limits(config.handshake_limits);
    write(&mut stream, &out).await?;
    let (input, subprotocol) = receive(&mut handshake, &mut stream).await?;
    let socket = WebSocketStream::from_connection(stream, builder.open(), input, config);
    Ok(socket.with_subprotocol(subprotocol.as_deref()))
}

/// Waits for the response; returns the bytes read after it, and the subprotocol.
async fn receive<X: ClientExtensions>(
    handshake: &mut ClientHandshake<X>,
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(BytesMut, Option<String>), Error> {
    let mut input = BytesMut::new();
    loop {
        let mut unread = &mut input[..];
        let outcome = handshake.receive(&mut unread);
        let left = unread.len();
        match outcome? {
            Some(response) => {
                let subprotocol = response.subprotocol().map(str::to_owned);
                let taken = input.len() - left;
                let _ = input.split_to(taken);
                return Ok((input, subprotocol));
            }
            None => input.clear(),
        }
        input.reserve(READ_LEN);
        if stream.read_buf(&mut input).await? == 0 {
            handshake.receive_eof()?;
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Error> {
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

/// Bounds the time of an opening handshake.
pub(crate) async fn within<T>(
    time: Option<Duration>,
    handshake: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match time {
        None => handshake.await,
        Some(time) => tokio::time::timeout(time, handshake)
            .await
            .unwrap_or_else(|_| Err(Timeout::Handshake.into())),
    }
}
