//! An echo server over HTTP/2 (RFC 8441): many WebSockets on one connection.
//!
//! ```text
//! cargo run -p wscodec-tokio --features h2 --example tokio_h2_server
//! ```

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use wscodec_tokio::h2::{DATA_FRAME_BUDGET, H2Stream, accept};
use wscodec_tokio::wscodec::handshake::Acceptance;
use wscodec_tokio::{Config, Error, WebSocketStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) -> Result<(), h2::Error> {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol(); // tells clients that they may
    builder.data_frame_budget(DATA_FRAME_BUDGET);
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let accepted = accept(request, respond, &Config::default(), |_| Ok(Acceptance::new()));
        // What is refused has been answered.
        if let Ok(socket) = accepted {
            tokio::spawn(echo(socket));
        }
    }
    Ok(())
}

async fn echo(mut socket: WebSocketStream<H2Stream>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
