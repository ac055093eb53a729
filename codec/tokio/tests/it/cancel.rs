//! Cancel safety: a stream that is not ready at one call, each in turn, and futures dropped there.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec_tokio::wscodec::{ConnectionBuilder, Message as Borrowed};
use wscodec_tokio::{CloseCode, CloseFrame, Message, WebSocketStream};

use crate::support::open;

/// Gives what a peer has sent, a piece a read, and keeps what is written, a piece a write.
#[derive(Debug)]
struct Scripted {
    input: Vec<u8>,
    taken: usize,
    output: Vec<u8>,
    /// How often it was called, and the call at which it is not ready.
    calls: usize,
    pending_at: usize,
    has_ended: bool,
}

impl Scripted {
    fn new(input: &[u8], pending_at: usize) -> Self {
        let input = input.to_vec();
        Self { input, taken: 0, output: Vec::new(), calls: 0, pending_at, has_ended: false }
    }

    fn call(&mut self, cx: &Context<'_>) -> Poll<()> {
        let is_pending = self.calls == self.pending_at;
        self.calls += 1;
        if is_pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.call(cx));
        let len = (self.input.len() - self.taken).min(buffer.remaining()).min(701);
        buffer.put_slice(&self.input[self.taken..self.taken + len]);
        self.taken += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.call(cx));
        assert!(!self.has_ended);
        let len = bytes.len().min(997);
        self.output.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.call(cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.call(cx));
        self.has_ended = true;
        Poll::Ready(Ok(()))
    }
}

/// Polls futures of `make` once each until one is done; the others are dropped.
fn retried<T>(mut make: impl AsyncFnMut() -> T) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        if let Poll::Ready(value) = pin!(make()).poll(&mut cx) {
            return value;
        }
    }
    panic!("it is never done");
}

/// Messages of every kind: whole, in fragments with a Ping between, larger than a read and than what
/// a room is lent for, and a Close.
fn script() -> Vec<u8> {
    let mut client = ConnectionBuilder::client().open();
    let mut wire = Vec::new();
    let long = "long ".repeat(5000);
    for message in [
        Borrowed::Text("one"),
        Borrowed::Ping(b"ping"),
        Borrowed::Binary(&[7; 3000]),
        Borrowed::Text(&long),
        Borrowed::Binary(b""),
    ] {
        client.send(message, &mut wire).unwrap();
    }
    let pieces = std::num::NonZeroUsize::new(600).unwrap();
    client.send_fragmented(Borrowed::Text(&long), pieces, &mut wire).unwrap();
    client.send(Borrowed::Ping(&[1; 125]), &mut wire).unwrap();
    client.close(None, &mut wire).unwrap();
    wire
}

/// Echoes the script; returns what was received, written, and how often the stream was called.
fn whole(input: &[u8], pending_at: usize) -> (Vec<Message>, Scripted) {
    let mut socket = open(Scripted::new(input, pending_at), ConnectionBuilder::server().open());
    let mut received = Vec::new();
    while let Some(message) = retried(async || socket.next().await) {
        let message = message.unwrap();
        if message.is_text() || message.is_binary() {
            retried(async || {
                let queued = socket.queued_len();
                let outcome = {
                    let mut feed = pin!(socket.feed(message.clone()));
                    std::future::poll_fn(|cx| match feed.as_mut().poll(cx) {
                        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                        Poll::Pending => Poll::Ready(None),
                    })
                    .await
                };
                let Some(outcome) = outcome else {
                    assert!(socket.queued_len() <= queued, "nothing is sent by half");
                    return std::future::pending().await;
                };
                outcome.unwrap();
            });
            retried(async || socket.flush().await).unwrap();
        }
        received.push(message);
    }
    (received, socket.into_inner())
}

/// The same by halves.
fn halves(input: &[u8], pending_at: usize) -> (Vec<Message>, Scripted) {
    let socket = open(Scripted::new(input, pending_at), ConnectionBuilder::server().open());
    let (mut reader, writer) = socket.split();
    let mut received = Vec::new();
    while let Some(message) = retried(async || reader.next().await) {
        let message = message.unwrap();
        if message.is_text() || message.is_binary() {
            retried(async || writer.feed(message.clone()).await).unwrap();
            retried(async || writer.flush().await).unwrap();
        }
        received.push(message);
    }
    (received, reader.reunite(writer).unwrap().into_inner())
}

/// Sends messages and closes; the script's messages that still arrive are dropped.
fn closing(input: &[u8], pending_at: usize) -> (Vec<Message>, Scripted) {
    let mut socket: WebSocketStream<Scripted> =
        open(Scripted::new(input, pending_at), ConnectionBuilder::server().open());
    for len in [0, 125, 126, 5000] {
        retried(async || socket.feed(Message::binary(vec![7; len])).await).unwrap();
        retried(async || socket.flush().await).unwrap();
    }
    let close = || Some(CloseFrame::new(CloseCode::NORMAL, "done"));
    retried(async || socket.close(close()).await).unwrap();
    retried(async || socket.close_gracefully(close()).await).unwrap();
    (Vec::new(), socket.into_inner())
}

#[tokio::test]
async fn a_future_dropped_at_any_await_loses_no_message_and_corrupts_none() {
    let input = script();
    for (name, run) in [
        ("whole", whole as fn(&[u8], usize) -> (Vec<Message>, Scripted)),
        ("halves", halves),
        ("closing", closing),
    ] {
        let (messages, stream) = run(&input, usize::MAX);
        assert!(stream.has_ended && stream.taken == input.len(), "{name}");
        assert!(stream.calls > 60, "{name}: {}", stream.calls);
        // One more call, which is not ready, can shift what is written together, but no byte.
        for pending_at in 0..stream.calls {
            let (found, other) = run(&input, pending_at);
            assert!(other.calls > pending_at, "{name} {pending_at}");
            assert_eq!(found, messages, "{name} {pending_at}");
            assert!(other.output == stream.output, "{name} {pending_at}");
            assert!(other.has_ended, "{name} {pending_at}");
        }
    }
}
