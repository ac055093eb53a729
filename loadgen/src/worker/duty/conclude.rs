//! A published message to its first and last copy, and the spread between them.
//!
//! A message is concluded once all of its copies are there, or have been waited for long enough:
//!
//! ```text
//!   encoded ─▶ writing ─▶ copies come to all workers ─▶ bell ─▶ concluded, and room for the next
//!                                                    └─ timeout, or its publisher ends ─▶ concluded
//! ```

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

use super::super::driver::Driver;
use super::super::outstanding::Taken;
use super::super::session::Session;
use super::super::sessions::{LocalIndex, SessionKey};
use super::super::shared_fanout::MessageId;
use super::super::thread::Thread;
use super::super::{GRACE_NS, INTERRUPTED_DRAIN_NS, Worker};
use super::Duty;
use super::fanout::FanoutState;
use crate::metrics::{Metric, Metrics};

/// How often messages are looked for that have waited for their copies long enough.
const SWEEP: Duration = Duration::from_millis(20);
/// Messages that are concluded before sockets have their turn.
const CONCLUSIONS_PER_TURN: usize = 256;

/// The publishers of a worker, by local index, and their messages under way.
#[derive(Debug)]
pub(super) struct Publishers {
    publishers: Vec<Publisher>,
    copy_timeout_ns: u64,
}

#[derive(Debug, Default)]
struct Publisher {
    /// The key of its session.
    key: Option<SessionKey>,
    /// By sequence, modulo the rows that it has.
    messages: Vec<Underway>,
}

/// A message under way.
#[derive(Clone, Copy, Debug, Default)]
struct Underway {
    /// The time in it, from which latencies count.
    base_ns: u64,
    /// Subscribers that were open.
    expected: u64,
}

impl Publishers {
    pub(super) fn new(publishers: u64, copy_timeout_ns: u64) -> Self {
        let publishers = (0..publishers).map(|_| Publisher::default()).collect();
        Self { publishers, copy_timeout_ns }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.publishers.is_empty()
    }

    /// Notes the session of a publisher, or that it has none.
    pub(super) fn set_key(&mut self, local: LocalIndex, key: Option<SessionKey>) {
        if let Some(publisher) = self.publishers.get_mut(local.0) {
            publisher.key = key;
        }
    }
}

impl FanoutState {
    /// Returns how many messages a publisher may send now: each takes a row until it is concluded.
    pub(super) fn room(&self, session: &Session) -> usize {
        let next = session.outstanding.next_sequence();
        let first = session.outstanding.expected().map_or(next, |(first, _)| first);
        usize::try_from(self.shared.rows_each().saturating_sub(next - first)).unwrap_or(usize::MAX)
    }

    /// Notes messages that are about to be sent.
    pub(super) fn encoded(&mut self, publisher: u64, sequences: Range<u64>, base_ns: u64) {
        if self.is_split() {
            return;
        }
        let rows = usize::try_from(self.shared.rows_each()).unwrap_or(1);
        let expected = self.shared.open(publisher % self.shared.topics);
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
    fn completed(&self, message: MessageId) -> Option<SessionKey> {
        let (publisher, underway) = self.underway(message);
        let key = publisher?.key?;
        (self.shared.copies(message).count >= underway?.expected).then_some(key)
    }

    /// Records what is known of a message's copies.
    fn conclude(&self, metrics: &mut Metrics, message: MessageId) {
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
    fn bells(&self) -> Option<UnboundedReceiver<MessageId>> {
        self.shared.ringing(self.numbering.worker)
    }

    /// Notes how much the publishers of a segment have sent.
    fn note_sent(&self, metrics: &mut Metrics) {
        if self.is_split() {
            let mut publisher = self.numbering.worker;
            while publisher < self.shared.publishers {
                let sent = self.shared.sent(publisher);
                metrics.followed.entry(publisher).or_default().sent = Some(sent);
                publisher += self.numbering.workers;
            }
        }
    }
}

impl Driver {
    /// The subscribers of one more worker all have a message: concludes it if those of all workers
    /// have.
    fn has_copies(&mut self, message: MessageId) {
        if let Some(key) = self.duty.fanout().and_then(|fanout| fanout.completed(message)) {
            self.take(key, message, true);
        }
    }

    /// Takes a message off its publisher, complete or not, and lets the publisher send the next.
    fn take(&mut self, key: SessionKey, message: MessageId, is_complete: bool) {
        let Self { thread, duty: Duty::Fanout(fanout) } = self else { return };
        let session = &mut thread.sessions[key];
        if session.outstanding.planned_ns(message.sequence).is_none() {
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
    fn sweep_fanout(&mut self) {
        let Self { thread, duty: Duty::Fanout(fanout) } = self else { return };
        if fanout.shared.is_over() || fanout.answers.are_awaited() {
            thread.lifecycle.wake_main();
        }
        let (timeout_ns, now_ns) = (fanout.publishers.copy_timeout_ns, thread.clock.now_ns());
        let publishers = fanout.publishers.publishers.iter();
        let keys: Vec<_> = publishers.filter_map(|publisher| publisher.key).collect();
        for key in keys {
            while let Some(session) = self.thread.sessions.get(key)
                && let Some((sequence, sent)) = session.outstanding.expected()
                && sent.planned_ns.saturating_add(timeout_ns) <= now_ns
            {
                let message = MessageId { publisher: session.index, sequence };
                self.take(key, message, false);
            }
        }
    }
}

impl Worker {
    /// Concludes messages as their copies come in, for as long as the worker runs.
    pub(in super::super) fn conclude_messages(&self) {
        let bells = self.driver.borrow().duty.fanout().and_then(FanoutState::bells);
        let Some(mut bells) = bells else { return };
        let driver = Rc::clone(&self.driver);
        tokio::task::spawn_local(async move {
            let mut sweeps = interval(SWEEP);
            sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    Some(message) = bells.recv() => {
                        let mut driver = driver.borrow_mut();
                        driver.has_copies(message);
                        for _ in 1..CONCLUSIONS_PER_TURN {
                            let Ok(message) = bells.try_recv() else { break };
                            driver.has_copies(message);
                        }
                    }
                    _ = sweeps.tick() => driver.borrow_mut().sweep_fanout(),
                }
            }
        });
    }

    /// Checks whether the worker has subscribers only.
    pub(in super::super) fn is_subscribing(&self) -> bool {
        self.driver.borrow().duty.fanout().is_some_and(|fanout| !fanout.is_publishing())
    }

    /// Takes copies until the publishers, which are other workers', are done.
    pub(in super::super) async fn subscribe(&mut self) {
        let bound_ns = self.drain_ns.saturating_add(GRACE_NS);
        let deadline_ns = |driver: &Driver| {
            let is_split = driver.duty.fanout().is_some_and(FanoutState::is_split);
            // Publishers of other processes end by the same schedule; copies are waited for later.
            let bound_ns = if is_split { 0 } else { bound_ns };
            driver.thread.times.window_end_ns.saturating_add(bound_ns)
        };
        self.wait(deadline_ns, Driver::is_fanout_over).await;
    }

    /// Says that this worker's publishers are done, and waits until those of all are, so that no
    /// subscriber leaves before.
    pub(in super::super) async fn wait_for_publishers(&mut self) {
        match self.driver.borrow().duty.fanout() {
            None => return,
            Some(fanout) if fanout.is_publishing() => fanout.shared.done(),
            Some(_) => {}
        }
        let begin_ns = self.clock.now_ns();
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        let end_ns = |driver: &Driver| {
            driver.thread.lifecycle.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS)
        };
        self.wait_also_interrupted(end_ns, Driver::is_fanout_over).await;
        let mut driver = self.driver.borrow_mut();
        // Publishers of other processes may go on after an interrupt of this one.
        let is_interrupted = driver.thread.lifecycle.is_interrupted();
        if let Some(fanout) = driver.duty.fanout_mut() {
            fanout.is_over = !is_interrupted;
        }
    }

    /// Notes how much the publishers of a segment have sent.
    pub(in super::super) fn note_sent(&self) {
        let Driver { thread, duty } = &mut *self.driver.borrow_mut();
        if let Some(fanout) = duty.fanout() {
            fanout.note_sent(&mut thread.metrics);
        }
    }
}

impl Driver {
    /// Checks whether all publishers are done, or all connections of this worker are closing.
    fn is_fanout_over(&self) -> bool {
        self.thread.sessions.is_all_closing()
            || self.duty.fanout().is_none_or(|fanout| fanout.shared.is_over())
    }
}
