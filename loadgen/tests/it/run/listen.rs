//! `listen`: messages that a server pushes; what of them is lost, doubled or out of order, and how
//! long they took.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use crate::scripted::{
    CLOSE, Scripted, TEXT, assert_balanced, close, failed, frame, loadgen, read_frame, upgrade,
};

/// Pushes these messages a millisecond apart, then answers the client's Close.
fn push(mut stream: TcpStream, texts: impl Iterator<Item = String>) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream) {
        return;
    }
    // Load begins once all connections are open; what is pushed before isn't measured.
    std::thread::sleep(Duration::from_millis(400));
    for text in texts {
        std::thread::sleep(Duration::from_millis(1));
        if stream.write_all(&frame(TEXT, text.as_bytes())).is_err() {
            return;
        }
    }
    while let Some((first, payload)) = read_frame(&mut stream) {
        if first == CLOSE {
            stream.write_all(&frame(CLOSE, &payload)).ok();
            return;
        }
    }
}

fn unix_ns() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}

fn stamped(sequence: u64) -> String {
    format!("push {sequence} {} and more", unix_ns())
}

fn listen(server: &Scripted, args: &[&str]) -> crate::scripted::Ran {
    let url = server.url();
    loadgen(&[&["listen", &url, "-q", "-o", "json=-", "-t", "2"], args].concat())
}

#[test]
fn pushed_messages_are_counted_and_have_latencies() {
    let server = Scripted::start(|stream, number| {
        // Each connection has sequences of its own.
        let first = number as u64 * 1_000;
        push(stream, (first..first + 100).map(stamped));
    });
    let ran = listen(&server, &["-c", "4", "-d", "2s"]);
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let push = report.push.as_ref().unwrap();
    assert_eq!(
        (push.counts.in_order, push.counts.lost, push.counts.foreign, push.counts.early),
        (400, 0, 0, 0)
    );
    assert!(push.clock.contains("CLOCK_REALTIME"));
    let found = |name| report.histograms.iter().find(|found| found.metric == name).unwrap();
    assert_eq!(found("push.latency").count, push.counts.inside);
    assert!(found("push.latency").max_ns < 60_000_000_000);
    let gap = found("push.gap");
    // Those that come in one read have none.
    assert!(gap.count + gap.below >= push.counts.inside - 4, "{gap:?}");
}

#[test]
fn d12_what_a_server_loses_doubles_and_swaps_is_counted_exactly() {
    let server = Scripted::start(|stream, _| {
        push(
            stream,
            // 10 and 11 are left out, 20 comes twice, 31 before 30, 80 after 150, which is too late.
            (0..200_u64)
                .flat_map(|sequence| match sequence {
                    10 | 11 | 31 | 80 => vec![],
                    20 => vec![20, 20],
                    30 => vec![31, 30],
                    150 => vec![150, 80],
                    sequence => vec![sequence],
                })
                .map(stamped),
        );
    });
    let ran = listen(&server, &["-c", "3", "-d", "2s"]);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    let push = report.push.as_ref().unwrap();
    assert_eq!(
        (push.counts.in_order, push.counts.reordered, push.counts.duplicated),
        (3 * 196, 3, 3)
    );
    assert_eq!(
        (push.counts.stale, push.counts.lost),
        (3, 9),
        "80 had been given up before it came"
    );
    for name in ["message.reordered", "message.duplicated", "message.stale"] {
        assert_eq!(failed(&report, name), 3, "{name}");
    }
    assert_eq!(
        report.outcome.reasons,
        ["9 messages lost", "6 messages received out of order", "3 messages received twice"]
    );
}

#[test]
fn messages_of_other_servers_are_counted_and_times_of_the_future_have_no_latency() {
    let server = Scripted::start(|stream, number| match number {
        0 => push(stream, (0..50).map(|n| format!(r#"{{"tick":{n}}}"#))),
        // Wrapped in something else, by a clock that is an hour ahead.
        _ => push(
            stream,
            (0..50).map(|n| format!(r#"{{"d":"push {n} {}"}}"#, unix_ns() + 3_600_000_000_000)),
        ),
    });
    let ran = listen(&server, &["-c", "2", "-d", "2s", "--threshold", "lost<1"]);
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let push = report.push.as_ref().unwrap();
    assert_eq!((push.counts.foreign, push.counts.in_order), (50, 50));
    assert!(push.counts.early > 0);
    assert!(!report.histograms.iter().any(|found| found.metric == "push.latency"));
}

#[test]
fn a_subscription_is_sent_once_the_connection_is_open() {
    let server = Scripted::start(|mut stream, _| {
        stream.set_nodelay(true).unwrap();
        assert!(upgrade(&mut stream));
        assert_eq!(read_frame(&mut stream), Some((TEXT, b"{\"op\":\"sub\"}".to_vec())));
        std::thread::sleep(Duration::from_millis(400));
        stream.write_all(&frame(TEXT, b"welcome")).unwrap();
        let (first, payload) = read_frame(&mut stream).unwrap();
        assert_eq!(first, CLOSE, "it is said once");
        stream.write_all(&frame(CLOSE, &payload)).unwrap();
    });
    let ran = listen(&server, &["-c", "2", "-d", "1s", "--subscribe", r#"{"op":"sub"}"#]);
    ran.assert_went_well();
    assert_eq!(ran.report().push.unwrap().counts.foreign, 2);
}

#[test]
fn silence_and_closes_fail_a_run_that_listens() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(&close(1008)).ok();
        while read_frame(&mut stream).is_some() {}
    });
    let ran = listen(&server, &["-c", "2", "-d", "50s"]);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    assert_eq!(failed(&report, "server_close.1008"), 2);
    assert!(report.outcome.reasons.contains(&"no messages received".to_owned()));
}

#[test]
fn the_embedded_server_pushes() {
    let ran = loadgen(&["listen", "-c", "10", "-d", "1s", "-q"]);
    ran.assert_went_well();
    for part in ["listen  embedded server", " lost 0 ", " clock        wall clocks", "push.latency"]
    {
        assert!(ran.stdout.contains(part), "{part:?} in {}", ran.stdout);
    }
}
