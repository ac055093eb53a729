//! `-o`: one way for every command, no two outputs in one file, and nothing replaced in silence.

use std::fs;

use crate::scripted::{Scripted, echo, loadgen, run_against};

/// A folder that is gone with the test.
pub(crate) struct Scratch(std::path::PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadgen-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A result in a file.
fn result(path: &str) {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = run_against(&server, &["-c", "1", "-n", "10", "--segment", "1/1", "-o", path]);
    ran.assert_went_well();
}

/// FIELD E10: `diff -o` as `run -o`, by form or by extension.
#[test]
fn e10_diff_writes_where_the_others_do() {
    let scratch = Scratch::new("e10");
    let [before, difference] = ["before.json", "d.json"].map(|name| scratch.path(name));
    result(&before);
    let ran = loadgen(&["diff", &before, &before, "-o", &format!("json={difference}")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("before.json"), "text goes to stdout, too: {}", ran.stdout);
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&difference).unwrap()).unwrap();
    assert!(written.is_object());
    let by_extension = loadgen(&["diff", &before, &before, "-o", &scratch.path("other.json")]);
    assert_eq!(by_extension.code, Some(0), "{}", by_extension.stderr);
    assert_eq!(
        fs::read_to_string(scratch.path("other.json")).unwrap(),
        fs::read_to_string(&difference).unwrap()
    );
    for form in [&["-o", "json"][..], &["--json"]] {
        let ran = loadgen(&[&["diff", &before, &before], form].concat());
        assert!(ran.stdout.starts_with('{'), "{form:?}: {}", ran.stdout);
    }
    let ran = loadgen(&["diff", &before, &before, "-o", "csv"]);
    assert_eq!(ran.error_line(), "-o csv is a form of results; use text, json or html here");
}

/// FIELD E12: the second output would replace the first.
#[test]
fn e12_two_outputs_in_one_file_are_refused() {
    let scratch = Scratch::new("e12-two");
    let (file, detour) = (scratch.path("r"), scratch.path("../"));
    let folder = scratch.path("").trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    let detour = format!("{detour}{folder}/r");
    for other in [&file, &detour] {
        let (json, csv) = (format!("json={file}"), format!("csv={other}"));
        let ran = loadgen(&["run", "-o", &json, "-o", &csv]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.error_line().starts_with("two outputs in "), "{}", ran.stderr);
    }
    assert!(!fs::exists(&file).unwrap());
}

/// FIELD E12: a result that is there is replaced, and that is said.
#[test]
fn e12_replacing_a_file_is_said() {
    let scratch = Scratch::new("e12-said");
    let file = scratch.path("r.json");
    result(&file);
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let args = ["run", &url, "-n", "10", "-c", "1", "--segment", "1/1", "--seed", "1"];
    let args = [&args[..], &["--no-progress", "-o", &file]].concat();
    let said = format!("-o json={file} replaces an existing file\n");
    assert!(loadgen(&args).stderr.contains(&said));
    assert!(!loadgen(&[&args[..], &["-q"]].concat()).stderr.contains("replaces"), "-q is quiet");
    for args in [
        &["report", &file, "-o", &file][..],
        &["merge", &file, "-o", &file],
        &["diff", &file, &file, "-o", &file],
    ] {
        let ran = loadgen(args);
        assert!(ran.stderr.contains(&said), "{args:?}: {}", ran.stderr);
    }
    let ran = loadgen(&["doctor", "-c", "1", "-o", &file]);
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
}
