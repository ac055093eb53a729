//! The open connections of a worker, by key and by their place among the worker's.

use crate::index::{ConnectionIndex, WorkerIndex};
use std::ops::{Index, IndexMut};

use slab::Slab;

use super::session::Session;

/// Which session of a worker. Another session may have the same key once this one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionKey(usize);

/// Which connection of a worker: 0, 1, 2 … for the connections of the run that are the worker's. A
/// connection that is opened again keeps its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LocalIndex(pub(crate) usize);

/// Where the session of a connection is, if it has one; half of what an `Option<u32>` takes.
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

impl Slot {
    const NONE: Self = Self(u32::MAX);

    fn of(key: SessionKey) -> Self {
        u32::try_from(key.0).map_or(Self::NONE, Self)
    }

    fn key(self) -> Option<SessionKey> {
        (self.0 != Self::NONE.0).then_some(SessionKey(self.0 as usize))
    }
}

/// How the connections of a run are dealt out: worker `w` of `n` has `w`, `w + n`, `w + 2n` …
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbering {
    pub(crate) worker: WorkerIndex,
    pub(crate) workers: u64,
}

impl Numbering {
    /// Returns the place among the worker's of a connection, which must be one of them.
    pub(crate) fn local(&self, connection: ConnectionIndex) -> LocalIndex {
        let place = (connection.0 - self.worker.0) / self.workers;
        LocalIndex(usize::try_from(place).unwrap_or(usize::MAX))
    }
}

/// The open connections of a worker.
#[derive(Debug)]
pub(crate) struct Sessions {
    slab: Slab<Session>,
    numbering: Numbering,
    /// The slot of each open connection by its local index. Empty if nothing is scheduled by
    /// connection, since it costs 4 bytes each.
    slots: Vec<Slot>,
    /// Sessions whose closing has begun.
    pub(crate) closing: usize,
}

impl Sessions {
    /// Makes room for `slots` connections; `is_indexed` is whether [`key_of`](Self::key_of) is
    /// needed.
    pub(crate) fn new(slots: usize, numbering: Numbering, is_indexed: bool) -> Self {
        Self {
            slab: Slab::with_capacity(slots),
            numbering,
            slots: vec![Slot::NONE; if is_indexed { slots } else { 0 }],
            closing: 0,
        }
    }

    pub(crate) fn insert(&mut self, session: Session) -> SessionKey {
        let local = self.numbering.local(session.index);
        let key = SessionKey(self.slab.insert(session));
        if let Some(slot) = self.slots.get_mut(local.0) {
            *slot = Slot::of(key);
        }
        key
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Session {
        let session = self.slab.remove(key.0);
        if session.close.is_seen {
            self.closing -= 1;
        }
        if let Some(slot) = self.slots.get_mut(self.numbering.local(session.index).0) {
            *slot = Slot::NONE;
        }
        session
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slab.get(key.0)
    }

    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.slab.contains(key.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Checks whether every session is closing; true if there is none.
    pub(crate) fn is_all_closing(&self) -> bool {
        self.closing == self.slab.len()
    }

    /// Returns the keys of all sessions.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.slab.iter().map(|(key, _)| SessionKey(key)).collect()
    }

    /// Returns the key of a connection if it is open.
    #[inline]
    pub(crate) fn key_of(&self, local: LocalIndex) -> Option<SessionKey> {
        self.slots.get(local.0).copied().and_then(Slot::key)
    }

    /// Returns the local index of every connection that [`key_of`](Self::key_of) knows.
    pub(crate) fn locals(&self) -> impl Iterator<Item = LocalIndex> + use<> {
        (0..self.slots.len()).map(LocalIndex)
    }

    /// Returns how many slots there are for sessions, empty ones included, at least 1.
    pub(crate) fn slots(&self) -> usize {
        self.slab.capacity().max(1)
    }

    /// Returns the session in a slot, if there is one.
    pub(crate) fn in_slot(&self, slot: usize) -> Option<&Session> {
        self.slab.get(slot)
    }
}

impl Index<SessionKey> for Sessions {
    type Output = Session;

    #[inline]
    fn index(&self, key: SessionKey) -> &Session {
        &self.slab[key.0]
    }
}

impl IndexMut<SessionKey> for Sessions {
    #[inline]
    fn index_mut(&mut self, key: SessionKey) -> &mut Session {
        &mut self.slab[key.0]
    }
}
