//! Which connection and which worker of a run: numbers that must not be mixed up with each other,
//! with sequences, or with places in a table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which connection of the whole run, from 0: the same however many threads and segments the run
/// has. A connection that is opened again keeps its own. In a scenario it is the number of the
/// user, and the first connections of a fan-out are its publishers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ConnectionIndex(pub u64);

impl ConnectionIndex {
    /// Returns which of `len` things the connection takes, from 0, if connections take them in
    /// turn; 0 if there are none.
    #[must_use]
    pub const fn turn(self, len: u64) -> u64 {
        match self.0.checked_rem(len) {
            Some(turn) => turn,
            None => 0,
        }
    }
}

impl fmt::Display for ConnectionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which worker of the run, from 0, counted over the workers of all segments. Worker `w` of `n` has
/// the connections `w`, `w + n`, `w + 2n` …
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerIndex(pub u64);

impl WorkerIndex {
    /// Returns the first connection of the worker.
    #[must_use]
    pub const fn first(self) -> ConnectionIndex {
        ConnectionIndex(self.0)
    }

    /// Returns how many of the first `connections` of the run belong to this one of `workers`.
    #[must_use]
    pub const fn share(self, connections: u64, workers: u64) -> u64 {
        connections.saturating_sub(self.0).div_ceil(workers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_workers_are_what_they_take_in_turn() {
        for (connections, workers) in [(0, 1), (1, 3), (10, 3), (12, 4)] {
            for worker in 0..workers {
                let own =
                    (0..connections).map(ConnectionIndex).filter(|c| c.turn(workers) == worker);
                let worker = WorkerIndex(worker);
                assert_eq!(
                    own.clone().next().map_or(worker.first(), |first| first),
                    worker.first()
                );
                assert_eq!(own.count() as u64, worker.share(connections, workers));
            }
        }
        assert_eq!(ConnectionIndex(7).turn(0), 0);
    }
}
