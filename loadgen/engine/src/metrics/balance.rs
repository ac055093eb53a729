//! Checks that the counters add up. They always must: a difference would be a fault of this
//! program.

use super::{Metric, Metrics, UrlCounts};

/// Returns every sum that is wrong, in words; empty if all are right.
#[must_use]
pub fn imbalances(metrics: &Metrics) -> Vec<String> {
    let mut books = Books { metrics, found: Vec::new() };
    books.connections();
    books.reconnects();
    books.messages();
    books.copies();
    books.pushes();
    books.handshakes();
    books.scenario();
    books.found
}

/// Counters, and what is wrong with them.
struct Books<'m> {
    metrics: &'m Metrics,
    found: Vec<String>,
}

impl Books<'_> {
    fn check(&mut self, what: &str, left: u64, right: u64) {
        if left != right {
            self.found.push(format!("{what}: {left} is not {right}"));
        }
    }

    fn recorded(&self, metric: Metric) -> u64 {
        self.metrics.distributions.of(metric).map_or(0, |distribution| {
            distribution.count() + distribution.below() + distribution.above()
        })
    }

    fn connections(&mut self) {
        let metrics = self.metrics;
        let established = metrics.established + metrics.reconnect.established;
        self.check(
            "connections begun, and their outcomes",
            metrics.attempted,
            metrics.completed + metrics.failures.total(),
        );
        self.check(
            "connections established, and how they were closed",
            established,
            metrics.closings.values().sum(),
        );
        self.check(
            "connections established, and held or dropped",
            established,
            metrics.held + metrics.drops.total(),
        );
        if metrics.urls.is_empty() {
            return;
        }
        let sum = |of: fn(&UrlCounts) -> u64| metrics.urls.iter().map(of).sum::<u64>();
        let of_urls = sum(|url| url.attempted);
        self.check("connections begun, by URL", metrics.attempted, of_urls);
        let of_urls = sum(|url| url.established);
        self.check("connections established, by URL", metrics.established, of_urls);
        let of_urls = sum(|url| url.completed);
        self.check("connections completed, by URL", metrics.completed, of_urls);
    }

    fn scenario(&mut self) {
        let found = &self.metrics.scenario;
        for step in &found.steps {
            let counts = &step.counts;
            let ended = counts.ok + counts.failed + counts.timed_out + counts.lost;
            self.check("steps begun, and how they ended", counts.sent, ended);
        }
        let units = &found.units;
        self.check(
            "messages received, and what took them",
            units.received,
            units.taken + units.late + units.again + units.ruled + units.unmatched,
        );
        let ruled = found.rules.iter().map(|rule| rule.counts.received).sum();
        self.check("messages of rules, by rule", units.ruled, ruled);
        let iterations = &found.iterations;
        self.check("iterations due, and begun or not", iterations.due, {
            iterations.begun + iterations.unsent
        });
        self.check("iterations begun, and how they ended", iterations.begun, {
            iterations.completed + iterations.failed + iterations.cut
        });
        if !found.steps.is_empty() || found.users.ready > 0 {
            let users = &found.users;
            self.check(
                "users established, and ready, refused or left",
                self.metrics.established + self.metrics.reconnect.established,
                users.ready + users.refused + users.left,
            );
        }
    }

    fn reconnects(&mut self) {
        let reconnect = &self.metrics.reconnect;
        self.check(
            "attempts to open lost connections again, and their outcomes",
            reconnect.attempted,
            reconnect.established + reconnect.failures.total(),
        );
        self.check(
            "connections lost, and open again or away at the end",
            reconnect.losses.total(),
            reconnect.established + reconnect.away,
        );
        self.check(
            "connections open again, and their latencies",
            reconnect.established,
            self.recorded(Metric::ReconnectTotal),
        );
        self.check(
            "connections open again, and the times they were away",
            reconnect.established,
            self.recorded(Metric::ReconnectAway),
        );
    }

    fn messages(&mut self) {
        let metrics = self.metrics;
        for (span, counts) in [("warm-up", &metrics.warmup), ("measured", &metrics.measured)] {
            // Pings are sent, and messages published, only in the measured time.
            let others = metrics.pings.superseded + metrics.fanout.unjudged;
            let others = if span == "measured" { others } else { 0 };
            self.check(
                &format!("messages sent ({span}), and received, altered, lost or timed out"),
                counts.sent,
                counts.received + counts.altered + counts.lost + counts.timed_out + others,
            );
        }
        let timed_out = metrics.warmup.timed_out + metrics.measured.timed_out;
        self.check(
            "late echoes of messages that timed out",
            metrics.arrivals.late.min(timed_out),
            metrics.arrivals.late,
        );
        let probes = &metrics.probes;
        self.check(
            "Pings beside messages, and answered, superseded or missing",
            probes.sent,
            probes.answered + probes.superseded + probes.missing,
        );
        let service = self.recorded(Metric::RttService);
        self.check(
            "messages received, and their service latencies",
            metrics.measured.received + probes.answered,
            service + self.recorded(Metric::PingRtt) + metrics.fanout.complete,
        );
        if metrics.distributions.of(Metric::RttResponse).is_some() {
            let response = self.recorded(Metric::RttResponse);
            self.check("service and response latencies", service, response);
        }
    }

    fn copies(&mut self) {
        let Metrics { fanout, copies, .. } = self.metrics;
        self.check(
            "copies expected, and received, altered or lost",
            copies.expected,
            copies.received + copies.altered + copies.lost,
        );
        self.check(
            "copies received, and their latencies",
            copies.received,
            copies.early + self.recorded(Metric::FanoutLatency),
        );
        self.check(
            "messages published, and their first copies",
            fanout.complete + fanout.incomplete,
            self.recorded(Metric::FanoutFirst) + fanout.silent,
        );
    }

    fn pushes(&mut self) {
        let push = &self.metrics.push;
        self.check(
            "messages pushed, and what they were",
            push.inside + push.outside,
            push.in_order + push.reordered + push.duplicated + push.stale + push.foreign,
        );
        self.check(
            "messages pushed, and their latencies",
            push.timed,
            push.early + self.recorded(Metric::PushLatency),
        );
    }

    fn handshakes(&mut self) {
        let metrics = self.metrics;
        self.check(
            "connections with TLS, and the latencies of its handshakes",
            metrics.tls.values().sum(),
            self.recorded(Metric::ConnectTls) + self.recorded(Metric::ConnectTlsResumed),
        );
        self.check(
            "connections established, and their handshake latencies",
            metrics.established,
            self.recorded(Metric::ConnectUpgrade),
        );
        let offered = metrics.deflate.offered();
        if offered > 0 {
            self.check(
                "connections established, and what came of the offer to compress",
                metrics.established + metrics.reconnect.established,
                offered,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Closing, Failure, FailurePhase, Side};
    use super::*;

    fn balanced() -> Metrics {
        let mut metrics =
            Metrics { attempted: 2, established: 1, completed: 1, ..Metrics::default() };
        metrics.failures.add(Failure::new(FailurePhase::Tcp, "refused"), String::new);
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
        let spoil: [(&str, Spoil); 24] = [
            ("outcomes", |metrics| metrics.attempted += 1),
            ("completed, by URL", |metrics| metrics.urls.push(UrlCounts::default())),
            ("connections with TLS", |metrics| {
                metrics.distributions.record(Metric::ConnectTlsResumed, 1);
            }),
            ("how they were closed", |metrics| metrics.closings.clear()),
            ("held or dropped", |metrics| metrics.held = 0),
            ("and their outcomes", |metrics| metrics.reconnect.attempted += 1),
            ("open again or away", |metrics| metrics.reconnect.away += 1),
            ("open again, and their latencies", |metrics| metrics.reconnect.established += 1),
            ("the times they were away", |metrics| {
                metrics.distributions.record(Metric::ReconnectAway, 1);
            }),
            ("received, altered, lost or timed out", |metrics| metrics.pings.superseded += 1),
            ("lost or timed out", |metrics| metrics.measured.timed_out += 1),
            ("late echoes", |metrics| metrics.arrivals.late += 1),
            ("Pings beside messages", |metrics| metrics.probes.missing += 1),
            ("copies expected", |metrics| metrics.copies.lost += 1),
            ("copies received", |metrics| metrics.copies.early += 1),
            ("altered, lost or timed out", |metrics| metrics.fanout.unjudged += 1),
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
