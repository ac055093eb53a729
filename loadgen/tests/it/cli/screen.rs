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
