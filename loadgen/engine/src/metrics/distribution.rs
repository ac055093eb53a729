//! Turns durations into an HDR histogram with the same bounds everywhere, so that any two can be
//! added slot by slot.

use std::io::Read;

use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer, Serializer, V2DeflateSerializeError, V2DeflateSerializer,
};

/// The shortest duration that differs from 0, in nanoseconds.
pub const LOWEST_NS: u64 = 1;
/// The longest duration that has a slot: ten minutes, in nanoseconds.
pub const HIGHEST_NS: u64 = 600_000_000_000;
/// Decimal digits that are kept.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Most bytes of a histogram before it is deflated: it has 31,744 slots of at most 9 bytes each.
/// Without this limit, a file could fill its reader's memory.
const ENCODED_LEN_MAX: u64 = 1 << 19;
/// Bytes before the slots: cookie, length, offset, digits, lowest, highest, ratio.
const HEAD_LEN: usize = 40;

/// How often each duration occurred, to three significant digits.
///
/// Takes a quarter of a megabyte: use one for a thread and a metric, never for a connection.
/// Durations out of bounds are counted separately and are in no percentile.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    below: u64,
    above: u64,
}

impl Distribution {
    /// Returns an empty distribution.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram allows, which a test shows.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS);
        Self { histogram: histogram.expect("constant bounds are valid"), below: 0, above: 0 }
    }

    /// Records a duration.
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

    /// Records a duration `count` times.
    pub fn record_n(&mut self, ns: u64, count: u64) {
        if ns < LOWEST_NS {
            self.below = self.below.saturating_add(count);
        } else if ns > HIGHEST_NS {
            self.above = self.above.saturating_add(count);
        } else {
            self.histogram.saturating_record_n(ns, count);
        }
    }

    /// Adds the durations of `other`.
    pub fn add(&mut self, other: &Self) {
        // The bounds are the same, so this can't fail.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok(), "same bounds");
        self.below = self.below.saturating_add(other.below);
        self.above = self.above.saturating_add(other.above);
    }

    /// Returns the number of durations in the histogram, without those out of bounds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Returns the number of durations shorter than a nanosecond.
    #[must_use]
    pub const fn below(&self) -> u64 {
        self.below
    }

    /// Returns the number of durations longer than ten minutes.
    #[must_use]
    pub const fn above(&self) -> u64 {
        self.above
    }

    /// Returns the duration that `percentile` of 100 don't exceed, in nanoseconds; `None` if there
    /// is none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn percentile(&self, percentile: f64) -> Option<u64> {
        let count = self.count();
        // Between two ranks: the histogram rounds up, and 99.9 of 100 times 1,000 would be the
        // last.
        (count > 0).then(|| {
            let quantile = (rank(percentile, count) as f64 - 0.5) / count as f64;
            self.histogram.value_at_quantile(quantile)
        })
    }

    /// Returns the shortest duration, in nanoseconds.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.min())
    }

    /// Returns the longest duration, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.max())
    }

    /// Returns the mean, in nanoseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6 * 10^11")]
    pub fn mean(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.mean().round() as u64)
    }

    /// Returns the standard deviation, in nanoseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6 * 10^11")]
    pub fn deviation(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.stdev().round() as u64)
    }

    /// Encodes the histogram in the HdrHistogram V2 format, deflated, as `hlog` files hold it in
    /// base64.
    ///
    /// # Errors
    /// The serializer's error; writing to memory doesn't fail.
    pub fn to_v2_deflate(&self) -> Result<Vec<u8>, V2DeflateSerializeError> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads what [`to_v2_deflate`](Self::to_v2_deflate) wrote, with the counts out of bounds.
    ///
    /// # Errors
    /// What is wrong with `bytes`; also when they are a histogram of other bounds, which could not
    /// be added slot by slot.
    pub fn from_v2_deflate(bytes: &[u8], below: u64, above: u64) -> Result<Self, String> {
        let not_one = || "not a histogram in the HdrHistogram V2 format, deflated".to_owned();
        let deflated = bytes.get(8..).ok_or_else(not_one)?;
        let mut encoded = Vec::new();
        let inflater = ZlibDecoder::new(deflated);
        inflater.take(ENCODED_LEN_MAX).read_to_end(&mut encoded).map_err(|_| not_one())?;
        let number = |begin: usize, len: usize| {
            let field = encoded.get(begin..begin + len)?;
            Some(field.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
        };
        let (len, digits) = (number(4, 4), number(12, 4));
        let (lowest, highest) = (number(16, 8), number(24, 8));
        if len.zip(encoded.len().checked_sub(HEAD_LEN)).is_none_or(|(len, has)| len != has as u64) {
            return Err(not_one());
        }
        let bounds = (lowest, highest, digits);
        if bounds != (Some(LOWEST_NS), Some(HIGHEST_NS), Some(u64::from(SIGNIFICANT_DIGITS))) {
            let shown = |number: Option<u64>| number.unwrap_or(0);
            return Err(format!(
                "its bounds are {} to {} ns with {} digits, not {LOWEST_NS} to {HIGHEST_NS} with \
                 {SIGNIFICANT_DIGITS}",
                shown(lowest),
                shown(highest),
                shown(digits)
            ));
        }
        let histogram = Deserializer::new().deserialize(&mut &encoded[..]);
        Ok(Self { histogram: histogram.map_err(|_| not_one())?, below, above })
    }

    /// Returns the histogram, for writers of other formats.
    #[must_use]
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the rank of the value that `percentile` of 100 don't exceed, among `count` values in
/// ascending order, counted from 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^52, and the rank is within them"
)]
#[must_use]
pub fn rank(percentile: f64, count: u64) -> u64 {
    // Slightly below, so that a whole rank is not rounded up to the next.
    let rank = (percentile.next_down() * count as f64 / 100.0).ceil() as u64;
    rank.clamp(1, count.max(1))
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
    fn percentiles_of_round_numbers_are_not_those_of_the_next_value() {
        for (count, percentile, expected) in [
            (1, 50.0, 1),
            (2, 50.0, 1),
            (100, 99.0, 99),
            (1_000, 99.9, 999),
            (1_001, 99.9, 1_000),
            (9_000, 99.9, 8_991),
            (10_000, 99.99, 9_999),
            (1_000, 0.0, 1),
            (1_000, 100.0, 1_000),
        ] {
            let mut distribution = Distribution::new();
            (1..count).for_each(|n| distribution.record(n.min(expected)));
            distribution.record(if expected == count { count } else { 1_000_000 });
            let found = distribution.percentile(percentile).unwrap();
            let exact = if expected < count { expected } else { count };
            assert!(
                (exact..=exact + exact / 1_000).contains(&found),
                "{count} {percentile} {found}"
            );
            assert_eq!(rank(percentile, count), expected);
        }
        for count in (1_000..3_000_000).step_by(1_000) {
            assert_eq!(rank(99.9, count), count / 1_000 * 999);
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        let mut distribution = Distribution::new();
        for ns in (0..100_000).map(|n| n * n) {
            distribution.record(ns);
        }
        let bytes = distribution.to_v2_deflate().unwrap();
        let (below, above) = (distribution.below(), distribution.above());
        let back = Distribution::from_v2_deflate(&bytes, below, above).unwrap();
        assert_eq!(back.histogram, distribution.histogram);
        assert_eq!((back.below, back.above), (below, above));
        for len in 0..bytes.len() {
            assert!(Distribution::from_v2_deflate(&bytes[..len], 0, 0).is_err(), "{len}");
        }
        for place in 8..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            // zlib's checksum finds what the format doesn't; some bits mean nothing.
            if let Ok(found) = Distribution::from_v2_deflate(&bytes, 0, 0) {
                assert_eq!(found.histogram, distribution.histogram, "{place}");
            }
        }
        let mut other = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).unwrap();
        other.record(5).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&other, &mut bytes).unwrap();
        let said = Distribution::from_v2_deflate(&bytes, 0, 0).unwrap_err();
        assert!(said.contains("1 to 3600000000000 ns with 2 digits"), "{said}");
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
