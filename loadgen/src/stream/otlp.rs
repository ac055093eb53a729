//! The metrics of a run as OTLP takes them over HTTP, in the JSON of its protocol buffers: 64-bit
//! integers are strings, and enumerations are numbers.
//!
//! All sums are cumulative, from the begin of the run: a row that gets lost is made up for by the next.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::sink::Encode;
use super::totals::{BOUNDS_NS, Kind, LATENCY, Metric, Totals, Unit};
use crate::config::Config;
use crate::metrics::timeline::Row;
use crate::report::RowReport;

pub(super) const CONTENT_TYPE: &str = "application/json";

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;

/// Makes requests of export.
#[derive(Debug)]
pub(super) struct Otlp {
    resource: Value,
    begun_ns: u128,
    totals: Totals,
}

impl Otlp {
    pub(super) fn new(config: &Config, started_at: SystemTime) -> Self {
        let begun = started_at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let own = [
            ("service.name".to_owned(), "loadgen".to_owned()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            // Apart from other processes, also of the same run.
            ("service.instance.id".to_owned(), instance(config, begun)),
            ("loadgen.command".to_owned(), config.scenario.name().to_owned()),
        ];
        let labels = config
            .labels
            .iter()
            .map(|(key, value)| (format!("loadgen.label.{key}"), value.clone()));
        let attributes: Vec<_> = own
            .into_iter()
            .chain(labels)
            .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
            .collect();
        let resource = json!({ "attributes": attributes });
        Self { resource, begun_ns: begun.as_nanos(), totals: Totals::default() }
    }

    fn request(&self, at_ns: u128) -> Value {
        let times = || (self.begun_ns.to_string(), at_ns.to_string());
        let number = |metric: &Metric| {
            let (start, time) = times();
            let mut point = json!({ "startTimeUnixNano": start, "timeUnixNano": time });
            match metric.unit {
                Unit::Time => point["asDouble"] = seconds(metric.value).into(),
                Unit::Things | Unit::Bytes => point["asInt"] = metric.value.to_string().into(),
            }
            point
        };
        let mut metrics: Vec<_> = self
            .totals
            .metrics()
            .iter()
            .map(|metric| {
                let mut found = json!({
                    "name": format!("loadgen.{}", metric.name),
                    "description": metric.help,
                    "unit": unit(metric.unit),
                });
                match metric.kind {
                    Kind::Counter => {
                        found["sum"] = json!({
                            "aggregationTemporality": CUMULATIVE,
                            "isMonotonic": true,
                            "dataPoints": [number(metric)],
                        });
                    }
                    Kind::Gauge => found["gauge"] = json!({ "dataPoints": [number(metric)] }),
                }
                found
            })
            .collect();
        let (start, time) = times();
        let buckets = &self.totals.buckets;
        metrics.push(json!({
            "name": format!("loadgen.{}", LATENCY.0),
            "description": LATENCY.1,
            "unit": unit(Unit::Time),
            "histogram": {
                "aggregationTemporality": CUMULATIVE,
                "dataPoints": [{
                    "startTimeUnixNano": start,
                    "timeUnixNano": time,
                    "count": buckets.iter().sum::<u64>().to_string(),
                    "sum": seconds(u64::try_from(self.totals.sum_ns).unwrap_or(u64::MAX)),
                    "bucketCounts": buckets.map(|count| count.to_string()),
                    "explicitBounds": BOUNDS_NS.map(seconds),
                }],
            },
        }));
        json!({ "resourceMetrics": [{
            "resource": self.resource,
            "scopeMetrics": [{
                "scope": { "name": "loadgen", "version": env!("CARGO_PKG_VERSION") },
                "metrics": metrics,
            }],
        }] })
    }
}

impl Encode for Otlp {
    fn encode(&mut self, row: &Row, _: &RowReport) -> Vec<u8> {
        self.totals.add(row);
        let end_ns = u128::from(row.begin_ns) + u128::from(row.length_ns);
        self.request(self.begun_ns + end_ns).to_string().into_bytes()
    }
}

/// Returns what a collector that takes a part says of the rest.
pub(super) fn fault(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let partial = &answer["partialSuccess"];
    let rejected = match &partial["rejectedDataPoints"] {
        Value::String(number) => number.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    let why = partial["errorMessage"].as_str().unwrap_or("no reason given");
    (rejected > 0).then(|| format!("{rejected} numbers rejected: {why}"))
}

/// Returns a name for this process among all that send metrics.
fn instance(config: &Config, begun: Duration) -> String {
    let part = config.segment.map(|part| format!("-{}", part.index())).unwrap_or_default();
    format!("{}{part}-{}", config.seed, begun.as_millis())
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Things => "1",
        Unit::Bytes => "By",
        Unit::Time => "s",
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds to a nanosecond, for months")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_a_fault() {
        for fine in [
            "",
            "{}",
            "{\"partialSuccess\":{}}",
            "{\"partialSuccess\":{\"rejectedDataPoints\":\"0\"}}",
            "<p>",
        ] {
            assert_eq!(fault(fine), None, "{fine}");
        }
        for number in ["\"3\"", "3"] {
            let answer = format!(
                "{{\"partialSuccess\":{{\"rejectedDataPoints\":{number},\"errorMessage\":\"old\"}}}}"
            );
            assert_eq!(fault(&answer).unwrap(), "3 numbers rejected: old");
        }
    }
}
