//! `search`: capacities that are known beforehand.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scripted::{Ran, Scripted, echo, loadgen};

/// A server that echoes so many messages a second, all connections together: a bucket of tokens,
/// which holds 20. Messages wait for theirs.
fn bucket(per_s: u32) -> Scripted {
    let each = Duration::from_secs(1) / per_s;
    let next = Arc::new(Mutex::new(Instant::now()));
    Scripted::start(move |stream, _| {
        let next = Arc::clone(&next);
        echo(stream, move |_, _, _| {
            let mine = {
                let mut next = next.lock().unwrap();
                *next = (*next + each).max(Instant::now().checked_sub(20 * each).unwrap());
                *next
            };
            thread::sleep(mine.saturating_duration_since(Instant::now()));
            None
        });
    })
}

fn search(url: &str, more: &[&str]) -> (Ran, Value) {
    let args = ["search", url, "-c", "8", "-t", "1", "-q", "-o", "json", "--seed", "1"];
    let ran = loadgen(&[&args[..], more].concat());
    let found = serde_json::from_str(&ran.stdout).unwrap_or_default();
    (ran, found)
}

/// Within 5 % of what the bucket lets through. A machine too busy to make such a load says so, and
/// then the capacity is at least what it saw.
#[test]
fn a1_a_known_capacity_is_found() {
    let server = bucket(400);
    let more = ["-R", "100..2k", "-d", "1s", "--until", "rtt.p99<150ms", "--within", "3"];
    let (ran, found) = search(&server.url(), &more);
    let capacity = found["capacity_per_s"].as_f64().unwrap_or_default();
    assert!(capacity <= 400.0 * 1.05, "{}{}", ran.stdout, ran.stderr);
    match ran.code {
        Some(0) => {
            assert!(capacity >= 400.0 * 0.95, "{}{}", ran.stdout, ran.stderr);
            assert_eq!(found["limit"], "server", "{}", ran.stdout);
        }
        code => assert_eq!((code, &found["limit"]), (Some(97), &"client".into()), "{}", ran.stdout),
    }
}

/// The ends of the range, and what an exit code says of them.
#[test]
fn a2_the_range_may_be_too_low_or_too_high() {
    let server = bucket(10_000);
    // A machine too busy for the load says so, and then the ends aren't known.
    let is_busy = |ran: &Ran, found: &Value| ran.code == Some(97) && found["limit"] == "client";
    let (ran, found) = search(&server.url(), &["-R", "20..40", "-d", "300ms"]);
    if !is_busy(&ran, &found) {
        assert_eq!((ran.code, &found["limit"]), (Some(0), &"range".into()), "{}", ran.stdout);
    }
    let (ran, found) =
        search(&server.url(), &["-R", "20..40", "-d", "300ms", "--until", "rtt.p50<1ns"]);
    if is_busy(&ran, &found) {
        return;
    }
    assert_eq!((ran.code, &found["limit"]), (Some(99), &"below".into()), "{}", ran.stdout);
    assert_eq!(found["capacity_per_s"], Value::Null);
    let reasons = found["steps"][0]["reasons"][0].as_str().unwrap();
    assert!(reasons.starts_with("rtt.p50<1ns ("), "{reasons}");
}

/// A client that can't make the load says that it is the limit, never the server.
#[test]
fn a3_the_clients_limit_is_said() {
    let server = bucket(1_000_000);
    let more = ["-R", "50M..100M", "-d", "300ms"];
    let (ran, found) = search(&server.url(), &more);
    assert_eq!((ran.code, &found["limit"]), (Some(97), &"client".into()), "{}", ran.stdout);
    let url = server.url();
    let ran = loadgen(&[&["search", &url, "-c", "8", "-t", "1", "-q"][..], &more].concat());
    let text = " capacity     unknown; the client's limit: ";
    assert!(ran.stdout.starts_with(text), "{}{}", ran.stdout, ran.stderr);
}
