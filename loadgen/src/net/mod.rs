//! What a URL and the flags around it name, to a stream of bytes between two programs.
//!
//! Apart from the workers because the reference server and `loadgen check` stand on the same
//! streams. Nothing here knows of WebSocket, of histograms or of a plan.

mod stream;

pub(crate) use stream::Stream;
