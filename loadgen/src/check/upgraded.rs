//! What an opening handshake came to, over either version of HTTP.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use wscodec::deflate::DeflateAgreed;

use super::SHOWN_LEN_MAX;
use crate::escape;
use crate::net::Stream;

/// How long to wait for the body of a refusal, and how much of it to read.
const BODY_TIMEOUT: Duration = Duration::from_millis(300);
const BODY_LEN_MAX: usize = 4 << 10;

/// A header's name in the list, and its value.
pub(super) type Negotiated = Vec<(&'static str, String)>;

/// The result of an opening handshake.
pub(super) struct Upgraded {
    pub(super) stream: Stream,
    pub(super) status: &'static str,
    pub(super) negotiated: Negotiated,
    pub(super) agreed: Option<DeflateAgreed>,
    /// The bytes after the response.
    pub(super) rest: Vec<u8>,
}

/// Returns what a response says of the connection.
pub(super) fn negotiated<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> Negotiated {
    let shown = |name| match header(name) {
        Some(value) => escape::bytes(value, SHOWN_LEN_MAX),
        None => "none".into(),
    };
    vec![
        ("subprotocol", shown("Sec-WebSocket-Protocol")),
        ("extensions", shown("Sec-WebSocket-Extensions")),
        ("server", shown("Server")),
    ]
}

/// Returns the start of a refusal's body: what came with the head, and what arrives soon after.
pub(super) async fn body(stream: &mut Stream, came: &[u8]) -> Vec<u8> {
    let mut body = came.to_vec();
    let more = async {
        let mut buffer = [0; BODY_LEN_MAX];
        while body.len() < BODY_LEN_MAX {
            match stream.read(&mut buffer).await {
                Ok(len @ 1..) => body.extend_from_slice(&buffer[..len]),
                _ => return, // no more of it will arrive; show what has
            }
        }
    };
    timeout(BODY_TIMEOUT, more).await.ok();
    body.truncate(BODY_LEN_MAX);
    body
}
