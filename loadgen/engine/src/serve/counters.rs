//! Counts what happens on each thread; any thread may read the totals while the server runs.
//!
//! Each thread writes its own [`Counters`] with plain stores: no locked instruction and nothing
//! shared while messages flow. Names and codes, counted once per connection, are behind a mutex
//! that only readers contend for.
//!
//! Invariant: once the server has ended, every accepted connection is in `rejected` or in `closes`,
//! once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning thread may call this: it is a load and a store.
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    fn load(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counts by name.
#[derive(Debug)]
pub(super) struct Tally<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Copy> Tally<K> {
    pub(super) fn add(&self, key: K) {
        *self.lock().entry(key).or_default() += 1;
    }

    fn add_to(&self, totals: &mut BTreeMap<K, u64>) {
        for (&key, &count) in self.lock().iter() {
            *totals.entry(key).or_default() += count;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, u64>> {
        // A count is consistent whenever the lock is free, even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one thread has counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: Counter,
    pub(super) http2_connections: Counter,
    pub(super) established: Counter,
    pub(super) deflated: Counter,
    pub(super) ended: Counter,
    pub(super) messages_received: Counter,
    pub(super) messages_sent: Counter,
    pub(super) messages_skipped: Counter,
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(super) rejected: Tally<&'static str>,
    pub(super) protocol_errors: Tally<&'static str>,
    pub(super) closes: Tally<u16>,
    pub(super) accept_errors: Tally<&'static str>,
}

impl Counters {
    /// Counts a connection that was accepted and ended before it had a session.
    pub(super) fn refused(&self, reason: &'static str) {
        self.accepted.add(1);
        self.rejected.add(reason);
        self.ended.add(1);
    }
}

/// The sums over all threads at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections that were accepted; over HTTP/2, streams that ask for a WebSocket.
    pub accepted: u64,
    /// Connections of HTTP/2, which carry those streams.
    pub http2_connections: u64,
    /// Connections whose opening handshake succeeded.
    pub established: u64,
    /// Of those, the connections that agreed on permessage-deflate.
    pub deflated: u64,
    /// Connections that are open now, including those in their handshakes.
    pub open: u64,
    /// Whole data messages received.
    pub messages_received: u64,
    /// Data messages sent.
    pub messages_sent: u64,
    /// Messages that were not sent: because a client didn't read (`--slow skip`), or because the
    /// server was more than a second behind schedule (`push`).
    pub messages_skipped: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes that sockets took.
    pub bytes_sent: u64,
    /// Connections that ended before they were established, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Connections that failed because the client broke the protocol or a limit, by
    /// [`ProtocolError::name`](wscodec::ProtocolError::name).
    pub protocol_errors: BTreeMap<&'static str, u64>,
    /// Established connections that have ended, by the close code that came first from either side;
    /// 1005 is a Close without a code, 1006 an end without Close.
    pub closes: BTreeMap<u16, u64>,
    /// Failures of accept itself, by reason; they produced no connection.
    pub accept_errors: BTreeMap<&'static str, u64>,
}

impl Totals {
    pub(super) fn sum<'a>(threads: impl IntoIterator<Item = &'a Counters>) -> Self {
        let mut totals = Self::default();
        for counters in threads {
            // Read `ended` before `accepted`, or a connection that ends meanwhile would make `open`
            // negative.
            let ended = counters.ended.load();
            let accepted = counters.accepted.load();
            totals.accepted += accepted;
            totals.http2_connections += counters.http2_connections.load();
            totals.open += accepted.saturating_sub(ended);
            totals.established += counters.established.load();
            totals.deflated += counters.deflated.load();
            totals.messages_received += counters.messages_received.load();
            totals.messages_sent += counters.messages_sent.load();
            totals.messages_skipped += counters.messages_skipped.load();
            totals.bytes_received += counters.bytes_received.load();
            totals.bytes_sent += counters.bytes_sent.load();
            counters.rejected.add_to(&mut totals.rejected);
            counters.protocol_errors.add_to(&mut totals.protocol_errors);
            counters.closes.add_to(&mut totals.closes);
            counters.accept_errors.add_to(&mut totals.accept_errors);
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_the_threads() {
        let (one, two) = (Counters::default(), Counters::default());
        one.accepted.add(3);
        one.ended.add(1);
        one.closes.add(1000);
        two.accepted.add(2);
        two.closes.add(1000);
        two.closes.add(1006);
        two.rejected.add("timeout");
        let totals = Totals::sum([&one, &two]);
        assert_eq!((totals.accepted, totals.open), (5, 4));
        assert_eq!(totals.closes, BTreeMap::from([(1000, 2), (1006, 1)]));
        assert_eq!(totals.rejected, BTreeMap::from([("timeout", 1)]));
    }
}
