//! Decides at which rate the next step runs, from the outcomes of those before it.
//!
//! The rate doubles until something doesn't hold, then the gap is halved. A single bad step may be
//! chance: a rate is given up only when two steps at it say so, and the capacity itself has held
//! twice.

use std::collections::BTreeMap;

/// How a step at a rate went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All conditions held.
    Holds,
    /// A condition of the server did not hold.
    Fails,
    /// The client was the limit, so nothing is known of the server.
    Client,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The server: conditions don't hold at the next higher rate.
    Server,
    /// This client: at least the capacity found is there.
    Client,
    /// The range: conditions hold at its end.
    Range,
    /// Conditions don't even hold at the beginning of the range.
    Below,
}

/// A search under way. Rates are in events per 1,000 seconds.
#[derive(Debug)]
pub(super) struct Hunt {
    least: u64,
    most: u64,
    /// How near the capacity and the lowest rate that fails have to be, in percent.
    within: u64,
    told: BTreeMap<u64, [u8; 3]>,
}

impl Hunt {
    pub(super) fn new(least: u64, most: u64, within: u64) -> Self {
        Self { least, most, within, told: BTreeMap::new() }
    }

    /// Notes how a step at `rate` went.
    pub(super) fn tell(&mut self, rate: u64, outcome: Outcome) {
        self.told.entry(rate).or_default()[outcome as usize] += 1;
    }

    /// Returns the rate of the next step, or why the search is over.
    pub(super) fn next(&self) -> Result<u64, Limit> {
        if let Some((rate, _)) = self.told.iter().find(|(_, told)| outcome(**told).is_none()) {
            return Ok(*rate);
        }
        let (low, high) = (self.capacity(), self.high());
        let next = match (low, high) {
            (None, None) => return Ok(self.least),
            (None, Some((_, Outcome::Client))) => return Err(Limit::Client),
            (None, Some(_)) => return Err(Limit::Below),
            (Some(low), None) if low < self.most => return Ok((low * 2).min(self.most)),
            (Some(low), Some((high, _))) => {
                let middle = low + (high - low) / 2;
                let is_near = (high - low) * 100 <= low * self.within || middle == low;
                (!is_near).then_some(middle)
            }
            (Some(_), None) => None,
        };
        if let Some(next) = next {
            return Ok(next);
        }
        match (low, high) {
            (Some(low), _) if self.told[&low][Outcome::Holds as usize] < 2 => Ok(low),
            (_, None) => Err(Limit::Range),
            (_, Some((_, Outcome::Client))) => Err(Limit::Client),
            _ => Err(Limit::Server),
        }
    }

    /// Returns the highest rate at which everything held, below all at which it didn't.
    pub(super) fn capacity(&self) -> Option<u64> {
        let end = self.high().map_or(u64::MAX, |(high, _)| high);
        let holds = |(_, told): &(&u64, &[u8; 3])| outcome(**told) == Some(Outcome::Holds);
        self.told.range(..end).rev().find(holds).map(|(rate, _)| *rate)
    }

    /// Returns the lowest rate at which something didn't hold, and why.
    pub(super) fn high(&self) -> Option<(u64, Outcome)> {
        let mut told = self.told.iter().filter_map(|(rate, told)| Some((*rate, outcome(*told)?)));
        told.find(|(_, outcome)| *outcome != Outcome::Holds)
    }
}

/// Returns what the steps at a rate say together; `None` if another has to tell.
const fn outcome(told: [u8; 3]) -> Option<Outcome> {
    match told {
        [.., client] if client >= 2 => Some(Outcome::Client),
        [_, fails, _] if fails >= 2 => Some(Outcome::Fails),
        [holds, 0, 0] if holds >= 1 => Some(Outcome::Holds),
        [holds, ..] if holds >= 2 => Some(Outcome::Holds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where `outcome` says how the nth step at a rate goes; returns why it ended, the
    /// capacity, and the number of steps.
    fn hunted(
        (least, most, within): (u64, u64, u64),
        outcome: impl Fn(u64, u8) -> Outcome,
    ) -> (Limit, Option<u64>, u32) {
        let mut hunt = Hunt::new(least, most, within);
        for steps in 0..100 {
            let rate = match hunt.next() {
                Ok(rate) => rate,
                Err(limit) => return (limit, hunt.capacity(), steps),
            };
            let before = hunt.told.get(&rate).map_or(0, |told| told.iter().sum());
            hunt.tell(rate, outcome(rate, before));
        }
        panic!("the search goes on and on");
    }

    fn below(limit: u64) -> impl Fn(u64, u8) -> Outcome {
        move |rate, _| if rate <= limit { Outcome::Holds } else { Outcome::Fails }
    }

    #[test]
    fn a_limit_is_found_as_exactly_as_wanted() {
        for limit in [1_000, 1_001, 4_950, 33_333, 99_999] {
            let (why, found, steps) = hunted((1_000, 100_000, 2), below(limit));
            let found = found.unwrap();
            assert_eq!(why, Limit::Server, "{limit}");
            assert!(found <= limit && limit * 100 <= found * 102, "{limit}: {found}");
            assert!(steps < 35, "{steps} steps");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(hunted((10, 100, 2), below(1_000)), (Limit::Range, Some(100), 6));
        assert_eq!(hunted((10, 100, 2), below(9)), (Limit::Below, None, 2));
    }

    #[test]
    fn the_clients_limit_is_never_the_servers() {
        let (why, found, _) =
            hunted(
                (10, 1_000, 2),
                |rate, _| {
                    if rate <= 300 { Outcome::Holds } else { Outcome::Client }
                },
            );
        assert_eq!(why, Limit::Client);
        assert!((294..=300).contains(&found.unwrap()), "{found:?}");
        assert_eq!(hunted((10, 100, 2), |_, _| Outcome::Client), (Limit::Client, None, 2));
    }

    /// One step in three goes wrong by chance, always the first at a rate.
    #[test]
    fn a_single_bad_step_gives_no_rate_up() {
        for chance in [Outcome::Fails, Outcome::Client] {
            let (why, found, _) = hunted((1_000, 100_000, 2), |rate, before| match before {
                0 if rate % 3 == 0 => chance,
                before => below(5_000)(rate, before),
            });
            assert_eq!(why, Limit::Server);
            assert!((4_900..=5_000).contains(&found.unwrap()), "{found:?}");
        }
    }

    /// A step above the limit that holds by chance doesn't become the capacity.
    #[test]
    fn a_single_good_step_is_not_enough() {
        let (why, found, _) = hunted((1_000, 100_000, 2), |rate, before| match before {
            0 if rate == 8_000 => Outcome::Holds,
            before => below(5_000)(rate, before),
        });
        assert_eq!(why, Limit::Server);
        assert!((4_900..=5_000).contains(&found.unwrap()), "{found:?}");
    }
}
