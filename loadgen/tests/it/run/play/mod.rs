//! `play`: users of a scenario against servers that speak their protocols.

mod arrival;
mod check;
mod flags;
mod hostile;
mod overlap;
mod presets;
mod recorded;
mod split;
mod truth;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::scripted::{
    BINARY, CLOSE, Ran, Scripted, TEXT, assert_balanced, frame, loadgen, read_frame, read_head,
};
use loadgen::report::Report;
use loadgen::report::scenario::{ScenarioReport, StepReport};

/// A scenario file that is gone after its test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("loadgen-play-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// A message that a server sends: text, or binary.
type Said = (u8, Vec<u8>);

fn text(text: impl Into<String>) -> Said {
    (TEXT, text.into().into_bytes())
}

fn json_text(value: &Value) -> Said {
    (TEXT, value.to_string().into_bytes())
}

/// A server that greets, and answers each message by some.
fn speaking(
    greeting: Vec<Said>,
    answer: impl Fn(&[u8]) -> Vec<Said> + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        if head.is_empty() {
            return;
        }
        let mut first = crate::scripted::accepting(&head);
        // The first subprotocol that is offered, as most servers have it.
        let offered = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        if let Some(name) = offered.and_then(|names| names.split(',').next()) {
            first.truncate(first.len() - 2);
            first.extend(["Sec-WebSocket-Protocol: ", name.trim(), "\r\n\r\n"]);
        }
        let mut bytes = first.into_bytes();
        bytes.extend(greeting.iter().flat_map(|(kind, payload)| frame(*kind, payload)));
        stream.write_all(&bytes).ok();
        talk(stream, &answer);
    })
}

fn talk(mut stream: TcpStream, answer: &impl Fn(&[u8]) -> Vec<Said>) {
    while let Some((first, payload)) = read_frame(&mut stream) {
        let replies: Vec<u8> = match first {
            CLOSE => frame(CLOSE, &payload),
            TEXT | BINARY => {
                let said = answer(&payload);
                said.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect()
            }
            _ => Vec::new(),
        };
        if stream.write_all(&replies).is_err() || first == CLOSE {
            return;
        }
    }
}

fn play(file: &str, server: &Scripted, args: &[&str]) -> Ran {
    let url = server.url();
    loadgen(&[&["play", file, &url, "-q", "-o", "json=-", "-t", "2", "--seed", "1"], args].concat())
}

/// The result, in which all adds up and fits the schema.
fn result(ran: &Ran) -> Report {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let value: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    let wrong: Vec<_> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let report = ran.report();
    assert_balanced(&report);
    report
}

fn step<'r>(scenario: &'r ScenarioReport, name: &str) -> &'r StepReport {
    scenario.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(bytes));
    })
}

/// Login, orders that answer after a push, heartbeats, ticks with numbers of which one is missing.
fn market(bytes: &[u8]) -> Vec<Said> {
    let asked = parsed(bytes);
    let id = &asked["id"];
    match asked["op"].as_str().unwrap() {
        "login" if asked["pass"] == "wrong" => {
            vec![json_text(&json!({"id": id, "ok": false, "why": "bad password"}))]
        }
        "login" => vec![
            json_text(&json!({"id": id, "ok": true})),
            json_text(&json!({"op": "tick", "channel": "a", "seq": 1, "ts": 1})),
            json_text(&json!({"op": "tick", "channel": "a", "seq": 3, "ts": 1})),
        ],
        "order" => vec![
            json_text(&json!({"op": "ping"})),
            json_text(&json!({"op": "tick", "channel": "b", "seq": 1, "ts": 1})),
            json_text(&json!({"id": 999_999, "order": "not yours"})),
            json_text(&json!({"id": id, "order": format!("o-{id}")})),
        ],
        "cancel" if asked["order"] == format!("o-{}", id.as_u64().unwrap() - 1) => {
            vec![json_text(&json!({"id": id}))]
        }
        "cancel" => vec![json_text(&json!({"op": "error", "id": id}))],
        "pong" => Vec::new(),
        other => panic!("{other}"),
    }
}

const MARKET: &str = r#"
[feed]
file = "FEED"
[reply]
id   = "/id"
fail = { json = { "/op" = "error" } }
[[begin]]
name = "login"
send = '{"op":"login","id":{id},"user":"{user}","pass":"{pass}"}'
fail = { json = { "/ok" = false } }
[[on]]
name = "heartbeat"
when = { json = { "/op" = "ping" } }
send = '{"op":"pong"}'
[[on]]
name = "tick"
when = { json = { "/op" = "tick" } }
age  = { json = "/ts", unit = "ms" }
seq  = { json = "/seq", by = ["/channel"] }
[[step]]
name    = "order"
send    = '{"op":"order","id":{id},"qty":{rand:1..100}}'
capture = { order = "/order" }
[[step]]
pause = "1ms..2ms"
[[step]]
name = "cancel"
send = '{"op":"cancel","id":{id},"order":"{order}"}'
"#;

/// The market's scenario, with a feed of these passwords.
fn market_files(name: &str, passwords: &[&str]) -> (File, File) {
    let rows: Vec<_> =
        passwords.iter().enumerate().map(|(user, pass)| format!("u{user},{pass}\n")).collect();
    let rows = rows.concat();
    let feed = File::new(&format!("{name}.csv"), &format!("user,pass\n{rows}"));
    let scenario = File::new(&format!("{name}.toml"), &MARKET.replace("FEED", feed.name()));
    (scenario, feed)
}

#[test]
fn steps_are_matched_by_id_whatever_comes_between() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("by-id", &["a", "b", "c"]);
    let ran = play(file.name(), &server, &["-c", "3", "-n", "30", "-d", "30s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.iterations.completed), (3, 30));
    for (name, number) in [("login", 3), ("order", 30), ("cancel", 30)] {
        let StepReport { counts, service, .. } = step(scenario, name);
        assert_eq!((counts.sent, counts.ok), (number, number), "{name}");
        assert_eq!(service.as_ref().unwrap().count, number, "{name}");
    }
    let rule = |name: &str| scenario.rules.iter().find(|rule| rule.name == name).unwrap().counts;
    assert_eq!(rule("heartbeat").received, 30);
    // Each user misses one of channel a, and gets the first of b again with each order but one.
    let tick = rule("tick");
    assert_eq!((tick.received, tick.missing, tick.behind, tick.timed), (36, 3, 27, 36));
    assert_eq!(scenario.messages.unmatched, 30);
    assert!(scenario.unmatched_sample.as_ref().unwrap().contains("not yours"));
}

#[test]
fn a_user_that_is_refused_fails_the_run_with_the_servers_words() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("refused", &["a", "wrong"]);
    let ran = play(file.name(), &server, &["-c", "2", "-n", "4", "-d", "30s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 user never became ready (refused 1, left 0)"), "{}", ran.stderr);
    let report = result(&ran);
    let users = report.scenario.as_ref().unwrap().users;
    assert_eq!((users.ready, users.refused), (1, 1));
    let error = report.errors.iter().find(|error| error.code == "step.login.refused").unwrap();
    assert!(error.sample.contains("bad password"), "{}", error.sample);
}

#[test]
fn thresholds_judge_steps_rules_and_users() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("thresholds", &["a", "wrong"]);
    let args = |threshold: &'static str| {
        let bound = ["-c", "2", "-n", "4", "-d", "30s", "--threshold", threshold];
        [&bound[..], &["--threshold", "step.login.failed<=50%"]].concat()
    };
    for (threshold, is_held) in [
        ("step.order.p99<30s", true),
        ("step.order.ok==2", true),
        ("rule.tick.missing==0", false),
        ("ready==100%", false),
        ("unmatched<50%", true),
        ("step.nothing.p99<1s", false),
        ("iteration.service.p99<30s", true),
    ] {
        let ran = play(file.name(), &server, &args(threshold));
        let report = result(&ran);
        assert_eq!(report.thresholds[0].is_passed, is_held, "{threshold}: {}", ran.stderr);
        assert!(report.thresholds[1].is_passed, "{}", ran.stderr);
    }
}

#[test]
fn steps_and_rules_are_in_every_form_of_a_result() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("forms", &["a", "b"]);
    let saved = File::new("forms-out.json", "");
    let out = |form: &str| File::new(&format!("forms-out.{form}"), "");
    let (csv, hlog) = (out("csv"), out("hlog"));
    let forms = [&saved, &csv, &hlog].map(|file| ["-o", file.name()]).concat();
    let url = server.url();
    let run = ["play", file.name(), &url, "-q", "-c", "2", "-n", "20", "-d", "30s"];
    let ran = loadgen(&[&run[..], &forms].concat());
    ran.assert_went_well();
    let read = |file: &File| fs::read_to_string(file.name()).unwrap();
    let table = read(&csv);
    let mut lines = table.lines();
    let head: Vec<_> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let sum = |name: &str| -> u64 {
        table
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(column(name)).unwrap())
            .map(|cell| cell.parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!((sum("step.order.ok"), sum("step.login.ok"), sum("step.order.failed")), (20, 2, 0));
    assert_eq!((sum("rule.heartbeat.received"), head.len()), (20, head.len()));
    column("step.order.mean_ns");
    for tag in ["Tag=step.order.service,", "Tag=rule.tick.age,", "Tag=iteration.service,"] {
        assert!(read(&hlog).contains(tag), "{tag}");
    }
    let diff = loadgen(&["diff", saved.name(), saved.name()]);
    for name in ["step.order.p99 ", "step.order.ok ", "rule.tick.received ", "ready "] {
        let line = diff.stdout.lines().find(|line| line.trim_start().starts_with(name));
        assert!(line.is_some_and(|line| line.ends_with("1.000x")), "{name}: {}", diff.stdout);
    }
}

#[test]
fn under_open_loop_the_response_counts_from_when_an_iteration_was_due() {
    let number = AtomicUsize::new(0);
    // The first answer comes after 300 ms, so the iterations behind it wait.
    let server = speaking(Vec::new(), move |bytes| {
        if number.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        vec![json_text(&json!({"id": parsed(bytes)["id"]}))]
    });
    let file = File::new(
        "open.toml",
        "[reply]\nid = \"/id\"\n[[step]]\nname = \"ask\"\nsend = '{\"id\":{id}}'\n",
    );
    let ran = play(file.name(), &server, &["-c", "1", "-R", "100", "-n", "60", "-d", "30s"]);
    ran.assert_went_well();
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.iterations.due, scenario.iterations.completed), (60, 60));
    let count_above = |metric: &str, ns: u64| {
        let found = report.histograms.iter().find(|found| found.metric == metric).unwrap();
        let found = found.distribution().unwrap();
        found.histogram().count_between(ns, u64::MAX)
    };
    // About 20 were due while the first was waited for; one took long by itself.
    assert!(count_above("iteration.response", 100_000_000) >= 10);
    assert!(count_above("iteration.lag", 100_000_000) >= 10);
    let service = step(scenario, "ask").service.as_ref().unwrap().distribution().unwrap();
    assert!(service.histogram().count_between(250_000_000, u64::MAX) >= 1);
    // What iterations wait for each other is the server's; the client's own lateness is apart.
    let own = report.histograms.iter().find(|found| found.metric == "send.lag").unwrap();
    assert_eq!(own.count, 60);
    assert_eq!(report.verdict.effects[0].metric, "iteration.response");
}

#[test]
fn what_is_late_lost_or_not_begun_is_counted_by_step() {
    // Nothing is ever answered.
    let server = speaking(Vec::new(), |_| Vec::new());
    let file = File::new(
        "lost.toml",
        "[reply]\nid = \"/id\"\n[[step]]\nname = \"ask\"\nsend = '{\"id\":{id}}'\ntimeout = \"100ms\"\n",
    );
    let ran = play(file.name(), &server, &["-c", "2", "-R", "50", "-d", "1s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = result(&ran);
    let scenario = report.scenario.as_ref().unwrap();
    let counts = step(scenario, "ask").counts;
    assert!(counts.timed_out >= 2 && counts.ok == 0, "{counts:?}");
    assert_eq!(scenario.iterations.due, 50);
    assert!(scenario.iterations.unsent > 0, "{:?}", scenario.iterations);
    assert!(ran.stderr.contains("step ask: "), "{}", ran.stderr);
}

/// As MQTT's have to, once a client has disconnected.
#[test]
fn a_server_may_end_the_stream_once_a_user_has_said_goodbye() {
    let server = Scripted::start(|mut stream, number| {
        let head = read_head(&mut stream);
        stream.write_all(crate::scripted::accepting(&head).as_bytes()).ok();
        while let Some((_, payload)) = read_frame(&mut stream) {
            if payload == b"bye" {
                if number % 2 == 0 {
                    stream.write_all(&crate::scripted::close(1_000)).ok();
                }
                return;
            }
            stream.write_all(&frame(TEXT, &payload)).ok();
        }
    });
    let step = "[[step]]\nname = \"ask\"\nsend = \"x\"\nexpect = { exact = \"x\" }\n";
    let bound = ["-c", "3", "-n", "6", "-d", "30s"];
    // Whether the user has closed or still waits.
    let end = "[[end]]\nsend = \"bye\"\n";
    let file = File::new("goodbye-waits.toml", &format!("{step}{end}[[end]]\npause = \"9s\"\n"));
    play(file.name(), &server, &bound).assert_went_well();
    assert_balanced(&play(file.name(), &server, &bound).report());
    let file = File::new("goodbye.toml", &format!("{step}{end}"));
    let ran = play(file.name(), &server, &bound);
    ran.assert_went_well();
    assert_eq!(result(&ran).closings.iter().map(|row| row.count).sum::<u64>(), 3);
    // In the middle of what it does, it is a failure.
    let file = File::new("leaves.toml", &format!("{step}[[step]]\nsend = \"bye\"\n"));
    assert_eq!(play(file.name(), &server, &bound).code, Some(1));
}

/// Such as the last words of a server that restarts.
#[test]
fn what_a_server_reports_unasked_fails_the_run_in_its_words() {
    let server = speaking(Vec::new(), |_| vec![text("bye, for today"), text("ok")]);
    let file = File::new(
        "bye.toml",
        "[[on]]\nname = \"bye\"\nwhen = { prefix = \"bye\" }\nfail = true\n\
         [[step]]\nname = \"ask\"\nsend = \"x\"\nexpect = { exact = \"ok\" }\n",
    );
    let bound = ["-c", "2", "-n", "6", "-d", "30s"];
    let ran = play(file.name(), &server, &bound);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("rule bye: 6 failures reported"), "{}", ran.stderr);
    let report = result(&ran);
    let error = report.errors.iter().find(|error| error.code == "rule.bye").unwrap();
    assert!(error.count == 6 && error.sample.contains("bye, for today"), "{}", error.sample);
    let judged = [&bound[..], &["--threshold", "rule.bye.received<=6"]].concat();
    let ran = play(file.name(), &server, &judged);
    ran.assert_went_well();
    assert!(result(&ran).scenario.unwrap().rules[0].is_fault);
}

#[test]
fn a_url_is_of_each_user() {
    let server = Scripted::start(|mut stream, _| {
        let head = read_head(&mut stream);
        let line = head.lines().next().unwrap_or_default().to_owned();
        assert!(line.contains("?token=t-") && !line.contains('{'), "{line}");
        let user = line.split("t-").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        for header in ["X-User: u", "X-Typed: t-", "Sec-WebSocket-Protocol: p-t-"] {
            assert!(head.contains(&format!("{header}{user}\r\n")), "{header}{user} in {head}");
        }
        let mut accepting = crate::scripted::accepting(&head);
        accepting.truncate(accepting.len() - 2);
        accepting.extend(["Sec-WebSocket-Protocol: p-t-", user, "\r\n\r\n"]);
        stream.write_all(accepting.as_bytes()).ok();
        let hello = line.split_whitespace().nth(1).unwrap().to_owned();
        stream.write_all(&frame(TEXT, hello.as_bytes())).ok();
        talk(stream, &|_: &[u8]| Vec::new());
    });
    let feed = File::new("url.csv", "token,user\nt-a,ua\nt-b,ub\n");
    let text = format!(
        "[feed]\nfile = \"{}\"\n[connect]\nheaders = {{ X-User = \"{{user}}\" }}\n\
         subprotocol = \"p-{{token}}\"\n\
         [[begin]]\nname = \"hello\"\nwait = {{ prefix = \"/p?token=t-\" }}\n",
        feed.name()
    );
    let file = File::new("url.toml", &text);
    let url = format!("{}p?token={{token}}", server.url());
    let typed = ["-H", "X-Typed: {token}", "-c", "2", "-d", "100ms", "-q", "-o", "json=-"];
    let ran = loadgen(&[&["play", file.name(), &url], &typed[..]].concat());
    ran.assert_went_well();
    assert_eq!(result(&ran).scenario.unwrap().users.ready, 2);
    let ran = loadgen(&["play", file.name(), &url, "-c", "3", "-d", "100ms"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("-c 3 users, but"), "{}", ran.stderr);
}

#[test]
fn a_segment_sends_what_the_whole_run_would_and_merges() {
    let server = speaking(Vec::new(), market);
    let (file, _feed) = market_files("merge", &["a", "b", "c", "d"]);
    let parts: Vec<_> = (1..=2)
        .map(|part| {
            let segment = format!("{part}/2");
            let args = ["-c", "4", "-n", "8", "-d", "30s", "--segment", &segment];
            let ran = play(file.name(), &server, &args);
            ran.assert_went_well();
            File::new(&format!("part-{part}.json"), &ran.stdout)
        })
        .collect();
    let merged = loadgen(&["merge", parts[0].name(), parts[1].name(), "-o", "json=-"]);
    let report = result(&merged);
    let scenario = report.scenario.as_ref().unwrap();
    assert_eq!((scenario.users.ready, scenario.iterations.completed), (4, 8));
    assert_eq!(step(scenario, "order").service.as_ref().unwrap().count, 8);
}
