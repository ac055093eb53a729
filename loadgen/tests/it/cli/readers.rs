//! Readers of stderr that leave before all is said, as `2>&1 | head` does.

use std::fs;
use std::io::pipe;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything here takes; where it is reached, a test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const SIGTERM: u64 = 15;

/// Starts the program with stderr to a reader who has left, and its data to nowhere.
fn unread(args: &[&str]) -> Child {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap()
}

#[test]
fn a_reader_who_has_left_changes_nothing_of_how_a_command_ends() {
    let run = ["run", "-c", "2", "-d", "100ms"];
    let judged = [&run[..], &["-v", "--threshold", "lost==7"]].concat();
    for (args, codes) in [
        (&[&run[..], &["-v"]].concat()[..], &[0, 97][..]),
        (&judged, &[97, 99]),
        (&["run", "ws://127.0.0.1:1/", "-c", "1"], &[1]),
        (&["check", "ws://127.0.0.1:1/"], &[1]),
        (&["doctor", "-c", "1"], &[0, 1]),
        (&["report", "no such file"], &[2]),
        (&["--help"], &[0]),
    ] {
        let code = unread(args).wait().unwrap().code();
        assert!(code.is_some_and(|code| codes.contains(&code)), "{args:?}: {code:?}");
    }
}

#[test]
fn a_server_that_nobody_reads_ends_in_good_order() {
    let mut server = unread(&["serve", "--listen", "127.0.0.1:0"]);
    let begin = Instant::now();
    while !catches(server.id(), SIGTERM) {
        assert!(begin.elapsed() < PATIENCE, "the server doesn't wait for SIGTERM");
        sleep(Duration::from_millis(5));
    }
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// Whether a process has a handler for a signal.
fn catches(id: u32, signal: u64) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (signal - 1) != 0
}
