//! A server of several processes on one port.

use std::fs;
use std::process::Command;

use crate::scripted::{assert_balanced, loadgen};
use crate::served::Served;

/// The processes that `parent` has started.
fn members(parent: u32) -> Vec<String> {
    let output = Command::new("sh")
        .args(["-c", &format!("grep -l '^PPid:\t{parent}$' /proc/[0-9]*/status 2>/dev/null")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|path| path.split('/').nth(2)).map(ToOwned::to_owned).collect()
}

#[test]
fn processes_share_a_port_and_their_totals_are_added_up() {
    let server = Served::start(&["--processes", "3"]);
    assert_eq!(members(server.id()).len(), 3);
    let url = server.url();
    let ran = loadgen(&["run", &url, "-c", "60", "-R", "300", "-n", "120", "-q", "-o", "json=-"]);
    ran.assert_went_well();
    assert_balanced(&ran.report());
    assert_eq!(ran.report().connections.completed, 60);
    // Nobody else can take a part of the connections.
    let port = server.address.to_string();
    for more in [&[][..], &["--processes", "2"]] {
        let second = loadgen(&[&["serve", "--listen", &port], more].concat());
        assert_eq!(second.code, Some(2), "{more:?}");
        assert!(second.error_line().contains("the port is in use"), "{}", second.stderr);
    }
    let (status, out, err) = server.stop();
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(out.starts_with("connections   accepted 60  established 60\n"), "{out}");
    assert!(out.contains("messages      received 120  sent 120\n"), "{out}");
    assert!(out.contains("closes        1000: 60\n"), "{out}");
}

#[test]
fn a_process_that_is_killed_is_named_and_the_others_serve_on() {
    let server = Served::start(&["--processes", "3", "--shutdown-timeout", "1s"]);
    let ids = members(server.id());
    assert!(Command::new("kill").args(["-9", &ids[1]]).status().unwrap().success());
    while fs::exists(format!("/proc/{}", ids[1])).unwrap() {
        std::thread::yield_now(); // until its end has been seen
    }
    let url = server.url();
    let ran = loadgen(&["run", &url, "-c", "30", "-R", "300", "-n", "60", "-q", "-o", "json=-"]);
    ran.assert_went_well();
    assert_eq!(ran.report().connections.completed, 30);
    let (status, out, err) = server.stop();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(out.starts_with("connections   accepted 30  established 30\n"), "{out}");
    let named = format!("of 3 (pid {}) was killed by signal 9 (SIGKILL)", ids[1]);
    assert!(err.contains(&format!("{named}: its connections are gone")), "{err}");
    assert!(err.contains(&format!("{named}; what they did is in no count")), "{err}");
}

#[test]
fn processes_end_with_the_one_that_leads_them() {
    let server = Served::start(&["--processes", "2", "--shutdown-timeout", "0s"]);
    let ids = members(server.id());
    assert_eq!(ids.len(), 2);
    drop(server); // kills it
    let is_there = |id: &String| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    let begin = std::time::Instant::now();
    while ids.iter().any(is_there) {
        assert!(begin.elapsed() < crate::scripted::EARLY, "a process is left behind");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn what_processes_cannot_share_is_refused() {
    for (args, why) in [
        (&["serve", "broadcast"][..], "with broadcast"),
        (&["serve", "push", "--rate-total", "5"], "with --rate-total"),
        (&["serve", "--tls-self-signed"], "use --cert and --key"),
        (&["serve", "--listen", "unix:/nonexistent/s"], "processes share a port only"),
    ] {
        let ran = loadgen(&[args, &["--processes", "2"]].concat());
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.error_line().contains(why), "{args:?}: {}", ran.stderr);
    }
}
