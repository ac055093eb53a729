//! Gives up messages whose reply is overdue.
//!
//! A message costs no timer and no work: a heap holds one time per connection, at which its oldest
//! message is checked. If that message is younger, or there is none, the next check is when the
//! oldest message could have become overdue. So each connection is checked about once per timeout.
//! Checks that are close together are made in one round, so a message is never given up early, and
//! at most 1/64 of the timeout or 10 ms late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::driver::Driver;
use super::sessions::LocalIndex;
use super::thread::Thread;

/// Connections that are checked in one go before sockets are read again.
const LOOKS_PER_TURN: usize = 1_024;
/// The time between two rounds is this fraction of the timeout, and at most this long.
const ROUNDS: u64 = 64;
const ROUND_MAX_NS: u64 = 10_000_000;

/// When each connection of a worker is checked next.
#[derive(Debug)]
pub(crate) struct Deadlines {
    timeout_ns: u64,
    /// When the last round was.
    round_ns: u64,
    /// When to check which connection.
    looks: BinaryHeap<Reverse<(u64, LocalIndex)>>,
}

impl Deadlines {
    pub(crate) fn new(timeout_ns: u64) -> Self {
        Self { timeout_ns, round_ns: 0, looks: BinaryHeap::new() }
    }
}

impl Thread {
    /// Begins the checks, when load begins: each connection is due once its first message can be
    /// overdue.
    pub(crate) fn begin_deadlines(&mut self) {
        let begin_ns = self.clock.now_ns();
        let Some(deadlines) = &mut self.deadlines else { return };
        let first_ns = begin_ns.saturating_add(deadlines.timeout_ns);
        let locals = self.sessions.locals();
        deadlines.looks = locals.map(|local| Reverse((first_ns, local))).collect();
    }

    /// Returns when the next round of checks is.
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        let Deadlines { timeout_ns, round_ns, looks } = self.deadlines.as_ref()?;
        let Reverse((ns, _)) = looks.peek()?;
        Some(round_ns.saturating_add(ROUND_MAX_NS.min(timeout_ns / ROUNDS)).max(*ns))
    }
}

impl Driver {
    /// Gives up the messages that are overdue, at most as many as one turn allows.
    pub(crate) fn sweep(&mut self, now_ns: u64) {
        if self.thread.next_deadline_ns().is_none_or(|ns| ns > now_ns) {
            return;
        }
        for _ in 0..LOOKS_PER_TURN {
            let Some(deadlines) = &mut self.thread.deadlines else { return };
            let timeout_ns = deadlines.timeout_ns;
            let due = deadlines.looks.peek().filter(|look| look.0.0 <= now_ns);
            let Some(&Reverse((_, local))) = due else {
                deadlines.round_ns = now_ns;
                return;
            };
            deadlines.looks.pop();
            let next_ns = self.give_up(local, now_ns, timeout_ns);
            if let Some(deadlines) = &mut self.thread.deadlines {
                deadlines.looks.push(Reverse((next_ns.max(now_ns + 1), local)));
            }
        }
    }

    /// Gives up the messages of a connection that have waited for `timeout_ns`, and lets a closed
    /// loop send others in their place. Returns when to check again.
    fn give_up(&mut self, local: LocalIndex, now_ns: u64, timeout_ns: u64) -> u64 {
        let idle_ns = now_ns.saturating_add(timeout_ns);
        let thread = &mut self.thread;
        let Some(key) = thread.sessions.key_of(local) else { return idle_ns };
        let Thread { sessions, metrics, times, .. } = thread;
        let outstanding = &mut sessions[key].outstanding;
        let mut given_up = 0;
        while let Some(sent) = outstanding.time_out(now_ns, timeout_ns) {
            metrics.span(times.span(sent.planned_ns)).timed_out += 1;
            given_up += 1;
        }
        thread.outbox.unanswered -= given_up;
        if given_up > 0 && thread.may_send(now_ns) {
            self.refill(key);
            self.flush_or_wake(key);
        }
        let oldest = self.thread.sessions[key].outstanding.oldest_written_ns();
        oldest.map_or(idle_ns, |written_ns| written_ns.saturating_add(timeout_ns))
    }
}
