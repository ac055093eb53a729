//! What a connection costs: bytes that are not copied, and what is held while nothing happens.
//! Counted by an allocator.
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a test may panic, and what is shared with other tests is not all used"
)]

#[path = "../../tests/support/alloc.rs"]
mod alloc;

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use alloc::{Counting, cost_of};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscodec_tokio::wscodec::message::free_spare_memory;
use wscodec_tokio::wscodec::{ConnectionBuilder, Message as Borrowed};
use wscodec_tokio::{Config, Message, WebSocketStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Gives what a peer has sent, as much as is asked for, and notes where what is written lies.
struct Wire {
    input: Bytes,
    /// The address and the length of each slice written.
    written: Vec<(usize, usize)>,
    is_stuck: bool,
    /// The most that one read gets.
    read_len_max: usize,
    /// The address of the last read that was as long as that.
    read_at: usize,
}

impl Wire {
    fn new(input: Vec<u8>) -> Self {
        Self {
            input: input.into(),
            written: Vec::with_capacity(64),
            is_stuck: false,
            read_len_max: usize::MAX,
            read_at: 0,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        let len = self.input.len().min(buffer.remaining()).min(self.read_len_max);
        if len == self.read_len_max {
            self.read_at = buffer.initialize_unfilled().as_ptr().addr();
        }
        buffer.put_slice(&self.input.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_stuck {
            return Poll::Pending;
        }
        self.written.extend(slices.iter().map(|slice| (slice.as_ptr().addr(), slice.len())));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn server(wire: Wire) -> WebSocketStream<Wire> {
    let connection = ConnectionBuilder::server().open();
    WebSocketStream::from_connection(wire, connection, BytesMut::new(), &Config::default())
}

fn frame(message: Borrowed<'_>) -> Vec<u8> {
    let mut wire = Vec::new();
    ConnectionBuilder::client().open().send(message, &mut wire).unwrap();
    wire
}

fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The payload is read into the message, unmasked there, and written from there. As the first message is
/// put together, its buffer grows, which moves less than half of it; the next has the first one's memory.
#[test]
fn a_mib_in_and_out_of_a_server_is_not_copied() {
    let text = "x".repeat(MIB);
    for message in [Borrowed::Binary(&vec![7; MIB]), Borrowed::Text(&text)] {
        let mut socket = server(Wire::new(frame(message)));
        let mut place = 0;
        let cost = cost_of(|| {
            let message = ready(socket.next()).unwrap().unwrap().unwrap();
            place = match &message {
                Message::Text(text) => text.as_ptr().addr(),
                Message::Binary(bytes) => bytes.as_ptr().addr(),
                _ => panic!("{message:?}"),
            };
            ready(socket.send(message)).unwrap().unwrap();
        });
        assert_eq!(socket.get_ref().written[1], (place, MIB), "written from where it was read to");
        assert!(cost.moved < MIB, "{cost:?}");
        assert!(cost.peak < MIB + MIB / 2, "a copy would take another MiB: {cost:?}");
        let mut socket = server(Wire::new(frame(message)));
        let cost = cost_of(|| {
            let message = ready(socket.next()).unwrap().unwrap().unwrap();
            ready(socket.send(message)).unwrap().unwrap();
        });
        // A read buffer, and what the message lies in until it is too long for that.
        assert!(cost.moved == 0 && cost.peak < 64 << 10, "{cost:?}");
        assert!(cost.held < 1 << 10, "{cost:?}");
        let cost = cost_of(free_spare_memory);
        assert!(cost.held <= -(MIB as isize), "the thread has kept it: {cost:?}");
    }
}

/// A message that lies whole in a read is a slice of it, and a shared one is sent from where it is.
#[test]
fn what_lies_whole_in_a_read_is_neither_copied_nor_moved() {
    let mut socket = server(Wire::new(frame(Borrowed::Binary(&[7; 5000]))));
    let cost = cost_of(|| {
        let message = ready(socket.next()).unwrap().unwrap().unwrap();
        assert_eq!(message.len(), 5000);
    });
    assert!(cost.moved == 0 && cost.peak < 8192 + 512, "one read buffer: {cost:?}");
    let payload = Bytes::from(vec![1; MIB]);
    let place = payload.as_ptr().addr();
    let cost = cost_of(|| {
        for _ in 0..10 {
            ready(socket.send(Message::Binary(payload.clone()))).unwrap().unwrap();
        }
    });
    let payloads = socket.get_ref().written.iter().filter(|piece| **piece == (place, MIB));
    assert_eq!(payloads.count(), 10);
    assert!(cost.peak < 4096, "{cost:?}");
}

/// As loopback cuts a message of 64 KiB with its header: what a second read completes is still a slice of
/// the buffer.
#[test]
fn a_message_that_arrives_in_two_reads_is_not_copied() {
    for message in [Borrowed::Binary(&vec![7; 65_536]), Borrowed::Text(&"x".repeat(65_536))] {
        let wire = Bytes::from(frame(message));
        let header_len = wire.len() - 65_536;
        let mut socket = server(Wire::new(Vec::new()));
        for _ in 0..5 {
            socket.get_mut().input = wire.clone(); // reads get longer
            assert!(ready(socket.next()).is_some_and(|message| message.unwrap().is_ok()));
        }
        socket.get_mut().input = wire;
        socket.get_mut().read_len_max = 65_483;
        let cost = cost_of(|| {
            let message = ready(socket.next()).unwrap().unwrap().unwrap();
            let place = match &message {
                Message::Text(text) => text.as_ptr().addr(),
                Message::Binary(bytes) => bytes.as_ptr().addr(),
                _ => panic!("{message:?}"),
            };
            assert_eq!(place, socket.get_ref().read_at + header_len);
        });
        assert!(cost.moved == 0 && cost.peak < 70 << 10, "{cost:?}");
    }
}

#[test]
fn a_connection_that_waits_holds_nothing_but_itself() {
    let mut socket = server(Wire::new(frame(Borrowed::Text("hello"))));
    assert!(ready(socket.next()).unwrap().is_some());
    let cost = cost_of(|| assert!(ready(socket.next()).is_none()));
    assert!(cost.held <= 0, "{cost:?}");
    let cost = cost_of(|| {
        let mut socket = server(Wire { written: Vec::new(), ..Wire::new(Vec::new()) });
        assert!(ready(socket.next()).is_none());
        let size = size_of_val(&socket) - size_of::<Wire>();
        assert!(size <= 512, "{size}");
        drop(ready(socket.next()));
        assert!(cost_of(|| drop(ready(socket.next()))).held == 0);
    });
    assert_eq!(cost.held, 0, "{cost:?}");
}

/// Neither Pings nor messages that are echoed fill memory behind a peer that does not read.
#[test]
fn a_peer_that_never_reads_costs_no_more_than_the_mark_and_a_message() {
    let mark = Config::WRITE_BUFFER_SIZE_MAX;
    for one in [frame(Borrowed::Ping(&[1; 125])), frame(Borrowed::Binary(&vec![7; 30_000]))] {
        let flood = one.repeat((16 << 20) / one.len());
        let mut socket = server(Wire { is_stuck: true, ..Wire::new(flood) });
        let cost = cost_of(|| {
            let mut fed = 0;
            while let Some(message) = ready(socket.next()) {
                let message = message.unwrap().unwrap();
                if message.is_binary() && ready(socket.feed(message)).is_none() {
                    break;
                }
                fed += 1;
            }
            assert!(fed > 3, "{fed}");
        });
        // Of many Pings in one read, few are answered, so more of them are taken.
        let left = socket.get_ref().input.len();
        assert!(left > 8 << 20, "it is not read from: {left}");
        // What waits, the buffers it lies in, and what was read at once.
        assert!(cost.peak < 2 * mark + (128 << 10), "{cost:?}");
    }
}
