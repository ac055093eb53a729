//! One seed sends the same bytes however a run is split, and the parts add up to the whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{File, json_text, parsed, play, result, speaking};
use crate::scripted::loadgen;
use loadgen::report::Report;

const MIX: &str = r#"
[vars]
who = "{uuid}"
[reply]
id   = "/id"
fail = { has = "/error" }
[[begin]]
name = "login"
send = '{"id":{id},"user":{conn},"who":"{who}"}'
[[on]]
name = "push"
when = { has = "/push" }
[[step]]
pause = "0s..2ms"
[[step]]
choose = { ask = 3, tell = 1 }
[[flow.ask]]
name = "ask"
send = '{"id":{id},"user":{conn},"n":{iter},"rand":"{rand:8}{rand:1..1000}"}'
times = 2
[[flow.tell]]
name = "tell"
send = '{"id":{id},"user":{conn},"n":{iter},"tell":"{uuid}"}'
"#;

/// What each user has sent.
type Sent = Arc<Mutex<BTreeMap<u64, Vec<String>>>>;

/// Plays all segments of a run; returns the merged result, and what was sent.
fn played(of: u64) -> (Report, BTreeMap<u64, Vec<String>>) {
    let sent = Sent::default();
    let seen = Arc::clone(&sent);
    let server = speaking(Vec::new(), move |bytes| {
        let message = parsed(bytes);
        let user = message["user"].as_u64().unwrap();
        let text = String::from_utf8_lossy(bytes).into_owned();
        seen.lock().unwrap().entry(user).or_default().push(text);
        let mut reply = json!({"id": message["id"]});
        // Every seventh of a user is refused, whichever process it is in.
        if message["id"].as_u64().unwrap().is_multiple_of(7) {
            reply["error"] = "no".into();
        }
        vec![json_text(&json!({"push": 1})), json_text(&reply)]
    });
    let file = File::new(&format!("split-{of}.toml"), MIX);
    let args = ["-c", "10", "-n", "60", "-d", "30s"];
    let segments: Vec<_> = (1..=of).map(|part| format!("{part}/{of}")).collect();
    let run = |split: &[&str]| {
        let ran = play(file.name(), &server, &[&args, split].concat());
        // Steps fail, as they should.
        assert!(matches!(ran.code, Some(1 | 97)), "{}{}", ran.stdout, ran.stderr);
        ran
    };
    let report = if of == 1 {
        result(&run(&[]))
    } else {
        let parts = segments.iter().enumerate().map(|(part, segment)| {
            let ran = run(&["--segment", segment]);
            File::new(&format!("split-{part}-of-{of}.json"), &ran.stdout)
        });
        let parts: Vec<_> = parts.collect();
        let names: Vec<_> = parts.iter().map(File::name).collect();
        result(&loadgen(&[&["merge"], &names[..], &["-o", "json=-"]].concat()))
    };
    let sent = sent.lock().unwrap().clone();
    (report, sent)
}

#[test]
fn a_run_sends_the_same_bytes_however_it_is_split() {
    let (whole, sent) = played(1);
    let scenario = whole.scenario.as_ref().unwrap();
    assert_eq!((scenario.iterations.begun, sent.len()), (60, 10));
    assert!(scenario.iterations.failed > 0, "{:?}", scenario.iterations);
    assert!(scenario.steps.iter().all(|step| step.counts.sent > 0), "{:?}", scenario.steps);
    for of in [2, 5] {
        let (merged, again) = played(of);
        for (user, messages) in &sent {
            assert_eq!(again.get(user), Some(messages), "user {user} in {of} segments");
        }
        let found = merged.scenario.as_ref().unwrap();
        assert_eq!(found.users, scenario.users, "{of}");
        assert_eq!(found.messages, scenario.messages, "{of}");
        let [mut own, mut other] = [scenario.iterations, found.iterations];
        // Which of them end within the measured time depends on the clock.
        (own.inside, other.inside) = (0, 0);
        assert_eq!(own, other, "{of}");
        for (step, found) in scenario.steps.iter().zip(&found.steps) {
            assert_eq!(found.counts, step.counts, "{of}: {}", step.name);
            let count = |step: &loadgen::report::scenario::StepReport| {
                step.service.as_ref().map_or(0, |service| service.count)
            };
            assert_eq!(count(found), count(step), "{of}: {}", step.name);
        }
        for (rule, found) in scenario.rules.iter().zip(&found.rules) {
            assert_eq!(found.counts, rule.counts, "{of}: {}", rule.name);
        }
        let sum = |report: &Report| -> u64 {
            let rows = report.time_series.rows.iter();
            rows.flat_map(|row| row.steps.iter().map(|step| step.ok + step.failed)).sum()
        };
        assert_eq!(sum(&merged), sum(&whole), "the time series, {of}");
    }
}
