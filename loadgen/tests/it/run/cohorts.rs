//! Clients that misbehave beside healthy ones: each does what its name says, the server's end of it
//! is counted, and nothing of it is among the healthy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scripted::{CLOSE, PING, Scripted, TEXT, assert_balanced, close, frame, loadgen};
use crate::scripted::{read_frame, read_head, run_against, upgrade};
use loadgen::report::{CohortReport, Report};

/// Echoes to whoever finishes a request.
fn honest() -> Scripted {
    Scripted::start(|mut stream, _| {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        if head.ends_with("\r\n\r\n") {
            stream.write_all(crate::scripted::accepting(&head).as_bytes()).unwrap();
            serve(stream);
        }
    })
}

/// The only cohort, and that its books are right, as those of the healthy ones.
fn cohort(report: &Report) -> &CohortReport {
    assert_balanced(report);
    let [cohort] = report.cohorts.as_slice() else { panic!("{:?}", report.cohorts) };
    assert_eq!(cohort.attempted, cohort.completed + cohort.failed);
    let failed: u64 = cohort
        .errors
        .iter()
        .filter(|error| error.phase != "message")
        .map(|error| error.count)
        .sum();
    assert_eq!(cohort.failed, failed);
    let closed: u64 = cohort.closings.iter().map(|closing| closing.count).sum();
    assert_eq!(cohort.established, closed);
    if let Some(counts) = &cohort.messages {
        assert_eq!(counts.sent, counts.received + counts.altered + counts.lost);
    }
    cohort
}

fn error(cohort: &CohortReport, name: &str) -> u64 {
    let found =
        cohort.errors.iter().find(|error| format!("{}.{}", error.phase, error.code) == name);
    found.map_or(0, |error| error.count)
}

#[test]
fn slow_readers_are_slow_and_in_no_latency_of_the_healthy() {
    // What the sockets hold is more than a slow reader takes in all its time.
    let server = honest();
    let args = [
        "-c",
        "10",
        "--slow",
        "20%:2KB/s",
        "-R",
        "20/conn",
        "-s",
        "1k",
        "-d",
        "2s",
        "--drain-timeout",
        "200ms",
        "--close-timeout",
        "500ms",
    ];
    let report = run_against(&server, &args).report();
    let slow = cohort(&report);
    assert_eq!((report.connections.attempted, slow.attempted, slow.established), (8, 2, 2));
    assert_eq!((slow.conduct.as_str(), slow.read_bytes_per_s), ("slow", Some(2_048)));
    let healthy = &report.messages.as_ref().unwrap().measured;
    assert_eq!((healthy.sent, healthy.lost), (320, 0), "8 connections, 20 a second each");
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    // Two connections read 2 KB a second each for some seconds, and messages are as large as half
    // of that.
    let counts = slow.messages.as_ref().unwrap();
    assert_eq!(counts.sent, 80, "they send as often as the others");
    assert!(slow.bytes.received < 2 * 2_048 * 5, "{:?}", slow.bytes);
    assert!((1..40).contains(&counts.received) && counts.lost >= 40, "{counts:?}");
    let p50 = |found: &[loadgen::report::HistogramReport]| {
        let found = found.iter().find(|found| found.metric == "rtt.response").unwrap();
        found.percentile(50.0).unwrap()
    };
    assert!(p50(&slow.histograms) > 300_000_000, "{}", p50(&slow.histograms));
    assert!(p50(&report.histograms) < 100_000_000, "{}", p50(&report.histograms));
}

#[test]
fn half_open_connections_stay_or_are_ended_by_the_server() {
    for (ending, code, kept) in
        [("none", "", 2), ("eof", "handshake.eof", 0), ("408", "http.408", 0)]
    {
        let server = Scripted::start(move |mut stream, _| {
            let mut head = Vec::new();
            let mut byte = [0];
            stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    Ok(_) => return,
                    Err(_) => {
                        assert!(head.starts_with(b"GET ") && head.len() > 50, "half of a request");
                        match ending {
                            "eof" => return,
                            "408" => {
                                let said = b"HTTP/1.1 408 Request Timeout\r\n\r\n";
                                return stream.write_all(said).unwrap();
                            }
                            _ => {} // goes on waiting
                        }
                    }
                }
            }
            let head = String::from_utf8(head).unwrap();
            stream.set_read_timeout(None).unwrap();
            stream.write_all(crate::scripted::accepting(&head).as_bytes()).unwrap();
            serve(stream);
        });
        let args = ["-c", "6", "--bad", "half-open:2", "-R", "100", "-d", "600ms"];
        let report = run_against(&server, &args).report();
        let half_open = cohort(&report);
        assert_eq!((half_open.attempted, half_open.established), (2, 0));
        assert_eq!(half_open.completed, kept, "{ending}: {half_open:?}");
        assert_eq!(error(half_open, code), 2 - kept, "{ending}: {half_open:?}");
        assert_eq!(report.connections.completed, 4);
        // Its exit code may say that the client was late on a busy machine.
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
    }
}

/// Echoes on a connection that is open.
fn serve(mut stream: TcpStream) {
    while let Some((first, payload)) = read_frame(&mut stream) {
        let is_written = stream.write_all(&frame(first, &payload)).is_ok();
        if first == CLOSE || !is_written {
            return;
        }
    }
}

#[test]
fn a_slow_head_comes_at_a_byte_a_second() {
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let server = Scripted::start(move |mut stream, _| {
        let begin = Instant::now();
        let mut head = Vec::new();
        let mut piece = [0; 1_024];
        loop {
            let len = stream.read(&mut piece).unwrap_or(0);
            head.extend_from_slice(&piece[..len]);
            if len == 0 || head.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        if head.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8(head).unwrap();
            stream.write_all(crate::scripted::accepting(&head).as_bytes()).unwrap();
            serve(stream);
        } else {
            sender.lock().unwrap().send((head.len(), begin.elapsed())).unwrap();
        }
    });
    let report =
        run_against(&server, &["-c", "3", "--bad", "slow-head:1", "-R", "50", "-d", "2500ms"])
            .report();
    let slow = cohort(&report);
    assert_eq!((slow.attempted, slow.completed), (1, 1));
    let (len, took) = seen.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!((2..=4).contains(&len), "{len} bytes in {took:?}");
    assert_eq!(slow.bytes.sent, len as u64);
}

#[test]
fn never_pong_answers_no_ping_and_is_thrown_out() {
    let pongs = std::sync::Arc::new(Mutex::new((0, 0)));
    let counter = std::sync::Arc::clone(&pongs);
    let server = Scripted::start(move |mut stream, _| {
        upgrade(&mut stream);
        stream.write_all(&frame(PING, b"?")).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // A healthy client answers before anything else.
        let mut first = [0];
        if stream.peek(&mut first).is_err() {
            counter.lock().unwrap().1 += 1;
            stream.set_read_timeout(None).unwrap();
            stream.write_all(&close(4_008)).unwrap();
            return sleep(Duration::from_millis(200));
        }
        stream.set_read_timeout(None).unwrap();
        if read_frame(&mut stream).is_some_and(|(first, _)| first == 0x8a) {
            counter.lock().unwrap().0 += 1;
        }
        serve(stream);
    });
    let args = ["-c", "6", "--bad", "never-pong:2", "-R", "100", "-d", "1200ms"];
    let report = run_against(&server, &args).report();
    let never = cohort(&report);
    assert_eq!(*pongs.lock().unwrap(), (4, 2));
    assert_eq!((never.established, never.pings), (2, 2));
    assert_eq!(error(never, "server_close.4008"), 2, "{never:?}");
    let closing = &never.closings[0];
    assert_eq!((closing.by.name(), closing.code, closing.is_clean), ("server", 4_008, false));
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
}

#[test]
fn fragments_of_one_byte_are_messages_like_any_other() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        let mut message = Vec::new();
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                return stream.write_all(&frame(CLOSE, &payload)).unwrap();
            }
            message.extend_from_slice(&payload);
            if first & 0x80 != 0 {
                // Echoed in one frame: what is verified is the message.
                stream.write_all(&frame(TEXT, &std::mem::take(&mut message))).unwrap();
            }
        }
    });
    let report =
        run_against(&server, &["-c", "4", "--bad", "fragments:25%", "-R", "80", "-d", "1s"])
            .report();
    let fragments = cohort(&report);
    let counts = fragments.messages.as_ref().unwrap();
    assert_eq!((counts.sent, counts.received), (27, 27), "a third of 80, on one connection");
    // 64 frames of 7 bytes instead of one of 70.
    assert!(fragments.bytes.sent > 26 * 64 * 7, "{:?}", fragments.bytes);
    assert_eq!(report.messages.as_ref().unwrap().measured.received, 80);
}

#[test]
fn never_close_sends_none_and_answers_none() {
    for server_closes in [false, true] {
        let (sender, seen) = channel();
        let sender = Mutex::new(sender);
        let server = Scripted::start(move |mut stream, _| {
            let head = read_head(&mut stream);
            stream.write_all(crate::scripted::accepting(&head).as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut first = [0];
            // One that says nothing is one of the cohort.
            if stream.peek(&mut first).is_ok() {
                stream.set_read_timeout(None).unwrap();
                return serve(stream);
            }
            if server_closes {
                stream.write_all(&close(1_001)).unwrap();
            }
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).ok();
            sender.lock().unwrap().send(rest).unwrap();
        });
        let args = [
            "-c",
            "4",
            "--bad",
            "never-close:2",
            "-R",
            "100",
            "-d",
            "1200ms",
            "--close-timeout",
            "400ms",
        ];
        let ran = run_against(&server, &args);
        let report = ran.report();
        let never = cohort(&report);
        assert_eq!(never.established, 2);
        let closing = &never.closings[0];
        if server_closes {
            assert_eq!(error(never, "server_close.1001"), 2, "{never:?}");
            assert_eq!((closing.by.name(), closing.code), ("server", 1_001));
        } else {
            assert_eq!(never.completed, 2, "{never:?}");
            assert_eq!((closing.by.name(), closing.code), ("client", 1_006));
        }
        for _ in 0..2 {
            let rest = seen.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(rest, b"", "not a frame");
        }
        assert!(ran.took < crate::scripted::EARLY, "{:?}", ran.took);
    }
}

#[test]
fn all_at_once_on_two_threads_with_a_number_and_interrupted() {
    let server = honest();
    let url = server.url();
    let cohorts = [
        "-c",
        "40",
        "--slow",
        "10%:8k",
        "--bad",
        "half-open:10%",
        "--bad",
        "slow-head:2",
        "--bad",
        "never-pong:5%",
        "--bad",
        "fragments:5%",
        "--bad",
        "never-close:5%",
        "-t",
        "2",
        "-q",
    ];
    let args = [&["run", &url, "-n", "300", "-d", "60s", "-o", "json=-"][..], &cohorts].concat();
    let ran = loadgen(&args);
    let report = ran.report();
    assert_eq!(report.imbalances, [""; 0]);
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    assert_eq!(report.messages.as_ref().unwrap().measured.received, 300);
    let planned: Vec<_> =
        report.cohorts.iter().map(|cohort| (cohort.conduct.as_str(), cohort.attempted)).collect();
    let as_asked = [
        ("slow", 4),
        ("half-open", 4),
        ("slow-head", 2),
        ("never-pong", 2),
        ("fragments", 2),
        ("never-close", 2),
    ];
    assert_eq!(planned, as_asked);
    assert_eq!(report.connections.attempted, 24);
    assert!(ran.took < crate::scripted::EARLY, "it ends with its messages: {:?}", ran.took);

    let args = [&["run", &url, "-d", "60s"][..], &cohorts].concat();
    let child = crate::scripted::command(&args).spawn().unwrap();
    sleep(Duration::from_millis(1_500));
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let ran = crate::scripted::finish(child);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    for (name, _) in as_asked {
        assert!(ran.stdout.contains(&format!(" cohort       {name} ")), "{name}\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("fault of this program"), "{}", ran.stdout);
    assert!(ran.took < crate::scripted::EARLY, "{:?}", ran.took);
}

#[test]
fn segments_of_cohorts_are_merged_like_the_rest() {
    let server = honest();
    let url = server.url();
    let file = |index: u32| {
        let name = format!("loadgen-cohorts-{}-{index}.json", std::process::id());
        std::env::temp_dir().join(name).display().to_string()
    };
    for index in [1, 2] {
        let (segment, out) = (format!("{index}/2"), format!("json={}", file(index)));
        let ran = loadgen(&[
            "run",
            &url,
            "-q",
            "-o",
            &out,
            "-t",
            "1",
            "-c",
            "10",
            "--seed",
            "5",
            "-R",
            "60",
            "-d",
            "1s",
            "--bad",
            "fragments:3",
            "--bad",
            "half-open:2",
            "--segment",
            &segment,
        ]);
        assert_eq!(ran.stderr, "");
    }
    let ran = loadgen(&["merge", &file(1), &file(2), "-o", "json=-"]);
    for index in [1, 2] {
        std::fs::remove_file(file(index)).unwrap();
    }
    let report = ran.report();
    let counts: Vec<_> =
        report.cohorts.iter().map(|cohort| (cohort.planned, cohort.attempted)).collect();
    assert_eq!((report.connections.attempted, counts.as_slice()), (5, &[(3, 3), (2, 2)][..]));
    // 3 of 5 of the rate, as each of the healthy sends.
    let fragments = &report.cohorts[0];
    assert_eq!(fragments.messages.as_ref().unwrap().sent, 36);
    let rtt = fragments.histograms.iter().find(|found| found.metric == "rtt.service").unwrap();
    assert_eq!(rtt.count, fragments.messages.as_ref().unwrap().received);
}
