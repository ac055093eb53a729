//! What the subscribers of a process know of a publisher in another process, which itself knows how
//! much it has sent: only both together tell what was lost after the last copy.

use crate::index::ConnectionIndex;
use std::collections::BTreeMap;

/// A publisher in a segment of a `fanout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Messages that the publisher has sent, if it belongs to this process.
    pub sent: Option<u64>,
    /// Subscribers of this process that stayed to the end, if the publisher belongs to another.
    pub subscribers: u64,
    /// The sum of one more than the highest sequence that each of these subscribers received.
    pub reached: u64,
    /// The highest of those of any subscriber.
    pub reached_max: u64,
}

impl Followed {
    /// Records how far a leaving subscriber has come.
    pub(crate) fn follow(&mut self, reached: u64, is_over: bool) {
        self.reached_max = self.reached_max.max(reached);
        if is_over {
            self.subscribers += 1;
            self.reached += reached;
        }
    }

    /// Adds what other processes know of the same publisher.
    pub fn add(&mut self, other: &Self) {
        self.sent = self.sent.or(other.sent);
        self.subscribers = self.subscribers.saturating_add(other.subscribers);
        self.reached = self.reached.saturating_add(other.reached);
        self.reached_max = self.reached_max.max(other.reached_max);
    }

    /// Returns the copies sent after the last that each subscriber got; `None` if it isn't known
    /// how many were sent, or if that contradicts what was received.
    #[must_use]
    pub fn tail(&self) -> Option<u64> {
        let sent = self.sent.filter(|&sent| self.reached_max <= sent)?;
        sent.checked_mul(self.subscribers)?.checked_sub(self.reached)
    }
}

pub(super) fn merge(
    own: &mut BTreeMap<ConnectionIndex, Followed>,
    other: BTreeMap<ConnectionIndex, Followed>,
) {
    for (publisher, followed) in other {
        own.entry(publisher).or_default().add(&followed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_and_how_far_each_has_come_are_what_was_lost_behind_it() {
        let mut there = Followed::default();
        for (reached, is_over) in [(10, true), (7, true), (3, false), (0, true)] {
            there.follow(reached, is_over);
        }
        assert_eq!(there.tail(), None, "nobody has said how many there were");
        let mut all = Followed { sent: Some(10), ..Followed::default() };
        assert_eq!(all.tail(), Some(0), "nobody follows");
        all.add(&there);
        assert_eq!((all.subscribers, all.tail()), (3, Some(13)));
        all.follow(11, false);
        assert_eq!(all.tail(), None, "one has got what was never sent");
    }
}
