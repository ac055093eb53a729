//! `merge --watch`: a folder in which results come in.

use std::fs;
use std::time::Duration;

use super::saved::Folder;
use crate::scripted::{Scripted, command, echo, finish, loadgen};

#[test]
fn results_are_waited_for_and_shown_meanwhile() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let (url, folder) = (server.url(), Folder::new("watch"));
    let own = |name: &str| folder.file(name);
    let watch = command(&["merge", "--watch", &own("")]).spawn().unwrap();
    let segment = |index: u32, seconds: &str| {
        let [json, rows] = ["json", "ndjson"].map(|form| {
            let file = own(&format!("{index}.{form}"));
            format!("-o={form}={file}")
        });
        let number = format!("{index}/2");
        let load = ["run", &url, "-c", "4", "-R", "50", "-d", seconds, "--seed", "7", "-q"];
        command(&[&load[..], &["--segment", &number, &json, &rows]].concat()).spawn().unwrap()
    };
    // Half of a file that is copied here is no result yet.
    fs::write(own("2.json"), "{\"schema_version\": 1,").unwrap();
    assert!(matches!(finish(segment(1, "2s")).code, Some(0 | 97)));
    fs::remove_file(own("2.json")).unwrap();
    assert!(matches!(finish(segment(2, "2s")).code, Some(0 | 97)));
    let ran = finish(watch);
    assert!(ran.stdout.contains("merged       2 of 2 segments"), "{}", ran.stdout);
    let said = ran.stderr;
    assert!(said.contains("results of 0 segments"), "{said}");
    assert!(said.contains("results of 0 segments   open 2   received "), "{said}");
    assert!(said.contains("/s   from 1 stream"), "{said}");
    assert!(said.contains("results of 1 of 2 segments\n"), "a stream is over: {said}");
}

#[test]
fn waiting_has_an_end_and_a_file_that_is_no_result_is_named() {
    let folder = Folder::new("watch-end");
    let ran = loadgen(&["merge", "--watch=100ms", &folder.file("")]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing to merge"), "{}", ran.stderr);
    fs::write(folder.file("1.json"), "{}").unwrap();
    let ran = loadgen(&["merge", "--watch", &folder.file("")]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("1.json"), "{}", ran.stderr);
    assert!(ran.took < Duration::from_secs(30), "{:?}", ran.took);
    let ran = loadgen(&["merge", "--watch", "a.json", "b.json"]);
    assert!(ran.stderr.contains("--watch takes one folder"), "{}", ran.stderr);
}
