//! `--config`: what can be typed can be in the file, for every command.

use std::fs;

use super::outputs::Scratch;
use crate::scripted::{Scripted, command, echo, finish, loadgen};

/// FIELD E4: a file with the URL, as its own documentation has it, for `run` and for `check`.
#[test]
fn e4_one_file_for_run_and_check() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let scratch = Scratch::new("e4");
    let file = scratch.path("loadgen.toml");
    let content = format!(
        "url = \"{}\"\nconnect-timeout = \"5s\"\n[run]\nconnections = 3\nmessages = 30\n",
        server.url()
    );
    fs::write(&file, content).unwrap();
    let ran = loadgen(&["run", "--config", &file, "-q", "-o", "json"]);
    assert_eq!(ran.report().connections.established, 3);
    let ran = loadgen(&["check", "--config", &file]);
    assert!(ran.stdout.starts_with(&format!("check {}", server.url())), "{}", ran.stdout);
    assert!(ran.stdout.contains(" upgrade "), "{}", ran.stdout);
}

/// FIELD E4: what has to be given may be in the file, and if it is nowhere that is said.
#[test]
fn e4_what_is_required_may_be_in_the_file() {
    let scratch = Scratch::new("e4-required");
    let file = scratch.path("f.toml");
    fs::write(&file, "connect-timeout = \"1s\"\n").unwrap();
    let ran = loadgen(&["check", "--config", &file]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("required"), "{}", ran.stderr);
    fs::write(&file, "connect-timeout = \"1s\"\nurl = \"ws://127.0.0.1:9/\"\n").unwrap();
    let ran = loadgen(&["check", "--config", &file]);
    assert!(ran.stdout.starts_with("check ws://127.0.0.1:9/"), "{}{}", ran.stdout, ran.stderr);
}

/// FIELD E5: the line and the nearest key.
#[test]
fn e5_a_wrong_key_has_its_line_and_the_nearest() {
    let scratch = Scratch::new("e5");
    let file = scratch.path("bad.toml");
    fs::write(&file, "[run]\nconnections = 5\nduraton = \"5s\"\n").unwrap();
    let ran = loadgen(&["run", "--config", &file]);
    assert_eq!(ran.code, Some(2));
    let why = format!("{file}: line 3: duraton is not a key of run; did you mean duration?");
    assert_eq!(ran.error_line(), why);
}

/// FIELD P10: `-f -` is standard input, and a byte order mark is no part of a message.
#[test]
fn p10_messages_from_stdin_without_a_byte_order_mark() {
    use std::io::Write;
    use std::process::Stdio;
    use std::sync::{Arc, Mutex};

    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let server = Scripted::start(move |stream, _| {
        echo(stream, |_, _, payload| {
            kept.lock().unwrap().push(payload.to_vec());
            None
        });
    });
    let run = |args: &[&str]| {
        seen.lock().unwrap().clear();
        let url = server.url();
        let base = ["run", &url, "-c", "1", "-n", "2", "-t", "1", "--no-progress", "-f", "-"];
        let mut child = command(&[&base[..], args].concat()).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"\xef\xbb\xbfone\r\ntwo {seq}\n").unwrap();
        let ran = finish(child);
        ran.assert_went_well();
        (ran.stderr, seen.lock().unwrap().clone())
    };
    let (said, sent) = run(&[]);
    assert_eq!(sent, [&b"one"[..], b"two 1"]);
    assert!(said.contains("-f - begins with a byte order mark, which is skipped"), "{said}");
    let (said, sent) = run(&["--raw"]);
    assert_eq!(sent, [&b"\xef\xbb\xbfone"[..], b"two {seq}"]);
    assert!(!said.contains("byte order mark"), "{said}");
}

/// FIELD P10: the Host that was asked for.
#[test]
fn p10_a_host_header_replaces_that_of_the_url() {
    use std::sync::{Arc, Mutex};

    let heads = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&heads);
    let server = Scripted::start(move |mut stream, _| {
        kept.lock().unwrap().push_str(&crate::scripted::read_head(&mut stream));
    });
    let url = server.url();
    loadgen(&["check", &url, "-H", "host: virtual.example:8080"]);
    let head = heads.lock().unwrap().clone();
    assert_eq!(head.matches("Host: ").count(), 1, "{head}");
    assert!(head.contains("\r\nHost: virtual.example:8080\r\n"), "{head}");
}

/// FIELD M5: what is sent is not what is saved.
#[test]
fn m5_secrets_are_masked_in_results_and_reports() {
    let heads = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let kept = std::sync::Arc::clone(&heads);
    let server = Scripted::start(move |mut stream, _| {
        kept.lock().unwrap().push_str(&crate::scripted::read_head(&mut stream));
    });
    let url = format!("{}?room=7&token=hunter2", server.url());
    let scratch = Scratch::new("m5");
    let file = scratch.path("r.json");
    let args = ["run", &url, "-c", "1", "-n", "1", "-t", "1", "--no-progress"];
    let masked = "?room=7&token=***";
    let outputs = ["-o", &*file, "-o", "text"];
    let ran = loadgen(&[&args[..], &outputs].concat());
    let saved = fs::read_to_string(&file).unwrap();
    for text in [&ran.stdout, &ran.stderr, &saved] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(ran.stdout.contains(masked) && saved.contains(masked), "{}{saved}", ran.stdout);
    assert!(heads.lock().unwrap().contains("token=hunter2 "), "it is sent as it is");
    for args in [&["report", &file][..], &["diff", &file, &file], &["check", &url]] {
        let ran = loadgen(args);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hunter2"), "{args:?}");
    }
    let shown = loadgen(&[&args[..], &["--show-secrets", "-o", "json"]].concat());
    assert!(shown.stdout.contains("token=hunter2"), "{}", shown.stdout);
    assert!(loadgen(&["check", &url, "--show-secrets"]).stdout.contains("hunter2"));
}
