//! What waits to be written, and how it gets written.
//!
//! Invariant: bytes leave the queue only once the stream has taken them, so a poll that is dropped
//! loses nothing and sends nothing twice.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use tokio::io::AsyncWrite;
use wscodec::message::SendQueue;

/// The most pieces written in one call.
const SLICES_MAX: usize = 32;

#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) queue: SendQueue,
    size_max: usize,
    /// Whether bytes were written since the stream was flushed.
    needs_flush: bool,
    /// Whether a write has failed: nothing is written any more.
    is_broken: bool,
}

impl Outgoing {
    pub(crate) const fn new(size_max: usize) -> Self {
        Self { queue: SendQueue::new(), size_max, needs_flush: false, is_broken: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.remaining()
    }

    /// Returns whether more waits than may.
    pub(crate) fn is_above_mark(&self) -> bool {
        self.len() > self.size_max
    }

    /// Waits until less than the mark waits to be written.
    pub(crate) fn poll_ready(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_broken || self.len() >= self.size_max {
            return self.poll_write(stream, cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, until the stream takes no more.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_broken {
            self.queue.clear();
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let outcome = self.poll_write_queue(stream, cx);
        if let Poll::Ready(Err(_)) = outcome {
            self.is_broken = true;
            self.queue.clear();
        }
        outcome
    }

    fn poll_write_queue(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.queue.has_remaining() {
            let stream = Pin::new(&mut *stream);
            let chunk = self.queue.chunk();
            let written = if chunk.len() < self.queue.remaining() && stream.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let filled = self.queue.chunks_vectored(&mut slices);
                let slices = slices.get(..filled).unwrap_or_default();
                ready!(stream.poll_write_vectored(cx, slices))?
            } else {
                ready!(stream.poll_write(cx, chunk))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queue.advance(written.min(self.queue.remaining()));
            self.needs_flush = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, and flushes the stream.
    pub(crate) fn poll_flush(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write(stream, cx))?;
        if self.needs_flush {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }
}
