//! Reasons that servers gave in their Close frames, each with its count.

use std::collections::BTreeMap;

use crate::escape;

/// Most reasons told apart for one way of closing. Reasons come from the peer, so there must be
/// a limit.
const REASONS_MAX: usize = 64;
/// Bytes of a reason that are kept; the protocol allows 123 before control characters are escaped.
const REASON_LEN_MAX: usize = 200;

/// The reasons of one way of closing. A Close without a reason is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReasons {
    counts: BTreeMap<String, u64>,
    other: u64,
}

impl CloseReasons {
    /// Counts a reason as the peer sent it.
    pub fn add(&mut self, reason: &str) {
        self.add_n(escape::control(reason, REASON_LEN_MAX), 1);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        for (reason, count) in other.counts {
            self.add_n(reason, count);
        }
        self.other += other.other;
    }

    fn add_n(&mut self, reason: String, count: u64) {
        if let Some(known) = self.counts.get_mut(&reason) {
            *known += count;
        } else if self.counts.len() < REASONS_MAX {
            self.counts.insert(reason, count);
        } else {
            self.other += count;
        }
    }

    /// Returns each reason without control characters, then `None` for all beyond the limit, each
    /// with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, u64)> {
        let known = self.counts.iter().map(|(reason, &count)| (Some(&**reason), count));
        known.chain((self.other > 0).then_some((None, self.other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n4_reasons_are_bounded_and_escaped() {
        let mut reasons = CloseReasons::default();
        reasons.add("auth\x1b[31m first");
        for n in 0..100 {
            reasons.add(&format!("{n:0123}"));
        }
        let mut two = reasons.clone();
        two.merge(reasons);
        assert_eq!(two.iter().count(), REASONS_MAX + 1);
        assert_eq!(two.iter().map(|(_, count)| count).sum::<u64>(), 202);
        assert!(two.iter().any(|found| found == (Some("auth\\x1b[31m first"), 2)));
        assert_eq!(two.iter().last(), Some((None, 74)));
    }
}
