//! Several processes that are one run: the same messages on the same connections, begun together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::scripted::{Ran, Scripted, assert_balanced, command, echo, finish, loadgen};
use loadgen::report::Report;

/// How often each payload was received.
type Received = Arc<Mutex<BTreeMap<Vec<u8>, u64>>>;

/// An echo server, and how often it has received each payload.
fn recording() -> (Scripted, Received) {
    let received = Received::default();
    let record = Arc::clone(&received);
    let server = Scripted::start(move |stream, _| {
        echo(stream, |_, _, payload| {
            *record.lock().unwrap().entry(payload.to_vec()).or_default() += 1;
            None
        });
    });
    (server, received)
}

/// Runs segments of these numbers of threads at the same time.
fn segments(args: &[&str], threads: &[&str]) -> Vec<Report> {
    let begun: Vec<_> = (1..=threads.len())
        .map(|index| {
            let segment = format!("{index}/{}", threads.len());
            let own = ["--segment", &segment, "-t", threads[index - 1], "-q", "-o", "json=-"];
            command(&[args, &own].concat()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<Ran> = begun.into_iter().map(finish).collect();
    for ran in &ended {
        assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    }
    ended.iter().map(Ran::report).collect()
}

#[test]
fn ten_segments_send_what_one_process_sends() {
    for load in [&["run", "-R", "2k", "-n", "333"][..], &["run", "-n", "333", "-p", "3"]] {
        let (server, received) = recording();
        let url = server.url();
        let args = [load, &[&url, "-c", "23", "-s", "40", "--seed", "7"]].concat();
        let whole = loadgen(&[&args[..], &["-t", "2", "-q", "-o", "json=-"]].concat()).report();
        assert_eq!(whole.messages.unwrap().measured.received, 333);
        let of_one = std::mem::take(&mut *received.lock().unwrap());
        assert_eq!(of_one.len(), 333);
        let threads = ["1", "2", "1", "4", "1", "1", "2", "1", "1", "1"];
        let parts = segments(&args, &threads);
        assert_eq!(*received.lock().unwrap(), of_one, "{load:?}");
        for (place, part) in parts.iter().enumerate() {
            assert_balanced(part);
            assert!(part.outcome.is_ok, "{:?}", part.outcome);
            let share = if place < 3 { 3 } else { 2 };
            assert_eq!(part.connections.established, share, "{place}: the rest is spread");
            assert_eq!(part.connections_planned(), share);
        }
        let sum = |of: fn(&Report) -> u64| parts.iter().map(of).sum::<u64>();
        assert_eq!(sum(|part| part.connections.established), 23);
        assert_eq!(sum(|part| part.messages.as_ref().unwrap().measured.sent), 333);
        if let Some(rate) = whole.config.rate_per_s {
            let offered = parts.iter().filter_map(|part| part.messages.as_ref()?.offered_per_s);
            assert!((offered.sum::<f64>() - rate).abs() < 1e-6);
        }
    }
}

#[test]
fn connections_of_a_number_are_shared_out() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let parts =
        segments(&["connect", &url, "-c", "4", "-n", "31", "-C", "500", "--seed", "1"], &["1"; 4]);
    let opened: Vec<_> = parts.iter().map(|part| part.connections.established).collect();
    assert_eq!(opened, [8, 8, 8, 7]);
}

#[test]
fn a_time_to_begin_at_and_a_ramp_put_segments_in_step() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = since_1970 + Duration::from_secs(4);
    let at_text = format!("{}.{:03}", at.as_secs(), at.subsec_millis());
    let parts = segments(
        &[
            "run",
            &url,
            "-c",
            "4",
            "-n",
            "20",
            "-R",
            "200",
            "--seed",
            "1",
            "--start-at",
            &at_text,
            "--ramp",
            "1s",
        ],
        &["1", "2"],
    );
    for part in parts {
        assert_eq!(u128::from(part.started_at_unix_ms), at.as_millis());
        assert_eq!(part.config.start_at_unix_ms, Some(part.started_at_unix_ms));
        assert_eq!(part.config.ramp_ns, Some(1_000_000_000));
        let is_late = part.verdict.reasons.iter().any(|reason| reason.contains("--ramp"));
        let measured = part.phases.measured.unwrap();
        let late_ns = measured.begin_ns - 1_000_000_000;
        assert!(late_ns <= measured.length_ns() / 50 || is_late, "{measured:?}");
        assert_balanced(&part);
    }
}

#[test]
fn a_ramp_that_is_too_short_is_said() {
    let server = Scripted::start(|stream, _| {
        std::thread::sleep(Duration::from_millis(300));
        echo(stream, |_, _, _| None);
    });
    let url = server.url();
    let ran = loadgen(&["run", &url, "-c", "1", "-n", "5", "--ramp", "10ms", "-q", "-o", "json=-"]);
    let report = ran.report();
    let said = report.verdict.reasons.iter().any(|reason| reason.contains("later than --ramp"));
    assert!(said, "{:?}", report.verdict);
}

#[test]
fn what_segments_cannot_be() {
    let url = "ws://127.0.0.1:9/";
    for (args, why) in [
        (&["--segment", "0/3"][..], "counted from 1"),
        (&["--segment", "4/3"], "the last is 3/3"),
        (&["--segment", "3"], "use i/N, such as 1/10"),
        (&["--segment", "1/3"], "--segment needs --seed N, the same for all segments"),
        (&["--segment", "1/3", "--seed", "1", "-c", "2"], "too few for 3 segments"),
        (
            &["--segment", "1/3", "--seed", "1", "--threshold", "lost==0"],
            "give it to loadgen merge",
        ),
        (&["--start-at", "2020-01-01T00:00:00Z"], "in the past; use a later time"),
        (&["--start-at", "tomorrow"], "use a time like 2026-11-21T14:00:00Z"),
        (&["--start-at", "+25h"], "1.0 days ahead"),
        (&["--ramp", "-1s"], "can't be negative"),
    ] {
        let ran = loadgen(&[&["run", url], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.error_line().contains(why), "{args:?}: {}", ran.stderr);
    }
}

/// Connections of each segment take all URLs in turn, however many segments and URLs there are.
#[test]
fn m2_segments_spread_over_urls() {
    let servers = [(); 2].map(|()| Scripted::start(|stream, _| echo(stream, |_, _, _| None)));
    let urls = servers.each_ref().map(Scripted::url);
    let args = ["hold", &urls[0], &urls[1], "-c", "8", "-d", "50ms", "--seed", "7"];
    for part in segments(&args, &["1", "1"]) {
        let established: Vec<_> =
            part.target.urls.iter().map(|url| url.counts.established).collect();
        assert_eq!(established, [2, 2]);
    }
}
