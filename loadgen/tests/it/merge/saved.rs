//! Saved results: merged to that of the whole run, written in other forms, compared.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::scripted::{
    CLOSE, Ran, Scripted, TEXT, assert_balanced, command, echo, finish, frame, loadgen, read_frame,
    upgrade,
};
use loadgen::report::{Report, csv, load};
use serde_json::Value;

/// A folder that goes with its test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadgen-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A result of 50 messages on 2 connections, in a file.
fn saved(folder: &Folder, name: &str, args: &[&str]) -> (String, Report) {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let (url, file) = (server.url(), folder.file(name));
    let out = format!("json={file}");
    let fixed = ["run", &url, "-c", "2", "-n", "50", "-t", "1", "-q", "-o", &out, "--seed", "1"];
    let ran = loadgen(&[&fixed, args].concat());
    ran.assert_went_well();
    let report = load::load(Path::new(&file)).unwrap();
    (file, report)
}

fn assert_follows_schema(result: &str) {
    let schema: Value = serde_json::from_str(include_str!("../../../report.schema.json")).unwrap();
    let result: Value = serde_json::from_str(result).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&result).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

/// Without what is sampled, as often as there are threads.
fn histogram_counts(report: &Report) -> BTreeMap<&str, u64> {
    let measured = report.histograms.iter().filter(|found| !found.metric.starts_with("network."));
    measured.map(|found| (found.metric.as_str(), found.count)).collect()
}

/// Runs ten segments of `args` at the same time; their result files.
fn ten_segments(folder: &Folder, args: &[&str]) -> Vec<String> {
    let begun: Vec<_> = (1..=10)
        .map(|index| {
            let (segment, file) = (format!("{index}/10"), folder.file(&format!("{index}.json")));
            let out = format!("json={file}");
            let own = ["--segment", &segment, "-t", "1", "-q", "-o", &out];
            (command(&[args, &own].concat()).spawn().unwrap(), file)
        })
        .collect();
    let end = |(child, file): (std::process::Child, String)| {
        let ran: Ran = finish(child);
        assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
        file
    };
    begun.into_iter().map(end).collect()
}

#[test]
fn ten_segments_merged_are_one_run() {
    let received: Arc<Mutex<BTreeMap<Vec<u8>, u64>>> = Arc::default();
    let record = Arc::clone(&received);
    let server = Scripted::start(move |stream, _| {
        echo(stream, |_, _, payload| {
            *record.lock().unwrap().entry(payload.to_vec()).or_default() += 1;
            None
        });
    });
    let folder = Folder::new("merge");
    let url = server.url();
    let args = ["run", &url, "-c", "25", "-R", "2k", "-n", "500", "-s", "40", "--seed", "7"];
    let whole = loadgen(&[&args[..], &["-t", "2", "-q", "-o", "json"]].concat()).report();
    let of_one = std::mem::take(&mut *received.lock().unwrap());
    let files = ten_segments(&folder, &args);
    assert_eq!(*received.lock().unwrap(), of_one, "the same traffic");

    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let merge = |files: &[&str], more: &[&str]| loadgen(&[&["merge"], files, more].concat());
    let ran = merge(&files, &["-o", "json", "--threshold", "received==500"]);
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    assert_follows_schema(&ran.stdout);
    let merged = ran.report();
    assert_balanced(&merged);
    assert!(merged.outcome.is_ok, "{:?}", merged.outcome);
    assert!(merged.thresholds[0].is_passed);
    assert_eq!(merged.connections.established, 25);
    assert_eq!(merged.closings, whole.closings);
    assert_eq!(histogram_counts(&merged), histogram_counts(&whole));
    let (sum, one) = (merged.messages.as_ref().unwrap(), whole.messages.as_ref().unwrap());
    assert_eq!(sum.measured, one.measured);
    assert!((sum.offered_per_s.unwrap() - 2_000.0).abs() < 1e-6);
    assert_eq!(merged.bytes.received, whole.bytes.received);
    let rows = &merged.time_series.rows;
    assert_eq!(rows.iter().map(|row| row.counts.sent).sum::<u64>(), 500);
    assert_eq!(rows.iter().map(|row| row.counts.established).sum::<u64>(), 25);

    // A folder of them; text, a missing one, one twice, one of another run.
    let text = loadgen(&["merge", &folder.0.display().to_string()]);
    assert!(text.stdout.contains(" merged       10 of 10 segments\n"), "{}", text.stdout);
    let refused = merge(&files[1..], &["-o", "json"]);
    assert_eq!(refused.code, Some(2), "M1");
    assert!(refused.error_line().starts_with("segment 1 of 10 is missing"), "{}", refused.stderr);
    let ran = merge(&files[1..], &["-o", "json", "--allow-missing"]);
    let reasons = ran.report().verdict.reasons;
    assert!(reasons.iter().any(|why| why.starts_with("segment 1 of 10 is missing")), "{reasons:?}");
    let twice = merge(&[&files[..], &files[3..4]].concat(), &[]);
    assert_eq!(twice.code, Some(2));
    assert!(twice.error_line().starts_with("segment 4/10 is in "), "{}", twice.stderr);
    let (other, _) = saved(&folder, "other.json", &["--segment", "1/1"]);
    let ran = merge(&[files[0], &other], &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("is one of 10 segments and"), "{}", ran.stderr);
}

#[test]
fn n5_segments_say_together_what_they_saw() {
    let server = Scripted::start(|mut stream, number| {
        if !upgrade(&mut stream) {
            return;
        }
        let said = if number % 2 == 0 { "welcome" } else { "log in" };
        stream.write_all(&frame(TEXT, said.as_bytes())).ok();
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                return;
            }
        }
    });
    let folder = Folder::new("seen");
    let files =
        ten_segments(&folder, &["hold", &server.url(), "-c", "10", "-d", "1s", "--seed", "7"]);
    let words: Vec<_> =
        ["merge", "-o", "json"].into_iter().chain(files.iter().map(|f| &**f)).collect();
    let merged = loadgen(&words);
    assert_follows_schema(&merged.stdout);
    let report = merged.report();
    let [seen] = &report.seen[..] else { panic!("{:?}", report.seen) };
    assert_eq!((&*seen.kind, seen.count, seen.samples.len()), ("pushed", 10, 2), "{seen:?}");
    let [note] = &report.notes[..] else { panic!("{:?}", report.notes) };
    assert!(note.starts_with("held open; "), "{note}");
}

#[test]
fn a_saved_result_in_every_form() {
    let folder = Folder::new("report");
    let (file, report) = saved(&folder, "a.json", &[]);
    let again = loadgen(&["report", &file, "-o", "json"]);
    assert_eq!(again.stdout, fs::read_to_string(&file).unwrap(), "the same bytes");
    let text = loadgen(&["report", &file]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(text.stdout.contains("sent 50   received 50   lost 0"), "{}", text.stdout);
    let rows = loadgen(&["report", &file, "-o", "csv"]).stdout;
    let mut lines = rows.split("\r\n");
    assert_eq!(lines.next(), Some(csv::HEAD));
    let sent = lines.filter_map(|line| line.split(',').nth(5)?.parse::<u64>().ok());
    assert_eq!(sent.sum::<u64>(), 50);
    let hgrm = loadgen(&["report", &file, "-o", "hgrm:connect.total"]).stdout;
    assert!(hgrm.contains("Total count    =            2]"), "{hgrm}");
    let log = loadgen(&["report", &file, "-o", "hlog"]).stdout;
    for found in &report.histograms {
        assert!(log.contains(&format!("Tag={},", found.metric)), "{}", found.metric);
        assert!(log.contains(&found.data), "{}", found.metric);
    }
    // It may take the place of the file that it is from.
    let out = format!("json={file}");
    let ran = loadgen(&["report", &file, "-o", &out, "--threshold", "rtt.p99<1ns"]);
    assert_eq!(ran.code, Some(99), "{}", ran.stderr);
    assert!(ran.stdout.contains("FAIL rtt.p99<1ns ("), "{}", ran.stdout);
    let stored = load::load(Path::new(&file)).unwrap();
    assert_eq!((stored.thresholds.len(), &stored.histograms), (1, &report.histograms));
}

#[test]
fn two_results_side_by_side() {
    let folder = Folder::new("diff");
    let (before, _) = saved(&folder, "before.json", &[]);
    let (after, _) = saved(&folder, "after.json", &["-p", "3"]);
    let ran = loadgen(&["diff", &before, &after, "--threshold", "lost<=1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains(" differs  config.pipeline: 1 -> 3\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(" PASS lost<=1 (1.000x)\n"), "{}", ran.stdout);
    let ran = loadgen(&["diff", &before, &after, "--threshold", "sent<50%", "--json"]);
    assert_eq!(ran.code, Some(99));
    assert_eq!(ran.error_line(), "threshold failed: sent<50% (1.000x)");
    let diff: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        diff["rows"].as_array().unwrap().iter().filter(|row| row["name"] == "sent").count(),
        1
    );
}

#[test]
fn files_that_are_no_results() {
    let folder = Folder::new("broken");
    let (file, _) = saved(&folder, "a.json", &[]);
    let text = fs::read_to_string(&file).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.file(name);
        fs::write(&path, text).unwrap();
        path
    };
    let cut = write("cut.json", &text[..text.len() / 2]);
    let newer =
        write("newer.json", &text.replace("\"schema_version\": 1", "\"schema_version\": 9"));
    let swapped = text.replace("\"metric\": \"rtt.service\"", "\"metric\": \"rtt.\\u001b\"");
    let hostile = write("hostile\x1b.json", &swapped);
    let nowhere = folder.file("nowhere.json");
    for (path, why) in [
        (&cut, "is not a result of loadgen: EOF"),
        (&newer, "has schema version 9, but this loadgen reads 1"),
        (&hostile, "has a histogram \"rtt.\\u{1b}\""),
        (&nowhere, "can't be read: No such file"),
    ] {
        for args in [&["report", path][..], &["merge", path], &["diff", &file, path]] {
            let ran = loadgen(args);
            assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
            assert!(ran.error_line().contains(why), "{args:?}: {}", ran.stderr);
            assert!(!ran.error_line().contains(char::is_control), "{args:?}");
            assert_eq!(ran.stdout, "");
        }
    }
    let empty = Folder::new("empty");
    let ran = loadgen(&["merge", &empty.0.display().to_string()]);
    assert!(ran.code == Some(2) && ran.error_line().contains("has no *.json in it"));
    let ran = loadgen(&["report", &empty.0.display().to_string()]);
    assert!(ran.error_line().contains("has no *.json in it"), "{}", ran.stderr);
    let ran = loadgen(&["merge", &file]);
    assert!(ran.error_line().contains("is a complete run, not a segment"), "{}", ran.stderr);
    let ran = loadgen(&["merge"]);
    assert!(ran.code == Some(2) && ran.error_line().contains("<FILE>"), "{}", ran.stderr);
}

#[test]
fn what_the_kernel_timed_adds_up_and_is_in_every_form() {
    let folder = Folder::new("recv");
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let segment = |name: &str, segment: &str, clock: &str| {
        let (url, file) = (server.url(), folder.file(name));
        let out = format!("json={file}");
        let load = ["run", &url, "-c", "2", "-n", "50", "-t", "1", "-q", "-o", &out, "--seed", "1"];
        let own = ["--segment", segment, "--recv-time", clock, "--ramp", "300ms"];
        loadgen(&[&load[..], &own].concat()).assert_went_well();
        file
    };
    let (one, two) = (segment("1.json", "1/2", "kernel"), segment("2.json", "2/2", "kernel"));
    let ran = loadgen(&["merge", &one, &two, "-o", "json"]);
    assert_follows_schema(&ran.stdout);
    let merged = ran.report();
    let times = merged.arrival_times.unwrap();
    assert_eq!(times.kernel + times.user, 50);
    assert_eq!(histogram_counts(&merged)["recv.lag"], times.kernel);
    assert!(times.kernel > 25, "{times:?}: the kernel may begin late on a busy machine");

    let by_user = segment("user.json", "2/2", "user");
    let refused = loadgen(&["merge", &one, &by_user]);
    assert!(refused.error_line().contains("config.recv_time"), "{}", refused.stderr);
    let compared = loadgen(&["diff", &by_user, &one]).stdout;
    assert!(compared.contains("config.recv_time: \"user\" -> \"kernel\""), "{compared}");
    assert!(loadgen(&["report", &one, "-o", "hlog"]).stdout.contains("Tag=recv.lag"));
    assert!(loadgen(&["report", &one, "-o", "html"]).stdout.contains("recv.lag"));
    let passed = loadgen(&["report", &one, "--threshold", "recv.lag.p99<10s", "-o", "json"]);
    assert!(passed.report().thresholds[0].is_passed);
}
