//! `--reply-timeout`: messages that are answered late, or never.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, assert_balanced, close, echo, frame, read_frame, run_against, upgrade,
};
use loadgen::report::{Messages, Report};

/// What a server does with a message.
#[derive(Clone, Copy)]
enum Answer {
    Now,
    After(Duration),
    Never,
}

/// Answers each message of a connection as `answer` says by its number, without holding up others.
fn serve(mut stream: TcpStream, answer: impl Fn(u64) -> Answer) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream) {
        return;
    }
    let writer = Arc::new(Mutex::new(stream.try_clone().unwrap()));
    let write = |bytes: &[u8]| writer.lock().unwrap().write_all(bytes);
    for number in 0.. {
        let Some((first, payload)) = read_frame(&mut stream) else { return };
        let reply = frame(first, &payload);
        if first == CLOSE {
            write(&reply).ok();
            return;
        }
        match answer(number) {
            Answer::Now => drop(write(&reply)),
            Answer::Never => {}
            Answer::After(time) => {
                let writer = Arc::clone(&writer);
                thread::spawn(move || {
                    sleep(time);
                    writer.lock().unwrap().write_all(&reply).ok(); // it may be closed
                });
            }
        }
    }
}

fn messages(report: &Report) -> &Messages {
    assert_balanced(report);
    let messages = report.messages.as_ref().unwrap();
    assert!(messages.arrivals.late <= messages.measured.timed_out + messages.warmup.timed_out);
    for metric in ["rtt.service", "rtt.response"] {
        if let Some(found) = report.histograms.iter().find(|found| found.metric == metric) {
            let recorded = found.below + found.count + found.above;
            assert_eq!(recorded, messages.measured.received, "{metric} has what came in time");
        }
    }
    messages
}

#[test]
fn d10_messages_answered_late_or_never_have_timed_out_and_the_loop_goes_on() {
    for load in [&["-p", "3"][..], &["-R", "200"]] {
        let (late, never) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&late), Arc::clone(&never));
        let server = Scripted::start(move |stream, _| {
            serve(stream, |number| match number % 20 {
                3 => {
                    counters.0.fetch_add(1, SeqCst);
                    Answer::After(Duration::from_millis(600))
                }
                7 => {
                    counters.1.fetch_add(1, SeqCst);
                    Answer::Never
                }
                _ => Answer::Now,
            });
        });
        let args = [
            "-c",
            "2",
            "-d",
            "2s",
            "--reply-timeout",
            "300ms",
            "--threshold",
            "late>=1",
            "--threshold",
            "timed_out<50%",
            "--threshold",
            "lost==0",
        ];
        let ran = run_against(&server, &[&args[..], load].concat());
        ran.assert_went_well();
        let report = ran.report();
        let messages = messages(&report);
        let counts = &messages.measured;
        let (late, never) = (late.load(SeqCst), never.load(SeqCst));
        assert!(counts.timed_out >= late + never && never > 0, "{late} {never} {counts:?}");
        // Those of the last moments are not waited for.
        assert!((1..=counts.timed_out - never).contains(&messages.arrivals.late), "{messages:?}");
        assert_eq!(
            (messages.arrivals.duplicated, messages.arrivals.unexpected, counts.altered),
            (0, 0, 0)
        );
        assert_eq!((counts.lost, counts.reordered), (0, 0), "{counts:?}");
        assert!(counts.received > counts.timed_out, "{counts:?}");
        assert!(report.errors.is_empty(), "{:?}", report.errors);
    }
}

#[test]
fn d10_a_server_that_never_answers_gets_the_next_message_after_each_timeout() {
    for (load, most) in [(&["-p", "2"][..], 3 * 2 * 11), (&["-R", "100"], 100)] {
        let server = Scripted::start(|stream, _| serve(stream, |_| Answer::Never));
        let args = ["-c", "3", "-d", "1s", "--reply-timeout", "100ms", "--drain-timeout", "50s"];
        let ran = run_against(&server, &[&args[..], load].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let report = ran.report();
        let counts = &messages(&report).measured;
        // A machine that is busy sends fewer.
        assert!((3 * 2 * 2..=most).contains(&counts.sent), "{counts:?}");
        assert_eq!((counts.timed_out, counts.lost), (counts.sent, 0), "{counts:?}");
        let reasons = [
            format!("{} messages timed out", counts.sent),
            "no echo was received in the measured time".into(),
        ];
        assert_eq!(report.outcome.reasons, reasons);
        let drain = report.phases.drain.unwrap();
        assert!(drain.length_ns() < 20_000_000_000, "none may come in time any more: {drain:?}");
        assert_eq!(report.connections.completed, 3);
    }
}

#[test]
fn d10_messages_of_a_connection_that_is_lost_have_not_timed_out() {
    let server = Scripted::start(|stream, number| {
        if number == 0 {
            return echo(stream, |place, _, _| (place == 5).then(|| close(1012)));
        }
        serve(stream, |number| if number == 0 { Answer::Never } else { Answer::Now });
    });
    let args =
        ["-c", "1", "-p", "1", "-d", "1500ms", "--reply-timeout", "300ms", "--reconnect=5ms..9ms"];
    let report = run_against(&server, &args).report();
    let messages = messages(&report);
    let counts = &messages.measured;
    assert_eq!(counts.lost, 1, "{counts:?}");
    // Others that a busy machine held up came late.
    assert!(counts.timed_out > messages.arrivals.late, "{messages:?}");
    assert!(counts.received > 5, "it goes on behind both: {counts:?}");
    assert_eq!(report.reconnect.as_ref().unwrap().reestablished, 1);
}

#[test]
fn what_timed_out_stands_in_the_text() {
    let server = Scripted::start(|stream, _| {
        serve(stream, |number| match number {
            0 => Answer::After(Duration::from_millis(1_600)),
            1 => Answer::Never,
            _ => Answer::Now,
        });
    });
    let url = server.url();
    let args = ["run", &url, "-c", "1", "-p", "2", "-d", "3s", "--reply-timeout", "800ms", "-q"];
    let ran = crate::scripted::loadgen(&args);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("   lost 0   timed out 2   late 1   achieved "), "{}", ran.stdout);
    assert!(ran.stdout.contains(" failed       2 messages timed out"), "{}", ran.stdout);
}
