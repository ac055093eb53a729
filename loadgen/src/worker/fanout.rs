//! A copy of a published message to the counters and histograms it belongs in; and a message whose
//! copies are all there, or have been waited for long enough, to its first, last and spread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use tokio::time::{MissedTickBehavior, interval};

use super::echo::Received;
use super::outstanding::{Outstanding, Taken};
use super::sequences::{Arrival, Sequences};
use super::settings::Settings;
use super::shared_fanout::{MessageId, SharedFanout};
use super::thread::Thread;
use super::times::Times;
use super::{GRACE_NS, INTERRUPTED_DRAIN_NS, Worker};
use crate::clock::{Clock, nanos};
use crate::config::Fanout;
use crate::escape;
use crate::metrics::live::Live;
use crate::metrics::{Failure, FailurePhase, Metric, Metrics, SeenKind};
use crate::payload::Payload;
use crate::stamp::Post;

/// How often messages are looked for that have waited for their copies long enough.
const SWEEP: Duration = Duration::from_millis(20);
/// Messages that are concluded before sockets have their turn.
const CONCLUSIONS_PER_TURN: usize = 256;
/// How far apart the clocks of two machines may be: a time beyond it has been changed on the way.
const SKEW_MAX_NS: u64 = 3_600_000_000_000;
/// Bytes of a wrong message that are shown.
const SHOWN_LEN_MAX: usize = 100;

/// What a worker knows of the fanout.
#[derive(Debug)]
pub(crate) struct FanoutState {
    pub(crate) shared: Arc<SharedFanout>,
    copy_timeout_ns: u64,
    /// For each connection of the worker, what has come of each publisher of its topic.
    streams: Vec<Sequences>,
    /// Messages under way, by the place of their publisher among the worker's.
    underway: Vec<Publisher>,
    answers: Answers,
    /// Nothing more is waited for: subscribers that leave now have been there to the end.
    is_over: bool,
}

/// The answers to what connections have said once they were open.
#[derive(Debug, Default)]
struct Answers {
    /// What stands in one, if any is waited for.
    sign: Option<Box<str>>,
    /// Whether a connection waits for one, by its place among the worker's.
    is_due: Vec<bool>,
    due: u64,
}

impl Answers {
    /// Whether a message is one that a connection waits for.
    fn take(&mut self, place: usize, payload: &[u8]) -> bool {
        let Some(sign) = &self.sign else { return false };
        let Some(is_due) = self.is_due.get_mut(place).filter(|is_due| **is_due) else {
            return false;
        };
        if memmem::find(payload, sign.as_bytes()).is_none() {
            return false;
        }
        *is_due = false;
        self.due -= 1;
        true
    }

    /// A connection waits for none any more.
    fn forget(&mut self, place: usize) {
        if let Some(is_due) = self.is_due.get_mut(place)
            && std::mem::take(is_due)
        {
            self.due -= 1;
        }
    }
}

#[derive(Debug, Default)]
struct Publisher {
    /// The key of its session.
    key: Option<usize>,
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

/// What judging a copy takes: parts of the worker.
#[derive(Debug)]
pub(crate) struct CopyJudge<'w> {
    pub(crate) payload: &'w Payload,
    pub(crate) metrics: &'w mut Metrics,
    pub(crate) live: &'w Live,
    pub(crate) times: &'w Times,
    pub(crate) clock: Clock,
    pub(crate) settings: &'w Settings,
}

impl FanoutState {
    pub(crate) fn new(
        shared: Arc<SharedFanout>,
        fanout: &Fanout,
        worker: u64,
        slots: usize,
    ) -> Self {
        let publishers = shared.publishers.saturating_sub(worker).div_ceil(shared.workers());
        let streams = slots.saturating_mul(usize::try_from(shared.publishers_each()).unwrap_or(0));
        let sign = fanout.subscribed.as_deref().map(Into::into);
        Self {
            copy_timeout_ns: nanos(fanout.copy_timeout),
            answers: Answers { sign, is_due: Vec::new(), due: 0 },
            is_over: false,
            streams: vec![Sequences::new(0); streams],
            underway: (0..publishers).map(|_| Publisher::default()).collect(),
            shared,
        }
    }

    /// Whether copies go to other processes, too.
    pub(crate) fn is_split(&self) -> bool {
        self.shared.is_split()
    }

    /// Whether the worker has publishers.
    pub(crate) fn is_publishing(&self) -> bool {
        !self.underway.is_empty()
    }

    /// A connection has said what is answered, if that is to be waited for.
    pub(crate) fn await_answer(&mut self, place: usize) {
        let Answers { sign: Some(_), is_due, due } = &mut self.answers else { return };
        if is_due.len() <= place {
            is_due.resize(place + 1, false);
        }
        is_due[place] = true;
        *due += 1;
    }

    /// Connections that wait for an answer.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.answers.due
    }

    fn stream(&mut self, place: usize, publisher: u64) -> Option<&mut Sequences> {
        let each = usize::try_from(self.shared.publishers_each()).ok()?;
        let number = usize::try_from(publisher / self.shared.topics).ok()?;
        self.streams.get_mut(place.checked_mul(each)? + number)
    }

    /// Counts a message that a connection has received: the copies in it, or that there are none.
    pub(crate) fn message(&mut self, judge: &mut CopyJudge<'_>, received: Received<'_>) {
        let Received { payload, connection: index, now_ns, .. } = received;
        let own = judge.payload;
        let mut posts = own.posts_in(payload).peekable();
        if posts.peek().is_none() {
            let is_answer = self.answers.take(judge.settings.place(index), payload);
            let metrics = &mut *judge.metrics;
            let (count, kind) = if is_answer {
                (&mut metrics.fanout.answers, SeenKind::Answer)
            } else {
                (&mut metrics.copies.foreign, SeenKind::Foreign)
            };
            *count += 1;
            let is_publisher = index < self.shared.publishers;
            metrics.seen.add(kind, || {
                let who = if is_publisher { "publisher" } else { "subscriber" };
                format!("{who}, {}", received.shown())
            });
        }
        for (post, is_whole) in posts {
            self.copy(judge, (index, payload), (post, is_whole), now_ns);
        }
    }

    /// Counts a copy in a message that a connection has received.
    fn copy(
        &mut self,
        judge: &mut CopyJudge<'_>,
        (index, payload): (u64, &[u8]),
        (post, is_whole): (Post, bool),
        now_ns: u64,
    ) {
        let shared = Arc::clone(&self.shared);
        let counts = &mut judge.metrics.copies;
        let topic = index % shared.topics;
        let is_of_topic = post.topic == topic
            && post.publisher < shared.publishers
            && post.publisher % shared.topics == topic
            && shared.has_sent(post.publisher, post.sequence);
        if !is_of_topic {
            counts.unexpected += 1;
            return judge.wrong("unexpected", index, payload);
        }
        if index < shared.publishers {
            counts.overheard += 1;
            return;
        }
        let place = judge.settings.place(index);
        let Some(stream) = self.stream(place, post.publisher) else { return };
        let arrival = stream.take(post.sequence, &mut counts.lost);
        match arrival {
            Arrival::Again => {
                counts.duplicated += 1;
                return judge.wrong("duplicated", index, payload);
            }
            Arrival::Stale => {
                counts.stale += 1;
                return judge.wrong("stale", index, payload);
            }
            Arrival::Late => {
                counts.reordered += 1;
                judge.wrong("reordered", index, payload);
            }
            Arrival::InOrder => {}
        }
        let skew_ns = if shared.is_split() { SKEW_MAX_NS } else { 0 };
        let is_timely = judge.is_timely(post.unix_ns, now_ns, skew_ns);
        if is_whole && is_timely {
            judge.copy(now_ns, judge.clock.unix_ns(now_ns).checked_sub(post.unix_ns));
        } else {
            judge.metrics.copies.altered += 1;
            judge.wrong("altered", index, payload);
        }
        let message = MessageId { publisher: post.publisher, sequence: post.sequence };
        if !shared.is_split() {
            shared.note(judge.settings.worker, message, topic, now_ns);
        } else if let Some(place) = shared.sampled(message).filter(|_| is_timely) {
            let came_ns = judge.clock.unix_ns(now_ns).cast_signed();
            judge.metrics.sampled.note(place, came_ns.saturating_sub(post.unix_ns.cast_signed()));
        }
    }
}

impl CopyJudge<'_> {
    /// Whether a message can have been due then: a time that was changed is no latency.
    /// `skew_ns` is how far the clock that it is from may differ.
    const fn is_timely(&self, unix_ns: u64, now_ns: u64, skew_ns: u64) -> bool {
        let begin_ns = self.clock.unix_ns(self.times.earliest_ns());
        begin_ns.saturating_sub(skew_ns) <= unix_ns
            && unix_ns <= self.clock.unix_ns(now_ns).saturating_add(skew_ns)
    }

    /// Without a latency if it has come before it was sent, by the clocks of two processes.
    fn copy(&mut self, now_ns: u64, latency_ns: Option<u64>) {
        self.metrics.copies.received += 1;
        if self.times.is_measured(now_ns) {
            self.metrics.arrived += 1;
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
    fn wrong(&mut self, code: &'static str, index: u64, payload: &[u8]) {
        self.live.wrong.add(1);
        self.metrics.wrong.add(Failure::new(FailurePhase::Message, code), || {
            let shown = escape::bytes(payload, SHOWN_LEN_MAX);
            format!("connection {index}: {} bytes: {shown}", payload.len())
        });
    }
}

impl Thread {
    /// A connection of a fanout is open.
    pub(crate) fn join_fanout(&mut self, index: u64, key: usize) {
        let Self { fanout: Some(fanout), settings, .. } = self else { return };
        let (worker, place) = (settings.worker, settings.place(index));
        if index < fanout.shared.publishers {
            if let Some(publisher) = fanout.underway.get_mut(place) {
                publisher.key = Some(key);
            }
        } else {
            let topic = index % fanout.shared.topics;
            fanout.shared.set_open(worker, topic, fanout.shared.open_at(worker, topic) + 1);
        }
    }

    /// A connection of a fanout has ended: counts what a subscriber has not got, and concludes what
    /// a publisher has under way.
    pub(crate) fn leave_fanout(&mut self, index: u64, outstanding: &mut Outstanding) {
        let Self { fanout: Some(fanout), settings, metrics, .. } = self else { return };
        let (worker, place) = (settings.worker, settings.place(index));
        let shared = Arc::clone(&fanout.shared);
        fanout.answers.forget(place);
        if index < shared.publishers {
            while let Some((sequence, _)) = outstanding.expected() {
                self.conclude(MessageId { publisher: index, sequence });
                outstanding.take_expected();
                self.metrics.measured.lost += 1;
                self.metrics.fanout.incomplete += 1;
            }
            if let Some(fanout) = &mut self.fanout
                && let Some(publisher) = fanout.underway.get_mut(place)
            {
                publisher.key = None;
            }
            return;
        }
        let topic = index % shared.topics;
        shared.set_open(worker, topic, shared.open_at(worker, topic).saturating_sub(1));
        let mut publisher = topic;
        while publisher < shared.publishers {
            let is_over = fanout.is_over;
            if let Some(stream) = fanout.stream(place, publisher) {
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
            publisher += shared.topics;
        }
    }

    /// Notes a message that is about to be sent.
    pub(crate) fn publish(&mut self, publisher: u64, sequence: u64, base_ns: u64) {
        let Self { fanout: Some(fanout), settings, .. } = self else { return };
        if fanout.shared.is_split() {
            return;
        }
        let rows = usize::try_from(fanout.shared.rows_each()).unwrap_or(1);
        let expected = fanout.shared.open(publisher % fanout.shared.topics);
        if let Some(publisher) = fanout.underway.get_mut(settings.place(publisher)) {
            publisher.messages.resize(rows, Underway::default());
            let row = usize::try_from(sequence % rows as u64).unwrap_or(0);
            publisher.messages[row] = Underway { base_ns, expected };
        }
    }

    /// Messages of a publisher are being written: says so, and lets go of those whose copies go to
    /// other processes, too.
    pub(crate) fn posted(&mut self, key: usize, messages: u64) {
        let Self { fanout: Some(fanout), sessions, metrics, .. } = self else { return };
        let session = &mut sessions[key];
        fanout.shared.add_sent(session.index, messages);
        if fanout.shared.is_split() {
            while session.outstanding.take_expected().is_some() {
                self.unanswered -= 1;
                metrics.fanout.unjudged += 1;
            }
        }
    }

    /// Notes how much the publishers of a segment have sent.
    pub(crate) fn note_sent(&mut self) {
        let Self { fanout: Some(fanout), settings, metrics, .. } = self else { return };
        if fanout.shared.is_split() {
            let mut publisher = settings.worker;
            while publisher < fanout.shared.publishers {
                let sent = fanout.shared.sent(publisher);
                metrics.followed.entry(publisher).or_default().sent = Some(sent);
                publisher += settings.workers;
            }
        }
    }

    /// Whether a publisher may have no more messages under way.
    pub(crate) fn is_fanout_full(&self, key: usize) -> bool {
        let Some(fanout) = &self.fanout else { return false };
        let outstanding = &self.sessions[key].outstanding;
        let first = outstanding.expected().map_or(0, |(first, _)| first);
        outstanding.len() > 0 && outstanding.next_sequence() - first >= fanout.shared.rows_each()
    }

    /// A worker's subscribers all have a message: concludes it, if those of all workers have.
    fn whole(&mut self, message: MessageId) {
        let Self { fanout: Some(fanout), settings, .. } = self else { return };
        let rows = fanout.shared.rows_each();
        let Some(publisher) = fanout.underway.get(settings.place(message.publisher)) else {
            return;
        };
        let row = usize::try_from(message.sequence % rows).unwrap_or(0);
        let Some(underway) = publisher.messages.get(row) else { return };
        let Some(key) = publisher.key else { return };
        if fanout.shared.copies(message).count >= underway.expected {
            self.take(key, message, true);
        }
    }

    /// Takes a message off its publisher, complete or not, and lets it send the next.
    fn take(&mut self, key: usize, message: MessageId, is_complete: bool) {
        let session = &mut self.sessions[key];
        if session.outstanding.planned_ns(message.sequence).is_none() {
            return; // it has been concluded before
        }
        if let Taken::InOrder(_) | Taken::Late(_) = session.outstanding.take(message.sequence) {
            self.unanswered -= 1;
        }
        if is_complete {
            self.metrics.measured.received += 1;
            self.metrics.fanout.complete += 1;
        } else {
            self.metrics.measured.lost += 1;
            self.metrics.fanout.incomplete += 1;
        }
        self.conclude(message);
        if self.is_sending && self.clock.now_ns() < self.times.window_end_ns {
            self.refill(key);
            if !self.flush(key)
                && let Some(waker) = &self.sessions[key].waker
            {
                waker.wake_by_ref(); // its task waits for the socket to take more
            }
        }
        if self.unanswered == 0 {
            self.wake_main();
        }
    }

    /// Records what is known of a message's copies.
    fn conclude(&mut self, message: MessageId) {
        let Self { fanout: Some(fanout), settings, metrics, .. } = self else { return };
        let rows = fanout.shared.rows_each();
        let row = usize::try_from(message.sequence % rows).unwrap_or(0);
        let publisher = fanout.underway.get(settings.place(message.publisher));
        let copies = fanout.shared.copies(message);
        let base_ns = publisher.and_then(|it| it.messages.get(row)).map(|it| it.base_ns);
        let Some(base_ns) = base_ns.filter(|_| copies.count > 0) else {
            metrics.fanout.silent += 1;
            return;
        };
        let durations = &mut metrics.distributions;
        durations.record(Metric::FanoutFirst, copies.first_ns.saturating_sub(base_ns));
        durations.record(Metric::FanoutLast, copies.last_ns.saturating_sub(base_ns));
        durations.record(Metric::FanoutSpread, copies.last_ns.saturating_sub(copies.first_ns));
    }

    /// Concludes what has waited for its copies long enough.
    fn sweep_fanout(&mut self) {
        let Some(fanout) = &self.fanout else { return };
        if fanout.shared.is_over() || fanout.answers.sign.is_some() {
            self.wake_main();
        }
        let (timeout_ns, now_ns) = (fanout.copy_timeout_ns, self.clock.now_ns());
        let keys: Vec<_> = fanout.underway.iter().filter_map(|publisher| publisher.key).collect();
        for key in keys {
            while let Some(session) = self.sessions.get(key)
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
    pub(super) fn conclude_messages(&self) {
        let Some(shared) = self.brief.shared_fanout.as_ref() else { return };
        let Some(mut bells) = shared.ringing(self.number) else { return };
        let thread = Rc::clone(&self.thread);
        tokio::task::spawn_local(async move {
            let mut sweeps = interval(SWEEP);
            sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    Some(message) = bells.recv() => {
                        let mut thread = thread.borrow_mut();
                        thread.whole(message);
                        for _ in 1..CONCLUSIONS_PER_TURN {
                            let Ok(message) = bells.try_recv() else { break };
                            thread.whole(message);
                        }
                    }
                    _ = sweeps.tick() => thread.borrow_mut().sweep_fanout(),
                }
            }
        });
    }

    /// Takes copies until the publishers, which are other workers', are done.
    pub(super) async fn subscribe(&mut self) {
        self.thread.borrow_mut().is_sending = true;
        let bound_ns = self.drain_ns.saturating_add(GRACE_NS);
        let deadline_ns = |thread: &Thread| {
            let is_split = thread.fanout.as_ref().is_some_and(FanoutState::is_split);
            // Publishers of other processes end by the same schedule; copies are waited for later.
            thread.times.window_end_ns.saturating_add(if is_split { 0 } else { bound_ns })
        };
        self.wait(deadline_ns, |thread| {
            thread.closing == thread.sessions.len()
                || thread.fanout.as_ref().is_none_or(|fanout| fanout.shared.is_over())
        })
        .await;
    }

    /// Says that this worker's publishers are done, and waits until those of all are, so that no
    /// subscriber leaves before.
    pub(super) async fn wait_for_publishers(&mut self) {
        match &self.thread.borrow().fanout {
            None => return,
            Some(fanout) if fanout.is_publishing() => fanout.shared.done(),
            Some(_) => {}
        }
        let begin_ns = self.clock.now_ns();
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        let end_ns = |thread: &Thread| thread.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS);
        self.wait_also_interrupted(end_ns, |thread| {
            thread.closing == thread.sessions.len()
                || thread.fanout.as_ref().is_none_or(|fanout| fanout.shared.is_over())
        })
        .await;
        let mut thread = self.thread.borrow_mut();
        // Publishers of other processes may go on after an interrupt of this one.
        let is_interrupted = thread.is_interrupted;
        if let Some(fanout) = &mut thread.fanout {
            fanout.is_over = !is_interrupted;
        }
    }
}
