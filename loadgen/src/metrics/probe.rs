//! Pings that are sent beside messages, counted by what they came to.

use super::counts::counts;

counts! {
    /// What became of Pings beside messages, all of the measured time. `sent` is answered, superseded
    /// and missing together.
    pub struct ProbeCounts {
        /// Handed to the socket, or queued behind what a server doesn't read.
        sent: sum,
        /// Those with a Pong of their own.
        #[serde(rename = "pongs")]
        answered: sum,
        /// Those that a Pong to a later one has answered.
        superseded: sum,
        /// Those that nothing has answered.
        missing: sum,
        /// Pongs that answered none.
        unsolicited: sum,
        /// Due, and not sent because their connection wasn't open.
        unsent_closed: sum,
        /// Due, and not sent because too much was queued for a server that doesn't read.
        unsent_backlog: sum,
        /// Due, and not sent because this program was too late.
        unsent_late: sum,
    }
}
