//! A WebSocket codec (RFC 6455) without I/O: bytes in, messages out, at memory speed.
//!
//! It owns no socket, clock or thread, and no buffer that the caller did not pass in, so it drops
//! into any stack: blocking, `tokio`, `io_uring`, a browser's worker, a kernel bypass. Payloads are
//! unmasked once, in place, with SIMD instructions chosen at run time; text is validated in the
//! same pass; a message that lies whole in the caller's read buffer is borrowed from there.
//!
//! # The whole life of a connection
//!
//! ```
//! use wscodec::handshake::{Acceptance, ClientHandshake, ClientRequest, HandshakeLimits, ServerHandshake};
//! use wscodec::{CloseCode, CloseFrame, Config, Connection, Event, Message, ReadyState, Role};
//!
//! // What two sockets would carry.
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//!
//! // Opening handshake.
//! let request = ClientRequest::new("localhost", "/echo")?;
//! let mut client_handshake = ClientHandshake::start(&request, &mut to_server)?;
//! let mut server_handshake = ServerHandshake::new(HandshakeLimits::default());
//! let mut input = &mut to_server[..];
//! assert!(server_handshake.receive(&mut input)?.is_some_and(|request| request.path() == "/echo"));
//! server_handshake.accept(&Acceptance::new(), &mut to_client)?;
//! assert!(client_handshake.receive(&mut &mut to_client[..])?.is_some());
//! // What is left in `input` after the head are the first frames: pass it to `Connection::receive`.
//!
//! // Messages.
//! let mut client = Connection::new(Role::Client, Config::default());
//! let mut server = Connection::new(Role::Server, Config::default());
//! (to_server, to_client) = (Vec::new(), Vec::new());
//! client.send(Message::Text("Hello"), &mut to_server)?;
//! client.close(Some(CloseFrame { code: CloseCode::NORMAL, reason: "done" }), &mut to_server)?;
//! let mut input = &mut to_server[..];
//! while let Some((event, sender)) = server.receive_with_sender(&mut input, &mut to_client)? {
//!     match event {
//!         Event::Text(text) => sender.send(Message::Text(text), &mut to_client)?,
//!         Event::Close(close) => assert_eq!(close.unwrap().reason, "done"), // the answer is in `to_client`
//!         _ => {}
//!     }
//! }
//! assert_eq!(server.ready_state(), ReadyState::Closed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How to drive it
//!
//! 1. Read bytes into your own memory. One buffer can serve any number of connections: all input is
//!    taken.
//! 2. Call [`Connection::receive`] or [`Connection::receive_with_sender`] until it returns `None`.
//!    Events borrow from your memory, or from the connection.
//! 3. Append what you want to send with [`Connection::send`] and the like.
//! 4. Write out the output buffer, then clear it.
//! 5. At the end of the stream call [`Connection::receive_eof`]. Once [`Connection::ready_state`]
//!    is [`ReadyState::Closed`], a server closes TCP; a client waits a bounded time for the server
//!    to do so.
//!
//! # Layers
//!
//! Imports point downwards only. Each layer is public: an analyser can stop at frames, a proxy at
//! headers.
//!
//! | layer | modules | turns |
//! |---|---|---|
//! | L5 adapters | `sync` | a blocking stream into a WebSocket |
//! | L4 connection | [`handshake`], [`connection`] | messages into events, by the rules of RFC 6455 |
//! | L4 extensions | `deflate`, `brotli` | messages into fewer bytes, as agreed in the handshake |
//! | L3 messages | [`message`] | fragments into messages |
//! | L2 frames | [`decoder`], [`encoder`] | bytes into frames and back, resumable at any byte |
//! | L1 bytes | [`header`], [`mask`], [`utf8`], [`text`] | slices into values: pure functions |
//! | L0 vocabulary | [`close`], [`error`], [`limits`], [`role`] | the words |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | [`mask::ThreadKeys`]: masking keys kept per thread and seeded by the operating system; `wscodec::sync`: over blocking streams |
//! | `getrandom` | by `std` | seeding from the operating system, also without `std` |
//! | `wasm_js` | no | seeding from the JavaScript engine on `wasm32-unknown-unknown`, by wasm-bindgen |
//! | `deflate` | no | `wscodec::deflate`: permessage-deflate (RFC 7692); brings `std` |
//! | `http` | no | [`handshake`]'s values from and to the types of the `http` crate: hyper, axum, h2, h3; brings `std` |
//! | `brotli` | no | `wscodec::brotli`: an experimental permessage-brotli between two ends of this crate; brings `std` |
//!
//! Without `std` the crate needs `alloc` only, and still chooses its SIMD kernels at run time.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod close;
pub mod error;
pub mod limits;
mod redacted;
pub mod role;

pub mod header;
pub mod mask;
pub mod text;
pub mod utf8;

pub mod decoder;
pub mod encoder;

pub mod message;

pub mod connection;
pub mod handshake;

#[cfg(feature = "brotli")]
pub mod brotli;
#[cfg(feature = "deflate")]
pub mod deflate;

#[cfg(feature = "std")]
pub mod sync;

pub use close::{CloseCode, CloseFrame};
pub use connection::{
    Config, Connection, ConnectionBuilder, Delivery, Event, Fragment, ReadyState, Sender,
};
pub use error::{FrameError, InflateError, ProtocolError, SendError, Utf8Error};
pub use handshake::{ClientHandshake, HandshakeError, ServerHandshake};
pub use limits::Limits;
pub use message::{DataKind, Message, PerMessageExtension, PreparedMessage, Transform};
pub use role::Role;

/// The example of the crate's page, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
