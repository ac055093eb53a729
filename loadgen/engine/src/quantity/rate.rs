//! Events a second, exactly.

use std::fmt;

/// How often something is due, in thousandths of an event a second. Above 0, at most
/// [`PER_S_MAX`](Self::PER_S_MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// The most that can be asked for, a second.
    pub const PER_S_MAX: u64 = 100_000_000;

    /// Ten a second.
    pub const TEN: Self = Self(10_000);

    /// A rate from events in 1,000 seconds; `None` if it is out of range.
    #[must_use]
    pub const fn new(per_1000_s: u64) -> Option<Self> {
        if per_1000_s == 0 || per_1000_s > Self::PER_S_MAX * 1_000 {
            None
        } else {
            Some(Self(per_1000_s))
        }
    }

    /// Events in 1,000 seconds.
    #[must_use]
    pub const fn per_1000_s(self) -> u64 {
        self.0
    }

    /// Events a second, for people and for ratios.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 10^11, which an f64 holds exactly")]
    pub fn per_s(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// When the `n`th event is due, in nanoseconds after the first, which is the 0th.
    ///
    /// Computed from `n` alone, so that it doesn't drift; saturates after 584 years.
    #[must_use]
    pub fn due_ns(self, n: u64) -> u64 {
        let ns = u128::from(n) * 1_000_000_000_000 / u128::from(self.0);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// How many events are due before `ns` have passed.
    #[must_use]
    pub fn due_before(self, ns: u64) -> u64 {
        let n = (u128::from(ns) * u128::from(self.0)).div_ceil(1_000_000_000_000);
        u64::try_from(n).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1_000, self.0 % 1_000);
        if thousandths == 0 {
            return whole.fmt(f);
        }
        let digits = format!("{thousandths:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stand_where_they_belong_without_drift() {
        let third = Rate::new(3_000).unwrap();
        assert_eq!(
            [0, 1, 2, 3].map(|n| third.due_ns(n)),
            [0, 333_333_333, 666_666_666, 1_000_000_000]
        );
        assert_eq!(third.due_ns(3_000_000_000), 1_000_000_000_000_000_000);
        assert_eq!(
            third.due_ns(u64::MAX),
            6_148_914_691_236_517_205_000_000_000_u128.try_into().unwrap_or(u64::MAX)
        );
    }

    #[test]
    fn as_many_are_due_before_a_time_as_have_earlier_times() {
        for per_1000_s in [1, 999, 1_000, 3_000, 7_001, 50_000_000] {
            let rate = Rate::new(per_1000_s).unwrap();
            for ns in [0, 1, 333_333_333, 333_333_334, 1_000_000_000, 10_000_000_000] {
                let due = rate.due_before(ns);
                assert!(due == 0 || rate.due_ns(due - 1) < ns, "{per_1000_s} {ns}");
                // Truncation of a time to whole nanoseconds may put it one before its bound.
                assert!(rate.due_ns(due) + 1 >= ns, "{per_1000_s} {ns}");
            }
        }
    }

    #[test]
    fn range_and_text() {
        assert_eq!(Rate::new(0), None);
        assert_eq!(Rate::new(Rate::PER_S_MAX * 1_000 + 1), None);
        for (per_1000_s, text) in
            [(500, "0.5"), (1_000, "1"), (1_250, "1.25"), (50_000_000, "50000")]
        {
            assert_eq!(Rate::new(per_1000_s).unwrap().to_string(), text);
        }
    }
}
