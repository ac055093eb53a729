//! TLS on top of a stream: plaintext in and out, records on the socket.
//!
//! Built on rustls alone and not on tokio-rustls, because a writer counts a byte as sent only when
//! the socket has it: see [`TlsStream::try_write`].

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{Connection, HandshakeKind};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::super::fault::Fault;
use super::super::tls::{ServerTls, client_fault};
use super::Stream;

/// A TLS stream, of a client or a server.
pub struct TlsStream {
    socket: Stream,
    tls: Connection,
    /// Plaintext bytes encrypted into records that the socket hasn't fully taken.
    taken_len: usize,
}

/// What the client and the server have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Whether an earlier session was resumed.
    pub(crate) is_resumed: bool,
    /// Such as `TLS 1.3`.
    pub version: String,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The protocol that ALPN selected.
    pub alpn: Option<String>,
}

impl TlsStream {
    /// Wraps a stream that a server has just accepted; reading performs the handshake.
    pub(crate) fn accept(socket: Stream, server: &ServerTls) -> io::Result<Self> {
        let tls = server.connection().map_err(io::Error::other)?;
        Ok(Self { socket, tls: tls.into(), taken_len: 0 })
    }

    /// Performs a client's handshake.
    pub(crate) async fn connect(
        socket: Stream,
        tls: rustls::ClientConnection,
    ) -> Result<(Self, Agreed), Fault> {
        let mut stream = Self { socket, tls: tls.into(), taken_len: 0 };
        poll_fn(|cx| stream.poll_handshake(cx)).await.map_err(|e| client_fault(&e))?;
        let agreed = stream.agreed();
        Ok((stream, agreed))
    }

    fn agreed(&self) -> Agreed {
        let version = self.tls.protocol_version().and_then(|version| version.as_str());
        let suite = self.tls.negotiated_cipher_suite().map(|suite| suite.suite());
        Agreed {
            is_resumed: self.tls.handshake_kind() == Some(HandshakeKind::Resumed),
            version: version.unwrap_or("unknown").replace("TLSv1_", "TLS 1."),
            cipher: suite.and_then(|suite| suite.as_str()).unwrap_or("unknown").to_owned(),
            alpn: self.tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.is_handshaking() {
            if ready!(self.poll_records(cx))? == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
        // What the socket doesn't take now goes out before the next write.
        self.send_records().ok();
        Poll::Ready(Ok(()))
    }

    /// Reads plaintext. An end of the stream that the peer has not announced counts as one, too:
    /// WebSocket has Close for that, and many servers leave out the TLS alert.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.tls.reader().read(buffer.initialize_unfilled()) {
                Ok(len) => {
                    buffer.advance(len);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_records(cx))?;
        }
    }

    /// Reads and decrypts records. Returns how many bytes arrived, 0 at the end of the stream.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while self.tls.wants_write() {
            match self.send_records() {
                Ok(()) => {}
                // In a handshake the peer may be waiting for exactly this.
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock && self.tls.is_handshaking() =>
                {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                // Otherwise it goes out before the next write; and what the peer sent before it
                // broke off can still be read.
                Err(_) => break,
            }
        }
        let mut socket = Polled { socket: &mut self.socket, cx };
        let len = match self.tls.read_tls(&mut socket) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        };
        if let Err(error) = self.tls.process_new_packets() {
            self.send_records().ok(); // the alert that says why
            return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(len))
    }

    /// Encrypts the front of `bytes`, writes it, and returns how many of them the socket has taken.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if it hasn't taken all that was encrypted yet. The caller must
    /// then call again with the same bytes in front; they are not encrypted twice.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.taken_len == 0 {
            self.send_records()?;
            self.taken_len = self.tls.writer().write(bytes)?;
        }
        self.send_records()?;
        Ok(std::mem::take(&mut self.taken_len))
    }

    /// Polls whether [`try_write`](Self::try_write) is worth another try.
    pub(crate) fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(cx)
    }

    /// Announces the end of the writing half and closes it.
    pub(crate) fn end_write(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        // If the socket takes nothing more, the peer isn't reading, and sees only the end.
        self.send_records().ok();
        self.socket.end_write()
    }

    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        self.socket.tcp()
    }

    fn send_records(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut Written(&mut self.socket))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// A socket that rustls reads from.
struct Polled<'s, 'c, 'w> {
    socket: &'s mut Stream,
    cx: &'c mut Context<'w>,
}

impl Read for Polled<'_, '_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut buffer) {
            Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

/// A socket that rustls writes to.
struct Written<'s>(&'s mut Stream);

impl Write for Written<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
