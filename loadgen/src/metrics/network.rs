//! What the kernel said about connections that were looked at now and then.

/// Counts of the looks. Round trips are in histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounts {
    /// How often a connection was looked at.
    pub looks: u64,
    /// Different connections whose segments were counted.
    pub connections: u64,
    /// Segments that these had sent, up to the last look at each.
    pub segments: u64,
    /// Of those, sent again.
    pub retransmits: u64,
    /// Looks at a connection whose peer had no room.
    pub zero_windows: u64,
    /// Most segments in flight on a connection.
    pub unacked_max: u64,
    /// Most bytes that waited in this kernel on a connection.
    pub notsent_bytes_max: u64,
}

impl NetworkCounts {
    /// Adds what `other` has counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.looks += other.looks;
        self.connections += other.connections;
        self.segments += other.segments;
        self.retransmits += other.retransmits;
        self.zero_windows += other.zero_windows;
        self.unacked_max = self.unacked_max.max(other.unacked_max);
        self.notsent_bytes_max = self.notsent_bytes_max.max(other.notsent_bytes_max);
    }
}
