//! A client that Autobahn's fuzzing server is let loose on: every message goes back as it came,
//! compressed where the server takes the offer.
//!
//! ```text
//! cargo run -p wscodec-tokio --features deflate --example tokio_autobahn_client -- 127.0.0.1:9001
//! ```

use std::error::Error;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use wscodec_tokio::wscodec::deflate::{ContextTakeover, Deflate, DeflatePool};
use wscodec_tokio::{Config, Connector, MaybeTlsStream, Message, WebSocketStream};

const AGENT: &str = "wscodec-tokio";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: tokio_autobahn_client HOST:PORT")?;
    let deflate = Deflate::client();
    // The second is for servers that want no context takeover from clients, and wait for an offer of it.
    let config = Config::default()
        .with_deflate(deflate, DeflatePool::new(8))
        .with_deflate_fallback(deflate.with_client_context(ContextTakeover::Off));
    let connector = Connector::new().with_config(config);
    let mut socket = connector.connect(&format!("ws://{address}/getCaseCount")).await?;
    let mut count = 0;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            count = text.parse()?;
        }
    }
    for case in 1..=count {
        let url = format!("ws://{address}/runCase?case={case}&agent={AGENT}");
        echo(connector.connect(&url).await?).await;
    }
    echo(connector.connect(&format!("ws://{address}/updateReports?agent={AGENT}")).await?).await;
    println!("{count} cases");
    Ok(())
}

/// Sends every message back until the connection has ended; how it ends is the server's to judge.
async fn echo(mut socket: Socket) {
    while let Some(message) = socket.next().await {
        if let Ok(message @ (Message::Text(_) | Message::Binary(_))) = message {
            socket.send(message).await.ok();
        }
    }
}
