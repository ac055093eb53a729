//! One run by several processes: it counts what one process counts, and whatever becomes of one of
//! them, every connection is in one counter and no process is left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use loadgen::report::Report;

use crate::scripted::{
    EARLY, Ran, Scripted, assert_balanced, command, echo, failed, finish, loadgen,
};
use crate::served::Served;

fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args([name, &id.to_string()]).status().unwrap();
    assert!(status.success());
}

/// The processes that `parent` has started.
fn members(parent: u32) -> Vec<u32> {
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split(' ').nth(1) == Some(&parent.to_string())
    };
    let names = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let mut found: Vec<u32> = names.filter_map(|name| name.parse().ok()).filter(is_child).collect();
    found.sort_unstable();
    found
}

/// Waits until none of these processes is there.
#[track_caller]
fn wait_for_end(ids: &[u32]) {
    let begin = Instant::now();
    let is_there = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        Path::new(&format!("/proc/{id}")).exists() && !stat.contains(") Z ")
    };
    while ids.iter().any(is_there) {
        assert!(begin.elapsed() < EARLY, "a process is left behind");
        sleep(Duration::from_millis(20));
    }
}

/// Starts the program in three processes; returns it once load has a time to begin, and all its
/// connections are open, with the rest of its stderr.
fn begun(args: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let own = ["--processes", "3", "-v", "-o", "json=-"];
    let mut child = command(&[args, &own].concat()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("measured from") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it has ended: {said}");
    }
    (child, stderr)
}

/// What a report counts, apart from times.
fn counts(report: &Report) -> String {
    let connections = &report.connections;
    let messages = report.messages.as_ref().map(|messages| (messages.measured, messages.warmup));
    let held = report.hold.as_ref().map(|hold| (hold.held, hold.dropped, hold.pings.clone()));
    let copies = report.fanout.as_ref().map(|fanout| fanout.copies.counts);
    format!(
        "{:?} {messages:?} {held:?} {copies:?} {:?} {:?} {:?} {:?}",
        (connections.attempted, connections.established, connections.completed, connections.failed),
        report.bytes,
        report.closings,
        report.target.urls,
        report.config.seed
    )
}

#[test]
fn three_processes_count_what_one_counts() {
    let echoing = Served::start(&[]);
    let broadcasting = Served::start(&["broadcast"]);
    for (args, server) in [
        (&["run", "-c", "23", "-R", "1k", "-n", "333", "-w", "100ms"][..], &echoing),
        (&["run", "-c", "23", "-n", "333", "-p", "3"], &echoing),
        (&["connect", "-c", "5", "-n", "31", "-C", "500"], &echoing),
        (&["hold", "-c", "23", "-d", "900ms", "--ping-interval", "200ms"], &echoing),
        (&["fanout", "-c", "23", "-R", "50", "-n", "20"], &broadcasting),
    ] {
        let url = server.url();
        let common = [args, &[&url, "--seed", "7", "-q", "-o", "json=-"]].concat();
        let one = loadgen(&[&common[..], &["-t", "1"]].concat()).report();
        let ran = loadgen(&[&common[..], &["--processes", "3"]].concat());
        ran.assert_went_well();
        let three = ran.report();
        assert_eq!(counts(&three), counts(&one), "{args:?}");
        assert!(three.outcome.is_ok, "{:?}", three.outcome);
        let merged = three.merged.as_ref().unwrap();
        assert_eq!((merged.of, merged.parts.len(), merged.died.len()), (3, 3, 0));
        let begins: Vec<_> = merged.parts.iter().map(|part| part.phases.measured).collect();
        let begins: Vec<_> = begins.iter().map(|phase| phase.unwrap().begin_ns).collect();
        assert!(begins.iter().all(|begin_ns| *begin_ns == begins[0]), "in step: {begins:?}");
        assert_balanced(&three);
    }
}

#[test]
fn three_processes_send_the_messages_of_one() {
    type Received = Arc<Mutex<BTreeMap<Vec<u8>, u64>>>;
    let received = Received::default();
    let record = Arc::clone(&received);
    let server = Scripted::start(move |stream, _| {
        echo(stream, |_, _, payload| {
            *record.lock().unwrap().entry(payload.to_vec()).or_default() += 1;
            None
        });
    });
    let url = server.url();
    let args = ["run", &url, "-c", "10", "-R", "1k", "-n", "100", "--seed", "7", "-q"];
    loadgen(&args).assert_went_well();
    let of_one = std::mem::take(&mut *received.lock().unwrap());
    let ran = loadgen(&[&args[..], &["--processes", "3"]].concat());
    ran.assert_went_well();
    assert_eq!(of_one.len(), 100);
    assert_eq!(*received.lock().unwrap(), of_one);
}

#[test]
fn thresholds_and_labels_are_those_of_the_whole_run() {
    let server = Served::start(&[]);
    let url = server.url();
    let args =
        ["run", &url, "-c", "6", "-R", "100", "-n", "30", "--processes", "3", "-o", "json=-"];
    let more = ["-q", "--threshold", "sent>=31", "--label", "a=b"];
    let ran = loadgen(&[&args[..], &more].concat());
    let report = ran.report();
    assert!(!report.thresholds[0].is_passed && report.thresholds[0].measured == Some(30.0));
    assert!(matches!(ran.code, Some(97 | 99)), "{}", ran.stderr);
    assert_eq!(report.config.labels.len(), 1);
}

#[test]
fn a_process_that_is_killed_costs_its_connections_and_nothing_else() {
    let server = Served::start(&[]);
    let url = server.url();
    let (child, mut stderr) = begun(&["hold", &url, "-c", "31", "-d", "3s"]);
    let ids = members(child.id());
    assert_eq!(ids.len(), 3);
    signal(ids[1], "-9");
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("was killed by signal 9 (SIGKILL)"), "{said}");
    let ran = finish(child);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let report = ran.report();
    assert_balanced(&report);
    let died = &report.merged.as_ref().unwrap().died;
    let lost = died[0].connections;
    assert!([10, 11].contains(&lost), "{died:?}");
    assert_eq!(failed(&report, "run.process_died"), lost);
    let connections = &report.connections;
    assert_eq!((connections.established, connections.completed), (31, 31 - lost));
    let of_url = &report.target.urls[0].counts;
    assert_eq!((of_url.established, of_url.completed), (31, 31 - lost));
    let hold = report.hold.as_ref().unwrap();
    assert_eq!((hold.held, hold.dropped), (31 - lost, lost));
    let reasons = report.outcome.reasons.join("; ");
    assert!(reasons.contains("was killed by signal 9 (SIGKILL)"), "{reasons}");
    let (code, _, _) = server.stop();
    assert_eq!(code.code(), Some(0));
}

/// Sends a signal to the program, and to nobody else, in the middle of load.
fn interrupted(name: &str) -> Ran {
    let server = Served::start(&[]);
    let url = server.url();
    let (child, _stderr) = begun(&["run", &url, "-c", "10", "-R", "100", "-d", "60s"]);
    let ids = members(child.id());
    signal(child.id(), name);
    let ran = finish(child);
    wait_for_end(&ids);
    ran
}

#[test]
fn an_interrupt_reaches_all() {
    let ran = interrupted("-INT");
    assert!(ran.took < EARLY, "{:?}", ran.took);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let report = ran.report();
    assert!(report.is_interrupted);
    assert_eq!(
        (report.connections.completed, report.merged.as_ref().unwrap().parts.len()),
        (10, 3)
    );
    assert_balanced(&report);
}

#[test]
fn none_is_left_behind_by_a_process_that_is_killed() {
    let ran = interrupted("-9");
    assert_eq!((ran.code, ran.stdout.as_str()), (None, ""));
}

#[test]
fn an_interrupt_of_the_keyboard_comes_to_the_first_process_only() {
    let server = Served::start(&[]);
    let url = server.url();
    let (child, _stderr) = begun(&["run", &url, "-c", "10", "-R", "100", "-d", "60s"]);
    let group = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let rest = stat.rsplit_once(") ").unwrap().1.to_owned();
        rest.split(' ').nth(2).unwrap().parse::<u32>().unwrap()
    };
    let ids = members(child.id());
    assert!(ids.iter().all(|&id| group(id) == id), "a group of its own each");
    signal(child.id(), "-TERM");
    assert_eq!(finish(child).code, Some(130));
}

#[test]
fn what_cannot_begin_is_said_once() {
    let nobody = ["run", "ws://127.0.0.1:1/", "-c", "6", "-R", "10", "--processes", "3"];
    let ran = loadgen(&[&nobody[..], &["-q", "-o", "json=-"]].concat());
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("tcp.refused 6"), "{}", ran.stderr);
    assert!(ran.took < EARLY, "{:?}", ran.took);
    for (more, why) in [
        (&["--segment", "1/2", "--seed", "1"][..], "--processes with --segment"),
        (&["-c", "2"], "-c 2 is too few for --processes 3"),
    ] {
        let args = ["run", "ws://127.0.0.1:1/", "--processes", "3", "-R", "10"];
        let ran = loadgen(&[&args[..], more].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{more:?}");
        assert!(ran.error_line().contains(why), "{more:?}: {}", ran.stderr);
    }
    let program = env!("CARGO_BIN_EXE_loadgen");
    for from in ["echo a | $0 run $1 -f -", "echo 20 | $0 run $1 -s file:-"] {
        let script = format!("{from} -c 6 -R 10 --processes 3");
        let output =
            Command::new("sh").args(["-c", &script, program, "ws://127.0.0.1:1/"]).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{from}: {said}");
        assert!(said.contains("from stdin: every process reads them"), "{from}: {said}");
    }
}

#[test]
fn a_limit_of_descriptors_is_met_by_more_processes() {
    let server = Served::start(&["--max-connections", "200"]);
    let (program, url) = (env!("CARGO_BIN_EXE_loadgen"), server.url());
    let script = format!(
        "ulimit -n 100 && exec {program} hold {url} -c 200 -d 200ms -t 1 --no-progress -o json=-"
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdout(std::process::Stdio::piped());
    let ran = finish(shell.stderr(std::process::Stdio::piped()).spawn().unwrap());
    ran.assert_went_well();
    let said = "200 connections: 3 processes of 67 each (descriptors: 100 a process)\n";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((report.connections.completed, report.connections.failed), (200, 0));
    assert_eq!(report.hold.as_ref().unwrap().held, 200);
}

#[test]
fn connections_are_closed_no_faster_than_asked_by_all_processes_together() {
    let server = Served::start(&[]);
    let url = server.url();
    let args =
        ["hold", &url, "-c", "20", "-d", "100ms", "--close-rate", "50", "-q", "-o", "json=-"];
    for more in [&["-t", "1"][..], &["--processes", "3"]] {
        let ran = loadgen(&[&args[..], more].concat());
        ran.assert_went_well();
        let report = ran.report();
        let close = report.phases.close.unwrap();
        // The last of twenty is due 380 ms after the first.
        assert!(close.length_ns() >= 380_000_000, "{more:?}: {close:?}");
        assert_eq!(report.connections.completed, 20);
    }
    let ran = loadgen(&["connect", &url, "--close-rate", "5"]);
    assert!(ran.error_line().contains("`connect` closes each at once"), "{}", ran.stderr);
}
