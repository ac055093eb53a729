//! A copy of a published message to the counters and histograms it belongs in.
//!
//! What becomes of the message itself is in [`conclude`](super::conclude).

use std::sync::Arc;

use memchr::memmem;

use super::super::judge::{Judge, Received};
use super::super::sequences::{Arrival, Sequences};
use super::super::session::Session;
use super::super::sessions::{LocalIndex, Numbering, SessionKey};
use super::super::shared_fanout::{MessageId, SharedFanout};
use super::super::thread::Thread;
use super::publishers::Publishers;
use crate::clock::{Clock, nanos};
use crate::config::Fanout;
use crate::index::ConnectionIndex;
use crate::metrics::{Failure, FailurePhase, Metric, SeenKind};
use crate::stamp::Post;
use crate::{escape, units};

/// How far apart the clocks of two machines may be: a time beyond it has been changed on the way.
const SKEW_MAX_NS: u64 = 3_600_000_000_000;
/// How many bytes of a wrong message are shown.
const SHOWN_LEN_MAX: usize = 100;

/// The state of a worker whose connections publish messages or take copies of them.
#[derive(Debug)]
pub(crate) struct FanoutState {
    pub(crate) shared: Arc<SharedFanout>,
    pub(super) numbering: Numbering,
    clock: Clock,
    /// For each connection of the worker, what has come of each publisher of its topic.
    streams: Vec<Sequences>,
    pub(crate) publishers: Publishers,
    pub(crate) answers: Answers,
    /// Every publisher is done: subscribers that leave now have been there to the end.
    pub(crate) is_over: bool,
}

/// The answers to what connections have said once they were open.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The text that an answer contains, if answers are waited for.
    sign: Option<Box<str>>,
    /// Whether a connection waits for one, by local index.
    is_due: Vec<bool>,
    due: u64,
}

impl Answers {
    /// Checks whether answers are waited for at all.
    pub(crate) const fn are_awaited(&self) -> bool {
        self.sign.is_some()
    }

    /// Notes that a connection waits for an answer.
    fn expect(&mut self, local: LocalIndex) {
        if !self.are_awaited() {
            return;
        }
        if self.is_due.len() <= local.0 {
            self.is_due.resize(local.0 + 1, false);
        }
        self.is_due[local.0] = true;
        self.due += 1;
    }

    /// Takes a message if it is the answer that a connection waits for; returns whether it is.
    fn take(&mut self, local: LocalIndex, payload: &[u8]) -> bool {
        let Some(sign) = &self.sign else { return false };
        let Some(is_due) = self.is_due.get_mut(local.0).filter(|is_due| **is_due) else {
            return false;
        };
        if memmem::find(payload, sign.as_bytes()).is_none() {
            return false;
        }
        *is_due = false;
        self.due -= 1;
        true
    }

    /// Notes that a connection waits for no answer any more.
    fn forget(&mut self, local: LocalIndex) {
        if let Some(is_due) = self.is_due.get_mut(local.0)
            && std::mem::take(is_due)
        {
            self.due -= 1;
        }
    }
}

impl FanoutState {
    pub(crate) fn new(
        shared: Arc<SharedFanout>,
        fanout: &Fanout,
        (numbering, clock): (Numbering, Clock),
        slots: usize,
    ) -> Self {
        let worker = numbering.worker;
        let publishers = worker.share(shared.publishers, shared.workers());
        let streams = slots.saturating_mul(usize::try_from(shared.publishers_each()).unwrap_or(0));
        let sign = fanout.subscribed.as_deref().map(Into::into);
        Self {
            numbering,
            clock,
            answers: Answers { sign, is_due: Vec::new(), due: 0 },
            is_over: false,
            streams: vec![Sequences::new(0); streams],
            publishers: Publishers::new(publishers, nanos(fanout.copy_timeout)),
            shared,
        }
    }

    /// Checks whether copies go to other processes, too.
    pub(crate) fn is_split(&self) -> bool {
        self.shared.is_split()
    }

    /// Checks whether the worker has publishers.
    pub(crate) fn is_publishing(&self) -> bool {
        !self.publishers.is_empty()
    }

    /// Returns how many connections wait for the answer to what they said.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.answers.due
    }

    /// A connection is open: a publisher may send, or a subscriber is counted in.
    pub(super) fn opened(&mut self, thread: &mut Thread, key: SessionKey) {
        let index = thread.sessions[key].index;
        let local = self.numbering.local(index);
        if index.0 < self.shared.publishers {
            self.publishers.set_key(local, Some(key));
        } else {
            let (worker, topic) = (self.numbering.worker, index.turn(self.shared.topics));
            self.shared.set_open(worker, topic, self.shared.open_at(worker, topic) + 1);
        }
        if thread.greet(key) {
            self.answers.expect(local);
        }
    }

    /// A connection has ended: counts what a subscriber has not got, and concludes what a publisher
    /// has under way.
    pub(super) fn ended(&mut self, thread: &mut Thread, session: &mut Session) {
        let local = self.numbering.local(session.index);
        self.answers.forget(local);
        if session.index.0 < self.shared.publishers {
            self.publisher_ended(thread, session);
        } else {
            self.subscriber_ended(thread, session.index, local);
        }
    }

    fn subscriber_ended(&mut self, thread: &mut Thread, index: ConnectionIndex, local: LocalIndex) {
        let (shared, metrics) = (Arc::clone(&self.shared), &mut thread.metrics);
        let (worker, topic) = (self.numbering.worker, index.turn(shared.topics));
        shared.set_open(worker, topic, shared.open_at(worker, topic).saturating_sub(1));
        let is_over = self.is_over;
        let mut publisher = ConnectionIndex(topic);
        while publisher.0 < shared.publishers {
            if let Some(stream) = self.stream(local, publisher) {
                let stream = std::mem::replace(stream, Sequences::new(0));
                if shared.is_own(publisher) {
                    let sent = shared.sent(publisher);
                    metrics.copies.expected += sent;
                    metrics.copies.lost += stream.finish(Some(sent));
                } else {
                    metrics.copies.expected += stream.next();
                    metrics.copies.lost += stream.finish(None);
                    metrics.followed.entry(publisher).or_default().follow(stream.next(), is_over);
                }
            }
            publisher.0 += shared.topics;
        }
    }

    fn stream(&mut self, local: LocalIndex, publisher: ConnectionIndex) -> Option<&mut Sequences> {
        let each = usize::try_from(self.shared.publishers_each()).ok()?;
        let number = usize::try_from(publisher.0 / self.shared.topics).ok()?;
        self.streams.get_mut(local.0.checked_mul(each)? + number)
    }

    /// Counts the copies in a message that a connection has received, or that there are none.
    pub(super) fn message(&mut self, judge: &mut Judge<'_>, received: Received<'_>) {
        let own = judge.payload;
        let mut posts = own.posts_in(received.payload).peekable();
        if posts.peek().is_none() {
            let local = self.numbering.local(received.connection);
            let is_answer = self.answers.take(local, received.payload);
            let metrics = &mut *judge.metrics;
            let (count, kind) = if is_answer {
                (&mut metrics.fanout.answers, SeenKind::Answer)
            } else {
                (&mut metrics.copies.foreign, SeenKind::Foreign)
            };
            *count += 1;
            let is_publisher = received.connection.0 < self.shared.publishers;
            metrics.seen.add(kind, || {
                let role = if is_publisher { "publisher" } else { "subscriber" };
                format!("{role}, {}", received.shown())
            });
        }
        for (post, is_whole) in posts {
            self.copy(judge, received, post, is_whole);
        }
    }

    /// Counts a copy in a message that a connection has received.
    fn copy(&mut self, judge: &mut Judge<'_>, received: Received<'_>, post: Post, is_whole: bool) {
        let Received { connection: index, arrived_ns, .. } = received;
        let (shared, clock) = (Arc::clone(&self.shared), self.clock);
        let counts = &mut judge.metrics.copies;
        let topic = index.turn(shared.topics);
        let publisher = ConnectionIndex(post.publisher);
        let is_of_topic = post.topic == topic
            && publisher.0 < shared.publishers
            && publisher.turn(shared.topics) == topic
            && shared.has_sent(publisher, post.sequence);
        if !is_of_topic {
            counts.unexpected += 1;
            return judge.wrong_copy("unexpected", received);
        }
        if index.0 < shared.publishers {
            counts.overheard += 1;
            return;
        }
        let local = self.numbering.local(index);
        let Some(stream) = self.stream(local, publisher) else { return };
        let arrival = stream.take(post.sequence, &mut counts.lost);
        match arrival {
            Arrival::Again => {
                counts.duplicated += 1;
                return judge.wrong_copy("duplicated", received);
            }
            Arrival::Stale => {
                counts.stale += 1;
                return judge.wrong_copy("stale", received);
            }
            Arrival::Late => {
                counts.reordered += 1;
                judge.wrong_copy("reordered", received);
            }
            Arrival::InOrder => {}
        }
        let skew_ns = if shared.is_split() { SKEW_MAX_NS } else { 0 };
        let is_timely = judge.is_timely(clock, post.unix_ns, arrived_ns, skew_ns);
        if is_whole && is_timely {
            judge.copy(arrived_ns, clock.unix_ns(arrived_ns).checked_sub(post.unix_ns));
        } else {
            judge.metrics.copies.altered += 1;
            judge.wrong_copy("altered", received);
        }
        let message = MessageId { publisher, sequence: post.sequence };
        if !shared.is_split() {
            shared.note(self.numbering.worker, message, topic, arrived_ns);
        } else if let Some(place) = shared.sampled(message).filter(|_| is_timely) {
            let came_ns = clock.unix_ns(arrived_ns).cast_signed();
            judge.metrics.sampled.note(place, came_ns.saturating_sub(post.unix_ns.cast_signed()));
        }
    }
}

impl Judge<'_> {
    /// Checks whether a message can have been due then: a time that was changed on the way is no
    /// latency. `skew_ns` is how far the clock that it is from may differ.
    const fn is_timely(&self, clock: Clock, unix_ns: u64, arrived_ns: u64, skew_ns: u64) -> bool {
        let begin_ns = clock.unix_ns(self.times.earliest_ns());
        begin_ns.saturating_sub(skew_ns) <= unix_ns
            && unix_ns <= clock.unix_ns(arrived_ns).saturating_add(skew_ns)
    }

    /// Counts a copy. It has no latency if it came before it was sent, by the clocks of two
    /// processes.
    fn copy(&mut self, arrived_ns: u64, latency_ns: Option<u64>) {
        self.metrics.copies.received += 1;
        if self.times.is_measured(arrived_ns) {
            self.metrics.arrivals.arrived += 1;
        }
        self.live.received.add(1);
        match latency_ns {
            Some(ns) => {
                self.metrics.distributions.record(Metric::FanoutLatency, ns);
                self.live.latency(ns);
            }
            None => self.metrics.copies.early += 1,
        }
    }

    #[cold]
    fn wrong_copy(&mut self, code: &'static str, received: Received<'_>) {
        let Received { connection, payload, .. } = received;
        self.live.wrong.add(1);
        self.metrics.wrong.add(Failure::new(FailurePhase::Message, code), || {
            let shown = escape::bytes(payload, SHOWN_LEN_MAX);
            let len = units::counted(payload.len() as u64, "byte");
            format!("connection {connection}: {len}: {shown}")
        });
    }
}
