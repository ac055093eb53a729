//! Counters to what doesn't add up among them. There must be nothing, ever: it would be this
//! program's own fault.

use super::{Metric, Metrics, UrlCounts};

/// Every sum that is wrong, in words; empty when the books are right.
#[must_use]
pub fn imbalances(metrics: &Metrics) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, left: u64, right: u64| {
        if left != right {
            found.push(format!("{what}: {left} is not {right}"));
        }
    };
    check(
        "connections begun, and their outcomes",
        metrics.attempted,
        metrics.completed + metrics.failures.total(),
    );
    check(
        "connections established, and how they were closed",
        metrics.established,
        metrics.closings.values().sum(),
    );
    check(
        "connections established, and held or dropped",
        metrics.established,
        metrics.held + metrics.drops.total(),
    );
    if !metrics.urls.is_empty() {
        let sum = |of: fn(&UrlCounts) -> u64| metrics.urls.iter().map(of).sum::<u64>();
        check("connections begun, by URL", metrics.attempted, sum(|url| url.attempted));
        check("connections established, by URL", metrics.established, sum(|url| url.established));
        check("connections completed, by URL", metrics.completed, sum(|url| url.completed));
    }
    for (span, counts) in [("warm-up", &metrics.warmup), ("measured", &metrics.measured)] {
        // Pings are sent in the measured time only.
        let superseded = if span == "measured" { metrics.pings.superseded } else { 0 };
        check(
            &format!("messages sent ({span}), and received, altered or lost"),
            counts.sent,
            counts.received + counts.altered + counts.lost + superseded,
        );
    }
    let recorded = |metric| {
        metrics.distributions.of(metric).map_or(0, |distribution| {
            distribution.count() + distribution.below() + distribution.above()
        })
    };
    check(
        "messages received, and their service latencies",
        metrics.measured.received,
        recorded(Metric::RttService) + recorded(Metric::PingRtt) + metrics.fanout.complete,
    );
    if metrics.distributions.of(Metric::RttResponse).is_some() {
        check(
            "service and response latencies",
            recorded(Metric::RttService),
            recorded(Metric::RttResponse),
        );
    }
    let fanout = &metrics.fanout;
    check(
        "copies expected, and received, altered or lost",
        fanout.expected,
        fanout.received + fanout.altered + fanout.lost,
    );
    check("copies received, and their latencies", fanout.received, recorded(Metric::FanoutLatency));
    check(
        "messages published, and their first copies",
        fanout.complete + fanout.incomplete,
        recorded(Metric::FanoutFirst) + fanout.silent,
    );
    let push = &metrics.push;
    check(
        "messages pushed, and what they were",
        push.inside + push.outside,
        push.in_order + push.reordered + push.duplicated + push.stale + push.foreign,
    );
    check(
        "messages pushed, and their latencies",
        push.timed,
        push.early + recorded(Metric::PushLatency),
    );
    check(
        "connections with TLS, and the latencies of its handshakes",
        metrics.tls.values().sum(),
        recorded(Metric::ConnectTls) + recorded(Metric::ConnectTlsResumed),
    );
    check(
        "connections established, and their handshake latencies",
        metrics.established,
        recorded(Metric::ConnectUpgrade),
    );
    let offered = metrics.deflate.offered();
    if offered > 0 {
        check(
            "connections established, and what came of the offer to compress",
            metrics.established,
            offered,
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Closing, Failure, Phase, Side};
    use super::*;

    fn balanced() -> Metrics {
        let mut metrics =
            Metrics { attempted: 2, established: 1, completed: 1, ..Metrics::default() };
        metrics.failures.add(Failure::new(Phase::Tcp, "refused"), String::new);
        metrics.closings.insert(Closing { by: Side::Client, code: 1000, is_clean: true }, 1);
        metrics.distributions.record(Metric::ConnectUpgrade, 5);
        metrics.held = 1;
        metrics.measured.sent = 4;
        metrics.measured.received = 2;
        metrics.measured.altered = 1;
        metrics.measured.lost = 1;
        metrics.distributions.record(Metric::RttService, 0);
        metrics.distributions.record(Metric::RttService, u64::MAX);
        metrics
    }

    #[test]
    fn right_books_have_no_imbalance() {
        assert_eq!(imbalances(&Metrics::default()), [""; 0]);
        assert_eq!(imbalances(&balanced()), [""; 0]);
    }

    #[test]
    fn each_wrong_sum_is_found() {
        type Spoil = fn(&mut Metrics);
        let spoil: [(&str, Spoil); 16] = [
            ("outcomes", |metrics| metrics.attempted += 1),
            ("completed, by URL", |metrics| metrics.urls.push(UrlCounts::default())),
            ("connections with TLS", |metrics| {
                metrics.distributions.record(Metric::ConnectTlsResumed, 1);
            }),
            ("how they were closed", |metrics| metrics.closings.clear()),
            ("held or dropped", |metrics| metrics.held = 0),
            ("received, altered or lost", |metrics| metrics.pings.superseded += 1),
            ("copies expected", |metrics| metrics.fanout.lost += 1),
            ("copies received", |metrics| metrics.fanout.received += 1),
            ("their first copies", |metrics| metrics.fanout.incomplete += 1),
            ("and what they were", |metrics| metrics.push.foreign += 1),
            ("and their latencies", |metrics| metrics.push.early += 1),
            ("(measured)", |metrics| metrics.measured.lost += 1),
            ("(warm-up)", |metrics| metrics.warmup.sent += 1),
            ("service latencies", |metrics| {
                metrics.distributions.record(Metric::RttService, 1);
            }),
            ("service and response", |metrics| {
                metrics.distributions.record(Metric::RttResponse, 1);
            }),
            ("the offer to compress", |metrics| metrics.deflate.declined = 2),
        ];
        for (what, spoil) in spoil {
            let mut metrics = balanced();
            spoil(&mut metrics);
            let found = imbalances(&metrics);
            assert!(found.iter().any(|line| line.contains(what)), "{what}: {found:?}");
        }
    }
}
