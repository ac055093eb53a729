//! `loadgen doctor`: a list of what this machine allows, an exit code, and JSON.

use std::process::Command;

use crate::scripted::loadgen;
use serde_json::Value;

#[test]
fn the_list_and_its_exit_code_say_the_same() {
    let ran = loadgen(&["doctor", "-c", "1"]);
    let low = ran.stdout.lines().filter(|line| line.starts_with(" low ")).count();
    assert_eq!(ran.code, Some(i32::from(low > 0)), "{}", ran.stdout);
    assert!(ran.stdout.starts_with("doctor -c 1\n"), "{}", ran.stdout);
    for name in ["descriptors", "local ports", "somaxconn", "memory", "clock"] {
        assert!(ran.stdout.contains(&format!(" {name} ")), "{name} in\n{}", ran.stdout);
    }
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn json_has_the_same() {
    let ran = loadgen(&["doctor", "-c", "1M", "-o", "json=-"]);
    let list: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&list["schema_version"], &list["connections"]), (&1.into(), &1_000_000.into()));
    let checks = list["checks"].as_array().unwrap();
    let ports = checks.iter().find(|check| check["name"] == "local ports").unwrap();
    assert_eq!(ports["state"], "low", "no machine has a million ports");
    assert!(ports["fix"].as_str().unwrap().contains("--source-ip"), "{ports}");
    assert_eq!((list["is_ok"].as_bool(), ran.code), (Some(false), Some(1)));
    let args = ["doctor", "-c", "1M", "-o", "json=-", "--source-ip", "127.0.0.0/24"];
    let list: Value = serde_json::from_str(&loadgen(&args).stdout).unwrap();
    let checks = list["checks"].as_array().unwrap();
    let ports = checks.iter().find(|check| check["name"] == "local ports").unwrap();
    assert_eq!(ports["state"], "ok", "{ports}");
}

#[test]
fn d20_a_limit_that_is_too_low_is_found_with_the_command_that_raises_it() {
    let program = env!("CARGO_BIN_EXE_loadgen");
    let script = format!("ulimit -n 32 && exec {program} doctor -c 10k");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(" low     descriptors"), "{said}");
    assert!(said.contains("sudo prlimit --pid $$ --nofile="), "{said}");
}

#[test]
fn wrong_usage_is_one_line() {
    for (args, why) in [
        (["doctor", "-c", "0"], "-c 0 is out of range"),
        (["doctor", "--targets", "0"], "--targets 0 is out of range"),
        (["doctor", "--source-ip", "x"], "bad --source-ip \"x\""),
        (["doctor", "-o", "yaml"], "use text, json"),
        (["doctor", "-o", "json=/nonexistent/f"], "can't be written"),
    ] {
        let ran = loadgen(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.error_line().contains(why), "{args:?}: {}", ran.stderr);
    }
}
