//! A server that greets, says what it was told, and says good-bye; and its client.
//!
//! ```text
//! cargo run -p wscodec-tokio --features events --example tokio_you_said -- server
//! cargo run -p wscodec-tokio --features events --example tokio_you_said -- client ws://127.0.0.1:9001/ hello bye
//! ```
//!
//! Node's `ws` is the other side in `codec/ci/examples`.

use std::error::Error;

use tokio::net::TcpListener;
use wscodec_tokio::events::Events;
use wscodec_tokio::{CloseCode, CloseFrame, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [role] if role == "server" => server("127.0.0.1:9001").await,
        [role, address] if role == "server" => server(address).await,
        [role, url, texts @ ..] if role == "client" => client(url, texts.to_vec()).await,
        _ => Err("usage: tokio_you_said server [ADDRESS] | client URL TEXT...".into()),
    }
}

async fn server(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let events = Events::new()
        .on_open(|session| async move { session.send("welcome").await.unwrap_or(()) })
        .on_message(|session, message| async move {
            let Message::Text(text) = message else { return };
            let sent = if &*text == "bye" {
                session.close(Some(CloseFrame::new(CloseCode::NORMAL, "good-bye"))).await
            } else {
                session.send(format!("you said: {text}")).await
            };
            sent.unwrap_or(()); // the client has gone
        })
        .on_close(|session, close| async move { eprintln!("{}: {}", session.id(), close.code) });
    events.serve(listener).await;
    Ok(())
}

/// Says everything, and waits for the server to close.
async fn client(url: &str, texts: Vec<String>) -> Result<(), Box<dyn Error>> {
    let events = Events::new()
        .on_message(|_, message| async move {
            println!("{}", String::from_utf8_lossy(&message.into_data()));
        })
        .on_close(|_, close| async move { println!("{} {}", close.code, &*close.reason) });
    let session = events.connect(url).await?;
    for text in texts {
        session.send(text).await?;
    }
    session.closed().await;
    Ok(())
}
