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
        /// The message.
        said: &'e [u8],
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

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A step, by its measure.
    Step(usize),
    /// A rule, by its number.
    Rule(usize),
    /// A timer, by its number.
    Tick(usize),
}

/// Receives the events of users.
///
/// What has a body here is for a transcript; counters leave it out.
pub trait Observer {
    /// Called for each event.
    fn observe(&mut self, event: Event<'_>);

    /// Called with each unit that is received, before what takes it.
    fn received(&mut self, _unit: &[u8]) {}

    /// Called if the unit ends the step with this measure, which begins after a pause.
    fn early(&mut self, _measure: usize) {}

    /// Called with each value that is kept.
    fn captured(&mut self, _slot: usize, _value: &[u8]) {}

    /// Called with each unit that is to be sent.
    fn sending(&mut self, _cause: Cause, _unit: &[u8], _is_binary: bool) {}

    /// Called when a pause begins.
    fn pausing(&mut self, _ns: u64) {}
}
