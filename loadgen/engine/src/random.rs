//! Turns seed, connection and sequence into numbers that look random: pure, so any split of a run
//! has the same numbers.
//!
//! Nothing is drawn from a stream, whose state would depend on earlier draws. Each number is the
//! hash of its place, by the finalizer of `SplitMix64`, and never changes.

use crate::index::ConnectionIndex;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a number is for: numbers for different uses are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The size of a payload.
    Size,
    /// When a message is due.
    Arrival,
    /// When a connection starts.
    ConnectionArrival,
    /// The pause before a lost connection is reopened.
    Reconnect,
    /// A placeholder of a template, by its place in the template.
    Part(u32),
}

impl Use {
    const fn lane(self) -> u64 {
        match self {
            Self::Size => 1,
            Self::Arrival => 2,
            Self::ConnectionArrival => 3,
            Self::Reconnect => 4,
            Self::Part(place) => 1 << 32 | place as u64,
        }
    }
}

/// Returns the number for a message of a connection.
#[must_use]
#[inline]
pub const fn number(seed: u64, what: Use, connection: ConnectionIndex, sequence: u64) -> u64 {
    let lane = mix(seed.wrapping_add(what.lane().wrapping_mul(GOLDEN)));
    let connection = mix(lane.wrapping_add(connection.0.wrapping_mul(GOLDEN)));
    mix(connection.wrapping_add(sequence.wrapping_mul(GOLDEN)))
}

/// Returns the `n`th number after `number`.
#[must_use]
#[inline]
pub const fn after(number: u64, n: u64) -> u64 {
    mix(number.wrapping_add(n.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Returns an integer below `bound`, uniform to within 2^-64 of `bound`; 0 if `bound` is 0.
#[must_use]
#[inline]
pub const fn below(number: u64, bound: u64) -> u64 {
    ((number as u128 * bound as u128) >> 64) as u64
}

/// Returns a gap of a Poisson process whose mean gap is 1, from 0 to 37.
#[must_use]
#[inline]
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub fn exponential(number: u64) -> f64 {
    // From 2^-53 to 1: never 0, which has no logarithm.
    let uniform = ((number >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln()
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_for_ever() {
        assert_eq!(number(42, Use::Size, ConnectionIndex(3), 255), 9_904_162_271_857_230_798);
        assert_eq!(after(7, 0), 7_191_089_600_892_374_487);
    }

    #[test]
    fn places_uses_and_seeds_are_told_apart() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..4 {
            for what in
                [Use::Size, Use::Arrival, Use::ConnectionArrival, Use::Reconnect, Use::Part(0)]
            {
                for place in 0..1_000 {
                    assert!(seen.insert(number(
                        seed,
                        what,
                        ConnectionIndex(place / 30),
                        place % 30
                    )));
                }
            }
        }
    }

    #[test]
    fn below_is_uniform_and_stays_below() {
        let mut counts = [0_u32; 10];
        for n in 0..100_000 {
            let drawn = below(number(1, Use::Size, ConnectionIndex(0), n), 10);
            counts[usize::try_from(drawn).unwrap()] += 1;
        }
        // Six standard deviations of a share of a tenth.
        assert!(counts.iter().all(|&count| (9_430..10_570).contains(&count)), "{counts:?}");
        assert_eq!((below(u64::MAX, 0), below(u64::MAX, 1)), (0, 0));
        assert_eq!(below(u64::MAX, u64::MAX), u64::MAX - 1);
    }

    #[test]
    fn gaps_have_the_mean_and_the_spread_of_a_poisson_process() {
        let gaps: Vec<_> = (0..100_000)
            .map(|n| exponential(number(1, Use::Arrival, ConnectionIndex(5), n)))
            .collect();
        let mean = gaps.iter().sum::<f64>() / 1e5;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert!(exponential(0) < 37.0 && exponential(u64::MAX) == 0.0);
    }
}
