//! What TLS needs on each side: certificates, keys and names; and what its errors mean.
//!
//! The stream itself is [`TlsStream`](super::TlsStream).

mod blocking;
mod client;
mod fault;
mod pem;
mod server;

pub use blocking::BlockingTls;
pub(crate) use client::TlsClient;
pub(super) use fault::client_fault;
pub use fault::{open_fault, server_code, spoken};
pub use server::ServerTls;

/// Returns the protocol to agree on (RFC 7301): the only one spoken.
fn alpn(is_http2: bool) -> Vec<Vec<u8>> {
    vec![if is_http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }]
}
