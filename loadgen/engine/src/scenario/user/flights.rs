//! Requests of one user that are in flight at once, each an iteration of its own, found by their
//! names in whatever order their replies come.
//!
//! Bounded by the scenario's `overlap`, for which the room is taken once: nothing is allocated for
//! a request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::super::{Program, Step};
use super::event::Event;

/// A time that has not come.
const NEVER: u64 = u64::MAX;

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// Where its exchange is in the program.
    pub(super) block: u32,
    pub(super) step: u32,
    /// When its iteration was due, under open loop.
    pub(super) due_ns: Option<u64>,
    /// When its iteration began.
    pub(super) begun_ns: u64,
    /// When its message was written; `None` if it hasn't been yet.
    pub(super) written_ns: Option<u64>,
    /// When it times out.
    pub(super) until_ns: u64,
}

impl Flight {
    /// Returns its step.
    pub(super) fn step_in(self, program: &Program) -> &Step {
        &program.blocks[self.block as usize].steps[self.step as usize]
    }

    /// Returns the end of its iteration.
    pub(super) const fn over(self, is_complete: bool) -> Event<'static> {
        let Self { due_ns, written_ns, begun_ns, .. } = self;
        Event::Iterated { due_ns, first_ns: written_ns, begun_ns, is_complete }
    }
}

/// The requests in flight of one user.
#[derive(Debug)]
pub(super) struct Flights {
    max: usize,
    by_key: HashMap<u64, Flight, BuildHasherDefault<KeyHasher>>,
    /// The request whose message is about to be written.
    fresh: Option<u64>,
    /// No request times out earlier. Answers don't make it later, so it costs them nothing; the
    /// next look does.
    until_ns: u64,
}

impl Flights {
    /// Returns room for at most `max` requests.
    pub(super) fn new(max: usize) -> Self {
        // Twice as much, so that the map makes room by tidying up and not by growing.
        let by_key = HashMap::with_capacity_and_hasher(2 * max, BuildHasherDefault::default());
        Self { max, by_key, fresh: None, until_ns: NEVER }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.by_key.len() < self.max
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Adds a request whose name is not in flight.
    pub(super) fn add(&mut self, key: u64, flight: Flight) {
        self.until_ns = self.until_ns.min(flight.until_ns);
        self.fresh = Some(key);
        self.by_key.insert(key, flight);
    }

    /// Notes that the last message is about to be written: its time counts from now.
    pub(super) fn writing(&mut self, now_ns: u64) {
        let flight = self.fresh.take().and_then(|key| self.by_key.get_mut(&key));
        if let Some(flight) = flight {
            flight.written_ns = Some(now_ns);
            flight.until_ns += now_ns.saturating_sub(flight.begun_ns);
        }
    }

    /// Takes the request with a name out.
    pub(super) fn take(&mut self, key: u64) -> Option<Flight> {
        self.by_key.remove(&key)
    }

    /// Returns when to look for requests that have timed out, at the latest.
    pub(super) const fn until_ns(&self) -> u64 {
        self.until_ns
    }

    /// Takes out a request that has timed out by now.
    pub(super) fn take_overdue(&mut self, now_ns: u64) -> Option<(u64, Flight)> {
        if self.until_ns > now_ns {
            return None;
        }
        let found = self.by_key.iter().find(|(_, flight)| flight.until_ns <= now_ns);
        if let Some((&key, &flight)) = found {
            self.by_key.remove(&key);
            return Some((key, flight));
        }
        self.until_ns = self.by_key.values().map(|flight| flight.until_ns).min().unwrap_or(NEVER);
        None
    }

    /// Takes out any request.
    pub(super) fn take_any(&mut self) -> Option<Flight> {
        let key = *self.by_key.keys().next()?;
        self.by_key.remove(&key)
    }
}

/// Spreads numbers that follow each other over a table. Names come from this side, so no server can
/// choose them to collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (self.0 ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(begun_ns: u64, until_ns: u64) -> Flight {
        Flight { block: 2, step: 0, due_ns: None, begun_ns, written_ns: None, until_ns }
    }

    #[test]
    fn requests_are_taken_in_any_order() {
        let mut flights = Flights::new(3);
        for key in [7, 8, 9] {
            assert!(flights.has_room());
            flights.add(key, flight(key, 100 + key));
            flights.writing(key + 2);
        }
        assert!(!flights.has_room() && flights.contains(8));
        assert_eq!(flights.take(9).unwrap().written_ns, Some(11));
        assert_eq!(flights.take(7).unwrap().until_ns, 109, "the time counts from the write");
        assert!(flights.take(7).is_none() && flights.len() == 1);
        assert!(flights.take_any().is_some() && flights.take_any().is_none());
    }

    #[test]
    fn what_is_overdue_is_found_when_it_is_looked_for() {
        let mut flights = Flights::new(4);
        for (key, until_ns) in [(1, 50), (2, 20), (3, 30), (4, 20)] {
            flights.add(key, flight(0, until_ns));
        }
        assert_eq!(flights.until_ns(), 20);
        assert!(flights.take_overdue(19).is_none());
        let mut found: Vec<_> = std::iter::from_fn(|| flights.take_overdue(20)).collect();
        found.sort_by_key(|(key, _)| *key);
        assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(flights.until_ns(), 30);
        flights.take(3);
        assert!(flights.take_overdue(30).is_none());
        assert_eq!(flights.until_ns(), 50);
    }

    #[test]
    fn a_full_table_never_grows() {
        let mut flights = Flights::new(64);
        let capacity = flights.by_key.capacity();
        for key in 0..100_000_u64 {
            flights.add(key, flight(0, NEVER));
            // All but one of 63 leave in another order than they came.
            if key >= 63 {
                let gone = if key % 63 == 0 { flights.take_any() } else { None };
                if gone.is_none() && flights.take(key - 63 + key % 2).is_none() {
                    flights.take_any();
                }
            }
            assert!(flights.len() <= 64);
        }
        // What was removed counts against it until the map tidies up.
        assert!(flights.by_key.capacity() <= capacity);
    }
}
