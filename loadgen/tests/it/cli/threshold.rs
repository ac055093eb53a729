//! `--threshold`: PASS and FAIL in the text, the same in the result, and exit code 99.

use crate::scripted::{Scripted, echo, loadgen, run_against};

#[test]
fn thresholds_that_hold_and_that_do_not() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let args = ["-c", "2", "-n", "50", "--threshold", "rtt.p99<1m", "--threshold", "lost==0"];
    let ran = run_against(&server, &args);
    ran.assert_went_well();
    let report = ran.report();
    assert!(report.thresholds.iter().all(|threshold| threshold.is_passed));
    assert_eq!(report.thresholds[1].measured, Some(0.0));
    let ran = run_against(&server, &[&args[..], &["--threshold", "received > 50"]].concat());
    assert_eq!(ran.code, Some(99), "{}", ran.stderr);
    assert_eq!(ran.error_line(), "threshold failed: received>50 (50)");
    assert!(ran.report().outcome.is_ok);
}

#[test]
fn each_has_a_line_in_the_text() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "-n",
        "50",
        "-t",
        "1",
        "-q",
        "--threshold",
        "rtt.service.p99.9<1m",
        "--threshold",
        "rtt.response.p50<1m",
        "--threshold",
        "failed<1%",
        "--threshold",
        "achieved>=1k%",
    ]);
    assert_eq!(ran.code, Some(2), "1k% is no share: {}", ran.stderr);
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "-n",
        "50",
        "-t",
        "1",
        "-q",
        "--threshold",
        "rtt.service.p99.9<1m",
        "--threshold",
        "rtt.response.p50<1m",
        "--threshold",
        "failed<1%",
    ]);
    assert_eq!(ran.code, Some(99), "{}", ran.stderr);
    let mut lines = ran.stdout.lines().rev().take(3).collect::<Vec<_>>();
    lines.reverse();
    assert!(lines[0].starts_with(" thresholds   PASS rtt.service.p99.9<1m ("), "{lines:?}");
    assert_eq!(lines[1].trim(), "FAIL rtt.response.p50<1m (no data)", "a closed loop has none");
    assert_eq!(lines[2].trim(), "PASS failed<1% (0.000 %)");
}

#[test]
fn a_share_of_failures_may_be_allowed() {
    let server = Scripted::start(|stream, number| {
        if number != 3 {
            echo(stream, |_, _, _| None);
        }
    });
    let args = ["-c", "10", "-n", "50"];
    let ran = run_against(&server, &args);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let server = Scripted::start(|stream, number| {
        if number != 3 {
            echo(stream, |_, _, _| None);
        }
    });
    let allowed = ["--threshold", "failed<=10%", "--threshold", "errors<5"];
    let ran = run_against(&server, &[&args[..], &allowed[..]].concat());
    ran.assert_went_well();
    assert_eq!(ran.report().connections.failed, 1);
    let server = Scripted::start(|_, _| ());
    let ran = run_against(&server, &[&args[..], &["--threshold", "failed<=10%"]].concat());
    assert_eq!(ran.code, Some(99), "{}", ran.stderr);
}

#[test]
fn wrong_ones_are_refused_with_the_names_that_exist() {
    for (threshold, why) in [
        ("rtt.p99", "no comparison"),
        ("latency<5ms", "no metric \"latency\"; use rtt.p99, "),
        ("rtt.p99<5", "has no unit"),
        ("\x1b[31m<5", "no metric"),
    ] {
        let ran = loadgen(&["run", "ws://127.0.0.1:9/", "--threshold", threshold]);
        assert_eq!(ran.code, Some(2), "{threshold:?}: {}", ran.stderr);
        assert!(ran.error_line().contains(why), "{threshold:?}: {}", ran.stderr);
        assert!(!ran.error_line().contains(char::is_control), "{threshold:?}");
    }
}

/// FIELD E7: the whole list is a page of its own.
#[test]
fn e7_threshold_help_lists_every_name() {
    for args in [&["run", "--threshold", "help"][..], &["diff", "--threshold=help"]] {
        let ran = loadgen(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        for name in ["rtt.service", "close.tcp", "duplicated", "achieved", "diff"] {
            assert!(ran.stdout.contains(name), "{name} in\n{}", ran.stdout);
        }
    }
}
