//! Published messages and their copies, counted by what became of them.

/// What became of published messages, each complete, incomplete or unjudged, and of their copies:
/// those expected are received, altered or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FanoutCounts {
    /// Messages of which every open subscriber got a copy in time.
    pub complete: u64,
    /// Messages of which not.
    pub incomplete: u64,
    /// Messages of which nobody here knows, because other processes have subscribers, too.
    pub unjudged: u64,
    /// Of the complete and incomplete, those of which nobody got a copy.
    pub silent: u64,
    /// Copies that subscribers were to get: of each message that was sent while they were open.
    pub expected: u64,
    /// Copies received for the first time, as they were sent.
    pub received: u64,
    /// Of those, the ones that came before they were sent, by the clocks of two processes.
    pub early: u64,
    /// Copies received for the first time, and changed.
    pub altered: u64,
    /// Copies never received.
    pub lost: u64,
    /// Of those received or altered, the ones that came after a later one of their publisher.
    pub reordered: u64,
    /// Copies received again.
    pub duplicated: u64,
    /// Copies so late that nobody knows any more whether they came before.
    pub stale: u64,
    /// Copies of another topic, or of what was never sent.
    pub unexpected: u64,
    /// Messages received that nobody of this run has published, and that are no answers.
    pub foreign: u64,
    /// Answers to subscriptions, where they are waited for.
    pub answers: u64,
    /// Connections that got none in time.
    pub untold: u64,
    /// Copies that publishers received.
    pub overheard: u64,
    /// Messages left out because too many were under way.
    pub crowded: u64,
}

impl FanoutCounts {
    /// Adds what `other` has counted.
    pub const fn add(&mut self, other: &Self) {
        self.complete += other.complete;
        self.incomplete += other.incomplete;
        self.unjudged += other.unjudged;
        self.silent += other.silent;
        self.expected += other.expected;
        self.received += other.received;
        self.early += other.early;
        self.altered += other.altered;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.stale += other.stale;
        self.unexpected += other.unexpected;
        self.foreign += other.foreign;
        self.answers += other.answers;
        self.untold += other.untold;
        self.overheard += other.overheard;
        self.crowded += other.crowded;
    }
}
