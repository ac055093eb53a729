//! `hold`: connections that are only there; which are dropped, when and why; and their Pings.

use std::io::Write;
use std::time::Duration;

use crate::scripted::{
    CLOSE, PING, Scripted, assert_balanced, close, command, failed, finish, frame, loadgen,
    read_frame, upgrade,
};
use loadgen::report::WorkerShare;

/// Answers Pings until the client closes, and answers that.
fn pong(mut stream: std::net::TcpStream, mut answers: impl FnMut(usize) -> Vec<usize>) {
    if !upgrade(&mut stream) {
        return;
    }
    let mut pings = Vec::new();
    while let Some((first, payload)) = read_frame(&mut stream) {
        let replies = match first {
            PING => {
                pings.push(payload);
                let answered = answers(pings.len() - 1);
                answered.iter().flat_map(|&ping| frame(0x8a, &pings[ping])).collect()
            }
            CLOSE => frame(CLOSE, &payload),
            _ => panic!("nothing but Pings and a Close is sent"),
        };
        if stream.write_all(&replies).is_err() || first == CLOSE {
            return;
        }
    }
}

fn hold(server: &Scripted, args: &[&str]) -> crate::scripted::Ran {
    let url = server.url();
    loadgen(&[&["hold", &url, "-q", "-o", "json=-", "-t", "2"], args].concat())
}

#[test]
fn connections_are_held_and_closed_at_the_end() {
    let server = Scripted::start(|stream, _| pong(stream, |_| Vec::new()));
    let ran = hold(&server, &["-c", "7", "-d", "300ms"]);
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped, hold.pings.is_none()), (7, 0, true));
    assert!(report.messages.is_none());
    let measured = report.phases.measured.unwrap();
    assert!(measured.length_ns() >= 300_000_000, "{measured:?}");
}

#[test]
fn every_ping_has_its_pong_and_its_time() {
    let server = Scripted::start(|stream, _| pong(stream, |ping| vec![ping]));
    let ran = hold(&server, &["-c", "3", "-d", "1s", "--ping-interval", "100ms"]);
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let pings = report.hold.as_ref().unwrap().pings.as_ref().unwrap();
    // Ten on each connection, whatever the machine does meanwhile, unless it stands still.
    assert_eq!(
        (pings.counts.sent + pings.counts.unsent_backlog, pings.counts.missing),
        (30, 0),
        "{pings:?}"
    );
    assert_eq!(pings.counts.answered, 30);
    let rtt = report.histograms.iter().find(|found| found.metric == "ping.rtt").unwrap();
    assert_eq!(rtt.count, 30);
}

#[test]
fn s5_5_3_pongs_that_are_missing_fail_the_run_and_later_ones_answer_for_earlier() {
    // The 0th is answered by the Pong to the 1st, which comes twice; from the 4th on there is none.
    let server = Scripted::start(|stream, _| {
        pong(stream, |ping| match ping {
            1 => vec![1, 1],
            2 | 3 => vec![ping],
            _ => vec![],
        });
    });
    let ran = hold(&server, &["-c", "2", "-d", "2s", "--ping-interval", "100ms"]);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    let counts = report.hold.as_ref().unwrap().pings.as_ref().unwrap().counts;
    // A busy machine may have no time left for the last ones.
    assert_eq!(counts.sent + counts.unsent_late, 40, "{counts:?}");
    assert!(counts.sent >= 20, "{counts:?}");
    assert_eq!((counts.answered, counts.superseded, counts.unsolicited), (6, 2, 2), "{counts:?}");
    assert_eq!(counts.missing, counts.sent - 8);
    assert_eq!(report.outcome.reasons, [format!("{} Pings had no Pong", counts.missing)]);
    assert!(ran.took < Duration::from_secs(30), "the wait for Pongs has a bound");
}

#[test]
fn d19_drops_are_told_by_code_and_time_and_do_not_end_the_hold() {
    let server = Scripted::start(|mut stream, number| match number {
        0 | 1 => {
            upgrade(&mut stream);
            std::thread::sleep(Duration::from_millis(300));
            stream.write_all(&close(1001)).ok();
            while read_frame(&mut stream).is_some() {}
        }
        2 => {
            upgrade(&mut stream);
        }
        _ => pong(stream, |_| Vec::new()),
    });
    let ran = hold(&server, &["-c", "5", "-d", "800ms"]);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    assert_balanced(&report);
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped), (2, 3));
    let drops: Vec<_> =
        hold.drops.iter().map(|drop| (&*drop.phase, &*drop.code, drop.times.count)).collect();
    assert_eq!(drops, [("open", "eof", 1), ("server_close", "1001", 2)]);
    assert!(hold.drops[1].times.first_ns >= 300_000_000, "{:?}", hold.drops);
    assert!(hold.drops[1].times.first_ns <= hold.drops[1].times.last_ns);
    assert_eq!((failed(&report, "open.eof"), failed(&report, "server_close.1001")), (1, 2));
    assert!(report.phases.measured.unwrap().length_ns() >= 800_000_000);
}

#[test]
fn a_hold_that_nobody_is_left_in_is_over() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        std::thread::sleep(Duration::from_millis(200));
    });
    let ran = hold(&server, &["-c", "3", "-d", "50s"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.report().hold.unwrap().dropped, 3);
}

#[test]
fn a_server_that_wants_nobody_is_not_the_fault_of_a_busy_client() {
    let server = Scripted::start(|mut stream, _| {
        if upgrade(&mut stream) {
            stream.write_all(&close(1013)).ok();
            read_frame(&mut stream);
        }
    });
    let url = server.url();
    for command in ["hold", "run", "listen"] {
        let ran = loadgen(&[command, &url, "-c", "2", "-d", "60s", "-q", "-o", "json=-"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let report = ran.report();
        assert_eq!(failed(&report, "server_close.1013"), 2);
        let said = &report.verdict.reasons;
        assert!(!said.iter().any(|reason| reason.contains("thread")), "{command}: {said:?}");
    }
    let ran = loadgen(&["connect", &url, "-c", "2", "-d", "200ms", "-q"]);
    let line = ran.stdout.lines().find(|line| line.starts_with(" connections")).unwrap();
    assert!(line.contains(" opened and closed, 2 at once   opened "), "{line}");
}

#[test]
fn a_thread_that_has_nobody_is_neither_busy_nor_starved() {
    // The connections of one of two threads, by the number in their URL.
    let taking = Scripted::start(|stream, _| crate::scripted::echo(stream, |_, _, _| None));
    let refusing = Scripted::start(|mut stream, _| {
        crate::scripted::read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").ok();
    });
    let urls = [taking.url(), refusing.url()];
    let args = ["-c", "4", "-t", "2", "-d", "300ms", "-q", "-o", "json=-"];
    for load in [&["-p", "1"][..], &["-R", "4k"]] {
        let ran = loadgen(&[&["run", &urls[0], &urls[1]], &args[..], load].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let report = ran.report();
        assert_balanced(&report);
        assert_eq!(failed(&report, "http.503"), 2);
        let [loaded, idle] = &report.client.workers[..] else { panic!("two workers") };
        assert_eq!((loaded.established, idle.established), (2, 0));
        let said = &report.verdict.reasons;
        assert!(!said.iter().any(|reason| reason.contains("starved")), "{said:?}");
        if load[0] == "-R" {
            let counts = &report.messages.as_ref().unwrap().measured;
            let unsent = counts.unsent_closed + counts.unsent_backlog + counts.unsent_late;
            assert_eq!((counts.sent + unsent, counts.unsent_closed), (1_200, 600));
        }
        let share = |worker: &WorkerShare| {
            let busy = Duration::from_nanos(worker.cpu_ns + worker.wait_ns.unwrap_or(0));
            busy.div_duration_f64(Duration::from_nanos(worker.load_ns))
        };
        assert!(report.client.busiest_share <= share(loaded).min(1.0) + 0.01, "{report:?}");
    }
}

#[test]
fn d29_an_interrupted_hold_says_what_was_held() {
    let server = Scripted::start(|stream, _| pong(stream, |ping| vec![ping]));
    let url = server.url();
    let args = ["hold", &url, "-c", "4", "-d", "50s", "--ping-interval", "100ms", "-q"];
    let child = command(&args).spawn().unwrap();
    let id = child.id().to_string();
    std::thread::sleep(Duration::from_millis(1_500));
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, Some(130));
    for part in ["held         to the end 4   dropped 0", " pings        sent ", "ping.rtt"] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
}
