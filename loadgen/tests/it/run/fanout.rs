//! `fanout`: publishers to subscribers through a server that loses, doubles, swaps, alters and delays
//! copies on purpose; what it did is what is counted.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, TEXT, assert_balanced, close, command, echo, failed, finish, frame, loadgen,
    read_frame, upgrade,
};
use loadgen::report::Report;

/// Connections by number.
type Room = Arc<Mutex<Vec<(usize, TcpStream)>>>;

/// Hands each message to `deliver`, with the connections that are to get it.
fn broadcaster(
    deliver: impl Fn(usize, &[u8], &mut [(usize, TcpStream)]) + Send + Sync + 'static,
) -> Scripted {
    let room = Room::default();
    let messages = AtomicU64::new(0);
    Scripted::start(move |mut stream, number| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) {
            return;
        }
        room.lock().unwrap().push((number, stream.try_clone().unwrap()));
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                let mut room = room.lock().unwrap();
                room.retain(|&(other, _)| other != number);
                stream.write_all(&frame(CLOSE, &payload)).ok();
                return;
            }
            let mut room = room.lock().unwrap();
            let place = room.iter().position(|&(other, _)| other == number).unwrap();
            let own = room.remove(place);
            let message = usize::try_from(messages.fetch_add(1, SeqCst)).unwrap();
            deliver(message, &payload, &mut room);
            room.push(own);
        }
        room.lock().unwrap().retain(|&(other, _)| other != number);
    })
}

fn send(stream: &mut TcpStream, payload: &[u8]) {
    stream.write_all(&frame(TEXT, payload)).ok();
}

fn fanout(server: &Scripted, args: &[&str]) -> crate::scripted::Ran {
    let url = server.url();
    loadgen(&[&["fanout", &url, "-q", "-o", "json=-"], args].concat())
}

fn found<'r>(report: &'r Report, name: &str) -> &'r loadgen::report::HistogramReport {
    report.histograms.iter().find(|found| found.metric == name).unwrap()
}

#[test]
fn d12_what_a_server_does_to_copies_is_counted_exactly() {
    let done: Arc<[AtomicU64; 4]> = Arc::default();
    let counters = Arc::clone(&done);
    let held = Mutex::new(Vec::new());
    // Of 60 messages every seventh copy of some is lost, some come twice, two are swapped, one is
    // altered, by the number of the connection.
    let server = broadcaster(move |message, payload, room| {
        let [lost, doubled, swapped, altered] = &*counters;
        for (number, stream) in room {
            match message {
                5 | 6 | 50 if (message + *number) % 3 == 0 => {
                    lost.fetch_add(1, SeqCst);
                }
                20 => {
                    send(stream, payload);
                    send(stream, payload);
                    doubled.fetch_add(1, SeqCst);
                }
                30 => *held.lock().unwrap() = payload.to_vec(),
                31 => {
                    send(stream, payload);
                    send(stream, &held.lock().unwrap());
                    swapped.fetch_add(1, SeqCst);
                }
                40 if *number % 2 == 0 => {
                    let mut payload = payload.to_vec();
                    *payload.last_mut().unwrap() ^= 1;
                    send(stream, &payload);
                    altered.fetch_add(1, SeqCst);
                }
                45 if *number % 2 == 1 => {
                    let mut payload = payload.to_vec();
                    payload[42] ^= 1; // of the time in it
                    send(stream, &payload);
                    altered.fetch_add(1, SeqCst);
                }
                _ => send(stream, payload),
            }
        }
    });
    {
        let args = ["-c", "9", "-R", "200", "-n", "60", "-t", "3", "--copy-timeout", "500ms"];
        let ran = fanout(&server, &args);
        assert_eq!(ran.code, Some(1));
        let report = ran.report();
        assert_balanced(&report);
        let fanout = report.fanout.as_ref().unwrap();
        let copies = &fanout.copies;
        let [lost, doubled, swapped, altered] = [0, 1, 2, 3].map(|n: usize| done[n].load(SeqCst));
        assert!(lost > 0 && altered > 0);
        assert_eq!((fanout.published, copies.counts.expected), (60, 540));
        assert_eq!((copies.counts.lost, copies.counts.duplicated), (lost, doubled), "{copies:?}");
        assert_eq!(
            (copies.counts.reordered, copies.counts.altered),
            (swapped, altered),
            "{copies:?}"
        );
        assert_eq!(copies.counts.received, 540 - lost - altered);
        assert_eq!(
            (copies.counts.stale, copies.counts.unexpected, copies.counts.foreign),
            (0, 0, 0)
        );
        assert_eq!(
            (fanout.complete, fanout.incomplete, fanout.silent),
            (Some(57), Some(3), Some(0))
        );
        assert_eq!(found(&report, "fanout.latency").count, copies.counts.received);
        assert_eq!(found(&report, "fanout.last").count, 60);
        assert_eq!(failed(&report, "message.duplicated"), doubled);
        assert_eq!(report.outcome.reasons.len(), 4, "{:?}", report.outcome.reasons);
    }
}

#[test]
fn first_last_and_spread_are_those_of_the_copies_whatever_thread_they_come_to() {
    // One copy at once, the last 80 ms later, the others between.
    let server = broadcaster(|_, payload, room| {
        let last = room.len() - 1;
        for (place, (_, stream)) in room.iter_mut().enumerate() {
            if place == 1 || place == last {
                thread::sleep(Duration::from_millis(40));
            }
            send(stream, payload);
        }
    });
    for threads in ["1", "3"] {
        let ran = fanout(&server, &["-c", "6", "-n", "5", "-t", threads]);
        ran.assert_went_well();
        let report = ran.report();
        assert_balanced(&report);
        let fanout = report.fanout.as_ref().unwrap();
        assert_eq!((fanout.complete, fanout.copies.counts.received), (Some(5), 30));
        let [first, last, spread, latency] =
            ["fanout.first", "fanout.last", "fanout.spread", "fanout.latency"]
                .map(|name| found(&report, name));
        assert!(first.min_ns < 40_000_000, "{}", first.min_ns);
        // The first may be read a little late.
        assert!(spread.max_ns >= 75_000_000, "{}", spread.max_ns);
        assert!(spread.max_ns <= last.max_ns, "{} {}", spread.max_ns, last.max_ns);
        assert!(last.min_ns >= 80_000_000, "{}", last.min_ns);
        // The first copy of all and the last of all are the shortest and the longest way.
        assert_eq!((first.min_ns, last.max_ns), (latency.min_ns, latency.max_ns));
    }
}

#[test]
fn a_closed_loop_goes_on_when_a_copy_never_comes() {
    let server = broadcaster(|_, payload, room| {
        room.iter_mut().skip(1).for_each(|(_, stream)| send(stream, payload));
    });
    let args = ["-c", "3", "-n", "4", "--copy-timeout", "100ms", "-t", "2"];
    let ran = fanout(&server, &args);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    assert_eq!((fanout.published, fanout.incomplete), (4, Some(4)));
    assert_eq!((fanout.copies.counts.expected, fanout.copies.counts.lost), (12, 4));
    assert!(ran.took < Duration::from_secs(30));
    // One that nobody ever answers is bounded too, and says that there was nothing.
    let silent = broadcaster(|_, _, _| {});
    let report = self::fanout(&silent, &args).report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    assert_eq!((fanout.silent, fanout.copies.counts.lost), (Some(4), 12));
    let said = report.outcome.reasons.last().unwrap();
    assert!(
        said.contains("no copies received: 4 messages published, and the server sent nothing"),
        "{said}"
    );
}

#[test]
fn copies_that_never_come_are_waited_for_after_the_measured_time() {
    // Who publishes hears it, and nobody else.
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = fanout(&server, &["-c", "4", "-d", "100ms", "-t", "2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.report();
    assert_balanced(&report);
    let drain = report.phases.drain.unwrap();
    assert!(drain.length_ns() > 300_000_000, "{:?}", report.phases);
}

#[test]
fn subscribers_that_go_are_expected_until_then_and_publishers_that_go_leave_it_said() {
    // The first connection is the publisher: after ten messages one subscriber is closed, after
    // twenty the publisher itself.
    let server = broadcaster(|message, payload, room| {
        for (place, (_, stream)) in room.iter_mut().enumerate() {
            send(stream, payload);
            if message == 9 && place == 0 {
                stream.write_all(&close(1001)).unwrap();
            }
        }
    });
    let args = ["-c", "4", "-R", "100", "-n", "30", "--copy-timeout", "300ms", "-t", "2"];
    let ran = fanout(&server, &args);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    assert_eq!(failed(&report, "server_close.1001"), 1);
    let fanout = report.fanout.as_ref().unwrap();
    let expected = fanout.copies.counts.expected;
    assert_eq!(fanout.published, 30);
    // Ten at least for the one that went, and no more than all.
    assert!((100..=120).contains(&expected), "{expected}");
}

#[test]
fn topics_are_apart_and_publishers_may_hear_themselves() {
    let serve = |extra: &[&str]| {
        let args = [&["serve", "broadcast", "--listen", "127.0.0.1:0", "-t", "2"], extra].concat();
        let mut child = command(&args).spawn().unwrap();
        let mut line = String::new();
        let stderr = child.stderr.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut line).unwrap();
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        (child, format!("ws://{address}/room"))
    };
    for (extra, overheard) in [(&[][..], 0), (&["--to-sender"][..], 60)] {
        let (mut child, url) = serve(extra);
        let ran = loadgen(&[
            "fanout",
            &url,
            "-c",
            "12",
            "--publishers",
            "3",
            "--topics",
            "3",
            "-n",
            "60",
            "-p",
            "4",
            "-s",
            "300",
            "-t",
            "2",
            "-q",
            "-o",
            "json=-",
        ]);
        child.kill().unwrap();
        child.wait().unwrap();
        ran.assert_went_well();
        let report = ran.report();
        assert_balanced(&report);
        let fanout = report.fanout.as_ref().unwrap();
        let copies = &fanout.copies;
        assert_eq!((fanout.topics, fanout.complete), (3, Some(60)));
        assert_eq!((copies.counts.expected, copies.counts.received), (240, 240));
        assert_eq!((copies.counts.overheard, copies.counts.unexpected), (overheard, 0));
    }
}

#[test]
fn d29_an_interrupted_fanout_says_what_was_measured() {
    let args = ["fanout", "-c", "20", "-R", "50", "-d", "50s", "-q"];
    let child = command(&args).spawn().unwrap();
    let id = child.id().to_string();
    thread::sleep(Duration::from_millis(1_500));
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    for part in [
        " fanout       1 publisher to 20 subscribers   1 topic   open loop 50.0 msg/s   64 B each",
        " messages     published ",
        " lost 0 ",
        "fanout.spread",
        "interrupted",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} in {}", ran.stdout);
    }
}
