//! Requests that overlap, against a server that answers by id and in no order.

use std::io::Write;

use serde_json::json;

use super::{File, json_text, parsed, play, result, step};
use crate::scripted::{CLOSE, Scripted, TEXT, frame, read_frame, upgrade};

/// Keeps so many requests, and then answers the last of them first, with a push before each.
fn reversing(kept: usize) -> Scripted {
    Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) {
            return;
        }
        let mut asked = Vec::new();
        while let Some((first, payload)) = read_frame(&mut stream) {
            let mut replies = Vec::new();
            match first {
                CLOSE => replies.extend(frame(CLOSE, &payload)),
                TEXT => asked.push(parsed(&payload)["id"].clone()),
                _ => {}
            }
            if asked.len() == kept {
                for id in asked.drain(..).rev() {
                    for message in [json!({"push": 1}), json!({"id": id, "result": "ok"})] {
                        replies.extend(frame(TEXT, &json_text(&message).1));
                    }
                }
            }
            if stream.write_all(&replies).is_err() || first == CLOSE {
                return;
            }
        }
    })
}

const ASK: &str = "[reply]\nid = \"/id\"\n[[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n\
    [[step]]\nname = \"ask\"\nsend = '{\"id\":{id},\"n\":{iter}}'\noverlap = 4\n";

#[test]
fn a_closed_loop_keeps_so_many_in_flight() {
    let server = reversing(4);
    let file = File::new("overlap.toml", ASK);
    // With fewer in flight the server would never answer.
    let ran = play(file.name(), &server, &["-c", "2", "-n", "80", "-d", "30s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.iterations.completed, scenario.messages.unmatched), (80, 0));
    let asked = step(scenario, "ask");
    assert_eq!((asked.counts.ok, asked.service.as_ref().unwrap().count), (80, 80));
    assert_eq!(scenario.rules[0].counts.received, 80);
}

#[test]
fn an_open_loop_begins_the_next_while_others_are_in_flight() {
    let server = reversing(4);
    let file = File::new("overlap-open.toml", ASK);
    let ran = play(file.name(), &server, &["-c", "1", "-R", "200", "-n", "40", "-d", "30s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.iterations.due, scenario.iterations.completed), (40, 40));
    let found = report.histograms.iter().find(|found| found.metric == "iteration.response");
    assert_eq!(found.unwrap().count, 40);
}

#[test]
fn what_is_in_flight_when_the_connection_ends_is_lost() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        for _ in 0..4 {
            read_frame(&mut stream);
        }
    });
    let file = File::new("overlap-lost.toml", ASK);
    let ran = play(file.name(), &server, &["-c", "1", "-d", "1s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((step(scenario, "ask").counts.lost, scenario.iterations.cut), (4, 4));
}
