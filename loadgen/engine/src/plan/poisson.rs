//! Independent arrivals: a Poisson process for each connection, which add up to one.
//!
//! The gaps of a connection follow from seed, connection and sequence only, so any split of a run
//! has the same arrivals. A heap finds the next connection: 32 bytes a connection.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::Send;
use crate::config::RateProfile;
use crate::index::ConnectionIndex;
use crate::random::{self, Use};

/// Most messages that are counted one by one; beyond, the expected number is used.
const COUNTED_MAX: usize = 1 << 20;

/// The messages of some connections, in the order in which they are due.
#[derive(Clone, Debug)]
pub(super) struct Independent {
    heap: BinaryHeap<Reverse<Next>>,
    profile: RateProfile,
    connections: u64,
    number: Option<u64>,
    seed: u64,
}

/// The next message of a connection.
#[derive(Clone, Copy, Debug)]
struct Next {
    send: Send,
    /// When it is due, in events of all connections together.
    events: f64,
}

impl Independent {
    /// Returns the messages of the connections `own`. `number` is of all connections together.
    pub(super) fn new(
        profile: RateProfile,
        connections: u64,
        number: Option<u64>,
        seed: u64,
        own: impl Iterator<Item = ConnectionIndex>,
    ) -> Self {
        let heap = BinaryHeap::new();
        let mut independent = Self { heap, profile, connections, number, seed };
        let first = own.filter(|&connection| independent.share(connection) > 0);
        let first = first.map(|connection| Reverse(independent.next_of(connection, 0, 0.0)));
        independent.heap = first.collect();
        independent
    }

    /// Returns how many remaining messages are due before `ns`.
    pub(super) fn left_before(&self, ns: u64) -> u64 {
        let mut rest = self.clone();
        let counted = rest.by_ref().take(COUNTED_MAX).take_while(|send| send.due_ns < ns).count();
        if counted < COUNTED_MAX || self.number.is_some() {
            return counted as u64;
        }
        counted as u64 + rest.expected_before(ns)
    }

    /// The number that the rate gives.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "not negative, and an estimate"
    )]
    fn expected_before(&self, ns: u64) -> u64 {
        let end = self.profile.events_before(ns);
        let left: f64 = self.heap.iter().map(|next| (end - next.0.events).max(0.0)).sum();
        (left / self.connections as f64) as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "at most a million connections")]
    fn next_of(&self, connection: ConnectionIndex, sequence: u64, events: f64) -> Next {
        let number = random::number(self.seed, Use::Arrival, connection, sequence);
        let events = events + random::exponential(number) * self.connections as f64;
        let due_ns = self.profile.due_ns(events);
        Next { send: Send { due_ns, connection, sequence }, events }
    }

    fn share(&self, connection: ConnectionIndex) -> u64 {
        super::share(self.number, self.connections, connection)
    }
}

impl Iterator for Independent {
    type Item = Send;

    fn next(&mut self) -> Option<Send> {
        let Reverse(Next { send, events }) = *self.heap.peek()?;
        let sequence = send.sequence + 1;
        let is_last = sequence >= self.share(send.connection);
        let following = (!is_last).then(|| self.next_of(send.connection, sequence, events));
        if let Some(mut top) = self.heap.peek_mut() {
            match following {
                Some(next) => *top = Reverse(next),
                None => drop(PeekMut::pop(top)),
            }
        }
        Some(send)
    }
}

impl Next {
    /// Orders connections that are due at once, too.
    const fn key(&self) -> (u64, ConnectionIndex) {
        (self.send.due_ns, self.send.connection)
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;

    const S: u64 = 1_000_000_000;

    fn all(per_s: u64, connections: u64, number: Option<u64>) -> Independent {
        let profile = RateProfile::Constant(Rate::new(per_s * 1_000).unwrap());
        Independent::new(profile, connections, number, 7, (0..connections).map(ConnectionIndex))
    }

    #[test]
    fn together_they_are_a_poisson_process_of_the_rate() {
        let due: Vec<_> =
            all(1_000, 20, None).map(|send| send.due_ns).take_while(|&ns| ns < 100 * S).collect();
        assert!(due.is_sorted());
        // 100,000 are expected, with a deviation of 316.
        assert!((98_400..101_600).contains(&due.len()), "{}", due.len());
        // A Poisson process has a variance equal to its mean in each second; even arrivals have
        // none.
        let mut seconds = [0_f64; 100];
        for ns in due {
            seconds[usize::try_from(ns / S).unwrap()] += 1.0;
        }
        let mean = seconds.iter().sum::<f64>() / 100.0;
        let variance = seconds.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 99.0;
        assert!((0.5..1.7).contains(&(variance / mean)), "{variance} {mean}");
    }

    #[test]
    fn a_number_is_shared_and_exact() {
        let mut sent = [0; 7];
        for send in all(1_000, 7, Some(24)) {
            assert_eq!(send.sequence, sent[usize::try_from(send.connection.0).unwrap()]);
            sent[usize::try_from(send.connection.0).unwrap()] += 1;
        }
        assert_eq!(sent, [4, 4, 4, 3, 3, 3, 3]);
        assert_eq!(all(1_000, 7, Some(3)).count(), 3);
    }

    #[test]
    fn what_is_left_is_counted_or_expected() {
        let mut sends = all(1_000_000, 3, None);
        let counted = sends.left_before(S / 2);
        assert_eq!(counted, sends.clone().take_while(|send| send.due_ns < S / 2).count() as u64);
        let expected = sends.left_before(4 * S);
        assert!(expected.abs_diff(4_000_000) < 12_000, "{expected}");
        sends.nth(999_999);
        let less = sends.left_before(4 * S);
        assert!((expected - less).abs_diff(1_000_000) < 12_000, "{less}");
    }
}
