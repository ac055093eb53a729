//! A configuration to what holds for every connection of a worker, in the units of the hot path.

use std::num::NonZeroUsize;

use wscodec::Limits;

use crate::config::{Load, Mask, Misbehaviour};
use crate::plan::Script;

/// What holds for every connection of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout_ns: u64,
    pub(crate) close_timeout_ns: u64,
    pub(crate) script: Script,
    pub(crate) misbehaviour: Misbehaviour,
    /// How late a message may be sent.
    pub(crate) catch_up_ns: u64,
    pub(crate) load: Option<Load>,
    /// When the plan of a number of events ends, after load begins.
    pub(crate) plan_end_ns: u64,
    /// How long to wait for replies once all is sent that was to be, if there is no timeout of each.
    pub(crate) drain_ns: Option<u64>,
    pub(crate) mask: Mask,
    /// Bytes of payload of a frame, if messages are sent in several.
    pub(crate) fragment: Option<NonZeroUsize>,
    pub(crate) limits: Limits,
    /// The worker's place, and how many there are.
    pub(crate) worker: u64,
    pub(crate) workers: u64,
}

impl Settings {
    /// The place of a connection among those of the worker.
    pub(crate) fn place(&self, connection: u64) -> usize {
        usize::try_from((connection - self.worker) / self.workers).unwrap_or(usize::MAX)
    }
}
