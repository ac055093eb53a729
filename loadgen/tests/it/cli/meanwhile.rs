//! What a run does while it goes on, and what it says before it begins.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::outputs::Scratch;
use crate::scripted::{EARLY, Scripted, command, echo, finish, loadgen};

fn server() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

/// A row a second, each a line of JSON, which are those of the result.
#[test]
fn b1_rows_are_streamed() {
    let (server, scratch) = (server(), Scratch::new("ndjson"));
    let (rows, result) = (scratch.path("rows.ndjson"), scratch.path("r.json"));
    let url = server.url();
    let args = ["run", &url, "-c", "2", "-t", "1", "-R", "50", "-d", "2s", "-q"];
    let ran = loadgen(&[&args[..], &["-o", &rows, "-o", &result]].concat());
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let streamed: Vec<_> = fs::read_to_string(&rows).unwrap().lines().map(parse).collect();
    let saved = parse(&fs::read_to_string(&result).unwrap());
    assert_eq!(saved["time_series"]["rows"].as_array().unwrap(), &streamed);
    assert!(streamed.len() >= 2);
    let again = loadgen(&["report", &result, "-o", "ndjson"]);
    assert_eq!(again.stdout, fs::read_to_string(&rows).unwrap(), "a saved result has them, too");
}

/// Metrics are there while the run goes on.
#[test]
fn b2_prometheus_reads_a_run() {
    let server = server();
    let url = server.url();
    let args = ["run", &url, "-c", "2", "-t", "1", "-R", "50", "-d", "60s", "--live", "off"];
    let mut run = command(&[&args[..], &["--prometheus", "127.0.0.1:0"]].concat()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(run.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    let address =
        said.trim().strip_prefix("metrics are at http://").unwrap_or_else(|| panic!("{said}"));
    let address = address.strip_suffix("/metrics").unwrap();
    let metrics = || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let sent = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("loadgen_messages_sent_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let begin = std::time::Instant::now();
    while sent(&metrics()) == 0 {
        assert!(begin.elapsed() < EARLY, "{}", metrics());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(metrics().contains("\nloadgen_connections_open 2\n"), "{}", metrics());
    let dashboard = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana.json");
    let dashboard = fs::read_to_string(dashboard).unwrap();
    let names = dashboard.match_indices("loadgen_").map(|(at, _)| {
        let rest = &dashboard[at..];
        rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap()
    });
    let (names, page): (Vec<_>, _) = (names.collect(), metrics());
    assert!(names.len() > 10);
    for name in names {
        assert!(page.contains(&format!("\n{name}")), "the dashboard asks for {name}:\n{page}");
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&run),
        rustix::process::Signal::INT,
    )
    .unwrap();
    assert_eq!(finish(run).code, Some(130));
    let taken = loadgen(&["run", &url, "--prometheus", &server.address.to_string()]);
    assert_eq!(taken.code, Some(2));
    assert!(taken.error_line().starts_with("--prometheus "), "{}", taken.stderr);
}

/// `--abort-on-fail`: at once for counts, after its time for latencies.
#[test]
fn b3_a_failed_threshold_ends_the_run() {
    let server = server();
    let url = server.url();
    let args = ["run", &url, "-c", "2", "-t", "1", "-R", "50", "-d", "60s", "--live", "off"];
    for threshold in ["sent<10", "rtt.p50<1ns"] {
        let more = ["--abort-on-fail=1s", "--threshold", threshold];
        let ran = loadgen(&[&args[..], &more].concat());
        assert!(ran.took < EARLY, "{threshold}: {:?}", ran.took);
        assert!(matches!(ran.code, Some(99 | 97)), "{}{}", ran.stdout, ran.stderr);
        let line = format!(" aborted      {threshold} (");
        assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    }
    let ran = loadgen(&["run", &url, "--abort-on-fail"]);
    assert_eq!(ran.error_line(), "--abort-on-fail is about thresholds; give one with --threshold");
}

/// `--dry-run` says what would be done, and connects to nothing.
#[test]
fn b4_a_dry_run_connects_to_nothing() {
    let server = server();
    let url = format!("{}?token=abc", server.url());
    let args = ["run", &url, "-c", "20", "-t", "1", "-R", "2k", "-d", "3s", "-w", "1s"];
    let ran = loadgen(&[&args[..], &["--threshold", "lost==0", "-s", "100", "--dry-run"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for text in [
        " command      run\n",
        "token=***",
        " connections  20, opened as fast as the server accepts them\n",
        " load         open loop, 2000/s\n",
        " time         warm-up 1s, measured 3s, then at most 2s for replies\n",
        " messages     8,000, 800 KB of payload at most\n",
        " threshold    lost==0\n",
        " output       text to stdout\n",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert_eq!(server.accepted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// A variable stands for each flag; what is typed or in a file goes before it.
#[test]
fn b5_variables_stand_for_flags() {
    let (server, scratch) = (server(), Scratch::new("variables"));
    let file = scratch.path("flags.toml");
    fs::write(&file, "seed = 5\n").unwrap();
    let seen = |variables: &[(&str, &str)], args: &[&str]| {
        let args = [&["run", "--dry-run"][..], args].concat();
        let mut run = command(&args);
        run.envs(variables.iter().copied());
        let ran = finish(run.spawn().unwrap());
        (ran.code, ran.stdout, ran.stderr)
    };
    let url = server.url();
    let all = [
        ("LOADGEN_URL", &*url),
        ("LOADGEN_CONNECTIONS", "7"),
        ("LOADGEN_SEED", "1"),
        ("LOADGEN_BINARY", "true"),
        ("LOADGEN_DRAIN_TIMEOUT", "9s"),
    ];
    let (code, plan, said) = seen(&all, &[]);
    assert_eq!(code, Some(0), "{said}");
    for text in [&*url, " connections  7,", " seed         1\n", "at most 9s"] {
        assert!(plan.contains(text), "{text}: {plan}");
    }
    assert!(seen(&all, &["--seed", "3"]).1.contains(" seed         3\n"));
    assert!(seen(&all, &["--config", &file]).1.contains(" seed         5\n"));
    let (code, _, said) = seen(&[("LOADGEN_CONNECTIONS", "many")], &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("invalid value 'many' for '--connections <N>'"), "{said}");
}

/// The pages of a comparison and of a folder.
#[test]
fn b6_comparisons_and_folders_are_pages() {
    let (server, scratch) = (server(), Scratch::new("folders"));
    let url = server.url();
    for side in ["before", "after"] {
        fs::create_dir_all(scratch.path(side)).unwrap();
        for number in 0..2 {
            let file = scratch.path(&format!("{side}/{number}.json"));
            let args = ["run", &url, "-c", "2", "-t", "1", "-n", "50", "-q", "-o", &file];
            loadgen(&args).assert_went_well();
        }
    }
    let [before, after, page] = ["before", "after", "p.html"].map(|name| scratch.path(name));
    let ran = loadgen(&["diff", &before, &after, "-o", &page, "-o", "text"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("before, 2 runs   "), "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line.contains("rtt.service.p50") && line.contains('[')));
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("What can be told"), "{html}");
    let ran = loadgen(&["report", &before, "-o", &page, "-o", "text"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout.matches(".json").count(), 2, "{}", ran.stdout);
    assert!(fs::read_to_string(&page).unwrap().contains("From run to run"));
    let ran = loadgen(&["report", &before, "-o", "csv"]);
    assert_eq!(ran.error_line(), "-o csv is a form of results; use text, json or html here");
}
