//! An echo server in axum, with plain HTTP on the same port: `GET /health`.
//!
//! ```text
//! cargo run -p wscodec-tokio --features axum --example tokio_axum_server
//! ```

use axum::Router;
use axum::response::Response;
use axum::routing::{any, get};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use wscodec_tokio::axum::{WebSocket, WebSocketUpgrade};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new()
        .route("/health", get(async || "ok\n"))
        // `any` and not `get`: over HTTP/2 the request is a CONNECT.
        .route(
            "/",
            any(async |upgrade: WebSocketUpgrade| -> Response { upgrade.on_upgrade(echo) }),
        );
    axum::serve(listener, app).await
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
