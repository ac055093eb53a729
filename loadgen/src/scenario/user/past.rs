//! Remembers the last requests that are over, so that a reply that comes late is known as one.

/// How many requests are remembered.
const KEPT: usize = 8;

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    /// Its number.
    pub(super) id: u64,
    measure: u32,
    /// Whether it timed out; if not, it had its reply.
    pub(super) has_timed_out: bool,
}

impl Past {
    /// Returns the measure of its step.
    pub(super) fn measure(self) -> usize {
        self.measure as usize
    }
}

/// The last requests that are over.
#[derive(Debug, Default)]
pub(super) struct PastRequests {
    ring: [Option<Past>; KEPT],
    len: usize,
}

impl PastRequests {
    /// Adds a request in place of the oldest.
    pub(super) fn remember(&mut self, id: u64, measure: usize, has_timed_out: bool) {
        let measure = u32::try_from(measure).unwrap_or(0);
        self.ring[self.len % KEPT] = Some(Past { id, measure, has_timed_out });
        self.len += 1;
    }

    /// Checks whether no request is over.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the requests in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Past> {
        self.ring.iter().flatten().copied()
    }
}
