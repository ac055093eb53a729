//! Gives up messages whose reply is overdue.

use super::super::sessions::LocalIndex;
use super::super::thread::Thread;
use super::Driver;

/// Connections that are checked in one go before sockets are read again.
const LOOKS_PER_TURN: usize = 1_024;

impl Driver {
    /// Gives up the messages that are overdue, at most as many as one turn allows.
    pub(crate) fn sweep(&mut self, now_ns: u64) {
        if self.thread.next_deadline_ns().is_none_or(|ns| ns > now_ns) {
            return;
        }
        for _ in 0..LOOKS_PER_TURN {
            let Some(deadlines) = &mut self.thread.deadlines else { return };
            let timeout_ns = deadlines.timeout_ns;
            let Some(local) = deadlines.take_due(now_ns) else { return };
            let next_ns = self.give_up(local, now_ns, timeout_ns);
            if let Some(deadlines) = &mut self.thread.deadlines {
                deadlines.check_at(next_ns.max(now_ns + 1), local);
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
            metrics.span(times.span(sent.due_ns())).timed_out += 1;
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
