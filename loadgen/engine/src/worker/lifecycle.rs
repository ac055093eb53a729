//! How far the run of a worker has come, and what its main task has been told.
//!
//! ```text
//!   Ramp ──▶ Waiting ──▶ Load ──▶ Drain ──▶ Close
//!     │ connections open    │ messages,      │ replies,      every connection is closed
//!     │                     │ connections    │ copies        and has ended
//!     └──── open-close: connections open during load
//! ```
//!
//! Each phase is entered once, by [`Worker::run`](super::run::Worker::run). An interrupt doesn't
//! change the order: it ends `Waiting` and `Load` at once, and shortens `Drain` and `Close`.

use std::task::Waker;

use tokio::sync::watch;

use super::Instruction;
use super::times::Times;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It opens its connections.
    Ramp,
    /// Its connections are settled, and load has not begun.
    Waiting,
    /// It does what it is there for.
    Load,
    /// It sends nothing new, and waits for what is still to come.
    Drain,
    /// It closes its connections.
    Close,
}

/// The phase of a worker, its instructions, and how to wake its main task.
pub(crate) struct Lifecycle {
    pub(crate) phase: Phase,
    instructions: watch::Receiver<Instruction>,
    /// When the run was interrupted, if it was.
    interrupted_ns: Option<u64>,
    /// The main task sleeps until its timer fires or it is woken.
    pub(crate) is_asleep: bool,
    pub(crate) main_waker: Option<Waker>,
    /// For a cohort: the healthy connections are closed, so it may end.
    is_leaving: bool,
    /// Tells the tasks that hold half a request.
    leaving: watch::Sender<bool>,
}

impl Lifecycle {
    pub(crate) fn new(instructions: watch::Receiver<Instruction>) -> Self {
        Self {
            phase: Phase::Ramp,
            instructions,
            interrupted_ns: None,
            is_asleep: false,
            main_waker: None,
            is_leaving: false,
            leaving: watch::Sender::new(false),
        }
    }

    /// Checks whether load is being made.
    #[inline]
    pub(crate) fn is_loading(&self) -> bool {
        self.phase == Phase::Load
    }

    /// Notes an interrupt; only the first one counts.
    pub(crate) fn interrupt(&mut self, now_ns: u64) {
        self.interrupted_ns.get_or_insert(now_ns);
    }

    pub(crate) const fn is_interrupted(&self) -> bool {
        self.interrupted_ns.is_some()
    }

    /// Returns the end of a wait that began at `begin_ns`: an interrupt, before it or during it,
    /// leaves at most `grace_ns` of it.
    pub(crate) fn cut_short(&self, begin_ns: u64, end_ns: u64, grace_ns: u64) -> u64 {
        self.interrupted_ns
            .map_or(end_ns, |ns| end_ns.min(ns.max(begin_ns).saturating_add(grace_ns)))
    }

    /// Returns the times of load if the coordinator has announced them.
    pub(crate) fn announced(&self) -> Option<Times> {
        match *self.instructions.borrow() {
            Instruction::Load(times) => Some(times),
            _ => None,
        }
    }

    /// Wakes the main task, because something it may be waiting for has happened.
    pub(crate) fn wake_main(&self) {
        if let Some(waker) = &self.main_waker {
            waker.wake_by_ref();
        }
    }

    /// Ends a cohort, because the healthy connections are closed.
    pub(crate) fn leave(&mut self) {
        self.is_leaving = true;
        self.leaving.send_replace(true);
        self.wake_main();
    }

    /// Checks whether the worker is of a cohort that is to end.
    pub(crate) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Returns a receiver that is told when the cohort is to end.
    pub(crate) fn watch_leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }
}
