//! The last seconds of a run: what the view's curves are drawn from.

use std::collections::VecDeque;

use crate::metrics::live::{Latencies, Snapshot};

/// Seconds that are kept, more than any terminal has columns for.
const SECONDS_MAX: usize = 600;
const SECOND_NS: u64 = 1_000_000_000;

/// A second of the run, or a little more.
#[derive(Clone, Debug)]
pub(super) struct Second {
    pub(super) sent_per_s: u64,
    /// Messages received, or connections established.
    pub(super) per_s: u64,
    /// Percentiles 50, 90, 99, 99.9 and 100, in nanoseconds.
    pub(super) percentiles: Option<[u64; 5]>,
    pub(super) latencies: Latencies,
}

/// The percentiles of a [`Second`], ascending.
pub(super) const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];
/// The place of the 99th among them.
pub(super) const P99: usize = 2;

/// The last seconds, and where the current one began.
#[derive(Debug)]
pub(super) struct Past {
    counts_messages: bool,
    seconds: VecDeque<Second>,
    last: Snapshot,
    last_ns: u64,
}

impl Past {
    pub(super) fn new(counts_messages: bool) -> Self {
        Self { counts_messages, seconds: VecDeque::new(), last: Snapshot::zero(), last_ns: 0 }
    }

    /// Ends a second at `now_ns`, if it is over.
    pub(super) fn push(&mut self, now_ns: u64, now: &Snapshot) {
        let span_ns = now_ns.saturating_sub(self.last_ns);
        if span_ns < SECOND_NS {
            return;
        }
        let since = now.counts.since(&self.last.counts);
        let events = if self.counts_messages { since.received } else { since.established };
        if self.seconds.len() == SECONDS_MAX {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            sent_per_s: per_s(since.sent, span_ns),
            per_s: per_s(events, span_ns),
            percentiles: now.percentiles_since(&self.last, PERCENTILES),
            latencies: now.latencies_since(&self.last),
        });
        self.last = now.clone();
        self.last_ns = now_ns;
    }

    /// Returns the newest `number` seconds, the oldest first.
    pub(super) fn newest(&self, number: usize) -> impl Iterator<Item = &Second> {
        self.seconds.iter().skip(self.seconds.len().saturating_sub(number))
    }

    pub(super) fn last(&self) -> Option<&Second> {
        self.seconds.back()
    }
}

/// Returns a number of events as a rate.
pub(super) fn per_s(events: u64, span_ns: u64) -> u64 {
    let per_s = u128::from(events) * u128::from(SECOND_NS) / u128::from(span_ns.max(1));
    u64::try_from(per_s).unwrap_or(u64::MAX)
}
