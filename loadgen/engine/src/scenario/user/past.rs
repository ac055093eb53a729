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

/// The last requests that are over. Takes memory as they come, since an idle user has had few.
#[derive(Debug)]
pub(super) struct PastRequests {
    ring: Vec<Past>,
    max: u32,
    /// The place of the oldest, once the ring is full.
    oldest: u32,
}

impl PastRequests {
    /// Returns room for what so many requests in flight leave behind.
    pub(super) fn new(overlap: usize) -> Self {
        let max = u32::try_from(KEPT.max(2 * overlap)).unwrap_or(u32::MAX);
        Self { ring: Vec::new(), max, oldest: 0 }
    }

    /// Adds a request in place of the oldest.
    pub(super) fn remember(&mut self, key: u64, measure: usize, has_timed_out: bool) {
        let past = Past { key, measure: u32::try_from(measure).unwrap_or(0), has_timed_out };
        let len = self.ring.len();
        if len < self.max as usize {
            if len == self.ring.capacity() {
                self.ring.reserve_exact(len.max(1)); // twice as much, and one to begin with
            }
            self.ring.push(past);
            return;
        }
        if let Some(oldest) = self.ring.get_mut(self.oldest as usize) {
            *oldest = past;
        }
        self.oldest = (self.oldest + 1) % self.max;
    }

    /// Checks whether no request is over.
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Returns a request by its name.
    pub(super) fn find(&self, key: u64) -> Option<Past> {
        self.ring.iter().find(|past| past.key == key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_and_room_is_taken_as_it_is_needed() {
        let mut past = PastRequests::new(1);
        assert!(past.is_empty() && past.ring.capacity() == 0);
        past.remember(7, 1, true);
        assert_eq!(past.ring.capacity(), 1, "a user that has logged in has had one request");
        (8..16).for_each(|key| past.remember(key, 2, false));
        assert!(past.find(7).is_none() && past.ring.capacity() == KEPT);
        assert!((8..16).all(|key| past.find(key).is_some_and(|past| past.measure() == 2)));
        past.remember(16, 3, true);
        assert!(past.find(8).is_none() && past.find(16).unwrap().has_timed_out);
    }
}
