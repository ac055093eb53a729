//! The pauses before a lost connection is opened again.
//!
//! Full jitter: a pause is drawn evenly between zero and a bound that grows. Connections lost at
//! the same time return spread over the whole bound, not together at its end.

use std::time::Duration;

use super::{TIMEOUT_MAX, bounded};
use crate::cli::ReconnectAsked;
use crate::clock::nanos;
use crate::index::ConnectionIndex;
use crate::random::{self, Use};

const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Doublings after which every bound has reached its maximum.
const DOUBLINGS_MAX: u32 = 40;

/// Bounds of the pauses before a lost connection is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// Bound of the first pause, at least 1 ms.
    pub first: Duration,
    /// Bound of every pause, at least that of the first.
    pub most: Duration,
}

impl Reconnect {
    /// Checks the bounds that were asked for.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(asked: ReconnectAsked) -> Result<Self, String> {
        let pause = |name: &str, pause| bounded(name, pause, PAUSE_MIN, TIMEOUT_MAX);
        Ok(Self {
            first: pause("the first pause of --reconnect", asked.first)?,
            most: pause("the longest pause of --reconnect", asked.most)?,
        })
    }

    /// Returns the pause before the `attempt`th attempt of a connection, in nanoseconds. The last
    /// `doublings` attempts failed, or their connections did not last.
    #[must_use]
    pub fn pause_ns(
        self,
        seed: u64,
        connection: ConnectionIndex,
        attempt: u64,
        doublings: u32,
    ) -> u64 {
        let factor = 1_u64 << doublings.min(DOUBLINGS_MAX);
        let bound_ns = nanos(self.first).saturating_mul(factor).min(nanos(self.most));
        let number = random::number(seed, Use::Reconnect, connection, attempt);
        random::below(number, bound_ns.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect(text: &str) -> Result<Reconnect, String> {
        Reconnect::new(ReconnectAsked::parse(text)?)
    }

    #[test]
    fn pauses_have_bounds() {
        let asked = reconnect(ReconnectAsked::DEFAULT).unwrap();
        assert_eq!((asked.first.as_millis(), asked.most.as_millis()), (100, 10_000));
        assert!(reconnect("1s..1s").is_ok());
        for (text, why) in [
            ("0s..1s", "the first pause of --reconnect 0s is out of range; use 1ms to"),
            ("1s..2h", "the longest pause of --reconnect 2h is out of range"),
        ] {
            let said = reconnect(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn pauses_are_spread_over_a_bound_that_doubles_and_stops() {
        let asked = reconnect("100ms..1s").unwrap();
        for (doublings, bound_ms) in
            [(0, 100_u64), (1, 200), (2, 400), (3, 800), (4, 1_000), (41, 1_000), (u32::MAX, 1_000)]
        {
            let pauses: Vec<_> = (0..1_000_u64)
                .map(|connection| asked.pause_ns(7, ConnectionIndex(connection), 3, doublings))
                .collect();
            let bound_ns = bound_ms * 1_000_000;
            assert!(pauses.iter().all(|&ns| ns <= bound_ns), "{doublings}");
            // Ten parts of the time have about a hundred each: six standard deviations.
            for part in 0..10 {
                let range = bound_ns / 10 * part..bound_ns / 10 * (part + 1);
                let count = pauses.iter().filter(|&ns| range.contains(ns)).count();
                assert!((43..=157).contains(&count), "{doublings} {part}: {count}");
            }
        }
    }

    #[test]
    fn a_pause_is_that_of_its_connection_and_attempt() {
        let asked = reconnect("100ms..1s").unwrap();
        let pause = |seed, connection, attempt| {
            asked.pause_ns(seed, ConnectionIndex(connection), attempt, 0)
        };
        assert_eq!(pause(1, 2, 3), pause(1, 2, 3));
        let mut seen: Vec<_> =
            [pause(1, 2, 3), pause(2, 2, 3), pause(1, 3, 3), pause(1, 2, 4)].into();
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
    }
}
