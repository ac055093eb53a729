//! Servers and machines at fault, beyond handshakes and endings: resets at each point, answers
//! without end, a server that restarts, one that accepts slowly, a process that stands still.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, accepting, assert_balanced, command, echo, finish, frame, loadgen, read_frame,
    read_head, run_against, upgrade, wait_for_end,
};
use loadgen::metrics::balance::imbalances;
use loadgen::metrics::{Closing, Distribution, Metrics, Side};
use loadgen::serve::ServeConfig;

/// Lets the socket end with a reset when it is closed.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

#[test]
fn d07_a_reset_at_each_point_has_one_outcome() {
    // How many bytes of the response and of the first echo a server writes, and in which phase a
    // connection is when it has been reset then.
    let head_len = accepting("Sec-WebSocket-Key: x\r\n").len();
    for (bytes, phase) in [
        (0, "handshake"),
        (1, "handshake"),
        (head_len - 1, "handshake"),
        (head_len, "open"),
        (head_len + 1, "open"),
        (head_len + 2, "open"),
        (head_len + 30, "open"),
        (head_len + 66, "open"),
    ] {
        let server = Scripted::start(move |mut stream, _| {
            let head = read_head(&mut stream);
            let response = accepting(&head).into_bytes();
            let first = &response[..bytes.min(response.len())];
            stream.write_all(first).ok();
            if bytes >= response.len() {
                let Some((first, payload)) = read_frame(&mut stream) else { return };
                stream.write_all(&frame(first, &payload)[..bytes - response.len()]).ok();
            }
            reset(&stream);
        });
        let ran = run_against(&server, &["-c", "3", "-d", "60s", "-s", "64"]);
        let report = ran.report();
        assert_eq!(report.connections.failed, 3, "after {bytes}: {:?}", report.errors);
        for error in report.errors.iter().filter(|error| error.phase != "message") {
            // A reset that finds nothing unread may look like an end to the reader.
            assert_eq!(error.phase, phase, "after {bytes}: {error:?}");
            assert!(["reset", "eof"].contains(&error.code.as_str()), "after {bytes}: {error:?}");
        }
        assert!(ran.took < crate::scripted::EARLY, "{:?}", ran.took);
        assert_balanced(&report);
    }
}

#[test]
fn d07_a_reset_instead_of_a_response_by_one_that_never_reads() {
    let server = Scripted::start(|stream, _| reset(&stream));
    let ran = run_against(&server, &["-c", "3", "-d", "10s"]);
    let report = ran.report();
    assert_eq!((ran.code, report.connections.failed), (Some(1), 3), "{:?}", report.errors);
    assert_balanced(&report);
}

#[test]
fn d05_a_body_without_end_is_not_read() {
    let server = Scripted::start(|mut stream, _| {
        read_head(&mut stream);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
        let body = vec![b'x'; 65_536];
        if stream.write_all(head.as_bytes()).is_ok() {
            while stream.write_all(&body).is_ok() {}
        }
    });
    let ran = run_against(&server, &["-c", "2", "-d", "60s"]);
    let report = ran.report();
    assert_eq!(crate::scripted::failed(&report, "http.200"), 2, "{:?}", report.errors);
    // What lay in the socket together with the head, and no more.
    assert!(report.bytes.received <= 2 * 70_000, "{:?}", report.bytes);
    assert!(ran.took < crate::scripted::EARLY, "{:?}", ran.took);
    assert_balanced(&report);
}

#[test]
fn d25_a_process_that_stood_still_is_told_and_its_latencies_show_it() {
    const STILL: Duration = Duration::from_millis(1200);
    let (sender, begun) = std::sync::mpsc::channel();
    let server = Scripted::start(move |stream, _| {
        echo(stream, |number, _, _| {
            if number == 20 {
                sender.send(()).ok();
            }
            None
        });
    });
    let url = server.url();
    let args = ["run", &url, "-c", "1", "-t", "1", "-R", "100", "-d", "3s", "-o", "json=-", "-q"];
    let child = command(&args).spawn().unwrap();
    begun.recv().unwrap();
    let signal = |name: &str| {
        let id = child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    };
    signal("-STOP");
    sleep(STILL); // the fault
    signal("-CONT");
    let report = finish(child).report();
    assert!(u128::from(report.client.pause_max_ns) > STILL.as_nanos() / 2, "{:?}", report.client);
    assert_ne!(report.verdict.state.name(), "valid");
    let reasons = &report.verdict.reasons;
    assert!(reasons.iter().any(|reason| reason.contains("stood still")), "{reasons:?}");
    // Messages that were due meanwhile are measured from when they were due.
    let response = report.histograms.iter().find(|found| found.metric == "rtt.response").unwrap();
    let longest = response.percentile(100.0).unwrap();
    assert!(u128::from(longest) > STILL.as_nanos() / 2, "{longest}");
    assert_balanced(&report);
}

/// The sources below a folder of the engine that name the wall clock.
fn readers_of_the_wall_clock(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/src").join(folder);
    let mut found = Vec::new();
    let mut looked_at = 0;
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            looked_at += 1;
            // The kernel stamps by the wall clock; one file brings its stamps to the run's clock.
            let is_allowed = path.ends_with("worker/receipt.rs");
            if fs::read_to_string(&path).unwrap().contains("SystemTime") && !is_allowed {
                found.push(path.display().to_string());
            }
        }
    }
    assert!(looked_at > 3, "{folder}");
    found
}

#[test]
fn d25_e18_no_latency_and_no_timeout_is_of_the_wall_clock() {
    for folder in ["worker", "metrics", "serve"] {
        assert_eq!(readers_of_the_wall_clock(folder), [""; 0]);
    }
}

#[test]
fn d27_counts_above_2_to_the_32_do_not_wrap() {
    let mut distribution = Distribution::new();
    distribution.record(1_000_000);
    let mut metrics = Metrics {
        attempted: 3,
        established: 3,
        completed: 3,
        held: 3,
        bytes_sent: 1 << 20,
        ..Metrics::default()
    };
    metrics.closings.insert(Closing { by: Side::Client, code: 1000, is_clean: true }, 3);
    metrics.measured.sent = 3;
    metrics.measured.lost = 3;
    for _ in 0..3 {
        metrics.distributions.record(loadgen::metrics::Metric::ConnectUpgrade, 5);
    }
    for _ in 0..40 {
        distribution.add(&distribution.clone());
        metrics.merge(metrics.clone());
    }
    assert_eq!(distribution.count(), 1 << 40);
    assert_eq!(distribution.percentile(99.9), distribution.max());
    assert_eq!((metrics.attempted, metrics.measured.lost), (3 << 40, 3 << 40));
    assert_eq!(metrics.bytes_sent, 1 << 60);
    assert_eq!(imbalances(&metrics), [""; 0]);
}

#[test]
fn d31_a_server_that_restarts_is_met_by_no_stampede_and_served_again() {
    let config =
        ServeConfig { shutdown_timeout: Duration::from_millis(200), ..crate::peer::config() };
    let first = crate::peer::start(&config);
    let listen = first.local_addr();
    let url = format!("ws://{listen}/");
    let args = ["connect", &url, "-c", "4", "-t", "1", "-d", "60s", "-o", "json=-", "-q"];
    let child = command(&args).spawn().unwrap();
    crate::peer::wait_for(&first, "connections", |totals| totals.established > 20);
    let before = first.shutdown();
    crate::peer::assert_balanced(&before);
    sleep(Duration::from_millis(700)); // the fault: nobody listens
    let second = crate::peer::start(&ServeConfig { listen, ..config });
    crate::peer::wait_for(&second, "connections again", |totals| totals.established > 100);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let report = finish(child).report();
    let refused = crate::scripted::failed(&report, "tcp.refused");
    // Pauses double from 10 ms on: some dozens while nobody listened, not tens of thousands.
    assert!((1..500).contains(&refused), "{:?}", report.errors);
    // All but those that were under way at the first server's end and at ours, four each.
    let served = report.connections.completed;
    assert!(served + 8 > before.established + 100, "{:?} {before:?}", report.connections);
    assert_balanced(&report);
}

#[test]
fn d32_the_share_of_each_worker_is_in_the_result() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let args = ["run", &url, "-c", "4", "-t", "2", "-d", "300ms", "-o", "json=-", "-q"];
    let report = loadgen(&args).report();
    let workers = &report.client.workers;
    assert_eq!(workers.iter().map(|worker| worker.established).collect::<Vec<_>>(), [2, 2]);
    let received: u64 = workers.iter().map(|worker| worker.received).sum();
    assert_eq!(received, report.messages.as_ref().unwrap().measured.received);
    assert_balanced(&report);
}

#[test]
fn d33_a_server_that_accepts_ten_a_second_has_an_honest_ramp() {
    const CONNECTIONS: u64 = 15;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            sleep(Duration::from_millis(100)); // the fault
            let Ok(stream) = stream else { return };
            thread::spawn(move || echo(stream, |_, _, _| None));
        }
    });
    let url = format!("ws://{address}/");
    let ran = loadgen(&["run", &url, "-c", "15", "-t", "1", "-d", "300ms", "-o", "json=-", "-q"]);
    let report = ran.report();
    assert_eq!(report.connections.established, CONNECTIONS);
    let ramp = report.phases.ramp.unwrap();
    assert!(ramp.length_ns() > 1_300_000_000, "fifteen times 100 ms: {ramp:?}");
    let measured = report.phases.measured.unwrap();
    assert!(measured.begin_ns >= ramp.end_ns, "load begins when all are open");
    let rows = &report.time_series.rows;
    assert_eq!(rows.iter().map(|row| row.counts.established).sum::<u64>(), CONNECTIONS);
    assert!(rows[0].counts.established <= 10, "of the first second: {rows:?}");
    let times = report.histograms.iter().find(|found| found.metric == "connect.upgrade").unwrap();
    assert!(times.percentile(100.0).unwrap() > 1_000_000_000, "the last has waited: {times:?}");
    assert_balanced(&report);
}

#[test]
fn d34_line_ends_in_what_a_user_gives_reach_no_server() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        wait_for_end(stream);
    });
    let url = server.url();
    for args in [
        &["-H", "X: a\r\nY: b"][..],
        &["-H", "X: a\nY: b"],
        &["-H", "X: a\x7fb"],
        &["-H", "X\r\nY: b"],
        &["-H", "X Y: b"],
        &["--subprotocol", "a\r\nX: b"],
        &["--subprotocol", "a, b"],
        &["--origin", "http://h\r\nX: b"],
    ] {
        let ran = loadgen(&[&["run", &url, "-c", "1", "-d", "100ms"], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(!ran.error_line().contains(char::is_control), "{args:?}: {}", ran.stderr);
    }
    for path in ["\r\nX: y", "\nX: y", "a b\r\n\r\nGET / HTTP/1.1"] {
        let ran = loadgen(&["run", &format!("{url}{path}"), "-c", "1", "-d", "100ms"]);
        assert_eq!(ran.code, Some(2), "{path:?}: {}", ran.stderr);
    }
    assert_eq!(server.accepted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[test]
fn d10_a_closed_loop_has_no_more_unanswered_than_its_pipeline() {
    let (sender, unanswered) = std::sync::mpsc::channel();
    let server = Scripted::start(move |mut stream, _| {
        upgrade(&mut stream);
        let mut count = 0;
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                break;
            }
            count += 1;
        }
        sender.send(count).unwrap();
    });
    let args = ["-c", "2", "-p", "7", "-d", "300ms", "--drain-timeout", "100ms"];
    let report = run_against(&server, &args).report();
    assert_eq!([unanswered.recv().unwrap(), unanswered.recv().unwrap()], [7, 7]);
    assert_eq!(report.messages.as_ref().unwrap().measured.lost, 14);
    assert_balanced(&report);
}

#[test]
fn d08_a_server_that_has_ended_its_half_still_hears_our_end() {
    let (sender, heard) = std::sync::mpsc::channel();
    let server = Scripted::start(move |mut stream, _| {
        upgrade(&mut stream);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        sender.send(stream.read_to_end(&mut rest).is_ok()).unwrap();
    });
    let report = run_against(&server, &["-c", "1", "-d", "5s"]).report();
    assert_eq!(crate::scripted::failed(&report, "open.eof"), 1, "{:?}", report.errors);
    assert!(heard.recv().unwrap(), "an end in good order, no reset");
    assert_balanced(&report);
}
