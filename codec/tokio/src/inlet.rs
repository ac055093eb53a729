//! From polls to messages: reads, lets the codec judge, writes what is due, watches the times, and
//! ends the connection in order.
//!
//! It is apart from the [`Side`] that it drives, because a whole connection and the reading half of
//! one do the same. Invariant: all bytes read are in `input` or in the codec, so a poll that is
//! dropped loses nothing; when a read begins, `input` is empty or holds part of one message.
//!
//! ```text
//!   Open ──▶ Flushing ──▶ ShuttingDown ──▶ Draining ──▶ Done     a server, and after a failure
//!    │           └──────▶ Draining ──▶ ShuttingDown ──▶ Done     a client
//!    └── the stream broke, or time is up ──────────────▶ Done
//! ```

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use wscodec::connection::SharedEvent;
use wscodec::header::HEADER_LEN_MAX;
use wscodec::message::Room;
use wscodec::{CloseCode, CloseFrame, ProtocolError, ReadyState, Role};

use crate::config::Config;
use crate::deadlines::{Deadlines, Due};
use crate::error::{Error, Timeout};
use crate::message::Message;

/// The size of the first read, and of later ones until a read fills it, in bytes.
const READ_LEN_MIN: usize = 8 << 10;
/// The most to read in one call, in bytes: a message of 64 KiB with its header, and room to spare.
/// After a read that leaves no room, tokio makes another, which finds nothing.
const READ_LEN_MAX: usize = (64 << 10) + 4 * HEADER_LEN_MAX;
/// The least part of a message that waits in the buffer for the rest, in bytes: less is copied by the
/// codec, which finds errors in it at once.
const HELD_LEN_MIN: usize = 8 << 10;

/// How far from the ends of a page long reads begin, in bytes, and the length of a page.
///
/// A processor that copies by `rep movsb` (AMD's, with FSRM) takes four times as long while the target
/// is 1 to 15 bytes ahead of the source within their pages, and in the kernel a message begins with a
/// page, or not far behind its beginning: `results/2026-11-30-tokio`.
const MARGIN: usize = 1024;
const PAGE_LEN: usize = 4096;

thread_local! {
    /// What the next connection reads into that has no buffer: the one that waited last has left it.
    static READ_BUFFER: Cell<BytesMut> = Cell::default();
}

/// What an inlet drives: a whole connection, or its reading half.
pub(crate) trait Side {
    fn role(&self) -> Role;

    /// Returns how far the closing handshake is.
    fn ready_state(&self) -> ReadyState;

    /// Lets the codec take the input; queues what becomes due.
    fn receive(&mut self, input: &mut BytesMut) -> Result<Option<SharedEvent>, ProtocolError>;

    /// See [`Connection::whole_len`](wscodec::Connection::whole_len).
    fn whole_len(&self, input: &[u8]) -> Option<usize>;

    fn receive_eof(&mut self) -> Result<(), ProtocolError>;

    /// Reads once, into `input` or straight into a message; returns the number of bytes read.
    fn poll_read(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Writes and flushes what is queued.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends this side's stream.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns whether so much waits to be written that nothing more may be read; the write that it
    /// waits for wakes the task.
    fn is_above_mark(&self) -> bool;

    /// Queues a Ping, if one may be sent.
    fn queue_ping(&mut self);

    /// Queues a Close, if none was sent.
    fn queue_close(&mut self, close: CloseFrame<'_>);

    /// Returns whether messages were sent since the last call.
    fn take_has_sent(&mut self) -> bool;
}

/// What was read and not taken yet, and how much to read at once.
pub(crate) struct Input {
    bytes: BytesMut,
    read_len: usize,
}

impl Input {
    /// Reads once, into `room` if there is one.
    pub(crate) fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        room: Option<Room<'_>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        // The futures of `read_buf` keep no state between polls, so each poll makes one.
        if let Some(mut room) = room {
            if room.remaining_mut() > READ_LEN_MAX {
                // The beginning of the next such message is copied, so read little of it.
                self.read_len = READ_LEN_MIN;
            }
            return pin!(stream.read_buf(&mut room)).poll(cx);
        }
        if !self.bytes.is_empty() {
            // The rest of what `holds` has found fits.
            let free_len = self.bytes.capacity() - self.bytes.len();
            return pin!(stream.read_buf(&mut (&mut self.bytes).limit(free_len))).poll(cx);
        }
        if self.bytes.capacity() == 0 {
            self.bytes = READ_BUFFER.try_with(Cell::take).unwrap_or_default();
        }
        if self.read_len > READ_LEN_MIN {
            self.bytes.reserve(self.read_len + 2 * MARGIN);
            place(&mut self.bytes);
        } else {
            self.bytes.reserve(self.read_len);
        }
        let mut free = (&mut self.bytes).limit(self.read_len);
        let outcome = pin!(stream.read_buf(&mut free)).poll(cx);
        match &outcome {
            Poll::Ready(Ok(len)) if *len >= self.read_len => {
                self.read_len = (self.read_len * 2).min(READ_LEN_MAX);
            }
            Poll::Ready(_) => {}
            // A waiting connection holds no buffer; the codec has taken everything in it.
            Poll::Pending => {
                let bytes = mem::take(&mut self.bytes);
                READ_BUFFER.try_with(|buffer| buffer.set(bytes)).ok();
            }
        }
        outcome
    }

    /// Checks whether to read the rest of a message into the buffer before the codec gets it, which
    /// would copy the part that is there: if the buffer has room for all of it, and is at most four
    /// times as large as what has arrived.
    #[inline]
    fn holds(&self, side: &impl Side) -> bool {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        len >= HELD_LEN_MIN
            && capacity / 4 <= len
            && side.whole_len(&self.bytes).is_some_and(|whole| len < whole && whole <= capacity)
    }
}

/// Moves the start of an empty buffer by at most twice the [`MARGIN`], away from the ends of its page.
fn place(bytes: &mut BytesMut) {
    let at = bytes.as_ptr().addr() % PAGE_LEN;
    if !(MARGIN..PAGE_LEN - MARGIN).contains(&at) {
        let skip = (PAGE_LEN + MARGIN - at) % PAGE_LEN;
        bytes.resize(skip, 0);
        bytes.advance(skip);
    }
}

pub(crate) struct Inlet {
    input: Input,
    phase: Phase,
    deadlines: Deadlines,
    /// Why nothing can be written any more. What the peer sent before, such as its Close, is still
    /// read, and says more.
    write_error: Option<io::Error>,
}

/// What polling does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages may arrive.
    Open,
    /// The queue is still to be written.
    Flushing(First),
    /// This side's end of the stream is still to be sent.
    ShuttingDown(First),
    /// The peer's end of the stream has not arrived.
    Draining(First),
    Done,
}

/// Which side ends the stream first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// "The server MUST close the WebSocket Connection after sending the Close" (7.1.1), and so
    /// does whoever fails it (7.1.7).
    This,
    /// "[...] so in normal cases, the client waits a reasonable period of time for the server"
    /// (7.1.1).
    Peer,
}

impl Inlet {
    /// Begins with the bytes that were read after the opening handshake.
    pub(crate) fn new(read: BytesMut, config: &Config) -> Self {
        Self {
            input: Input { bytes: read, read_len: READ_LEN_MIN },
            phase: Phase::Open,
            deadlines: Deadlines::new(config),
            write_error: None,
        }
    }

    /// Waits for the next message; `None` once the connection is over.
    pub(crate) fn poll_message(
        &mut self,
        side: &mut impl Side,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            if self.phase != Phase::Open {
                ready!(self.poll_end(side, cx));
                return Poll::Ready(None);
            }
            let received =
                if self.input.holds(side) { Ok(None) } else { side.receive(&mut self.input.bytes) };
            // What is due goes out now, as far as the stream takes it.
            if let Poll::Ready(Err(error)) = side.poll_flush(cx) {
                self.write_error.get_or_insert(error);
            }
            match received {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if side.ready_state() == ReadyState::Closed {
                        self.end_cleanly(side);
                    }
                    let Some(message) = Message::of_event(event) else { continue };
                    if message.is_text() || message.is_binary() {
                        self.deadlines.note_message();
                    }
                    return Poll::Ready(Some(Ok(message)));
                }
                Err(error) => {
                    self.end(First::This);
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
            match side.ready_state() {
                ReadyState::Closed => {
                    self.end_cleanly(side);
                    continue;
                }
                ReadyState::Closing => self.deadlines.begin_close(),
                _ => {}
            }
            if let Poll::Ready(due) = self.deadlines.poll(cx) {
                match self.meet(side, due, cx) {
                    Ok(()) => continue,
                    Err(timeout) => return Poll::Ready(Some(Err(timeout.into()))),
                }
            }
            // A peer that does not read is not read from, which bounds the output queued for it.
            if side.is_above_mark() {
                return Poll::Pending;
            }
            match ready!(side.poll_read(&mut self.input, cx)) {
                Ok(0) => {
                    // What was held is part of a message, so no event.
                    let outcome = side.receive(&mut self.input.bytes);
                    let outcome = outcome.and_then(|_| side.receive_eof());
                    self.end(First::This);
                    if let Err(error) = outcome {
                        let error = self.write_error.take().map_or(error.into(), Error::from);
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Ok(_) => self.deadlines.note_arrival(),
                Err(error) => {
                    self.phase = Phase::Done;
                    let error = self.write_error.take().unwrap_or(error);
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    /// Does what is due; fails if the connection is over by it.
    fn meet(
        &mut self,
        side: &mut impl Side,
        due: Due,
        cx: &mut Context<'_>,
    ) -> Result<(), Timeout> {
        match due {
            Due::Ping => side.queue_ping(),
            Due::Idle if side.take_has_sent() => {}
            Due::Idle => {
                side.queue_close(CloseFrame { code: CloseCode::GOING_AWAY, reason: "idle" });
            }
            Due::Gone => {
                let reason = "no answer to a Ping";
                side.queue_close(CloseFrame { code: CloseCode::INTERNAL_ERROR, reason });
                // Nobody is waited for any more, but should the peer read again, it is told.
                let _ = side.poll_flush(cx);
                self.give_up(side, cx);
                return Err(Timeout::KeepAlive);
            }
            Due::Close => {
                self.give_up(side, cx);
                return Err(Timeout::Close);
            }
        }
        Ok(())
    }

    /// Ends this side's stream without waiting for anything.
    fn give_up(&mut self, side: &mut impl Side, cx: &mut Context<'_>) {
        if self.phase != Phase::Draining(First::This) {
            let _ = side.poll_shutdown(cx);
        }
        self.phase = Phase::Done;
    }

    /// Both Closes are exchanged.
    fn end_cleanly(&mut self, side: &impl Side) {
        self.end(match side.role() {
            Role::Server => First::This,
            Role::Client => First::Peer,
        });
    }

    fn end(&mut self, first: First) {
        self.phase = Phase::Flushing(first);
        self.deadlines.restart_close();
    }

    /// Ends the stream in order; the outcome changes nothing for the caller.
    fn poll_end(&mut self, side: &mut impl Side, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let step = match self.phase {
                Phase::Open | Phase::Done => return Poll::Ready(()),
                Phase::Flushing(_) => side.poll_flush(cx),
                Phase::ShuttingDown(_) => side.poll_shutdown(cx),
                Phase::Draining(_) => self.poll_drain(side, cx),
            };
            match step {
                // Such as a peer that has reset the stream.
                Poll::Ready(Err(_)) => self.phase = Phase::Done,
                Poll::Ready(Ok(())) => self.phase = self.phase.next(),
                Poll::Pending => {
                    let is_over = self.deadlines.poll(cx).is_ready();
                    if !is_over {
                        return Poll::Pending;
                    }
                    self.give_up(side, cx);
                }
            }
        }
    }

    /// Drops what arrives until the peer ends its stream. A socket closed with bytes unread is reset,
    /// and the reset can overtake this side's Close.
    fn poll_drain(&mut self, side: &mut impl Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.deadlines.has_close_timeout() {
            return Poll::Ready(Ok(()));
        }
        loop {
            self.input.bytes.clear();
            if ready!(side.poll_read(&mut self.input, cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Phase {
    const fn next(self) -> Self {
        match self {
            Self::Open => Self::Open,
            Self::Flushing(First::This) => Self::ShuttingDown(First::This),
            Self::Flushing(First::Peer) => Self::Draining(First::Peer),
            Self::ShuttingDown(First::This) => Self::Draining(First::This),
            Self::Draining(First::Peer) => Self::ShuttingDown(First::Peer),
            Self::ShuttingDown(First::Peer) | Self::Draining(First::This) | Self::Done => {
                Self::Done
            }
        }
    }
}
