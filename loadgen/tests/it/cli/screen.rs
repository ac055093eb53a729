//! What a run shows on a terminal, and where there is none.

use std::process::{Command, Stdio};

use crate::scripted::{Scripted, command, echo, finish};

fn server() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

/// Runs a command line in a pseudo-terminal of `columns`; returns all that it shows, which is both
/// streams. `None` where util-linux's `script` isn't installed.
fn in_terminal(columns: u16, env: &[(&str, &str)], args: &[&str]) -> Option<String> {
    Command::new("script").arg("--version").stdout(Stdio::null()).status().ok()?;
    let program = env!("CARGO_BIN_EXE_loadgen");
    let line = format!("stty cols {columns}; exec {program} {}", args.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_remove("CI").env_remove("NO_COLOR");
    script.env_remove("COLUMNS").env("TERM", "xterm").envs(env.iter().copied());
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(finish(script.spawn().unwrap()).stdout)
}

/// Without a terminal there is a line every ten seconds, and no control character.
#[test]
fn s2_plain_lines_without_a_terminal() {
    let url = server().url();
    let args = ["run", &url, "-c", "2", "-R", "50", "-d", "11s", "-t", "1"];
    let ran = finish(command(&args).spawn().unwrap());
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("open 2")).collect();
    assert_eq!(lines.len(), 1, "{}", ran.stderr);
    assert!(lines[0].contains("/s  ") && lines[0].contains("s left"), "{}", lines[0]);
    assert!(!ran.stderr.contains(['\r', '\x1b']), "{:?}", ran.stderr);
    let quiet = [&args[..5], &["-d", "500ms", "-q"]].concat();
    let quiet = finish(command(&quiet).spawn().unwrap());
    assert!(!quiet.stderr.contains("open 2"), "{}", quiet.stderr);
}

#[test]
fn s3_no_control_characters_under_ci() {
    let url = server().url();
    let args = ["run", &url, "-c", "2", "-R", "50", "-d", "1s", "-t", "1"];
    let Some(shown) = in_terminal(80, &[("CI", "true")], &args) else { return };
    assert!(shown.contains("rtt.response"), "{shown}");
    // The terminal itself ends each line with a carriage return.
    let text = shown.replace("\r\n", "\n");
    assert!(!text.contains(['\r', '\x1b']), "{text:?}");
    let Some(live) = in_terminal(80, &[], &args) else { return };
    assert!(live.replace("\r\n", "\n").contains('\r'), "a live line is drawn over and over");
}

/// What the text of the report says is not said again below it, except to who reads stderr alone.
#[test]
fn e3_a_screen_shows_each_fault_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("ws://{free}/");
    let args = ["run", &url, "-c", "2", "-d", "1s", "--no-progress"];
    for env in [&[][..], &[("CI", "true")]] {
        let Some(shown) = in_terminal(300, env, &args) else { return };
        assert_eq!(shown.matches("no connection was established").count(), 1, "{shown}");
        let json = in_terminal(300, env, &[&args[..], &["-o", "json=/dev/null"]].concat()).unwrap();
        assert_eq!(json.matches("no connection was established").count(), 1, "{json}");
        let other =
            in_terminal(300, env, &[&args[..], &["-o", "text=/dev/null", "-o", "csv"]].concat());
        let other = other.unwrap();
        assert_eq!(other.matches("error: no connection was established").count(), 1, "{other}");
    }
    let url = server().url();
    let args = ["run", &url, "-c", "1", "-n", "9", "--no-progress", "--threshold", "'rtt.p99<1ns'"];
    let Some(shown) = in_terminal(300, &[("NO_COLOR", "1")], &args) else { return };
    assert_eq!(shown.matches("rtt.p99<1ns").count(), 1, "{shown}");
}

#[test]
fn s4_a_report_fits_the_terminal() {
    let url = server().url();
    for columns in [60, 80, 100] {
        let args = ["run", &url, "-c", "2", "-d", "300ms", "-t", "1", "--no-progress"];
        let args =
            [&args[..], &["--threshold", "'lost==0'", "--threshold", "'rtt.p99<1ns'"]].concat();
        let Some(shown) = in_terminal(columns, &[], &args) else { return };
        assert!(shown.contains("\x1b[32mPASS\x1b[0m"), "{shown}");
        assert!(shown.contains("\x1b[31mFAIL\x1b[0m"), "{shown}");
        let plain = in_terminal(columns, &[("NO_COLOR", "1")], &args).unwrap();
        assert!(!plain.contains('\x1b'), "{plain:?}");
        // The table of latencies has columns of its own, and is 78 wide.
        let rows = plain.lines().filter(|row| !row.contains(" us ") && !row.contains(" ms "));
        let longest = rows.map(|row| row.trim_end().chars().count()).max().unwrap();
        assert!(longest <= usize::from(columns).max(78), "{columns}: {plain}");
    }
}
