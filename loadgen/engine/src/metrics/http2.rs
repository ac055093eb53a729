//! The connections of HTTP/2 that carried WebSockets.

use super::counts::counts;

counts! {
    /// Counts of connections of HTTP/2, each of which is a TCP connection. A WebSocket on one of
    /// them is a connection wherever else connections are counted.
    pub struct Http2Counts {
        /// Connections whose server takes WebSockets.
        connections: sum,
        /// Most WebSockets open at once on a connection.
        streams_max: most,
    }
}
