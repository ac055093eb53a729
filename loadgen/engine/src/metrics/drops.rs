//! Connections that ended although they were to stay open: why, how many and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Failure, FailurePhase};

/// Most reasons told apart; some come from the peer, so there must be a limit.
const KINDS_MAX: usize = 1_024;

/// How many connections were dropped for one reason, and when, in nanoseconds after the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropTimes {
    /// Number of connections.
    pub count: u64,
    /// When the first was dropped.
    pub first_ns: u64,
    /// When the last was dropped.
    pub last_ns: u64,
}

impl DropTimes {
    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

/// Dropped connections by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops(BTreeMap<Failure, DropTimes>);

impl Drops {
    /// Counts a connection that was dropped at `now_ns`.
    pub fn add(&mut self, why: Failure, now_ns: u64) {
        self.merge_one(why, DropTimes { count: 1, first_ns: now_ns, last_ns: now_ns });
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        for (why, drop) in other.0 {
            self.merge_one(why, drop);
        }
    }

    fn merge_one(&mut self, why: Failure, drop: DropTimes) {
        let is_known = self.0.contains_key(&why) || self.0.len() < KINDS_MAX;
        let why = if is_known { why } else { Failure::new(FailurePhase::Open, "other") };
        self.0.entry(why).and_modify(|own| own.add(&drop)).or_insert(drop);
    }

    /// Returns the total.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|drop| drop.count).sum()
    }

    /// Iterates over the reasons, ordered by phase and code.
    pub fn iter(&self) -> impl Iterator<Item = (&Failure, &DropTimes)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_know_their_first_and_their_last_and_have_an_end() {
        let mut drops = Drops::default();
        drops.add(Failure::numbered(FailurePhase::ServerClose, 1001), 50);
        let mut other = Drops::default();
        other.add(Failure::numbered(FailurePhase::ServerClose, 1001), 20);
        other.add(Failure::new(FailurePhase::Open, "eof"), 70);
        drops.merge(other);
        let found: Vec<_> = drops.iter().map(|(why, drop)| (why.to_string(), *drop)).collect();
        let expected = [
            ("open.eof".to_owned(), DropTimes { count: 1, first_ns: 70, last_ns: 70 }),
            ("server_close.1001".to_owned(), DropTimes { count: 2, first_ns: 20, last_ns: 50 }),
        ];
        assert_eq!(found, expected);
        for code in 0..5_000 {
            drops.add(Failure::numbered(FailurePhase::ServerClose, code), 80);
        }
        assert_eq!(drops.total(), 5_003);
        assert!(drops.iter().count() <= KINDS_MAX + 1);
    }
}
