//! The opening handshake (RFC 6455, 4): from bytes to a checked request or response, and back.
//!
//! It is separate from the connection, which it precedes: a [`ClientHandshake`] or a
//! [`ServerHandshake`] *is* the state CONNECTING, takes bytes until it is done, and leaves what
//! follows the head in the caller's buffer: the first frames, which are the connection's first
//! input.
//!
//! ```text
//! client   ClientRequest ──start──▶ bytes            bytes ──receive──▶ Response      │ HandshakeError
//! server   bytes ──receive──▶ Request │ error        accept │ reject ──▶ bytes
//! ```
//!
//! A stack that has parsed HTTP already, such as hyper or HTTP/2, negotiates with values and writes
//! no bytes: [`Offer`] and [`Answer`] on a server, [`Offered`] and [`Answered`] on a client.
//!
//! Invariants: every byte of a head is examined once as it arrives, however it is split; no memory
//! is taken beyond [`HandshakeLimits`]; once failed, a handshake stays failed and takes nothing;
//! and no text from the caller can change the meaning of what is written, because all of it is
//! checked first.
//!
//! Both sides joined in memory:
//!
//! ```
//! use wscodec::handshake::{
//!     Acceptance, ClientHandshake, ClientRequest, HandshakeLimits, ServerHandshake,
//! };
//!
//! let request = ClientRequest::new("localhost", "/echo")?.subprotocol("echo")?;
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//! let mut client = ClientHandshake::start_with_key(&request, [7; 16].into(), &mut to_server)?;
//!
//! let mut server = ServerHandshake::new(HandshakeLimits::default());
//! let request = server.receive(&mut &mut to_server[..])?.expect("the request is complete");
//! assert_eq!((request.host(), request.path()), ("localhost", "/echo"));
//! server.accept(&Acceptance::new().subprotocol("echo")?, &mut to_client)?;
//!
//! let response = client.receive(&mut &mut to_client[..])?.expect("the response is complete");
//! assert_eq!(response.subprotocol(), Some("echo"));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod error;
mod limits;
mod misuse;
mod number;

mod field;
mod head;
mod host;
mod key;
mod opening;
mod target;

mod extensions;

mod client_request;
mod offered;

mod answered;
mod response;

mod client;

mod acceptance;
mod answer;
mod offer;
mod rejection;
mod request;

#[cfg(feature = "http")]
mod http;
mod http_request;

mod server;

pub use acceptance::Acceptance;
pub use answer::Answer;
pub use answered::Answered;
pub use client::{ClientHandshake, INTERIM_RESPONSES_MAX};
pub use client_request::ClientRequest;
pub use error::{HandshakeError, HeadError, RequestError, ResponseError};
pub use extensions::{
    ClientExtensions, EXTENSIONS_MAX, Extension, ExtensionMismatch, ExtensionParameter,
    ExtensionParameters, ExtensionWriter, Extensions, MalformedExtensions, NoExtensions,
    ServerExtensions,
};
pub use head::{Header, Headers};
pub use http_request::HttpRequest;
pub use key::{HandshakeKey, accept_key};
pub use limits::HandshakeLimits;
pub use misuse::HandshakeMisuse;
pub use offer::Offer;
pub use offered::Offered;
pub use rejection::Rejection;
pub use request::Request;
pub use response::Response;
pub use server::{Received, ServerHandshake};
