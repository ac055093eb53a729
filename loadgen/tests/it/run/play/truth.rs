//! Latencies against a server that knows them: it answers by id after known delays, out of order,
//! with ten pushes for each answer in between, and notes when each request came and was answered.
//!
//! What a client measures can't be less than what the server did, whatever else runs on the
//! machine: a push, or another request's answer, that were taken for the reply would be. Nor can it
//! be more than from the server's answer before to the arrival of the client's next request, if
//! each waits for the one before: what the machine does to either is in both bounds, which are a
//! round trip apart.

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

/// What a server has noted of a connection: when it was open, when each request came and its answer
/// was about to be written, and when the client was done.
#[derive(Clone)]
struct Noted {
    open: Instant,
    asked: Vec<(Instant, Instant)>,
    done: Option<Instant>,
}

/// What a server has noted of all connections.
type Waited = Arc<Mutex<Vec<Noted>>>;

fn ns(begin: Instant, end: Instant) -> u64 {
    u64::try_from(end.saturating_duration_since(begin).as_nanos()).unwrap()
}

impl Noted {
    /// The least and the most that the client can have waited for each answer, if it sends a
    /// request when it has the answer to the one before, in nanoseconds.
    fn bounds(&self) -> impl Iterator<Item = (u64, u64)> {
        self.asked.iter().enumerate().map(|(place, &(asked, answered))| {
            let before = place.checked_sub(1).map_or(self.open, |place| self.asked[place].1);
            let after = self.asked.get(place + 1).map(|next| next.0).or(self.done);
            (ns(asked, answered), ns(before, after.expect("the client has said goodbye")))
        })
    }
}

/// A server that answers each request after `delay_ms` of its number on the connection, whatever
/// the others wait for.
fn delaying(delay_ms: impl Fn(u64) -> u64 + Send + Sync + 'static) -> (Scripted, Waited) {
    let waited = Waited::default();
    let noted = Arc::clone(&waited);
    let server = Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        let own = Noted { open: Instant::now(), asked: Vec::new(), done: None };
        let own = Arc::new(Mutex::new(own));
        stream.write_all(crate::scripted::accepting(&head).as_bytes()).ok();
        let (sender, due) = mpsc::channel();
        let (writing, noting) = (stream.try_clone().unwrap(), Arc::clone(&own));
        let writer = thread::spawn(move || write_when_due(writing, &due, &noting));
        let mut number = 0;
        while let Some((first, payload)) = read_frame(&mut stream) {
            let now = Instant::now();
            match first {
                CLOSE => {
                    own.lock().unwrap().done = Some(now);
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
        let own = own.lock().unwrap().clone();
        noted.lock().unwrap().push(own);
    });
    (server, waited)
}

type Due = (Instant, Option<Instant>, Vec<u8>);

/// Writes each message when it is due, the earliest first.
fn write_when_due(mut stream: TcpStream, due: &mpsc::Receiver<Due>, noted: &Mutex<Noted>) {
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
                noted.lock().unwrap().asked.push((asked, Instant::now()));
            }
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

/// Compares a histogram with what the server noted of `connections`: each value lies between two
/// bounds, and so each percentile lies between those of the bounds.
fn assert_true(found: &HistogramReport, waited: &Waited, connections: usize, what: &str) {
    let begin = Instant::now();
    while waited.lock().unwrap().len() < connections && begin.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(1)); // its threads end after the client
    }
    let noted = waited.lock().unwrap();
    let (mut least, mut most): (Vec<_>, Vec<_>) = noted.iter().flat_map(Noted::bounds).unzip();
    least.sort_unstable();
    most.sort_unstable();
    assert_eq!((noted.len(), found.count), (connections, least.len() as u64), "{what}");
    let percentiles = [(1.0, 1), (50.0, 50), (90.0, 90), (99.0, 99), (100.0, 100)];
    for (percentile, hundredths) in percentiles {
        let said = found.value_at(percentile).unwrap();
        let place = (least.len() * hundredths).div_ceil(100) - 1;
        let least = least[place] / 1_000 * (1_000 - COARSE);
        let most = most[place] / 1_000 * (1_000 + COARSE) + 1_000;
        assert!((least..=most).contains(&said), "{what}: p{percentile}: {least} {said} {most}");
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
    assert_true(service, &waited, 4, "play");
    let slow = service.distribution().unwrap().histogram().count_between(99 * MS, u64::MAX);
    assert!(slow >= 4, "one of each user's hundred takes 100 ms, and {slow} did");

    let (server, waited) = delaying(delay_ms);
    let url = server.url();
    let words =
        ["run", &url, "-m", "{seq}", "-c", "4", "-n", "400", "-d", "50s", "-q", "-o", "json=-"];
    let report = loadgen(&words).report();
    let found = report.histograms.iter().find(|found| found.metric == "rtt.service").unwrap();
    assert_true(found, &waited, 4, "run");
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
