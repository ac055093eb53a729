//! The streams that the connections of a thread, or of a [`DeflatePool`](super::DeflatePool),
//! share: a connection takes a stream for the duration of a message, and returns it.
//!
//! A stream is large (some 50 KiB to inflate, some 300 KiB to deflate), and most connections are
//! idle most of the time. With context takeover, the next message can continue where the last one
//! ended if the stream is still there and has not been used since; a [`Ticket`] finds it. If not,
//! the window's content brings any stream to the same state, which costs time but no bytes on the
//! wire.
//!
//! Invariant: a stream found by a ticket is in the state in which it was put back under that
//! ticket.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::LocalKey;
use std::thread_local;

/// The most streams of one kind that wait. Bounds a thread's memory to some 3 MiB; each of the last
/// eight connections that compressed finds its stream again.
const STREAMS_MAX: usize = 8;

/// The largest scratch buffer that is kept, in bytes.
const SCRATCH_CAPACITY_MAX: usize = 64 << 10;

/// Unused streams of one kind, the longest unused first.
pub(super) struct Pool<S> {
    waiting: Vec<Waiting<S>>,
    streams_max: usize,
    /// Distinguishes the pool's tickets from those of another pool. Not the thread's id: to ask for
    /// that makes a handle that the main thread never frees, which is reported as a leak in
    /// programs that are not Rust's.
    number: usize,
    tickets: u64,
}

struct Waiting<S> {
    stream: S,
    ticket: Option<Ticket>,
}

/// Finds one stream in one pool, until it is taken for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pool: usize,
    number: u64,
}

/// A stream out of the pool.
pub(super) enum Taken<S> {
    /// The ticket's stream, unchanged.
    Found(S),
    /// Another stream, which must be reset.
    Used(S),
}

/// Whether a stream's state is worth finding again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    State,
    Nothing,
}

impl<S> Pool<S> {
    /// Creates the pool of a thread.
    pub(super) fn new() -> Self {
        Self::of(STREAMS_MAX)
    }

    /// Creates a pool in which at most `streams_max` streams wait.
    pub(super) fn of(streams_max: usize) -> Self {
        static POOLS: AtomicUsize = AtomicUsize::new(0);
        let number = POOLS.fetch_add(1, Ordering::Relaxed);
        Self { waiting: Vec::new(), streams_max, number, tickets: 0 }
    }

    fn take(&mut self, ticket: Option<Ticket>, fits: impl Fn(&S) -> bool) -> Option<Taken<S>> {
        if ticket.is_some()
            && let Some(at) = self.waiting.iter().position(|waiting| waiting.ticket == ticket)
        {
            return Some(Taken::Found(self.waiting.remove(at).stream));
        }
        // A stream without a ticket, or the longest unused one if there are too many to make
        // another.
        let is_free = |waiting: &Waiting<S>| waiting.ticket.is_none() && fits(&waiting.stream);
        let is_full = self.waiting.len() >= self.streams_max;
        let at =
            self.waiting.iter().position(is_free).or_else(|| {
                self.waiting.iter().position(|waiting| is_full && fits(&waiting.stream))
            })?;
        Some(Taken::Used(self.waiting.remove(at).stream))
    }

    fn put(&mut self, stream: S, keep: Keep) -> Option<Ticket> {
        let ticket = (keep == Keep::State).then(|| {
            self.tickets += 1;
            Ticket { pool: self.number, number: self.tickets }
        });
        if self.streams_max == 0 {
            return None;
        }
        if self.waiting.len() >= self.streams_max {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting { stream, ticket });
        ticket
    }
}

/// Where the streams of one direction of a connection come from.
pub(super) enum Streams<S: 'static> {
    /// The pool of the current thread.
    OfThread(&'static LocalKey<RefCell<Pool<S>>>),
    /// A pool shared by connections on several threads.
    Shared(Arc<Mutex<Pool<S>>>),
}

impl<S> Streams<S> {
    /// Takes a stream from the pool; `None` if it has none that fits.
    pub(super) fn take(
        &self,
        ticket: Option<Ticket>,
        fits: impl Fn(&S) -> bool,
    ) -> Option<Taken<S>> {
        match self {
            // While a thread ends, its pool may be gone: streams are then made and dropped.
            Self::OfThread(pool) => {
                pool.try_with(|pool| pool.try_borrow_mut().ok()?.take(ticket, fits)).ok().flatten()
            }
            Self::Shared(pool) => lock(pool).take(ticket, fits),
        }
    }

    /// Gives a stream to the pool; the ticket finds it again if its state was kept.
    pub(super) fn put(&self, stream: S, keep: Keep) -> Option<Ticket> {
        match self {
            Self::OfThread(pool) => {
                pool.try_with(|pool| pool.try_borrow_mut().ok()?.put(stream, keep)).ok().flatten()
            }
            Self::Shared(pool) => lock(pool).put(stream, keep),
        }
    }
}

/// Locks the pool, even if poisoned: it is valid whatever its last user did, since a stream is
/// either in it or not.
fn lock<S>(pool: &Mutex<Pool<S>>) -> MutexGuard<'_, Pool<S>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's scratch buffer, empty.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = SCRATCH.try_with(RefCell::take).unwrap_or_default();
    scratch.clear();
    let result = work(&mut scratch);
    if scratch.capacity() <= SCRATCH_CAPACITY_MAX {
        SCRATCH.try_with(|kept| kept.replace(scratch)).ok();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_finds_its_stream_until_another_has_taken_it() {
        let mut pool = Pool::new();
        let any = |_: &u32| true;
        assert!(pool.take(None, any).is_none());
        let tickets: Vec<_> = (0..8).map(|stream| pool.put(stream, Keep::State)).collect();
        assert!(matches!(pool.take(tickets[3], any), Some(Taken::Found(3))));
        assert!(pool.take(None, any).is_none(), "there is room to make another");
        let third = pool.put(3, Keep::State);
        assert_ne!(third, tickets[3]);
        assert!(matches!(pool.take(tickets[3], any), Some(Taken::Used(0))), "the oldest");
        assert!(pool.put(0, Keep::Nothing).is_none());
        assert!(
            matches!(pool.take(tickets[0], any), Some(Taken::Used(0))),
            "one that is not asked for"
        );
        pool.put(8, Keep::State);
        pool.put(9, Keep::State);
        assert_eq!(pool.waiting.len(), STREAMS_MAX);
        assert!(pool.take(tickets[1], |stream| *stream > 100).is_none(), "the first has gone");
    }

    #[test]
    fn a_ticket_finds_nothing_in_another_pool_of_its_thread() {
        let [mut pool, mut other] = [Pool::new(), Pool::new()];
        let ticket = pool.put(1, Keep::State);
        other.put(2, Keep::State);
        assert!(!matches!(other.take(ticket, |_| true), Some(Taken::Found(_))));
        assert!(matches!(pool.take(ticket, |_| true), Some(Taken::Found(1))));
    }
}
