//! Pings beside messages: which are due, and the Pong that answers each.
//!
//! Their state is here and not in the sessions, so that a run without them pays nothing. They have
//! their own schedule, outstanding Pings and counters, and share with messages only a session's
//! unsent bytes, which consist of whole frames.

use std::num::NonZeroU64;

use wscodec::header::Opcode;

use super::super::frames;
use super::super::outstanding::Outstanding;
use super::super::pong::{Answered, answer};
use super::super::sessions::{LocalIndex, SessionKey};
use super::Thread;
use crate::clock::Clock;
use crate::index::ConnectionIndex;
use crate::metrics::{Metric, Metrics};
use crate::payload::{Expected, Payload};
use crate::plan::{Send, Sends};

/// The Pings of a worker's connections.
pub(crate) struct Probes {
    payload: Payload,
    sends: Sends,
    next: Option<Send>,
    /// The Pings of each connection that have no Pong yet, by local index.
    outstanding: Vec<Outstanding>,
    /// How many Pings of all connections have no Pong yet.
    unanswered: usize,
}

/// A Pong that has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pong<'p> {
    pub(crate) payload: &'p [u8],
    /// The connection that it came on, by its index in the run and among the worker's.
    pub(crate) connection: ConnectionIndex,
    pub(crate) local: LocalIndex,
    pub(crate) arrived_ns: u64,
}

impl Probes {
    /// Plans the Pings of `sends` for `slots` connections.
    pub(crate) fn new(clock: Clock, mut sends: Sends, slots: usize) -> Self {
        let next = sends.next();
        let outstanding = (0..slots).map(|_| Outstanding::default()).collect();
        Self { payload: Payload::of_pings(clock), sends, next, outstanding, unanswered: 0 }
    }

    /// Counts a Pong.
    pub(crate) fn pong(&mut self, metrics: &mut Metrics, pong: Pong<'_>) {
        let Some(outstanding) = self.outstanding.get_mut(pong.local.0) else { return };
        let before = outstanding.len();
        let answered = answer(&self.payload, outstanding, pong.payload, pong.connection);
        if let Some(Answered { ping, superseded }) = answered {
            metrics.probes.superseded += superseded;
            metrics.probes.answered += 1;
            let rtt_ns = pong.arrived_ns.saturating_sub(ping.written_ns());
            metrics.distributions.record(Metric::PingRtt, rtt_ns);
        } else {
            metrics.probes.unsolicited += 1;
        }
        self.unanswered -= before - outstanding.len();
    }
}

impl Thread {
    /// Returns when the next Ping is due.
    pub(crate) fn next_probe_ns(&self) -> Option<u64> {
        let due_ns = self.probes.as_ref()?.next?.due_ns;
        Some(due_ns.saturating_add(self.times.window_begin_ns))
    }

    /// Checks whether every Ping has its Pong.
    pub(crate) fn is_probed(&self) -> bool {
        self.probes.as_ref().is_none_or(|probes| probes.unanswered == 0)
    }

    /// Takes the next Ping if it is due by now: its connection, and when it was due.
    pub(crate) fn take_due_probe(&mut self, now_ns: u64) -> Option<(ConnectionIndex, u64)> {
        let due_ns = self.next_probe_ns()?;
        if due_ns > now_ns || due_ns >= self.times.window_end_ns {
            return None;
        }
        let probes = self.probes.as_mut()?;
        let send = std::mem::replace(&mut probes.next, probes.sends.next())?;
        Some((send.connection, due_ns))
    }

    /// Appends a Ping to the unsent bytes of a session.
    pub(crate) fn ping(&mut self, key: SessionKey, due_ns: u64) {
        let Self { sessions, probes, outbox, metrics, settings, clock, .. } = self;
        let session = &mut sessions[key];
        let Some(probes) = probes else { return };
        let local = settings.numbering.local(session.index);
        let Some(outstanding) = probes.outstanding.get_mut(local.0) else { return };
        if session.unsent.capacity() == 0 {
            session.unsent = outbox.spare();
        }
        let before = session.unsent.len();
        let sequence = outstanding.next_sequence();
        let message = Expected { connection: session.index, sequence, due_ns };
        let payload = probes.payload.message(message);
        frames::append(Opcode::Ping, payload, None, &mut outbox.keys, &mut session.unsent);
        outbox.backlog_len += session.unsent.len() - before;
        outstanding.push(NonZeroU64::new(due_ns), 1);
        let written_ns = clock.now_ns();
        outstanding.take_unwritten().for_each(|ping| ping.write(written_ns));
        probes.unanswered += 1;
        metrics.probes.sent += 1;
    }

    /// Counts the Pings that were due before load ended and have not been sent: there was no time
    /// left for them, or no connection.
    pub(crate) fn count_unprobed(&mut self) {
        let is_alone = self.sessions.is_all_closing();
        let Some(probes) = &mut self.probes else { return };
        let Some(next) = probes.next.take() else { return };
        let ns = self.times.window_end_ns.saturating_sub(self.times.window_begin_ns);
        let left = probes.sends.left_before(ns) + u64::from(next.due_ns < ns);
        let counts = &mut self.metrics.probes;
        *(if is_alone { &mut counts.unsent_closed } else { &mut counts.unsent_late }) += left;
    }

    /// Gives up the Pings of a connection that has ended.
    pub(crate) fn forget_probes(&mut self, local: LocalIndex) {
        let Some(probes) = &mut self.probes else { return };
        let Some(outstanding) = probes.outstanding.get_mut(local.0) else { return };
        let missing = outstanding.give_up_all().count();
        probes.unanswered -= missing;
        self.metrics.probes.missing += missing as u64;
    }
}
