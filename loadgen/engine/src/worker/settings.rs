//! What holds for every connection of a worker, in the units of the hot path.

use std::num::NonZeroUsize;

use wscodec::Limits;

use super::sessions::Numbering;
use crate::clock::nanos;
use crate::config::{CommonArgs, Config, Load, Misbehaviour};
use crate::index::WorkerIndex;
use crate::plan::{Plan, Script};

/// How long, beyond the connect timeout, opening all connections may take if no rate is given, and
/// how late one may begin if a rate is given: for any number of them, and for each in the run.
/// Connections that haven't begun by then never do.
const RAMP_MAX_NS: u64 = 60_000_000_000;
const RAMP_EACH_NS: u64 = 400_000;

/// What holds for every connection of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout_ns: u64,
    pub(crate) close_timeout_ns: u64,
    /// How late a connection may begin.
    pub(crate) ramp_max_ns: u64,
    pub(crate) script: Script,
    pub(crate) misbehaviour: Misbehaviour,
    /// How late a message may be sent before it is left out.
    pub(crate) catch_up_ns: u64,
    pub(crate) load: Option<Load>,
    /// When a plan of a number of events ends, in nanoseconds after load begins.
    pub(crate) plan_end_ns: u64,
    /// How long to wait for replies once all messages are sent, unless each reply has a timeout.
    pub(crate) drain_ns: Option<u64>,
    pub(crate) common: CommonArgs,
    /// Payload bytes per frame, if messages are sent in fragments.
    pub(crate) fragment: Option<NonZeroUsize>,
    pub(crate) limits: Limits,
    /// Messages are sent on a schedule, and not in response to replies.
    pub(crate) is_open_loop: bool,
    pub(crate) numbering: Numbering,
}

impl Settings {
    /// Returns what a configuration and its plan say about the connections of a worker.
    pub(crate) fn new(config: &Config, plan: &Plan, worker: WorkerIndex) -> Self {
        Self {
            connect_timeout_ns: nanos(config.request.connect_timeout),
            close_timeout_ns: nanos(config.request.close_timeout),
            ramp_max_ns: RAMP_MAX_NS.saturating_add(config.connections * RAMP_EACH_NS),
            script: plan.script(),
            misbehaviour: config.misbehaviour,
            catch_up_ns: nanos(config.pacing.catch_up),
            load: plan.load(),
            plan_end_ns: plan.end_ns(),
            drain_ns: config
                .echo()
                .filter(|_| config.reply_timeout.is_none())
                .map(|_| nanos(config.drain_timeout)),
            common: config.common,
            fragment: config.echo().and_then(|echo| echo.fragment),
            limits: super::limits(config),
            is_open_loop: plan.load().is_some_and(Load::is_scheduled),
            numbering: Numbering {
                worker,
                workers: config.part().workers(config.threads.get() as u64),
            },
        }
    }
}
