//! Sends the Pings beside messages that are due.

use super::Driver;
use super::pace::SENDS_PER_TURN;

impl Driver {
    /// Sends the Pings that are due by `now_ns`, at most as many as one turn allows.
    pub(crate) fn probe(&mut self, now_ns: u64) {
        for _ in 0..SENDS_PER_TURN {
            let thread = &mut self.thread;
            let Some((connection, due_ns)) = thread.take_due_probe(now_ns) else { return };
            let key = thread.sessions.key_of(thread.local(connection));
            match key.filter(|&key| thread.sessions[key].is_open()) {
                None => thread.metrics.probes.unsent_closed += 1,
                Some(_) if thread.outbox.is_full() => thread.metrics.probes.unsent_backlog += 1,
                Some(_) if now_ns - due_ns > thread.settings.catch_up_ns => {
                    thread.metrics.probes.unsent_late += 1;
                }
                Some(key) => {
                    thread.ping(key, due_ns);
                    self.flush_or_wake(key);
                }
            }
        }
    }
}
