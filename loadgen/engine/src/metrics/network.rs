//! What the kernel said about connections that were sampled now and then.

use super::counts::counts;

counts! {
    /// Counts of the samples. Round trips are in histograms.
    pub struct NetworkCounts {
        /// Samples of connections.
        looks: sum,
        /// Distinct connections whose segments were counted.
        connections: sum,
        /// Segments that these connections had sent, up to the last sample of each.
        segments: sum,
        /// Retransmitted segments among these.
        retransmits: sum,
        /// Samples of a connection whose peer had no room.
        zero_windows: sum,
        /// Most segments in flight on a connection.
        unacked_max: most,
        /// Most bytes waiting in this kernel on a connection.
        notsent_bytes_max: most,
    }
}
