//! What was measured of one contest, and what follows from it: medians, ratios within rounds, who
//! is fastest.

use crate::contest::{ContestId, Standing};
use crate::sink::Work;

/// All rounds of one contest.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) id: ContestId,
    pub(crate) work: Work,
    pub(crate) series: Vec<Series>,
}

/// All rounds of one entry.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) standing: Standing,
    /// Runs in each of the slices of a round.
    pub(crate) iterations: u64,
    /// Nanoseconds a run, by round.
    pub(crate) run_ns: Vec<f64>,
}

impl Series {
    pub(crate) fn median_ns(&self) -> f64 {
        Spread::of(self.run_ns.clone()).median
    }
}

/// The middle and the ends of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(values.len() / 2));
        Self { median, min: at(0), max: at(last) }
    }
}

impl Outcome {
    pub(crate) fn subject(&self) -> Option<&Series> {
        self.series.iter().find(|series| series.standing == Standing::Subject)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// The peer with the smallest median.
    pub(crate) fn fastest_peer(&self) -> Option<&Series> {
        let peers = self.series.iter().filter(|series| series.standing == Standing::Peer);
        peers.min_by(|a, b| a.median_ns().total_cmp(&b.median_ns()))
    }

    /// How many times as fast as `other` wscodec is, round by round.
    pub(crate) fn times_as_fast_as(&self, other: &Series) -> Option<Spread> {
        let subject = self.subject()?;
        let rounds = subject.run_ns.iter().zip(&other.run_ns);
        Some(Spread::of(rounds.map(|(subject, other)| other / subject).collect()))
    }

    /// The same, the time of `mark` taken off both.
    pub(crate) fn times_as_fast_net_of(&self, other: &Series, mark: &Series) -> Option<Spread> {
        let subject = self.subject()?;
        let rounds = subject.run_ns.iter().zip(&other.run_ns).zip(&mark.run_ns);
        Some(Spread::of(rounds.map(|((s, o), m)| (o - m) / (s - m)).collect()))
    }

    /// Nanoseconds an item that wscodec takes more than `other`, round by round.
    pub(crate) fn item_ns_more_than(&self, other: &Series) -> Option<Spread> {
        let subject = self.subject()?;
        let rounds = subject.run_ns.iter().zip(&other.run_ns);
        let items = self.work.items as f64;
        Some(Spread::of(rounds.map(|(subject, other)| (subject - other) / items).collect()))
    }

    /// Nanoseconds an item.
    pub(crate) fn item_ns(&self, series: &Series) -> f64 {
        series.median_ns() / self.work.items as f64
    }

    /// Payload bytes a nanosecond, which is gigabytes a second.
    pub(crate) fn gb_per_s(&self, series: &Series) -> f64 {
        self.work.bytes as f64 / series.median_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, standing: Standing, run_ns: &[f64]) -> Series {
        Series { name, standing, iterations: 1, run_ns: run_ns.to_vec() }
    }

    #[test]
    fn spread_has_the_middle_and_the_ends() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert!((Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median - 2.5).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let outcome = Outcome {
            id: ContestId { group: "mask", work: "w", size: 1 },
            work: Work { items: 10, bytes: 100 },
            series: vec![
                series("wscodec", Standing::Subject, &[100.0, 200.0, 400.0]),
                series("slow", Standing::Peer, &[300.0, 600.0, 1200.0]),
                series("fast", Standing::Peer, &[150.0, 300.0, 600.0]),
                series("limit", Standing::Mark, &[50.0, 100.0, 200.0]),
            ],
        };
        let fastest = outcome.fastest_peer().expect("there are two");
        assert_eq!(fastest.name, "fast");
        let ratio = outcome.times_as_fast_as(fastest).expect("a subject");
        assert_eq!(ratio, Spread { median: 1.5, min: 1.5, max: 1.5 });
        let limit = outcome.named("limit").expect("it is there");
        assert_eq!(outcome.times_as_fast_net_of(fastest, limit).map(|r| r.median), Some(2.0));
        assert_eq!(outcome.item_ns_more_than(limit).map(|s| s.median), Some(10.0));
    }
}
