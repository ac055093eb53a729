//! tokio-websockets 0.13: a stream and a sink over tokio's streams; AVX-512 masking with scalar
//! ends, simdutf8. Its masking keys come from fastrand, the quickest of its choices, which can be
//! predicted.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink as FuturesSink;
use tokio_websockets::{ClientBuilder, Config, Limits, Message, ServerBuilder, WebSocketStream};

use super::{Acceptor, Decoder, Echo, Encoder, READ_LEN};
use crate::memory::{MemoryStream, now};
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "tokio-websockets";

/// One flush for all messages of a run, instead of one every 8 KiB.
fn config() -> Config {
    Config::default().flush_threshold(2 * READ_LEN).frame_size(usize::MAX)
}

fn server(stream: MemoryStream) -> WebSocketStream<MemoryStream> {
    ServerBuilder::new().config(config()).limits(Limits::unlimited()).serve(stream)
}

#[inline]
fn next(socket: &mut WebSocketStream<MemoryStream>) -> Message {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(socket).poll_next(&mut context) {
        Poll::Ready(Some(Ok(message))) => message,
        _ => panic!("the wire holds messages only"),
    }
}

#[inline]
fn send(socket: &mut WebSocketStream<MemoryStream>, message: Message) {
    let mut context = Context::from_waker(Waker::noop());
    let ready = Pin::new(&mut *socket).poll_ready(&mut context);
    assert!(matches!(ready, Poll::Ready(Ok(()))), "a stream in memory is always ready");
    Pin::new(socket).start_send(message).expect("queued");
}

fn flush(socket: &mut WebSocketStream<MemoryStream>) {
    let flushed = Pin::new(socket).poll_flush(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(flushed, Poll::Ready(Ok(()))), "a stream in memory is always ready");
}

/// `WebSocketStream` as a stream.
pub(crate) struct Receiving(WebSocketStream<MemoryStream>);

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, _: usize) -> Self {
        Self(server(stream))
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        for _ in 0..messages {
            let message = next(&mut self.0);
            let kind = if message.is_text() { Kind::Text } else { Kind::Binary };
            sink.message(kind, message.as_payload());
        }
    }
}

/// `WebSocketStream` as a sink.
pub(crate) struct Sending(WebSocketStream<MemoryStream>);

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        Self(match sender {
            Sender::Client => ClientBuilder::new().config(config()).take_over(stream),
            Sender::Server => server(stream),
        })
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            send(&mut self.0, Message::binary(message.clone()));
        }
        flush(&mut self.0);
    }
}

/// Both.
pub(crate) struct Echoing(WebSocketStream<MemoryStream>);

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self(server(stream))
    }

    fn echo(&mut self, messages: u64) {
        for _ in 0..messages {
            let message = next(&mut self.0);
            send(&mut self.0, message);
        }
        flush(&mut self.0);
    }
}

/// `ServerBuilder::accept`.
pub(crate) struct Accepting;

impl Acceptor for Accepting {
    const NAME: &'static str = NAME;

    fn accept(stream: MemoryStream) {
        now(ServerBuilder::new().accept(stream)).expect("accepted");
    }
}
