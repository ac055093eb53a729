//! Users that come back, and users that arrive while others are at it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{File, json_text, parsed, play, result, speaking, step};
use crate::scripted::{CLOSE, EARLY, Scripted, TEXT, frame, read_frame, upgrade};

const LOGIN: &str = "[reply]\nid = \"/id\"\n\
    [[begin]]\nname = \"login\"\nsend = '{\"id\":{id},\"login\":{conn}}'\n\
    [[step]]\nname = \"ask\"\nsend = '{\"id\":{id},\"user\":{conn},\"n\":{iter}}'\n";

#[test]
fn a_user_whose_connection_is_lost_logs_in_again_and_goes_on() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    // The first four connections end after three questions, without a Close.
    let server = Scripted::start(move |mut stream, number| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) {
            return;
        }
        let mut left = if number < 4 { 3 } else { usize::MAX };
        let mut has_login = false;
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                return;
            }
            let message = parsed(&payload);
            if let (Some(user), Some(n)) = (message["user"].as_u64(), message["n"].as_u64()) {
                assert!(has_login, "a user asks before it has logged in again");
                if left == 0 {
                    return;
                }
                left -= 1;
                seen.lock().unwrap().push((user, n));
            }
            has_login |= message["login"].is_u64();
            let reply = frame(TEXT, &json_text(&json!({"id": message["id"]})).1);
            if stream.write_all(&reply).is_err() {
                return;
            }
        }
    });
    let file = File::new("again.toml", LOGIN);
    let args = ["-c", "2", "-n", "40", "-d", "30s", "--reconnect=1ms..20ms"];
    let ran =
        play(file.name(), &server, &[&args[..], &["--threshold", "step.ask.lost<10"]].concat());
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let back = report.reconnect.as_ref().unwrap().reestablished;
    assert_eq!(back, 4);
    assert_eq!((scenario.users.ready, step(scenario, "login").counts.ok), (6, 6));
    let iterations = &scenario.iterations;
    assert_eq!((iterations.begun, iterations.completed, iterations.cut), (40, 36, 4));
    let asked = asked.lock().unwrap();
    let once: BTreeSet<_> = asked.iter().collect();
    assert_eq!((asked.len(), once.len()), (36, 36), "no iteration is done twice");
    assert!(ran.took < EARLY);
}

#[test]
fn without_a_barrier_each_user_begins_when_it_is_ready() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    // The second user is let in once the first has asked three times, which it never does if it
    // waits for the second.
    let server = speaking(Vec::new(), move |bytes| {
        let message: Value = parsed(bytes);
        if message["login"] == 1 {
            for _ in 0..2_000 {
                if seen.load(Ordering::SeqCst) >= 3 {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        seen.fetch_add(usize::from(message["n"].is_u64()), Ordering::SeqCst);
        vec![json_text(&json!({"id": message["id"]}))]
    });
    let file = File::new("arrive.toml", LOGIN);
    let ran = play(file.name(), &server, &["-c", "2", "-C", "50", "-n", "40", "--no-barrier"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.iterations.completed), (2, 40));
    let login = step(scenario, "login").service.as_ref().unwrap().max_ns;
    assert!(login < 3_900_000_000, "the first has asked while the second waited: {login}");
    assert!(ran.took < EARLY);
}

#[test]
fn users_arrive_until_the_time_is_over() {
    let server = speaking(Vec::new(), |bytes| vec![json_text(&json!({"id": parsed(bytes)["id"]}))]);
    let file = File::new("ramp.toml", &format!("{LOGIN}[[step]]\npause = \"5ms\"\n"));
    let args = ["-c", "1000", "-C", "20", "-d", "1s", "--no-barrier"];
    let ran = play(file.name(), &server, &args);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let ready = scenario.users.ready;
    assert!((2..=40).contains(&ready) && report.connections.established == ready, "{ready}");
    assert!(scenario.iterations.completed > ready);
    let ran = play(file.name(), &server, &["-R", "10", "--no-barrier"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("--no-barrier is for users that arrive"), "{}", ran.stderr);
}

#[test]
fn what_is_behind_a_long_pause_is_not_sent_once_load_is_over() {
    let server = speaking(Vec::new(), |bytes| vec![json_text(&json!({"id": parsed(bytes)["id"]}))]);
    // What is sent in the first half of the drain has the second for its answer.
    for (pause, completed, cut) in [("1s", 2, 0), ("15s", 0, 2)] {
        let text = format!(
            "[reply]\nid = \"/id\"\n[[step]]\npause = \"{pause}\"\n\
             [[step]]\nname = \"ask\"\nsend = '{{\"id\":{{id}}}}'\n"
        );
        let file = File::new("pausing.toml", &text);
        let ran = play(file.name(), &server, &["-c", "2", "-d", "300ms", "--drain-timeout", "20s"]);
        ran.assert_went_well();
        let report = result(&ran);
        let scenario = report.scenario.as_ref().unwrap();
        let iterations = &scenario.iterations;
        assert_eq!((iterations.completed, iterations.cut), (completed, cut), "{pause}");
        assert_eq!(step(scenario, "ask").counts.sent, completed, "{pause}");
    }
}
