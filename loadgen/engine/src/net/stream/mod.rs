//! Turns a connected socket of any kind into a stream of bytes.
//!
//! Nearly every connection is a plain TCP socket. So that variant is stored inline and all others
//! behind a pointer: the enum is no larger than the socket, and a `match` that always takes the
//! same arm costs nothing.

mod http2;
mod slow;
mod stamped;
mod tls;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub use http2::Http2Share;
use http2::Http2Stream;
pub(super) use http2::{http2_fault, io_error};
use slow::SlowStream;
pub(crate) use stamped::Stamped;
pub use tls::{Agreed, TlsStream};

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// Anything else.
    Other(Box<Other>),
}

/// Anything but plain TCP.
#[derive(Debug)]
pub enum Other {
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS on a stream of any kind.
    Tls(Box<TlsStream>),
    /// A stream of HTTP/2, of a connection that is a stream of any other kind.
    Http2(Http2Stream),
    /// Any other stream, read slowly.
    Slow(SlowStream),
}

impl Stream {
    /// Wraps a Unix socket.
    pub(crate) fn unix(stream: UnixStream) -> Self {
        Self::Other(Box::new(Other::Unix(stream)))
    }

    /// Wraps a TLS stream.
    pub(crate) fn tls(stream: TlsStream) -> Self {
        Self::Other(Box::new(Other::Tls(Box::new(stream))))
    }

    /// Joins the two directions of a stream of HTTP/2.
    pub(crate) fn http2(
        send: SendStream<Bytes>,
        receive: RecvStream,
        share: Rc<Http2Share>,
    ) -> Self {
        Self::Other(Box::new(Other::Http2(Http2Stream::new(send, receive, share))))
    }

    /// Limits reading from this stream to `bytes_per_s`.
    pub(crate) fn slowed(self, bytes_per_s: u64) -> Self {
        Self::Other(Box::new(Other::Slow(SlowStream::new(self, bytes_per_s))))
    }

    /// Writes the front of `bytes` to the socket, and returns how many bytes it took.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it takes none now. The caller then calls again with the
    /// same bytes in front.
    #[inline]
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Other(other) => match &mut **other {
                Other::Unix(stream) => stream.try_write(bytes),
                Other::Tls(stream) => stream.try_write(bytes),
                Other::Http2(stream) => stream.try_write(bytes),
                Other::Slow(slow) => slow.stream.try_write(bytes),
            },
        }
    }

    /// Polls whether [`try_write`](Self::try_write) is worth another try.
    #[inline]
    pub(crate) fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Other(other) => match &mut **other {
                Other::Unix(stream) => stream.poll_write_ready(cx),
                Other::Tls(stream) => stream.poll_write_ready(cx),
                Other::Http2(stream) => stream.poll_write_ready(cx),
                Other::Slow(slow) => slow.stream.poll_write_ready(cx),
            },
        }
    }

    /// Closes the writing half of the stream.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn end_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => shutdown(stream, Shutdown::Write)?,
            Self::Other(other) => match &mut **other {
                Other::Unix(stream) => shutdown(stream, Shutdown::Write)?,
                Other::Tls(stream) => stream.end_write()?,
                Other::Http2(stream) => stream.end_write()?,
                Other::Slow(slow) => slow.stream.end_write()?,
            },
        }
        Ok(())
    }

    /// Removes the socket from this thread's runtime.
    ///
    /// # Errors
    /// The system's error; also fails if the stream isn't a plain socket.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Detached::Tcp),
            Self::Other(other) => match *other {
                Other::Unix(stream) => stream.into_std().map(Detached::Unix),
                Other::Tls(_) | Other::Http2(_) | Other::Slow(_) => {
                    Err(io::ErrorKind::Unsupported.into())
                }
            },
        }
    }

    /// Checks whether flow control of HTTP/2 lets nothing more be written now.
    pub(crate) fn is_stalled(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Other(other) => match &**other {
                Other::Http2(stream) => stream.is_stalled(),
                Other::Slow(slow) => slow.stream.is_stalled(),
                Other::Unix(_) | Other::Tls(_) => false,
            },
        }
    }

    /// Returns the underlying TCP socket, if there is one.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Other(other) => match &**other {
                // The connection of HTTP/2 has one, but not for a stream alone.
                Other::Unix(_) | Other::Http2(_) => None,
                Other::Tls(stream) => stream.tcp(),
                Other::Slow(slow) => slow.stream.tcp(),
            },
        }
    }
}

/// A plain socket that belongs to no runtime, on its way from one to another.
#[derive(Debug)]
pub enum Detached {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Detached {
    /// Adds the socket to this thread's runtime.
    pub(crate) fn attach(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Stream::unix(UnixStream::from_std(stream)?),
        })
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        loop {
            let read = match stream {
                Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
                Self::Other(other) => match &mut **other {
                    Other::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
                    Other::Tls(stream) => stream.poll_read(cx, buffer),
                    Other::Http2(stream) => stream.poll_read(cx, buffer),
                    Other::Slow(slow) => slow.poll_read(cx, buffer),
                },
            };
            match read {
                // A signal interrupted the read; nothing is wrong with the connection.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
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
        let stream = self.get_mut();
        match stream {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(other) => match &mut **other {
                Other::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
                Other::Slow(slow) => Pin::new(&mut slow.stream).poll_write(cx, bytes),
                Other::Tls(_) | Other::Http2(_) => loop {
                    match stream.try_write(bytes) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            ready!(stream.poll_write_ready(cx))?;
                        }
                        taken => return Poll::Ready(taken),
                    }
                },
            },
        }
    }

    /// Does nothing: no data is buffered.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().end_write() {
            // The peer has ended it both ways.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            ended => Poll::Ready(ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_no_larger_than_a_socket() {
        assert_eq!(size_of::<Stream>(), size_of::<TcpStream>());
    }
}
