//! Connections that were lost and reopened: how many, why, and the outcome of each attempt.

use super::{Drops, Failures};

/// What became of lost connections. Each attempt was established or is in `failures`; each loss
/// was followed by an attempt that was established, or by the end.
#[derive(Clone, Debug, Default)]
pub struct ReconnectCounts {
    /// Established connections that ended although they were to stay open, while they were to be
    /// reopened.
    pub losses: Drops,
    /// Attempts started.
    pub attempted: u64,
    /// Attempts whose opening handshake succeeded.
    pub established: u64,
    /// Attempts that failed, by cause.
    pub failures: Failures,
    /// Losses after which the connection was not open again when load ended.
    pub away: u64,
}

impl ReconnectCounts {
    /// Adds the counts of `other`.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { losses, attempted, established, failures, away } = other;
        self.losses.merge(losses);
        self.attempted += attempted;
        self.established += established;
        self.failures.merge(failures);
        self.away += away;
    }
}
