//! What messages are made of: sizes, texts, files and templates, each as the server sees it and each
//! verified when it comes back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use crate::scripted::{BINARY, Scripted, TEXT, assert_balanced, echo, frame, loadgen, run_against};
use loadgen::report::Report;

/// A message as a server has received it: on which connection, its first byte, its payload.
type Seen = (usize, u8, Vec<u8>);

/// An honest server that tells what it has received.
fn watched() -> (Scripted, Receiver<Seen>) {
    let (sender, seen) = channel();
    let server = Scripted::start(move |stream, number| {
        let sender = sender.clone();
        echo(stream, move |_, first, payload| {
            sender.send((number, first, payload.to_vec())).unwrap();
            None
        });
    });
    (server, seen)
}

fn run(server: &Scripted, args: &[&str]) -> Report {
    let url = server.url();
    let mut all = vec!["run", &url, "-q", "-o", "json=-"];
    all.extend(args);
    for (flag, value) in [("-t", "1"), ("--seed", "1")] {
        if !args.contains(&flag) {
            all.extend([flag, value]);
        }
    }
    let report = loadgen(&all).report();
    assert!(report.outcome.is_ok, "{args:?}: {:?}", report.outcome);
    assert_balanced(&report);
    report
}

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("loadgen-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn sizes_of_a_range_are_those_that_the_seed_says() {
    let (server, seen) = watched();
    let sizes = |args: &[&str]| {
        let report = run(&server, &[&["-c", "4", "-n", "400", "-s", "10..30"], args].concat());
        assert_eq!(
            (report.config.payload_size_min, report.config.payload_size),
            (Some(10), Some(30))
        );
        let mut sizes: Vec<_> = seen.try_iter().map(|(_, _, payload)| payload.len()).collect();
        sizes.sort_unstable();
        sizes
    };
    let closed = sizes(&["-p", "4"]);
    assert_eq!(closed.len(), 400);
    assert_eq!(closed.iter().collect::<BTreeSet<_>>().len(), 21, "each size from 10 to 30");
    assert_eq!(sizes(&["-R", "4k"]), closed, "the same, however they are sent");
    assert_eq!(sizes(&["-t", "2"]), closed, "by however many");
    assert_ne!(sizes(&["--seed", "2"]), closed);
}

#[test]
fn sizes_and_messages_of_files_are_taken_in_turn() {
    let (server, seen) = watched();
    let sizes = Scratch::new("sizes.txt", b"5\n100\n1k\n");
    run(&server, &["-c", "1", "-n", "7", "-s", &format!("file:{}", sizes.path())]);
    let lens: Vec<_> = seen.try_iter().map(|(_, _, payload)| payload.len()).collect();
    assert_eq!(lens, [5, 100, 1_024, 5, 100, 1_024, 5]);

    let messages = Scratch::new("messages.txt", b"one\nn {seq} of {conn}\n\nlast\n");
    run(&server, &["-c", "1", "-n", "5", "-f", &messages.path()]);
    let texts: Vec<_> =
        seen.try_iter().map(|(_, _, text)| String::from_utf8(text).unwrap()).collect();
    assert_eq!(texts, ["one", "n 1 of 0", "last", "one", "n 4 of 0"]);

    run(&server, &["-c", "1", "-n", "2", "-f", &messages.path(), "--whole-file", "--raw", "-b"]);
    let whole = (0, BINARY, b"one\nn {seq} of {conn}\n\nlast\n".to_vec());
    let seen: Vec<_> = seen.try_iter().map(|(_, first, bytes)| (0, first, bytes)).collect();
    assert_eq!(seen, [whole.clone(), whole]);
}

#[test]
fn templates_are_filled_in_verified_and_the_same_for_any_number_of_threads() {
    let (server, seen) = watched();
    let template = r#"{"id":"{conn}-{seq}","r":"{rand:12}","n":{rand:1..6}}"#;
    let texts = |threads: &str| {
        run(&server, &["-c", "3", "-n", "60", "-m", template, "-t", threads, "-p", "3"]);
        let texts = seen.try_iter().map(|(_, _, text)| String::from_utf8(text).unwrap());
        texts.collect::<BTreeSet<_>>()
    };
    let one = texts("1");
    assert_eq!(one.len(), 60, "each is different");
    assert!(one.iter().any(|text| text.starts_with(r#"{"id":"2-19","r":""#)), "{one:?}");
    assert!(one.iter().all(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()));
    assert_eq!(texts("3"), one);
}

#[test]
fn the_time_in_a_message_is_the_planned_one_and_is_verified_under_both_loops() {
    let (server, seen) = watched();
    for load in [&["-R", "1k"][..], &["-p", "2"]] {
        let args = [&["-c", "2", "-n", "100", "-m", "{time:ns} {time}"], load].concat();
        run(&server, &args);
        let mut times: Vec<u64> = Vec::new();
        for (_, first, text) in seen.try_iter() {
            assert_eq!((first, text.len()), (TEXT, 50));
            assert!(text.ends_with(b"Z"));
            times.push(str::from_utf8(&text[..19]).unwrap().parse().unwrap());
        }
        times.sort_unstable();
        if load[0] == "-R" {
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000), "{times:?}");
        }
    }
}

#[test]
fn d12_altered_echoes_of_every_source_are_found() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, first, payload| {
            let mut changed = payload.to_vec();
            *changed.last_mut()? ^= 1;
            (number % 10 == 3).then(|| frame(first, &changed))
        });
    });
    for source in [
        &["-s", "20..40"][..],
        &["-m", "always the same"],
        &["-m", "{time} {rand:3}"],
        &["-m", "{seq}{conn} and more"],
    ] {
        let ran = run_against(&server, &[&["-c", "1", "-n", "50"], source].concat());
        let report = ran.report();
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.received, counts.altered), (45, 5), "{source:?}");
        assert_balanced(&report);
    }
}

#[test]
fn fragments_are_frames_of_the_size_asked_for() {
    let server = Scripted::start(|mut stream, _| {
        use std::io::Write;
        crate::scripted::upgrade(&mut stream);
        let mut message = Vec::new();
        while let Some((first, payload)) = crate::scripted::read_frame(&mut stream) {
            if first == crate::scripted::CLOSE {
                stream.write_all(&frame(first, &payload)).unwrap();
                return;
            }
            // The first is the only one with an opcode, and the last the only one with FIN.
            assert_eq!(first & 0x0f == 1, message.is_empty(), "{first:x}");
            message.extend_from_slice(&payload);
            let is_last = message.len() == 100;
            let len = if is_last { 2 } else { 7 };
            assert_eq!((first & 0x80 != 0, payload.len()), (is_last, len));
            if is_last {
                stream.write_all(&frame(TEXT, &std::mem::take(&mut message))).unwrap();
            }
        }
    });
    let report = run(&server, &["-c", "2", "-n", "40", "-s", "100", "--fragment", "7"]);
    assert_eq!(report.config.fragment_size, Some(7));
    assert_eq!(report.messages.unwrap().measured.received, 40);
    let said =
        loadgen(&["run", &server.url(), "-c", "1", "-n", "1", "-s", "100", "--fragment", "7"]);
    assert!(said.stdout.contains("text, 100 B each in frames of 7 B"), "{}", said.stdout);
}
