//! A stream of HTTP/2 as a stream of bytes (RFC 8441, 5).
//!
//! DATA frames carry the bytes, `END_STREAM` ends one direction as a FIN of TCP does, and
//! `RST_STREAM` breaks it off as a RST does. Only what the peer's flow-control windows allow is
//! handed to the connection, so that what waits for them is counted where what waits for a socket
//! is. The task that drives the connection writes it in the same turn of the thread.

use std::cell::OnceCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tokio::io::ReadBuf;

use super::super::fault::Fault;

/// What the streams of a connection share. Those that are open are counted by their references.
#[derive(Debug, Default)]
pub struct Http2Share {
    /// Why the peer has ended the connection, if it has said so. The streams themselves see only
    /// that its socket has ended.
    pub(in crate::net) fault: OnceCell<Fault>,
}

/// A stream of HTTP/2, of a client or a server.
#[derive(Debug)]
pub struct Http2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What is left of a DATA frame.
    unread: Bytes,
    /// The peer has ended its direction.
    has_end: bool,
    /// This side has ended its direction.
    is_ended: bool,
    share: Rc<Http2Share>,
}

impl Http2Stream {
    /// Joins the two directions of a stream.
    pub(super) const fn new(
        send: SendStream<Bytes>,
        receive: RecvStream,
        share: Rc<Http2Share>,
    ) -> Self {
        Self { send, receive, unread: Bytes::new(), has_end: false, is_ended: false, share }
    }

    /// Hands as much of `bytes` to the connection as the peer's windows allow.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if that is nothing.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send.reserve_capacity(bytes.len());
        let len = self.send.capacity().min(bytes.len());
        match bytes.get(..len) {
            Some(front @ [_, ..]) => {
                let sent = self.send.send_data(Bytes::copy_from_slice(front), false);
                sent.map(|()| len).map_err(|error| self.share.io_error(error))
            }
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Polls whether [`try_write`](Self::try_write) is worth another try.
    pub(super) fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(outcome) => drop(outcome.map_err(|error| self.share.io_error(error))?),
                // Not open any more: the peer has reset it, or this side has ended it.
                None => {
                    return Poll::Ready(Err(match self.send.poll_reset(cx) {
                        Poll::Ready(Ok(reason)) => self.share.io_error(reason.into()),
                        Poll::Ready(Err(error)) => self.share.io_error(error),
                        Poll::Pending => io::ErrorKind::BrokenPipe.into(),
                    }));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(data)) => self.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(self.share.io_error(error))),
                None => {
                    self.has_end = true;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let len = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(len));
        // Refused only if more is released than was received, or the stream is over.
        self.receive.flow_control().release_capacity(len).ok();
        Poll::Ready(Ok(()))
    }

    /// "Orderly TCP-level closures are represented as `END_STREAM` flags" (RFC 8441, 5).
    pub(super) fn end_write(&mut self) -> io::Result<()> {
        if self.is_ended {
            return Ok(());
        }
        self.is_ended = true;
        self.send.send_data(Bytes::new(), true).map_err(|error| self.share.io_error(error))
    }

    /// Checks whether the peer's windows have no room.
    pub(super) fn is_stalled(&self) -> bool {
        self.send.capacity() == 0
    }
}

impl Drop for Http2Stream {
    /// Answers the peer's end with this side's, as closing a socket would. A stream that the peer
    /// has not ended is reset with CANCEL, by h2.
    fn drop(&mut self) {
        if self.has_end {
            // Refused only by a connection that is gone.
            self.end_write().ok();
        }
    }
}

impl Http2Share {
    /// Returns the error of a stream as that of a socket, see [`io_error`].
    pub(in crate::net) fn io_error(&self, error: h2::Error) -> io::Error {
        match self.fault.get().filter(|_| error.is_io()) {
            Some(fault) => io::Error::new(io::ErrorKind::ConnectionReset, fault.clone()),
            None => io_error(error),
        }
    }
}

/// Returns h2's error as that of a socket, with a [`Fault`] that names and explains it.
pub(in crate::net) fn io_error(error: h2::Error) -> io::Error {
    let kind = match error.reason() {
        Some(Reason::CANCEL | Reason::NO_ERROR) => io::ErrorKind::ConnectionReset,
        Some(Reason::STREAM_CLOSED) => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| kind.into());
    }
    io::Error::new(kind, http2_fault(&error))
}

/// Names h2's error and explains it.
pub(in crate::net) fn http2_fault(error: &h2::Error) -> Fault {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let name = format!("{reason:?}");
    let is_bare = !error.is_reset() && !error.is_go_away() && error.reason().is_some();
    if error.is_reset() && error.is_remote() || is_bare {
        let help = match reason {
            Reason::REFUSED_STREAM => "; it takes no more at once: use fewer --streams",
            Reason::HTTP_1_1_REQUIRED => "; it wants HTTP/1.1: leave out --http2",
            Reason::ENHANCE_YOUR_CALM => "; it limits what a client may ask of it",
            _ => "",
        };
        let said = format!("the server reset the stream (RST_STREAM {name}){help}");
        return Fault::new(reset_code(reason), said);
    }
    if error.is_go_away() && error.is_remote() {
        let said = format!("the server ended the HTTP/2 connection (GOAWAY {name})");
        return Fault::new("goaway", said);
    }
    if error.is_reset() || error.is_go_away() {
        let said = format!("the server broke HTTP/2 ({name}): {error}");
        return Fault::new("http2_protocol", said);
    }
    Fault::new("http2", error.to_string())
}

/// Returns the code that a reset by the server is counted under.
const fn reset_code(reason: Reason) -> &'static str {
    match reason {
        Reason::NO_ERROR => "rst_no_error",
        Reason::PROTOCOL_ERROR => "rst_protocol_error",
        Reason::INTERNAL_ERROR => "rst_internal_error",
        Reason::FLOW_CONTROL_ERROR => "rst_flow_control_error",
        Reason::STREAM_CLOSED => "rst_stream_closed",
        Reason::FRAME_SIZE_ERROR => "rst_frame_size_error",
        Reason::REFUSED_STREAM => "rst_refused_stream",
        Reason::CANCEL => "rst_cancel",
        Reason::CONNECT_ERROR => "rst_connect_error",
        Reason::ENHANCE_YOUR_CALM => "rst_enhance_your_calm",
        Reason::HTTP_1_1_REQUIRED => "rst_http_1_1_required",
        _ => "rst_other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_a_reset_has_a_code_of_its_own() {
        // RFC 9113, 7: 0x0 to 0xd, of which three are not sent for a stream.
        let codes: Vec<_> = (0..=13).map(|code| reset_code(Reason::from(code))).collect();
        let others = codes.iter().filter(|&&code| code == "rst_other").count();
        let mut named = codes.clone();
        named.sort_unstable();
        named.dedup();
        assert_eq!((named.len(), others), (12, 3), "{codes:?}");
    }
}
