//! Which workers still have load to make.
//!
//! A worker that has lost all of its connections has nothing to do. But messages are still due on
//! them, and are counted as unsent, until the last worker is done.

use crate::index::WorkerIndex;
use std::collections::HashSet;

use tokio::sync::watch;

/// The numbers of the workers that still have load to make.
#[derive(Clone, Debug)]
pub struct BusyWorkers(watch::Sender<HashSet<WorkerIndex>>);

impl BusyWorkers {
    /// Starts with all of `workers` busy.
    pub fn new(workers: impl Iterator<Item = WorkerIndex>) -> Self {
        Self(watch::Sender::new(workers.collect()))
    }

    /// Notes that a worker is done. Does nothing if it was done before.
    pub(crate) fn leave(&self, worker: WorkerIndex) {
        self.0.send_if_modified(|workers| workers.remove(&worker));
    }

    /// Checks whether all workers are done.
    pub(crate) fn is_done(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Returns a receiver that is told when a worker is done.
    pub(crate) fn watch(&self) -> watch::Receiver<HashSet<WorkerIndex>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_done_once_each_has_left() {
        let busy = BusyWorkers::new((3..6).map(WorkerIndex));
        let mut watch = busy.watch();
        for worker in [3, 5, 3, 9] {
            busy.leave(WorkerIndex(worker));
        }
        assert!(!busy.is_done() && watch.has_changed().unwrap());
        watch.mark_unchanged();
        busy.leave(WorkerIndex(5));
        assert!(!watch.has_changed().unwrap());
        busy.leave(WorkerIndex(4));
        assert!(busy.is_done() && watch.has_changed().unwrap());
    }
}
