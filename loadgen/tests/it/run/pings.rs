//! `run --ping-interval`: Pings beside messages, with books of their own.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::scripted::{
    CLOSE, PING, Scripted, assert_balanced, close, frame, loadgen, read_frame, run_against, upgrade,
};
use loadgen::report::Report;
use loadgen::report::hold::PingReport;

const PONG: u8 = 0x8a;

/// Echoes, and answers each Ping with these frames.
fn serve(mut stream: TcpStream, mut pong: impl FnMut(usize, &[u8]) -> Vec<u8>) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream) {
        return;
    }
    let mut pings = 0;
    while let Some((first, payload)) = read_frame(&mut stream) {
        let reply = if first == PING {
            pings += 1;
            pong(pings - 1, &payload)
        } else {
            frame(first, &payload)
        };
        if stream.write_all(&reply).is_err() || first == CLOSE {
            return;
        }
    }
}

fn pings(report: &Report) -> &PingReport {
    assert_balanced(report);
    let pings = report.pings.as_ref().unwrap();
    assert_eq!(
        pings.counts.sent,
        pings.counts.answered + pings.counts.superseded + pings.counts.missing,
        "{pings:?}"
    );
    let rtt = report.histograms.iter().find(|found| found.metric == "ping.rtt");
    assert_eq!(rtt.map_or(0, |rtt| rtt.below + rtt.count + rtt.above), pings.counts.answered);
    pings
}

/// Those that were due, whatever became of them.
fn due(pings: &PingReport) -> u64 {
    pings.counts.sent
        + pings.counts.unsent_closed
        + pings.counts.unsent_backlog
        + pings.counts.unsent_late
}

#[test]
fn pings_go_beside_messages_under_both_loops_and_disturb_none() {
    for load in [&["-R", "500"][..], &["-p", "3"]] {
        let server = Scripted::start(|stream, _| serve(stream, |_, ping| frame(PONG, ping)));
        // Two tenths of a second are warm-up, in which none is sent.
        let args = ["-c", "4", "-d", "1s", "-w", "200ms", "--ping-interval", "100ms"];
        let ran = run_against(&server, &[&args[..], load].concat());
        ran.assert_went_well();
        let report = ran.report();
        let pings = pings(&report);
        assert_eq!(
            (due(pings), pings.counts.missing, pings.counts.unsolicited),
            (40, 0, 0),
            "{pings:?}"
        );
        assert_eq!(
            (pings.counts.answered, pings.counts.superseded),
            (pings.counts.sent, 0),
            "{pings:?}"
        );
        let messages = report.messages.as_ref().unwrap();
        assert_eq!(messages.measured.sent, messages.measured.received);
        assert_eq!((messages.arrivals.unexpected, messages.arrivals.duplicated), (0, 0));
        let service = report.histograms.iter().find(|found| found.metric == "rtt.service");
        assert_eq!(service.unwrap().count, messages.measured.received);
        assert_eq!(report.time_series.rows.iter().map(|row| row.counts.received).sum::<u64>(), {
            messages.measured.received + messages.warmup.received
        });
    }
}

#[test]
fn pings_stand_between_messages_and_never_in_a_frame() {
    let server = crate::peer::start(&crate::peer::config());
    let url = format!("ws://{}/", server.local_addr());
    for load in [&["-p", "8", "-s", "900", "--fragment", "100"][..], &["-R", "2k", "-s", "20k"]] {
        let args = ["run", &url, "-c", "3", "-d", "500ms", "--ping-interval", "1ms", "-q", "-o"];
        let ran = loadgen(&[&args[..], &["json=-"], load].concat());
        ran.assert_went_well();
        let report = ran.report();
        let pings = pings(&report);
        assert_eq!((due(pings), pings.counts.missing), (1_500, 0), "{pings:?}");
        let messages = &report.messages.as_ref().unwrap().measured;
        assert_eq!((messages.lost, messages.altered), (0, 0));
    }
    crate::peer::assert_balanced(&server.shutdown());
}

#[test]
fn pongs_that_are_missing_fail_the_run_and_no_message() {
    // Of each four the 0th is answered by the Pong to the 1st, which comes twice, and the 3rd never.
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    let server = Scripted::start(move |stream, _| {
        let counter = Arc::clone(&counter);
        serve(stream, move |number, ping| match number % 4 {
            1 => {
                counter.fetch_add(1, Ordering::SeqCst);
                [frame(PONG, ping), frame(PONG, ping), frame(PONG, b"unasked")].concat()
            }
            2 => frame(PONG, ping),
            _ => Vec::new(),
        });
    });
    let args = ["-c", "2", "-d", "800ms", "--ping-interval", "100ms", "--drain-timeout", "200ms"];
    let ran = run_against(&server, &args);
    let report = ran.report();
    let pings = pings(&report);
    assert!(pings.counts.missing > 0 && pings.counts.superseded > 0, "{pings:?}");
    assert_eq!(pings.counts.unsolicited, 2 * answered.load(Ordering::SeqCst) as u64, "{pings:?}");
    assert!(matches!(ran.code, Some(1)), "{}", ran.stderr);
    assert_eq!(report.outcome.reasons, [format!("{} Pings had no Pong", pings.counts.missing)]);
    let messages = &report.messages.as_ref().unwrap().measured;
    assert_eq!(messages.sent, messages.received);
    assert_eq!(report.connections.completed, 2);
}

#[test]
fn pings_of_connections_that_are_gone_are_missing_or_unsent() {
    for (flag, is_back) in [("--no-progress", false), ("--reconnect=10ms..20ms", true)] {
        let server = Scripted::start(|stream, number| {
            // The 3rd Ping on the first connection is its end.
            serve(stream, |ping, payload| match (number, ping) {
                (0, 2) => close(1012),
                _ => frame(PONG, payload),
            });
        });
        let args = ["-c", "1", "-R", "100", "-d", "1s", "--ping-interval", "100ms", flag];
        let report = run_against(&server, &args).report();
        let pings = pings(&report);
        assert_eq!((pings.counts.missing, due(pings) <= 10), (1, true), "{pings:?}");
        if is_back {
            assert!(pings.counts.answered > 2, "the next ones are answered: {pings:?}");
            assert_eq!(report.reconnect.as_ref().unwrap().reestablished, 1);
        } else {
            assert_eq!(pings.counts.answered, 2, "{pings:?}");
        }
    }
}

#[test]
fn pings_have_a_row_of_their_own() {
    let ran = loadgen(&["run", "-c", "2", "-d", "300ms", "--ping-interval", "100ms", "-q"]);
    ran.assert_went_well();
    for part in [" pings        sent 6   pongs 6   missing 0   every 100 ms on", "  ping.rtt "] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
}
