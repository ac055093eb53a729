//! What a received message is judged with and counted in, whatever the duty.

use wscodec::DataKind;

use super::outstanding::Sent;
use super::times::Times;
use crate::index::ConnectionIndex;
use crate::metrics::Metrics;
use crate::metrics::live::Live;
use crate::payload::Payload;
use crate::{escape, units};

/// How many bytes of a wrong message are shown.
pub(super) const SHOWN_LEN_MAX: usize = 80;

/// A received data message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'m> {
    pub(crate) kind: DataKind,
    pub(crate) payload: &'m [u8],
    /// The index in the run of the connection that it came on.
    pub(crate) connection: ConnectionIndex,
    /// When it arrived; the last bytes of its read, to be exact.
    pub(crate) arrived_ns: u64,
}

impl Received<'_> {
    /// Returns the message as a sample shows it.
    pub(crate) fn shown(&self) -> String {
        let kind = match self.kind {
            DataKind::Text => "text",
            DataKind::Binary => "binary",
        };
        let Self { connection, payload, .. } = self;
        let bytes = escape::bytes(payload, SHOWN_LEN_MAX);
        let len = units::counted(payload.len() as u64, "byte");
        format!("connection {connection}: {kind} of {len}: {bytes}")
    }
}

/// The parts of a [`Thread`](super::thread::Thread) that judging a message takes.
#[derive(Debug)]
pub(crate) struct Judge<'t> {
    pub(crate) payload: &'t Payload,
    pub(crate) metrics: &'t mut Metrics,
    pub(crate) live: &'t Live,
    pub(crate) times: &'t Times,
    pub(crate) is_open_loop: bool,
}

impl Judge<'_> {
    /// Counts messages that can have no reply any more.
    pub(crate) fn lost(&mut self, sent: impl Iterator<Item = Sent>) {
        for sent in sent {
            self.metrics.span(self.times.span(sent.due_ns())).lost += 1;
        }
    }
}
