//! When messages are due, and when all of them are sent and answered.

use super::Thread;
use crate::config::Load;

impl Thread {
    /// Returns when the next message is due under open loop.
    #[inline]
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        self.outbox.next_send.map(|send| send.due_ns.saturating_add(self.times.load_begin_ns))
    }

    /// Returns the earliest end of load. Before it, a plan of a number of events has not had its
    /// time, and a higher rate would be achieved than was asked for.
    pub(crate) fn plan_end_ns(&self) -> u64 {
        let end_ns = self.times.load_begin_ns.saturating_add(self.settings.plan_end_ns);
        end_ns.min(self.times.window_end_ns)
    }

    /// Checks whether all planned messages are sent and answered.
    pub(crate) fn is_all_answered(&self) -> bool {
        self.is_all_sent() && self.outbox.unanswered == 0
    }

    fn is_all_sent(&self) -> bool {
        match self.settings.load {
            Some(Load::Open { .. } | Load::Every { .. }) => self.outbox.next_send.is_none(),
            _ => self.outbox.spent == self.sessions.len() + self.away(),
        }
    }

    /// Returns how long replies are waited for once all messages are sent, so one lost reply can't
    /// stretch a `-n` run to its full duration.
    pub(crate) fn give_up_ns(&self) -> Option<u64> {
        let drain_ns = self.settings.drain_ns?;
        (self.outbox.unanswered > 0 && self.is_all_sent())
            .then(|| self.outbox.progress_ns.saturating_add(drain_ns).max(self.plan_end_ns()))
    }

    /// Checks whether all messages are sent, and their replies were waited for in vain.
    pub(crate) fn is_given_up(&self, now_ns: u64) -> bool {
        self.give_up_ns().is_some_and(|ns| ns <= now_ns)
    }

    /// Checks whether no connection is left to do anything with, nor will be.
    pub(crate) fn is_alone(&self) -> bool {
        self.admission.is_settled() && self.sessions.is_all_closing() && !self.awaits_return()
    }
}
