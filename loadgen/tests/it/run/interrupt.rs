//! SIGINT and SIGTERM in each phase: what was measured is printed in full, and the exit is prompt.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::scripted::{
    EARLY, Ran, Scripted, assert_balanced, command, echo, failed, finish, upgrade, wait_for_end,
};

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A server that tells when a connection sends its first message.
fn telling_server() -> (Scripted, Receiver<()>) {
    let (sender, begun) = channel();
    let server = Scripted::start(move |stream, _| {
        echo(stream, |number, _, _| {
            if number == 20 {
                sender.send(()).ok();
            }
            None
        });
    });
    (server, begun)
}

#[test]
fn d29_in_the_middle_of_load() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let (server, begun) = telling_server();
        let url = server.url();
        let args = ["run", &url, "-c", "2", "-d", "60s", "-t", "1", "-o", "json=-", "-q"];
        let child = command(&args).spawn().unwrap();
        begun.recv().unwrap();
        signal(&child, name);
        let at = Instant::now();
        let ran = finish(child);
        assert!(at.elapsed() < EARLY, "{:?}", at.elapsed());
        assert_eq!(ran.code, Some(130), "{}", ran.stderr);
        let report = ran.report();
        assert!(report.is_interrupted);
        assert_eq!(report.connections.completed, 2);
        let counts = &report.messages.as_ref().unwrap().measured;
        assert!(counts.received >= 20 && counts.lost == 0, "{counts:?}");
        let measured = report.phases.measured.unwrap();
        assert!(measured.length_ns() < 30_000_000_000, "{measured:?}");
        assert!(report.verdict.reasons.iter().any(|reason| reason.contains("interrupted")));
        assert_balanced(&report);
    }
}

#[test]
fn d29_while_connections_are_opened() {
    let (sender, opening) = channel();
    let server = Scripted::start(move |mut stream, number| {
        if number == 0 {
            upgrade(&mut stream);
        } else {
            sender.send(()).ok();
        }
        wait_for_end(stream);
    });
    let url = server.url();
    let args =
        ["run", &url, "-c", "3", "-t", "1", "--connect-timeout", "60s", "-o", "json=-", "-q"];
    let child = command(&args).spawn().unwrap();
    opening.recv().unwrap();
    opening.recv().unwrap();
    signal(&child, "-INT");
    let at = Instant::now();
    let ran = finish(child);
    assert!(at.elapsed() < EARLY, "{:?}", at.elapsed());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let report = ran.report();
    // The first was answered; whether the program had read it when the signal came, only the
    // program knows.
    let interrupted = failed(&report, "run.interrupted");
    assert!([2, 3].contains(&interrupted), "{:?}", report.errors);
    assert_eq!(report.connections.established, 3 - interrupted);
    assert_eq!(report.connections.attempted, 3);
    assert_balanced(&report);
}

/// A run that is interrupted twice while it waits for the answer to a Close.
fn interrupted_twice() -> Ran {
    let (sender, closing) = channel();
    let server = Scripted::start(move |mut stream, _| {
        upgrade(&mut stream);
        while let Some((first, payload)) = crate::scripted::read_frame(&mut stream) {
            if first == crate::scripted::CLOSE {
                sender.send(()).ok();
                return wait_for_end(stream);
            }
            std::io::Write::write_all(&mut stream, &crate::scripted::frame(first, &payload)).ok();
        }
    });
    let url = server.url();
    let args = ["run", &url, "-c", "1", "-t", "1", "-d", "100ms", "--close-timeout", "50s", "-q"];
    let child = command(&args).spawn().unwrap();
    closing.recv().unwrap();
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(100)); // two signals at once would be one
    signal(&child, "-INT");
    let at = Instant::now();
    let ran = finish(child);
    assert!(at.elapsed() < EARLY, "{:?}", at.elapsed());
    assert_eq!(ran.code, Some(130));
    ran
}

#[test]
fn d29_while_a_close_is_awaited_and_twice_is_at_once() {
    // One interrupt alone ends it a second later, with a result: on a busy machine that may be
    // before the other one, but not each time.
    let is_at_once = |_| {
        let said = interrupted_twice().stdout;
        assert!(said.is_empty() || said.contains("interrupted"), "{said}");
        said.is_empty()
    };
    assert!((0..10).any(is_at_once), "the second interrupt waits for what the first does");
}

#[test]
fn d29_once_is_enough_while_replies_or_closes_are_awaited() {
    let hour = "3600s";
    for (is_mute, has_close, args) in [
        (true, true, &["run", "-d", "100ms", "--drain-timeout", hour][..]),
        (true, true, &["run", "-d", "100ms", "-R", "50", "--drain-timeout", hour]),
        (true, true, &["run", "-n", "4", "--drain-timeout", hour]),
        (true, true, &["fanout", "--publishers", "1", "-d", "100ms", "--copy-timeout", hour]),
        (false, false, &["run", "-d", "100ms", "--close-timeout", hour]),
        (false, false, &["hold", "-d", "100ms", "--close-timeout", hour]),
        (false, false, &["connect", "-d", "100ms", "--close-timeout", hour]),
    ] {
        let (sender, ignored) = channel();
        let server = Scripted::start(move |mut stream, _| {
            upgrade(&mut stream);
            while let Some((first, payload)) = crate::scripted::read_frame(&mut stream) {
                let is_answered =
                    if first == crate::scripted::CLOSE { has_close } else { !is_mute };
                if is_answered {
                    let frame = crate::scripted::frame(first, &payload);
                    std::io::Write::write_all(&mut stream, &frame).ok();
                } else {
                    sender.send(()).ok();
                }
            }
        });
        let url = server.url();
        let child = command(&[args, &[&url, "-c", "2", "-o", "json=-", "-q"]].concat()).spawn();
        let child = child.unwrap();
        ignored.recv().unwrap();
        // Until the end of load, which on a slow machine may be later: that is another test's case.
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "-INT");
        let at = Instant::now();
        let ran = finish(child);
        assert!(at.elapsed() < EARLY, "{args:?}: {:?}", at.elapsed());
        assert_eq!(ran.code, Some(130), "{args:?}: {}", ran.stderr);
        let report = ran.report();
        assert!(report.is_interrupted, "{args:?}");
        assert!(has_close || report.connections.failed > 0, "{args:?}: {:?}", report.errors);
        // `connect` closes while it is measured.
        if !has_close && args[0] != "connect" {
            let reasons = &report.verdict.reasons;
            let is_late = |reason: &String| reason.contains("interrupted after the measured time");
            assert!(reasons.iter().any(is_late), "{args:?}: {reasons:?}");
        }
        assert_balanced(&report);
    }
}

#[test]
fn d28_a_reader_that_leaves_is_an_error_with_a_name_and_no_panic() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let mut child = command(&["run", &url, "-c", "1", "-d", "200ms", "-q"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("error: the result could not be written to stdout"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// A result that was there is replaced by a whole one, or not at all.
#[test]
fn p5_result_survives_what_ends_a_run() {
    let folder = std::env::temp_dir().join(format!("loadgen-p5-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("prev.json");
    let out = format!("json={}", file.display());
    for (name, code) in [("-KILL", None), ("-HUP", Some(130))] {
        std::fs::write(&file, "before").unwrap();
        let (server, begun) = telling_server();
        let url = server.url();
        let args = ["run", &url, "-c", "2", "-d", "60s", "-t", "1", "-o", &out, "-q"];
        let child = command(&args).spawn().unwrap();
        begun.recv().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "before", "while it runs");
        signal(&child, name);
        assert_eq!(finish(child).code, code, "{name}");
        match code {
            None => assert_eq!(std::fs::read_to_string(&file).unwrap(), "before"),
            Some(_) => assert!(loadgen::report::load::load(&file).unwrap().is_interrupted),
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
