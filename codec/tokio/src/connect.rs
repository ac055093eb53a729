//! Opens a connection to a URL: its address, TCP, TLS, and the opening handshake.

use std::io;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use tokio::net::TcpStream;
#[cfg(feature = "rustls")]
use tokio_rustls::rustls::ClientConfig;
use url::{Host, Url};
use wscodec::handshake::{ClientRequest, HandshakeMisuse};

use crate::config::Config;
use crate::error::Error;
use crate::handshake::{request_upgrade, within};
use crate::maybe_tls::MaybeTlsStream;
use crate::stream::WebSocketStream;
#[cfg(feature = "rustls")]
use crate::tls;

/// Opens a WebSocket to a URL, such as `ws://localhost:9001/chat?room=1` or `wss://[2001:db8::1]/`,
/// with the default [`Config`].
///
/// `wss` takes the feature `rustls`, and trusts the certificates that the system trusts. Use a
/// [`Connector`] for another configuration, subprotocols and headers. Proxies are not looked for:
/// ask one for the server with CONNECT, and pass the stream to [`client_async`](crate::client_async).
///
/// # Errors
/// [`Error::Io`] of kind [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no such URL; and
/// those of [`client_async`](crate::client_async).
pub async fn connect_async(url: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    Connector::new().connect(url).await
}

/// Opens connections to URLs: a configuration to keep and use for many.
///
/// ```
/// use wscodec_tokio::{Config, Connector, Error};
///
/// # async fn connect() -> Result<(), Error> {
/// let connector = Connector::new().with_config(Config::default());
/// let socket = connector
///     .connect_with("ws://localhost:9001/chat", |request| {
///         request.subprotocol("chat")?.header("Authorization", "Bearer 1234")
///     })
///     .await?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connector {
    config: Config,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// Creates a connector with the default configuration.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the same connector with this configuration.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Returns the same connector with this TLS configuration for `wss`, such as one with a
    /// client's certificate, or one that trusts other certificates.
    ///
    /// If it has ALPN protocols, `http/1.1` must be the only one.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: impl Into<Arc<ClientConfig>>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    /// Opens a WebSocket to a URL; see [`connect_async`].
    ///
    /// # Errors
    /// See [`connect_async`].
    pub async fn connect(
        &self,
        url: &str,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        self.connect_with(url, Ok).await
    }

    /// Like [`connect`](Self::connect), with what `complete` adds to the request: subprotocols, an
    /// origin, headers.
    ///
    /// # Errors
    /// See [`connect_async`]; [`Error::Misuse`] from `complete`.
    pub async fn connect_with(
        &self,
        url: &str,
        complete: impl FnOnce(ClientRequest) -> Result<ClientRequest, HandshakeMisuse>,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        let address = Address::parse(url)?;
        let request = complete(ClientRequest::new(&address.authority, &address.target)?)?;
        within(self.config.handshake_timeout, async {
            let stream = match &address.host {
                Host::Domain(name) => TcpStream::connect((name.as_str(), address.port)).await?,
                Host::Ipv4(ip) => TcpStream::connect((*ip, address.port)).await?,
                Host::Ipv6(ip) => TcpStream::connect((*ip, address.port)).await?,
            };
            stream.set_nodelay(true)?;
            let stream = match address.scheme {
                Scheme::Plain => MaybeTlsStream::Plain(stream),
                #[cfg(feature = "rustls")]
                Scheme::Tls => {
                    let tls = self.tls.clone().map_or_else(tls::of_system, Ok)?;
                    MaybeTlsStream::Tls(Box::new(tls::connect(stream, &address.host, tls).await?))
                }
            };
            request_upgrade(&request, stream, &self.config).await
        })
        .await
    }
}

/// Where to connect to, and what to ask for.
#[derive(Debug)]
struct Address {
    scheme: Scheme,
    host: Host,
    port: u16,
    /// The value of |Host|.
    authority: String,
    target: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Plain,
    #[cfg(feature = "rustls")]
    Tls,
}

impl Address {
    fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|error| refused(format!("not a URL: {error}")))?;
        let scheme = match url.scheme() {
            "ws" => Scheme::Plain,
            #[cfg(feature = "rustls")]
            "wss" => Scheme::Tls,
            #[cfg(not(feature = "rustls"))]
            "wss" => return Err(refused("wss takes the feature `rustls` of wscodec-tokio")),
            _ => return Err(refused("the scheme of the URL is neither ws nor wss")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("the URL has a user: send an Authorization header instead"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(refused("the URL has no host"));
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", url.path());
        Ok(Self { scheme, host: host.to_owned(), port, authority, target })
    }
}

fn refused(why: impl Into<String>) -> Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_url_has_an_address_a_host_and_a_target() {
        for (url, port, authority, target) in [
            ("ws://localhost:9001/chat?room=1#top", 9001, "localhost:9001", "/chat?room=1"),
            ("ws://localhost", 80, "localhost", "/"),
            ("WS://Example.COM:80?a", 80, "example.com", "/?a"),
            ("ws://[::1]:9001/", 9001, "[::1]:9001", "/"),
            ("ws://[2001:DB8::1]/é ", 80, "[2001:db8::1]", "/%C3%A9"),
            ("ws://bücher.example/", 80, "xn--bcher-kva.example", "/"),
            ("ws://127.0.0.1:1", 1, "127.0.0.1:1", "/"),
            #[cfg(feature = "rustls")]
            ("wss://example.com/", 443, "example.com", "/"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(
                (address.port, &*address.authority, &*address.target),
                (port, authority, target),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_url_of_a_websocket_is_refused_with_the_reason() {
        for (url, why) in [
            ("", "not a URL"),
            ("localhost:9001", "neither ws nor wss"),
            ("http://a/", "neither ws nor wss"),
            ("ws://", "empty host"),
            ("ws://a:b@c/", "Authorization"),
            ("ws://a:99999/", "port"),
            ("ws://[::1", "IPv6"),
            #[cfg(not(feature = "rustls"))]
            ("wss://a/", "`rustls`"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.to_string().contains(why), "{url}: {error}");
            assert!(
                matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::InvalidInput)
            );
        }
    }
}
