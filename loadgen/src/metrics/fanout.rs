//! Published messages and their copies, counted by what became of them.

use super::counts::counts;

counts! {
    /// What became of the copies of published messages: those expected are received, altered or lost.
    pub struct CopyCounts {
        /// Copies that subscribers were to get: of each message, one for each subscriber of its topic
        /// that was open. In a segment, those of publishers of other processes are up to the last
        /// that came.
        expected: sum,
        /// Copies received for the first time, as they were sent.
        received: sum,
        /// Of those received, the ones that came before they were sent, by the clocks of two
        /// processes: they are in no latency.
        early: sum,
        /// Copies received for the first time, and changed.
        altered: sum,
        /// Copies never received.
        lost: sum,
        /// Of those received or altered, the ones that came after a later one of their publisher.
        reordered: sum,
        /// Copies received again.
        duplicated: sum,
        /// Copies more than 64 messages behind, which may have come before or not.
        stale: sum,
        /// Copies of another topic, or of what was never sent.
        unexpected: sum,
        /// Messages received that this run has not published, and that are no answers.
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
        /// Messages that this process can't judge, because other processes have subscribers, too.
        unjudged: sum,
        /// Of the complete and incomplete, those that no subscriber got.
        silent: sum,
        /// Answers to subscriptions, where they are waited for.
        answers: sum,
        /// Connections that got none in time.
        untold: sum,
        /// Messages left out because too many were under way.
        crowded: sum,
    }
}
