//! Where decoders put their messages: counted when the clock runs, kept when they are compared.

use std::hint::black_box;

use crate::wire::Kind;

/// How much was done in one run; equal for all contestants of a contest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Frames, messages or handshakes.
    pub(crate) items: u64,
    /// Bytes of payload.
    pub(crate) bytes: u64,
}

/// Takes messages.
pub(crate) trait Sink {
    /// The next message, borrowed for the moment.
    fn message(&mut self, kind: Kind, payload: &[u8]);
}

/// Counts; the payload is handed to the optimizer's blind spot, not read.
#[derive(Debug, Default)]
pub(crate) struct Count(pub(crate) Work);

impl Sink for Count {
    #[inline]
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        black_box((kind, payload.as_ptr()));
        self.0.items += 1;
        self.0.bytes += payload.len() as u64;
    }
}

/// Keeps every message.
#[derive(Debug, Default)]
pub(crate) struct Collect(pub(crate) Vec<(Kind, Vec<u8>)>);

impl Sink for Collect {
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.0.push((kind, payload.to_vec()));
    }
}
