//! What the tests share: payloads, an echo, and a stream that is hardly ever ready.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec_tokio::wscodec::Connection;
use wscodec_tokio::{Config, Error, WebSocketStream};

/// Far more than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

pub fn payloads() -> Vec<String> {
    [0, 1, 125, 126, 4096, 65_535, 65_536, 1 << 20].map(|len| "é".repeat(len / 2)).to_vec()
}

/// Sends every message back until the connection is over.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// One byte a call, and every other read, write and flush is not ready.
#[derive(Debug)]
pub struct Slow<S> {
    stream: S,
    are_ready: [bool; 3],
}

impl<S> Slow<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, are_ready: [false; 3] }
    }

    fn turn(&mut self, call: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.are_ready[call] = !self.are_ready[call];
        if self.are_ready[call] {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Slow<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.turn(0, cx));
        let mut byte = [0; 1];
        let mut one = ReadBuf::new(&mut byte);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Slow<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.turn(1, cx));
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.turn(2, cx));
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An open connection with the default configuration.
pub fn open<S>(stream: S, connection: Connection) -> WebSocketStream<S> {
    WebSocketStream::from_connection(stream, connection, BytesMut::new(), &Config::default())
}
