//! Wrong usage ends with one line that says what was wrong and what to do, and exit code 2; never
//! with a panic.

use crate::scripted::loadgen;

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for (args, why) in [
        (&["run", "http://127.0.0.1:9/"][..], "its scheme is http; use ws://127.0.0.1:9/"),
        (&["run", "https://127.0.0.1:9/"], "use wss://127.0.0.1:9/"),
        (&["run", "ws://h/", "-k"], "need a wss:// URL"),
        (&["run", "wss://h/", "--cacert", "/nonexistent"], "--cacert /nonexistent: No such file"),
        (&["run", "127.0.0.1:9"], "no scheme; use ws://127.0.0.1:9"),
        (&["run", "ws://[::1"], "bad URL"),
        (&["run", "ws://h:99999/"], "invalid port"),
        (&["run", "ws://h/\r\nX: y"], "control characters"),
        (&["run", "-c", "0"], "-c 0 is out of range"),
        (&["run", "-R", "-5"], "a rate can't be negative"),
        (&["run", "-R", "0"], "use a rate above 0"),
        (&["run", "-d", "0"], "-d 0s is out of range; use 1ms to 7d"),
        (&["run", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["nonsense"], "unrecognized subcommand 'nonsense'"),
        (&[], "no command"),
        (&["check"], "required"),
        (&["run", "-H", "X: a\r\nY: b"], "bad -H"),
        (&["run", "-H", "Sec-WebSocket-Key: x"], "bad -H"),
        (&["run", "-H", "Host: x y"], "bad -H 'Host: ...': host \"x y\""),
        (&["run", "-H", "Host: a", "-H", "host: b"], "a request has one Host"),
        (&["run", "--subprotocol", "a b"], "bad --subprotocol"),
        (&["run", "--user", "alone"], "--user has no colon; use NAME:PASSWORD"),
        (&["run", "--user", "a:b", "-H", "Authorization: x"], "exclude each other"),
        (&["run", "ws://a:b@h/"], "send them with --user"),
        (&["run", "--origin", "http://h\r\nX: y"], "bad --origin"),
        (&["run", "-o", "json=/nonexistent/f.json"], "can't be written"),
        (&["run", "-o", "json=/"], "can't be written"),
        (&["serve", "--listen", "192.0.2.1:9001"], "192.0.2.1"),
        (&["serve", "echo", "--rate", "5"], "--rate has no effect on serve echo"),
        (&["serve", "push", "--size", "10"], "--size 10 is out of range; use 38 to"),
        (&["serve", "push", "--rate", "5", "--rate-total", "5"], "cannot be used with"),
        (&["serve", "push", "--slow", "never"], "invalid value 'never' for"),
        (&["serve", "push", "--queue-max", "1"], "--queue-max 1 is out of range"),
    ] {
        let ran = loadgen(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        let line = ran.error_line();
        assert!(line.contains(why), "{args:?}: {line}");
        assert!(!line.contains(|c: char| c.is_control()), "{args:?}: {line}");
        assert!(ran.stdout.is_empty(), "{args:?}: {}", ran.stdout);
    }
}

#[test]
fn help_is_on_stdout_and_names_every_command() {
    let ran = loadgen(&["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let load = ["run", "connect", "hold", "listen", "fanout", "serve", "check", "doctor"];
    for command in load.into_iter().chain(["report", "merge", "diff"]) {
        assert!(ran.stdout.contains(&format!("\n  {command} ")), "{}", ran.stdout);
    }
}

#[test]
fn d24_a_name_that_does_not_resolve_is_one_line_and_exit_code_1() {
    let ran = loadgen(&["run", "ws://nonexistent.invalid/", "-c", "1", "--connect-timeout", "5s"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("host \"nonexistent.invalid\" can't be resolved"));
}

#[test]
fn d20_more_connections_than_descriptors_are_refused_before_the_run_with_the_command_that_helps() {
    // The shell's own hard limit, lowered for this run alone.
    let program = env!("CARGO_BIN_EXE_loadgen");
    let script =
        format!("ulimit -n 64 && exec {program} run ws://127.0.0.1:9/ -c 100 --processes 1");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: -c 100: "), "{said}");
    assert!(said.contains("descriptors are needed") && said.contains("--nofile="), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn n10_help_says_that_lines_are_a_ring() {
    let help = loadgen(&["run", "--help"]).stdout;
    let help: Vec<&str> = help.split_whitespace().collect();
    let help = help.join(" ");
    assert!(help.contains("a ring, not a script: connection 0 begins with the first"), "{help}");
}
