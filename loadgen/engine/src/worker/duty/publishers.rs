//! The publishers of a worker, and their messages under way.

use super::super::sessions::{LocalIndex, SessionKey};

/// The publishers of a worker, by local index, and their messages under way.
#[derive(Debug)]
pub(crate) struct Publishers {
    pub(super) publishers: Vec<Publisher>,
    /// How long a message waits for its copies.
    pub(crate) copy_timeout_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// The key of its session.
    pub(super) key: Option<SessionKey>,
    /// By sequence, modulo the rows that it has.
    pub(super) messages: Vec<Underway>,
}

/// A message under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Underway {
    /// The time in it, from which latencies count.
    pub(super) base_ns: u64,
    /// Subscribers that were open.
    pub(super) expected: u64,
}

impl Publishers {
    pub(super) fn new(publishers: u64, copy_timeout_ns: u64) -> Self {
        let publishers = (0..publishers).map(|_| Publisher::default()).collect();
        Self { publishers, copy_timeout_ns }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.publishers.is_empty()
    }

    /// Notes the session of a publisher, or that it has none.
    pub(super) fn set_key(&mut self, local: LocalIndex, key: Option<SessionKey>) {
        if let Some(publisher) = self.publishers.get_mut(local.0) {
            publisher.key = key;
        }
    }

    /// Returns the sessions of the publishers that are open.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.publishers.iter().filter_map(|publisher| publisher.key).collect()
    }
}
