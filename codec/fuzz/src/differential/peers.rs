//! The peers, each with a stream in memory that ends after the bytes.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_core::Stream as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec::Role;

use super::{End, Outcome, SIZE_MAX, Seen};

/// Gives the bytes in reads of `read_len`, then ends; takes and drops what is written.
struct Memory<'b> {
    bytes: &'b [u8],
    read_len: usize,
}

impl Memory<'_> {
    fn next(&mut self, len_max: usize) -> &[u8] {
        let len = self.bytes.len().min(self.read_len).min(len_max);
        let (read, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        read
    }
}

impl io::Read for Memory<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.next(buf.len());
        buf[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }
}

impl io::Write for Memory<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len_max = buf.remaining();
        buf.put_slice(self.next(len_max));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The output of a future that is ready when first polled, as all on [`Memory`] are.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("memory is always ready"),
    }
}

/// What the events were up to the one that `next` ends with.
fn collect(mut next: impl FnMut() -> Result<Seen, End>) -> Outcome {
    let mut seen = Vec::new();
    loop {
        match next() {
            Ok(event) => {
                let is_close = matches!(event, Seen::Close(_));
                seen.push(event);
                if is_close {
                    return Outcome { seen, end: End::Closed };
                }
            }
            Err(end) => return Outcome { seen, end },
        }
    }
}

/// tungstenite 0.30: a `Read + Write` of its own; judges frames once they are whole.
pub fn tungstenite(role: Role, bytes: &[u8], read_len: usize) -> Outcome {
    use tungstenite::error::{Error, ProtocolError};
    use tungstenite::protocol::{Message, Role as Theirs, WebSocket, WebSocketConfig};

    let config = WebSocketConfig::default()
        .read_buffer_size(2 * SIZE_MAX)
        .max_frame_size(Some(SIZE_MAX))
        .max_message_size(Some(SIZE_MAX));
    let theirs = if role == Role::Server { Theirs::Server } else { Theirs::Client };
    let mut socket = WebSocket::from_raw_socket(Memory { bytes, read_len }, theirs, Some(config));
    collect(|| match socket.read() {
        Ok(Message::Text(text)) => Ok(Seen::text(text.as_bytes())),
        Ok(Message::Binary(bytes)) => Ok(Seen::Binary(bytes.to_vec())),
        Ok(Message::Ping(bytes)) => Ok(Seen::Ping(bytes.to_vec())),
        Ok(Message::Pong(bytes)) => Ok(Seen::Pong(bytes.to_vec())),
        // What it makes of a Close whose code it refuses.
        Ok(Message::Close(Some(close))) if close.reason.as_str() == "Protocol violation" => {
            Err(End::Failed("protocol"))
        }
        Ok(Message::Close(close)) => {
            Ok(Seen::Close(close.map(|close| (close.code.into(), close.reason.to_string()))))
        }
        Ok(Message::Frame(_)) => unreachable!("documented: never read"),
        Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Err(End::Open),
        Err(Error::Protocol(_)) => Err(End::Failed("protocol")),
        Err(Error::Utf8(_)) => Err(End::Failed("utf8")),
        Err(Error::Capacity(_)) => Err(End::Failed("too_big")),
        Err(other) => unreachable!("{other:?}"),
    })
}

/// fastwebsockets 0.10: `FragmentCollector` over tokio's traits; never looks at the masking bit's
/// direction.
pub fn fastwebsockets(role: Role, bytes: &[u8], read_len: usize) -> Outcome {
    use fastwebsockets::{FragmentCollector, OpCode, Role as Theirs, WebSocket, WebSocketError};

    let theirs = if role == Role::Server { Theirs::Server } else { Theirs::Client };
    let mut socket = WebSocket::after_handshake(Memory { bytes, read_len }, theirs);
    socket.set_max_message_size(SIZE_MAX + 1); // it refuses the limit itself
    socket.set_auto_pong(false);
    let mut socket = FragmentCollector::new(socket);
    collect(|| match now(socket.read_frame()) {
        Ok(frame) => {
            let payload = &frame.payload[..];
            Ok(match frame.opcode {
                OpCode::Text => Seen::text(payload),
                OpCode::Binary => Seen::Binary(payload.to_vec()),
                OpCode::Ping => Seen::Ping(payload.to_vec()),
                OpCode::Pong => Seen::Pong(payload.to_vec()),
                OpCode::Continuation => unreachable!("put together by the collector"),
                OpCode::Close => {
                    Seen::Close(payload.split_first_chunk::<2>().map(|(code, reason)| {
                        let reason = String::from_utf8_lossy(reason).into_owned();
                        (u16::from_be_bytes(*code), reason)
                    }))
                }
            })
        }
        Err(WebSocketError::UnexpectedEOF) => Err(End::Open),
        Err(WebSocketError::InvalidUTF8) => Err(End::Failed("utf8")),
        Err(WebSocketError::FrameTooLarge) => Err(End::Failed("too_big")),
        Err(_) => Err(End::Failed("protocol")),
    })
}

/// tokio-websockets 0.13: a stream of messages over tokio's traits; judges headers as soon as two
/// bytes are there.
pub fn tokio_websockets(role: Role, bytes: &[u8], read_len: usize) -> Outcome {
    use tokio_websockets::proto::ProtocolError;
    use tokio_websockets::{ClientBuilder, Error, Limits, ServerBuilder};

    let limits = Limits::default().max_payload_len(Some(SIZE_MAX));
    let memory = Memory { bytes, read_len };
    let mut socket = match role {
        Role::Server => ServerBuilder::new().limits(limits).serve(memory),
        Role::Client => ClientBuilder::new().limits(limits).take_over(memory),
    };
    collect(|| {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut socket).poll_next(&mut context) {
            Poll::Ready(Some(Ok(message))) => {
                let payload = &message.as_payload()[..];
                Ok(if message.is_text() {
                    Seen::text(payload)
                } else if message.is_binary() {
                    Seen::Binary(payload.to_vec())
                } else if message.is_ping() {
                    Seen::Ping(payload.to_vec())
                } else if message.is_pong() {
                    Seen::Pong(payload.to_vec())
                } else {
                    Seen::Close(payload.split_first_chunk::<2>().map(|(code, reason)| {
                        let reason = String::from_utf8_lossy(reason).into_owned();
                        (u16::from_be_bytes(*code), reason)
                    }))
                })
            }
            Poll::Ready(None | Some(Err(Error::Io(_)))) => Err(End::Open),
            Poll::Ready(Some(Err(Error::PayloadTooLong { .. }))) => Err(End::Failed("too_big")),
            Poll::Ready(Some(Err(Error::Protocol(ProtocolError::InvalidUtf8)))) => {
                Err(End::Failed("utf8"))
            }
            Poll::Ready(Some(Err(_))) => Err(End::Failed("protocol")),
            Poll::Pending => unreachable!("memory is always ready"),
        }
    })
}
