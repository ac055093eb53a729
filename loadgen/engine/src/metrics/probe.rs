//! Pings sent beside messages, counted by what became of them.

use super::counts::counts;

counts! {
    /// What became of Pings beside messages, all in the measured time. `sent` is answered plus
    /// superseded plus missing.
    pub struct ProbeCounts {
        /// Handed to the socket, or queued because the server doesn't read.
        sent: sum,
        /// Answered by a Pong of their own.
        #[serde(rename = "pongs")]
        answered: sum,
        /// Answered by a Pong to a later Ping.
        superseded: sum,
        /// Never answered.
        missing: sum,
        /// Pongs that answered no Ping.
        unsolicited: sum,
        /// Due, but not sent because the connection wasn't open.
        unsent_closed: sum,
        /// Due, but not sent because too much was queued for a server that doesn't read.
        unsent_backlog: sum,
        /// Due, but not sent because this program was too late.
        unsent_late: sum,
    }
}
