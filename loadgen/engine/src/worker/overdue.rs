//! The sequences of messages that were given up because their replies were overdue.
//!
//! Takes 16 bytes for any number of consecutive ones, so a server that has stopped answering costs
//! no memory. A server that answers some makes gaps; beyond a number of gaps, the oldest messages
//! are only counted.

use std::collections::VecDeque;
use std::ops::Range;

/// How many ranges are kept.
const ROWS_MAX: usize = 1_024;

/// The messages of a connection whose replies were overdue, and have not come since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overdue {
    /// Ascending, not empty, with gaps between them.
    rows: VecDeque<Range<u64>>,
    /// How many messages before `forgotten_end` are in the set; which ones is no longer known.
    forgotten: u64,
    forgotten_end: u64,
}

impl Overdue {
    /// Adds a sequence, which must be higher than all before.
    pub(crate) fn add(&mut self, sequence: u64) {
        let end = sequence.saturating_add(1);
        match self.rows.back_mut() {
            Some(last) if last.end == sequence => last.end = end,
            _ => {
                self.rows.push_back(sequence..end);
                self.forget();
            }
        }
    }

    /// Removes a sequence; returns whether it was there. One that is as old as those that are only
    /// counted is taken for one of them.
    pub(crate) fn take(&mut self, sequence: u64) -> bool {
        let place = self.rows.partition_point(|row| row.end <= sequence);
        let Some(row) = self.rows.get_mut(place).filter(|row| row.contains(&sequence)) else {
            let is_one = sequence < self.forgotten_end && self.forgotten > 0;
            self.forgotten -= u64::from(is_one);
            return is_one;
        };
        let after = sequence + 1..row.end;
        row.end = sequence;
        match (row.is_empty(), after.is_empty()) {
            (true, true) => drop(self.rows.remove(place)),
            (true, false) => *row = after,
            (false, true) => {}
            (false, false) => {
                self.rows.insert(place + 1, after);
                self.forget();
            }
        }
        true
    }

    /// Keeps the number of ranges within its limit.
    fn forget(&mut self) {
        if self.rows.len() > ROWS_MAX
            && let Some(row) = self.rows.pop_front()
        {
            self.forgotten += row.end - row.start;
            self.forgotten_end = row.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_there_once() {
        let mut overdue = Overdue::default();
        assert!(!overdue.take(0));
        for sequence in [3, 4, 5, 6, 9] {
            overdue.add(sequence);
        }
        assert_eq!(overdue.rows, [3..7, 9..10]);
        for (sequence, is_there) in [
            (2, false),
            (7, false),
            (8, false),
            (10, false),
            (4, true),
            (4, false),
            (3, true),
            (6, true),
            (5, true),
            (9, true),
            (9, false),
            (u64::MAX, false),
        ] {
            assert_eq!(overdue.take(sequence), is_there, "{sequence}");
        }
        assert!(overdue.rows.is_empty());
    }

    #[test]
    fn as_a_set_would_whatever_comes() {
        let mut state = 1_u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        for round in 0..300 {
            let (mut overdue, mut set, mut next) = (Overdue::default(), BTreeSet::new(), 0);
            for _ in 0..500 {
                if random(2) == 0 {
                    next += random(1 + round % 4);
                    overdue.add(next);
                    set.insert(next);
                    next += 1;
                } else {
                    let sequence = random(next + 2);
                    assert_eq!(overdue.take(sequence), set.remove(&sequence), "{sequence}");
                }
            }
            let rows = || overdue.rows.iter();
            assert!(rows().zip(rows().skip(1)).all(|(one, next)| one.end < next.start));
            assert_eq!(rows().map(|row| row.end - row.start).sum::<u64>(), set.len() as u64);
        }
    }

    #[test]
    fn memory_has_a_bound_and_none_is_late_twice_as_often_as_it_was_given_up() {
        const ALL: u64 = 100_000;
        let mut overdue = Overdue::default();
        (0..ALL).for_each(|sequence| overdue.add(sequence));
        assert_eq!(overdue.rows.len(), 1, "one that answers nothing costs nothing");
        for sequence in (0..ALL).step_by(2) {
            assert!(overdue.take(sequence));
            assert!(overdue.rows.len() <= ROWS_MAX);
        }
        let mut left = 0;
        for sequence in 0..ALL {
            left += u64::from(overdue.take(sequence));
        }
        assert_eq!(left, ALL / 2);
        assert!((0..ALL).all(|sequence| !overdue.take(sequence)));
    }
}
