//! Servers that send what they should not, in masses: counted, bounded, and no reply.

use std::io::Write;

use serde_json::json;

use super::{File, json_text, parsed, play, result, step};
use crate::scripted::{CLOSE, Scripted, TEXT, frame, read_frame, upgrade};

const ASK: &str = "[reply]\nid = \"/id\"\n[[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n\
    [[step]]\nname = \"ask\"\nsend = '{\"id\":{id}}'\ntimeout = \"300ms\"\n";

/// Answers each question by what `say` returns for its id.
fn saying(say: impl Fn(u64) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) {
            return;
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            let frames = match first {
                CLOSE => vec![frame(CLOSE, &payload)],
                TEXT => say(parsed(&payload)["id"].as_u64().unwrap()),
                _ => Vec::new(),
            };
            if stream.write_all(&frames.concat()).is_err() || first == CLOSE {
                return;
            }
        }
    })
}

fn text(value: &serde_json::Value) -> Vec<u8> {
    frame(TEXT, &json_text(value).1)
}

#[test]
fn floods_and_answers_that_come_again_are_counted() {
    let server = saying(|id| {
        let mut frames = vec![text(&json!({"nobody": "asked"})); 500];
        frames.extend([text(&json!({"id": id})), text(&json!({"id": id}))]);
        frames.extend([frame(TEXT, "[".repeat(60_000).as_bytes()), frame(TEXT, b"")]);
        frames
    });
    let file = File::new("floods.toml", ASK);
    let args = ["-c", "2", "-n", "40", "-d", "30s", "--threshold", "step.ask.again<=100%"];
    let ran = play(file.name(), &server, &args);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let counts = step(scenario, "ask").counts;
    assert_eq!((counts.ok, counts.failed), (40, 0));
    // The last of a user may come when it is closed already.
    let messages = &scenario.messages;
    assert!((38..=40).contains(&messages.again), "{messages:?}");
    assert!((19_000..=20_080).contains(&messages.unmatched), "{messages:?}");
    assert!(scenario.unmatched_sample.as_ref().unwrap().len() < 200);
}

#[test]
fn ids_that_never_come_back_time_out() {
    let server = saying(|id| vec![text(&json!({"id": id + 1_000_000}))]);
    let file = File::new("never.toml", &ASK.replace("300ms", "50ms"));
    let ran = play(file.name(), &server, &["-c", "2", "-n", "20", "-d", "30s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let counts = step(scenario, "ask").counts;
    assert_eq!((counts.sent, counts.timed_out, counts.ok), (20, 20, 0));
    assert_eq!(scenario.messages.unmatched, 20);
}
