//! Writes the time series of a [`Report`] as comma-separated values (RFC 4180): a header, then a
//! line an interval. New columns come last, and behind them those of addresses: three for each
//! address of a name with several, with the address in their names; then those of a scenario's
//! steps and rules; then those of the watched process, if there was one.

use std::io::{self, Write};

use super::reach::add_addresses;
use super::{Report, RowReport};
use crate::metrics::{AddressCounts, IntervalCounts, StepInterval};
use crate::process::ProcessUsage;

/// Names of the columns that every run has, in order.
pub const HEAD: &str = "begin_ns,length_ns,open,established,failed,sent,received,wrong,p50_ns,p99_ns,\
    lost,reconnect_attempts,begin_unix_ms,p90_ns,p999_ns,max_ns";

/// Names of the columns of the watched process, with the comma before them.
const WATCHED: &str =
    ",watched.cpu_ns,watched.rss,watched.descriptors,watched.threads,watched.processes";

/// Writes the time series. Unknown values, such as a percentile of nothing, are empty.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut addresses = Vec::new();
    for url in &report.target.urls {
        add_addresses(&mut addresses, &url.by_address); // two URLs may name the same
    }
    write!(out, "{HEAD}")?;
    for shown in addresses.iter().map(|one| &one.address) {
        write!(out, ",established {shown},failed {shown},overtaken {shown}")?;
    }
    let scenario = report.scenario.as_ref();
    let steps = scenario.map_or(&[][..], |scenario| &scenario.steps);
    let rules = scenario.map_or(&[][..], |scenario| &scenario.rules);
    for step in steps {
        let name = &step.name;
        write!(out, ",step.{name}.ok,step.{name}.failed,step.{name}.mean_ns")?;
    }
    for rule in rules {
        write!(out, ",rule.{}.received", rule.name)?;
    }
    if report.watched.is_some() {
        write!(out, "{WATCHED}")?;
    }
    write!(out, "\r\n")?;
    for row in &report.time_series.rows {
        let RowReport { begin_ns, length_ns, open, counts, p50_ns, p99_ns, latency, .. } = row;
        let IntervalCounts { established, failed, lost, .. } = counts;
        let IntervalCounts { reconnect_attempts, sent, received, wrong, .. } = counts;
        let latencies = latency.as_ref().and_then(|latency| latency.distribution().ok());
        let percentile = |percentile| latencies.as_ref()?.percentile(percentile);
        let columns = [
            *p50_ns,
            *p99_ns,
            percentile(90.0),
            percentile(99.9),
            latency.as_ref().map(|latency| latency.max_ns),
        ]
        .map(|ns| ns.map(|ns| ns.to_string()).unwrap_or_default());
        let [median, p99, p90, p999, max] = columns;
        let begin_unix_ms = report.started_at_unix_ms.saturating_add(begin_ns / 1_000_000);
        write!(out, "{begin_ns},{length_ns},{open},{established},{failed},")?;
        write!(out, "{sent},{received},{wrong},{median},{p99},")?;
        write!(out, "{lost},{reconnect_attempts},")?;
        write!(out, "{begin_unix_ms},{p90},{p999},{max}")?;
        for one in &addresses {
            let mut counts = AddressCounts::default();
            let own = row.by_address.iter().filter(|own| own.address == one.address);
            own.for_each(|own| counts.add(&own.counts));
            let AddressCounts { established, failed, overtaken } = counts;
            write!(out, ",{established},{failed},{overtaken}")?;
        }
        for place in 0..steps.len() {
            let StepInterval { ok, failed, answered, service_ns } =
                row.steps.get(place).copied().unwrap_or_default();
            let mean_ns = service_ns.checked_div(answered).map(|ns| ns.to_string());
            write!(out, ",{ok},{failed},{}", mean_ns.unwrap_or_default())?;
        }
        for place in 0..rules.len() {
            write!(out, ",{}", row.rules.get(place).copied().unwrap_or(0))?;
        }
        match row.watched.filter(|_| report.watched.is_some()) {
            Some(ProcessUsage { cpu_ns, rss, descriptors, threads, processes }) => {
                let descriptors = descriptors.map(|open| open.to_string()).unwrap_or_default();
                write!(out, ",{cpu_ns},{rss},{descriptors},{threads},{processes}")?;
            }
            None if report.watched.is_some() => write!(out, ",,,,,")?,
            None => {}
        }
        write!(out, "\r\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Distribution, UrlCounts};
    use crate::report::{AddressReport, LatencyReport, UrlReport, sample};

    #[test]
    fn p8_each_address_has_its_columns() {
        let one = |address: &str, counts| AddressReport { address: address.into(), counts };
        let [opened, failed] = [AddressCounts::ESTABLISHED, AddressCounts::FAILED];
        let mut report = sample();
        let url = |by_address| UrlReport {
            url: "ws://h/".into(),
            is_for_publishers: false,
            addresses: Vec::new(),
            dns_ns: None,
            counts: UrlCounts::default(),
            by_address,
        };
        report.target.urls = vec![
            url(vec![one("10.0.0.1:80", opened), one("[::1]:80", failed)]),
            url(vec![one("10.0.0.1:80", opened)]),
        ];
        let row = |begin_ns, by_address| RowReport {
            begin_ns,
            length_ns: 1_000,
            open: 0,
            counts: IntervalCounts::default(),
            by_address,
            p50_ns: None,
            p99_ns: None,
            latency: None,
            steps: Vec::new(),
            rules: Vec::new(),
            watched: None,
        };
        let first = vec![one("[::1]:80", failed), one("10.0.0.1:80", opened)];
        let second = vec![one("10.0.0.1:80", opened), one("10.0.0.1:80", failed)];
        report.time_series.rows = vec![row(0, first), row(1_000, second), row(2_000, Vec::new())];
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let columns: Vec<Vec<_>> =
            text.lines().map(|line| line.split(',').skip(16).collect()).collect();
        let shown = [
            "established 10.0.0.1:80,failed 10.0.0.1:80,overtaken 10.0.0.1:80,\
             established [::1]:80,failed [::1]:80,overtaken [::1]:80",
            "1,0,0,0,1,0",
            "1,1,0,0,0,0",
            "0,0,0,0,0,0",
        ];
        assert_eq!(columns, shown.map(|line| line.split(',').collect::<Vec<_>>()));
    }

    #[test]
    fn m4_a_line_an_interval() {
        let mut report = sample();
        let row = RowReport {
            begin_ns: 0,
            length_ns: 1_000,
            open: 2,
            counts: IntervalCounts {
                established: 3,
                failed: 4,
                lost: 9,
                reconnect_attempts: 10,
                sent: 5,
                received: 6,
                wrong: 7,
            },
            by_address: Vec::new(),
            p50_ns: Some(8),
            p99_ns: None,
            latency: None,
            steps: Vec::new(),
            rules: Vec::new(),
            watched: None,
        };
        let mut latencies = Distribution::new();
        for us in 1..=1_000 {
            latencies.record(us * 1_000);
        }
        let second = RowReport {
            begin_ns: 1_500_000_000,
            p99_ns: Some(990_000),
            latency: LatencyReport::new(&latencies),
            ..row.clone()
        };
        report.started_at_unix_ms = 1_000;
        report.time_series.rows = vec![row, second];
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let mut lines = text.split("\r\n");
        assert_eq!(lines.next(), Some(HEAD));
        assert_eq!(lines.next(), Some("0,1000,2,3,4,5,6,7,8,,9,10,1000,,,"));
        let second: Vec<_> = lines.next().unwrap().split(',').collect();
        assert_eq!(
            second[..13],
            ["1500000000", "1000", "2", "3", "4", "5", "6", "7", "8", "990000", "9", "10", "2500"]
        );
        for (column, ns) in [(13, 900_000.0), (14, 999_000.0), (15, 1_000_000.0)] {
            let found: f64 = second[column].parse().unwrap();
            assert!((found - ns).abs() < ns / 100.0, "{column}: {found}");
        }
    }
}
