//! What a run can't know, and what a server sent that nobody judges.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crate::scripted::{
    CLOSE, Ran, Scripted, TEXT, assert_balanced, close, frame, loadgen, read_frame, run_against,
    upgrade,
};
use loadgen::report::Report;

/// Pushes `text` once a connection is open, and every 10 ms after a message of the client until it closes.
fn pushing(text: &'static str) -> Scripted {
    Scripted::start(move |mut stream: TcpStream, _| {
        if !upgrade(&mut stream) || stream.write_all(&frame(TEXT, text.as_bytes())).is_err() {
            return;
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                stream.shutdown(Shutdown::Both).ok(); // also that of the thread that pushes
                return;
            }
            if first != TEXT {
                continue;
            }
            let mut stream = stream.try_clone().unwrap();
            thread::spawn(move || {
                while stream.write_all(&frame(TEXT, text.as_bytes())).is_ok() {
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
    })
}

fn seen<'r>(report: &'r Report, kind: &str) -> (u64, &'r [String]) {
    let found = report.seen.iter().find(|seen| seen.kind == kind);
    found.map_or((0, &[]), |seen| (seen.count, &seen.samples))
}

fn both(args: &[&str]) -> (Ran, Report) {
    let json = loadgen(&[args, &["-q", "-o", "json=-", "-t", "2"]].concat());
    let report = json.report();
    let text = loadgen(&[args, &["-q", "-o", "text", "-t", "2"]].concat());
    assert_eq!(text.code, json.code, "{}{}", text.stdout, json.stderr);
    assert_balanced(&report);
    (text, report)
}

#[test]
fn n5_success_says_what_was_not_checked() {
    let server = pushing(r#"{"error":"log in"}"#);
    let url = server.url();
    for (args, what, count) in [
        (&["hold", &url, "-c", "3", "-d", "300ms"][..], "held open; whether", Some(3)),
        // Connections without end, some of which close before the push is there.
        (
            &["connect", &url, "-c", "2", "-C", "20", "-d", "500ms"],
            "opened and closed; whether",
            None,
        ),
    ] {
        let (text, report) = both(args);
        assert!(matches!(text.code, Some(0 | 97)), "a push is no error: {}", text.stdout);
        let [note] = &report.notes[..] else { panic!("{:?}", report.notes) };
        assert!(note.starts_with(what) && note.ends_with("not checked"), "{note}");
        assert!(text.stdout.contains(note), "{}", text.stdout);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let (found, samples) = seen(&report, "pushed");
        assert!(count.is_none_or(|count| count == found), "{found}");
        if found > 0 {
            assert!(samples[0].contains(r#"text of 18 bytes: {"error":"log in"}"#), "{samples:?}");
        }
    }
    let (text, _) = both(&["hold", &url, "-c", "3", "-d", "300ms", "--ping-interval", "50ms"]);
    let row = text.stdout.lines().find(|line| line.starts_with(" pushed ")).unwrap();
    assert!(row.contains("3 by the server") && row.contains("log in"), "{row}");
    assert!(!text.stdout.contains("sent: "), "{}", text.stdout);
}

#[test]
fn n5_a_rejected_subscription_is_shown() {
    let server = pushing(r#"{"type":"error","reason":"no such topic"}"#);
    let url = server.url();
    let (text, report) = both(&["listen", &url, "-c", "2", "-d", "500ms", "--subscribe", "prices"]);
    assert!(matches!(text.code, Some(0 | 97)), "{}", text.stdout);
    let [note] = &report.notes[..] else { panic!("{:?}", report.notes) };
    assert!(note.contains("without a stamp") && note.ends_with("was checked"), "{note}");
    let push = report.push.as_ref().unwrap().counts;
    let (found, samples) = seen(&report, "foreign");
    assert_eq!((found, samples.len()), (push.foreign, 1));
    assert!(samples[0].contains("no such topic"), "{samples:?}");
    assert!(text.stdout.contains("no such topic"), "{}", text.stdout);
}

#[test]
fn n5_where_nothing_was_held_nothing_is_said() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
    });
    let (text, report) = both(&["hold", &server.url(), "-c", "2", "-d", "5s"]);
    assert_eq!((text.code, &report.notes[..]), (Some(1), &[][..]), "{}", text.stdout);
}

#[test]
fn n5_an_empty_message_is_called_that() {
    let server = pushing("a push");
    let ran = run_against(&server, &["-c", "1", "-d", "1s", "-s", "0", "--drain-timeout", "1s"]);
    let report = ran.report();
    let error = report.errors.iter().find(|error| error.code == "unexpected").unwrap();
    assert!(error.sample.ends_with("a push; sent: an empty message"), "{}", error.sample);
}

/// Answers `--subscribe` as `answer` says, and hands nothing on.
fn answering(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |mut stream: TcpStream, _| {
        if !upgrade(&mut stream) {
            return;
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            let reply = match first {
                CLOSE => Some(frame(CLOSE, &payload)),
                _ => answer(str::from_utf8(&payload).unwrap())
                    .map(|said| frame(TEXT, said.as_bytes())),
            };
            if reply.is_some_and(|reply| stream.write_all(&reply).is_err()) || first == CLOSE {
                return;
            }
        }
    })
}

const FANOUT: [&str; 9] =
    ["-c", "3", "-n", "4", "-R", "20", "--copy-timeout", "300ms", "--subscribe"];

#[test]
fn n7_answers_are_shown_and_that_none_delivered() {
    let server =
        answering(|said| said.contains("join").then(|| r#"{"ok":false,"joined":null}"#.into()));
    let url = server.url();
    let base = [&["fanout", &url][..], &FANOUT, &[r#"{"op":"join"}"#]].concat();
    let (text, report) = both(&[&base[..], &["--subscribed", "joined"]].concat());
    assert_eq!(text.code, Some(1));
    let (answers, samples) = seen(&report, "answer");
    assert_eq!((answers, samples.len()), (3, 1), "{samples:?}");
    assert!(samples[0].starts_with("subscriber, connection "), "{samples:?}");
    let said = report.outcome.reasons.last().unwrap();
    assert!(said.contains("4 messages published, none delivered, though 3 answers"), "{said}");
    assert!(said.contains(r#"{"ok":false,"joined":null}"#), "{said}");
    let row = text.stdout.lines().find(|line| line.starts_with(" answers ")).unwrap();
    assert!(row.contains("3 to --subscribe") && row.contains(r#""ok":false"#), "{row}");
    assert!(text.stdout.contains(" subscribed   answered 3   not answered 0\n"), "{}", text.stdout);
    // Without --subscribed nobody waits for them; they are shown all the same, and that is said.
    let (text, report) = both(&base);
    assert_eq!(text.code, Some(1));
    let said = report.outcome.reasons.last().unwrap();
    assert!(said.contains("none delivered; the server sent 3 other messages"), "{said}");
    assert!(said.contains(r#""ok":false"#), "{said}");
    assert!(report.notes[0].contains("--subscribed TEXT"), "{:?}", report.notes);
}

#[test]
fn n9_an_echo_server_is_asked_about() {
    let server = answering(|said| Some(said.into()));
    let url = server.url();
    let subscribe = r#"{"op":"join"}"#;
    for more in [&[][..], &["--subscribed", "join"]] {
        let (text, report) = both(&[&["fanout", &url][..], &FANOUT, &[subscribe], more].concat());
        assert_eq!(text.code, Some(1));
        let said = report.outcome.reasons.last().unwrap();
        assert!(
            said.contains("is this an echo server? Publishers got 4 messages of their own"),
            "{said}"
        );
        assert!(said.contains("`loadgen serve broadcast`"), "{said}");
    }
    for more in [&[][..], &["--subscribe", subscribe]] {
        let (text, report) = both(&[&["listen", &url, "-c", "2", "-d", "300ms"], more].concat());
        assert_eq!(text.code, Some(1), "{}", text.stdout);
        let said = report.outcome.reasons.last().unwrap();
        assert!(said.contains("is this an echo server? `loadgen serve push`"), "{said}");
        assert_eq!(said.contains("which came back"), !more.is_empty(), "{said}");
        assert_eq!(seen(&report, "returned").0, more.len() as u64, "each of 2 connections");
    }
}

#[test]
fn n10_a_server_that_closes_on_a_ring_is_told_of_it() {
    // Wants a login first, and closes with 4401 otherwise.
    let server = Scripted::start(|mut stream, _| {
        if !upgrade(&mut stream) {
            return;
        }
        let mut is_first = true;
        while let Some((first, payload)) = read_frame(&mut stream) {
            let is_login = payload == b"login";
            let reply = match first {
                TEXT if is_first && !is_login => close(4401),
                _ => frame(first, &payload),
            };
            is_first = false;
            if stream.write_all(&reply).is_err() || first == CLOSE {
                return;
            }
        }
    });
    let file = std::env::temp_dir().join(format!("loadgen-ring-{}", std::process::id()));
    std::fs::write(&file, "login\norder\n").unwrap();
    let (url, path) = (server.url(), file.display().to_string());
    let run = |file: &[&str]| both(&[&["run", &url, "-c", "2", "-d", "500ms"], file].concat());
    let (text, report) = run(&["-f", &path]);
    assert_eq!(text.code, Some(1));
    let [note] = &report.notes[..] else { panic!("{:?}", report.notes) };
    assert!(note.contains("a ring, not a script: connection 0 begins with the first"), "{note}");
    let (_, report) = run(&["-m", "order"]);
    assert!(report.notes.is_empty(), "one message is no ring: {:?}", report.notes);
    std::fs::remove_file(file).ok();
}
