//! A `fanout` of several processes: what a server does to copies on purpose is counted as exactly as
//! by one, once the segments are merged.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::scripted::{
    CLOSE, Ran, Scripted, TEXT, accepting, assert_balanced, command, finish, frame, loadgen,
    read_frame, read_head,
};
use loadgen::report::Report;

const SUBSCRIBERS: u64 = 10;
const PUBLISHERS: u64 = 4;
const MESSAGES: u64 = 200;
/// Messages of each publisher.
const EACH: u64 = MESSAGES / PUBLISHERS;

#[derive(Default)]
struct Deeds {
    subscribers: Mutex<Vec<(u64, TcpStream)>>,
    held: Mutex<Vec<u8>>,
    lost: AtomicU64,
    doubled: AtomicU64,
    swapped: AtomicU64,
    altered: AtomicU64,
}

/// Copies go to all on `/`; what is sent to `/pub` is published.
fn server(deeds: &Arc<Deeds>) -> Scripted {
    let deeds = Arc::clone(deeds);
    Scripted::start(move |mut stream, number| {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        if head.is_empty() || stream.write_all(accepting(&head).as_bytes()).is_err() {
            return;
        }
        if head.starts_with("GET / ") {
            let own = (number as u64, stream.try_clone().unwrap());
            deeds.subscribers.lock().unwrap().push(own);
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                deeds.subscribers.lock().unwrap().retain(|(other, _)| *other != number as u64);
                stream.write_all(&frame(CLOSE, &payload)).ok();
                stream.shutdown(Shutdown::Both).ok();
                return;
            }
            deliver(&deeds, &payload);
        }
    })
}

/// Loses, doubles, swaps and alters copies by publisher, sequence and place among the subscribers;
/// the last ten messages of one publisher come to nobody but one.
fn deliver(deeds: &Deeds, payload: &[u8]) {
    let text = str::from_utf8(payload).unwrap();
    let field = |n: usize| text.split(' ').nth(n).unwrap().parse::<u64>().unwrap();
    let (publisher, sequence) = (field(3), field(4));
    let mut subscribers = deeds.subscribers.lock().unwrap();
    for (place, (_, stream)) in subscribers.iter_mut().enumerate() {
        let mut send = |payload: &[u8]| stream.write_all(&frame(TEXT, payload)).unwrap_or(());
        let add = |count: &AtomicU64| count.fetch_add(1, SeqCst);
        match (publisher, sequence) {
            (1, 40..EACH) if place > 0 => {
                add(&deeds.lost);
            }
            (_, 7 | 8) if place % 2 == 0 => {
                add(&deeds.lost);
            }
            (2, 20) => {
                send(payload);
                send(payload);
                add(&deeds.doubled);
            }
            (3, 25) => *deeds.held.lock().unwrap() = payload.to_vec(),
            (3, 26) => {
                send(payload);
                send(&deeds.held.lock().unwrap());
                add(&deeds.swapped);
            }
            (0, 30) => {
                let mut payload = payload.to_vec();
                *payload.last_mut().unwrap() ^= 1;
                send(&payload);
                add(&deeds.altered);
            }
            _ => send(payload),
        }
    }
}

fn arguments(server: &Scripted, more: &[&str]) -> Vec<String> {
    let (url, publish_url) = (server.url(), format!("{}pub", server.url()));
    let numbers = [SUBSCRIBERS, PUBLISHERS, MESSAGES].map(|number| number.to_string());
    let [subscribers, publishers, messages] = &numbers;
    let own = ["fanout", &url, "--publish-url", &publish_url, "-c", subscribers];
    let load = ["--publishers", publishers, "-n", messages, "-R", "400", "-s", "80", "-q"];
    [&own[..], &load, more].concat().into_iter().map(Into::into).collect()
}

fn assert_follows_schema(result: &[u8]) {
    let schema = serde_json::from_str(include_str!("../../../report.schema.json")).unwrap();
    let result = serde_json::from_slice(result).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&result).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

/// The result files of segments with these numbers of threads, which are gone with the test.
struct Files(Vec<PathBuf>);

impl Files {
    fn of(server: &Scripted, name: &str, threads: &[&str]) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
        let at = format!("{}.{:03}", at.as_secs(), at.subsec_millis());
        let file = |index: usize| {
            let file = format!("loadgen-{}-{name}-{index}.json", std::process::id());
            std::env::temp_dir().join(file)
        };
        let begun: Vec<_> = (1..=threads.len())
            .map(|index| {
                let segment = format!("{index}/{}", threads.len());
                let out = format!("json={}", file(index).display());
                let own = ["--segment", &segment, "-t", threads[index - 1], "-o", &out];
                let all =
                    ["--seed", "5", "--ramp", "2s", "--start-at", &at, "--copy-timeout", "2s"];
                let args = arguments(server, &[&own[..], &all].concat());
                command(&args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap()
            })
            .collect();
        for ran in begun.into_iter().map(finish) {
            assert!(matches!(ran.code, Some(0 | 1 | 97)), "{}", ran.stderr);
        }
        Self((1..=threads.len()).map(file).collect())
    }

    fn report(&self, place: usize) -> Report {
        serde_json::from_slice(&std::fs::read(&self.0[place]).unwrap()).unwrap()
    }

    fn merged(&self, places: &[usize]) -> Ran {
        let files: Vec<_> = places.iter().map(|&at| self.0[at].display().to_string()).collect();
        let words = files.iter().map(String::as_str);
        loadgen(
            &["merge", "--allow-missing", "-o", "json=-"]
                .into_iter()
                .chain(words)
                .collect::<Vec<_>>(),
        )
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in &self.0 {
            std::fs::remove_file(file).ok();
        }
    }
}

#[test]
fn d12_merged_segments_count_what_a_server_does_as_one_process_does() {
    let deeds = Arc::<Deeds>::default();
    let server = server(&deeds);
    let files = Files::of(&server, "split", &["1", "2", "1"]);
    let whole = files.merged(&[2, 0, 1]);
    assert_eq!(whole.code, Some(1), "{}", whole.stderr);
    assert_follows_schema(whole.stdout.as_bytes());
    assert_follows_schema(&std::fs::read(&files.0[0]).unwrap());
    let report = whole.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    let copies = &fanout.copies;
    let done = |count: &AtomicU64| count.load(SeqCst);
    assert!(done(&deeds.lost) > 10 * (SUBSCRIBERS - 1));
    assert_eq!(fanout.published + fanout.unsent_late, MESSAGES);
    assert_eq!(copies.counts.expected, fanout.published * SUBSCRIBERS);
    assert_eq!(
        (copies.counts.lost, copies.counts.altered),
        (done(&deeds.lost), done(&deeds.altered))
    );
    assert_eq!(
        (copies.counts.duplicated, copies.counts.reordered),
        (done(&deeds.doubled), done(&deeds.swapped))
    );
    assert_eq!(
        copies.counts.received,
        copies.counts.expected - copies.counts.lost - copies.counts.altered
    );
    assert_eq!(
        (
            copies.counts.stale,
            copies.counts.unexpected,
            copies.counts.foreign,
            copies.counts.overheard
        ),
        (0, 0, 0, 0)
    );
    // What is not known is not said.
    assert_eq!((fanout.complete, fanout.incomplete, fanout.silent), (None, None, None));
    let found = |name: &str| report.histograms.iter().find(|found| found.metric == name).unwrap();
    let [latency, first, last, spread] =
        ["latency", "first", "last", "spread"].map(|name| found(&format!("fanout.{name}")));
    assert_eq!(latency.count + copies.counts.early, copies.counts.received);
    assert!(latency.max_ns < 5_000_000_000, "{}", latency.max_ns);
    // Each message came to somebody. Altered copies have no latency, and are copies all the same.
    let early = fanout.published - first.count;
    assert!(early <= copies.counts.early, "{early} of {}", copies.counts.early);
    // Of what came to one alone the spread is nothing, which is below the histogram's range.
    assert_eq!((last.count, spread.count + spread.below), (first.count, first.count));
    assert!(first.min_ns <= latency.min_ns && first.max_ns < last.max_ns && spread.max_ns > 0);
    assert!(last.max_ns >= latency.max_ns && last.max_ns < 5_000_000_000, "{}", last.max_ns);
    assert_eq!(report.connections.established, SUBSCRIBERS + PUBLISHERS);
    let split = fanout.split.as_ref().unwrap();
    assert!(split.followed.is_empty() && split.sampled.is_empty());
    assert!(split.sampled_every == 1 && split.clock.contains("wall clocks"));

    // Each by itself says what it knows: no more was lost than was.
    let parts: Vec<Report> = (0..3).map(|place| files.report(place)).collect();
    for part in &parts {
        assert_balanced(part);
        let fanout = part.fanout.as_ref().unwrap();
        assert_eq!(fanout.split.as_ref().unwrap().followed.len() as u64, PUBLISHERS);
        assert!(part.histograms.iter().all(|found| found.metric != "fanout.first"));
    }
    let known: u64 =
        parts.iter().map(|part| part.fanout.as_ref().unwrap().copies.counts.lost).sum();
    assert!(known < copies.counts.lost, "{known} of {}", copies.counts.lost);

    // One that is missing takes the end of its publishers with it, which is said.
    let missing = files.merged(&[0, 2]).report();
    assert_balanced(&missing);
    assert_ne!(missing.verdict.state.name(), "valid");
    let reasons = missing.verdict.reasons.join("; ");
    for part in [
        "segment 2 of 3 is missing",
        "1 publisher of missing segments",
        "first, last and spread need the copies of every segment",
    ] {
        assert!(reasons.contains(part), "{part:?} in {reasons}");
    }
    assert!(missing.histograms.iter().all(|found| found.metric != "fanout.first"));
    assert!(missing.fanout.unwrap().copies.counts.lost < copies.counts.lost);

    // One of another run has other messages.
    let mut other = files.report(1);
    other.fanout.as_mut().unwrap().split.as_mut().unwrap().run += 1;
    std::fs::write(&files.0[1], serde_json::to_string(&other).unwrap()).unwrap();
    let said = files.merged(&[0, 1, 2]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.error_line().contains("began at different times"), "{}", said.stderr);
}
