//! Concludes the messages of a fanout as their copies come in, or once they have waited long
//! enough.

use super::super::outstanding::Taken;
use super::super::sessions::SessionKey;
use super::super::shared_fanout::MessageId;
use super::Driver;

impl Driver {
    /// The subscribers of one more worker all have a message: concludes it if those of all workers
    /// have.
    pub(crate) fn has_copies(&mut self, message: MessageId) {
        if let Some(key) = self.duty.fanout().and_then(|fanout| fanout.completed(message)) {
            self.take(key, message, true);
        }
    }

    /// Takes a message off its publisher, complete or not, and lets the publisher send the next.
    fn take(&mut self, key: SessionKey, message: MessageId, is_complete: bool) {
        let Self { thread, duty } = self;
        let Some(fanout) = duty.fanout_mut() else { return };
        let session = &mut thread.sessions[key];
        if session.outstanding.due_ns(message.sequence).is_none() {
            return; // it has been concluded before
        }
        if let Taken::InOrder(_) | Taken::Late(_) = session.outstanding.take(message.sequence) {
            thread.outbox.unanswered -= 1;
        }
        if is_complete {
            thread.metrics.measured.received += 1;
            thread.metrics.fanout.complete += 1;
        } else {
            thread.metrics.measured.lost += 1;
            thread.metrics.fanout.incomplete += 1;
        }
        fanout.conclude(&mut thread.metrics, message);
        if thread.may_send(thread.clock.now_ns()) {
            self.refill(key);
            self.flush_or_wake(key);
        }
        if self.thread.outbox.unanswered == 0 {
            self.thread.lifecycle.wake_main();
        }
    }

    /// Concludes what has waited for its copies long enough.
    pub(crate) fn sweep_fanout(&mut self) {
        let Self { thread, duty } = self;
        let Some(fanout) = duty.fanout_mut() else { return };
        if fanout.shared.is_over() || fanout.answers.are_awaited() {
            thread.lifecycle.wake_main();
        }
        let (timeout_ns, now_ns) = (fanout.publishers.copy_timeout_ns, thread.clock.now_ns());
        for key in fanout.publishers.keys() {
            while let Some(session) = self.thread.sessions.get(key)
                && let Some((sequence, sent)) = session.outstanding.expected()
                && sent.due_ns().saturating_add(timeout_ns) <= now_ns
            {
                let message = MessageId { publisher: session.index, sequence };
                self.take(key, message, false);
            }
        }
    }

    /// Checks whether all publishers are done, or all connections of this worker are closing.
    pub(crate) fn is_fanout_over(&self) -> bool {
        self.thread.sessions.is_all_closing()
            || self.duty.fanout().is_none_or(|fanout| fanout.shared.is_over())
    }
}
