//! permessage-deflate (RFC 7692, 7): compressed messages, agreed on in the opening handshake.
//!
//! It uses two interfaces: that of the handshake
//! ([`ClientExtensions`](crate::handshake::ClientExtensions),
//! [`ServerExtensions`](crate::handshake::ServerExtensions)), which negotiates it, and that of
//! messages ([`PerMessageExtension`](crate::PerMessageExtension)), which passes payloads through
//! it. No lower layer depends on it.
//!
//! ```text
//! Deflate ──DeflateClient / DeflateServer──▶ DeflateAgreed ──ConnectionBuilder──▶ Inflater, Deflater
//! (wanted)        (opening handshake)          (agreed)                                  (one for each direction)
//! ```
//!
//! Invariants: inflating stops at the message limit, with at most a chunk of 16 KiB in memory
//! beyond it; an idle connection holds the content of the windows that are taken over, which grow
//! with the bytes sent up to the agreed size, and no stream: streams wait in a pool of the thread,
//! or in a [`DeflatePool`] that tasks share.
//!
//! # Example
//!
//! The client offers, the server picks, and both connections get what was agreed:
//!
//! ```
//! use wscodec::deflate::{Deflate, DeflateClient, DeflateServer};
//! use wscodec::handshake::{
//!     Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
//! };
//! use wscodec::{ConnectionBuilder, Event, Message};
//! # let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//!
//! let request = ClientRequest::new("localhost", "/chat")?;
//! let offers = DeflateClient::new(Deflate::client());
//! let mut client_handshake = ClientHandshake::start_with_extensions(
//!     &request,
//!     HandshakeKey::random(),
//!     offers,
//!     &mut to_server,
//! )?;
//!
//! let mut server_handshake = ServerHandshake::new(HandshakeLimits::default());
//! server_handshake.receive(&mut &mut to_server[..])?.expect("the request is complete");
//! let mut deflate = DeflateServer::new(Deflate::server());
//! server_handshake.accept_with_extensions(&Acceptance::new(), &mut deflate, &mut to_client)?;
//! let mut server = ConnectionBuilder::server().extension(deflate.agreed()).open();
//!
//! client_handshake.receive(&mut &mut to_client[..])?.expect("the response is complete");
//! let deflate = client_handshake.into_extensions();
//! assert!(deflate.agreed().is_some()); // `None` if the server has declined: the connection is a plain one then
//! let mut client = ConnectionBuilder::client().extension(deflate.agreed()).open();
//!
//! to_server.clear();
//! let text = "A rose is a rose is a rose. ".repeat(10);
//! client.send(Message::Text(&text), &mut to_server)?;
//! assert!(to_server.len() < text.len() / 4);
//! let event = server.receive(&mut &mut to_server[..], &mut to_client)?;
//! assert_eq!(event, Some(Event::Text(&text)));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//!
//! | agreed | heap memory of an idle connection | the next message |
//! |---|---|---|
//! | no context takeover | a few hundred bytes | takes a stream from the pool |
//! | context takeover | that, and up to a window's size for each direction | continues with its stream if that waits in the pool; otherwise brings another to its state |
//!
//! # Security
//!
//! "There is a known exploit when history-based compression is combined with a secure transport"
//! (RFC 7692, 8): an attacker that can put text beside a secret and see the length of what is sent
//! learns about the secret. Send secrets with
//! [`send_uncompressed`](crate::Connection::send_uncompressed), which leaves the context alone.

mod window_bits;

mod preferences;

mod history;
mod pool;

mod deflater;
mod inflater;

mod parameters;
mod shared_pool;

mod client;
mod server;

pub use client::DeflateClient;
pub use parameters::DeflateAgreed;
pub use preferences::{ContextTakeover, Deflate, DeflateLevel};
pub use server::DeflateServer;
pub use shared_pool::{DeflatePool, DeflatePooled};
pub use window_bits::WindowBits;

/// The extension's registered name (RFC 7692, 9.1).
pub const NAME: &str = "permessage-deflate";
