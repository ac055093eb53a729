//! Tells what each message on a stream is, by its sequence: the next, a late one, a duplicate; and
//! how many never came.
//!
//! Takes 24 bytes per stream: the last 64 sequences are remembered, and older ones were counted
//! when they left the window.

/// How many sequences are remembered.
const WINDOW: u64 = u64::BITS as u64;

/// What a message is, given those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// No later message has come.
    InOrder,
    /// It hasn't come before, but a later message has.
    Late,
    /// It has come before.
    Again,
    /// Too old to say: it has come before, or has been counted as lost.
    Stale,
}

/// The messages of a stream that have come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequences {
    first: u64,
    /// One more than the highest sequence that has come.
    next: u64,
    /// Bit `i` is whether `next - 1 - i` has come, or is before `first`, which isn't counted.
    seen: u64,
}

impl Sequences {
    /// Makes a stream whose first message has the sequence `first`.
    pub(crate) const fn new(first: u64) -> Self {
        Self { first, next: first, seen: u64::MAX }
    }

    /// Takes a message. Adds to `lost` the messages that are given up because of it.
    #[inline]
    pub(crate) fn take(&mut self, sequence: u64, lost: &mut u64) -> Arrival {
        if sequence == self.next && self.seen == u64::MAX {
            self.next = sequence.saturating_add(1);
            return Arrival::InOrder;
        }
        if sequence >= self.next {
            self.advance(sequence.saturating_add(1), lost);
            self.seen |= 1;
            return Arrival::InOrder;
        }
        let back = self.next - 1 - sequence;
        if sequence < self.first {
            // It was sent before the message that was taken for the first.
            return Arrival::Late;
        }
        if back >= WINDOW {
            return Arrival::Stale;
        }
        let bit = 1 << back;
        if self.seen & bit != 0 {
            return Arrival::Again;
        }
        self.seen |= bit;
        Arrival::Late
    }

    /// Returns one more than the highest sequence that has come; the first sequence if none has.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Returns how many messages never came, once no more can come. `end` is one more than the last
    /// sequence that was sent, if that is known.
    pub(crate) fn finish(mut self, end: Option<u64>) -> u64 {
        let mut lost = 0;
        if let Some(end) = end
            && end > self.next
        {
            self.advance(end, &mut lost);
        }
        lost + u64::from(self.seen.count_zeros())
    }

    /// Moves the window up to `next`, with nothing new seen. Adds to `lost` the missing messages
    /// that leave the window.
    fn advance(&mut self, next: u64, lost: &mut u64) {
        let steps = next - self.next;
        self.next = next;
        if steps < WINDOW {
            // Ones stand for messages that aren't missing.
            *lost += u64::from((!self.seen >> (WINDOW - steps)).count_ones());
            self.seen <<= steps;
        } else {
            *lost += u64::from(self.seen.count_zeros()) + (steps - WINDOW);
            self.seen = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Takes these, and returns what they were and how many were lost.
    fn taken(first: u64, sequences: &[u64], end: Option<u64>) -> (Vec<Arrival>, u64) {
        let mut stream = Sequences::new(first);
        let mut lost = 0;
        let arrivals = sequences.iter().map(|&it| stream.take(it, &mut lost)).collect();
        (arrivals, lost + stream.finish(end))
    }

    #[test]
    fn messages_are_told_apart() {
        use Arrival::{Again, InOrder, Late, Stale};
        assert_eq!(taken(0, &[0, 1, 2], None), (vec![InOrder, InOrder, InOrder], 0));
        assert_eq!(taken(0, &[0, 1, 1], None), (vec![InOrder, InOrder, Again], 0));
        assert_eq!(taken(0, &[1, 0, 2], None), (vec![InOrder, Late, InOrder], 0));
        assert_eq!(taken(0, &[0, 3, 1, 1], None), (vec![InOrder, InOrder, Late, Again], 1));
        assert_eq!(taken(7, &[7, 6, 8], None), (vec![InOrder, Late, InOrder], 0));
        assert_eq!(taken(0, &[0, 100, 3, 99], None), (vec![InOrder, InOrder, Stale, Late], 98));
        assert_eq!(taken(0, &[], None), (vec![], 0));
    }

    #[test]
    fn the_tail_is_lost_where_the_end_is_known() {
        for end in [0, 1, 3, 62, 63, 64, 65, 66, 127, 128, 129, 1_000] {
            assert_eq!(taken(0, &[], Some(end)).1, end, "{end}");
            assert_eq!(taken(0, &[0], Some(end)).1, end.saturating_sub(1), "{end}");
        }
        assert_eq!(taken(u64::MAX, &[u64::MAX], None).1, 0);
    }

    #[test]
    fn every_message_is_received_or_lost_whatever_comes() {
        let mut state = 1_u64;
        for round in 0..2_000 {
            let mut random = |n: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % n
            };
            let mut next = 0;
            let mut came = Vec::new();
            for _ in 0..random(200) {
                next += random(if round % 7 == 0 { 90 } else { 3 });
                came.push(next.saturating_sub(random(70)));
            }
            let end = came.iter().max().map_or(0, |last| last + 1) + random(100);
            let (arrivals, lost) = taken(0, &came, Some(end));
            let new = arrivals.iter().filter(|it| matches!(it, Arrival::InOrder | Arrival::Late));
            let distinct: BTreeSet<_> = came.iter().collect();
            let old = arrivals.iter().filter(|&&it| it == Arrival::Stale).count();
            assert_eq!(new.clone().count() as u64 + lost, end, "{came:?}");
            assert!((distinct.len() - new.count()) <= old, "{came:?}");
        }
    }
}
