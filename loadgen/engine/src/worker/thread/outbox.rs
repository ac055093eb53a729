//! What a worker sends: messages to bytes, bytes to sockets, and what has no reply yet.
//!
//! ```text
//!   pace, refill, a duty ─▶ encode ─▶ a session's unsent bytes ─▶ flush ─▶ socket
//!                                     └─ from a pool of buffers, back to it once all is written
//! ```
//!
//! Encoding doesn't write, so messages that are due together go out in one write.

use std::io::ErrorKind;
use std::num::NonZeroU64;

use wscodec::mask::ChaChaKeys;

use super::super::frames;
use super::super::session::Session;
use super::super::sessions::SessionKey;
use super::super::shared_fanout::run_number;
use super::Thread;
use crate::clock::Clock;
use crate::config::{Config, Scenario};
use crate::index::ConnectionIndex;
use crate::metrics::{Metric, Span};
use crate::payload::{Expected, Payload};
use crate::plan::{Send, Sends};

/// Bytes that may wait for the sockets of a worker before what is planned is left out: a server
/// that doesn't read must not fill this machine's memory.
pub const BACKLOG_MAX: usize = 64 << 20;
/// Messages without reply on a worker before what is planned is left out; each takes 16 bytes.
pub const UNANSWERED_MAX: usize = 4 << 20;
/// How many empty buffers are kept, and the largest capacity of one.
const SPARE_MAX: usize = 32;
const SPARE_CAPACITY_MAX: usize = 256 << 10;

/// The messages of a worker: those that are planned, and the sums over those that are under way.
pub(crate) struct Outbox {
    pub(crate) payload: Payload,
    /// Payloads contain the time when they are due.
    pub(crate) has_time: bool,
    /// Where the keys of data frames come from; `None` is the key of zeros.
    pub(crate) keys: Option<ChaChaKeys>,
    pub(crate) sends: Option<Sends>,
    pub(crate) next_send: Option<Send>,
    /// Empty buffers, for the next session that writes.
    spare: Vec<Vec<u8>>,
    /// Sessions with something new to write.
    pub(crate) dirty: Vec<SessionKey>,
    /// Bytes that wait for all sockets together.
    pub(crate) backlog_len: usize,
    /// Messages without reply on all connections together.
    pub(crate) unanswered: usize,
    /// Sessions that have used up their quota.
    pub(crate) spent: usize,
    /// When a message was last written or answered.
    pub(crate) progress_ns: u64,
}

/// Makes the payloads that a configuration asks for.
pub(crate) fn payload(config: &Config, clock: Clock) -> Payload {
    match &config.scenario {
        Scenario::Echo(echo) => Payload::new(echo, config.seed, clock),
        Scenario::Fanout(fanout) => {
            let run = run_number(clock.unix_ns(0), config.seed);
            Payload::of_posts(fanout, run, config.seed, clock)
        }
        // Connections that are opened and closed, or listen, send none of them.
        Scenario::Hold(_)
        | Scenario::OpenClose { .. }
        | Scenario::Listen(_)
        | Scenario::Play(_) => Payload::of_pings(clock),
    }
}

impl Outbox {
    pub(crate) fn new(
        payload: Payload,
        keys: Option<ChaChaKeys>,
        mut sends: Option<Sends>,
    ) -> Self {
        Self {
            has_time: payload.has_time(),
            payload,
            keys,
            next_send: sends.as_mut().and_then(Iterator::next),
            sends,
            spare: Vec::new(),
            dirty: Vec::new(),
            backlog_len: 0,
            unanswered: 0,
            spent: 0,
            progress_ns: 0,
        }
    }

    /// Checks whether so much is waiting that nothing more may be sent.
    pub(crate) const fn is_full(&self) -> bool {
        self.backlog_len >= BACKLOG_MAX || self.unanswered >= UNANSWERED_MAX
    }

    /// Notes that a session has something new to write.
    pub(crate) fn mark_dirty(&mut self, session: &mut Session, key: SessionKey) {
        if !session.is_dirty {
            session.is_dirty = true;
            self.dirty.push(key);
        }
    }

    /// Takes a buffer to write into.
    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back a buffer whose bytes have been written, for the next session that writes.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let is_fit = (1..=SPARE_CAPACITY_MAX).contains(&buffer.capacity());
        if is_fit && self.spare.len() < SPARE_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

impl Thread {
    /// Appends the next messages of a session, at most as many as its quota, to its unsent bytes;
    /// returns the connection and the sequence of the first.
    pub(crate) fn encode(
        &mut self,
        key: SessionKey,
        due: Option<NonZeroU64>,
        count: usize,
    ) -> (ConnectionIndex, u64) {
        let Self { sessions, outbox, metrics, deflating, settings, clock, .. } = self;
        let session = &mut sessions[key];
        if session.unsent.capacity() == 0 {
            session.unsent = outbox.spare();
        }
        let before = session.unsent.len();
        let (connection, first) = (session.index, session.outstanding.next_sequence());
        let Outbox { payload, keys, .. } = outbox;
        let due_ns = due.map_or(0, NonZeroU64::get);
        let opcode = payload.opcode();
        for sequence in first..first + count as u64 {
            let message = Expected { connection, sequence, due_ns };
            if !session.is_deflated
                || !deflating.send(session, payload, message, settings.fragment, *clock, metrics)
            {
                let payload = payload.message(message);
                frames::append(opcode, payload, settings.fragment, keys, &mut session.unsent);
            }
        }
        outbox.backlog_len += session.unsent.len() - before;
        session.outstanding.push(due, count);
        outbox.unanswered += count;
        session.quota -= count as u64;
        if session.quota == 0 {
            outbox.spent += 1;
        }
        (connection, first)
    }

    /// Notes the time on the messages that are about to be written; returns how many there are.
    pub(crate) fn stamp(&mut self, key: SessionKey) -> u64 {
        let Self { sessions, metrics, times, clock, settings, .. } = self;
        let unwritten = sessions[key].outstanding.take_unwritten();
        let sent = unwritten.len() as u64;
        if sent == 0 {
            return 0;
        }
        let now_ns = clock.now_ns();
        self.outbox.progress_ns = now_ns;
        let mut warmup = 0;
        for message in unwritten {
            message.write(now_ns);
            let due_ns = message.due_ns();
            if settings.is_open_loop && times.is_measured(due_ns) {
                metrics.distributions.record(Metric::SendLag, now_ns.saturating_sub(due_ns));
            }
            warmup += u64::from(times.span(due_ns) == Span::Warmup);
        }
        metrics.warmup.sent += warmup;
        metrics.measured.sent += sent - warmup;
        self.live.sent.add(sent);
        sent
    }

    /// Writes the unsent bytes of a session; returns whether the socket has taken all of them.
    pub(crate) fn write(&mut self, key: SessionKey) -> bool {
        let session = &mut self.sessions[key];
        let before = session.unsent_len();
        while session.unsent_begin < session.unsent.len() {
            if session.close.is_write_broken {
                session.unsent_begin = session.unsent.len();
                break;
            }
            match session.stream.try_write(&session.unsent[session.unsent_begin..]) {
                Ok(len) => {
                    session.unsent_begin += len;
                    self.metrics.bytes_sent += len as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => session.write_failed(&error),
            }
        }
        self.outbox.backlog_len -= before - session.unsent_len();
        if session.unsent_len() > 0 {
            // Moved to the front only once half is free: each byte is moved once or twice, however
            // small the writes.
            if session.unsent_begin > session.unsent.len() / 2 {
                session.unsent.drain(..session.unsent_begin);
                session.unsent_begin = 0;
            }
            return false;
        }
        session.unsent_begin = 0;
        let buffer = std::mem::take(&mut session.unsent);
        self.outbox.give_back(buffer);
        true
    }
}
