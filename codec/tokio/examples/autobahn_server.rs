//! An echo server that Autobahn's fuzzing client and the clients of others are let loose on.
//!
//! ```text
//! cargo run -p wscodec-tokio --features deflate,h2 --example tokio_autobahn_server -- [--deflate] [--h2]
//! ```
//!
//! Prints its port. Selects the subprotocol `chat`, refuses other origins, and compresses if it is
//! told to; with `--h2`, over HTTP/2. On SIGTERM it closes every connection with 1001, and ends once
//! they have ended.

use std::io;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wscodec_tokio::wscodec::deflate::{Deflate, DeflatePool};
use wscodec_tokio::wscodec::handshake::{Acceptance, HandshakeError, Rejection};
use wscodec_tokio::{
    CloseCode, CloseFrame, Config, Error, Message, WebSocketStream, accept_async_with, h2,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (mut config, mut is_h2) = (Config::default(), false);
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--deflate" => config = config.with_deflate(Deflate::server(), DeflatePool::new(8)),
            "--h2" => is_h2 = true,
            _ => return Err(io::Error::other("usage: tokio_autobahn_server [--deflate] [--h2]")),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
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
        let (config, stopped) = (config.clone(), stopped.clone());
        connections.spawn(async move {
            // How a connection ends is its client's to judge.
            if is_h2 {
                serve_h2(stream, config, stopped).await.ok();
            } else {
                serve(stream, &config, stopped).await.ok();
            }
        });
    }
    stop.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn serve(
    stream: TcpStream,
    config: &Config,
    stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    let answer = accept_async_with(stream, config, |request| {
        let own = format!("http://{}", request.host());
        answer(request.origin(), &own, request.subprotocols())
    });
    echo_until(answer.await?, stopped).await
}

/// Serves the WebSockets of one connection of HTTP/2, each a stream of it.
async fn serve_h2(
    stream: TcpStream,
    config: Config,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ::h2::Error> {
    let mut builder = ::h2::server::Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    let mut sockets = JoinSet::new();
    let mut is_stopping = false;
    loop {
        let (request, respond) = tokio::select! {
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
        let own = format!("http://{}", request.uri().authority().map_or("", |host| host.as_str()));
        let socket = h2::accept(request, respond, &config, |offer| {
            answer(offer.origin(), &own, offer.subprotocols())
        });
        if let Ok(socket) = socket {
            sockets.spawn(echo_until(socket, stopped.clone()));
        }
    }
}

fn answer<'r>(
    origin: Option<&str>,
    own: &str,
    mut subprotocols: impl Iterator<Item = &'r str>,
) -> Result<Acceptance, Rejection> {
    let refuse = |status| Rejection::from(HandshakeError::Rejected { status });
    if origin.is_some_and(|origin| origin != own) {
        return Err(refuse(403));
    }
    match subprotocols.find(|name| *name == "chat") {
        Some(name) => Acceptance::new().subprotocol(name).map_err(|_| refuse(500)),
        None => Ok(Acceptance::new()),
    }
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
