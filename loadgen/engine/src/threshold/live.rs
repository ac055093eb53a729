//! Judges a run that is still going on, by what is known of it so far.

use super::{Counter, IsShare, Rated, Statistic, Subject, Threshold};
use crate::metrics::Metric;
use crate::metrics::live::Snapshot;

/// What is known of a run before its end.
#[derive(Clone, Copy, Debug)]
pub struct SoFar<'s> {
    /// Now.
    pub now: &'s Snapshot,
    /// When the measured time began.
    pub begin: &'s Snapshot,
    /// The measured time since then, in nanoseconds.
    pub span_ns: u64,
    /// The metric of the latencies; `None` if they are of no metric that thresholds know.
    pub metric: Option<Metric>,
}

impl Threshold {
    /// Returns the value of the subject so far; `None` if only the end tells it. Latencies are to
    /// 3 %, at most that much too high.
    #[must_use]
    pub fn measure_so_far(&self, so_far: &SoFar<'_>) -> Option<f64> {
        let SoFar { now, begin, span_ns, metric } = *so_far;
        let counts = &now.counts;
        match self.subject() {
            Subject::Time(asked, statistic) => {
                let metric = metric.filter(|metric| asked.is_none_or(|asked| asked == *metric));
                let percentile = match (metric, statistic) {
                    (Some(_), Statistic::Percentile(percentile)) => *percentile,
                    (Some(_), Statistic::Max) => 100.0,
                    _ => return None,
                };
                now.percentiles_since(begin, [percentile]).map(|[ns]| exact(ns))
            }
            Subject::Count(counter) => match counter {
                Counter::Errors => Some(counts.failed + counts.wrong),
                Counter::Failed => Some(counts.failed),
                Counter::Attempted => Some(now.attempted),
                Counter::Established => Some(counts.established),
                Counter::Dropped => Some(counts.lost),
                Counter::Sent => Some(counts.sent),
                Counter::Received => Some(counts.received),
                _ => None,
            }
            .map(exact),
            Subject::Share(Counter::Failed) => {
                (now.attempted > 0).then(|| 100.0 * exact(counts.failed) / exact(now.attempted))
            }
            Subject::Rate(Rated::Achieved) if metric.is_some() && span_ns > 0 => {
                let received = counts.received - begin.counts.received;
                Some(exact(received) * 1e9 / exact(span_ns))
            }
            Subject::Share(_)
            | Subject::Rate(_)
            | Subject::Recorded(_)
            | Subject::AchievedShare
            | Subject::Played(_, IsShare::Yes | IsShare::No) => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and times below 2^53")]
const fn exact(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::Live;

    #[test]
    fn what_is_known_before_the_end() {
        let live = Live::new();
        live.latency(5_000_000_000); // in the warm-up
        let begin = Snapshot::of([&live]);
        for _ in 0..100 {
            live.latency(1_000_000);
            live.received.add(1);
        }
        live.attempted.add(4);
        live.failed.add(1);
        let now = Snapshot::of([&live]);
        let metric = Some(Metric::RttResponse);
        let so_far = SoFar { now: &now, begin: &begin, span_ns: 500_000_000, metric };
        let measured =
            |text: &str, so_far: &SoFar| Threshold::parse(text).unwrap().measure_so_far(so_far);
        for (text, least, most) in [
            ("rtt.p99<1s", 1_000_000.0, 1_040_000.0),
            ("rtt.response.max<1s", 1_000_000.0, 1_040_000.0),
            ("failed<2", 1.0, 1.0),
            ("errors==0", 1.0, 1.0),
            ("failed<2%", 25.0, 25.0),
            ("achieved>100/s", 200.0, 200.0),
        ] {
            let found = measured(text, &so_far).unwrap();
            assert!((least..=most).contains(&found), "{text}: {found}");
        }
        for text in ["lost==0", "rtt.service.p99<1s", "rtt.mean<1s", "achieved>99%"] {
            assert_eq!(measured(text, &so_far), None, "{text}");
        }
        let other = SoFar { metric: None, ..so_far };
        assert_eq!(measured("rtt.p99<1s", &other), None);
    }
}
