//! Workers that are at their load, to when the last of them is done.
//!
//! A worker that has lost all of its connections has nothing to do, but what was due on them is due
//! all the same, and counted as unsent, as long as the run goes on. Who goes on is said here.

use std::collections::HashSet;

use tokio::sync::watch;

/// The numbers of the workers that are not done.
#[derive(Clone, Debug)]
pub struct BusyWorkers(watch::Sender<HashSet<u64>>);

impl BusyWorkers {
    /// All of these.
    pub(crate) fn new(workers: impl Iterator<Item = u64>) -> Self {
        Self(watch::Sender::new(workers.collect()))
    }

    /// A worker is done; to say so again changes nothing.
    pub(crate) fn leave(&self, worker: u64) {
        self.0.send_if_modified(|workers| workers.remove(&worker));
    }

    /// Whether all are done.
    pub(crate) fn is_done(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Tells of each that is done.
    pub(crate) fn watch(&self) -> watch::Receiver<HashSet<u64>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_done_once_each_has_left() {
        let busy = BusyWorkers::new(3..6);
        let mut watch = busy.watch();
        for worker in [3, 5, 3, 9] {
            busy.leave(worker);
        }
        assert!(!busy.is_done() && watch.has_changed().unwrap());
        watch.mark_unchanged();
        busy.leave(5);
        assert!(!watch.has_changed().unwrap());
        busy.leave(4);
        assert!(busy.is_done() && watch.has_changed().unwrap());
    }
}
