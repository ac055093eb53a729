//! Placeholders in URLs, headers, subprotocols and origins: expanded for each connection, the same
//! however a run is split, and never sent as they were typed.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::scripted::{CLOSE, Scripted, accepting, close, frame, loadgen, read_frame, read_head};

/// Text of the request that names its connection and has random parts.
const FLAGS: [&str; 8] = [
    "-H",
    "Authorization: Bearer {rand:8}",
    "-H",
    "X-Conn: {conn:5}",
    "--origin",
    "http://o{conn}.example",
    "--subprotocol",
    "v{rand:100..999}",
];

/// A server that echoes and keeps the head of every request. `is_losing` makes it end each first
/// connection after a message.
fn recorder(is_losing: bool) -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let server = Scripted::start(move |mut stream, number| {
        let head = read_head(&mut stream);
        let accepted = accepting(&head);
        kept.lock().unwrap().push(head.clone());
        let name = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        let chosen = name.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n\r\n"));
        let accepted = match chosen {
            Some(chosen) => accepted.replacen("\r\n\r\n", &format!("\r\n{chosen}"), 1),
            None => accepted,
        };
        stream.write_all(accepted.as_bytes()).unwrap();
        while let Some((first, payload)) = read_frame(&mut stream) {
            let reply = match first {
                _ if is_losing && number == 0 => close(1001),
                first => frame(first, &payload),
            };
            if stream.write_all(&reply).is_err() || first == CLOSE {
                return;
            }
        }
    });
    (server, heads)
}

/// What differs from connection to connection, without the key.
fn varied(heads: &Mutex<Vec<String>>) -> BTreeSet<String> {
    let heads = heads.lock().unwrap();
    let is_own = |line: &&str| !line.starts_with("Sec-WebSocket-Key") && !line.starts_with("Host");
    heads.iter().map(|head| head.lines().filter(is_own).collect::<Vec<_>>().join("\n")).collect()
}

fn run(server: &Scripted, more: &[&str]) {
    let url = format!("{}chat?token=t{{conn}}", server.url());
    let args = ["run", &url, "-c", "6", "-n", "60", "-q", "-o", "json=-", "--seed", "9"];
    loadgen(&[&args[..], &FLAGS, more].concat()).assert_went_well();
}

/// `?token=t{conn}` and `-H 'Authorization: Bearer {rand:8}'` are each connection's own.
#[test]
fn n8_requests_are_expanded_for_each_connection() {
    let (server, heads) = recorder(false);
    run(&server, &[]);
    let varied = varied(&heads);
    assert_eq!(varied.len(), 6, "{varied:#?}");
    for connection in 0..6 {
        let lines = [
            format!("GET /chat?token=t{connection} HTTP/1.1"),
            format!("X-Conn: 0000{connection}"),
            format!("Origin: http://o{connection}.example"),
        ];
        let own = varied.iter().filter(|head| lines.iter().all(|line| head.contains(line)));
        assert_eq!(own.count(), 1, "{connection} in {varied:#?}");
    }
    assert!(varied.iter().all(|head| !head.contains(['{', '}'])), "{varied:#?}");
}

/// The seed and the number in the whole run make the request, not threads or segments.
#[test]
fn n8_requests_are_the_same_however_a_run_is_split() {
    let (whole, heads) = recorder(false);
    run(&whole, &["-t", "1"]);
    let expected = varied(&heads);
    let (split, heads) = recorder(false);
    for segment in ["1/2", "2/2"] {
        run(&split, &["-t", "2", "--segment", segment]);
    }
    assert_eq!(varied(&heads), expected);
}

/// A connection that is opened again is the same client.
#[test]
fn n8_a_connection_that_is_opened_again_sends_the_same_request() {
    let (server, heads) = recorder(true);
    let url = format!("{}?token={{rand:12}}", server.url());
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "1",
        "-n",
        "20",
        "-q",
        "-o",
        "json=-",
        "-H",
        "X: {rand:8}",
        "--reconnect=1ms..5ms",
    ]);
    assert!(ran.report().reconnect.is_some_and(|counts| counts.reestablished == 1));
    assert_eq!(heads.lock().unwrap().len(), 2);
    assert_eq!(varied(&heads).len(), 1);
}

/// `check` is connection 0.
#[test]
fn n8_check_is_connection_0() {
    let (server, heads) = recorder(false);
    let url = format!("{}?c={{conn}}", server.url());
    loadgen(&[&["check", &url][..], &FLAGS].concat());
    let head = heads.lock().unwrap().concat();
    assert!(head.starts_with("GET /?c=0 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("X-Conn: 00000\r\n") && !head.contains('{'), "{head}");
}

/// `fanout` knows topics also in headers.
#[test]
fn n8_a_fanout_has_topics_in_its_headers() {
    let (server, heads) = recorder(false);
    let (one, other) = (format!("{}a", server.url()), format!("{}b", server.url()));
    loadgen(&[
        "fanout",
        &one,
        &other,
        "-c",
        "2",
        "--publishers",
        "2",
        "-n",
        "2",
        "-q",
        "-d",
        "100ms",
        "--copy-timeout",
        "50ms",
        "-H",
        "X-Topic: t{topic}",
    ]);
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 4);
    for head in heads.iter() {
        let topic = if head.starts_with("GET /a ") { "X-Topic: t0\r\n" } else { "X-Topic: t1\r\n" };
        assert!(head.contains(topic), "{head}");
    }
}

/// A name that doesn't exist is refused everywhere, with those that do; nothing is sent literally.
#[test]
fn n8_unknown_names_are_refused_with_those_that_exist() {
    let url = "ws://127.0.0.1:9/";
    for (args, why) in [
        (&["run", "ws://127.0.0.1:9/?t={user}"][..], "unknown placeholder {user}; use {conn}, "),
        (&["check", "ws://127.0.0.1:9/?t={user}"], "unknown placeholder {user}; use {conn}, "),
        (&["run", "ws://{conn}.example/"], "placeholders can only follow the host"),
        (&["run", url, "-H", "X: {seq}"], "bad -H \"X\": unknown placeholder {seq}; use {conn}, "),
        (&["run", url, "-H", "Host: {name}"], "bad -H \"Host\": unknown placeholder {name}"),
        (&["check", url, "-H", "X: {vu}"], "bad -H \"X\": unknown placeholder {vu}; use {conn}, "),
        (&["run", url, "--origin", "http://{name}"], "bad --origin: unknown placeholder {name}"),
        (&["run", url, "--subprotocol", "{name}"], "bad --subprotocol: unknown placeholder"),
        (&["run", url, "--user", "{name}:x"], "bad --user: a placeholder that doesn't exist"),
        (&["run", url, "--proxy", "http://u{conn}:p@h:1"], "bad --proxy: placeholders"),
        (&["run", url, "-m", "{vu}"], "-m: unknown placeholder {vu}; use {seq}, {conn}, {conn:5}"),
        (&["listen", url, "--subscribe", "{vu}"], "--subscribe: unknown placeholder {vu}"),
        (
            &["fanout", url, "--subscribe", "{conn}", "--subscribed", "ok {conn}"],
            "--subscribed has placeholders",
        ),
    ] {
        let ran = loadgen(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.error_line().contains(why), "{args:?}: {}", ran.stderr);
    }
}
