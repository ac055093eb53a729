//! Takes in a socket that has just been accepted: TLS if the server speaks it, then a session, or a
//! connection of HTTP/2 with a session for each of its streams.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::http2;
use super::session::Session;
use super::shared::Seat;
use super::worker::Worker;
use crate::net::{Stream, TlsStream};

/// Takes in a socket for a worker of this thread.
pub(super) fn admit(worker: &Rc<Worker>, stream: io::Result<Stream>, seat: Seat) {
    let accepted_at = Instant::now();
    let stream = stream.and_then(|stream| {
        if let Some(tcp) = stream.tcp() {
            tcp.set_nodelay(true)?;
        }
        match &worker.config().tls {
            None => Ok(stream),
            Some(tls) => TlsStream::accept(stream, tls).map(Stream::tls),
        }
    });
    match stream {
        Err(_) => worker.counters.refused("reset"),
        Ok(stream) if worker.config().is_http2 => http2::admit(worker, stream, seat),
        Ok(stream) => {
            worker.counters.accepted.add(1);
            Session::admit(worker, stream, accepted_at, seat);
        }
    }
}
