//! Passes messages on between two open connections, and records them.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use wscodec::{
    CloseCode, CloseFrame, Connection, ConnectionBuilder, Event, Limits, Message, ReadyState,
};

use super::log::Log;
use super::opening::{Opened, READ_LEN};
use crate::net::Stream;
use crate::recording::Side;

/// Bytes that wait for a side; then nothing more is read from the other.
const OUT_LEN_MAX: usize = 1 << 20;
/// How long both sides may take to end, once one has, or once recording is over.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// One side of a connection.
struct End {
    read: ReadHalf<Stream>,
    write: WriteHalf<Stream>,
    codec: Connection,
    buffer: Vec<u8>,
    /// What is to be written.
    out: Vec<u8>,
    /// Whether no more is to be read.
    is_read: bool,
}

impl End {
    fn new(stream: Stream, codec: ConnectionBuilder) -> Self {
        let (read, write) = split(stream);
        // A proxy must not be what limits a message.
        let codec = codec.limits(Limits::unlimited()).open();
        let buffer = vec![0; READ_LEN];
        Self { read, write, codec, buffer, out: Vec::new(), is_read: false }
    }

    /// Checks whether nothing is left to read or to write.
    fn is_over(&self) -> bool {
        let is_closed = self.codec.ready_state() == ReadyState::Closed;
        self.out.is_empty() && (self.is_read || is_closed)
    }

    /// Begins the closing handshake, if it has not begun.
    fn close(&mut self, frame: Option<CloseFrame<'_>>) {
        // It may be closing already.
        self.codec.close(frame, &mut self.out).ok();
    }
}

/// Passes on what one side has sent.
fn pass(input: &mut [u8], (from, to): (&mut End, &mut End), mut log: impl FnMut(bool, &[u8])) {
    let mut input = input;
    while !input.is_empty() {
        let event = match from.codec.receive(&mut input, &mut from.out) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(error) => {
                from.is_read = true;
                to.close(Some(CloseFrame { code: error.close_code(), reason: "" }));
                return;
            }
        };
        // A side that is closing takes no more; what it is sent is recorded all the same.
        match event {
            Event::Text(text) => {
                log(true, text.as_bytes());
                to.codec.send(Message::Text(text), &mut to.out).ok();
            }
            Event::Binary(bytes) => {
                log(false, bytes);
                to.codec.send(Message::Binary(bytes), &mut to.out).ok();
            }
            Event::Ping(payload) => {
                to.codec.send(Message::Ping(payload), &mut to.out).ok();
            }
            Event::Close(frame) => to.close(frame),
            _ => {}
        }
    }
}

/// Takes what was read from a side, or that it has ended.
fn taken(read: &io::Result<usize>, (from, to): (&mut End, &mut End), log: impl FnMut(bool, &[u8])) {
    if let Ok(len @ 1..) = *read {
        let mut buffer = std::mem::take(&mut from.buffer);
        pass(buffer.get_mut(..len).unwrap_or_default(), (from, to), log);
        from.buffer = buffer;
    } else {
        from.is_read = true;
        to.close(Some(CloseFrame { code: CloseCode::GOING_AWAY, reason: "" }));
    }
}

/// Passes messages on until both sides have ended, or until `stop` says so.
pub(super) async fn relay(opened: Opened, log: Log, mut stop: watch::Receiver<bool>) {
    let Opened { client: (client, client_rest), server: (server, server_rest), connection } =
        opened;
    let place = log.open(connection);
    let mut client = End::new(client, ConnectionBuilder::server());
    let mut server = End::new(server, ConnectionBuilder::client());
    let of_client = |is_text, bytes: &[u8]| log.add(place, Side::Client, is_text, bytes);
    let of_server = |is_text, bytes: &[u8]| log.add(place, Side::Server, is_text, bytes);
    let (mut client_rest, mut server_rest) = (client_rest, server_rest);
    pass(&mut client_rest, (&mut client, &mut server), of_client);
    pass(&mut server_rest, (&mut server, &mut client), of_server);
    let mut is_stopped = false;
    let mut deadline: Option<Instant> = None;
    loop {
        if client.is_over() && server.is_over() {
            break;
        }
        if is_stopped || client.is_read || server.is_read {
            deadline.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
        }
        let until = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400));
        tokio::select! {
            read = client.read.read(&mut client.buffer),
                if !client.is_read && server.out.len() < OUT_LEN_MAX =>
                taken(&read, (&mut client, &mut server), of_client),
            read = server.read.read(&mut server.buffer),
                if !server.is_read && client.out.len() < OUT_LEN_MAX =>
                taken(&read, (&mut server, &mut client), of_server),
            written = client.write.write(&client.out), if !client.out.is_empty() =>
                wrote(&written, &mut client),
            written = server.write.write(&server.out), if !server.out.is_empty() =>
                wrote(&written, &mut server),
            _ = stop.changed(), if !is_stopped => {
                is_stopped = true;
                let frame = CloseFrame { code: CloseCode::GOING_AWAY, reason: "" };
                client.close(Some(frame));
                server.close(Some(frame));
            }
            () = sleep_until(until) => break,
        }
    }
    client.write.shutdown().await.ok();
    server.write.shutdown().await.ok();
}

/// Takes what was written off the front; a side that can't be written to is over.
fn wrote(written: &io::Result<usize>, end: &mut End) {
    if let Ok(len @ 1..) = *written {
        end.out.drain(..len);
    } else {
        end.out.clear();
        end.is_read = true;
    }
}
