//! A published message to its first and last copy, and the spread between them.
//!
//! A message is concluded once all of its copies are there, or have been waited for long enough:
//!
//! ```text
//!   encoded ─▶ writing ─▶ copies come to all workers ─▶ bell ─▶ concluded, and room for the next
//!                                                    └─ timeout, or its publisher ends ─▶ concluded
//! ```

use std::ops::Range;

use tokio::sync::mpsc::UnboundedReceiver;

use super::super::session::Session;
use super::super::sessions::SessionKey;
use super::super::shared_fanout::MessageId;
use super::super::thread::Thread;
use super::fanout::FanoutState;
use super::publishers::{Publisher, Underway};
use crate::index::ConnectionIndex;
use crate::metrics::{Metric, Metrics};

impl FanoutState {
    /// Returns how many messages a publisher may send now: each takes a row until it is concluded.
    pub(super) fn room(&self, session: &Session) -> usize {
        let next = session.outstanding.next_sequence();
        let first = session.outstanding.expected().map_or(next, |(first, _)| first);
        usize::try_from(self.shared.rows_each().saturating_sub(next - first)).unwrap_or(usize::MAX)
    }

    /// Notes messages that are about to be sent.
    pub(super) fn encoded(
        &mut self,
        publisher: ConnectionIndex,
        sequences: Range<u64>,
        base_ns: u64,
    ) {
        if self.is_split() {
            return;
        }
        let rows = usize::try_from(self.shared.rows_each()).unwrap_or(1);
        let expected = self.shared.open(publisher.turn(self.shared.topics));
        let local = self.numbering.local(publisher);
        let Some(publisher) = self.publishers.publishers.get_mut(local.0) else { return };
        publisher.messages.resize(rows, Underway::default());
        for sequence in sequences {
            let row = usize::try_from(sequence % rows as u64).unwrap_or(0);
            publisher.messages[row] = Underway { base_ns, expected };
        }
    }

    /// Messages of a publisher are about to be written: tells the other workers, and lets go of
    /// those whose copies go to other processes, too.
    pub(super) fn writing(&mut self, thread: &mut Thread, key: SessionKey, messages: u64) {
        let session = &mut thread.sessions[key];
        self.shared.add_sent(session.index, messages);
        if self.is_split() {
            while session.outstanding.take_expected().is_some() {
                thread.outbox.unanswered -= 1;
                thread.metrics.fanout.unjudged += 1;
            }
        }
    }

    /// A publisher has ended: nothing that it has under way is waited for any more.
    pub(super) fn publisher_ended(&mut self, thread: &mut Thread, session: &mut Session) {
        let metrics = &mut thread.metrics;
        while let Some((sequence, _)) = session.outstanding.expected() {
            self.conclude(metrics, MessageId { publisher: session.index, sequence });
            session.outstanding.take_expected();
            metrics.measured.lost += 1;
            metrics.fanout.incomplete += 1;
        }
        self.publishers.set_key(self.numbering.local(session.index), None);
    }

    /// Returns the publisher of a message, and the message if it is under way.
    fn underway(&self, message: MessageId) -> (Option<&Publisher>, Option<&Underway>) {
        let local = self.numbering.local(message.publisher);
        let publisher = self.publishers.publishers.get(local.0);
        let row = usize::try_from(message.sequence % self.shared.rows_each()).unwrap_or(0);
        (publisher, publisher.and_then(|publisher| publisher.messages.get(row)))
    }

    /// Returns the session to which a message belongs whose copies have all come to all workers.
    pub(crate) fn completed(&self, message: MessageId) -> Option<SessionKey> {
        let (publisher, underway) = self.underway(message);
        let key = publisher?.key?;
        (self.shared.copies(message).count >= underway?.expected).then_some(key)
    }

    /// Records what is known of a message's copies.
    pub(crate) fn conclude(&self, metrics: &mut Metrics, message: MessageId) {
        let copies = self.shared.copies(message);
        let base_ns = self.underway(message).1.map(|underway| underway.base_ns);
        let Some(base_ns) = base_ns.filter(|_| copies.count > 0) else {
            metrics.fanout.silent += 1;
            return;
        };
        let durations = &mut metrics.distributions;
        durations.record(Metric::FanoutFirst, copies.first_ns.saturating_sub(base_ns));
        durations.record(Metric::FanoutLast, copies.last_ns.saturating_sub(base_ns));
        durations.record(Metric::FanoutSpread, copies.last_ns.saturating_sub(copies.first_ns));
    }

    /// Returns where the worker hears of messages that others have all copies of, the first time.
    pub(crate) fn bells(&self) -> Option<UnboundedReceiver<MessageId>> {
        self.shared.ringing(self.numbering.worker)
    }

    /// Notes how much the publishers of a segment have sent.
    pub(crate) fn note_sent(&self, metrics: &mut Metrics) {
        if self.is_split() {
            let mut publisher = self.numbering.worker.first();
            while publisher.0 < self.shared.publishers {
                let sent = self.shared.sent(publisher);
                metrics.followed.entry(publisher).or_default().sent = Some(sent);
                publisher.0 += self.numbering.workers;
            }
        }
    }
}
