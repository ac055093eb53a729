//! The result file: it follows the published schema, its histograms are readable by others, and it
//! says what the text says.

use crate::scripted::{Scripted, echo, failed, loadgen, run_against};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

pub(super) fn assert_follows_schema(result: &str) {
    let schema: Value = serde_json::from_str(include_str!("../../../report.schema.json")).unwrap();
    let result: Value = serde_json::from_str(result).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&result).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn results_of_every_kind_follow_the_schema() {
    let server = Scripted::start(|stream, number| {
        if number % 5 != 4 {
            echo(stream, |_, _, _| None);
        }
    });
    let throwing = Scripted::start(|mut stream, number| {
        if number % 3 != 2 {
            crate::scripted::upgrade(&mut stream);
        }
    });
    let url = server.url();
    for args in [
        &["run", &url, "-c", "5", "-d", "200ms"][..],
        &[
            "run", &url, "-c", "5", "-d", "200ms", "-R", "500", "-w", "100ms", "--label", "a=b",
            "-C", "1k",
        ],
        &[
            "run",
            &url,
            "-c",
            "5",
            "-d",
            "200ms",
            "-H",
            "X-Secret: hidden",
            "--origin",
            "http://o",
            "-m",
            "hi",
        ],
        &["connect", &url, "-c", "2", "-d", "200ms", "--threshold", "opened>1"],
        &["connect", &url, "-c", "2", "--stage", "200ms:50", "--arrivals", "poisson"],
        &["run", &url, "-c", "5", "-R", "9/conn", "--stage", "200ms:0", "-s", "1..99"],
        &["run", &url, "-c", "5", "-d", "200ms", "-m", "{seq}", "--fragment", "2"],
        &["run", &url, "-c", "9", "-d", "200ms", "--slow", "2:4k", "--bad", "half-open:20%"],
        &["hold", &url, "-c", "5", "-d", "200ms"],
        &[
            "run",
            &url,
            "-c",
            "5",
            "-d",
            "200ms",
            "--ping-interval",
            "50ms",
            "--reply-timeout",
            "1s",
        ],
        &["hold", &throwing.url(), "-c", "5", "-d", "200ms", "--reconnect=1ms..9ms"],
        &["hold", &url, "-c", "5", "-d", "200ms", "--ping-interval", "50ms"],
        &["listen", "-c", "5", "-d", "300ms"],
        &["fanout", "-c", "5", "-d", "300ms"],
        &["run", "ws://127.0.0.1:9/", "-c", "2"],
        &["run", "-c", "2", "-d", "200ms"],
        &["run", "-c", "2", "-d", "200ms", "--deflate", "--deflate-level", "1"],
    ] {
        let ran = loadgen(&[args, &["-o", "json=-", "-q"]].concat());
        assert_follows_schema(&ran.stdout);
        assert!(!ran.stdout.contains("hidden"), "values of headers may be secrets");
        let report = ran.report();
        assert!(report.client.workers.len() as u64 <= report.config.threads);
    }
}

#[test]
fn the_schema_refuses_what_is_not_a_result() {
    let schema: Value = serde_json::from_str(include_str!("../../../report.schema.json")).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = run_against(&server, &["-c", "1", "-d", "50ms"]);
    let mut result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(jsonschema::is_valid(&schema, &result));
    result["verdict"]["state"] = "fine".into();
    assert!(!jsonschema::is_valid(&schema, &result));
}

#[test]
fn histograms_are_read_back_by_the_hdrhistogram_format() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = run_against(&server, &["-c", "2", "-d", "200ms"]);
    for found in ran.report().histograms {
        let data = STANDARD.decode(&found.data).unwrap();
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &data[..]).unwrap();
        assert_eq!(histogram.len(), found.count, "{}", found.metric);
        assert_eq!(Some(histogram.value_at_percentile(99.0)), found.percentile(99.0));
        assert_eq!(histogram.high(), 600_000_000_000);
    }
}

#[test]
fn the_time_series_adds_up_to_the_whole() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let report = run_against(&server, &["-c", "2", "-R", "500", "-d", "2200ms"]).report();
    let rows = &report.time_series.rows;
    assert!(rows.len() >= 3, "{rows:?}");
    assert_eq!(rows.iter().map(|row| row.counts.sent).sum::<u64>(), 1_100);
    assert_eq!(rows.iter().map(|row| row.counts.received).sum::<u64>(), 1_100);
    assert_eq!(rows.iter().map(|row| row.counts.established).sum::<u64>(), 2);
    assert!(rows.windows(2).all(|pair| pair[0].begin_ns + pair[0].length_ns == pair[1].begin_ns));
}

#[test]
fn a_file_and_the_text_say_the_same() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let path = std::env::temp_dir().join(format!("loadgen-{}.json", std::process::id()));
    let out = format!("json={}", path.display());
    let ran =
        loadgen(&["run", &server.url(), "-c", "2", "-n", "1234", "-o", &out, "-q", "-t", "1"]);
    let result = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_follows_schema(&result);
    for part in [
        "run  ws://127.0.0.1:",
        " connections  2 / 2 open",
        "sent 1,234   received 1,234   lost 0   achieved ",
        "  connect.upgrade ",
        "  rtt.service ",
        "  close.handshake ",
        " close        1000 by client, clean: 2\n",
        " client       cpu ",
        "-> ",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\x1b'), "no terminal, no colours");
    assert_eq!(ran.stderr, "", "quiet");
}

#[test]
fn the_embedded_server_is_said_to_be_one() {
    let ran = loadgen(&["run", "-c", "10", "-d", "300ms", "-q"]);
    ran.assert_went_well();
    assert!(ran.stdout.contains("run  embedded server ws://127.0.0.1:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("10 / 10 open"), "{}", ran.stdout);
}

#[test]
fn d28_a_disk_that_is_full_is_an_error_with_a_name_and_the_text_is_printed_all_the_same() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let ran = loadgen(&["run", &url, "-c", "1", "-d", "50ms", "-o", "json=/dev/full", "-q"]);
    assert_eq!(ran.code, Some(1));
    let line = ran.error_line();
    assert!(line.starts_with("the result could not be written to /dev/full: "), "{line}");
    assert!(ran.stdout.contains("1 / 1 open"), "{}", ran.stdout);
}

#[test]
fn the_same_seed_sends_the_same() {
    let (sender, received) = std::sync::mpsc::channel();
    let server = Scripted::start(move |stream, number| {
        let sender = sender.clone();
        echo(stream, move |message, _, payload| {
            sender.send((number, message, payload.to_vec())).unwrap();
            None
        });
    });
    let of_run = |threads: &str| {
        let report = loadgen(&[
            "run",
            &server.url(),
            "-c",
            "3",
            "-n",
            "30",
            "--seed",
            "7",
            "-t",
            threads,
            "-q",
            "-o",
            "json=-",
        ])
        .report();
        assert_eq!(failed(&report, "message.altered"), 0);
        // By what they are, not by when they came.
        let mut payloads: Vec<_> = received.try_iter().map(|(_, _, payload)| payload).collect();
        payloads.sort();
        payloads
    };
    let one = of_run("1");
    assert_eq!(one.len(), 30);
    assert_eq!(one, of_run("3"));
}

#[test]
fn phases_are_told_on_stderr_if_that_is_wanted() {
    let ran = loadgen(&["run", "-c", "3", "-d", "200ms", "-w", "100ms", "-v"]);
    ran.assert_went_well();
    let at = |what: &str| ran.stderr.find(what).unwrap_or_else(|| panic!("{what}: {}", ran.stderr));
    let places = [
        at(" s  3 of 3 connections open, 0 failed\n"),
        at(" s  warm-up from 0."),
        at(" s  all connections have ended\n"),
    ];
    assert!(places.is_sorted(), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("loadgen "), "stdout is data: {}", ran.stdout);
    let ran = loadgen(&["run", "-d", "200ms", "-v", "-q"]);
    assert!(ran.error_line().contains("cannot be used with"), "{}", ran.stderr);
}

/// The last row of the time series has the connections that were open before this side closed them.
#[test]
fn m3_last_row_is_before_closing() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    for command in ["run", "hold"] {
        let args = [command, &url, "-c", "3", "-t", "2", "-d", "1200ms", "-q", "-o", "json=-"];
        let report = loadgen(&args).report();
        let open: Vec<_> = report.time_series.rows.iter().map(|row| row.open).collect();
        assert_eq!(open, [3, 3], "{command}");
    }
}
