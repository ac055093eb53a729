//! What happens to a user: steps that begin, end or fail, and messages without a request.

use super::order::Order;

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The answer matched `fail`.
    Refused,
    /// The answer lacks a value to capture.
    NoCapture,
    /// No answer came in time.
    TimedOut,
    /// The connection ended.
    Lost,
}

/// An event of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A step began: its message is to be written, or it waits.
    Begun {
        /// The measure of the step.
        measure: usize,
    },
    /// A step ended as it should.
    Answered {
        /// The measure of the step.
        measure: usize,
        /// From the write to the answer; for a step that only waits, from the step before; `None`
        /// if no answer was waited for.
        service_ns: Option<u64>,
        /// Whether a message ended it.
        is_message: bool,
    },
    /// A step failed.
    Failed {
        /// The measure of the step.
        measure: usize,
        /// The fault.
        fault: Fault,
        /// The server's message, if it caused the fault.
        said: &'e [u8],
    },
    /// The reply to a request that had timed out.
    Late {
        /// The measure of its step.
        measure: usize,
    },
    /// Another reply to a request that already had one.
    Again {
        /// The measure of its step.
        measure: usize,
    },
    /// An unrequested message.
    Rule {
        /// The number of its rule.
        rule: usize,
        /// Its age by the sender's clock, if it gives a time that isn't in the future.
        age_ns: Option<u64>,
        /// Its number relative to the one before.
        order: Order,
    },
    /// An unmatched message.
    Unmatched(&'e [u8]),
    /// `[[begin]]` is over.
    Ready,
    /// `[[begin]]` failed: the user can't be used.
    Refused,
    /// An iteration is over.
    Iterated {
        /// When it was due, under open loop.
        due_ns: Option<u64>,
        /// When its first message was written.
        first_ns: Option<u64>,
        /// When it began.
        begun_ns: u64,
        /// Whether all of its steps did what they should.
        is_complete: bool,
    },
}

/// Receives the events of users.
pub trait Observer {
    /// Called for each event.
    fn observe(&mut self, event: Event<'_>);
}
