//! Published messages and their copies, counted by what became of them.

use super::counts::counts;

counts! {
    /// What became of published messages, each complete, incomplete or unjudged, and of their copies:
    /// those expected are received, altered or lost.
    pub struct FanoutCounts {
        /// Messages of which every open subscriber got a copy in time.
        complete: sum,
        /// Messages of which not.
        incomplete: sum,
        /// Messages of which nobody here knows, because other processes have subscribers, too.
        unjudged: sum,
        /// Of the complete and incomplete, those of which nobody got a copy.
        silent: sum,
        /// Copies that subscribers were to get: of each message that was sent while they were open.
        expected: sum,
        /// Copies received for the first time, as they were sent.
        received: sum,
        /// Of those, the ones that came before they were sent, by the clocks of two processes.
        early: sum,
        /// Copies received for the first time, and changed.
        altered: sum,
        /// Copies never received.
        lost: sum,
        /// Of those received or altered, the ones that came after a later one of their publisher.
        reordered: sum,
        /// Copies received again.
        duplicated: sum,
        /// Copies so late that nobody knows any more whether they came before.
        stale: sum,
        /// Copies of another topic, or of what was never sent.
        unexpected: sum,
        /// Messages received that nobody of this run has published, and that are no answers.
        foreign: sum,
        /// Answers to subscriptions, where they are waited for.
        answers: sum,
        /// Connections that got none in time.
        untold: sum,
        /// Copies that publishers received.
        overheard: sum,
        /// Messages left out because too many were under way.
        crowded: sum,
    }
}
