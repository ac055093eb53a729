//! What the threads of a server share, and what they tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::budget::Budget;
use super::config::ServeConfig;
use super::counters::Counters;
use super::mailbox::{Mailbox, ThreadIndex};
use crate::net::Detached;

/// What all threads of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ServeConfig,
    pub(super) counters: Vec<Arc<Counters>>,
    /// Connections by worker, including those on their way to it. Changed once per connection.
    open: Vec<AtomicUsize>,
    /// What each thread must hand on to its members.
    pub(super) mailboxes: Vec<Mailbox>,
    /// Number of connections in all hubs.
    pub(super) members: AtomicUsize,
    pub(super) budget: Budget,
}

impl Shared {
    pub(super) fn new(config: ServeConfig) -> Self {
        let threads = config.threads.get();
        Self {
            budget: Budget::new(config.held_max),
            config,
            counters: (0..threads).map(|_| Arc::default()).collect(),
            open: (0..threads).map(|_| AtomicUsize::default()).collect(),
            mailboxes: (0..threads).map(|_| Mailbox::default()).collect(),
            members: AtomicUsize::default(),
        }
    }

    /// Returns the number of connections of all workers.
    pub(super) fn open(&self) -> usize {
        self.open.iter().map(|open| open.load(Relaxed)).sum()
    }
}

/// One connection's place at a worker; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    thread: ThreadIndex,
    is_spare: bool,
}

impl Seat {
    /// Takes a seat at the worker that has the fewest connections.
    pub(super) fn take(shared: &Arc<Shared>, is_spare: bool) -> Self {
        let open = shared.open.iter().map(|open| open.load(Relaxed));
        let worker = open.enumerate().min_by_key(|&(_, open)| open).map_or(0, |(worker, _)| worker);
        Self::take_at(shared, ThreadIndex::of(worker), is_spare)
    }

    /// Takes a seat at the worker of a thread, for a stream of a connection that it has.
    pub(super) fn take_at(shared: &Arc<Shared>, thread: ThreadIndex, is_spare: bool) -> Self {
        if let Some(open) = shared.open.get(thread.place()) {
            open.fetch_add(1, Relaxed);
        }
        Self { shared: Arc::clone(shared), thread, is_spare }
    }

    /// Returns the index of the worker's thread.
    pub(super) fn thread(&self) -> ThreadIndex {
        self.thread
    }

    /// Checks whether the connection is beyond the limit, so that its client is only told so.
    pub(super) fn is_spare(&self) -> bool {
        self.is_spare
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(open) = self.shared.open.get(self.thread.place()) {
            open.fetch_sub(1, Relaxed);
        }
    }
}

/// What other threads tell a worker.
#[derive(Debug)]
pub(super) enum ServeOrder {
    /// Take this connection.
    Admit(Detached, Seat),
    /// Close all connections and end.
    Shutdown,
}
