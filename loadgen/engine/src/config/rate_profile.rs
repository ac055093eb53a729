//! When each event is due, at a rate that may change over time.
//!
//! ```text
//!   rate                 events are numbered by the area under the line: event n is due
//!    |      ______       where the area from the begin comes to n
//!    |     /      \
//!    |____/        \___
//!    0  warm-up, then stages        time
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::Rate;
use crate::clock::nanos;

/// Converts events per 1,000 seconds to events per nanosecond.
const PER_NS: f64 = 1e-12;
/// The time of an event that is never due.
const NEVER_NS: u64 = u64::MAX;

/// A part of a run in which the rate changes linearly to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// How long the change takes; zero is a jump.
    pub length: Duration,
    /// The rate at its end, in events per 1,000 seconds. May be 0.
    pub per_1000_s: u64,
}

/// Stages, and the rate before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    /// In events per 1,000 seconds. May be 0.
    pub start_per_1000_s: u64,
    /// At least one.
    pub stages: Arc<[Stage]>,
}

impl Stages {
    /// Returns the total length of the stages.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.length))
    }

    /// Returns the highest rate; `None` if every rate is 0.
    #[must_use]
    pub fn highest(&self) -> Option<Rate> {
        let ends = self.stages.iter().map(|stage| stage.per_1000_s);
        Rate::new(ends.fold(self.start_per_1000_s, u64::max))
    }
}

/// When events are due.
#[derive(Clone, Debug, PartialEq)]
pub enum RateProfile {
    /// At one rate, forever.
    Constant(Rate),
    /// Evenly spread, a number per interval, forever.
    Every {
        /// In nanoseconds.
        interval_ns: u64,
        /// At least one.
        events: u64,
    },
    /// At rates that change linearly, then at the last rate forever.
    Staged(Arc<[Piece]>),
}

/// A linear change from one rate to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    begin_ns: f64,
    length_ns: f64,
    /// Events per nanosecond at its start and its end.
    from: f64,
    to: f64,
    /// Events before its start.
    before: f64,
}

impl Piece {
    fn events(&self, ns: f64) -> f64 {
        let slope = (self.to - self.from) / self.length_ns;
        self.before + ns * (self.from + slope * ns / 2.0)
    }
}

impl RateProfile {
    /// Returns the profile of `events` events per interval.
    #[must_use]
    pub fn every(interval: Duration, events: u64) -> Self {
        Self::Every { interval_ns: nanos(interval).max(1), events: events.max(1) }
    }

    /// Returns the profile of a warm-up at the first rate, then the stages, then the last rate
    /// forever.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are 104 days")]
    pub fn staged(stages: &Stages, warmup: Duration) -> Self {
        let lines = [Stage { length: warmup, per_1000_s: stages.start_per_1000_s }];
        let mut pieces: Vec<Piece> = Vec::new();
        let mut from = stages.start_per_1000_s as f64 * PER_NS;
        let (mut begin_ns, mut before) = (0.0, 0.0);
        for stage in lines.iter().chain(stages.stages.iter()) {
            let (length_ns, to) = (nanos(stage.length) as f64, stage.per_1000_s as f64 * PER_NS);
            if length_ns > 0.0 {
                let piece = Piece { begin_ns, length_ns, from, to, before };
                begin_ns += length_ns;
                before = piece.events(length_ns);
                pieces.push(piece);
            }
            from = to;
        }
        pieces.push(Piece { begin_ns, length_ns: f64::INFINITY, from, to: from, before });
        Self::Staged(pieces.into())
    }

    /// Returns when the `n`th event is due, in nanoseconds from the start; `u64::MAX` is never.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 events")]
    pub fn due_nth_ns(&self, n: u64) -> u64 {
        match self {
            Self::Constant(rate) => rate.due_ns(n),
            Self::Every { interval_ns, events } => {
                let due_ns = u128::from(n) * u128::from(*interval_ns) / u128::from(*events);
                u64::try_from(due_ns).unwrap_or(NEVER_NS)
            }
            Self::Staged(_) => self.due_ns(n as f64),
        }
    }

    /// Returns when this many events, which need not be whole, have been due.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "not negative, and what is too large saturates to never"
    )]
    pub fn due_ns(&self, events: f64) -> u64 {
        let pieces = match self {
            Self::Constant(rate) => return (events * 1e9 / rate.per_s()) as u64,
            Self::Every { interval_ns, events: of } => {
                return (events * *interval_ns as f64 / *of as f64) as u64;
            }
            Self::Staged(pieces) => pieces,
        };
        let place = pieces.partition_point(|piece| piece.before <= events).saturating_sub(1);
        let piece = &pieces[place];
        let area = events - piece.before;
        let slope = (piece.to - piece.from) / piece.length_ns;
        let root = 2.0f64.mul_add(slope * area, piece.from * piece.from).max(0.0).sqrt();
        let ns = if area <= 0.0 && piece.from + piece.to > 0.0 {
            0.0
        } else {
            // The solution of `from * t + slope * t * t / 2 = area` that avoids cancellation.
            2.0 * area / (piece.from + root)
        };
        if ns.is_nan() { NEVER_NS } else { (piece.begin_ns + ns.min(piece.length_ns)) as u64 }
    }

    /// Returns how many events, which need not be whole, are due before `ns`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are 104 days")]
    pub fn events_before(&self, ns: u64) -> f64 {
        let ns = ns as f64;
        match self {
            Self::Constant(rate) => ns * rate.per_s() / 1e9,
            Self::Every { interval_ns, events } => ns * *events as f64 / *interval_ns as f64,
            Self::Staged(pieces) => {
                let place = pieces.partition_point(|piece| piece.begin_ns <= ns).saturating_sub(1);
                let piece = &pieces[place];
                piece.events(ns - piece.begin_ns)
            }
        }
    }

    /// Returns how many whole events are due before `ns`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far below 2^64"
    )]
    pub fn due_before(&self, ns: u64) -> u64 {
        if let Self::Constant(rate) = self {
            return rate.due_before(ns);
        }
        // Rounding may be off by one.
        let mut n = self.events_before(ns).ceil() as u64;
        while n > 0 && self.due_nth_ns(n - 1) >= ns {
            n -= 1;
        }
        while self.due_nth_ns(n) < ns {
            n += 1;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn stages(start_per_s: u64, stages: &[(u64, u64)]) -> Stages {
        let stage = |&(s, per_s): &(u64, u64)| Stage {
            length: Duration::from_secs(s),
            per_1000_s: per_s * 1_000,
        };
        Stages { start_per_1000_s: start_per_s * 1_000, stages: stages.iter().map(stage).collect() }
    }

    fn staged(start_per_s: u64, of: &[(u64, u64)], warmup_s: u64) -> RateProfile {
        RateProfile::staged(&stages(start_per_s, of), Duration::from_secs(warmup_s))
    }

    #[test]
    fn a_line_from_nothing_has_half_of_its_end_as_its_mean() {
        let profile = staged(0, &[(10, 100)], 0);
        assert_eq!(profile.due_before(10 * S), 500);
        // The first half of the time covers a quarter of the area.
        assert_eq!(profile.due_nth_ns(125), 5 * S);
        assert_eq!(profile.due_nth_ns(0), 0);
        // The last rate continues.
        assert_eq!(profile.due_nth_ns(600), 11 * S);
    }

    #[test]
    fn ramps_up_and_down_and_jumps() {
        let profile = staged(100, &[(10, 200), (10, 200), (0, 50), (10, 50), (10, 0)], 5);
        // Warm-up 500, ramp 1,500, hold 2,000, jump, hold 500, ramp 250.
        for (s, events) in [(5, 500_u32), (15, 2_000), (25, 4_000), (35, 4_500), (45, 4_750)] {
            assert!(profile.due_before(s * S).abs_diff(events.into()) <= 1, "{s}");
            assert!((profile.events_before(s * S) - f64::from(events)).abs() < 1e-6, "{s}");
        }
        assert!(profile.due_nth_ns(4_749) < 45 * S);
        assert_eq!(profile.due_nth_ns(4_751), NEVER_NS);
        assert_eq!(
            profile.due_before(1_000 * S),
            4_750 + u64::from(profile.due_nth_ns(4_750) < 1_000 * S)
        );
    }

    #[test]
    fn a_pause_holds_no_event() {
        let profile = staged(0, &[(0, 10), (1, 10), (0, 0), (100, 0), (0, 10), (1, 10)], 0);
        let due: Vec<_> = (0..20).map(|n| profile.due_nth_ns(n)).collect();
        assert!(due.is_sorted(), "{due:?}");
        assert!(due.iter().all(|&ns| !(S..101 * S).contains(&ns)), "{due:?}");
        assert_eq!(due.iter().filter(|&&ns| ns < S).count(), 10);
    }

    #[test]
    fn times_and_numbers_are_each_others_inverse() {
        for profile in [
            staged(0, &[(3, 1_000), (2, 10), (4, 70_000)], 0),
            staged(7, &[(30, 0), (10, 3)], 1),
            RateProfile::Constant(Rate::new(3_333).unwrap()),
            RateProfile::every(Duration::from_millis(777), 13),
        ] {
            let mut last_ns = 0;
            for n in 0..5_000 {
                let ns = profile.due_nth_ns(n);
                assert!(ns >= last_ns, "{profile:?} {n}");
                last_ns = ns;
                if ns < NEVER_NS {
                    let before = profile.due_before(ns);
                    assert!(before <= n && profile.due_before(ns + 1) > n, "{profile:?} {n} {ns}");
                }
            }
        }
    }

    #[test]
    fn stages_say_how_long_and_how_high() {
        let of = stages(5, &[(10, 20), (0, 7), (3, 0)]);
        assert_eq!((of.length(), of.highest()), (Duration::from_secs(13), Rate::new(20_000)));
        assert_eq!(stages(0, &[(10, 0)]).highest(), None);
    }
}
