//! The opening handshake over a tokio stream.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
#[cfg(feature = "deflate")]
use wscodec::deflate::{DeflateClient, DeflateServer};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, HandshakeLimits,
    Rejection, Request, ServerHandshake,
};
use wscodec::{Connection, ConnectionBuilder, Role};

use crate::config::Config;
use crate::error::Error;
use crate::stream::WebSocketStream;

/// The size of one read of a head, in bytes.
const READ_LEN: usize = 4 << 10;

/// Accepts any WebSocket that a client asks for on a fresh stream, with the default [`Config`].
///
/// Bound its time with `tokio::time::timeout`: a client may stay silent forever.
///
/// # Errors
/// [`Error::Handshake`] if the request can't be accepted; it has been answered. [`Error::Io`].
pub async fn accept_async<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
) -> Result<WebSocketStream<S>, Error> {
    accept_async_with(stream, &Config::default(), |_| Ok(Acceptance::new())).await
}

/// Like [`accept_async`], with the result of `answer` for the request: a subprotocol, headers, or a
/// refusal by target or origin.
///
/// # Errors
/// See [`accept_async`]; [`HandshakeError::Rejected`] if `answer` refused; [`Error::Misuse`] if it
/// selected what was not offered.
pub async fn accept_async_with<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    config: &Config,
    answer: impl FnOnce(Request<'_>) -> Result<Acceptance, Rejection>,
) -> Result<WebSocketStream<S>, Error> {
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    let mut input = BytesMut::new();
    let mut out = Vec::new();
    let (answer, offered) = loop {
        let mut unread = &mut input[..];
        let outcome = handshake.receive(&mut unread);
        let left = unread.len();
        match outcome {
            Ok(Some(request)) => {
                let offered: Vec<String> = request.subprotocols().map(str::to_owned).collect();
                let answer = answer(request);
                let taken = input.len() - left;
                let _ = input.split_to(taken);
                break (answer, offered);
            }
            Ok(None) => input.clear(),
            Err(error) => {
                handshake.reject(error, &mut out)?;
                stream.write_all(&out).await?;
                stream.flush().await?;
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
            handshake.reject(rejection, &mut out)?;
            stream.write_all(&out).await?;
            stream.flush().await?;
            return Err(HandshakeError::Rejected { status }.into());
        }
    };
    let builder = ConnectionBuilder::server().limits(config.limits);
    #[cfg(feature = "deflate")]
    let connection = match &config.deflate {
        None => {
            handshake.accept(&acceptance, &mut out)?;
            builder.open()
        }
        Some((deflate, pool)) => {
            let mut deflate = DeflateServer::new(*deflate);
            handshake.accept_with_extensions(&acceptance, &mut deflate, &mut out)?;
            let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
            builder.extension(agreed.as_ref()).open()
        }
    };
    #[cfg(not(feature = "deflate"))]
    let connection = {
        handshake.accept(&acceptance, &mut out)?;
        builder.open()
    };
    stream.write_all(&out).await?;
    stream.flush().await?;
    let subprotocol = offered.into_iter().find(|name| selects(&out, name));
    let socket = WebSocketStream::from_connection(stream, connection, input, config);
    Ok(socket.with_subprotocol(subprotocol))
}

/// Returns whether the 101 selects this subprotocol.
fn selects(response: &[u8], name: &str) -> bool {
    let line = format!("\r\nSec-WebSocket-Protocol: {name}\r\n");
    response.windows(line.len()).any(|window| window == line.as_bytes())
}

/// Opens a WebSocket on a fresh stream to a server, with the default [`Config`].
///
/// # Errors
/// [`Error::Handshake`] if the server refuses or answers wrongly; [`Error::Io`].
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
    mut stream: S,
    config: &Config,
) -> Result<WebSocketStream<S>, Error> {
    let mut out = Vec::new();
    #[cfg(feature = "deflate")]
    if let Some((deflate, pool)) = &config.deflate {
        let key = HandshakeKey::random();
        let offers = DeflateClient::new(*deflate);
        let mut handshake = ClientHandshake::start_with_extensions(request, key, offers, &mut out)?;
        stream.write_all(&out).await?;
        stream.flush().await?;
        let (input, subprotocol) = receive(&mut handshake, &mut stream).await?;
        let deflate = handshake.into_extensions();
        let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
        let builder = ConnectionBuilder::client().limits(config.limits);
        let connection = builder.extension(agreed.as_ref()).open();
        let socket = WebSocketStream::from_connection(stream, connection, input, config);
        return Ok(socket.with_subprotocol(subprotocol));
    }
    let key = HandshakeKey::random();
    let mut handshake = ClientHandshake::start_with_key(request, key, &mut out)?;
    stream.write_all(&out).await?;
    stream.flush().await?;
    let (input, subprotocol) = receive(&mut handshake, &mut stream).await?;
    let limits = wscodec::Config::default().with_limits(config.limits);
    let connection = Connection::new(Role::Client, limits);
    let socket = WebSocketStream::from_connection(stream, connection, input, config);
    Ok(socket.with_subprotocol(subprotocol))
}

/// Waits for the response; returns the bytes read after it, and the subprotocol.
async fn receive<X: wscodec::handshake::ClientExtensions>(
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

/// Opens a WebSocket to a URL such as `ws://localhost:9001/chat?room=1`, over TCP without delay.
///
/// For `wss`, use [`client_async`] with a TLS library's stream.
///
/// # Errors
/// [`Error::Url`] for another scheme, or without a host; and those of [`client_async`].
#[cfg(feature = "connect")]
pub async fn connect_async(url: &str) -> Result<WebSocketStream<tokio::net::TcpStream>, Error> {
    const SCHEME: &str = "ws://";
    let rest = match url.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => return Err(Error::Url),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(at);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let request = ClientRequest::new(host, &target)?;
    // An address in brackets contains colons.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    client_async(&request, stream).await
}
