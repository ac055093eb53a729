//! What the kernel said about connections that were looked at now and then.

use super::counts::counts;

counts! {
    /// Counts of the looks. Round trips are in histograms.
    pub struct NetworkCounts {
        /// How often a connection was looked at.
        looks: sum,
        /// Different connections whose segments were counted.
        connections: sum,
        /// Segments that these had sent, up to the last look at each.
        segments: sum,
        /// Of those, sent again.
        retransmits: sum,
        /// Looks at a connection whose peer had no room.
        zero_windows: sum,
        /// Most segments in flight on a connection.
        unacked_max: most,
        /// Most bytes that waited in this kernel on a connection.
        notsent_bytes_max: most,
    }
}
