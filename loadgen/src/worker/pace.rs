//! What is due to what is written: messages under both loops, coalesced into one write a
//! connection.

use std::io::ErrorKind;
use std::task::{Context, Poll};

use super::fanout::FanoutState;
use super::frames;
use super::thread::Thread;
use crate::config::Load;
use crate::metrics::{MessageCounts, Metric, Span};
use crate::payload::Expected;
use crate::plan::Script;

/// Messages that are encoded in one go before sockets are read again.
pub(super) const SENDS_PER_TURN: usize = 256;
/// Bytes that may wait for the sockets of a worker before what is planned is left out: a server
/// that doesn't read must not fill this machine's memory.
pub(crate) const BACKLOG_MAX: usize = 64 << 20;
/// Messages without reply on a worker before what is planned is left out; each takes 16 bytes.
pub(crate) const UNANSWERED_MAX: usize = 4 << 20;
/// Empty buffers that are kept, and how large at most.
const SPARE_MAX: usize = 32;
const SPARE_CAPACITY_MAX: usize = 256 << 10;
/// How long a server is given to echo while it sends other messages: one that pushes and stalls for
/// less from the beginning of load on is waited for.
const NO_ECHO_NS: u64 = 5_000_000_000;

impl Thread {
    /// Whether a message is due under open loop.
    #[inline]
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        self.is_sending && self.next_due_ns().is_some_and(|due_ns| due_ns <= now_ns)
    }

    /// When the next message is due under open loop.
    #[inline]
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        self.next_send.map(|send| send.due_ns.saturating_add(self.times.load_begin_ns))
    }

    /// When there is something to do next, beside what comes.
    pub(crate) fn next_turn_ns(&self) -> u64 {
        let end_ns = self.times.window_end_ns;
        let due = [self.next_due_ns(), self.next_probe_ns(), self.next_deadline_ns()];
        let done = [
            self.give_up_ns(),
            self.no_echo_ns(),
            self.is_all_answered().then(|| self.plan_end_ns()),
        ];
        due.into_iter().chain(done).flatten().fold(end_ns, u64::min)
    }

    /// Before that, a plan of a number of events has not had its time, and what was achieved would be
    /// more than was asked for.
    pub(crate) fn plan_end_ns(&self) -> u64 {
        let end_ns = self.times.load_begin_ns.saturating_add(self.settings.plan_end_ns);
        end_ns.min(self.times.window_end_ns)
    }

    /// Sends what is due by `now_ns`, as far as one turn goes.
    pub(crate) fn pace(&mut self, now_ns: u64) {
        for _ in 0..SENDS_PER_TURN {
            let Some(send) = self.next_send else { break };
            let due_ns = send.due_ns.saturating_add(self.times.load_begin_ns);
            if due_ns > now_ns || due_ns >= self.times.window_end_ns {
                break;
            }
            self.next_send = self.sends.as_mut().and_then(Iterator::next);
            let key = self.keys_by_place.get(self.place(send.connection)).copied().flatten();
            let span = self.times.span(due_ns);
            match key.filter(|&key| self.sessions[key].is_open()) {
                None => self.metrics.span(span).unsent_closed += 1,
                Some(_) if self.is_full() => self.metrics.span(span).unsent_backlog += 1,
                Some(key) if self.is_fanout_full(key) => {
                    self.metrics.span(span).unsent_backlog += 1;
                    self.metrics.fanout.crowded += 1;
                }
                Some(_) if now_ns - due_ns > self.settings.catch_up_ns => {
                    self.metrics.span(span).unsent_late += 1;
                }
                Some(key) => {
                    self.encode(key, due_ns, 1);
                    let session = &mut self.sessions[key];
                    if !session.is_dirty {
                        session.is_dirty = true;
                        self.dirty.push(key);
                    }
                }
            }
        }
        while let Some(key) = self.dirty.pop() {
            self.sessions[key].is_dirty = false;
            if !self.flush(key)
                && let Some(waker) = &self.sessions[key].waker
            {
                waker.wake_by_ref(); // its task waits for the socket to take more
            }
        }
    }

    /// Whether there is nobody left to whom what is due could be sent, nor will be.
    pub(crate) fn is_deserted(&self) -> bool {
        let is_alone = self.closing == self.sessions.len() && !self.awaits_return();
        is_alone && self.next_send.is_some() && self.fanout.is_none()
    }

    /// Counts what was due before load ended and has not been sent: there was no time left for it,
    /// or nobody.
    pub(crate) fn count_unsent(&mut self) {
        let is_deserted = self.is_deserted();
        let Some(next) = self.next_send.take() else { return };
        let begin_ns = self.times.load_begin_ns;
        let left_before = |ns: u64| {
            let ns = ns.saturating_sub(begin_ns);
            let left = self.sends.as_ref().map_or(0, |sends| sends.left_before(ns));
            left + u64::from(next.due_ns < ns)
        };
        let warmup = left_before(self.times.window_begin_ns);
        let all = left_before(self.times.window_end_ns);
        for (span, count) in [(Span::Warmup, warmup), (Span::Measured, all - warmup)] {
            let counts = self.metrics.span(span);
            let unsent =
                if is_deserted { &mut counts.unsent_closed } else { &mut counts.unsent_late };
            *unsent += count;
        }
    }

    /// Sends what is due now, as far as one turn goes; returns whether load is over.
    pub(crate) fn take_turn(&mut self) -> bool {
        let now_ns = self.clock.now_ns();
        self.pace(now_ns);
        self.probe(now_ns);
        self.sweep(now_ns);
        now_ns >= self.times.window_end_ns
            || self.is_interrupted
            || self.is_load_done()
            || self.is_given_up(now_ns)
            || self.has_no_echo(now_ns)
    }

    /// Begins the closed loop on a session, or goes on with it: as many messages as its pipeline
    /// has room for.
    pub(crate) fn refill(&mut self, key: usize) {
        let Some(Load::Closed { pipeline }) = self.settings.load else { return };
        // Planned when they are written, unless the time stands in them.
        let planned_ns = if self.has_time { self.clock.now_ns() } else { 0 };
        let session = &self.sessions[key];
        if !session.is_open() {
            return;
        }
        let room = (pipeline as usize).saturating_sub(session.outstanding.len());
        let count = usize::try_from(session.quota).map_or(room, |quota| quota.min(room));
        if self.fanout.is_none() {
            return self.encode(key, planned_ns, count);
        }
        for _ in 0..count {
            if self.is_fanout_full(key) {
                break;
            }
            self.encode(key, planned_ns, 1);
        }
    }

    /// Appends the next messages of a session, not more than its quota, to what it has to write.
    fn encode(&mut self, key: usize, planned_ns: u64, count: usize) {
        if count == 0 {
            return;
        }
        let Self { sessions, payload, keys, metrics, deflating, settings, clock, .. } = self;
        let session = &mut sessions[key];
        if session.unsent.capacity() == 0 {
            session.unsent = self.spare.pop().unwrap_or_default();
        }
        let before = session.unsent.len();
        let (connection, first) = (session.index, session.outstanding.next_sequence());
        let sequences = first..first + count as u64;
        let opcode = payload.opcode();
        for sequence in sequences.clone() {
            let message = Expected { connection, sequence, planned_ns };
            if !session.is_deflated
                || !deflating.send(session, payload, message, settings.fragment, *clock, metrics)
            {
                let payload = payload.message(message);
                frames::append(opcode, payload, settings.fragment, keys, &mut session.unsent);
            }
        }
        self.backlog_len += session.unsent.len() - before;
        session.outstanding.push(planned_ns, count);
        self.unanswered += count;
        session.quota -= count as u64;
        if session.quota == 0 {
            self.spent += 1;
        }
        if self.fanout.is_some() {
            for sequence in sequences {
                self.publish(connection, sequence, planned_ns);
            }
        }
    }

    /// Writes what a session has to write; whether the socket has taken all of it.
    pub(crate) fn flush(&mut self, key: usize) -> bool {
        if self.sessions[key].unsent.is_empty() {
            return true;
        }
        self.stamp(key);
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
        self.backlog_len -= before - session.unsent_len();
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
        self.give_back(buffer);
        true
    }

    /// As [`flush`](Self::flush), and sees to it that the task of `cx` is woken when the socket
    /// takes more.
    pub(crate) fn poll_flush(&mut self, key: usize, cx: &mut Context<'_>) {
        while !self.flush(key) {
            match self.sessions[key].stream.poll_write_ready(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.sessions[key].write_failed(&error),
            }
        }
    }

    /// Keeps an empty buffer for the next that writes.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let is_fit = (1..=SPARE_CAPACITY_MAX).contains(&buffer.capacity());
        if is_fit && self.spare.len() < SPARE_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Notes the time on the messages that are about to be written.
    fn stamp(&mut self, key: usize) {
        let Self { sessions, metrics, times, clock, settings, .. } = self;
        let unwritten = sessions[key].outstanding.take_unwritten();
        let sent = unwritten.len() as u64;
        if sent == 0 {
            return;
        }
        let now_ns = clock.now_ns();
        self.progress_ns = now_ns;
        let is_open_loop = settings.load.is_some_and(Load::is_scheduled);
        let mut warmup = 0;
        for message in unwritten {
            message.written_ns = now_ns;
            if is_open_loop {
                let lag_ns = now_ns.saturating_sub(message.planned_ns);
                if times.is_measured(message.planned_ns) {
                    metrics.distributions.record(Metric::SendLag, lag_ns);
                }
            } else if message.planned_ns == 0 {
                message.planned_ns = now_ns;
            }
            warmup += u64::from(times.span(message.planned_ns) == Span::Warmup);
        }
        metrics.warmup.sent += warmup;
        metrics.measured.sent += sent - warmup;
        self.live.sent.add(sent);
        self.posted(key, sent);
    }

    pub(super) fn is_full(&self) -> bool {
        self.backlog_len >= BACKLOG_MAX || self.unanswered >= UNANSWERED_MAX
    }

    /// Whether load has come to its end before its time: all is sent that was to be and the plan is
    /// over, or there is nobody left to send it to.
    pub(crate) fn is_load_done(&self) -> bool {
        if self.is_leaving || self.closing == self.sessions.len() && !self.awaits_return() {
            return true;
        }
        // Nobody can say when other processes have all of it: time does.
        if self.fanout.as_ref().is_some_and(FanoutState::is_split) {
            return false;
        }
        self.is_all_answered() && self.clock.now_ns() >= self.plan_end_ns()
    }

    fn is_all_answered(&self) -> bool {
        self.is_all_sent() && self.unanswered == 0
    }

    fn is_all_sent(&self) -> bool {
        match self.settings.load {
            Some(Load::Open { .. } | Load::Every { .. }) => self.next_send.is_none(),
            _ => self.spent == self.sessions.len() + self.away(),
        }
    }

    /// Until when replies are waited for once all messages are sent: a server that loses one must
    /// not make a run of a number of messages last for all the time that it may.
    fn give_up_ns(&self) -> Option<u64> {
        let drain_ns = self.settings.drain_ns?;
        (self.unanswered > 0 && self.is_all_sent())
            .then(|| self.progress_ns.saturating_add(drain_ns).max(self.plan_end_ns()))
    }

    /// When load ends because the server doesn't echo: it has sent other messages than the echoes,
    /// at least half as many as it was sent, and not one echo. A server that is silent, or slow, or
    /// only greets is not meant.
    fn no_echo_ns(&self) -> Option<u64> {
        let metrics = &self.metrics;
        let sum = |of: fn(&MessageCounts) -> u64| of(&metrics.warmup) + of(&metrics.measured);
        let sent = sum(|counts| counts.sent);
        let others = metrics.unexpected.saturating_sub(self.greeted);
        (self.settings.script == Script::Echo
            && sent > 0
            && sum(|counts| counts.received + counts.altered) == 0
            && others.saturating_mul(2) >= sent)
            .then(|| self.times.load_begin_ns.saturating_add(NO_ECHO_NS))
    }

    /// Whether the server has had time enough to echo, and has sent other messages instead.
    pub(crate) fn has_no_echo(&self, now_ns: u64) -> bool {
        self.no_echo_ns().is_some_and(|ns| ns <= now_ns)
    }

    /// Whether all messages are sent, and replies were waited for in vain.
    pub(crate) fn is_given_up(&self, now_ns: u64) -> bool {
        self.give_up_ns().is_some_and(|ns| ns <= now_ns)
    }
}
