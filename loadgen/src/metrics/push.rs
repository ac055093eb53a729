//! Messages that a server pushed, counted by what they are.

use super::counts::counts;

counts! {
    /// What became of pushed messages. `inside` and `outside` together are all, and so are those in
    /// order, reordered, duplicated, stale and foreign.
    pub struct PushCounts {
        /// Received in the measured time.
        #[serde(rename = "received")]
        inside: sum,
        /// Received before or after it.
        outside: sum,
        /// With a stamp, and no later one had come.
        in_order: sum,
        /// For the first time, but after a later one.
        reordered: sum,
        /// Again.
        duplicated: sum,
        /// So late that nobody knows any more whether they came before.
        stale: sum,
        /// Without a stamp.
        foreign: sum,
        /// Never received, though a later one was.
        lost: sum,
        /// Received in the measured time, with a stamp and for the first time: those with a latency,
        /// and the early.
        #[serde(skip)]
        timed: sum,
        /// Of those, the ones that came before they were sent, by two clocks.
        early: sum,
    }
}
