//! Determines from histograms how late the client was, and how much of the reported latency may be
//! that.
//!
//! Separate from `build`, because a merged report uses the merged histograms.

use serde::{Deserialize, Serialize};

use super::{HistogramReport, VerdictReport};
use crate::metrics::Metric;
use crate::verdict::{Effect, Lag, Verdict};

/// Percentiles whose lateness is judged: the ones most often read.
const JUDGED: [f64; 2] = [50.0, 99.0];
/// Latencies that begin when a message was due, and the same from its write, where that is known.
/// A thread that sends late reads late: of a Ping, that is what its lateness does.
/// What an iteration waits for the one before it is not the client's lateness, and not in its lag.
const OF_SENDS: [(Metric, Option<Metric>); 4] = [
    (Metric::RttResponse, Some(Metric::RttService)),
    (Metric::FanoutLatency, None),
    (Metric::PingRtt, None),
    (Metric::IterationResponse, None),
];

/// How much of a latency may be the client's own lateness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectReport {
    /// The metric of the latency.
    pub metric: String,
    /// The percentile, of 100.
    pub percentile: f64,
    /// The reported latency, including the lateness.
    pub reported_ns: u64,
    /// The most of it that may be the client's lateness.
    pub client_ns: u64,
}

impl VerdictReport {
    pub(super) fn new(verdict: Verdict, histograms: &[HistogramReport]) -> Self {
        let mut report =
            Self { state: verdict.state, reasons: verdict.reasons, effects: Vec::new() };
        report.show_effects(histograms);
        report
    }

    /// Records the effects of the lateness in these histograms.
    pub(super) fn show_effects(&mut self, histograms: &[HistogramReport]) {
        let effects = [touched_by_sends(histograms), touched_by_connects(histograms)];
        let report = |(metric, effect): (Metric, Effect)| EffectReport {
            metric: metric.name().into(),
            percentile: effect.percentile,
            reported_ns: effect.reported_ns,
            client_ns: effect.client_ns,
        };
        self.effects = effects.into_iter().flatten().map(report).collect();
    }
}

/// Checks whether these latencies end when the kernel had the message: `recv.lag` has as many
/// values, give or take the few of a thousand that change no percentile.
fn is_timed_by_kernel(histograms: &[HistogramReport], latencies: &HistogramReport) -> bool {
    let timed = found(histograms, Metric::RecvLag).map_or(0, |found| found.count);
    timed > 0 && timed >= latencies.count - latencies.count / 1_000
}

/// Returns how late messages were sent; `None` if none had a schedule.
pub(super) fn of_sends(histograms: &[HistogramReport]) -> Option<Lag> {
    lag(histograms, Metric::SendLag, touched_by_sends(histograms))
}

/// Returns how late connections were started; `None` if none had a schedule.
pub(super) fn of_connects(histograms: &[HistogramReport]) -> Option<Lag> {
    lag(histograms, Metric::ConnectLag, touched_by_connects(histograms))
}

fn lag(
    histograms: &[HistogramReport],
    metric: Metric,
    touched: Vec<(Metric, Effect)>,
) -> Option<Lag> {
    let p99_ns = found(histograms, metric)?.percentile(99.0)?;
    Some(Lag { p99_ns, effects: touched.into_iter().map(|(_, effect)| effect).collect() })
}

fn touched_by_sends(histograms: &[HistogramReport]) -> Vec<(Metric, Effect)> {
    let Some(lag) = found(histograms, Metric::SendLag) else { return Vec::new() };
    let touched = OF_SENDS.into_iter().find_map(|(metric, without)| {
        let reported = found(histograms, metric)?;
        let without = without.and_then(|metric| found(histograms, metric));
        // By the kernel's time, a reply that is read late is not late. What begins when it was due
        // still has the lateness of its send.
        let is_of_send = without.is_none() && metric != Metric::PingRtt;
        let is_lag_inside = is_of_send || !is_timed_by_kernel(histograms, reported);
        Some(effects(metric, is_lag_inside.then_some(lag), reported, without))
    });
    touched.unwrap_or_default()
}

fn touched_by_connects(histograms: &[HistogramReport]) -> Vec<(Metric, Effect)> {
    let lag = found(histograms, Metric::ConnectLag);
    let touched = lag.zip(found(histograms, Metric::ConnectTotal));
    touched
        .map(|(lag, reported)| effects(Metric::ConnectTotal, Some(lag), reported, None))
        .unwrap_or_default()
}

/// Returns the most that may be lateness: what disappears without it, but no less than the same
/// percentile of the lateness `read_late`, because replies are read as late as messages are sent.
fn effects(
    metric: Metric,
    read_late: Option<&HistogramReport>,
    reported: &HistogramReport,
    without: Option<&HistogramReport>,
) -> Vec<(Metric, Effect)> {
    let of = |percentile| {
        let reported_ns = reported.percentile(percentile)?;
        let without_ns = without.and_then(|without| without.percentile(percentile));
        let gone_ns = without_ns.map_or(0, |ns| reported_ns.saturating_sub(ns));
        let late_ns = read_late.map_or(Some(0), |lag| lag.percentile(percentile))?;
        let client_ns = late_ns.max(gone_ns).min(reported_ns);
        Some((metric, Effect { percentile, reported_ns, client_ns }))
    };
    JUDGED.into_iter().filter_map(of).collect()
}

fn found(histograms: &[HistogramReport], metric: Metric) -> Option<&HistogramReport> {
    histograms.iter().find(|found| found.metric == metric.name() && found.count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Distribution;
    use crate::verdict::{Evidence, State};

    fn histogram(metric: Metric, values: [(u64, u64); 2]) -> HistogramReport {
        let mut distribution = Distribution::new();
        for (ns, count) in values {
            distribution.record_n(ns, count);
        }
        HistogramReport::new(metric, &distribution)
    }

    /// Lateness, latency and latency without it: microseconds of 95 of 100, and of the others.
    fn histograms(
        lag: [u64; 2],
        metric: Metric,
        [response, service]: [[u64; 2]; 2],
    ) -> Vec<HistogramReport> {
        let of = |metric, [usual, tail]: [u64; 2]| {
            histogram(metric, [(usual * 1_000, 95), (tail * 1_000, 5)])
        };
        vec![of(Metric::SendLag, lag), of(metric, response), of(Metric::RttService, service)]
    }

    /// Returns what may be the client's in the median and the 99th percentile, in microseconds.
    fn client_us(histograms: &[HistogramReport]) -> Vec<u64> {
        of_sends(histograms).unwrap().effects.iter().map(|it| it.client_ns / 1_000).collect()
    }

    #[track_caller]
    fn assert_near(found: &[u64], expected: [u64; 2]) {
        let is_near = |(&found, us): (&u64, u64)| found.abs_diff(us) <= us / 100;
        assert!(found.len() == 2 && found.iter().zip(expected).all(is_near), "{found:?}");
    }

    #[test]
    fn s5_what_lateness_does_is_what_is_gone_without_it() {
        const NONE: [u64; 2] = [1, 1];
        let late = histograms([50, 7_900], Metric::RttResponse, [[80, 8_000], [30, 40]]);
        assert_near(&client_us(&late), [50, 7_960]);
        // Never more than the reported latency.
        let more = histograms([50, 5_000], Metric::RttResponse, [[80, 100], [30, 100]]);
        assert_near(&client_us(&more), [50, 100]);
        // Replies are read as late as messages are sent, including Pongs and copies.
        for metric in [Metric::PingRtt, Metric::FanoutLatency, Metric::IterationResponse] {
            let read = histograms([50, 900], metric, [[40, 3_000], NONE]);
            assert_near(&client_us(&read), [40, 900]);
        }
        assert!(client_us(&late[..1]).is_empty());
        assert_eq!(of_sends(&late[1..]), None);
    }

    /// By the kernel's time, only what a late send does to a latency is the client's.
    #[test]
    fn what_is_read_late_is_in_no_latency_of_the_kernels() {
        const NONE: [u64; 2] = [1, 1];
        let recv = |count| {
            let mut distribution = Distribution::new();
            distribution.record_n(700_000, count);
            HistogramReport::new(Metric::RecvLag, &distribution)
        };
        for (metric, latencies, expected) in [
            (Metric::RttResponse, [[40, 3_000], [30, 2_500]], [10, 500]),
            (Metric::PingRtt, [[40, 3_000], NONE], [0, 0]),
            (Metric::FanoutLatency, [[40, 3_000], NONE], [40, 900]),
            (Metric::IterationResponse, [[40, 3_000], NONE], [40, 900]),
        ] {
            let mut found = histograms([50, 900], metric, latencies);
            found.push(recv(100));
            assert_near(&client_us(&found), expected);
            // A tenth of the latencies ends when loadgen read the message.
            found.pop();
            found.push(recv(90));
            assert_near(&client_us(&found), [40, 900]);
        }
    }

    #[test]
    fn s6_a_stall_of_the_server_is_not_held_against_the_client() {
        let latencies = [[80, 902_000], [30, 900_000]];
        let stalled = histograms([50, 2_250], Metric::RttResponse, latencies);
        assert_near(&client_us(&stalled), [50, 2_250]);
        let load_ns = 1_000_000_000;
        let late = Evidence { send_lag: of_sends(&stalled), load_ns, ..Evidence::default() };
        let verdict = Verdict::new(&late);
        assert_eq!((verdict.state, verdict.reasons.len()), (State::Valid, 0), "{verdict:?}");
        let report = VerdictReport::new(verdict, &stalled);
        let tail = &report.effects[1];
        assert_eq!((&*tail.metric, tail.percentile), ("rtt.response", 99.0));
    }
}
