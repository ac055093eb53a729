//! What the workers of a `fanout` share: how much each publisher has sent, how many subscribers are
//! open, and when the copies of a message under way came to each worker.
//!
//! ```text
//!   subscriber's worker:  copy ─▶ its own row of the ring ─ all of its subscribers have it ─▶ bell
//!   publisher's worker:   bell ─▶ all rows of the message ─ all copies there ─▶ first, last, spread
//! ```
//!
//! In a segment of a run there are no rows: copies go to other processes too, so no process knows
//! when the last copy has come. Each subscriber's own sequences still tell what it has got.
//!
//! Nothing is locked, and each number is written by one thread. A row is overwritten only once its
//! publisher's worker is done with the message in it, since a publisher never has more messages
//! under way than it has rows.

use std::cmp::Ordering;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::config::{Config, Fanout, Segment};
use crate::index::{ConnectionIndex, WorkerIndex};
use crate::metrics::Sampling;

/// How many messages of all publishers may be under way, and the minimum per publisher.
const ROWS: u64 = 8_192;
const ROWS_MIN: u64 = 64;

/// Returns the number, of up to ten digits, that tells the messages of this run from those that a
/// server may have kept of others.
#[must_use]
pub const fn run_number(begin_unix_ns: u64, seed: u64) -> u64 {
    (begin_unix_ns ^ seed) % 10_000_000_000
}

/// Which message of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageId {
    pub(crate) publisher: ConnectionIndex,
    pub(crate) sequence: u64,
}

/// The copies of one message that came to one worker.
#[derive(Debug, Default)]
struct Row {
    /// One more than the sequence of the message; 0 if there is none.
    tag: AtomicU64,
    copies: AtomicU64,
    first_ns: AtomicU64,
    last_ns: AtomicU64,
}

/// The copies of a message that have come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) count: u64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
}

/// What the workers of a fanout share.
#[derive(Debug)]
pub struct SharedFanout {
    pub(crate) publishers: u64,
    pub(crate) topics: u64,
    /// Which part of the run this process has, unless it has all of it.
    segment: Option<Segment>,
    /// The most messages that one publisher may send. Publishers of other processes don't say how
    /// many they have sent.
    messages_each_max: u64,
    /// Which messages are sampled, so that segments can be compared: when their copies come is
    /// noted.
    sampling: Sampling,
    /// How many workers there are in all segments.
    workers: u64,
    /// How many rows a publisher has on each worker.
    rows_each: u64,
    /// How many messages each publisher has sent.
    sent: Box<[AtomicU64]>,
    /// How many subscribers are open, by worker and topic.
    open: Box<[AtomicU64]>,
    /// By worker, publisher and sequence.
    rows: Box<[Row]>,
    bells: Box<[UnboundedSender<MessageId>]>,
    ringing: Mutex<Vec<Option<UnboundedReceiver<MessageId>>>>,
    /// How many workers have publishers that are not done.
    publishing: AtomicU64,
}

fn zeros(len: u64) -> Box<[AtomicU64]> {
    (0..len).map(|_| AtomicU64::default()).collect()
}

impl SharedFanout {
    /// Makes the state of a run in which nothing has been sent yet.
    #[must_use]
    pub fn new(config: &Config, fanout: &Fanout) -> Self {
        let topics = fanout.topics;
        let threads = config.threads.get() as u64;
        // Subscribers of other processes get copies too, and this process doesn't know when.
        let (rows_of, open_of) = match config.split() {
            None => (threads * fanout.publishers, threads * topics),
            Some(_) => (0, 0),
        };
        let rows_each = (ROWS / fanout.publishers).max(ROWS_MIN).next_power_of_two();
        let (bells, ringing): (Vec<_>, Vec<_>) = (0..threads).map(|_| unbounded_channel()).unzip();
        Self {
            publishers: fanout.publishers,
            topics,
            segment: config.split(),
            messages_each_max: fanout.messages_each_max(config.duration),
            sampling: Sampling::new(fanout.messages_max(config.duration)),
            workers: config.part().workers(threads),
            rows_each,
            sent: zeros(fanout.publishers),
            open: zeros(open_of),
            rows: (0..rows_of * rows_each).map(|_| Row::default()).collect(),
            bells: bells.into(),
            ringing: Mutex::new(ringing.into_iter().map(Some).collect()),
            publishing: AtomicU64::new(threads.min(fanout.publishers)),
        }
    }

    /// Checks whether copies go to other processes too.
    pub(crate) const fn is_split(&self) -> bool {
        self.segment.is_some()
    }

    /// Returns the place of a message among the sampled ones, if it is one of them.
    pub(crate) fn sampled(&self, message: MessageId) -> Option<usize> {
        let MessageId { publisher, sequence } = message;
        let number = sequence.checked_mul(self.publishers)?.checked_add(publisher.0)?;
        self.sampling.place(number)
    }

    /// Checks whether a publisher belongs to this process.
    pub(crate) fn is_own(&self, publisher: ConnectionIndex) -> bool {
        self.segment.is_none_or(|segment| segment.has(publisher))
    }

    /// Checks whether a publisher has sent a message, as far as this process knows.
    pub(crate) fn has_sent(&self, publisher: ConnectionIndex, sequence: u64) -> bool {
        let sent =
            if self.is_own(publisher) { self.sent(publisher) } else { self.messages_each_max };
        sequence < sent
    }

    /// Returns how many messages of a publisher may be under way.
    pub(crate) const fn rows_each(&self) -> u64 {
        self.rows_each
    }

    /// Returns how many workers there are in all segments.
    pub(crate) const fn workers(&self) -> u64 {
        self.workers
    }

    /// Returns the most publishers that a topic can have.
    pub(crate) const fn publishers_each(&self) -> u64 {
        self.publishers.div_ceil(self.topics)
    }

    /// Returns the receiver that tells a worker of messages that all subscribers of another worker
    /// have; the first time only.
    pub(crate) fn ringing(&self, worker: WorkerIndex) -> Option<UnboundedReceiver<MessageId>> {
        let mut ringing = self.ringing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = worker.0 / self.segment.map_or(1, Segment::of);
        ringing.get_mut(usize::try_from(place).ok()?)?.take()
    }

    /// Returns how many messages a publisher has sent.
    pub(crate) fn sent(&self, publisher: ConnectionIndex) -> u64 {
        at(&self.sent, publisher.0).map_or(0, |sent| sent.load(Acquire))
    }

    /// Counts messages that a publisher is about to send. Called only by the publisher's worker.
    pub(crate) fn add_sent(&self, publisher: ConnectionIndex, messages: u64) {
        if let Some(sent) = at(&self.sent, publisher.0) {
            sent.store(sent.load(Relaxed) + messages, Release);
        }
    }

    /// Returns how many subscribers of a topic are open.
    pub(crate) fn open(&self, topic: u64) -> u64 {
        (0..self.workers).map(WorkerIndex).map(|worker| self.open_at(worker, topic)).sum()
    }

    /// Returns how many subscribers of a topic are open on one worker.
    pub(crate) fn open_at(&self, worker: WorkerIndex, topic: u64) -> u64 {
        at(&self.open, worker.0 * self.topics + topic).map_or(0, |open| open.load(Relaxed))
    }

    /// Sets how many subscribers of a topic are open on a worker. Called only by that worker.
    pub(crate) fn set_open(&self, worker: WorkerIndex, topic: u64, subscribers: u64) {
        if let Some(open) = at(&self.open, worker.0 * self.topics + topic) {
            open.store(subscribers, Relaxed);
        }
    }

    fn row(&self, worker: WorkerIndex, publisher: ConnectionIndex, sequence: u64) -> Option<&Row> {
        let place = (worker.0 * self.publishers + publisher.0) * self.rows_each;
        at(&self.rows, place + sequence % self.rows_each)
    }

    /// Notes a copy that came to a worker: the connections of a worker are not read in the order in
    /// which their copies arrived. Called only by that worker.
    #[inline]
    pub(crate) fn note(
        &self,
        worker: WorkerIndex,
        message: MessageId,
        topic: u64,
        arrived_ns: u64,
    ) {
        let MessageId { publisher, sequence } = message;
        let Some(row) = self.row(worker, publisher, sequence) else { return };
        let (tag, own) = (row.tag.load(Relaxed), sequence + 1);
        let (copies, first_ns, last_ns) = match tag.cmp(&own) {
            Ordering::Equal => {
                let [first_ns, last_ns] = [&row.first_ns, &row.last_ns].map(|ns| ns.load(Relaxed));
                let copies = row.copies.load(Relaxed) + 1;
                (copies, first_ns.min(arrived_ns), last_ns.max(arrived_ns))
            }
            // Another thread that reads the row meanwhile sees the old tag, and ignores it.
            Ordering::Less => (1, arrived_ns, arrived_ns),
            Ordering::Greater => return, // so late that nobody waits for it
        };
        row.first_ns.store(first_ns, Relaxed);
        row.last_ns.store(last_ns, Relaxed);
        row.copies.store(copies, Release);
        row.tag.store(own, Release);
        if copies == self.open_at(worker, topic)
            && let Some(bell) = at(&self.bells, publisher.turn(self.workers))
        {
            // Refused only by a worker that has ended.
            bell.send(message).ok();
        }
    }

    /// Adds up the copies of a message that have come to any worker. Called only by its publisher's
    /// worker.
    pub(crate) fn copies(&self, message: MessageId) -> Copies {
        let mut sum = Copies { count: 0, first_ns: u64::MAX, last_ns: 0 };
        for worker in (0..self.workers).map(WorkerIndex) {
            let Some(row) = self.row(worker, message.publisher, message.sequence) else { continue };
            if row.tag.load(Acquire) == message.sequence + 1 {
                sum.count += row.copies.load(Acquire);
                sum.first_ns = sum.first_ns.min(row.first_ns.load(Relaxed));
                sum.last_ns = sum.last_ns.max(row.last_ns.load(Relaxed));
            }
        }
        sum
    }

    /// Notes that the publishers of a worker are done: none of their messages is waited for any
    /// more.
    pub(crate) fn done(&self) {
        self.publishing.fetch_sub(1, Release);
    }

    /// Checks whether all publishers are done; never true if other processes have some.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_split() && self.publishing.load(Acquire) == 0
    }
}

fn at<T>(all: &[T], place: u64) -> Option<&T> {
    all.get(usize::try_from(place).ok()?)
}
