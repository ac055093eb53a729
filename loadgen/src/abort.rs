//! Ends a run early once its thresholds have failed: `--abort-on-fail`.

use crate::config::Config;
use crate::metrics::live::Snapshot;
use crate::threshold::{SoFar, Threshold};
use crate::units;
use crate::worker::Times;

/// What a run that may be aborted remembers.
#[derive(Debug)]
pub struct Abort {
    thresholds: Vec<Threshold>,
    /// Measured time after which latencies and rates count, in nanoseconds.
    after_ns: u64,
    metric: Option<crate::metrics::Metric>,
    /// The snapshot at the beginning of the measured time.
    begin: Option<(u64, Snapshot)>,
}

impl Abort {
    /// Returns `None` unless the configuration asks for it.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let after = config.abort_after?;
        Some(Self {
            thresholds: config.thresholds.clone(),
            after_ns: crate::clock::nanos(after),
            metric: config.live_metric(),
            begin: None,
        })
    }

    /// Returns why the run ends at `now_ns`; `None` lets it go on.
    ///
    /// A count that exceeds its limit ends the run at once, because it never gets smaller. Anything
    /// else is looked at after the time that the user has given it.
    pub fn look(&mut self, now_ns: u64, now: &Snapshot, times: Option<Times>) -> Option<String> {
        let times = times?;
        if now_ns < times.window_begin_ns || now_ns > times.window_end_ns {
            return None;
        }
        let (begin_ns, begin) = self.begin.get_or_insert_with(|| (now_ns, now.clone()));
        let span_ns = now_ns.saturating_sub(*begin_ns);
        let so_far = SoFar { now, begin, span_ns, metric: self.metric };
        let failed = |threshold: &&Threshold| {
            let Some(measured) = threshold.measure_so_far(&so_far) else { return false };
            threshold.is_lost_at(measured) || span_ns >= self.after_ns && !threshold.holds(measured)
        };
        let failed = self.thresholds.iter().find(failed)?;
        let shown = units::number(failed.measure_so_far(&so_far), failed.subject().unit());
        Some(format!("{failed} ({shown})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::Live;

    const SECOND_NS: u64 = 1_000_000_000;

    fn abort(threshold: &str) -> Abort {
        Abort {
            thresholds: vec![Threshold::parse(threshold).unwrap()],
            after_ns: 5 * SECOND_NS,
            metric: Some(crate::metrics::Metric::RttResponse),
            begin: None,
        }
    }

    #[test]
    fn counts_end_a_run_at_once_and_latencies_after_a_while() {
        let times = Some(Times {
            load_begin_ns: 0,
            window_begin_ns: SECOND_NS,
            window_end_ns: 60 * SECOND_NS,
        });
        let live = Live::new();
        let (mut counts, mut latencies) = (abort("failed<2"), abort("rtt.p99<1ms"));
        let look = |abort: &mut Abort, second: u64| {
            abort.look(second * SECOND_NS, &Snapshot::of([&live]), times)
        };
        assert_eq!(look(&mut counts, 0), None, "before the measured time");
        assert_eq!((look(&mut counts, 2), look(&mut latencies, 2)), (None, None));
        live.latency(50_000_000);
        live.failed.add(1);
        assert_eq!((look(&mut counts, 3), look(&mut latencies, 6)), (None, None));
        live.failed.add(1);
        assert_eq!(look(&mut counts, 4).unwrap(), "failed<2 (2)");
        assert!(look(&mut latencies, 7).unwrap().starts_with("rtt.p99<1ms (5"));
        assert_eq!(look(&mut latencies, 61), None, "after the measured time");
    }
}
