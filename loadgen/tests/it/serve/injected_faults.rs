//! What the system refuses: errors of system calls by `strace`, few ports and many addresses by
//! `unshare`. Where these can't be used, each test says `SKIPPED` and why.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::scripted::{Scripted, assert_balanced, echo, failed, finish};
use crate::served::Served;
use loadgen::report::Report;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadgen");

/// Whether `command` does what it is needed for, here and for this user; says so if not.
fn works(command: &mut Command) -> bool {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_fine = done.is_ok_and(|status| status.success());
    if !is_fine {
        println!("SKIPPED: {command:?} doesn't work here");
    }
    is_fine
}

fn may_trace() -> bool {
    works(Command::new("strace").args(["-D", "-f", "-qq", "-o", "/dev/null", "true"]))
}

fn traced(injections: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // `-D`: the process that is started here is the program, and the tracer a process of its own.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
    for injection in injections {
        command.args(["-e", &format!("inject={injection}")]);
    }
    command.arg(PROGRAM);
    command
}

/// Three connections to a good server while system calls fail.
fn run_with(injection: &str, load: &[&str]) -> (Report, Duration) {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let mut command = traced(&[injection]);
    command.args(["run", &server.url(), "-c", "3", "-t", "1", "-d", "200ms", "-q", "-o", "json=-"]);
    command.args([
        "--connect-timeout",
        "2s",
        "--drain-timeout",
        "200ms",
        "--close-timeout",
        "300ms",
    ]);
    command.args(load).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().unwrap());
    assert!([Some(0), Some(1), Some(97)].contains(&ran.code), "{injection}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{injection}: {}", ran.stderr);
    let report = ran.report();
    assert_balanced(&report);
    (report, ran.took)
}

#[test]
fn d20_d23_what_the_system_refuses_has_a_name_and_the_others_go_on() {
    if !may_trace() {
        return;
    }
    // The call that fails, what it is counted as, and how many of three connections it hits.
    for (injection, name, count) in [
        ("socket:error=EMFILE:when=2", "tcp.no_descriptors", 1),
        ("socket:error=ENFILE:when=2", "tcp.no_descriptors", 1),
        ("socket:error=ENOBUFS:when=2", "tcp.no_memory", 1),
        ("connect:error=EADDRNOTAVAIL:when=2+", "tcp.no_ports", 2),
        ("connect:error=EHOSTUNREACH", "tcp.unreachable", 3),
        ("connect:error=ENETUNREACH:when=3", "tcp.unreachable", 1),
        ("connect:error=ETIMEDOUT:when=1", "tcp.timeout", 1),
        ("connect:error=EACCES:when=1", "tcp.not_permitted", 1),
        ("recvfrom:error=ECONNRESET:when=20", "open.reset", 1),
        ("recvfrom:error=ECONNABORTED:when=20", "open.reset", 1),
        ("recvfrom:error=ETIMEDOUT:when=20", "open.timeout", 1),
        ("recvfrom:error=ENOMEM:when=20", "open.io", 1),
    ] {
        let (report, _) = run_with(injection, &[]);
        assert_eq!(failed(&report, name), count, "{injection}: {:?}", report.errors);
        assert_eq!(report.connections.completed, 3 - count, "{injection}: {:?}", report.errors);
    }
}

#[test]
fn d22_calls_that_are_interrupted_or_refused_for_now_are_made_again_or_counted() {
    if !may_trace() {
        return;
    }
    for injection in [
        "sendto:error=EINTR:when=5+3",
        "recvfrom:error=EINTR:when=9+5",
        "epoll_wait:error=EINTR:when=2+2",
    ] {
        let (report, _) = run_with(injection, &["-R", "300"]);
        assert_eq!(report.connections.completed, 3, "{injection}: {:?}", report.errors);
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.sent, counts.lost), (60, 0), "{injection}");
    }
    // An untrue EAGAIN is never followed by readiness, so what it hits may stand still: no longer
    // than the bounds, and counted.
    for injection in [
        "sendto:error=EAGAIN:when=9+5",
        "recvfrom:error=EAGAIN:when=9+5",
        "sendto:error=ENOBUFS:when=9+5",
        "sendto:error=ENOMEM:when=9+5",
        "sendto:error=EPIPE:when=9+5",
    ] {
        let (report, took) = run_with(injection, &[]);
        assert_eq!(report.connections.attempted, 3, "{injection}");
        assert!(took < Duration::from_secs(20), "{injection}: {took:?}");
    }
}

#[test]
fn e07_e08_accept_that_fails_is_tried_again_without_spinning() {
    if !may_trace() {
        return;
    }
    for (injection, name) in [
        ("accept4:error=ECONNABORTED:when=1+2", "aborted"),
        ("accept4:error=EMFILE:when=1+2", "process_descriptors"),
        ("accept4:error=ENOBUFS:when=1+2", "memory"),
    ] {
        let mut command = traced(&[injection]);
        command.args(["serve", "-t", "1"]);
        let server = Served::start_command(command);
        let begin = Instant::now();
        for _ in 0..4 {
            Peer::open(server.address).echo(0x81, b"in the end");
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{injection}");
        let (_, said, _) = server.stop();
        // One failure a connection, or one more before the first: no busy loop.
        let counted = said.lines().find_map(|line| line.split_once(&format!("{name}: ")));
        let count = counted.map_or("", |(_, rest)| rest.split(' ').next().unwrap());
        assert!((4..=12).contains(&count.parse::<u64>().unwrap_or(0)), "{injection}: {said}");
    }
}

/// Runs the program in a namespace of its own that `prepare`, a shell script, makes ready.
fn unshared(kind: &str, prepare: &str, args: &[&str]) -> Option<crate::scripted::Ran> {
    let shell = |script: String| {
        let mut command = Command::new("unshare");
        command.args([kind, "sh", "-c", &script]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    if !works(&mut shell(prepare.to_owned())) {
        return None;
    }
    let mut command = shell(format!("{prepare} && exec \"$0\" \"$@\""));
    Some(finish(command.arg(PROGRAM).args(args).spawn().unwrap()))
}

const TEN_PORTS: &str = "ip link set lo up && \
                         echo 50000 50009 > /proc/sys/net/ipv4/ip_local_port_range";

#[test]
fn d21_fewer_ports_than_connections_are_told_before_the_run_with_what_helps() {
    // With one source: without, those of the loopback are taken in turn.
    let args = ["run", "-c", "50", "-d", "200ms", "-q", "--source-ip", "127.0.0.1"];
    let Some(ran) = unshared("-n", TEN_PORTS, &args) else { return };
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = ran.error_line();
    assert!(line.contains("50000-50009 are enough for 10"), "{line}");
    assert!(line.contains("ip_local_port_range"), "{line}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn d21_exactly_as_many_connections_as_ports_run() {
    let args = ["run", "-c", "9", "-d", "200ms", "-q", "-o", "json=-"];
    let Some(ran) = unshared("-n", TEN_PORTS, &args) else { return };
    let report = ran.report();
    assert_eq!(report.connections.completed, 9, "{:?}", report.errors);
    assert_balanced(&report);
}

/// A name server that never answers, and the script that makes it the only one; `None` where this
/// user may not have the port.
fn silent_name_server() -> Option<(UdpSocket, PathBuf, String)> {
    const ADDRESS: &str = "127.7.7.7";
    let socket = match UdpSocket::bind((ADDRESS, 53)) {
        Ok(socket) => {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            socket
        }
        Err(error) => {
            println!("SKIPPED: {ADDRESS}:53: {error}");
            return None;
        }
    };
    let file = std::env::temp_dir().join(format!("loadgen-{}-resolv.conf", std::process::id()));
    fs::write(&file, format!("nameserver {ADDRESS}\noptions timeout:5 attempts:5\n")).unwrap();
    let prepare = format!("mount --bind {} /etc/resolv.conf", file.display());
    Some((socket, file, prepare))
}

#[test]
fn d24_a_name_server_that_never_answers_ends_a_run_at_the_connect_timeout() {
    let Some((socket, file, prepare)) = silent_name_server() else { return };
    for args in [
        &["run", "ws://slow.example/", "-c", "2", "--connect-timeout", "700ms"][..],
        &["run", "ws://slow.example/", "ws://slower.example/", "--connect-timeout", "700ms"],
        &["check", "ws://slow.example/", "--connect-timeout", "700ms"],
    ] {
        let Some(ran) = unshared("-m", &prepare, args) else { break };
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let line = ran.error_line();
        assert!(
            line.contains("\"slow.example\" can't be resolved: no answer within 700ms"),
            "{line}"
        );
        // The resolver itself would wait for 25 seconds.
        let bounds = Duration::from_millis(700)..Duration::from_secs(15);
        assert!(bounds.contains(&ran.took), "{args:?}: {:?}", ran.took);
        assert_eq!(ran.stdout, "");
        let mut query = [0; 512];
        let len = socket.recv(&mut query).unwrap(); // it was asked
        assert!(query[..len].windows(4).any(|part| part == b"slow"));
    }
    // A name that is told isn't asked for.
    let args = ["run", "ws://slow.example:9/", "--resolve", "slow.example:9:127.0.0.1", "-q"];
    if let Some(ran) = unshared("-m", &prepare, &[&args[..], &["-o", "json=-"]].concat()) {
        assert!(failed(&ran.report(), "tcp.refused") > 0, "{}", ran.stderr);
    }
    fs::remove_file(file).ok();
}

#[test]
fn d24_of_fifty_addresses_the_one_that_listens_is_found_and_kept() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let hosts: String = (1..=50)
        .map(|last| match last {
            50 => "127.0.0.1 many.test\n".to_owned(),
            _ => format!("127.0.7.{last} many.test\n"),
        })
        .collect();
    let file = std::env::temp_dir().join(format!("loadgen-hosts-{}", std::process::id()));
    fs::write(&file, hosts).unwrap();
    let prepare = format!("mount --bind {} /etc/hosts", file.display());
    let url = format!("ws://many.test:{}/", server.address.port());
    let args = ["run", &url, "-c", "3", "-d", "200ms", "-q", "-o", "json=-", "-t", "1"];
    let ran = unshared("-m", &prepare, &args);
    fs::remove_file(&file).unwrap();
    let Some(ran) = ran else { return };
    let report = ran.report();
    assert_eq!(report.connections.completed, 3, "{:?}", report.errors);
    assert_balanced(&report);
}
