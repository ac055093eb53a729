//! `check FILE URL`: one user, with a transcript.

use std::sync::Mutex;

use serde_json::json;

use super::{File, json_text, market, market_files, parsed, speaking, text};
use crate::scripted::{BINARY, CLOSE, Ran, Scripted, frame, loadgen, read_frame, upgrade};

fn check(file: &str, server: &Scripted, args: &[&str]) -> Ran {
    let url = server.url();
    loadgen(&[&["check", file, &url, "--seed", "1"], args].concat())
}

/// The transcript without its times.
fn transcript(ran: &Ran) -> Vec<String> {
    let is_timed = |line: &&str| {
        let mut words = line.split_whitespace();
        let is_time = words.next().is_some_and(|word| word.parse::<f64>().is_ok());
        is_time || line.trim_start().starts_with(". ")
    };
    let words = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let begin = usize::from(words[0] != ".");
        // Latencies differ each time.
        let is_unit = |word: &&&str| matches!(**word, "ns" | "us" | "ms" | "s");
        let words = words[begin..].iter();
        words
            .filter(|word| word.parse::<f64>().is_err() && !is_unit(word))
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    ran.stdout.lines().filter(is_timed).map(words).collect()
}

#[test]
fn every_message_is_shown_with_what_took_it() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("transcript", &["a", "b"]);
    let ran = check(file.name(), &server, &["--as-user", "1"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let lines = transcript(&ran);
    for line in [
        r#"> {"op":"login","id":1,"user":"u1","pass":"b"} login"#,
        r#"< {"id":1,"ok":true} ends login"#,
        "ready",
        r#"< {"op":"ping"} on heartbeat"#,
        r#"> {"op":"pong"} answers heartbeat"#,
        r#"< {"id":999999,"order":"not yours"} !! unmatched"#,
        r#"< {"id":2,"order":"o-2"} ends order"#,
        r#". order = "o-2""#,
        r#"> {"op":"cancel","id":3,"order":"o-2"} cancel"#,
        "iteration over",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} in\n{}", ran.stdout);
    }
    let gap = lines.iter().find(|line| line.contains("\"seq\":3")).unwrap();
    assert!(gap.contains("on tick") && gap.ends_with("missing before it"), "{gap}");
    assert!(
        ran.stdout.contains(" note    unmatched     1 message: {\"id\":999999"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\x1b'), "no colours in a pipe: {}", ran.stdout);
}

#[test]
fn a_failure_is_shown_with_the_servers_words() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("refused-check", &["wrong"]);
    let ran = check(file.name(), &server, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    for line in [
        "!! login refused",
        "[[begin]] failed, so the user leaves",
        " FAILED  login         refused: {\"id\":1,\"ok\":false,\"why\":\"bad password\"}",
        " -       not seen      order, cancel, heartbeat, tick",
        "1 step failed",
    ] {
        assert!(ran.stdout.contains(line), "{line} in\n{}", ran.stdout);
    }
}

#[test]
fn an_answer_that_does_not_come_and_a_close_are_named() {
    let server = speaking(Vec::new(), |_| Vec::new());
    let file = File::new(
        "silent.toml",
        "[[step]]\nname = \"a\"\nsend = \"x\"\nexpect = { exact = \"y\" }\ntimeout = \"50ms\"\n",
    );
    let ran = check(file.name(), &server, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("!! a timed out"), "{}", ran.stdout);
    assert!(ran.stdout.contains(" FAILED  a             no answer within 50"), "{}", ran.stdout);

    let server = speaking(Vec::new(), |_| vec![(CLOSE, b"\x0f\xa1bad token".to_vec())]);
    let ran = check(file.name(), &server, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let said = "the server closed with 4001 \"bad token\"";
    assert!(ran.stdout.contains(&format!(" FAILED  connection    {said}")), "{}", ran.stdout);
    assert!(ran.stdout.contains("!! a got no answer"), "{}", ran.stdout);
}

#[test]
fn an_iteration_without_end_is_cut() {
    let server = speaking(Vec::new(), |_| Vec::new());
    let file = File::new("endless.toml", "[[step]]\npause = \"1h\"\n");
    let ran = check(file.name(), &server, &["-d", "100ms"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("the iteration took too long"), "{}", ran.stdout);
}

#[test]
fn packets_of_mqtt_are_named_and_other_binary_is_hex() {
    let server = Scripted::start(|mut stream, _| {
        if !upgrade(&mut stream) {
            return;
        }
        while let Some((first, payload)) = read_frame(&mut stream) {
            use std::io::Write;
            let replies = match (first, payload.first()) {
                (CLOSE, _) => vec![frame(CLOSE, &payload)],
                // In two messages.
                (_, Some(0x10)) => vec![frame(BINARY, &[0x20, 2]), frame(BINARY, &[0, 0])],
                _ => Vec::new(),
            };
            if stream.write_all(&replies.concat()).is_err() || first == CLOSE {
                return;
            }
        }
    });
    let ran = check("mqtt", &server, &["-d", "50ms"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let lines = transcript(&ran);
    assert!(
        lines.iter().any(|line| line.starts_with("> CONNECT 3.1.1 \"loadgen-0\"")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.ends_with("a part of a packet")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("< CONNACK accepted")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("> DISCONNECT")), "{lines:?}");

    let file = File::new("bytes.toml", "[[step]]\nbytes = [{ hex = \"00ff\" }]\n");
    let ran = check(file.name(), &server, &[]);
    assert!(ran.stdout.contains("> 00 ff"), "{}", ran.stdout);
}

#[test]
fn a_scenario_is_tried_on_its_own_server() {
    let heads = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&heads);
    let server = speaking(vec![text("hello")], move |bytes| {
        seen.lock().unwrap().push(bytes.to_vec());
        vec![json_text(&json!({"id": parsed(bytes)["id"]}))]
    });
    let text = format!(
        "[connect]\nurl = \"{}\"\n[vars]\nwho = \"you\"\n[reply]\nid = \"/id\"\n\
         [[begin]]\nname = \"hello\"\nwait = {{ exact = \"hello\" }}\n\
         [[step]]\nname = \"ask\"\nsend = '{{\"id\":{{id}},\"who\":\"{{who}}\"}}'\n",
        server.url()
    );
    let file = File::new("own-url.toml", &text);
    let read = loadgen(&["check", file.name()]);
    assert_eq!(
        (read.code, server.accepted.load(std::sync::atomic::Ordering::SeqCst)),
        (Some(0), 0)
    );
    let ran = loadgen(&["check", file.name(), "--try", "--set", "who=me"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.ends_with("all ok\n"), "{}", ran.stdout);
    assert_eq!(*heads.lock().unwrap(), [br#"{"id":1,"who":"me"}"#.to_vec()]);

    for (words, said) in [
        (&["check", "ws://127.0.0.1:1/", "ws://127.0.0.1:2/"][..], "is the second server"),
        (&["check", "ws://127.0.0.1:1/", "--try"], "--try is for a scenario"),
        (&["check", "json-rpc", "--try"], "no URL; give one after json-rpc"),
    ] {
        let ran = loadgen(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.error_line().contains(said), "{words:?}: {}", ran.stderr);
    }
}
