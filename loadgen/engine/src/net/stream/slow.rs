//! Limits how many bytes a second are read from a stream, however many have arrived.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Stream;

/// How often a slow reader reads.
const TURN: Duration = Duration::from_millis(100);
const TURNS_PER_S: u64 = 10;
/// The smallest receive buffer of a socket in the kernel, approximately.
const RECEIVE_BUFFER_MIN: usize = 2_304;

/// A stream that is read slowly, and written at full speed.
#[derive(Debug)]
pub struct SlowStream {
    pub(super) stream: Stream,
    bytes_per_s: u64,
    /// Bytes that may be read before the next turn.
    left: u64,
    turn: Pin<Box<Sleep>>,
}

impl SlowStream {
    /// Reads `stream` slowly. Shrinks the kernel's receive buffer to a second's worth of data, so
    /// that the server notices.
    pub(super) fn new(stream: Stream, bytes_per_s: u64) -> Self {
        if let Some(tcp) = stream.tcp() {
            let size = usize::try_from(bytes_per_s).unwrap_or(usize::MAX);
            // If the kernel refuses, it buffers more, and the server notices later.
            set_socket_recv_buffer_size(tcp, size.clamp(RECEIVE_BUFFER_MIN, 1 << 20)).ok();
        }
        Self { stream, bytes_per_s, left: 0, turn: Box::pin(sleep_until(Instant::now())) }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            ready!(self.turn.as_mut().poll(cx));
            // At a rate below one byte per turn, turns are longer.
            self.left = (self.bytes_per_s / TURNS_PER_S).max(1);
            let nanos = 1_000_000_000 / self.bytes_per_s;
            let turn = TURN.max(Duration::from_nanos(nanos));
            self.turn.as_mut().reset(Instant::now() + turn);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let len = part.filled().len();
        buffer.advance(len);
        self.left -= len as u64;
        Poll::Ready(Ok(()))
    }
}
