//! How a connection is made: each part after the one before, its median and its 99th percentile.

use maud::{Markup, html};

use super::plot::short;
use crate::metrics::Metric;
use crate::report::Report;
use crate::units;

/// The parts, in order. A resumed TLS handshake takes the place of a full one.
const PARTS: [(Metric, &str); 6] = [
    (Metric::ConnectTcp, "TCP"),
    (Metric::ConnectProxy, "proxy"),
    (Metric::ConnectTls, "TLS"),
    (Metric::ConnectTlsResumed, "TLS, resumed"),
    (Metric::ConnectHttp2, "HTTP/2"),
    (Metric::ConnectUpgrade, "upgrade"),
];

struct Part {
    name: &'static str,
    begin_ns: u64,
    p50_ns: u64,
    p99_ns: u64,
}

/// Draws the waterfall; nothing if no connection was opened.
#[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
pub(super) fn chart(report: &Report) -> Markup {
    let parts = parts(report);
    let end = parts.iter().map(|part| part.begin_ns.saturating_add(part.p99_ns)).max();
    let Some(end @ 1..) = end else { return html! {} };
    let percent = |ns: u64| short(100.0 * ns as f64 / end as f64);
    html! {
        section {
            h2 { "Opening a connection" }
            div.falls {
                @for part in &parts {
                    span.name { (part.name) }
                    div.fall {
                        div.p99 style={ "left:" (percent(part.begin_ns)) "%;width:" (percent(part.p99_ns)) "%" } {}
                        div.p50 style={ "left:" (percent(part.begin_ns)) "%;width:" (percent(part.p50_ns)) "%" } {}
                    }
                    span.number { (units::duration(part.p50_ns)) " / " (units::duration(part.p99_ns)) }
                }
            }
            p.note { "Dark: the median; light: the 99th percentile. Each part begins where the median of the previous part ends." }
        }
    }
}

fn parts(report: &Report) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut begin_ns = 0_u64;
    if let Some(dns_ns) = report.target.dns_ns {
        parts.push(Part { name: "DNS, once", begin_ns, p50_ns: dns_ns, p99_ns: dns_ns });
        begin_ns = dns_ns;
    }
    let mut tls_ns = 0;
    for (metric, name) in PARTS {
        let Some(found) = report.histogram(metric).filter(|found| found.count > 0) else {
            continue;
        };
        let [p50_ns, p99_ns] = [50.0, 99.0].map(|rank| found.percentile(rank).unwrap_or(0));
        match metric {
            Metric::ConnectTls => {
                parts.push(Part { name, begin_ns, p50_ns, p99_ns });
                tls_ns = p50_ns;
            }
            Metric::ConnectTlsResumed => {
                parts.push(Part { name, begin_ns, p50_ns, p99_ns });
                tls_ns = tls_ns.max(p50_ns);
            }
            _ => {
                begin_ns = begin_ns.saturating_add(std::mem::take(&mut tls_ns));
                parts.push(Part { name, begin_ns, p50_ns, p99_ns });
                begin_ns = begin_ns.saturating_add(p50_ns);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Distribution;
    use crate::report::{HistogramReport, sample};

    #[test]
    fn each_part_begins_where_the_one_before_ends() {
        let mut report = sample();
        let of = |metric, ns| {
            let mut found = Distribution::new();
            found.record(ns);
            HistogramReport::new(metric, &found)
        };
        report.target.dns_ns = Some(500);
        report.histograms = vec![
            of(Metric::ConnectTcp, 100),
            of(Metric::ConnectTls, 300),
            of(Metric::ConnectTlsResumed, 200),
            of(Metric::ConnectUpgrade, 50),
        ];
        let begins: Vec<_> = parts(&report).iter().map(|part| (part.name, part.begin_ns)).collect();
        assert_eq!(
            begins,
            [("DNS, once", 0), ("TCP", 500), ("TLS", 600), ("TLS, resumed", 600), ("upgrade", 900)]
        );
        report.target.dns_ns = None;
        report.histograms.clear();
        assert_eq!(chart(&report).into_string(), "");
    }
}
