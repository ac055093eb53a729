//! A client of echo servers that others wrote: one line a check.
//!
//! ```text
//! cargo run -p wscodec-tokio --features deflate,h2 --example tokio_interop_client -- URL [--h2]
//! ```
//!
//! The server is to close with 4000 when it is told `close`. With `--h2` it is spoken to over HTTP/2.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wscodec_tokio::h2::Client;
use wscodec_tokio::wscodec::deflate::{Deflate, DeflatePool};
use wscodec_tokio::wscodec::handshake::ClientRequest;
use wscodec_tokio::{CloseCode, CloseFrame, Config, Connector, Message, WebSocketStream};

/// Where a frame's header changes its form, nothing, and more than a socket takes at once.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (url, is_h2) = match &words[..] {
        [url] => (url, false),
        [url, option] if option == "--h2" => (url, true),
        _ => {
            eprintln!("usage: tokio_interop_client URL [--h2]");
            return ExitCode::from(2);
        }
    };
    let deflate = Config::default().with_deflate(Deflate::client(), DeflatePool::new(8));
    let mut code = ExitCode::SUCCESS;
    for (name, config) in [("plain", Config::default()), ("deflate", deflate)] {
        let checks = async {
            if is_h2 { over_h2(url, config).await } else { over_http_1(url, config).await }
        };
        let outcome = timeout(Duration::from_secs(60), checks).await;
        match outcome.unwrap_or_else(|_| Err("no end".into())) {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                println!("FAILED {name}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

async fn over_http_1(url: &str, config: Config) -> Outcome {
    let connector = Connector::new().with_config(config);
    run(connector.connect(url).await?, connector.connect(url).await?).await
}

/// Both WebSockets are streams of one connection.
async fn over_h2(url: &str, config: Config) -> Outcome {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut client, connection) = Client::handshake(stream, Scheme::HTTP).await?;
    tokio::spawn(connection);
    let request = ClientRequest::new(address, "/")?;
    let one = client.connect(&request, &config).await?;
    run(one, client.connect(&request, &config).await?).await
}

async fn run<S>(mut one: WebSocketStream<S>, mut other: WebSocketStream<S>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    sizes(&mut one).await?;
    pings(&mut one).await?;
    closed_by_server(one).await?;
    many_in_flight(&mut other).await?;
    let close = CloseFrame::new(CloseCode::NORMAL, "done");
    Ok(other.close_gracefully(Some(close)).await?)
}

async fn expect<S>(socket: &mut WebSocketStream<S>, expected: &Message) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match socket.next().await.ok_or("the connection has ended")?? {
        message if message == *expected => Ok(()),
        message => Err(format!("{message:?} in place of {expected:?}").into()),
    }
}

async fn sizes<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Outcome {
    for size in SIZES {
        for message in
            [Message::text("a".repeat(size)), Message::binary(vec![7; size]), Message::text("é€😀")]
        {
            socket.send(message.clone()).await?;
            expect(socket, &message).await?;
        }
    }
    Ok(())
}

async fn pings<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Outcome {
    for payload in [&b""[..], b"?", &[1; 125]] {
        socket.send(Message::Ping(payload.to_vec().into())).await?;
        expect(socket, &Message::Pong(payload.to_vec().into())).await?;
    }
    Ok(())
}

async fn many_in_flight<S>(socket: &mut WebSocketStream<S>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let message = |i: u32| Message::text(format!("message {i}"));
    for i in 0..2000 {
        socket.feed(message(i)).await?;
    }
    socket.flush().await?;
    for i in 0..2000 {
        expect(socket, &message(i)).await?;
    }
    Ok(())
}

async fn closed_by_server<S>(mut socket: WebSocketStream<S>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.send(Message::text("close")).await?;
    let code = CloseCode::try_from(4000).map_err(|_| "a code of applications")?;
    let close = CloseFrame::new(code, "as asked");
    expect(&mut socket, &Message::Close(Some(close))).await?;
    match socket.next().await {
        None => Ok(()),
        Some(message) => Err(format!("after the Close came {message:?}").into()),
    }
}
