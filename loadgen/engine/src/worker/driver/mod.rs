//! A thread and its duty, and what takes both: open connections from read to read until they end.
//!
//! Each connection has a task, which does no more than to be woken and to call
//! [`Driver::poll_open`].
//!
//! ```text
//!   woken task ─▶ read into the shared buffer ─▶ codec ─▶ duty ─▶ next messages, replies ─▶ one write
//!                 └────────────────── again until the socket is known to be empty ─────────────┘
//! ```

mod admit;
mod conclude;
mod flush;
mod pace;
mod probe;
mod sweep;

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use wscodec::{DataKind, Event};

use super::duty::Duty;
use super::judge::{Judge, Received};
use super::session::{End, Goodbye};
use super::sessions::SessionKey;
use super::thread::Thread;
use super::thread::probes::Pong;
use super::times::Times;
use crate::config::Misbehaviour;
use crate::index::ConnectionIndex;
use crate::metrics::{Failure, FailurePhase, Metric, Side};

/// Bytes that may wait for a socket before Pongs are held back, of which the codec keeps the
/// newest: what a server that floods with Pings and doesn't read can pile up.
const UNSENT_MAX: usize = 1 << 20;

/// The connections of one thread, and what they are there for.
pub(crate) struct Driver {
    pub(crate) thread: Thread,
    pub(crate) duty: Duty,
}

impl Driver {
    /// Drives a session until its closing has begun (`None`) or it has ended.
    pub(crate) fn poll_open(&mut self, key: SessionKey, cx: &mut Context<'_>) -> Poll<Option<End>> {
        if let Poll::Ready(end) = self.poll_end(key, cx) {
            return Poll::Ready(Some(end));
        }
        let thread = &mut self.thread;
        let session = &mut thread.sessions[key];
        let Some((by, code)) = session.close.begun else { return Poll::Pending };
        session.close.is_seen = true;
        let (index, goodbye) = (session.index, session.close.goodbye);
        thread.sessions.closing += 1;
        if by == Side::Server && goodbye == Goodbye::Said {
            // It stayed for as long as its user wanted.
            thread.metrics.held += 1;
        } else if by == Side::Server {
            thread.dropped(index, Failure::numbered(FailurePhase::ServerClose, code));
        }
        if self.is_load_done() {
            self.thread.lifecycle.wake_main();
        }
        Poll::Ready(None)
    }

    /// Drives a session until it has ended.
    pub(crate) fn poll_end(&mut self, key: SessionKey, cx: &mut Context<'_>) -> Poll<End> {
        if self.thread.sessions[key].waker.is_none() {
            self.thread.sessions[key].waker = Some(cx.waker().clone());
        }
        if self.thread.sessions[key].is_cut {
            return Poll::Ready(End::Cut);
        }
        loop {
            self.poll_flush(key, cx);
            let Thread { sessions, settings, read_buffer, receipts, .. } = &mut self.thread;
            let session = &mut sessions[key];
            if let Some(error) = session.codec.error() {
                return Poll::Ready(End::Protocol(error));
            }
            let is_free = settings.misbehaviour != Misbehaviour::NeverPong;
            if session.is_held && is_free && session.unsent_len() <= UNSENT_MAX {
                session.is_held = false;
                self.receive(key, &mut []); // there is room again for what the codec holds
                continue;
            }
            let mut buffer = ReadBuf::new(read_buffer);
            let read = match receipts {
                None => Pin::new(&mut session.stream).poll_read(cx, &mut buffer),
                Some(receipts) => receipts.poll_read(&mut session.stream, cx, &mut buffer),
            };
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Io(error)),
                Poll::Ready(Ok(())) => {}
            }
            let len = buffer.filled().len();
            if len == 0 {
                return Poll::Ready(End::Eof);
            }
            self.thread.metrics.bytes_received += len as u64;
            if self.thread.times == Times::NEVER {
                self.thread.look_for_begin();
            }
            let mut buffer = std::mem::take(&mut self.thread.read_buffer);
            let now_ns = self.receive(key, &mut buffer[..len]);
            self.thread.read_buffer = buffer;
            if self.is_due(now_ns) {
                self.pace(now_ns);
            }
        }
    }

    /// Takes what a connection has received; what is to be sent because of it is encoded, not
    /// written. Returns the time, which is that of the arrival or later.
    pub(super) fn receive(&mut self, key: SessionKey, mut input: &mut [u8]) -> u64 {
        let Self { thread, duty } = self;
        let now_ns = thread.clock.now_ns();
        let receipt = thread.receipt(now_ns);
        let arrived_ns = receipt.arrived_ns;
        let may_send = thread.may_send(now_ns);
        let Thread { sessions, outbox, metrics, live, times, settings, .. } = thread;
        let Thread { clock, deflating, probes, .. } = thread;
        let session = &mut sessions[key];
        let stopwatch = &mut deflating.inflate;
        if session.is_deflated {
            metrics.deflate.received.wire_bytes += input.len() as u64;
        }
        let (unsent_len, outstanding) = (session.unsent.len(), session.outstanding.len());
        let received = metrics.warmup.received + metrics.measured.received;
        session.is_held |= session.unsent_len() > UNSENT_MAX;
        let mut messages = 0;
        let mut no_room: &mut [u8] = &mut [];
        let payload = &outbox.payload;
        let is_open_loop = settings.is_open_loop;
        // A protocol error stays in the codec, and ends the session when it is polled next.
        while let Ok(Some(event)) = {
            stopwatch.begin(session.is_deflated, *clock);
            if session.is_held {
                session.codec.receive(&mut input, &mut no_room)
            } else {
                session.codec.receive(&mut input, &mut session.unsent)
            }
        } {
            let (kind, bytes) = match event {
                Event::Text(text) => (DataKind::Text, text.as_bytes()),
                Event::Binary(bytes) => (DataKind::Binary, bytes),
                Event::Ping(_) => {
                    metrics.arrivals.pings += 1;
                    continue;
                }
                Event::Pong(pong) => {
                    messages += 1;
                    let mut judge = Judge { payload, metrics, live, times, is_open_loop };
                    let came = (session.index, arrived_ns);
                    if !duty.pong(&mut judge, &mut session.outstanding, pong, came)
                        && let Some(probes) = probes
                    {
                        let local = settings.numbering.local(session.index);
                        let connection = session.index;
                        let pong = Pong { payload: pong, connection, local, arrived_ns };
                        probes.pong(metrics, pong);
                    }
                    continue;
                }
                Event::Close(frame) => {
                    if let Some(ns) = session.close.received(frame, arrived_ns) {
                        metrics.distributions.record(Metric::CloseHandshake, ns);
                    }
                    // Nothing more is written, and so no answer.
                    session.close.is_write_broken |=
                        settings.misbehaviour == Misbehaviour::NeverClose;
                    continue;
                }
                _ => continue,
            };
            messages += 1;
            if session.is_deflated {
                stopwatch.end(*clock, &mut metrics.distributions, Metric::ClientInflate);
                metrics.deflate.received.payload_bytes += bytes.len() as u64;
            }
            let mut judge = Judge { payload, metrics, live, times, is_open_loop };
            let message = Received { kind, payload: bytes, connection: session.index, arrived_ns };
            duty.message(&mut judge, &mut session.outstanding, message);
        }
        duty.read(&mut Judge { payload, metrics, live, times, is_open_loop }, arrived_ns);
        let answered = outstanding - session.outstanding.len();
        outbox.unanswered -= answered;
        if answered > 0 {
            outbox.progress_ns = now_ns;
        }
        outbox.backlog_len += session.unsent.len() - unsent_len;
        live.received.add(metrics.warmup.received + metrics.measured.received - received);
        self.thread.waited(receipt, messages);
        self.duty.answer(&mut self.thread, key);
        if may_send && !is_open_loop {
            self.refill(key);
        }
        self.wake_main_if_due();
        now_ns
    }

    /// Wakes the main task after a read, if it sleeps or what it waits for may have come.
    fn wake_main_if_due(&mut self) {
        let Self { thread, duty } = self;
        let is_asleep = std::mem::take(&mut thread.lifecycle.is_asleep);
        if is_asleep {
            thread.lifecycle.wake_main();
        }
        if thread.outbox.unanswered == 0
            && duty.has_replies()
            && (if thread.lifecycle.is_loading() {
                self.is_load_done()
            } else {
                thread.is_answered()
            })
        {
            self.thread.lifecycle.wake_main();
        }
    }

    /// Begins the closing handshake of a session, and writes its Close.
    pub(crate) fn close(&mut self, key: SessionKey) {
        if self.thread.begin_close(key) {
            self.flush(key);
            self.thread.sessions[key].wake();
        }
    }

    /// Ends a session, and counts what it came to.
    /// Returns the connection if it is to be opened again.
    pub(crate) fn retire(&mut self, key: SessionKey, end: &End) -> Option<ConnectionIndex> {
        let Self { thread, duty } = self;
        let mut session = thread.sessions.remove(key);
        thread.outbox.backlog_len -= session.unsent_len();
        thread.forget_probes(thread.local(session.index));
        thread.outbox.unanswered -= session.outstanding.len();
        duty.ended(thread, &mut session);
        let lost = session.outstanding.give_up_all();
        thread.judge().lost(lost);
        if session.close.is_received
            && let Some(sent_ns) = session.close.sent_ns
            && !matches!(end, End::Timeout | End::Protocol(_))
        {
            let ns = thread.clock.now_ns().saturating_sub(sent_ns);
            thread.metrics.distributions.record(Metric::CloseTcp, ns);
        }
        let mut outcome = session.outcome(end);
        thread.outbox.give_back(std::mem::take(&mut session.unsent));
        // The codec has answered the server's Close, and this side kept the answer back.
        let is_kept_back =
            outcome.closing.by == Side::Server && thread.settings.misbehaviour.is_silent();
        outcome.closing.is_clean &= !is_kept_back;
        if !session.close.is_seen && session.close.sent_ns.is_none() {
            match &outcome.failure {
                Some((why, _)) => thread.dropped(session.index, why.clone()),
                // After its user's goodbye.
                None if outcome.closing.by == Side::Server => thread.metrics.held += 1,
                None => {}
            }
        }
        *thread.metrics.closings.entry(outcome.closing).or_default() += 1;
        if let Some(reason) = &session.close.reason {
            thread.metrics.close_reasons.entry(outcome.closing).or_default().add(reason);
        }
        if session.close.begun.is_some_and(|(by, _)| by == Side::Client) && duty.holds_connections()
        {
            thread.live.released.add(1);
        }
        thread.live.ended.add(1);
        thread.lifecycle.wake_main();
        if thread.is_to_return(&session, &outcome) {
            return Some(session.index);
        }
        duty.gone(session.index);
        if session.quota == 0 {
            thread.outbox.spent -= 1;
        }
        thread.url_counts(session.index).messages += session.outstanding.next_sequence();
        match outcome.failure {
            None => {
                thread.metrics.completed += 1;
                thread.url_counts(session.index).completed += 1;
            }
            Some((failure, sample)) => {
                thread.live.failed.add(1);
                thread.metrics.failures.add(failure, || sample);
            }
        }
        None
    }
}
