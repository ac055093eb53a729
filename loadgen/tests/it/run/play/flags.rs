//! What `--begin`, `--begun`, `--on`, `--reply-id` and `--feed` give to commands other than `play`.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::{File, json_text, parsed, result, speaking, step, text};
use crate::scripted::{
    CLOSE, Ran, Scripted, TEXT, accepting, frame, loadgen, read_frame, read_head, upgrade,
};

fn say(stream: &mut TcpStream, said: &str) -> bool {
    stream.write_all(&frame(TEXT, said.as_bytes())).is_ok()
}

/// A server like Socket.IO's: it greets, wants a token, and drops whoever doesn't answer its
/// heartbeats within `patience`.
fn socket_io(patience: Duration) -> Scripted {
    Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) || !say(&mut stream, r#"0{"sid":"a"}"#) {
            return;
        }
        let Some((_, first)) = read_frame(&mut stream) else { return };
        let is_good = first.starts_with(br#"40{"token":"t"#);
        say(&mut stream, if is_good { r#"40{"sid":"b"}"# } else { r#"44{"message":"no"}"# });
        stream.set_read_timeout(Some(patience)).unwrap();
        while say(&mut stream, "2") {
            match read_frame(&mut stream) {
                Some((TEXT, pong)) if pong == b"3" => {}
                Some((CLOSE, payload)) => {
                    stream.write_all(&frame(CLOSE, &payload)).ok();
                    return;
                }
                _ => return,
            }
            sleep(Duration::from_millis(20));
        }
    })
}

fn run(command: &str, server: &Scripted, args: &[&str]) -> Ran {
    let url = server.url();
    loadgen(&[&[command, &url, "-q", "-o", "json=-", "-t", "2", "--seed", "1"], args].concat())
}

const LOGIN: [&str; 8] =
    ["--begin", "", "--begun", "0{*", "--begin", r#"40{"token":"t{conn}"}"#, "--begun", "40*"];

#[test]
fn hold_logs_in_and_answers_heartbeats() {
    let server = socket_io(Duration::from_secs(20));
    let ran = run("hold", &server, &[&LOGIN[..], &["--on", "2=3", "-c", "5", "-d", "1s"]].concat());
    ran.assert_went_well();
    let report = result(&ran);
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped), (5, 0));
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.users.refused), (5, 0));
    assert_eq!((step(scenario, "begin.1").counts.ok, step(scenario, "begin.2").counts.ok), (5, 5));
    assert!(scenario.rules[0].counts.received >= 10, "{:?}", scenario.rules);
    assert!(report.notes.is_empty(), "a session was accepted: {:?}", report.notes);
}

#[test]
fn hold_without_heartbeats_is_dropped() {
    let server = socket_io(Duration::from_millis(50));
    let ran = run("hold", &server, &[&LOGIN[..], &["-c", "3", "-d", "1s"]].concat());
    let report = result(&ran);
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped), (0, 3));
    assert_eq!(report.scenario.as_ref().unwrap().users.ready, 3);
}

#[test]
fn a_refused_login_fails_the_run() {
    let server = socket_io(Duration::from_secs(20));
    let login = LOGIN.map(|word| if word.starts_with("40{") { "40{}" } else { word });
    let args = [&login[..], &["-c", "2", "-d", "300ms", "--connect-timeout", "300ms"]].concat();
    let ran = run("hold", &server, &args);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.users.refused), (0, 2));
    assert_eq!(step(scenario, "begin.2").counts.timed_out, 2);
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped), (0, 2), "they were never what they were opened for");
    assert!(report.outcome.reasons[0].contains("they did not complete --begin"));
}

/// Answers requests in pairs, the later first, with a push between the two.
fn json_rpc() -> Scripted {
    let waiting = Mutex::new(None);
    speaking(Vec::new(), move |bytes| {
        let id = parsed(bytes)["id"].clone();
        let reply = |id: &Value| json_text(&json!({"jsonrpc": "2.0", "id": id, "result": "0x1"}));
        let before = waiting.lock().unwrap().take();
        if let Some(other) = before {
            return vec![reply(&id), json_text(&json!({"method": "news"})), reply(&other)];
        }
        *waiting.lock().unwrap() = Some(id);
        Vec::new()
    })
}

#[test]
fn run_finds_replies_by_id_in_any_order() {
    let request = r#"{"jsonrpc":"2.0","id":{id},"method":"eth_blockNumber"}"#;
    let asking = ["-m", request, "--reply-id", "/id", "-c", "1", "-n", "100"];
    for (more, ruled, unmatched) in
        [(&["-p", "2"][..], 0, 50), (&["-R", "400", "--on", "/method:news"], 50, 0)]
    {
        let ran = run("run", &json_rpc(), &[&asking[..], more].concat());
        ran.assert_went_well();
        let report = result(&ran);
        let scenario = report.scenario.as_ref().unwrap();
        let message = step(scenario, "message");
        assert_eq!((message.counts.sent, message.counts.ok), (100, 100));
        assert_eq!(message.service.as_ref().unwrap().count, 100);
        assert_eq!((scenario.messages.ruled, scenario.messages.unmatched), (ruled, unmatched));
    }
}

#[test]
fn a_run_of_echoes_logs_in_and_lets_rules_take_what_is_no_echo() {
    let told = Arc::new(Mutex::new(HashMap::<Vec<u8>, u64>::new()));
    let heard = Arc::clone(&told);
    let server = speaking(Vec::new(), move |bytes| {
        *heard.lock().unwrap().entry(bytes.to_vec()).or_default() += 1;
        match bytes {
            b"login 0" | b"login 1" => vec![text("welcome")],
            b"3" => Vec::new(),
            echo => vec![text("2"), (TEXT, echo.to_vec())],
        }
    });
    let flags = ["--begin", "login {conn}", "--begun", "welcome", "--on", "2=3"];
    let ran = run("run", &server, &[&flags[..], &["-c", "2", "-n", "60", "-p", "3"]].concat());
    ran.assert_went_well();
    let report = result(&ran);
    let messages = report.messages.as_ref().unwrap();
    assert_eq!((messages.measured.received, messages.arrivals.unexpected), (60, 0));
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.rules[0].counts.received), (2, 60));
    assert_eq!((scenario.messages.received, scenario.messages.unmatched), (62, 0));
    let told = told.lock().unwrap();
    assert_eq!((told[&b"login 0"[..]], told[&b"login 1"[..]], told[&b"3"[..]]), (1, 1, 60));
}

#[test]
fn a_connection_that_is_open_again_logs_in_before_it_sends() {
    let firsts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&firsts);
    let server = Scripted::start(move |mut stream, number| {
        if !upgrade(&mut stream) {
            return;
        }
        let mut count = 0;
        while let Some((first, payload)) = read_frame(&mut stream) {
            if count == 0 {
                seen.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
                sleep(Duration::from_millis(30)); // messages are due meanwhile
            }
            count += 1;
            stream.write_all(&frame(first, &payload)).ok();
            if first == CLOSE || number < 3 && count == 4 {
                return;
            }
        }
    });
    let flags = ["--begin", "login", "--begun", "login", "--reconnect=1ms..5ms", "-c", "1"];
    for load in [&["-p", "1", "-d", "500ms"][..], &["-R", "200", "-d", "500ms"]] {
        let ran = run("run", &server, &[&flags[..], load].concat());
        let report = result(&ran);
        let scenario = report.scenario.as_ref().unwrap();
        assert!(scenario.users.ready >= 1 && scenario.users.refused == 0, "{:?}", scenario.users);
        assert!(report.messages.as_ref().unwrap().measured.received > 3);
    }
    let firsts = firsts.lock().unwrap();
    assert!(firsts.len() >= 5 && firsts.iter().all(|first| first == "login"), "{firsts:?}");
}

#[test]
fn listen_subscribes_by_begin() {
    let number = Mutex::new(0);
    let server = speaking(Vec::new(), move |bytes| {
        let mut number = number.lock().unwrap();
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let mut push = || {
            *number += 1;
            text(format!("push {} {}", *number, unix.as_nanos()))
        };
        match bytes {
            br#"{"id":1,"op":"subscribe"}"# => {
                vec![text(r#"{"id":1,"ok":true}"#), push(), text("beat")]
            }
            b"more" => {
                sleep(Duration::from_millis(5));
                vec![push(), text("beat")]
            }
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    });
    let begin = r#"{"id":{id},"op":"subscribe"}"#;
    let flags = ["--begin", begin, "--reply-id", "/id", "--on", "beat=more"];
    let ran = run("listen", &server, &[&flags[..], &["-c", "1", "-d", "500ms"]].concat());
    ran.assert_went_well();
    let report = result(&ran);
    let push = &report.push.as_ref().unwrap().counts;
    assert_eq!((push.foreign, push.lost), (0, 0), "{push:?}");
    assert!(push.inside > 5, "{push:?}");
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, step(scenario, "begin.1").counts.ok), (1, 1));
    assert!(scenario.rules[0].counts.received > 5);
}

#[test]
fn fanout_logs_everyone_in() {
    let members = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let server = Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        if !upgrade(&mut stream) {
            return;
        }
        let Some((_, first)) = read_frame(&mut stream) else { return };
        if first != b"login" {
            return;
        }
        say(&mut stream, "in");
        members.lock().unwrap().push(stream.try_clone().unwrap());
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                let mut members = members.lock().unwrap();
                let own = stream.peer_addr().ok();
                members.retain(|member| member.peer_addr().ok() != own);
                stream.write_all(&frame(CLOSE, &payload)).ok();
                return;
            }
            for member in members.lock().unwrap().iter_mut() {
                member.write_all(&frame(first, &payload)).ok();
            }
        }
    });
    let flags = ["--begin", "login", "--begun", "in", "--subscribers", "4", "-n", "20"];
    let ran = run("fanout", &server, &flags);
    ran.assert_went_well();
    let report = result(&ran);
    let copies = &report.fanout.as_ref().unwrap().copies.counts;
    assert_eq!((copies.received, copies.lost, copies.foreign), (80, 0, 0));
    assert_eq!(report.scenario.as_ref().unwrap().users.ready, 5);
}

#[test]
fn each_connection_has_its_row() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let server = Scripted::start(move |mut stream, _| {
        let head = read_head(&mut stream);
        if head.is_empty() {
            return;
        }
        stream.write_all(accepting(&head).as_bytes()).ok();
        let said = read_frame(&mut stream).map_or_else(Vec::new, |(_, payload)| payload);
        let said = String::from_utf8_lossy(&said).into_owned();
        seen.lock().unwrap().push((head, said.clone()));
        say(&mut stream, &format!("hello {said}"));
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                return;
            }
        }
    });
    let feed = File::new("flags.csv", "user,Pass\nann,a{{b\nbob,{user}\n");
    let url = format!("{}?u={{user}}", server.url());
    let request = ["-H", "X-User: {user}", "--user", "{user}:{Pass}", "--origin", "http://{user}"];
    let scenario = File::new(
        "flags.toml",
        &format!(
            "[feed]\nfile = {:?}\n[[begin]]\nsend = \"i am {{user}}\"\nexpect = {{ prefix = \"hello\" }}\n",
            feed.name()
        ),
    );
    let begin = ["--feed", feed.name(), "--begin", "i am {user}", "--begun", "hello i am *"];
    let rest = ["-c", "2", "-d", "100ms", "-q", "-o", "json=-"];
    for words in [[&["hold", &url], &begin[..]].concat(), vec!["play", scenario.name(), &url]] {
        let ran = loadgen(&[&words[..], &request, &rest].concat());
        ran.assert_went_well();
        assert_eq!(result(&ran).scenario.unwrap().users.ready, 2);
        let mut heads = std::mem::take(&mut *heads.lock().unwrap());
        heads.sort_by_key(|(head, _)| head.contains("u=bob"));
        // In base64: ann:a{{b and bob:{user}. What is in a row is no placeholder.
        for ((head, said), (user, secret)) in
            heads.iter().zip([("ann", "YW5uOmF7e2I="), ("bob", "Ym9iOnt1c2VyfQ==")])
        {
            for line in [
                format!("GET /?u={user} "),
                format!("\r\nX-User: {user}\r\n"),
                format!("\r\nOrigin: http://{user}\r\n"),
                format!("\r\nAuthorization: Basic {secret}\r\n"),
            ] {
                assert!(head.contains(&line), "{line:?} in {head}");
            }
            assert_eq!(*said, format!("i am {user}"));
        }
    }
    let ran = loadgen(&["hold", &url, "--feed", feed.name(), "-c", "3"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("has only 2 rows; use -c 2, or write ,cycle behind"));
}

#[test]
fn what_has_no_effect_is_refused() {
    for (words, why) in [
        (&["run", "--reply-id", "/id"][..], "--reply-id needs the message; give it with -m"),
        (&["run", "--reply-id", "/id", "-m", "x"], "put {id} into"),
        (&["run", "--reply-id", "/id", "-s", "9"], "-s is for echoes"),
        (&["run", "--on", "2=3", "--slow", "1:1KB/s"], "--slow and --bad are for connections"),
        (&["hold", "--reply-id", "/id"], "--reply-id has no request; put {id} into --begin"),
        (&["listen", "--begun", "x"], "1 --begun for 0 --begin"),
        (&["fanout", "--begin", "{topic}"], "--begin: unknown placeholder {topic}"),
        (&["hold", "--feed", "rows.txt"], "rows.txt can't be read"),
    ] {
        let ran = loadgen(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.error_line().contains(why), "{words:?}: {}", ran.error_line());
    }
}
