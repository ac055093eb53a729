//! Messages that a server pushed, counted by what they are.

/// What became of pushed messages. `inside` and `outside` together are all, and so are those in
/// order, reordered, duplicated, stale and foreign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushCounts {
    /// Received in the measured time.
    pub inside: u64,
    /// Received before or after it.
    pub outside: u64,
    /// With a stamp, and no later one had come.
    pub in_order: u64,
    /// For the first time, but after a later one.
    pub reordered: u64,
    /// Again.
    pub duplicated: u64,
    /// So late that nobody knows any more whether they came before.
    pub stale: u64,
    /// Without a stamp.
    pub foreign: u64,
    /// Never received, though a later one was.
    pub lost: u64,
    /// Received in the measured time, with a stamp and for the first time: those with a latency,
    /// and the early.
    pub timed: u64,
    /// Of those, the ones that came before they were sent, by two clocks.
    pub early: u64,
}

impl PushCounts {
    /// Adds what `other` has counted.
    pub const fn add(&mut self, other: &Self) {
        self.inside += other.inside;
        self.outside += other.outside;
        self.in_order += other.in_order;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.stale += other.stale;
        self.foreign += other.foreign;
        self.lost += other.lost;
        self.timed += other.timed;
        self.early += other.early;
    }
}
