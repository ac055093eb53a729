//! Durations to an HDR histogram with the same bounds everywhere, so that any two can be added slot
//! by slot.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializeError, V2DeflateSerializer};

/// The shortest duration that is told from 0, in nanoseconds.
pub const LOWEST_NS: u64 = 1;
/// The longest duration that has a slot: ten minutes, in nanoseconds.
pub const HIGHEST_NS: u64 = 600_000_000_000;
/// Decimal digits that survive.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// How often each duration occurred, to three significant digits.
///
/// A quarter of a megabyte: made for a thread and a metric, never for a connection. What is outside
/// of the bounds is counted beside it and is in no percentile.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    below: u64,
    above: u64,
}

impl Distribution {
    /// Nothing recorded yet.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram allows, which a test shows.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS);
        Self { histogram: histogram.expect("constant bounds are valid"), below: 0, above: 0 }
    }

    /// Counts a duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        if ns < LOWEST_NS {
            self.below += 1;
        } else if ns > HIGHEST_NS {
            self.above += 1;
        } else {
            self.histogram.saturating_record(ns); // in bounds: it never saturates
        }
    }

    /// Adds what `other` has counted.
    pub fn add(&mut self, other: &Self) {
        // The bounds are the same, so there is nothing that could be refused.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok(), "same bounds");
        self.below += other.below;
        self.above += other.above;
    }

    /// Durations in the histogram, without those out of bounds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Durations that were shorter than a nanosecond.
    #[must_use]
    pub const fn below(&self) -> u64 {
        self.below
    }

    /// Durations that were longer than ten minutes.
    #[must_use]
    pub const fn above(&self) -> u64 {
        self.above
    }

    /// The duration that `percentile` of 100 are not above, in nanoseconds; `None` if there is
    /// none.
    #[must_use]
    pub fn percentile(&self, percentile: f64) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.value_at_percentile(percentile))
    }

    /// The shortest, in nanoseconds.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.min())
    }

    /// The longest, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.max())
    }

    /// The mean, in nanoseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6 * 10^11")]
    pub fn mean(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.mean().round() as u64)
    }

    /// The standard deviation, in nanoseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6 * 10^11")]
    pub fn deviation(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.stdev().round() as u64)
    }

    /// All of it in the HdrHistogram V2 format, deflated; what `hlog` files have in base64.
    ///
    /// # Errors
    /// What the serializer says; writing to memory doesn't fail.
    pub fn to_v2_deflate(&self) -> Result<Vec<u8>, V2DeflateSerializeError> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes)?;
        Ok(bytes)
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d26_what_is_out_of_bounds_is_counted_apart() {
        let mut distribution = Distribution::new();
        for ns in [0, 1, 1_000, HIGHEST_NS, HIGHEST_NS + 1, 10 * HIGHEST_NS, u64::MAX] {
            distribution.record(ns);
        }
        assert_eq!((distribution.below(), distribution.count()), (1, 3));
        assert_eq!(distribution.above(), 3);
        assert_eq!(distribution.min(), Some(1));
        let max = distribution.max().unwrap();
        assert!((HIGHEST_NS..HIGHEST_NS + HIGHEST_NS / 1_000).contains(&max), "{max}");
    }

    #[test]
    fn nothing_has_no_percentile() {
        let distribution = Distribution::new();
        assert_eq!(distribution.percentile(50.0), None);
        assert_eq!(distribution.max(), None);
    }

    #[test]
    fn percentiles_have_three_digits() {
        let mut distribution = Distribution::new();
        for us in 1..=1_000 {
            distribution.record(us * 1_000);
        }
        let p99 = distribution.percentile(99.0).unwrap();
        assert!((990_000..991_000).contains(&p99), "{p99}");
        assert_eq!(distribution.mean().unwrap() / 1_000, 500);
    }

    #[test]
    fn parts_added_are_the_whole() {
        let (mut whole, mut parts) =
            (Distribution::new(), [Distribution::new(), Distribution::new()]);
        for ns in (0..200_000).map(|n| n * 7_919) {
            whole.record(ns);
            parts[usize::from(ns % 3 == 0)].record(ns);
        }
        let [mut sum, other] = parts;
        sum.add(&other);
        assert_eq!(sum.to_v2_deflate().unwrap(), whole.to_v2_deflate().unwrap());
        assert_eq!(sum.below(), whole.below());
    }
}
