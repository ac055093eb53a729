//! `--watch-pid`: what a server uses, beside what the run measures.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::outputs::Scratch;
use crate::run::result::assert_follows_schema;
use crate::scripted::{Ran, Scripted, echo, loadgen};
use crate::served::Served;

fn watched(args: &[&str]) -> (Ran, Value) {
    let ran = loadgen(&[args, &["-q", "-o", "json=-"]].concat());
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    assert_follows_schema(&ran.stdout);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    (ran, result)
}

/// The server's own count of its processor time agrees with the rows, and every form has them.
#[test]
fn w1_a_server_is_watched_in_every_form() {
    let (server, scratch) = (Served::start(&["-t", "1"]), Scratch::new("watched"));
    let (url, pid) = (server.url(), server.id().to_string());
    let files = ["r.html", "r.csv", "r.txt", "r.ndjson"].map(|name| scratch.path(name));
    let [html, csv, text, rows] = &files;
    let ticks = server.cpu_ticks();
    let (_, result) = watched(&[
        "run",
        &url,
        "-c",
        "1k",
        "-t",
        "1",
        "-R",
        "2k",
        "-d",
        "3s",
        "--watch-pid",
        &pid,
        "-o",
        html,
        "-o",
        csv,
        "-o",
        text,
        "-o",
        rows,
    ]);
    let used_ns = (server.cpu_ticks() - ticks) * 10_000_000;
    let own = &result["watched"];
    assert_eq!((&own["pid"], &own["name"]), (&server.id().into(), &"loadgen".into()));
    assert_eq!((&own["ended_at_ns"], &own["processes_max"]), (&Value::Null, &1.into()));
    assert!(own["descriptors_max"].as_u64().unwrap() >= 1_000, "{own}");
    assert!(own["rss_max"].as_u64() > own["rss_begin"].as_u64(), "{own}");
    let each = own["per_connection"]["bytes"].as_f64().unwrap();
    assert!((500.0..100_000.0).contains(&each), "{own}");
    let cost = &own["per_message"];
    assert_eq!((&cost["method"], &cost["of"]), (&"ratio".into(), &"message".into()));
    assert!((100.0..1e6).contains(&cost["cpu_ns"].as_f64().unwrap()), "{own}");
    let series = result["time_series"]["rows"].as_array().unwrap();
    let cpu_ns = |row: &Value| row["watched"]["cpu_ns"].as_u64().unwrap();
    let sum: u64 = series.iter().map(cpu_ns).sum();
    // The kernel's ticks are hundredths of a second, and some time passes after the last row.
    assert!(sum.abs_diff(used_ns) < 60_000_000, "{sum} and {used_ns}");
    let [html, csv, text, rows] = files.map(|file| fs::read_to_string(file).unwrap());
    assert!(html.contains(&format!("Memory of pid {pid} (loadgen)")), "the chart");
    assert!(csv.lines().next().unwrap().ends_with(",watched.threads,watched.processes"));
    assert!(csv.lines().nth(1).unwrap().ends_with(",1"), "{csv}");
    assert!(
        text.contains(&format!(" watched      pid {pid} (loadgen), at most 1 process")),
        "{text}"
    );
    assert!(text.contains(" a connection: slope over "), "{text}");
    assert!(text.contains(" a message: all of "), "{text}");
    assert_eq!(rows.lines().count(), series.len());
    assert!(rows.lines().all(|row| row.contains("\"watched\":{\"cpu_ns\":")), "{rows}");
}

/// Several processes of a server count together, and a run of several processes watches once.
#[test]
fn w2_children_are_watched_and_a_fleet_watches_once() {
    let server = Served::start(&["-t", "1", "--processes", "2"]);
    let (url, pid) = (server.url(), server.id().to_string());
    let args = ["run", &url, "-c", "20", "-t", "1", "-R", "200", "-d", "2s", "--watch-pid", &pid];
    let (_, result) = watched(&[&args[..], &["--processes", "2"]].concat());
    let own = &result["watched"];
    assert_eq!(own["processes_max"], 3, "the leader and both: {own}");
    assert!(own["cpu_share"].as_f64().unwrap() > 0.0, "{own}");
    assert_eq!(result["merged"]["parts"].as_array().unwrap().len(), 2);
    assert!(
        result["notes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|note| !note.to_string().contains("watched"))
    );
}

/// Segments that watch the same process have its numbers once.
#[test]
fn w3_merged_segments_have_one_of_them() {
    let (server, scratch) = (Served::start(&["-t", "1"]), Scratch::new("watched-segments"));
    let other = Served::start(&["-t", "1"]);
    let url = server.url();
    let segment = |index: &str, pid: u32, file: &str| {
        let pid = pid.to_string();
        let segment = format!("{index}/2");
        loadgen(&[
            "run",
            &url,
            "-c",
            "4",
            "-t",
            "1",
            "-n",
            "40",
            "--seed",
            "1",
            "--segment",
            &segment,
            "--watch-pid",
            &pid,
            "-q",
            "-o",
            file,
        ])
    };
    let files = ["1.json", "2.json", "3.json"].map(|name| scratch.path(name));
    let [one, two, three] = &files;
    for (index, id, file) in
        [("1", server.id(), one), ("2", server.id(), two), ("2", other.id(), three)]
    {
        segment(index, id, file).assert_went_well();
    }
    let merged = |second: &str| {
        let ran = loadgen(&["merge", one, second, "-o", "json=-"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_follows_schema(&ran.stdout);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let same = merged(two);
    assert_eq!(same["watched"]["pid"], server.id());
    let note = format!("2 segments watched the same process, pid {} (loadgen)", server.id());
    assert!(same["notes"].to_string().contains(&note), "{}", same["notes"]);
    let threads = |row: &Value| row["watched"]["threads"].as_u64();
    let rows = same["time_series"]["rows"].as_array().unwrap();
    let first: Value = serde_json::from_str(&fs::read_to_string(one).unwrap()).unwrap();
    assert_eq!(
        rows.iter().find_map(threads),
        threads(&first["time_series"]["rows"][0]),
        "not twice"
    );
    let different = merged(three);
    assert_eq!(different["watched"], Value::Null);
    assert!(different["notes"].to_string().contains("watched different processes"));
}

/// A process that ends while the run goes on is said to have ended, and the run goes on.
#[test]
fn w4_a_process_that_ends_is_said_and_the_run_goes_on() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let mut other = Command::new("sleep").arg("1.2").stdout(Stdio::null()).spawn().unwrap();
    let pid = other.id().to_string();
    let args = ["run", &url, "-c", "2", "-t", "1", "-R", "50", "-d", "3s", "--watch-pid", &pid];
    let (_, result) = watched(&args);
    other.wait().unwrap();
    let ended_s = result["watched"]["ended_at_ns"].as_f64().unwrap() / 1e9;
    assert!((1.0..3.5).contains(&ended_s), "{ended_s}");
    assert!(result["notes"].to_string().contains(&format!("pid {pid} (sleep), had ended ")));
    let rows = result["time_series"]["rows"].as_array().unwrap();
    assert!(rows[0]["watched"].is_object() && rows.last().unwrap()["watched"].is_null());
    assert_eq!(result["messages"]["measured"]["lost"], 0);
    let ran = loadgen(&args);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.error_line(), format!("--watch-pid {pid}: there is no such process"));
}

#[test]
fn w5_what_cannot_be_watched_is_refused() {
    for (args, why) in [
        (
            &["run", "--watch-pid", "1"][..],
            "--watch-pid is for a server that is a process of its own; give its URL, too",
        ),
        (
            &["run", "ws://127.0.0.1:9/", "--watch-pid", "4194305"],
            "--watch-pid 4194305: there is no such process",
        ),
    ] {
        let ran = loadgen(args);
        assert_eq!((ran.code, ran.error_line()), (Some(2), why));
    }
    for value in ["0", "-1", "x"] {
        let ran = loadgen(&["run", "ws://127.0.0.1:9/", &format!("--watch-pid={value}")]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
}
