//! A connected socket of any kind to a stream of bytes.
//!
//! An enum and no trait object: the plain socket is what nearly every connection is, and a match
//! that always goes the same way costs it nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connected stream.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP, plain.
    Tcp(TcpStream),
}

impl Stream {
    /// Hands the front of `bytes` to the socket; how many of them it took.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it takes none now. Whoever calls then calls again with the
    /// same bytes in front.
    #[inline]
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
        }
    }

    /// Ready when [`try_write`](Self::try_write) is worth another try.
    #[inline]
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Ends this side's half of the stream.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn end_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => shutdown(stream, Shutdown::Write)?,
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Nothing is kept back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().end_write())
    }
}
