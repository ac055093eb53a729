//! What a call to a user is given, and the messages that it leaves to send.

use super::super::Program;

/// Messages to send, in one reused buffer.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub(super) bytes: Vec<u8>,
    /// Whether each message is binary, and where it ends.
    pub(super) messages: Vec<(bool, usize)>,
    /// The code of a Close after the messages.
    pub close: Option<u16>,
}

impl Outgoing {
    /// Returns each message, and whether it is binary.
    pub fn messages(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut begin = 0;
        self.messages.iter().map(move |&(is_binary, end)| {
            (is_binary, &self.bytes[std::mem::replace(&mut begin, end)..end])
        })
    }

    /// Checks whether there is anything to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.close.is_none()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.close = None;
    }
}

/// The context of a call to a [`User`](super::User).
#[derive(Debug)]
pub struct Turn<'t, O> {
    /// The program of all users.
    pub program: &'t Program,
    /// The seed of the run.
    pub seed: u64,
    /// The time.
    pub now_ns: u64,
    /// The time in nanoseconds since 1970.
    pub unix_ns: u64,
    /// Messages to send.
    pub out: &'t mut Outgoing,
    /// Receives the events.
    pub observer: &'t mut O,
}
