//! The extension module `wscodec._wscodec`: the codec's connection, handshakes and masking as
//! Python classes and functions.
//!
//! ```text
//! Python buffer ── buffer ──▶ slice ── wscodec ──▶ slice ── event, outgoing ──▶ str, bytes, Ping, Pong, Close
//! ```
//!
//! Every class is frozen and keeps its state behind a lock, so that any thread may call it, with a
//! GIL or without. Invariant: no Python code runs while a lock is held, so no call can re-enter
//! one.

mod buffer;
mod error;
mod headers;
mod lock;

mod deflate;
mod event;
mod mask;
mod outgoing;
mod prepared;

mod connection;
mod receiving;
mod sending;
mod split;

mod client_handshake;
mod request;
mod server_handshake;

use pyo3::prelude::*;

/// The extension module.
#[pymodule(gil_used = false)]
mod _wscodec {
    #[pymodule_export]
    use super::client_handshake::{ClientHandshake, Response};
    #[pymodule_export]
    use super::connection::{Connection, State};
    #[pymodule_export]
    use super::deflate::{Deflate, DeflateAgreed};
    #[pymodule_export]
    use super::event::{Close, Ping, Pong};
    #[pymodule_export]
    use super::mask::{accept_key, mask, mask_in_place};
    #[pymodule_export]
    use super::prepared::PreparedMessage;
    #[pymodule_export]
    use super::request::{HttpRequest, Request};
    #[pymodule_export]
    use super::server_handshake::ServerHandshake;
    #[pymodule_export]
    use super::split::{Receiver, Reply, Sender};
}
