//! Pings that are sent beside messages, counted by what they came to.

/// What became of Pings beside messages, all of the measured time. `sent` is answered, superseded
/// and missing together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// Handed to the socket, or queued behind what a server doesn't read.
    pub sent: u64,
    /// Those with a Pong of their own.
    pub answered: u64,
    /// Those that a Pong to a later one has answered.
    pub superseded: u64,
    /// Those that nothing has answered.
    pub missing: u64,
    /// Pongs that answered none.
    pub unsolicited: u64,
    /// Due, and not sent because their connection wasn't open.
    pub unsent_closed: u64,
    /// Due, and not sent because too much was queued for a server that doesn't read.
    pub unsent_backlog: u64,
    /// Due, and not sent because this program was too late.
    pub unsent_late: u64,
}

impl ProbeCounts {
    /// Adds what `other` has counted.
    pub(super) const fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.superseded += other.superseded;
        self.missing += other.missing;
        self.unsolicited += other.unsolicited;
        self.unsent_closed += other.unsent_closed;
        self.unsent_backlog += other.unsent_backlog;
        self.unsent_late += other.unsent_late;
    }
}
