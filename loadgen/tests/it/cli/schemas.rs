//! What `search`, `diff`, `doctor` and a folder's `report` write as JSON follows the published schemas,
//! as results do (`run/result.rs`).

use std::fs;

use serde_json::Value;

use super::outputs::Scratch;
use crate::scripted::{Scripted, echo, loadgen};

const SEARCH: &str = include_str!("../../../search.schema.json");
const DIFF: &str = include_str!("../../../diff.schema.json");
const TREND: &str = include_str!("../../../trend.schema.json");
const DOCTOR: &str = include_str!("../../../doctor.schema.json");
const ROW: &str = "/properties/time_series/properties/rows/items";

fn schema(text: &str) -> Value {
    let schema: Value = serde_json::from_str(text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    schema
}

/// Runs a command that writes JSON to stdout, and checks it against a schema.
fn follows(text: &str, args: &[&str]) -> Value {
    let ran = loadgen(args);
    let written = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {args:?}: {}{}", ran.stdout, ran.stderr));
    let validator = jsonschema::validator_for(&schema(text)).unwrap();
    let errors: Vec<_> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{args:?}");
    written
}

fn server() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

#[test]
fn searches_follow_their_schema() {
    let url = server().url();
    let args = ["search", &url, "-c", "2", "-t", "1", "-d", "300ms", "-q", "-o", "json", "-R"];
    // A range whose end is the answer, one whose begin fails, and one that no client can do.
    for more in [&["50..60"][..], &["50..60", "--until", "rtt.p50<1ns"], &["50M..60M"]] {
        let found = follows(SEARCH, &[&args[..], more].concat());
        assert!(!found["steps"].as_array().unwrap().is_empty(), "{found}");
    }
}

#[test]
fn comparisons_and_folders_follow_their_schemas() {
    let (server, scratch) = (server(), Scratch::new("schemas"));
    let url = server.url();
    for side in ["before", "after"] {
        fs::create_dir_all(scratch.path(side)).unwrap();
        for number in ["1", "2"] {
            let file = scratch.path(&format!("{side}/{number}.json"));
            let args = ["run", &url, "-c", number, "-t", "1", "-n", "50", "-q", "-o", &file];
            loadgen(&[&args[..], &["--label", "a=b"]].concat()).assert_went_well();
        }
    }
    let [before, after, first, second] =
        ["before", "after", "before/1.json", "after/2.json"].map(|name| scratch.path(name));
    let one = follows(DIFF, &["diff", &first, &second, "-o", "json"]);
    assert!(one["differences"].as_array().is_some_and(|found| !found.is_empty()), "{one}");
    let args = ["diff", &before, &after, "-o", "json", "--threshold", "rtt.p99<9x"];
    let several = follows(DIFF, &args);
    let rows = several["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["change"].is_string()), "{several}");
    assert_eq!(several["thresholds"][0]["unit"], "ratio");
    let trend = follows(TREND, &["report", &before, "-o", "json"]);
    assert_eq!(trend["runs"].as_array().unwrap().len(), 2);
    assert_eq!(trend["runs"][0]["labels"][0], "a=b");
}

#[test]
fn lists_of_the_doctor_follow_their_schema() {
    for connections in ["10", "1m"] {
        follows(DOCTOR, &["doctor", "-c", connections, "-o", "json"]);
    }
}

/// A line of `-o ndjson` is a row of the time series in a result.
#[test]
fn rows_follow_the_schema_of_the_time_series() {
    let result = schema(include_str!("../../../report.schema.json"));
    let row = result.pointer(ROW).unwrap();
    let validator = jsonschema::validator_for(row).unwrap();
    let server = server();
    for args in [
        &["run", &server.url(), "-c", "2", "-d", "1200ms", "-q", "-o", "ndjson"][..],
        &["play", "json-rpc", &server.url(), "-c", "2", "-d", "1200ms", "-q", "-o", "ndjson"],
    ] {
        let ran = loadgen(args);
        let rows: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!rows.is_empty(), "{args:?}: {}{}", ran.stdout, ran.stderr);
        for written in &rows {
            let errors: Vec<_> =
                validator.iter_errors(written).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0], "{args:?}");
        }
    }
}

#[test]
fn schemas_refuse_what_no_command_writes() {
    let found = follows(DOCTOR, &["doctor", "-c", "10", "-o", "json"]);
    for (place, wrong) in [("/checks/0/state", "fine".into()), ("/connections", Value::Null)] {
        let mut other = found.clone();
        *other.pointer_mut(place).unwrap() = wrong;
        assert!(!jsonschema::is_valid(&schema(DOCTOR), &other), "{place}");
    }
    for text in [SEARCH, DIFF, TREND] {
        assert!(!jsonschema::is_valid(&schema(text), &found));
        assert!(!jsonschema::is_valid(&schema(text), &serde_json::json!({})));
    }
}
