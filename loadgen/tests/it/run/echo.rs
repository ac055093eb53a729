//! Echo servers, honest and otherwise: what they do to messages is counted, never averaged away.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use crate::scripted::{
    BINARY, CLOSE, EARLY, PING, Scripted, TEXT, assert_balanced, close, echo, failed, frame,
    loadgen, read_frame, run_against, upgrade,
};

#[test]
fn an_honest_server_and_every_size() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    for args in [
        &["-s", "0"][..],
        &["-s", "1"],
        &["-s", "15"],
        &["-s", "16", "-b"],
        &["-s", "125"],
        &["-s", "126"],
        &["-s", "65535", "-p", "2"],
        &["-m", "gr\u{fc}\u{df}e", "-p", "3"],
        &["-R", "200"],
        &["-p", "8", "--mask", "zero"],
    ] {
        let args = [&["-c", "3", "-d", "200ms"], args].concat();
        let ran = run_against(&server, &args);
        let report = ran.report();
        assert!(report.outcome.is_ok, "{args:?}: {:?}", report.outcome);
        assert!(
            ran.code == Some(0) || report.verdict.state.name() == "saturated",
            "{args:?}: {ran:?}"
        );
        let messages = report.messages.as_ref().unwrap();
        assert!(messages.measured.received > 0, "{args:?}");
        assert_eq!(messages.measured.sent, messages.measured.received, "{args:?}");
        assert_balanced(&report);
    }
}

#[test]
fn a_number_of_messages_is_exact_and_ends_the_run() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    for load in [&["-p", "4"][..], &["-R", "1k"]] {
        let args = [&["-c", "3", "-n", "100", "-d", "60s"], load].concat();
        let ran = run_against(&server, &args);
        let report = ran.report();
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
        assert_eq!(report.messages.as_ref().unwrap().measured.received, 100);
        assert!(ran.took < EARLY, "{:?}", ran.took);
        let measured = report.phases.measured.unwrap();
        assert!(measured.length_ns() < 5_000_000_000, "it ends with the last message");
        assert_balanced(&report);
    }
}

#[test]
fn the_warm_up_is_apart() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = run_against(&server, &["-c", "2", "-R", "500", "-w", "400ms", "-d", "400ms"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!((messages.warmup.sent, messages.measured.sent), (200, 200));
    let count = |name: &str| {
        report.histograms.iter().find(|found| found.metric == name).map_or(0, |found| found.count)
    };
    assert_eq!((count("warmup.rtt.response"), count("rtt.response")), (200, 200));
    let [warmup, measured] = [report.phases.warmup, report.phases.measured].map(Option::unwrap);
    assert_eq!(warmup.end_ns, measured.begin_ns);
    assert_eq!(measured.length_ns(), 400_000_000);
    assert_balanced(&report);
}

#[test]
fn d12_an_altered_echo() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, first, payload| {
            let mut payload = payload.to_vec();
            match number {
                3 => *payload.last_mut().unwrap() ^= 1,
                5 => payload.truncate(20),
                7 => return Some(frame(if first == TEXT { BINARY } else { TEXT }, &payload)),
                _ => return None,
            }
            Some(frame(first, &payload))
        });
    });
    let ran = run_against(&server, &["-c", "1", "-n", "20", "-d", "5s"]);
    let report = ran.report();
    let counts = &report.messages.as_ref().unwrap().measured;
    assert_eq!((counts.sent, counts.received, counts.altered, counts.lost), (20, 17, 3, 0));
    assert_eq!(failed(&report, "message.altered"), 3);
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("3 messages altered"), "{}", ran.stderr);
    assert_balanced(&report);
}

#[test]
fn d12_an_echo_twice() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, first, payload| {
            (number == 4).then(|| [frame(first, payload), frame(first, payload)].concat())
        });
    });
    let ran = run_against(&server, &["-c", "1", "-n", "20", "-d", "5s"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!((messages.measured.received, messages.arrivals.duplicated), (20, 1));
    assert!(ran.error_line().contains("1 message received twice"), "{}", ran.stderr);
    assert_balanced(&report);
}

#[test]
fn d12_echoes_out_of_order() {
    let server = Scripted::start(|stream, _| {
        let held = Mutex::new(None);
        echo(stream, move |number, first, payload| {
            let own = frame(first, payload);
            match number % 4 {
                1 => {
                    *held.lock().unwrap() = Some(own);
                    Some(Vec::new())
                }
                2 => Some([own, held.lock().unwrap().take().unwrap()].concat()),
                _ => None,
            }
        });
    });
    let ran = run_against(&server, &["-c", "1", "-p", "4", "-n", "40", "-d", "5s"]);
    let report = ran.report();
    let counts = &report.messages.as_ref().unwrap().measured;
    assert_eq!((counts.received, counts.reordered, counts.lost), (40, 10, 0));
    assert!(ran.error_line().contains("10 messages received out of order"), "{}", ran.stderr);
    assert_balanced(&report);
}

#[test]
fn d12_messages_between_echoes_are_no_echoes() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, first, payload| {
            let notice = frame(TEXT, b"{\"notice\":\"there are three of you in here\"}");
            (number % 4 == 1).then(|| [notice, frame(first, payload)].concat())
        });
    });
    let ran = run_against(&server, &["-c", "2", "-p", "3", "-n", "80", "-d", "60s"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    let counts = &messages.measured;
    assert_eq!((counts.received, counts.altered, counts.lost), (80, 0, 0));
    assert_eq!((messages.arrivals.unexpected, messages.arrivals.duplicated), (20, 0));
    assert!(
        ran.error_line().contains("20 messages received without having been sent"),
        "{}",
        ran.stderr
    );
    assert_balanced(&report);
}

#[test]
fn d10_a_reply_that_never_comes_costs_a_number_of_messages_the_drain_bound_and_no_more() {
    for load in [&["-p", "5", "-n", "10"][..], &["-R", "100", "-n", "10"]] {
        let server = Scripted::start(|stream, _| {
            echo(stream, |number, _, _| (number >= 4).then(Vec::new));
        });
        let args = [&["-c", "2", "--drain-timeout", "400ms"], load].concat();
        let ran = run_against(&server, &args);
        let report = ran.report();
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.sent, counts.received, counts.lost), (10, 8, 2));
        assert!(ran.took < EARLY, "not all of ten minutes: {:?}", ran.took);
        let (measured, drain) = (report.phases.measured.unwrap(), report.phases.drain.unwrap());
        assert!(drain.length_ns() >= 300_000_000, "the wait isn't load: {drain:?}");
        assert_eq!(measured.end_ns, drain.begin_ns);
        // Its processor time is of all of the wait, so that must be beside it.
        let counted_ns = report.client.workers[0].load_ns;
        assert!(counted_ns >= 300_000_000 && report.client.cpu_share < 1.1, "{counted_ns}");
        assert_balanced(&report);
    }
}

#[test]
fn d12_the_echo_of_another_connection() {
    let server = Scripted::start(|stream, number| {
        echo(stream, move |message, first, payload| {
            let of_another = format!("{:06x}{message:010x}", 1 - number);
            let rest = std::str::from_utf8(&payload[16..]).unwrap();
            (message == 2).then(|| frame(first, (of_another + rest).as_bytes()))
        });
    });
    let ran = run_against(&server, &["-c", "2", "-d", "300ms", "--drain-timeout", "100ms"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!((messages.arrivals.unexpected, messages.measured.lost), (2, 2));
    assert!(
        ran.error_line().contains("2 messages received without having been sent"),
        "{}",
        ran.stderr
    );
    assert_balanced(&report);
}

#[test]
fn d10_a_server_that_reads_and_never_answers_costs_the_drain_bound_and_no_more() {
    for load in [&["-p", "5"][..], &["-R", "1k"]] {
        let server = Scripted::start(|stream, _| echo(stream, |_, _, _| Some(Vec::new())));
        let args = [&["-c", "2", "-d", "500ms", "--drain-timeout", "300ms"], load].concat();
        let ran = run_against(&server, &args);
        let report = ran.report();
        let counts = &report.messages.as_ref().unwrap().measured;
        assert!(counts.sent > 0 && counts.received == 0, "{counts:?}");
        assert_eq!(counts.lost, counts.sent);
        let drain = report.phases.drain.unwrap();
        assert!((290..5_000).contains(&(drain.length_ns() / 1_000_000)), "{drain:?}");
        assert_eq!(report.connections.completed, 2, "they are closed cleanly all the same");
        assert!(ran.took < EARLY, "{:?}", ran.took);
        assert_balanced(&report);
    }
}

#[test]
fn d11_a_server_that_never_reads_is_reported_as_such_and_memory_has_a_bound() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        sleep(Duration::from_secs(20)); // the fault: longer than the run
    });
    let ran = run_against(
        &server,
        &[
            "-c",
            "1",
            "-R",
            "400",
            "-s",
            "1M",
            "-d",
            "1s",
            "--drain-timeout",
            "0s",
            "--close-timeout",
            "200ms",
        ],
    );
    let report = ran.report();
    let counts = &report.messages.as_ref().unwrap().measured;
    assert!(counts.unsent_backlog > 200, "{counts:?}");
    assert!(report.verdict.reasons.iter().any(|reason| reason.contains("didn't read")));
    assert_eq!(failed(&report, "close.timeout"), 1, "{:?}", report.errors);
    let rss_max = report.client.rss_max.unwrap();
    assert!(rss_max < 300 << 20, "{rss_max}");
    assert!(ran.took < EARLY, "{:?}", ran.took);
    assert_balanced(&report);
}

#[test]
fn d09_a_server_that_stalls_for_a_second_shows_in_the_response_and_hides_nothing() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, _, _| {
            if number == 500 {
                sleep(Duration::from_secs(1)); // the fault
            }
            None
        });
    });
    let args = ["-c", "1", "-R", "1k", "-d", "2s", "--drain-timeout", "3s"];
    let ran = run_against(&server, &args);
    let report = ran.report();
    let found = |name: &str| report.histograms.iter().find(|found| found.metric == name).unwrap();
    let (response, service) = (found("rtt.response"), found("rtt.service"));
    assert_eq!((response.count, service.count), (2_000, 2_000), "as many samples as planned sends");
    let p999 = response.percentile(99.9).unwrap();
    // A busy machine adds to it.
    assert!((900_000_000..5_000_000_000).contains(&p999), "{p999}");
    // A third of all was planned while the server stood still, not the one message that a closed
    // loop would have seen.
    assert!(response.percentile(75.0).unwrap() > 100_000_000, "{response:?}");
    let counts = &report.messages.as_ref().unwrap().measured;
    assert_eq!((counts.sent, counts.lost), (2_000, 0));
    assert_balanced(&report);
}

#[test]
fn a_closed_loop_says_that_it_knows_service_latency_only() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let ran = loadgen(&["run", &url, "-c", "1", "-d", "100ms", "-q"]);
    assert!(ran.stdout.contains("from the write; a closed loop has no other"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("rtt.response"), "{}", ran.stdout);
}

#[test]
fn d13_unasked_frames_are_counted_and_pings_answered() {
    let server = Scripted::start(|mut stream, _| {
        let head = crate::scripted::read_head(&mut stream);
        // The first frames come with the response, in one write, the last of them cut.
        let unasked = frame(TEXT, b"welcome to this server, have a message");
        let ping = frame(PING, b"123");
        let mut first = crate::scripted::accepting(&head).into_bytes();
        first.extend([unasked.as_slice(), &ping, &unasked[..7]].concat());
        stream.write_all(&first).unwrap();
        stream.write_all(&unasked[7..]).unwrap();
        serve_echo(stream);
    });
    let ran = run_against(&server, &["-c", "1", "-d", "200ms"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!(
        (messages.arrivals.unexpected, messages.measured.altered, messages.arrivals.pings),
        (2, 0, 1)
    );
    assert_eq!((messages.arrivals.duplicated, messages.measured.lost), (0, 0));
    assert!(messages.measured.received > 0);
    assert_balanced(&report);
}

#[test]
fn d13_a_flood_of_pings_from_a_server_that_does_not_read_has_a_bound() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        let flood = frame(PING, &[b'x'; 125]).repeat(500);
        while stream.write_all(&flood).is_ok() {}
    });
    let ran = run_against(
        &server,
        &["-c", "1", "-d", "2s", "--close-timeout", "200ms", "--drain-timeout", "100ms"],
    );
    let report = ran.report();
    assert!(report.messages.as_ref().unwrap().arrivals.pings > 10_000);
    assert_eq!(failed(&report, "close.timeout"), 1, "{:?}", report.errors);
    let rss_max = report.client.rss_max.unwrap();
    assert!(rss_max < 100 << 20, "{rss_max}");
    assert!(ran.took < EARLY, "{:?}", ran.took);
    assert_balanced(&report);
}

#[test]
fn d13_a_flood_of_messages_is_counted_and_neither_kept_nor_in_the_way() {
    const FLOOD: u64 = 2_000;
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        // The first echo comes at once: a server is given five seconds to show that it echoes.
        let Some((first, payload)) = read_frame(&mut stream) else { return };
        stream.write_all(&frame(first, &payload)).unwrap();
        let Some((first, payload)) = read_frame(&mut stream) else { return };
        let unasked = [frame(TEXT, &[b'x'; 50]), frame(BINARY, &vec![7; 60_000])].concat();
        for _ in 0..FLOOD / 2 {
            stream.write_all(&unasked).unwrap();
        }
        stream.write_all(&frame(first, &payload)).unwrap();
        while let Some((first, payload)) = read_frame(&mut stream) {
            if stream.write_all(&frame(first, &payload)).is_err() || first == CLOSE {
                return;
            }
        }
    });
    let ran = run_against(&server, &["-c", "1", "-n", "20", "-d", "60s", "--drain-timeout", "50s"]);
    let report = ran.report();
    let messages = report.messages.as_ref().unwrap();
    let counts = &messages.measured;
    assert_eq!((counts.received, counts.lost, counts.altered), (20, 0, 0), "{counts:?}");
    assert_eq!((messages.arrivals.unexpected, messages.arrivals.duplicated), (FLOOD, 0));
    assert_eq!((ran.code, report.connections.completed), (Some(1), 1), "{}", ran.stderr);
    // All of it together would be 57 MiB.
    let rss_max = report.client.rss_max.unwrap();
    assert!(rss_max < 50 << 20, "{rss_max}");
    assert_balanced(&report);
}

/// Expects the Pong, then echoes.
fn serve_echo(mut stream: TcpStream) {
    assert_eq!(read_frame(&mut stream), Some((0x8a, b"123".to_vec())));
    while let Some((first, payload)) = read_frame(&mut stream) {
        stream.write_all(&frame(first, &payload)).unwrap();
        if first == CLOSE {
            return;
        }
    }
}

#[test]
fn d19_a_server_that_closes_in_the_middle_is_counted_by_its_code() {
    for (code, name) in [
        (1000, "server_close.1000"),
        (1001, "server_close.1001"),
        (1008, "server_close.1008"),
        (1011, "server_close.1011"),
        (1012, "server_close.1012"),
        (1013, "server_close.1013"),
        (4000, "server_close.4000"),
    ] {
        let server = Scripted::start(move |stream, _| {
            echo(stream, |number, _, _| (number == 10).then(|| close(code)));
        });
        let ran = run_against(&server, &["-c", "2", "-d", "60s"]);
        let report = ran.report();
        assert_eq!(failed(&report, name), 2, "{:?}", report.errors);
        let closing = &report.closings[0];
        assert_eq!((closing.by.name(), closing.code, closing.count), ("server", code, 2));
        assert!(ran.took < EARLY, "nobody is left: {:?}", ran.took);
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.received, counts.lost), (20, 2));
        assert_balanced(&report);
    }
}
