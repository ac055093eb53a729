//! `fanout` against a server with a protocol of its own: one joins by a message and is told so,
//! publishes by an envelope at another place, and receives another envelope. It loses, doubles,
//! swaps and alters on purpose; what it did is what is counted.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::scripted::{
    CLOSE, PING, Ran, Scripted, TEXT, assert_balanced, close, failed, frame, loadgen, read_frame,
    upgrade,
};
use serde_json::{Value, json};

const SUBSCRIBE: &str = r#"{"op":"subscribe","topic":"t{topic}","id":{conn}}"#;
const PUBLISH: &str =
    r#"{"type":"publish","topic":"t{topic}","n":{seq},"data":"{payload}","by":"{rand:4}"}"#;

/// A subscriber: its topic, and which of all it is.
struct Member {
    topic: String,
    number: usize,
    stream: TcpStream,
}

/// What a server has seen, and has done on purpose.
#[derive(Default)]
struct Deeds {
    members: Mutex<Vec<Member>>,
    joined: AtomicU64,
    published: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
    swapped: AtomicU64,
    altered: AtomicU64,
}

fn text(stream: &mut TcpStream, said: &Value) {
    stream.write_all(&frame(TEXT, said.to_string().as_bytes())).ok();
}

/// Handles the text messages of a connection, and its Close.
fn converse(mut stream: TcpStream, mut take: impl FnMut(&mut TcpStream, Value)) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream) {
        return;
    }
    while let Some((first, payload)) = read_frame(&mut stream) {
        match first {
            CLOSE => {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                // Others have it, too.
                stream.shutdown(Shutdown::Both).ok();
                return;
            }
            TEXT => take(&mut stream, serde_json::from_slice(&payload).expect("JSON")),
            _ => {}
        }
    }
}

/// Where one subscribes; `is_answering` says to whom.
fn subscriptions(
    deeds: &Arc<Deeds>,
    is_answering: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> Scripted {
    let deeds = Arc::clone(deeds);
    Scripted::start(move |stream, number| {
        converse(stream, |stream, said| {
            assert_eq!(said["op"], "subscribe");
            assert!(said["id"].is_u64());
            let topic = said["topic"].as_str().unwrap().to_owned();
            text(stream, &json!({ "hello": "post 1 2", "of": "somebody" }));
            if is_answering(number) {
                text(stream, &json!({ "event": "subscribed", "topic": topic }));
            }
            deeds.joined.fetch_add(1, SeqCst);
            let stream = stream.try_clone().unwrap();
            deeds.members.lock().unwrap().push(Member { topic, number, stream });
        });
    })
}

/// Where one publishes; `deliver` gets each message's number in its topic, its data, and the members
/// of its topic.
fn publications(
    deeds: &Arc<Deeds>,
    deliver: impl Fn(&Deeds, u64, &str, &mut [&mut Member]) + Send + Sync + 'static,
) -> Scripted {
    let deeds = Arc::clone(deeds);
    Scripted::start(move |stream, _| {
        converse(stream, |stream, said| {
            assert_eq!((&said["type"], said["by"].as_str().unwrap().len()), (&json!("publish"), 4));
            let mut members = deeds.members.lock().unwrap();
            let mut own: Vec<&mut Member> =
                members.iter_mut().filter(|it| said["topic"] == it.topic.as_str()).collect();
            deeds.published.fetch_add(1, SeqCst);
            deliver(&deeds, said["n"].as_u64().unwrap(), said["data"].as_str().unwrap(), &mut own);
            drop(members);
            text(stream, &json!({ "ok": true, "n": said["n"] }));
        });
    })
}

/// What a subscriber receives, in a shape that changes from message to message.
fn enveloped(message: u64, topic: &str, data: &str) -> Value {
    match message % 4 {
        0 => json!({ "payload": data, "topic": topic }),
        1 => json!({ "at": 17, "note": "post 12 34 x", "payload": data }),
        2 => json!({ "event": json!({ "payload": data, "topic": topic }).to_string() }),
        // Far behind, in a string within a string within a string.
        _ => json!({
            "a": " ".repeat(3_000),
            "event": json!({ "inner": json!({ "payload": data }).to_string() }).to_string(),
        }),
    }
}

fn fanout(subscriptions: &Scripted, publications: &Scripted, args: &[&str]) -> Ran {
    let (url, publish_url) = (subscriptions.url(), publications.url());
    let own = ["fanout", &url, "--publish-url", &publish_url, "-q", "-o", "json=-"];
    loadgen(&[&own, args].concat())
}

#[test]
fn a_protocol_of_its_own_is_spoken_and_all_copies_are_found() {
    let deeds = Arc::<Deeds>::default();
    let places = (
        subscriptions(&deeds, |_| true),
        publications(&deeds, |_, message, data, members| {
            for member in members {
                let said = enveloped(message, &member.topic, data);
                text(&mut member.stream, &said);
            }
        }),
    );
    let args = ["-c", "8", "--publishers", "4", "--topics", "2", "-n", "80", "-p", "3", "-t", "2"];
    let speech =
        ["--subscribe", SUBSCRIBE, "--subscribed", r#""event":"subscribed""#, "--publish", PUBLISH];
    let ran = fanout(&places.0, &places.1, &[&args[..], &speech].concat());
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    let copies = &fanout.copies;
    assert_eq!((deeds.joined.load(SeqCst), deeds.published.load(SeqCst)), (8, 80));
    assert_eq!((fanout.topics, fanout.published, fanout.complete), (2, 80, Some(80)));
    assert_eq!((copies.counts.expected, copies.counts.received), (320, 320));
    assert_eq!((fanout.answered, fanout.unanswered), (Some(8), Some(0)));
    // A greeting for each subscriber, and for each message an acknowledgement: no errors. The last
    // may come after the run.
    assert!((8 + 70..=8 + 80).contains(&copies.counts.foreign), "{copies:?}");
    assert_eq!((copies.counts.unexpected, copies.counts.overheard, report.errors.len()), (0, 0, 0));
    let urls = report.target.urls.iter().map(|url| (url.is_for_publishers, url.counts.established));
    assert_eq!(urls.collect::<Vec<_>>(), [(false, 8), (true, 4)]);
}

#[test]
fn d12_what_such_a_server_does_to_copies_is_counted_exactly() {
    let deeds = Arc::<Deeds>::default();
    let held = Mutex::new(String::new());
    let places = (
        subscriptions(&deeds, |_| false),
        publications(&deeds, move |deeds, message, data, members| {
            for member in members {
                let said = enveloped(message, &member.topic, data);
                let add = |count: &AtomicU64| count.fetch_add(1, SeqCst);
                match message {
                    5 | 6 | 39 if member.number % 3 == 0 => {
                        add(&deeds.lost);
                    }
                    10 if member.number % 2 == 0 => {
                        text(&mut member.stream, &json!([data, { "again": data }])); // in one
                        add(&deeds.doubled);
                    }
                    20 => *held.lock().unwrap() = data.to_owned(),
                    21 => {
                        text(&mut member.stream, &said);
                        text(&mut member.stream, &json!({ "late": *held.lock().unwrap() }));
                        add(&deeds.swapped);
                    }
                    30 if member.number % 2 == 1 => {
                        let cut = &data[..data.len() - 1];
                        text(&mut member.stream, &json!({ "payload": cut }));
                        add(&deeds.altered);
                    }
                    _ => text(&mut member.stream, &said),
                }
            }
        }),
    );
    let args =
        ["-c", "9", "-n", "40", "-R", "200", "-t", "3", "--copy-timeout", "500ms", "-s", "90"];
    let speech = ["--subscribe", SUBSCRIBE, "--publish", PUBLISH];
    let ran = fanout(&places.0, &places.1, &[&args[..], &speech].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    let copies = &fanout.copies;
    let count = |of: &AtomicU64| of.load(SeqCst);
    assert!(count(&deeds.lost) > 0 && count(&deeds.altered) > 0 && count(&deeds.doubled) > 0);
    assert_eq!((fanout.published, copies.counts.expected), (40, 360));
    assert_eq!(
        (copies.counts.lost, copies.counts.altered),
        (count(&deeds.lost), count(&deeds.altered))
    );
    assert_eq!(
        (copies.counts.duplicated, copies.counts.reordered),
        (count(&deeds.doubled), count(&deeds.swapped))
    );
    assert_eq!(copies.counts.received, 360 - copies.counts.lost - copies.counts.altered);
    assert_eq!((fanout.complete, fanout.incomplete, fanout.silent), (Some(37), Some(3), Some(0)));
    assert_eq!(failed(&report, "message.altered"), copies.counts.altered);
    assert_eq!((fanout.answered, fanout.unanswered), (None, None));
}

#[test]
fn those_who_are_not_told_that_they_are_subscribed_are_waited_for_no_longer_than_said() {
    let deeds = Arc::<Deeds>::default();
    let places = (
        subscriptions(&deeds, |number| number != 0),
        publications(&deeds, |_, message, data, members| {
            for member in members {
                text(&mut member.stream, &enveloped(message, &member.topic, data));
            }
        }),
    );
    let args =
        ["-c", "3", "-n", "5", "-t", "1", "--connect-timeout", "400ms", "--subscribed", "bed"];
    let speech = ["--subscribe", SUBSCRIBE, "--publish", PUBLISH];
    let ran = fanout(&places.0, &places.1, &[&args[..], &speech].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.took < Duration::from_secs(20));
    let report = ran.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    assert_eq!((fanout.answered, fanout.unanswered), (Some(2), Some(1)));
    assert_eq!(fanout.copies.counts.received, 15, "it was subscribed all the same");
    let said = &report.outcome.reasons;
    assert!(said[0].ends_with("when load began: 1 connection") && said.len() == 1, "{said:?}");
    assert!(report.phases.ramp.unwrap().length_ns() >= 400_000_000);
}

#[test]
fn publishers_who_have_to_join_are_told_too_and_hear_themselves_apart() {
    // One place for all: whoever has joined may publish, and hears all.
    let members = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let server = Scripted::start(move |stream, _| {
        let mut is_member = false;
        let members = Arc::clone(&members);
        converse(stream, move |stream, said| {
            if said["op"] == "subscribe" {
                is_member = true;
                members.lock().unwrap().push(stream.try_clone().unwrap());
                stream.write_all(&frame(PING, b"are you there")).unwrap();
                return text(stream, &json!("subscribed"));
            }
            if !is_member {
                stream.write_all(&close(1008)).ok();
                stream.shutdown(Shutdown::Write).ok();
                return;
            }
            for member in &mut *members.lock().unwrap() {
                text(member, &json!({ "payload": said["data"] }));
            }
        });
    });
    let url = server.url();
    let run = |extra: &[&str]| {
        let own = ["fanout", &url, "-c", "3", "-n", "6", "-t", "2", "-q", "-o", "json=-"];
        let speech = ["--subscribe", SUBSCRIBE, "--publish", PUBLISH, "--subscribed", "subscribed"];
        loadgen(&[&own[..], &speech, extra].concat())
    };
    let ran = run(&["--publishers-subscribe"]);
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let fanout = report.fanout.as_ref().unwrap();
    assert_eq!((fanout.complete, fanout.copies.counts.received), (Some(6), 18));
    assert_eq!(
        (fanout.answered, fanout.copies.counts.overheard, fanout.copies.counts.foreign),
        (Some(4), 6, 0)
    );
    // Without it, the server turns the publisher away.
    let refused = run(&["--copy-timeout", "200ms"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert_eq!(failed(&refused.report(), "server_close.1008"), 1);
}
