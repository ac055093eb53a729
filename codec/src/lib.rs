//! WebSocket (RFC 6455) frames without I/O: bytes in, messages out.
//!
//! Six layers, and imports only downwards:
//!
//! | layer | modules | turns |
//! |---|---|---|
//! | L0 vocabulary | [`close`], [`error`], [`limits`], [`role`] | |
//! | L1 bytes | [`header`], [`mask`], [`utf8`], [`text`] | slices into values |
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod close;
pub mod error;
pub mod limits;
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

pub use close::{CloseCode, CloseFrame};
pub use connection::{Config, Connection, Delivery, Event, Fragment, ReadyState};
pub use error::{FrameError, ProtocolError, SendError, Utf8Error};
pub use handshake::{ClientHandshake, HandshakeError, ServerHandshake};
pub use limits::Limits;
pub use message::{DataKind, Message, PreparedMessage};
pub use role::Role;
