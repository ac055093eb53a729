//! Messages that a server pushed, counted by kind.

use super::counts::counts;

counts! {
    /// What became of pushed messages. `inside` and `outside` add up to all, and so do in order,
    /// reordered, duplicated, stale and foreign.
    pub struct PushCounts {
        /// Received in the measured time.
        #[serde(rename = "received")]
        inside: sum,
        /// Received before or after the measured time.
        outside: sum,
        /// With a stamp, and not after a later one.
        in_order: sum,
        /// Received for the first time, but after a later one.
        reordered: sum,
        /// Received again.
        duplicated: sum,
        /// Too late to tell whether they had come before.
        stale: sum,
        /// Without a stamp.
        foreign: sum,
        /// Never received, though a later one was.
        lost: sum,
        /// Received in the measured time, with a stamp and for the first time: those with a
        /// latency, and the early ones.
        #[serde(skip)]
        timed: sum,
        /// Of those, messages that arrived before they were sent, by two clocks.
        early: sum,
    }
}
