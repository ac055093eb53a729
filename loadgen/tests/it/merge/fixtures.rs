//! Results of an earlier version: read, reported, merged and compared as that version did.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

use crate::scripted::loadgen;

const COMMANDS: [&str; 5] = ["run", "connect", "hold", "listen", "fanout"];

/// What this version says in other words than the earlier one, by the last part of its path.
const REWORDED: [&str; 3] = ["verdict", "outcome", "description"];

/// How a compressed histogram begins in base64.
const HISTOGRAM: &str = "HISTFAAAA";

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    path.display().to_string()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Runs loadgen; its stdout as JSON.
fn printed(args: &[&str]) -> Value {
    let ran = loadgen(args);
    assert!(ran.stderr.is_empty() || ran.code == Some(1), "{args:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

/// Fails if something in `before` is missing in `now` or has another value. `now` may have more.
fn assert_kept(before: &Value, now: &Value, path: &str) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            for (name, value) in before.iter().filter(|(name, _)| !REWORDED.contains(&&***name)) {
                let path = format!("{path}.{name}");
                let found = now.get(name).unwrap_or_else(|| panic!("{path} is gone"));
                assert_kept(value, found, &path);
            }
        }
        (Value::Array(before), Value::Array(now)) => {
            assert_eq!(before.len(), now.len(), "{path}");
            for (place, (value, found)) in before.iter().zip(now).enumerate() {
                assert_kept(value, found, &format!("{path}[{place}]"));
            }
        }
        (Value::Number(before), Value::Number(now)) if before.is_f64() || now.is_f64() => {
            let [before, now] = [before, now].map(|number| number.as_f64().unwrap());
            assert!((before - now).abs() <= before.abs() * 1e-12, "{path}: {before}, now {now}");
        }
        // The same histogram has other bytes where another crate has chosen another DEFLATE library.
        (Value::String(before), Value::String(now)) if before.starts_with(HISTOGRAM) => {
            assert!(histogram(before) == histogram(now), "{path}: {before}, now {now}");
        }
        _ => assert_eq!(before, now, "{path}"),
    }
}

/// Reads a histogram as a result file has it: V2 with DEFLATE, in base64.
fn histogram(data: &str) -> Histogram<u64> {
    let bytes = base64::prelude::BASE64_STANDARD.decode(data).unwrap();
    Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap()
}

/// A result file of the earlier version comes out of `report` with every value.
#[test]
fn fixtures_are_reported() {
    for command in COMMANDS {
        for part in ["whole", "1-of-2", "2-of-2"] {
            let name = format!("{command}-{part}.json");
            let report = printed(&["report", &fixture(&name), "-o", "json=-"]);
            assert_kept(&json(&name), &report, &name);
            let text = loadgen(&["report", &fixture(&name)]);
            assert!(text.stdout.contains(&format!("  {command}  ")), "{}", text.stdout);
        }
    }
}

/// Segments of the earlier version are merged to what that version merged them to.
#[test]
fn fixtures_are_merged() {
    for command in COMMANDS {
        let [one, two] = [1, 2].map(|index| fixture(&format!("{command}-{index}-of-2.json")));
        let mut merged = printed(&["merge", &two, &one, "-o", "json=-"]);
        for part in merged["merged"]["parts"].as_array_mut().unwrap() {
            let file = PathBuf::from(part["file"].as_str().unwrap());
            part["file"] = file.file_name().unwrap().to_str().unwrap().into();
        }
        assert_kept(&json(&format!("merged-{command}.json")), &merged, command);
    }
}

/// Two results of the earlier version compare as they did.
#[test]
fn fixtures_are_compared() {
    for command in COMMANDS {
        let [one, two] = [1, 2].map(|index| fixture(&format!("{command}-{index}-of-2.json")));
        let mut diff = printed(&["diff", &one, &two, "-o", "json"]);
        let mut before = json(&format!("diff-{command}.json"));
        for compared in [&mut diff, &mut before] {
            let names = compared.as_object_mut().unwrap();
            names.remove("before");
            names.remove("after");
        }
        assert_kept(&before, &diff, command);
    }
}
