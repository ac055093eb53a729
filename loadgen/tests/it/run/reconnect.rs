//! `--reconnect`: connections that are lost and opened again, whatever they ended with, and the
//! books of it.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, TEXT, assert_balanced, close, command, echo, failed, finish, frame, loadgen,
    read_frame, run_against, upgrade,
};
use loadgen::report::Report;
use loadgen::report::reconnect::ReconnectReport;
use loadgen::serve::ServeConfig;

fn reconnect(report: &Report) -> &ReconnectReport {
    assert_balanced(report);
    let counts = report.reconnect.as_ref().unwrap();
    assert_eq!(counts.lost, counts.reestablished + counts.away);
    assert_eq!(counts.attempts, counts.reestablished + counts.failed);
    assert_eq!(counts.lost, counts.losses.iter().map(|loss| loss.times.count).sum::<u64>());
    assert_eq!(counts.failed, counts.failures.iter().map(|failure| failure.count).sum::<u64>());
    let rows = &report.time_series.rows;
    assert_eq!(counts.lost, rows.iter().map(|row| row.counts.lost).sum::<u64>());
    assert_eq!(counts.attempts, rows.iter().map(|row| row.counts.reconnect_attempts).sum::<u64>());
    for metric in ["reconnect.total", "reconnect.away"] {
        assert_eq!(recorded(report, metric), counts.reestablished, "{metric}");
    }
    counts
}

fn recorded(report: &Report, metric: &str) -> u64 {
    let found = report.histograms.iter().find(|found| found.metric == metric);
    found.map_or(0, |found| found.below + found.count + found.above)
}

/// The connection and the sequence that a message of 64 bytes names.
fn named(payload: &[u8]) -> (u64, u64) {
    let text = std::str::from_utf8(&payload[..16]).unwrap();
    let [connection, sequence] = [&text[..6], &text[6..]].map(|hex| u64::from_str_radix(hex, 16));
    (connection.unwrap(), sequence.unwrap())
}

/// Echoes ten messages, then ends with `last` instead of an echo, and with a reset if asked to.
fn ten_echoes(mut stream: TcpStream, last: &[u8], is_reset: bool) {
    upgrade(&mut stream);
    for _ in 0..10 {
        let (first, payload) = read_frame(&mut stream).unwrap();
        stream.write_all(&frame(first, &payload)).unwrap();
    }
    read_frame(&mut stream);
    if is_reset {
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        return;
    }
    stream.write_all(last).unwrap();
    if !last.is_empty() {
        while read_frame(&mut stream).is_some_and(|(first, _)| first != CLOSE) {}
    }
}

#[test]
fn d19_a_lost_connection_is_opened_again_whatever_it_ended_with() {
    let broken = frame(0xf1, b"reserved bits");
    for (last, is_reset, kinds) in [
        (close(1000), false, &["server_close.1000"][..]),
        (close(1001), false, &["server_close.1001"]),
        (close(1008), false, &["server_close.1008"]),
        (close(1011), false, &["server_close.1011"]),
        (close(1012), false, &["server_close.1012"]),
        (close(1013), false, &["server_close.1013"]),
        (close(4000), false, &["server_close.4000"]),
        (broken, false, &["protocol.reserved_bits"]),
        (Vec::new(), false, &["open.eof"]),
        // A reset that finds nothing unread may look like an end to the reader.
        (Vec::new(), true, &["open.reset", "open.eof"]),
    ] {
        let server = Scripted::start(move |stream, number| {
            if number < 2 {
                return ten_echoes(stream, &last, is_reset);
            }
            echo(stream, |place, _, payload| {
                if place == 0 {
                    // It goes on behind what was lost.
                    assert_eq!(named(payload).1, 11);
                }
                None
            });
        });
        let ran = run_against(&server, &["-c", "2", "-d", "1s", "--reconnect=10ms..50ms"]);
        assert!(matches!(ran.code, Some(1 | 97)), "messages were lost: {}", ran.stderr);
        let report = ran.report();
        let counts = reconnect(&report);
        assert_eq!((counts.lost, counts.attempts, counts.away), (2, 2, 0), "{kinds:?}: {counts:?}");
        for loss in &counts.losses {
            let kind = format!("{}.{}", loss.phase, loss.code);
            assert!(kinds.contains(&&*kind), "{kind}, not {kinds:?}");
        }
        let connections = &report.connections;
        assert_eq!((connections.established, connections.completed), (2, 2), "{kinds:?}");
        assert_eq!(server.accepted.load(Ordering::SeqCst), 4);
        assert_eq!(
            [recorded(&report, "connect.total"), recorded(&report, "connect.upgrade")],
            [2; 2]
        );
        let messages = &report.messages.as_ref().unwrap().measured;
        assert_eq!((messages.lost, messages.altered), (2, 0));
        assert!(messages.received > 20, "messages go round again: {messages:?}");
        assert_eq!(report.outcome.reasons, ["2 messages lost"]);
    }
}

#[test]
fn d31_hundreds_come_back_to_a_server_that_restarts_in_the_middle() {
    const CONNECTIONS: u64 = 300;
    let config =
        ServeConfig { shutdown_timeout: Duration::from_millis(500), ..crate::peer::config() };
    let first = crate::peer::start(&config);
    let listen = first.local_addr();
    let url = format!("ws://{listen}/");
    let args = [
        "run",
        &url,
        "-c",
        "300",
        "-R",
        "600",
        "-d",
        "7s",
        "-t",
        "2",
        "--reconnect=50ms..800ms",
        "-o",
        "json=-",
        "-q",
        "--seed",
        "1",
        "--threshold",
        "dropped==300",
        "--threshold",
        "reconnected==100%",
        "--threshold",
        "away==0",
        "--threshold",
        "lost<=10%",
    ];
    let child = command(&args).spawn().unwrap();
    crate::peer::wait_for(&first, "load", |totals| totals.messages_received > 1_200);
    drop(first);
    sleep(Duration::from_millis(1_300)); // the fault: nobody listens
    let second = crate::peer::start(&ServeConfig { listen, ..config });
    let report = finish(child).report();
    let counts = reconnect(&report);
    assert_eq!((counts.lost, counts.reestablished, counts.away), (CONNECTIONS, CONNECTIONS, 0));
    let losses: Vec<_> = counts.losses.iter().map(|loss| (&*loss.phase, &*loss.code)).collect();
    assert_eq!(losses, [("server_close", "1001")]);
    assert_eq!(report.connections.completed, CONNECTIONS, "{:?}", report.errors);
    // Bounds of 50, 100, 200, 400, 800, 800 ms, of which half is waited on average: about five
    // attempts each. A loop without pauses would make thousands.
    let attempts = counts.attempts / CONNECTIONS;
    assert!((2..15).contains(&attempts), "{counts:?}");
    let away = report.histograms.iter().find(|found| found.metric == "reconnect.away").unwrap();
    assert!(away.min_ns > 1_000_000_000, "nobody is back before there is a server: {away:?}");
    // They come over time, not at once: the server took them in different tenths of a second.
    let spread_ns = away.max_ns - away.min_ns;
    assert!(spread_ns > 200_000_000, "{away:?}");
    let open: Vec<_> = report.time_series.rows.iter().map(|row| row.open).collect();
    let lowest = open.iter().position(|&open| open < CONNECTIONS / 2).expect("the gap is seen");
    assert!(open[..lowest].contains(&CONNECTIONS), "{open:?}");
    assert!(open[lowest..].contains(&CONNECTIONS), "all are back: {open:?}");
    let messages = &report.messages.as_ref().unwrap().measured;
    assert!(messages.unsent_closed > 300, "what was due meanwhile is said: {messages:?}");
    assert!(messages.received > 1_200, "{messages:?}");
    assert!(
        report.thresholds.iter().all(|threshold| threshold.is_passed),
        "{:?}",
        report.thresholds
    );
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    crate::peer::assert_balanced(&second.shutdown());
}

#[test]
fn d31_a_server_that_takes_and_throws_out_is_met_with_growing_pauses() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        stream.write_all(&close(1013)).ok();
        while read_frame(&mut stream).is_some_and(|(first, _)| first != CLOSE) {}
    });
    let url = server.url();
    let args =
        ["hold", &url, "-c", "20", "-d", "2s", "--reconnect=10ms..500ms", "-o", "json=-", "-q"];
    let ran = loadgen(&args);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.report();
    let counts = reconnect(&report);
    // Half of 10, 20, 40 … 500, 500 ms: about a dozen each, and 400 if pauses did not grow.
    assert!((20..20 * 40).contains(&counts.attempts), "{counts:?}");
    assert!(report.phases.measured.unwrap().length_ns() >= 2_000_000_000, "it is no end");
    let hold = report.hold.as_ref().unwrap();
    assert_eq!(hold.held + hold.dropped, 20 + counts.reestablished);
}

#[test]
fn d31_a_server_that_is_gone_for_good_leaves_connections_away() {
    let config =
        ServeConfig { shutdown_timeout: Duration::from_millis(100), ..crate::peer::config() };
    let server = crate::peer::start(&config);
    let url = format!("ws://{}/", server.local_addr());
    let args =
        ["hold", &url, "-c", "7", "-d", "3s", "--reconnect=10ms..100ms", "-o", "json=-", "-q"];
    let child = command(&args).spawn().unwrap();
    crate::peer::wait_for(&server, "connections", |totals| totals.established == 7);
    sleep(Duration::from_millis(500));
    drop(server);
    let ran = finish(child);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.report();
    let counts = reconnect(&report);
    assert_eq!((counts.lost, counts.reestablished, counts.away), (7, 0, 7), "{counts:?}");
    assert_eq!(failed(&report, "open.away"), 7, "{:?}", report.errors);
    let away = report.errors.iter().find(|error| error.code == "away").unwrap();
    assert!(away.sample.contains("tcp.refused"), "what went wrong last is said: {away:?}");
    let refused = counts.failures.iter().find(|failure| failure.code == "refused").unwrap();
    assert!(refused.count >= 7, "{counts:?}");
    assert_eq!(report.hold.as_ref().unwrap().dropped, 7);
    assert!(report.phases.measured.unwrap().length_ns() >= 3_000_000_000, "others may come back");
}

#[test]
fn d29_an_interrupt_while_all_are_away_ends_at_once() {
    let server = Scripted::start(|mut stream, number| {
        if number < 3 {
            upgrade(&mut stream);
            sleep(Duration::from_millis(300));
        }
    });
    let url = server.url();
    let args = ["hold", &url, "-c", "3", "-d", "50s", "--reconnect=30s..30s", "-o", "json=-", "-q"];
    let child = command(&args).spawn().unwrap();
    sleep(Duration::from_millis(1_500));
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, Some(130));
    assert!(ran.took < Duration::from_secs(20), "{:?}", ran.took);
    let report = ran.report();
    assert_eq!(reconnect(&report).away, 3);
    assert_eq!(failed(&report, "open.away"), 3);
}

#[test]
fn a_number_of_messages_is_sent_however_often_connections_are_lost() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |place, _, _| (place == 9).then(|| close(1012)));
    });
    let args = ["-c", "2", "-n", "50", "-p", "1", "-d", "60s", "--reconnect=5ms..20ms"];
    let ran = run_against(&server, &args);
    let report = ran.report();
    let counts = reconnect(&report);
    let messages = &report.messages.as_ref().unwrap().measured;
    // 25 on each: nine echoes and a Close, twice, and then the last five.
    assert_eq!((messages.sent, messages.received, messages.lost), (50, 46, 4));
    assert_eq!((counts.lost, counts.reestablished), (4, 4));
    assert_eq!(
        report.target.urls[0].counts.messages, 50,
        "each is counted once: {:?}",
        report.target
    );
    assert!(ran.took < Duration::from_secs(20), "{:?}", ran.took);
}

#[test]
fn a_listener_subscribes_again_and_its_sequences_begin_anew() {
    let server = Scripted::start(|mut stream, number| {
        upgrade(&mut stream);
        assert_eq!(read_frame(&mut stream), Some((TEXT, b"hello".to_vec())));
        if number == 0 {
            sleep(Duration::from_millis(300)); // load has begun
        }
        for sequence in 0..10 {
            let text = format!("push {} 1 and more", sequence + 1_000 * number);
            stream.write_all(&frame(TEXT, text.as_bytes())).unwrap();
        }
        if number == 0 {
            stream.write_all(&close(1001)).unwrap();
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE && stream.write_all(&frame(CLOSE, &payload)).is_ok() {
                return;
            }
        }
    });
    let url = server.url();
    let args = [
        "listen",
        &url,
        "-c",
        "1",
        "-d",
        "1s",
        "--subscribe",
        "hello",
        "--reconnect=10ms..20ms",
        "-o",
        "json=-",
        "-q",
    ];
    let ran = loadgen(&args);
    ran.assert_went_well();
    let report = ran.report();
    assert_eq!((reconnect(&report).lost, reconnect(&report).reestablished), (1, 1));
    let push = report.push.as_ref().unwrap();
    assert_eq!(
        (push.counts.in_order, push.counts.lost, push.counts.duplicated),
        (20, 0, 0),
        "{push:?}"
    );
}

#[test]
fn what_is_lost_and_what_is_back_stands_in_the_text() {
    let server = Scripted::start(|mut stream, number| {
        if number < 2 {
            upgrade(&mut stream);
            sleep(Duration::from_millis(300));
            stream.write_all(&close(1012)).ok();
            while read_frame(&mut stream).is_some_and(|(first, _)| first != CLOSE) {}
            return;
        }
        echo(stream, |_, _, _| None);
    });
    let url = server.url();
    // More than a second, or no row of the time series may end before the run does.
    let args = ["hold", &url, "-c", "2", "-d", "1500ms", "--reconnect=10ms..20ms", "-q"];
    let ran = loadgen(&args);
    ran.assert_went_well();
    for part in [
        " reconnect    lost 2   server_close.1012 2, ",
        "open again 2   away at the end 0\n",
        "attempts 2   failed 0   fewest open ",
        "  reconnect.total ",
        "  reconnect.away ",
    ] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    let without = loadgen(&["hold", &url, "-c", "2", "-d", "100ms", "-q"]);
    assert!(!without.stdout.contains("reconnect"), "{}", without.stdout);
}
