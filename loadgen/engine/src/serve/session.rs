//! Answers what one client sends, from accept to the end of its stream.
//!
//! ```text
//!   Opening ── request accepted ──▶ Open ── both Close frames, or failed ──▶ Ending ── end of stream ──▶ gone
//!      └── request refused, answered ───────────────────────────────────────▶ ┘
//! ```
//!
//! A session is a future that is polled when its socket is ready and owns no buffer: it reads into
//! its thread's buffer and writes from its thread's buffer, all replies to a read in one write.
//! Invariant: `unsent` has memory only while the socket doesn't take what it is given; past a bound
//! reading stops.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::spawn_local;
use wscodec::deflate::DeflateAgreed;
use wscodec::{CloseCode, CloseFrame, Connection, ConnectionBuilder, Event, Message, ReadyState};

use super::broadcast;
use super::config::Mode;
use super::heard::Heard;
use super::hub::Hub;
use super::registry::{Call, SessionKey, Wait};
use super::shared::Seat;
use super::unsent::Unsent;
use super::upgrade::{Upgrade, UpgradeOutcome};
use super::worker::{Buffers, Worker};
use crate::net::{Stream, server_code};

/// Reads of one session before the others of its thread run.
const READS_PER_TURN: usize = 4;
/// Bytes of posted messages to send in one write.
const POSTS_LEN: usize = 64 << 10;

/// The code that an end without Close is counted under (RFC 6455, 7.1.5).
const ABNORMAL: u16 = 1006;

/// A client's connection.
pub(super) struct Session {
    stream: Stream,
    worker: Rc<Worker>,
    key: SessionKey,
    stage: Stage,
    unsent: Unsent,
    /// What the client makes the server hold, in KiB, as last told to the budget.
    held_kib: u32,
    /// Whether the client's stream has ended.
    eof: bool,
    /// Whether this side's stream has ended.
    is_shut: bool,
    /// The first close code from either side, once there is one.
    close_code: Option<u16>,
    /// Why the connection has not been established; `None` once it has.
    rejection: Option<&'static str>,
    _seat: Seat,
}

#[expect(clippy::large_enum_variant, reason = "most sessions are open: a box would cost them more")]
enum Stage {
    Opening(Box<Upgrade>),
    Open(Connection),
    /// All replies are queued; what the client still sends is dropped until its stream ends. If the
    /// socket were closed at once, the kernel would answer that with a reset, which may destroy the
    /// last replies before they are read.
    Ending,
}

impl Session {
    /// Starts a session for a stream on which a request over HTTP/1.1 is to come. It was accepted
    /// at `accepted_at`.
    pub(super) fn admit(worker: &Rc<Worker>, stream: Stream, accepted_at: Instant, seat: Seat) {
        let key = worker.registry.add(accepted_at);
        spawn_local(Self::new(stream, Rc::clone(worker), key, seat));
    }

    /// Starts a session for a stream on which a WebSocket is open.
    pub(super) fn admit_open(
        worker: &Rc<Worker>,
        stream: Stream,
        deflate: Option<DeflateAgreed>,
        topic: &str,
        seat: Seat,
    ) {
        let key = worker.registry.add(Instant::now());
        let mut session = Self::new(stream, Rc::clone(worker), key, seat);
        session.establish(deflate, topic);
        spawn_local(session);
    }

    fn new(stream: Stream, worker: Rc<Worker>, key: SessionKey, seat: Seat) -> Self {
        let stage = Stage::Opening(Box::new(Upgrade::new(seat.is_spare())));
        Self {
            stream,
            worker,
            key,
            stage,
            unsent: Unsent::default(),
            held_kib: 0,
            eof: false,
            is_shut: false,
            close_code: None,
            rejection: Some("reset"),
            _seat: seat,
        }
    }

    /// Reads, answers and writes until the socket blocks; ready when the session is over.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let worker = Rc::clone(&self.worker);
        let Buffers { input, out } = &mut *worker.buffers.borrow_mut();
        if let Some(call) = worker.registry.take_call(self.key, cx.waker()) {
            let is_over = self.answer(call, out);
            self.send(cx, out)?;
            if is_over {
                // The kernel has the last words, as far as it took them.
                return Poll::Ready(Ok(()));
            }
        }
        for _ in 0..READS_PER_TURN {
            let is_flushed = self.flush(cx)?;
            if self.held_kib > 0 {
                self.account();
            }
            if self.is_over(is_flushed)? {
                return Poll::Ready(Ok(()));
            }
            if let Some(hub) = &worker.hub {
                self.send_posts(hub, cx, out)?;
                if worker.is_congested(cx) {
                    return Poll::Pending; // the mailbox has its waker
                }
            }
            if self.eof || self.unsent.rest().len() > worker.config().write_buffer_max {
                return Poll::Pending; // `flush` has left its waker
            }
            let mut buffer = ReadBuf::new(input);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let received = buffer.filled_mut();
            worker.counters.bytes_received.add(received.len() as u64);
            if received.is_empty() {
                self.eof = true;
                self.receive_eof();
            } else {
                worker.registry.heard(self.key);
                self.receive(received, out);
            }
            self.send(cx, out)?;
            self.keep_within_budget(cx, out)?;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Closes a client that has grown beyond its share of what the server may hold, if the total is
    /// too large.
    fn keep_within_budget(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let is_over = self.account();
        if is_over && matches!(self.stage, Stage::Open(_)) {
            self.close(CloseCode::TRY_AGAIN_LATER, "the server has no memory left for it", out);
            self.end(); // drops what was half received, too
            self.send(cx, out)?;
            self.account();
        }
        Ok(())
    }

    /// Tells the budget what this client makes the server hold; returns whether that is too much.
    fn account(&mut self) -> bool {
        let buffered =
            if let Stage::Open(connection) = &self.stage { connection.buffered() } else { 0 };
        let bytes = buffered + self.unsent.capacity();
        let (before, now) =
            (self.held_kib, u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX));
        if now == before {
            return false;
        }
        let shared = &self.worker.shared;
        shared.budget.change(before, now);
        self.held_kib = now;
        now > before && shared.budget.is_exceeded(now, shared.open())
    }

    /// Does what the registry asks for; returns true if that ends the session.
    fn answer(&mut self, call: Call, out: &mut Vec<u8>) -> bool {
        match (call, &mut self.stage) {
            (Call::TimedOut, Stage::Opening(upgrade)) => {
                upgrade.time_out(out);
                self.rejection = Some("timeout");
                self.end();
                false
            }
            (Call::TimedOut, Stage::Open(_)) => {
                let is_closing = self.worker.registry.waits_for(self.key) == Some(Wait::End);
                self.close(CloseCode::GOING_AWAY, "no answer to a ping", out);
                self.end();
                is_closing
            }
            (Call::TimedOut, Stage::Ending) => true,
            (Call::PingDue, Stage::Open(connection)) => {
                // Refused only after a Close, which asks for an answer, too.
                connection.send(Message::Ping(b""), out).ok();
                false
            }
            (Call::Shutdown, Stage::Open(_)) => {
                self.close(CloseCode::GOING_AWAY, "the server shuts down", out);
                self.worker.registry.wait(self.key, Wait::End);
                false
            }
            (Call::Shutdown, Stage::Opening(_)) => {
                self.rejection = Some("shutdown");
                true
            }
            (Call::PingDue | Call::Shutdown, _) => false,
        }
    }

    /// Starts the closing handshake, unless it has started.
    fn close(&mut self, code: CloseCode, reason: &'static str, out: &mut Vec<u8>) {
        if let Stage::Open(connection) = &mut self.stage
            && connection.close(Some(CloseFrame { code, reason }), out).is_ok()
        {
            self.close_code.get_or_insert(code.as_u16());
        }
    }

    /// Sends messages posted for this client, as far as its socket takes them; closes a client that
    /// was found too slow.
    fn send_posts(&mut self, hub: &Hub, cx: &mut Context<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let key = self.key;
        if hub.is_slow(key) {
            self.close(CloseCode::POLICY_VIOLATION, "too slow a reader", out);
            self.worker.leave(key);
            self.worker.registry.wait(self.key, Wait::End);
            return self.send(cx, out);
        }
        while self.unsent.rest().is_empty()
            && let Stage::Open(connection) = &mut self.stage
        {
            let mut messages = 0;
            while out.len() < POSTS_LEN
                && let Some(message) = hub.take(key)
            {
                // Refused only after this side's Close: nothing may follow it.
                messages += u64::from(connection.send_prepared(&message, out).is_ok());
            }
            if out.is_empty() {
                break;
            }
            self.worker.counters.messages_sent.add(messages);
            self.send(cx, out)?;
        }
        Ok(())
    }

    /// Processes what was read and appends the replies to `out`.
    fn receive(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) {
        if let Stage::Opening(upgrade) = &mut self.stage {
            match upgrade.receive(&mut input, self.worker.config(), out) {
                UpgradeOutcome::NeedMore => return,
                UpgradeOutcome::Accepted => {
                    let (deflate, topic) = (upgrade.deflate(), upgrade.take_topic());
                    self.establish(deflate, &topic);
                }
                UpgradeOutcome::Rejected(reason) => {
                    self.rejection = Some(reason);
                    self.end();
                    return;
                }
            }
        }
        if let Stage::Open(connection) = &mut self.stage {
            let (worker, mode) = (&self.worker, self.worker.config().mode);
            let heard = match &worker.hub {
                Some(hub) if mode == Mode::Broadcast => {
                    broadcast::relay(worker, hub, self.key, connection, input, out)
                }
                _ => converse(connection, input, out, mode),
            };
            let counters = &self.worker.counters;
            counters.messages_received.add(heard.messages);
            counters.messages_sent.add(heard.answered);
            if let Some(code) = heard.close_code {
                self.close_code.get_or_insert(code);
            }
            if let Some(error) = connection.error() {
                counters.protocol_errors.add(error.name());
            }
            if connection.ready_state() == ReadyState::Closed {
                self.end();
            }
        }
    }

    fn receive_eof(&mut self) {
        match &mut self.stage {
            Stage::Opening(upgrade) => {
                self.rejection = Some(if upgrade.has_begun() { "eof_in_head" } else { "eof" });
            }
            Stage::Open(connection) => {
                // An end without Close is counted by its close code, 1006.
                connection.receive_eof().ok();
            }
            Stage::Ending => {}
        }
        self.end();
    }

    fn establish(&mut self, deflate: Option<DeflateAgreed>, topic: &str) {
        let limits = self.worker.config().limits;
        let connection =
            ConnectionBuilder::server().limits(limits).extension(deflate.as_ref()).open();
        self.stage = Stage::Open(connection);
        self.rejection = None;
        self.worker.counters.established.add(1);
        self.worker.counters.deflated.add(u64::from(deflate.is_some()));
        self.worker.registry.wait(self.key, Wait::Messages);
        self.worker.join(self.key, topic);
    }

    /// Marks that nothing more will be sent than is in the buffers.
    fn end(&mut self) {
        self.stage = Stage::Ending;
        self.worker.leave(self.key);
        self.worker.registry.wait(self.key, Wait::End);
    }

    /// Checks whether the session is over. Ends this side's stream when nothing is left to send on
    /// it: "the server MUST close the connection immediately", and the client waits for that (RFC
    /// 6455, 7.1.1).
    fn is_over(&mut self, is_flushed: bool) -> io::Result<bool> {
        if !is_flushed || !matches!(self.stage, Stage::Ending) {
            return Ok(false);
        }
        if !self.is_shut {
            self.is_shut = true;
            self.stream.end_write()?;
        }
        Ok(self.eof)
    }

    /// Writes what was left from before; returns true if nothing is left now.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while !self.unsent.rest().is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.unsent.rest()) {
                Poll::Ready(written) => {
                    let written = self.count_sent(written?)?;
                    self.unsent.sent(written);
                    // A slow reader is not dead.
                    self.worker.registry.heard(self.key);
                }
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Writes `out` and keeps what the socket doesn't take; leaves `out` empty.
    fn send(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let mut sent = 0;
        if self.unsent.rest().is_empty() {
            while let Some(rest) = out.get(sent..).filter(|rest| !rest.is_empty()) {
                match Pin::new(&mut self.stream).poll_write(cx, rest) {
                    Poll::Ready(written) => sent += self.count_sent(written?)?,
                    Poll::Pending => break,
                }
            }
        }
        self.unsent.keep(out, sent);
        out.clear();
        Ok(())
    }

    fn count_sent(&self, written: usize) -> io::Result<usize> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.worker.counters.bytes_sent.add(written as u64);
        Ok(written)
    }
}

impl Future for Session {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let session = self.get_mut();
        let over = session.drive(cx);
        session.worker.buffers.borrow_mut().trim();
        over.map(|outcome| {
            // A socket error is an end without Close, and counted as one.
            if let Err(error) = outcome
                && session.rejection.is_some()
                && let Some(code) = server_code(&error)
            {
                session.rejection = Some(code);
            }
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let counters = &self.worker.counters;
        match self.rejection {
            Some(reason) => counters.rejected.add(reason),
            None => counters.closes.add(self.close_code.unwrap_or(ABNORMAL)),
        }
        self.worker.shared.budget.change(self.held_kib, 0);
        self.worker.leave(self.key);
        self.worker.registry.remove(self.key);
        self.worker.ended();
    }
}

/// Processes all messages in `input` and appends the answers to `out`.
fn converse(
    connection: &mut Connection,
    mut input: &mut [u8],
    out: &mut Vec<u8>,
    mode: Mode,
) -> Heard {
    let mut heard = Heard::default();
    loop {
        let (event, sender) = match connection.receive_with_sender(&mut input, out) {
            Ok(Some(received)) => received,
            Ok(None) => return heard,
            Err(error) => {
                heard.failed(error);
                return heard;
            }
        };
        let message = match event {
            Event::Text(text) => Message::Text(text),
            Event::Binary(payload) => Message::Binary(payload),
            Event::Close(close) => {
                heard.closed(close);
                continue;
            }
            _ => continue,
        };
        heard.messages += 1;
        // Refused only after this side's Close: nothing may follow it.
        if mode == Mode::Echo && sender.send(message, out).is_ok() {
            heard.answered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_room_for_it_in_512_bytes() {
        // A task adds 96 bytes and an 8-byte state mark, and its size is a multiple of 128. The socket holds a handle of the
        // runtime: a word in loadgen itself, two where another package of a common build has the runtime of many threads.
        let others = size_of::<tokio::runtime::Handle>() - size_of::<usize>();
        assert!(size_of::<Session>() <= 408 + others, "{}", size_of::<Session>());
    }
}
