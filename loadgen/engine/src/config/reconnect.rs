//! The pauses before a lost connection is opened again, and connections that are cut on purpose.
//!
//! Full jitter, unless another is asked for: a pause is drawn evenly between zero and a bound that
//! grows. Connections lost at the same time return spread over the whole bound, not together at its
//! end.

use std::time::Duration;

use super::{Config, TIMEOUT_MAX, bounded};
use crate::cli::{Jitter, ReconnectArgs, ReconnectAsked, SHARE_ALL, StormAsked};
use crate::clock::nanos;
use crate::index::ConnectionIndex;
use crate::random::{self, Use};
use crate::units;

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
    /// How a pause is drawn.
    pub jitter: Jitter,
}

/// Connections that are cut at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// How many of all connections, in thousandths of a percent; from 1 to [`SHARE_ALL`].
    pub share: u64,
    /// When, after the begin of the measured time.
    pub at: Duration,
}

impl Storm {
    /// Checks whether a connection is cut: of any number of them, the share, spread evenly.
    #[must_use]
    pub fn cuts(self, connection: ConnectionIndex) -> bool {
        let before = |number: u64| u128::from(number) * u128::from(self.share) / SHARE_OF;
        before(connection.0) < before(connection.0.saturating_add(1))
    }
}

/// [`SHARE_ALL`], as wide as the product of a share and a number of connections.
const SHARE_OF: u128 = SHARE_ALL as u128;

impl Config {
    /// Takes over how lost connections are opened again, and which are cut.
    pub(super) fn set_reconnect(&mut self, args: &ReconnectArgs) -> Result<(), String> {
        let asked = match (args.reconnect, args.storm) {
            (None, Some(_)) => Some(ReconnectAsked::parse(ReconnectAsked::DEFAULT)?),
            (asked, _) => asked,
        };
        if asked.is_none() && args.jitter.is_some() {
            return Err("--jitter is for connections that are opened again; add --reconnect".into());
        }
        let jitter = args.jitter.unwrap_or_default();
        self.reconnect = asked.map(|asked| Reconnect::new(asked, jitter)).transpose()?;
        self.storm = args.storm.map(|asked| self.checked_storm(asked)).transpose()?;
        Ok(())
    }

    fn checked_storm(&self, StormAsked { share, at }: StormAsked) -> Result<Storm, String> {
        if at >= self.duration {
            let [at, end] = [at, self.duration].map(|time| units::duration(nanos(time)));
            return Err(format!(
                "--storm at {at} is not within the measured time of {end}; use an earlier moment or \
                 a longer -d"
            ));
        }
        Ok(Storm { share, at })
    }
}

impl Reconnect {
    /// Checks the bounds that were asked for.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(asked: ReconnectAsked, jitter: Jitter) -> Result<Self, String> {
        let pause = |name: &str, pause| bounded(name, pause, PAUSE_MIN, TIMEOUT_MAX);
        Ok(Self {
            first: pause("the first pause of --reconnect", asked.first)?,
            most: pause("the longest pause of --reconnect", asked.most)?,
            jitter,
        })
    }

    /// Returns the pause before the `attempt`th attempt of a connection, in nanoseconds. The last
    /// `doublings` attempts failed, or their connections did not last; the pause before the last of
    /// them was `before_ns`.
    #[must_use]
    pub fn pause_ns(
        self,
        seed: u64,
        connection: ConnectionIndex,
        attempt: u64,
        doublings: u32,
        before_ns: u64,
    ) -> u64 {
        let (first_ns, most_ns) = (nanos(self.first), nanos(self.most));
        let factor = 1_u64 << doublings.min(DOUBLINGS_MAX);
        let bound_ns = first_ns.saturating_mul(factor).min(most_ns);
        let number = random::number(seed, Use::Reconnect, connection, attempt);
        match self.jitter {
            Jitter::None => bound_ns,
            Jitter::Full => random::below(number, bound_ns.saturating_add(1)),
            Jitter::Decorrelated => {
                let before_ns = if doublings == 0 { first_ns } else { before_ns.max(first_ns) };
                let room_ns = before_ns.saturating_mul(3).min(most_ns).saturating_sub(first_ns);
                first_ns + random::below(number, room_ns.saturating_add(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect(text: &str) -> Result<Reconnect, String> {
        Reconnect::new(ReconnectAsked::parse(text)?, Jitter::Full)
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
                .map(|connection| asked.pause_ns(7, ConnectionIndex(connection), 3, doublings, 0))
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
    fn jitter_is_what_was_asked_for() {
        let asked = ReconnectAsked::parse("100ms..1s").unwrap();
        let [none, decorrelated] = [Jitter::None, Jitter::Decorrelated]
            .map(|jitter| Reconnect::new(asked, jitter).unwrap());
        for (doublings, pause_ms) in [(0, 100), (1, 200), (3, 800), (4, 1_000), (9, 1_000)] {
            let pause_ns = none.pause_ns(7, ConnectionIndex(5), 3, doublings, 0);
            assert_eq!(pause_ns, pause_ms * 1_000_000);
        }
        let range = |doublings, before_ms: u64| {
            let pauses = (0..1_000).map(|connection| {
                let before_ns = before_ms * 1_000_000;
                decorrelated.pause_ns(7, ConnectionIndex(connection), 3, doublings, before_ns)
            });
            let (low, high) = (pauses.clone().min().unwrap(), pauses.max().unwrap());
            (low / 10_000_000, high.div_ceil(10_000_000))
        };
        // In hundredths of a second: from the first bound to three times the pause before.
        assert_eq!(range(0, 700), (10, 30));
        assert_eq!(range(1, 200), (10, 60));
        assert_eq!(range(2, 700), (10, 100));
    }

    #[test]
    fn a_storm_cuts_its_share_spread_evenly() {
        for (share, all, cut) in
            [(50_000, 1_000, 500), (100_000, 7, 7), (1, 100_000, 1), (33_333, 100_000, 33_333)]
        {
            let storm = Storm { share, at: Duration::ZERO };
            let hit = (0..all).filter(|&index| storm.cuts(ConnectionIndex(index)));
            let hit: Vec<_> = hit.collect();
            assert_eq!(hit.len(), cut, "{share} of {all}");
            let first_half = hit.iter().filter(|&&index| index < all / 2).count();
            assert!(first_half.abs_diff(cut / 2) <= 1, "{share}: {first_half} of {cut}");
        }
    }

    #[test]
    fn a_pause_is_that_of_its_connection_and_attempt() {
        let asked = reconnect("100ms..1s").unwrap();
        let pause = |seed, connection, attempt| {
            asked.pause_ns(seed, ConnectionIndex(connection), attempt, 0, 0)
        };
        assert_eq!(pause(1, 2, 3), pause(1, 2, 3));
        let mut seen: Vec<_> =
            [pause(1, 2, 3), pause(2, 2, 3), pause(1, 3, 3), pause(1, 2, 4)].into();
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
    }
}
