//! A message that a server has pushed to the counters and histograms it belongs in.
//!
//! One with a [stamp](crate::stamp) says which it is and when it was sent. All others are counted,
//! and so is the time from each to the next.

use super::echo::Received;
use super::greet::Greeting;
use super::sequences::{Arrival, Sequences};
use super::thread::Thread;
use super::times::Times;
use crate::metrics::live::Live;
use crate::metrics::{Failure, FailurePhase, Metric, Metrics, SeenKind};
use crate::net::Routes;
use crate::stamp::{Push, unix_ns};

/// What is known of what a connection was pushed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Feed {
    /// Begins with the first message that has a stamp.
    sequences: Option<Sequences>,
    /// When the last message came.
    last_ns: Option<u64>,
}

/// What judging a pushed message takes: parts of the worker.
#[derive(Debug)]
pub(crate) struct Listener<'w> {
    pub(crate) metrics: &'w mut Metrics,
    pub(crate) live: &'w Live,
    pub(crate) times: &'w Times,
    /// What connections have said, where they have.
    pub(crate) greeting: Option<(&'w Greeting, &'w Routes)>,
}

impl Listener<'_> {
    /// Counts a message. A connection without a feed isn't there to listen, so what it gets is only
    /// shown.
    pub(crate) fn message(&mut self, feed: Option<&mut Feed>, received: Received<'_>) {
        let Received { payload, connection, now_ns, .. } = received;
        let Some(feed) = feed else {
            return self.metrics.seen.add(SeenKind::Pushed, || received.shown());
        };
        let is_first = feed.last_ns.is_none();
        let is_measured = self.times.is_measured(now_ns);
        self.live.received.add(1);
        let push = &mut self.metrics.push;
        if is_measured {
            push.inside += 1;
            if let Some(last_ns) = feed.last_ns {
                self.metrics.distributions.record(Metric::PushGap, now_ns.saturating_sub(last_ns));
            }
        } else {
            push.outside += 1;
        }
        feed.last_ns = Some(now_ns);
        let Some(stamp) = Push::find(payload) else {
            push.foreign += 1;
            let is_said =
                |(greeting, routes): (&Greeting, _)| greeting.is_said(routes, connection, payload);
            let is_returned = is_first && self.greeting.is_some_and(is_said);
            let kind = if is_returned { SeenKind::Returned } else { SeenKind::Foreign };
            return self.metrics.seen.add(kind, || received.shown());
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
            self.latency(stamp.unix_ns);
        }
    }

    /// From the server's wall clock to this machine's.
    fn latency(&mut self, sent_unix_ns: u64) {
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

impl Thread {
    /// Counts what a connection that has ended was not pushed.
    pub(crate) fn forget_feed(&mut self, place: usize) {
        if let Some(feed) = self.feeds.get_mut(place)
            && let Some(sequences) = std::mem::take(feed).sequences
        {
            self.metrics.push.lost += sequences.finish(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use wscodec::DataKind;

    use super::*;
    use crate::metrics::balance;

    #[test]
    fn messages_are_counted_by_what_they_say() {
        let (mut metrics, live) = (Metrics::default(), Live::new());
        let times = Times { load_begin_ns: 100, window_begin_ns: 100, window_end_ns: 200 };
        let mut feed = Feed::default();
        let now = unix_ns();
        for (now_ns, text) in [
            (50, format!("push 5 {now}")),
            (110, format!("push 6 {}", now - 1_000_000)),
            (120, format!("push 8 {}", now - 1_000_000)),
            (130, format!("push 7 {}", now - 1_000_000)),
            (140, format!("push 7 {now}")),
            (150, format!("push 9 {}", now + 1_000_000_000_000)),
            (160, "something else".into()),
            (200, format!("push 12 {now}")),
        ] {
            let (metrics, live, times) = (&mut metrics, &live, &times);
            let mut listener = Listener { metrics, live, times, greeting: None };
            let (kind, payload, connection) = (DataKind::Text, text.as_bytes(), 3);
            listener.message(Some(&mut feed), Received { kind, payload, connection, now_ns });
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
