use std::io::Read;

use flate2::read::GzDecoder;

use super::*;
use crate::metrics::{Distribution, IntervalCounts, Metric};
use crate::report::load::parse;
use crate::report::sample::sample_of;
use crate::report::{
    CloseReasonReport, ErrorReport, HistogramReport, LatencyReport, RowReport, sample,
};

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A run of so many seconds, at 1,000 messages a second, whose latencies are spread.
fn long(seconds: u64) -> Report {
    let mut report = sample_of("run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s -R 1000");
    let mut all = Distribution::new();
    let row = |second: u64| {
        let mut latencies = Distribution::new();
        for message in 0..1_000_u64 {
            let ns = 50_000 + (message * message * 37 + second * 7_919) % 900_000;
            latencies.record(ns);
            all.record(ns);
        }
        RowReport {
            begin_ns: second * 1_000_000_000,
            length_ns: 1_000_000_000,
            open: 2,
            counts: IntervalCounts { sent: 1_000, received: 1_000, ..IntervalCounts::default() },
            p50_ns: latencies.percentile(50.0),
            p99_ns: latencies.percentile(99.0),
            latency: LatencyReport::new(&latencies),
            by_address: Vec::new(),
            rules: Vec::new(),
            watched: None,
            steps: Vec::new(),
        }
    };
    report.time_series.rows = (0..seconds).map(row).collect();
    report.histograms = vec![
        HistogramReport::new(Metric::RttResponse, &all),
        HistogramReport::new(Metric::RttService, &all),
        HistogramReport::new(Metric::SendLag, &all),
    ];
    report
}

/// Returns the result that a page carries.
fn carried(page: &str) -> Report {
    let (_, rest) = page.split_once("data:application/gzip;base64,").unwrap();
    let (data, _) = rest.split_once('"').unwrap();
    let data = STANDARD.decode(data).unwrap();
    let mut text = String::new();
    GzDecoder::new(&data[..]).read_to_string(&mut text).unwrap();
    parse(&text).unwrap()
}

#[test]
fn a_page_has_every_section_of_a_run() {
    let page = written(&long(20));
    for title in [
        "Over time",
        "Messages a second",
        "Connections open",
        "Latency by percentile",
        "Opening a connection",
        "All latencies",
        "Counts",
        "Closings",
        "This client",
        "Configuration",
        "Again",
    ] {
        let is_there = page.contains(&format!("<h2>{title}</h2>"))
            || page.contains(&format!("<h3>{title}</h3>"));
        assert_eq!(is_there, title != "Opening a connection", "{title}");
    }
    assert!(written(&sample()).contains("<h2>Opening a connection</h2>"));
    assert!(page.contains(r#"class="plan""#), "the planned rate");
    assert!(page.contains(r#"class="h5""#), "the heat map");
}

#[test]
fn a_page_makes_no_request_and_has_no_script() {
    let page = written(&long(20));
    assert!(page.contains(r#"content="default-src 'none'; style-src 'unsafe-inline'""#));
    for word in
        ["<script", "javascript:", "src=", "url(", "@import", "<link", "http://", "https://"]
    {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn ten_minutes_are_below_200_kb() {
    let report = long(600);
    let page = written(&report);
    assert!(page.len() < 200_000, "{}", page.len());
    assert_eq!(carried(&page).histograms, report.histograms);
}

#[test]
fn a_page_carries_its_result() {
    let mut report = long(3);
    report.host.descriptors_max = Some(1_024);
    assert_eq!(carried(&written(&report)), report);
}

/// Whatever a server, a file or a user wrote, in every place where it may stand.
#[test]
fn hostile_text_is_text() {
    const HOSTILE: &str =
        "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}evil\u{0}";
    let mut report = long(3);
    let text = || HOSTILE.to_owned();
    report.command = text();
    report.generator.name = text();
    report.target.url = text();
    report.config.labels = vec![crate::report::Label { key: text(), value: text() }];
    report.config.subprotocols = vec![text()];
    report.config.origin = Some(text());
    report.config.header_names = vec![text()];
    report.host.system = text();
    report.notes = vec![text()];
    report.imbalances = vec![text()];
    report.outcome.reasons = vec![text()];
    report.outcome.left_to_thresholds = vec![text()];
    report.verdict.reasons = vec![text()];
    report.errors = vec![ErrorReport {
        phase: text(),
        code: text(),
        count: 1,
        sample: HOSTILE.repeat(20_000),
        other_samples: vec![text()],
    }];
    report.closings[0].reasons = vec![CloseReasonReport { reason: Some(text()), count: 1 }];
    report.histograms[0].description = text();
    let page = written(&report);
    assert!(!page.contains("<script") && !page.contains("<img"), "markup");
    for c in ['\u{202e}', '\u{0}'] {
        let found = page.split_once(c).map(|(before, _)| &before[before.len() - 200..]);
        assert_eq!(found, None, "{c:?}");
    }
    assert!(page.len() < 200_000, "{}", page.len());
    assert!(page.matches("&lt;script&gt;").count() > 15);
}

#[test]
fn a_run_that_never_connected_has_a_page() {
    let mut report = sample();
    report.histograms.clear();
    report.connections.established = 0;
    report.outcome.is_ok = false;
    let page = written(&report);
    assert!(page.contains("failed") && !page.contains("<h2>Over time</h2>"), "{page}");
}
