//! An echo server that Autobahn's fuzzing client, browsers and the clients of others are let loose on.
//!
//! ```text
//! cargo run -p wscodec-tokio --features deflate,h2,rustls --example tokio_autobahn_server -- [OPTION...]
//! ```
//!
//! Prints its port. Selects the subprotocol `chat`, and refuses origins other than its own and that of
//! `--origin ORIGIN`. `--deflate` compresses. `--h2` speaks HTTP/2; `--tls` speaks TLS with a certificate of
//! its own, and HTTP/2 where the client wants it. On HTTP/2 `--files FOLDER` serves a page to browsers. On SIGTERM the
//! server closes every connection with 1001, ends once they have ended, and says how many WebSockets
//! each protocol had.

use std::cell::Cell;
use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use wscodec_tokio::wscodec::deflate::{Deflate, DeflatePool};
use wscodec_tokio::wscodec::handshake::{Acceptance, HandshakeError, Rejection};
use wscodec_tokio::{
    CloseCode, CloseFrame, Config, Error, Message, WebSocketStream, accept_async_with, h2,
    tokio_rustls,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let server = Rc::new(Server::from_words(std::env::args().skip(1))?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    LocalSet::new().run_until(serve_all(&server, listener)).await?;
    println!("{} over HTTP/1.1, {} over HTTP/2", server.http_1.get(), server.http_2.get());
    Ok(())
}

async fn serve_all(server: &Rc<Server>, listener: TcpListener) -> io::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            Some(_) = connections.join_next() => continue,
            _ = terminated.recv() => break,
        };
        stream.set_nodelay(true)?;
        let (server, stopped) = (Rc::clone(server), stopped.clone());
        connections.spawn_local(async move {
            // How a connection ends is its client's to judge.
            server.serve(stream, stopped).await.ok();
        });
    }
    stop.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// What the options say, and what came of them.
struct Server {
    config: Config,
    is_h2: bool,
    tls: Option<TlsAcceptor>,
    origin: Option<String>,
    files: Option<PathBuf>,
    http_1: Cell<u32>,
    http_2: Cell<u32>,
}

impl Server {
    fn from_words(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn StdError>> {
        let mut server = Self {
            config: Config::default(),
            is_h2: false,
            tls: None,
            origin: None,
            files: None,
            http_1: Cell::new(0),
            http_2: Cell::new(0),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--deflate" => {
                    let pool = DeflatePool::new(8);
                    server.config = server.config.with_deflate(Deflate::server(), pool);
                }
                "--h2" => server.is_h2 = true,
                "--tls" => server.tls = Some(tls()?),
                "--origin" => server.origin = words.next(),
                "--files" => server.files = words.next().map(Into::into),
                _ => return Err(format!("{word} is not an option").into()),
            }
        }
        Ok(server)
    }

    async fn serve(
        &self,
        stream: TcpStream,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), Box<dyn StdError>> {
        match &self.tls {
            None if self.is_h2 => self.serve_http_2(stream, stopped).await?,
            None => self.serve_http_1(stream, stopped).await?,
            Some(tls) => {
                let stream = tls.accept(stream).await?;
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    self.serve_http_2(stream, stopped).await?;
                } else {
                    self.serve_http_1(stream, stopped).await?;
                }
            }
        }
        Ok(())
    }

    async fn serve_http_1(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let socket = accept_async_with(stream, &self.config, |request| {
            self.answer(request.origin(), request.host(), request.subprotocols())
        })
        .await?;
        self.http_1.update(|count| count + 1);
        echo_until(socket, stopped).await
    }

    /// Serves the WebSockets of one connection of HTTP/2, each a stream of it.
    async fn serve_http_2(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), ::h2::Error> {
        let mut builder = ::h2::server::Builder::new();
        builder.enable_connect_protocol();
        builder.data_frame_budget(wscodec_tokio::h2::DATA_FRAME_BUDGET);
        let mut connection = builder.handshake::<_, Bytes>(stream).await?;
        let mut sockets = JoinSet::new();
        let mut is_stopping = false;
        loop {
            let (request, mut respond) = tokio::select! {
                accepted = connection.accept() => match accepted {
                    Some(accepted) => accepted?,
                    None => return Ok(()), // and with it the sockets
                },
                Some(_) = sockets.join_next() => continue,
                _ = stopped.changed(), if !is_stopping => {
                    is_stopping = true;
                    connection.graceful_shutdown();
                    continue;
                }
            };
            if let (Some(folder), false) = (&self.files, h2::is_websocket(&request)) {
                let (head, body) = file(folder, request.uri().path());
                respond.send_response(head, false)?.send_data(body, true)?;
                continue;
            }
            let own = request.uri().authority().map_or("", |host| host.as_str()).to_owned();
            let socket = h2::accept(request, respond, &self.config, |offer| {
                self.answer(offer.origin(), &own, offer.subprotocols())
            });
            if let Ok(socket) = socket {
                self.http_2.update(|count| count + 1);
                sockets.spawn_local(echo_until(socket, stopped.clone()));
            }
        }
    }

    fn answer<'r>(
        &self,
        origin: Option<&str>,
        host: &str,
        mut subprotocols: impl Iterator<Item = &'r str>,
    ) -> Result<Acceptance, Rejection> {
        let refuse = |status| Rejection::from(HandshakeError::Rejected { status });
        let own = if self.tls.is_some() { "https://" } else { "http://" };
        let is_own = |origin: &str| origin.strip_prefix(own) == Some(host);
        if origin.is_some_and(|origin| !is_own(origin) && self.origin.as_deref() != Some(origin)) {
            return Err(refuse(403));
        }
        match subprotocols.find(|name| *name == "chat") {
            Some(name) => Acceptance::new().subprotocol(name).map_err(|_| refuse(500)),
            None => Ok(Acceptance::new()),
        }
    }
}

/// TLS with a certificate that nobody trusts, for HTTP/2 or HTTP/1.1.
fn tls() -> Result<TlsAcceptor, Box<dyn StdError>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers with one of the two files that a page consists of.
fn file(folder: &std::path::Path, path: &str) -> (http::Response<()>, Bytes) {
    let (name, kind) = match path {
        "/" => ("page.html", "text/html; charset=utf-8"),
        "/whatwg.js" => ("whatwg.js", "text/javascript; charset=utf-8"),
        _ => ("", ""),
    };
    let mut head = http::Response::new(());
    if let Ok(body) = std::fs::read(folder.join(name)) {
        let kind = http::HeaderValue::from_static(kind);
        head.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        return (head, body.into());
    }
    *head.status_mut() = http::StatusCode::NOT_FOUND;
    (head, Bytes::new())
}

/// Echoes until the connection has ended, or the server stops.
async fn echo_until(
    mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    let stop = async { drop(stopped.wait_for(|is_stopped| *is_stopped).await) };
    tokio::select! {
        () = echo(&mut socket) => return Ok(()),
        () = stop => {}
    }
    let close = CloseFrame::new(CloseCode::GOING_AWAY, "the server shuts down");
    socket.close_gracefully(Some(close)).await
}

/// Sends every message back until the connection has ended.
async fn echo(socket: &mut WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) {
    while let Some(message) = socket.next().await {
        // An error is followed by the end of the connection, in order.
        if let Ok(message @ (Message::Text(_) | Message::Binary(_))) = message {
            socket.send(message).await.ok(); // the stream says why not
        }
    }
}
