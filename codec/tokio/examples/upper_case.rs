//! A server that sends every text back in upper case, and its client.
//!
//! ```text
//! cargo run -p wscodec-tokio --features events --example tokio_upper_case -- server
//! cargo run -p wscodec-tokio --features events --example tokio_upper_case -- client ws://127.0.0.1:9001/ hello
//! ```
//!
//! The JDK's `java.net.http.WebSocket` is the client in `codec/ci/examples`, Python's `websockets` the server.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use wscodec_tokio::Message;
use wscodec_tokio::events::Events;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [role] if role == "server" => server("127.0.0.1:9001").await,
        [role, address] if role == "server" => server(address).await,
        [role, url, texts @ ..] if role == "client" && !texts.is_empty() => {
            client(url, texts.to_vec()).await
        }
        _ => Err("usage: tokio_upper_case server [ADDRESS] | client URL TEXT...".into()),
    }
}

async fn server(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let events = Events::new().on_message(|session, message| async move {
        if let Message::Text(text) = message {
            session.send(text.to_uppercase()).await.unwrap_or(());
        }
    });
    events.serve(listener).await;
    Ok(())
}

/// Closes once every text has been answered.
async fn client(url: &str, texts: Vec<String>) -> Result<(), Box<dyn Error>> {
    let unanswered = AtomicUsize::new(texts.len());
    let events = Events::new().on_message(move |session, message| {
        let is_last = unanswered.fetch_sub(1, Ordering::Relaxed) == 1;
        async move {
            println!("{}", String::from_utf8_lossy(&message.into_data()));
            if is_last {
                session.close(None).await.unwrap_or(());
            }
        }
    });
    let session = events.connect(url).await?;
    for text in texts {
        session.send(text).await?;
    }
    session.closed().await;
    Ok(())
}
