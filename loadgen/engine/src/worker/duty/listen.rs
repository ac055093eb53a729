//! Judges a message that a server has pushed, and counts it.
//!
//! A message with a [stamp](crate::stamp) says which one it is and when it was sent. Of all others
//! only the number is known, and the time from each to the next.

use std::rc::Rc;

use super::super::judge::{Judge, Received};
use super::super::sequences::{Arrival, Sequences};
use super::super::session::Session;
use super::super::sessions::Numbering;
use super::super::thread::Thread;
use super::super::thread::greeting::Greeting;
use crate::metrics::{Failure, FailurePhase, Metric, SeenKind};
use crate::net::Routes;
use crate::stamp::{Push, unix_ns};

/// What is known of the messages that a connection was pushed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Feed {
    /// Begins with the first message that has a stamp.
    sequences: Option<Sequences>,
    /// When the last message came.
    last_ns: Option<u64>,
}

/// The state of a worker whose connections take what the server pushes.
#[derive(Debug)]
pub(crate) struct Listen {
    /// By local index.
    feeds: Vec<Feed>,
    numbering: Numbering,
    /// What connections have said, where they have.
    greeting: Option<Greeting>,
    routes: Rc<Routes>,
}

impl Listen {
    pub(crate) fn new(
        slots: usize,
        numbering: Numbering,
        greeting: Option<Greeting>,
        routes: Rc<Routes>,
    ) -> Self {
        Self { feeds: vec![Feed::default(); slots], numbering, greeting, routes }
    }

    /// Counts a message.
    pub(super) fn message(&mut self, judge: &mut Judge<'_>, received: Received<'_>) {
        let local = self.numbering.local(received.connection);
        if let Some(feed) = self.feeds.get_mut(local.0) {
            let is_first = feed.last_ns.is_none();
            if !judge.pushed(feed, received) {
                let is_returned = is_first && self.is_said(received);
                let kind = if is_returned { SeenKind::Returned } else { SeenKind::Foreign };
                judge.metrics.seen.add(kind, || received.shown());
            }
        }
    }

    /// Checks whether a message is what its connection has said.
    fn is_said(&self, received: Received<'_>) -> bool {
        let Received { connection, payload, .. } = received;
        let greeting = self.greeting.as_ref();
        greeting.is_some_and(|greeting| greeting.is_said(&self.routes, connection, payload))
    }

    /// Counts what a connection that has ended was not pushed.
    pub(super) fn ended(&mut self, thread: &mut Thread, session: &Session) {
        let local = self.numbering.local(session.index);
        if let Some(feed) = self.feeds.get_mut(local.0)
            && let Some(sequences) = std::mem::take(feed).sequences
        {
            thread.metrics.push.lost += sequences.finish(None);
        }
    }
}

impl Judge<'_> {
    /// Counts a message that a connection was pushed; returns whether it has a stamp.
    fn pushed(&mut self, feed: &mut Feed, received: Received<'_>) -> bool {
        let Received { payload, arrived_ns, .. } = received;
        let is_measured = self.times.is_measured(arrived_ns);
        self.live.received.add(1);
        let push = &mut self.metrics.push;
        if is_measured {
            push.inside += 1;
            if let Some(last_ns) = feed.last_ns {
                self.metrics
                    .distributions
                    .record(Metric::PushGap, arrived_ns.saturating_sub(last_ns));
            }
        } else {
            push.outside += 1;
        }
        feed.last_ns = Some(arrived_ns);
        let Some(stamp) = Push::find(payload) else {
            push.foreign += 1;
            return false;
        };
        let sequences = feed.sequences.get_or_insert(Sequences::new(stamp.sequence));
        let arrival = sequences.take(stamp.sequence, &mut push.lost);
        let wrong = match arrival {
            Arrival::InOrder => None,
            Arrival::Late => Some((&mut push.reordered, "reordered")),
            Arrival::Again => Some((&mut push.duplicated, "duplicated")),
            Arrival::Stale => Some((&mut push.stale, "stale")),
        };
        if let Some((count, code)) = wrong {
            *count += 1;
            self.live.wrong.add(1);
            self.metrics.wrong.add(Failure::new(FailurePhase::Message, code), || received.shown());
        } else {
            push.in_order += 1;
        }
        if is_measured && matches!(arrival, Arrival::InOrder | Arrival::Late) {
            self.pushed_at(stamp.unix_ns);
        }
        true
    }

    /// Records the time from the server's wall clock to this machine's.
    fn pushed_at(&mut self, sent_unix_ns: u64) {
        self.metrics.push.timed += 1;
        match unix_ns().checked_sub(sent_unix_ns) {
            Some(ns) => {
                self.metrics.distributions.record(Metric::PushLatency, ns);
                self.live.latency(ns);
            }
            None => self.metrics.push.early += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use wscodec::DataKind;

    use super::super::super::times::Times;
    use super::*;
    use crate::clock::Clock;
    use crate::index::ConnectionIndex;
    use crate::metrics::live::Live;
    use crate::metrics::{Metrics, balance};
    use crate::payload::Payload;

    #[test]
    fn messages_are_counted_by_what_they_say() {
        let (mut metrics, live) = (Metrics::default(), Live::new());
        let times = Times { load_begin_ns: 100, window_begin_ns: 100, window_end_ns: 200 };
        let (payload, mut feed) = (Payload::of_pings(Clock::start()), Feed::default());
        let now = unix_ns();
        for (arrived_ns, text) in [
            (50, format!("push 5 {now}")),
            (110, format!("push 6 {}", now - 1_000_000)),
            (120, format!("push 8 {}", now - 1_000_000)),
            (130, format!("push 7 {}", now - 1_000_000)),
            (140, format!("push 7 {now}")),
            (150, format!("push 9 {}", now + 1_000_000_000_000)),
            (160, "something else".into()),
            (200, format!("push 12 {now}")),
        ] {
            let mut judge = Judge {
                payload: &payload,
                metrics: &mut metrics,
                live: &live,
                times: &times,
                is_open_loop: false,
            };
            let (kind, payload, connection) = (DataKind::Text, text.as_bytes(), ConnectionIndex(3));
            judge.pushed(&mut feed, Received { kind, payload, connection, arrived_ns });
        }
        metrics.push.lost += feed.sequences.unwrap().finish(None);
        let push = metrics.push;
        assert_eq!((push.inside, push.outside, push.in_order), (6, 2, 5));
        assert_eq!((push.reordered, push.duplicated, push.foreign, push.lost), (1, 1, 1, 2));
        assert_eq!((push.timed, push.early), (4, 1));
        let count = |metric| metrics.distributions.of(metric).unwrap().count();
        assert_eq!((count(Metric::PushLatency), count(Metric::PushGap)), (3, 6));
        assert_eq!(balance::imbalances(&metrics), [""; 0]);
    }
}
