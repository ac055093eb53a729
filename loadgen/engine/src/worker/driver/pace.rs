//! When messages are sent: on a schedule (open loop), or when replies make room (closed loop); and
//! when load is over.

use std::num::NonZeroU64;

use super::super::sessions::SessionKey;
use super::super::thread::Thread;
use super::Driver;
use crate::config::Load;
use crate::metrics::Span;

/// Messages that are encoded in one go before sockets are read again.
pub(super) const SENDS_PER_TURN: usize = 256;

impl Driver {
    /// Begins to send messages.
    pub(crate) fn begin_load(&mut self) {
        self.duty.load_begins(&self.thread);
        self.thread.begin_deadlines();
    }

    /// Checks whether the duty sees no use in going on.
    pub(crate) fn has_given_up(&self, now_ns: u64) -> bool {
        self.duty.has_given_up(&self.thread, now_ns)
    }

    /// Checks whether a message is due under open loop.
    #[inline]
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        let thread = &self.thread;
        thread.lifecycle.is_loading() && thread.next_due_ns().is_some_and(|due_ns| due_ns <= now_ns)
    }

    /// Returns when there is something to do next, whatever comes before.
    pub(crate) fn next_turn_ns(&self) -> u64 {
        let Self { thread, duty } = self;
        let user_ns = duty.users().map(|users| users.next_ns(thread));
        let due =
            [thread.next_due_ns(), thread.next_probe_ns(), thread.next_deadline_ns(), user_ns];
        let done = [
            thread.give_up_ns(),
            duty.next_turn_ns(thread),
            thread.is_all_answered().then(|| thread.plan_end_ns()),
        ];
        due.into_iter().chain(done).flatten().fold(thread.times.window_end_ns, u64::min)
    }

    /// Sends what is due, as far as one turn goes; returns whether load is over.
    pub(crate) fn take_turn(&mut self) -> bool {
        let now_ns = self.thread.clock.now_ns();
        self.pace(now_ns);
        self.probe(now_ns);
        self.sweep(now_ns);
        self.play_turn();
        now_ns >= self.thread.times.window_end_ns
            || self.thread.lifecycle.is_interrupted()
            || self.is_load_done()
            || self.thread.is_given_up(now_ns)
            || self.has_given_up(now_ns)
    }

    /// Sends the messages that are due by `now_ns`, as far as one turn goes.
    pub(crate) fn pace(&mut self, now_ns: u64) {
        for _ in 0..SENDS_PER_TURN {
            let Self { thread, duty } = self;
            let Some(send) = thread.outbox.next_send else { break };
            let due_ns = send.due_ns.saturating_add(thread.times.load_begin_ns);
            if due_ns > now_ns || due_ns >= thread.times.window_end_ns {
                break;
            }
            thread.outbox.next_send = thread.outbox.sends.as_mut().and_then(Iterator::next);
            let key = thread.sessions.key_of(thread.settings.numbering.local(send.connection));
            let counts = thread.metrics.span(thread.times.span(due_ns));
            match key.filter(|&key| thread.sessions[key].may_send()) {
                None => counts.unsent_closed += 1,
                Some(_) if thread.outbox.is_full() => counts.unsent_backlog += 1,
                Some(key) if duty.room(&thread.sessions[key], 1) == 0 => {
                    counts.unsent_backlog += 1;
                    thread.metrics.fanout.crowded += 1;
                }
                Some(_) if now_ns - due_ns > thread.settings.catch_up_ns => counts.unsent_late += 1,
                Some(key) => {
                    self.encode(key, NonZeroU64::new(due_ns), 1);
                    let Thread { outbox, sessions, .. } = &mut self.thread;
                    outbox.mark_dirty(&mut sessions[key], key);
                }
            }
        }
        self.flush_dirty();
    }

    /// Writes what sessions have to write that are dirty.
    pub(crate) fn flush_dirty(&mut self) {
        while let Some(key) = self.thread.outbox.dirty.pop() {
            self.thread.sessions[key].is_dirty = false;
            self.flush_or_wake(key);
        }
    }

    /// Begins or continues the closed loop on a session: sends as many messages as its pipeline has
    /// room for.
    pub(crate) fn refill(&mut self, key: SessionKey) {
        let Self { thread, duty } = self;
        let Some(Load::Closed { pipeline }) = thread.settings.load else { return };
        // Due when they are written, unless they contain the time.
        let now_ns = thread.outbox.has_time.then(|| thread.clock.now_ns());
        let session = &thread.sessions[key];
        if !session.may_send() {
            return;
        }
        let room = (pipeline as usize).saturating_sub(session.outstanding.len());
        let count = usize::try_from(session.quota).map_or(room, |quota| quota.min(room));
        let count = duty.room(session, count);
        self.encode(key, now_ns.and_then(NonZeroU64::new), count);
    }

    /// Checks whether load is over before its time: all planned messages are sent and answered and
    /// the plan has ended, or no connection is left.
    pub(crate) fn is_load_done(&self) -> bool {
        let Self { thread, duty } = self;
        thread.lifecycle.is_leaving() || thread.is_alone() || duty.is_done(thread)
    }

    /// Checks whether messages are still due, and all connections are gone for good.
    pub(crate) fn is_deserted(&self) -> bool {
        let Self { thread, duty } = self;
        thread.is_alone() && thread.outbox.next_send.is_some() && duty.has_replies()
    }

    /// Counts the messages that were due before load ended and have not been sent: there was no
    /// time left for them, or no connection.
    pub(crate) fn count_unsent(&mut self) {
        let Self { thread, duty } = self;
        if let Some(users) = duty.users_mut() {
            users.count_unsent(thread);
        }
        let is_deserted = self.is_deserted();
        let Thread { outbox, times, metrics, .. } = &mut self.thread;
        let Some(next) = outbox.next_send.take() else { return };
        let left_before = |ns: u64| {
            let ns = ns.saturating_sub(times.load_begin_ns);
            let left = outbox.sends.as_ref().map_or(0, |sends| sends.left_before(ns));
            left + u64::from(next.due_ns < ns)
        };
        let warmup = left_before(times.window_begin_ns);
        let all = left_before(times.window_end_ns);
        for (span, count) in [(Span::Warmup, warmup), (Span::Measured, all - warmup)] {
            let counts = metrics.span(span);
            let unsent =
                if is_deserted { &mut counts.unsent_closed } else { &mut counts.unsent_late };
            *unsent += count;
        }
    }
}
