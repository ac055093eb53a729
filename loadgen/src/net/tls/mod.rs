//! What TLS needs on each side: certificates, keys and names; and what its errors mean.
//!
//! The stream itself is [`TlsStream`](super::TlsStream).

mod client;
mod fault;
mod pem;
mod server;

pub(crate) use client::TlsClient;
pub(super) use fault::client_fault;
pub(crate) use fault::{open_fault, server_code, spoken};
pub use server::ServerTls;

/// The only protocol spoken over TLS here (RFC 7301).
const ALPN: &[u8] = b"http/1.1";
