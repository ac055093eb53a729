//! Tells when messages have waited long enough for their reply.
//!
//! A message costs no timer and no work: a heap holds one time per connection, at which its oldest
//! message is checked. If that message is younger, or there is none, the next check is when the
//! oldest message could have become overdue. So each connection is checked about once per timeout.
//! Checks that are close together are made in one round, so a message is never given up early, and
//! at most 1/64 of the timeout or 10 ms late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::sessions::LocalIndex;
use super::Thread;

/// The time between two rounds is this fraction of the timeout, and at most this long.
const ROUNDS: u64 = 64;
const ROUND_MAX_NS: u64 = 10_000_000;

/// When each connection of a worker is checked next.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// How long a reply may take.
    pub(crate) timeout_ns: u64,
    /// When the last round was.
    round_ns: u64,
    /// When to check which connection.
    looks: BinaryHeap<Reverse<(u64, LocalIndex)>>,
}

impl Deadlines {
    pub(crate) fn new(timeout_ns: u64) -> Self {
        Self { timeout_ns, round_ns: 0, looks: BinaryHeap::new() }
    }

    /// Takes a connection whose check is due by now; if there is none, the round is over.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<LocalIndex> {
        let Some(&Reverse((_, local))) = self.looks.peek().filter(|look| look.0.0 <= now_ns) else {
            self.round_ns = now_ns;
            return None;
        };
        self.looks.pop();
        Some(local)
    }

    /// Has a connection checked at a time.
    pub(crate) fn check_at(&mut self, ns: u64, local: LocalIndex) {
        self.looks.push(Reverse((ns, local)));
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
