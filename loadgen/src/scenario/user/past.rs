//! Remembers the last requests that are over, so that a reply that comes late is known as one.

/// How many requests are remembered where none overlap.
const KEPT: usize = 8;

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    /// What its name comes to.
    key: u64,
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
#[derive(Debug)]
pub(super) struct PastRequests {
    ring: Box<[Option<Past>]>,
    len: usize,
}

impl PastRequests {
    /// Returns room for what so many requests in flight leave behind.
    pub(super) fn new(overlap: usize) -> Self {
        Self { ring: vec![None; KEPT.max(2 * overlap)].into(), len: 0 }
    }

    /// Adds a request in place of the oldest.
    pub(super) fn remember(&mut self, key: u64, measure: usize, has_timed_out: bool) {
        let measure = u32::try_from(measure).unwrap_or(0);
        let place = self.len % self.ring.len();
        self.ring[place] = Some(Past { key, measure, has_timed_out });
        self.len += 1;
    }

    /// Checks whether no request is over.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns a request by its name.
    pub(super) fn find(&self, key: u64) -> Option<Past> {
        self.ring.iter().flatten().find(|past| past.key == key).copied()
    }
}
