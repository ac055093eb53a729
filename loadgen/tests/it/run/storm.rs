//! `--storm`: connections that are cut together, and how they come back.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::scripted::{CLOSE, Scripted, assert_balanced, frame, loadgen, read_frame, upgrade};
use loadgen::report::Report;

/// Stays until the client leaves.
fn hold(mut stream: TcpStream) {
    upgrade(&mut stream);
    while let Some((first, payload)) = read_frame(&mut stream) {
        if first == CLOSE {
            stream.write_all(&frame(CLOSE, &payload)).ok();
            return;
        }
    }
}

/// A server that refuses the first attempt of each of twenty that come back.
fn refusing_once() -> Scripted {
    Scripted::start(|mut stream, number| {
        if (40..60).contains(&number) {
            let head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head).ok();
            sleep(Duration::from_millis(20));
            return;
        }
        hold(stream);
    })
}

fn assert_is_the_truth(report: &Report) {
    assert_balanced(report);
    let storm = report.storm.unwrap();
    assert_eq!((storm.cut, storm.back), (20, 20), "{storm:?}");
    assert_eq!((storm.attempts, storm.wasted), (40, 20), "{storm:?}");
    // Two pauses of 200 ms, and what the attempts take.
    let times = [
        storm.back_50_percent_ns,
        storm.back_90_percent_ns,
        storm.back_99_percent_ns,
        storm.back_all_ns,
    ];
    let times = times.map(Option::unwrap);
    assert!(times.is_sorted() && times[0] >= 400_000_000, "{storm:?}");
    assert!(times[3] < 1_800_000_000, "they were back while load went on: {storm:?}");
    assert!(storm.attempts_per_s_max >= 20.0, "without jitter they come together: {storm:?}");
    let reconnect = report.reconnect.as_ref().unwrap();
    assert_eq!((reconnect.lost, reconnect.reestablished, reconnect.away), (20, 20, 0));
    assert_eq!((&*reconnect.losses[0].phase, &*reconnect.losses[0].code), ("run", "cut"));
    assert!(report.outcome.is_ok, "all came back: {:?}", report.outcome);
}

const STORM: [&str; 8] = [
    "-d",
    "3s",
    "--storm=50%@300ms",
    "--reconnect=200ms..200ms",
    "--jitter=none",
    "-o",
    "json=-",
    "-q",
];

#[test]
fn a_storm_is_told_as_it_was() {
    let server = refusing_once();
    let ran = loadgen(&[&["hold", &server.url(), "-c", "40", "-t", "2"][..], &STORM].concat());
    ran.assert_went_well();
    assert_is_the_truth(&ran.report());
}

#[test]
fn a_storm_over_processes_is_one() {
    let server = refusing_once();
    let url = server.url();
    let ran = loadgen(&[&["hold", &url, "-c", "40", "--processes", "2"][..], &STORM].concat());
    ran.assert_went_well();
    assert_is_the_truth(&ran.report());
}

#[test]
fn who_never_comes_back_is_said() {
    let server = Scripted::start(|stream, number| {
        if number < 15 {
            hold(stream); // ten, and five of those that come back
        }
    });
    let url = server.url();
    let ran = loadgen(&[
        "hold",
        &url,
        "-c",
        "10",
        "-d",
        "1s",
        "--storm",
        "all@100ms",
        "--reconnect=1ms..20ms",
    ]);
    assert_eq!(ran.code, Some(1), "five are away: {}", ran.stderr);
    let said = ran.stdout;
    assert!(said.contains(" storm        cut 10 of 10 at 0.100 s   back 50 % "), "{said}");
    assert!(!said.contains("back 50 % never"), "{said}");
    assert!(said.contains("90 % never   99 % never   100 % never"), "{said}");
    assert!(said.contains("run.cut 10"), "{said}");
}

#[test]
fn what_makes_no_storm_is_refused() {
    for (args, why) in [
        (&["--storm=50%@3s", "-d", "2s"][..], "not within the measured time of 2.00 s"),
        (&["--jitter=full"], "--jitter is for connections that are opened again"),
        (&["--storm=half@1s"], "\"half\" is no percentage"),
    ] {
        let ran = loadgen(&[&["hold", "ws://127.0.0.1:9/"][..], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    }
}
