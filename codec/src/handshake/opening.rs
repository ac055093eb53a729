//! The two ways in which HTTP becomes a WebSocket.

/// How the client asks for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// GET with |Upgrade| (RFC 6455, 4): HTTP/1.1.
    Upgrade,
    /// Extended CONNECT (RFC 8441, RFC 9220): a stream of HTTP/2 or HTTP/3.
    Connect,
}
