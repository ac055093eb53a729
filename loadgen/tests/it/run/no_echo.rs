//! Servers that answer, push or greet, and don't echo.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, TEXT, assert_balanced, echo, frame, read_frame, run_against, upgrade,
};

/// Answers each message by what `answer` makes of it.
fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |mut stream: TcpStream, _| {
        if !upgrade(&mut stream) {
            return;
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            let reply = match first {
                CLOSE => frame(CLOSE, &payload),
                _ => frame(TEXT, answer(std::str::from_utf8(&payload).unwrap()).as_bytes()),
            };
            if stream.write_all(&reply).is_err() || first == CLOSE {
                return;
            }
        }
    })
}

/// A server that pushes at once and echoes after 50 ms: a client that waits sends 20 a second.
#[test]
fn n1_push_releases_no_send() {
    for message in [&["-m", "{seq}"][..], &["-m", "hello"], &[]] {
        let server = Scripted::start(|mut stream, _| {
            let mut pushing = stream.try_clone().unwrap();
            stream.set_nodelay(true).unwrap();
            echo(stream.try_clone().unwrap(), move |_, _, _| {
                pushing.write_all(&frame(TEXT, b"{\"push\":\"a push, not the reply\"}")).ok();
                thread::sleep(Duration::from_millis(50));
                None
            });
            stream.flush().ok();
        });
        let ran = run_against(&server, &[&["-c", "1", "-d", "2s"], message].concat());
        let report = ran.report();
        let messages = report.messages.as_ref().unwrap();
        let counts = &messages.measured;
        assert!((10..=41).contains(&counts.sent), "{message:?}: sent {}", counts.sent);
        assert_eq!((counts.altered, counts.lost), (0, 0));
        assert!(messages.arrivals.unexpected >= counts.received, "{message:?}");
        assert!(ran.error_line().contains("received without having been sent"), "{}", ran.stderr);
        assert_balanced(&report);
    }
}

#[test]
fn n2_answers_end_the_run_early_with_one_line() {
    let answer = |request: &str| request.replace("\"method\":\"x\"", "\"result\":\"0xa\"");
    for load in [&[][..], &["-R", "50"]] {
        let server = answering(answer);
        let json = r#"{"jsonrpc":"2.0","id":{seq},"method":"x"}"#;
        let ran = run_against(&server, &[&["-c", "2", "-d", "60s", "-m", json], load].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.took < Duration::from_secs(30), "it ends early: {:?}", ran.took);
        let line = ran.error_line();
        assert!(line.contains("this server does not echo"), "{line}");
        assert!(line.contains("result") && line.contains("method"), "a sample of each: {line}");
        assert!(line.contains("loadgen listen") && line.contains("loadgen check"), "{line}");
        let report = ran.report();
        assert_eq!(report.outcome.reasons.len(), 1, "{:?}", report.outcome.reasons);
        let messages = report.messages.as_ref().unwrap();
        assert_eq!((messages.measured.received, messages.measured.altered), (0, 0));
        assert!(messages.arrivals.unexpected > 0);
        assert_balanced(&report);
    }
}

/// A greeting and a stall at the beginning are no reason to give up: the server echoes.
#[test]
fn n2_a_slow_echo_server_is_waited_for() {
    let server = Scripted::start(|mut stream, _| {
        let mut greeting = stream.try_clone().unwrap();
        stream.set_nodelay(true).unwrap();
        echo(stream.try_clone().unwrap(), move |number, _, _| {
            if number == 0 {
                greeting.write_all(&frame(TEXT, b"{\"type\":\"welcome\"}")).ok();
                thread::sleep(Duration::from_secs(3));
            }
            None
        });
        stream.flush().ok();
    });
    let ran = run_against(&server, &["-c", "1", "-n", "20", "-d", "30s"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!(
        (messages.measured.received, messages.arrivals.unexpected),
        (20, 1),
        "{}",
        ran.stderr
    );
    assert_balanced(&report);
}
