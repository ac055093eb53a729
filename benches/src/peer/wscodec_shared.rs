//! wscodec as wscodec-tokio drives it: payloads as shared bytes, large ones read straight into their
//! message and written from where they are.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use wscodec::connection::SharedEvent;
use wscodec::header::HEADER_LEN_MAX;
use wscodec::message::{SendQueue, SharedMessage};
use wscodec::{Config, Connection, Role};

use super::wscodec::server;
use super::{Decoder, Echo, Encoder, READ_LEN};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "wscodec, shared";

/// The least to read at once before it is known what comes.
const READ_LEN_MIN: usize = 8 << 10;

/// A connection that owns its buffer.
struct Owned {
    stream: MemoryStream,
    connection: Connection,
    input: BytesMut,
    read_len: usize,
    read_len_max: usize,
    queue: SendQueue,
}

impl Owned {
    fn new(stream: MemoryStream, read_len: usize) -> Self {
        let read_len_max = read_len + HEADER_LEN_MAX;
        Self {
            stream,
            connection: server(),
            input: BytesMut::new(),
            read_len: READ_LEN_MIN.min(read_len_max),
            read_len_max,
            queue: SendQueue::new(),
        }
    }

    fn next(&mut self) -> SharedEvent {
        loop {
            let received = self.connection.receive_shared(&mut self.input, self.queue.tail());
            if let Some(event) = received.expect("no fault") {
                return event;
            }
            if let Some(mut room) = self.connection.room() {
                if room.remaining_mut() > self.read_len_max {
                    self.read_len = READ_LEN_MIN;
                }
                self.stream.fill_buf(&mut room, usize::MAX);
                continue;
            }
            self.input.reserve(self.read_len);
            self.stream.fill_buf(&mut self.input, self.read_len);
            if self.input.len() >= self.read_len {
                self.read_len = (self.read_len * 2).min(self.read_len_max);
            }
        }
    }

    fn write(&mut self) {
        write(&mut self.queue, &mut self.stream);
    }
}

fn write(queue: &mut SendQueue, stream: &mut MemoryStream) {
    while queue.has_remaining() {
        let len = queue.chunk().len();
        stream.put(queue.chunk());
        queue.advance(len);
    }
}

/// `receive_shared` and `room`.
pub(crate) struct Receiving(Owned);

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, read_len: usize) -> Self {
        Self(Owned::new(stream, read_len))
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            match self.0.next() {
                SharedEvent::Text(text) => sink.message(Kind::Text, text.as_bytes()),
                SharedEvent::Binary(bytes) => sink.message(Kind::Binary, &bytes),
                _ => continue,
            }
            left -= 1;
        }
    }
}

/// `Sender::send_into` a `SendQueue`.
pub(crate) struct Sending {
    stream: MemoryStream,
    connection: Connection,
    queue: SendQueue,
}

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        let connection = Connection::new(role, Config::default());
        Self { stream, connection, queue: SendQueue::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        for message in messages {
            let message = SharedMessage::Binary(message.clone());
            self.connection.sender().send_into(message, &mut self.queue).expect("sent");
        }
        write(&mut self.queue, &mut self.stream);
    }
}

/// Both.
pub(crate) struct Echoing(Owned);

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        Self(Owned::new(stream, READ_LEN))
    }

    fn echo(&mut self, messages: u64) {
        let mut left = messages;
        while left > 0 {
            let SharedEvent::Binary(bytes) = self.0.next() else { continue };
            let Owned { connection, queue, .. } = &mut self.0;
            let echo = SharedMessage::Binary(bytes);
            connection.sender().send_into(echo, queue).expect("sent");
            // What came in one read goes out in one write.
            if self.0.input.is_empty() {
                self.0.write();
            }
            left -= 1;
        }
        self.0.write();
    }
}
