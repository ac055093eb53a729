//! Published messages and their copies, counted by what became of them.

use super::counts::counts;

counts! {
    /// What became of the copies of published messages: those expected are received, altered or
    /// lost.
    pub struct CopyCounts {
        /// Copies that subscribers should get: for each message, one for each open subscriber of
        /// its topic. In a segment, copies from publishers of other processes count up to the last
        /// that arrived.
        expected: sum,
        /// Copies received for the first time, unchanged.
        received: sum,
        /// Received copies that arrived before they were sent, by the clocks of two processes: they
        /// are in no latency.
        early: sum,
        /// Copies received for the first time, but changed.
        altered: sum,
        /// Copies never received.
        lost: sum,
        /// Received or altered copies that arrived after a later one of the same publisher.
        reordered: sum,
        /// Copies received again.
        duplicated: sum,
        /// Copies more than 64 messages behind, which may be duplicates or not.
        stale: sum,
        /// Copies of another topic, or of a message never sent.
        unexpected: sum,
        /// Messages received that this run did not publish, and that are no answers.
        foreign: sum,
        /// Copies that publishers received.
        overheard: sum,
    }
}

counts! {
    /// What became of published messages: each is complete, incomplete or unjudged.
    pub struct FanoutCounts {
        /// Messages of which every open subscriber got a copy in time.
        complete: sum,
        /// Messages that some open subscriber did not get in time.
        incomplete: sum,
        /// Messages that this process can't judge, because other processes have subscribers too.
        unjudged: sum,
        /// Complete and incomplete messages that no subscriber got.
        silent: sum,
        /// Answers to subscriptions, if they are waited for.
        answers: sum,
        /// Connections that got no answer in time.
        untold: sum,
        /// Messages skipped because too many were under way.
        crowded: sum,
    }
}
