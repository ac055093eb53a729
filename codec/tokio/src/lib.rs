//! WebSocket over tokio: a [`Stream`](futures_core::Stream) and [`Sink`](futures_sink::Sink) of
//! owned messages over anything that is `AsyncRead` and `AsyncWrite`, on [`wscodec`].
//!
//! ```
//! use futures_util::{SinkExt, StreamExt};
//! use tokio::net::TcpListener;
//! use wscodec_tokio::{Message, accept_async, connect_async};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/chat", listener.local_addr()?);
//! let server = tokio::spawn(async move {
//!     let mut socket = accept_async(listener.accept().await?.0).await?;
//!     while let Some(message) = socket.next().await {
//!         let message = message?;
//!         if message.is_text() || message.is_binary() {
//!             socket.send(message).await?; // the payload is not copied
//!         }
//!     }
//!     Ok::<(), wscodec_tokio::Error>(())
//! });
//!
//! let mut socket = connect_async(&url).await?;
//! socket.send(Message::text("hello")).await?;
//! assert_eq!(socket.next().await.unwrap()?, Message::text("hello"));
//! socket.close(None).await?;
//! while socket.next().await.is_some() {} // the server's answer
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does without being asked
//!
//! - Pings and Closes are answered as soon as the stream is polled, without sending a message.
//! - A payload in a read buffer is handed out as a slice of it, a large payload is read straight
//!   into its message, and sends use vectored writes, so a server copies no payload.
//! - While more waits to be written than [`Config::write_buffer_size_max`], sending waits, and
//!   so does reading: a peer that never reads costs no more memory than that and one message.
//! - Every future and every poll may be dropped: bytes read or to be written stay in the
//!   [`WebSocketStream`], and nothing is lost or sent twice.
//! - A waiting connection holds no read buffer.
//! - The opening handshake, and the closing one with the end of TCP, have times; Pings that notice a
//!   peer that is gone, and a time for idle connections, are a line of [`Config`] away.
//!
//! # Two tasks
//!
//! [`WebSocketStream::split`] makes halves that share no lock across an await. The reading half
//! sends the replies that are due, so the task with the writing half may be busy elsewhere.

mod config;
mod error;
mod message;

mod deadlines;
mod outgoing;

mod inlet;
mod stream;

mod split;

mod handshake;

#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "connect")]
mod maybe_tls;
#[cfg(feature = "rustls")]
mod tls;

#[cfg(feature = "events")]
pub mod events;

#[cfg(feature = "http")]
mod upgrade;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "h2")]
pub mod h2;
#[cfg(feature = "hyper")]
pub mod hyper;

pub use config::{Config, KeepAlive};
#[cfg(feature = "connect")]
pub use connect::{Connector, connect_async};
pub use error::{Error, Timeout};
pub use handshake::{accept_async, accept_async_with, client_async, client_async_with};
#[cfg(feature = "connect")]
pub use maybe_tls::MaybeTlsStream;
pub use message::{CloseFrame, Message};
pub use split::{ReuniteError, WebSocketReader, WebSocketWriter};
pub use stream::WebSocketStream;
#[cfg(feature = "rustls")]
pub use tokio_rustls;
pub use wscodec;
pub use wscodec::CloseCode;
pub use wscodec::message::Utf8Bytes;

/// The example of the crate's page, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
