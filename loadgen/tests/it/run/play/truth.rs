//! Latencies against a server that knows them: it answers by id after known delays, out of order,
//! with ten pushes for each answer in between, and notes how long each request waited there.
//!
//! What a client measures can't be less than what the server did, whatever else runs on the
//! machine: a push, or another request's answer, that were taken for the reply would be.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use loadgen::report::HistogramReport;

const MS: u64 = 1_000_000;
/// Pushes for each answer.
const PUSHES: u32 = 10;
/// How coarse a histogram is, in thousandths.
const COARSE: u64 = 2;

/// How long each answer waited in the server, in nanoseconds.
type Waited = Arc<Mutex<Vec<u64>>>;

/// A server that answers each request after `delay_ms` of its number on the connection, whatever
/// the others wait for.
fn delaying(delay_ms: impl Fn(u64) -> u64 + Send + Sync + 'static) -> (Scripted, Waited) {
    let waited = Waited::default();
    let noted = Arc::clone(&waited);
    let server = Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        stream.write_all(crate::scripted::accepting(&head).as_bytes()).ok();
        let (sender, due) = mpsc::channel();
        let (writing, noted) = (stream.try_clone().unwrap(), Arc::clone(&noted));
        let writer = thread::spawn(move || write_when_due(writing, &due, &noted));
        let mut number = 0;
        while let Some((first, payload)) = read_frame(&mut stream) {
            let now = Instant::now();
            match first {
                CLOSE => {
                    sender.send((now, None, frame(CLOSE, &payload))).ok();
                    break;
                }
                TEXT => {
                    number += 1;
                    let delay = Duration::from_millis(delay_ms(number));
                    // An echo for `run`, which checks it; it names its request as an answer does.
                    sender.send((now + delay, Some(now), frame(TEXT, &payload))).ok();
                    for push in 0..PUSHES {
                        let push = delay * push / PUSHES;
                        sender.send((now + push, None, frame(TEXT, br#"{"push":1}"#))).ok();
                    }
                }
                _ => {}
            }
        }
        drop(sender);
        writer.join().unwrap();
    });
    (server, waited)
}

type Due = (Instant, Option<Instant>, Vec<u8>);

/// Writes each message when it is due, the earliest first.
fn write_when_due(mut stream: TcpStream, due: &mpsc::Receiver<Due>, waited: &Waited) {
    let mut waiting: BTreeMap<(Instant, u64), (Option<Instant>, Vec<u8>)> = BTreeMap::new();
    let mut number = 0;
    let mut is_open = true;
    while is_open || !waiting.is_empty() {
        let next = waiting.first_key_value().map(|((at, _), _)| *at);
        let until = next.map_or(Duration::from_millis(50), |at| at - Instant::now().min(at));
        match due.recv_timeout(until) {
            Ok((at, asked, bytes)) => {
                number += 1;
                waiting.insert((at, number), (asked, bytes));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) if next.is_none() => is_open = false,
            Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(until),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        while let Some(first) =
            waiting.first_entry().filter(|first| first.key().0 <= Instant::now())
        {
            let (asked, bytes) = first.remove();
            // Noted before it is written: the client's time ends after this.
            if let Some(asked) = asked {
                let ns = u64::try_from(asked.elapsed().as_nanos()).unwrap();
                waited.lock().unwrap().push(ns);
            }
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

/// Compares a histogram with what the server noted: nothing is shorter, and the percentiles are
/// longer only by what the machine makes of them.
fn assert_true(found: &HistogramReport, waited: &Waited, what: &str) {
    let mut waited = waited.lock().unwrap().clone();
    waited.sort_unstable();
    assert_eq!(found.count, waited.len() as u64, "{what}");
    assert!(
        found.min_ns + MS / 100 >= waited[0] / 1_000 * (1_000 - COARSE),
        "{what}: {}",
        found.min_ns
    );
    for (percentile, hundredths) in [(50.0, 50), (90.0, 90), (99.0, 99)] {
        let said = found.percentile(percentile).unwrap();
        let place = (waited.len() * hundredths).div_ceil(100) - 1;
        let least = waited[place] / 1_000 * (1_000 - COARSE);
        assert!(said >= least, "{what}: p{percentile} {said} and the server's {}", waited[place]);
        // The server's threads may have to wait as well, which they note; so it is little.
        let most = waited[place] + 2_000 * MS;
        assert!(said <= most, "{what}: p{percentile} {said} and the server's {}", waited[place]);
    }
}

const ASK: &str = "[reply]\nid = \"/id\"\n[[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n\
                   [[step]]\nname = \"ask\"\nsend = '{\"id\":{id}}'\n";

#[test]
fn percentiles_are_those_of_the_server_as_they_are_in_run() {
    // One of a hundred takes 100 ms, all others 5 ms.
    let delay_ms = |number| if number % 100 == 50 { 100 } else { 5 };
    let (server, waited) = delaying(delay_ms);
    let file = File::new("truth.toml", ASK);
    let ran = play(file.name(), &server, &["-c", "4", "-n", "400", "-d", "50s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!(scenario.messages.unmatched, 0, "{:?}", scenario.unmatched_sample);
    // What was pushed after the last answer may be lost.
    assert!(scenario.rules[0].counts.received >= 3_900, "{:?}", scenario.rules[0].counts);
    let service = step(scenario, "ask").service.as_ref().unwrap();
    assert_true(service, &waited, "play");
    let slow = service.distribution().unwrap().histogram().count_between(99 * MS, u64::MAX);
    assert!(slow >= 4, "one of each user's hundred takes 100 ms, and {slow} did");

    let (server, waited) = delaying(delay_ms);
    let url = server.url();
    let words =
        ["run", &url, "-m", "{seq}", "-c", "4", "-n", "400", "-d", "50s", "-q", "-o", "json=-"];
    let report = loadgen(&words).report();
    let found = report.histograms.iter().find(|found| found.metric == "rtt.service").unwrap();
    assert_true(found, &waited, "run");
}

#[test]
fn an_answer_that_is_late_is_not_that_of_the_next_request() {
    // Every fifth answer comes after those of the next requests: out of order.
    let (server, _) = delaying(|number| if number % 5 == 2 { 300 } else { 1 });
    let file =
        File::new("late.toml", &format!("{ASK}timeout = \"200ms\"\n[[step]]\npause = \"1ms\"\n"));
    let ran = play(file.name(), &server, &["-c", "1", "-n", "40", "-d", "50s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let StepReport { counts, service, .. } = step(scenario, "ask");
    assert!(counts.timed_out >= 8 && counts.timed_out + counts.ok == 40, "{counts:?}");
    // All but the last may have come by the end.
    assert!(counts.late + 1 >= counts.timed_out, "{counts:?}");
    assert_eq!(counts.again, 0, "{counts:?}");
    let above = service.as_ref().unwrap().distribution().unwrap();
    assert_eq!(
        above.histogram().count_between(201 * MS, u64::MAX),
        0,
        "a late answer is no sample"
    );
}

#[test]
fn under_a_rate_a_pause_of_the_server_shows_in_the_response() {
    // The server says nothing for a second from the 50th request of each of two users.
    let begin = Arc::new(Mutex::new(None));
    let (server, _) = delaying(move |number| {
        let mut begin = begin.lock().unwrap();
        if number == 50 && begin.is_none() {
            *begin = Some(Instant::now());
        }
        let since = begin.map(|begin| begin.elapsed());
        let left = since.and_then(|since| Duration::from_secs(1).checked_sub(since));
        left.map_or(1, |left| u64::try_from(left.as_millis()).unwrap())
    });
    let file = File::new("pause.toml", ASK);
    let ran = play(file.name(), &server, &["-c", "2", "-R", "100", "-n", "300", "-d", "50s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let above = |found: &HistogramReport, ms: u64| {
        found.distribution().unwrap().histogram().count_between(ms * MS, u64::MAX)
    };
    let response =
        |name: &str| report.histograms.iter().find(|found| found.metric == name).unwrap();
    // Of 100 that were due in that second, half waited for more than half of it; the server made only
    // one of each user wait.
    assert!(above(response("iteration.response"), 500) >= 45, "{}", ran.stdout);
    assert!(above(response("iteration.lag"), 500) >= 40, "{}", ran.stdout);
    let service = step(report.scenario.as_ref().unwrap(), "ask").service.as_ref().unwrap();
    assert!(above(service, 900) >= 1, "{}", ran.stdout);
}
