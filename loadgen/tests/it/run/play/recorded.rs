//! `import` and `record`: what a client did becomes a scenario that can be played as it is.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

use super::super::tls::Authority;
use super::{File, json_text, parsed, result, speaking};
use crate::peer::Peer;
use crate::scripted::{CLOSE, Ran, Scripted, TEXT, command, finish, loadgen};

/// A server that answers by id, after a push, and gives a session to those that log in.
fn server() -> Scripted {
    speaking(vec![json_text(&json!({ "type": "hello" }))], |message| {
        let asked = parsed(message);
        let mut reply = match asked["op"].as_str() {
            Some("login") if asked["password"] == "p0" => json!({ "session": "s-73519" }),
            Some("sum") if asked["session"] == "s-73519" => json!({ "sum": 1 }),
            _ => json!({ "error": "refused" }),
        };
        reply["re"] = asked["rid"].clone();
        vec![json_text(&json!({ "type": "tick" })), json_text(&reply)]
    })
}

/// The messages of a client of that server, with times in milliseconds.
fn messages() -> Vec<(u64, &'static str, Value)> {
    let mut messages = vec![
        (0, "receive", json!({ "type": "hello" })),
        (5, "send", json!({ "op": "login", "rid": 1, "user": "u0", "password": "p0" })),
        (6, "receive", json!({ "type": "tick" })),
        (7, "receive", json!({ "session": "s-73519", "re": 1 })),
    ];
    for n in 2..6 {
        let at = 40 * n;
        messages.push((at, "send", json!({ "op": "sum", "rid": n, "session": "s-73519" })));
        messages.push((at + 1, "receive", json!({ "type": "tick" })));
        messages.push((at + 2, "receive", json!({ "sum": 1, "re": n })));
    }
    messages
}

fn har(connections: usize) -> String {
    let messages: Vec<_> = messages()
        .into_iter()
        .map(|(at_ms, kind, data)| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let time = 1_767_225_600.0 + at_ms as f64 / 1e3;
            json!({ "type": kind, "time": time, "opcode": 1, "data": data.to_string() })
        })
        .collect();
    let short = messages[..3].to_vec();
    let entry = |messages: &[Value]| {
        json!({
            "_resourceType": "websocket",
            "_webSocketMessages": messages,
            "request": {
                "url": "ws://example.org/feed?token=very-secret",
                "headers": [{ "name": "Origin", "value": "https://example.org" }],
            },
            "response": { "status": 101, "headers": [] },
        })
    };
    let page =
        json!({ "request": { "url": "https://example.org/" }, "response": { "status": 200 } });
    let mut entries = vec![page];
    entries.extend((1..connections).map(|_| entry(&short)));
    entries.push(entry(&messages));
    json!({ "log": { "version": "1.2", "entries": entries } }).to_string()
}

/// A folder that is gone after its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("loadgen-recorded-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Plays a scenario as it is: all goes well, and nothing is unmatched.
fn assert_played(scenario: &str, url: &str, more: &[&str]) {
    let ran = loadgen(&[&["check", scenario, url], more].concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("unmatched"), "{}", ran.stdout);
    let args = ["play", scenario, url, "-c", "5", "-n", "15", "-q", "-o", "json=-", "-t", "2"];
    let ran = loadgen(&[&args, more].concat());
    let report = result(&ran);
    let played = report.scenario.as_ref().unwrap();
    assert_eq!((played.users.ready, played.iterations.completed), (5, 15), "{}", ran.stderr);
    assert_eq!((played.messages.unmatched, played.iterations.failed), (0, 0));
}

#[test]
fn a_har_is_imported_and_played_without_an_edit() {
    let folder = Folder::new("import");
    let (file, scenario) = (File::new("a.har", &har(1)), folder.file("a.toml"));
    let ran = loadgen(&["import", "har", file.name(), "-o", &scenario]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for said in [
        "1 WebSocket connection\n* 1  ws://example.org/feed  5 sent, 11 received",
        "sure    reply      matches replies by /re, which repeats /rid: /rid grows by one in 5 sent messages",
        "likely  capture    keeps session from an answer",
        "a.users.csv has password, user, token of the recording in clear",
        "try it with: loadgen check",
    ] {
        assert!(ran.stderr.contains(said), "{said} in\n{}", ran.stderr);
    }
    let text = fs::read_to_string(&scenario).unwrap();
    assert!(!text.contains("very-secret") && !text.contains("p0"), "{text}");
    assert!(text.contains("# sure    reply"), "{text}");
    let feed = folder.file("a.users.csv");
    assert_eq!(fs::read_to_string(&feed).unwrap(), "password,user,token\np0,u0,very-secret\n");
    assert_eq!(fs::metadata(&feed).unwrap().permissions().mode() & 0o777, 0o600);
    assert_played(&scenario, &format!("{}feed", server().url()), &[]);

    // A feed that has got more users is kept; one of another scenario is not overwritten.
    fs::write(&feed, "password,user,token\na,b,c\nd,e,f\n").unwrap();
    let again = loadgen(&["import", "har", file.name(), "-o", &scenario]);
    assert!(again.code == Some(0) && again.stderr.contains("was there, and is kept"));
    fs::write(&feed, "name\na\n").unwrap();
    let other = loadgen(&["import", "har", file.name(), "-o", &scenario, "-q"]);
    assert_eq!(other.code, Some(2));
    assert!(other.error_line().contains("with other columns than password, user, token"));
}

#[test]
fn on_stdout_there_are_no_secrets() {
    let file = File::new("b.har", &har(3));
    let ran = loadgen(&["import", "har", file.name()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("[vars]\npassword = ''\nuser = ''\ntoken = ''\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("very-secret") && !ran.stderr.contains("very-secret"));
    let listed = "3 WebSocket connections; --connection N takes another\n  1  ws://";
    assert!(ran.stderr.contains(listed), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n* 3  ws://"), "the one with the most messages: {}", ran.stderr);
    let first = loadgen(&["import", "har", file.name(), "--connection", "1", "-q"]);
    assert!(first.stdout.contains("1 message sent and 2 received"), "{}", first.stdout);
    assert_eq!(first.stderr, "");
}

#[test]
fn what_cannot_be_imported_is_said_in_a_line() {
    let good = File::new("c.har", &har(1));
    let cut = File::new("d.har", &har(1)[..200]);
    let image = File::new("e.har", "GIF89a");
    let pages = File::new("f.har", r#"{"log":{"entries":[{"request":{"url":"https://h/"}}]}}"#);
    for (args, why) in [
        (&["no/such.har"][..], "No such file"),
        (&["/"], "is a directory"),
        (&[image.name()], "it is not a HAR: expected value"),
        (&[cut.name()], "it ends in the middle of its JSON"),
        (&[pages.name()], "none of its 1 entries is a WebSocket"),
        (&[good.name(), "--connection", "2"], "--connection 2: there is 1 to 1"),
        (&[good.name(), "--connection", "0"], "--connection 0: there is 1 to 1"),
        (&[good.name(), "-o", "/no/such/folder/a.toml"], "can't be written"),
    ] {
        let ran = loadgen(&[&["import", "har"], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.error_line().to_lowercase().contains(&why.to_lowercase()), "{}", ran.stderr);
    }
}

/// `loadgen record` as a process, and where it listens.
struct Recorder {
    child: Child,
    address: SocketAddr,
}

impl Recorder {
    fn start(url: &str, args: &[&str]) -> Self {
        let args = [&["record", "127.0.0.1:0", url], args].concat();
        let mut child = command(&args).spawn().unwrap();
        let mut line = String::new();
        // The rest of stderr is read by `finish`; nothing more is said before the end.
        let stderr = child.stderr.as_mut().unwrap();
        BufReader::with_capacity(1, stderr).read_line(&mut line).unwrap();
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("{line}")) }
    }

    fn interrupted(self) -> Ran {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        finish(self.child)
    }
}

fn sent(har: &str) -> Vec<(String, Value)> {
    let file: Value = serde_json::from_str(&fs::read_to_string(har).unwrap()).unwrap();
    let messages = file["log"]["entries"][0]["_webSocketMessages"].as_array().unwrap().clone();
    let pair = |message: &Value| {
        let data = parsed(message["data"].as_str().unwrap().as_bytes());
        (message["type"].as_str().unwrap().to_owned(), data)
    };
    messages.iter().map(pair).collect()
}

#[test]
fn a_session_is_recorded_and_played_and_nothing_is_lost_at_ctrl_c() {
    let folder = Folder::new("record");
    let (scenario, har) = (folder.file("a.toml"), folder.file("a.har"));
    let server = server();
    let recorder = Recorder::start(&server.url(), &["-o", &scenario, "--har", &har]);
    let mut client = Peer::open(recorder.address);
    let expected = messages();
    for (_, kind, message) in &expected {
        if *kind == "send" {
            client.send(&crate::peer::frame(TEXT, message.to_string().as_bytes()));
        } else {
            let (_, received) = client.read_frame();
            assert_eq!(parsed(&received), *message);
        }
    }
    // The client is still there, and so is the server.
    let ran = recorder.interrupted();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(client.read_frame().0, CLOSE);
    let found = sent(&har);
    assert_eq!(found.len(), expected.len());
    for ((kind, message), (_, expected_kind, expected)) in found.iter().zip(&expected) {
        assert_eq!((&**kind, message), (*expected_kind, expected));
    }
    assert!(ran.stderr.contains("with all secrets in clear"), "{}", ran.stderr);
    assert_played(&scenario, &server.url(), &[]);
    // The HAR of `record` gives the same scenario again.
    let again = folder.file("b.toml");
    let imported = loadgen(&["import", "har", &har, "-o", &again, "-q"]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let text = |path: &str| {
        let text = fs::read_to_string(path).unwrap();
        text.replace("b.users.csv", "a.users.csv")
    };
    assert_eq!(text(&again), text(&scenario));
}

/// The client speaks without TLS, and the server with it, whose certificate is checked.
#[test]
fn a_session_over_tls_is_recorded_and_played() {
    let folder = Folder::new("wss");
    let (scenario, har) = (folder.file("a.toml"), folder.file("a.har"));
    let authority = Authority::new();
    authority.sign("good", "127.0.0.1", |_| {});
    let server = authority.serve("good", false);
    let (url, ca) = (format!("wss://{}/", server.local_addr()), authority.path("ca"));
    let args = ["--cacert", &*ca, "-o", &*scenario, "--har", &*har];
    let recorder = Recorder::start(&url, &args);
    let mut client = Peer::open(recorder.address);
    // More than a record of TLS holds, and more than a read.
    let pad = "x".repeat(70_000);
    for id in 1..5 {
        let pad = if id == 1 { &*pad } else { "" };
        let message = json!({ "id": id, "op": "sum", "pad": pad }).to_string();
        client.echo(TEXT, message.as_bytes());
    }
    let ran = recorder.interrupted();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found = sent(&har);
    assert_eq!(found.len(), 8);
    assert_eq!(found[0].1["pad"].as_str().unwrap(), pad);
    let text = fs::read_to_string(&scenario).unwrap();
    assert!(text.contains(&format!("url = '{url}'")), "{}", &text[..2_000]);
    assert_played(&scenario, &url, &["--cacert", &ca]);
}

#[test]
fn a_server_whose_certificate_is_not_trusted_is_not_recorded() {
    let authority = Authority::new();
    authority.sign("good", "127.0.0.1", |_| {});
    let server = authority.serve("good", false);
    let recorder = Recorder::start(&format!("wss://{}/", server.local_addr()), &[]);
    let mut client = Peer::connect(recorder.address);
    client.send(crate::peer::request("").as_bytes());
    assert!(client.read_head().starts_with("HTTP/1.1 502 "));
    let ran = recorder.interrupted();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not recorded: ") && ran.stderr.contains("--cacert"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_recording_ends_by_itself_and_passes_on_how_a_side_ends() {
    let folder = Folder::new("ends");
    let scenario = folder.file("a.toml");
    let server = server();
    let args = ["-o", &*scenario, "--connections", "1", "-q"];
    // Quiet, so the port has to be known.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, url) = (port.to_string(), server.url());
    let args = [&["record", &*listen, &*url], &args[..]].concat();
    let child = command(&args).spawn().unwrap();
    let mut client = loop {
        if std::net::TcpStream::connect(port).is_ok() {
            break Peer::open(port);
        }
        std::thread::yield_now();
    };
    assert_eq!(client.read_frame().0, TEXT);
    client.send(&crate::peer::close_frame(4321, "done"));
    assert_eq!(client.read_close().0, 4321);
    let ran = finish(child);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert!(Path::new(&scenario).exists());
}

#[test]
fn a_server_that_refuses_is_passed_on_and_nothing_recorded_is_said() {
    let server = Scripted::start(|mut stream, _| {
        crate::scripted::read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").ok();
    });
    let recorder = Recorder::start(&server.url(), &[]);
    let mut client = Peer::connect(recorder.address);
    client.send(crate::peer::request("").as_bytes());
    assert!(client.read_head().starts_with("HTTP/1.1 403 "));
    let ran = recorder.interrupted();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("not recorded: the server refused"), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: nothing was recorded"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_recorded_is_said_before_anything_is_listened_to() {
    for (args, why) in [
        (&["nowhere", "ws://127.0.0.1:9/"][..], "nowhere"),
        (&["127.0.0.1:0", "http://127.0.0.1:9/"], "use ws://"),
        (&["127.0.0.1:0", "ws://127.0.0.1:9/{conn}"], "without placeholders"),
        (&["127.0.0.1:0", "ws://127.0.0.1:9/", "-o", "/no/such/folder/a.toml"], "can't be written"),
    ] {
        let ran = loadgen(&[&["record"], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.error_line().contains(why), "{}", ran.stderr);
    }
}
