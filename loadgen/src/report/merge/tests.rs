use super::*;
use crate::exit::Exit;
use crate::metrics::Side;
use crate::metrics::live::{Live, Snapshot};
use crate::report::hold::HoldReport;
use std::time::Duration;

use crate::metrics::{DropTimes, ProbeCounts};
use crate::report::hold::{DropReport, PingReport};
use crate::report::reconnect::ReconnectReport;
use crate::report::{ClosingReport, ErrorReport, Label, sample_of};
use crate::threshold::Threshold;

fn part(index: u64, of: u64) -> Part {
    let line = format!("run ws://h/ -c 20 -t 1 -d 1s --seed 7 --segment {index}/{of}");
    Part { name: format!("{index}.json"), report: sample_of(&line) }
}

fn all(of: u64) -> Vec<Part> {
    (1..=of).map(|index| part(index, of)).collect()
}

/// Returns durations of every order of magnitude, some out of range.
fn durations() -> impl Iterator<Item = u64> {
    let wide = (0..20_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 60));
    wide.chain([0, 1, 600_000_000_000, u64::MAX])
}

#[test]
fn ten_segments_have_the_histogram_of_one_slot_by_slot() {
    let mut whole = Distribution::new();
    let mut shares = vec![Distribution::new(); 10];
    for (place, ns) in durations().enumerate() {
        whole.record(ns);
        shares[place * 7 % 10].record(ns);
    }
    let mut parts = all(10);
    for (part, share) in parts.iter_mut().zip(&shares) {
        part.report.histograms = vec![HistogramReport::new(Metric::RttService, share)];
    }
    parts.reverse(); // whatever the order of the files
    let merged = merge(parts, Missing::Refuse).unwrap();
    assert_eq!(merged.histograms, [HistogramReport::new(Metric::RttService, &whole)]);
    assert!(whole.below() > 0 && whole.above() > 0);
}

#[test]
fn counters_are_added_and_what_is_of_the_whole_stays() {
    let mut parts = all(3);
    for (place, part) in parts.iter_mut().enumerate() {
        let n = place as u64 + 1;
        let report = &mut part.report;
        report.connections.failed = n;
        report.connections.attempted += n;
        report.closings.push(ClosingReport {
            by: Side::Server,
            code: 1000 + u16::try_from(n).unwrap() / 2,
            is_clean: false,
            count: n,
            reasons: Vec::new(),
        });
        report.errors = vec![ErrorReport {
            phase: "tcp".into(),
            code: if n == 2 { "refused".into() } else { "reset".into() },
            count: n,
            sample: format!("the {n}th"),
            other_samples: Vec::new(),
        }];
        report.config.labels = vec![Label { key: "host".into(), value: n.to_string() }];
    }
    let one = parts[0].report.clone();
    let merged = merge(parts, Missing::Refuse).unwrap();
    let counts = &merged.connections;
    assert_eq!((counts.attempted, counts.established, counts.failed), (12, 6, 6));
    assert_eq!(merged.messages.as_ref().unwrap().measured.sent, 12);
    assert_eq!(merged.bytes.sent, 3_000);
    assert_eq!((merged.config.connections, merged.config.segment), (20, None));
    assert_eq!((merged.config.threads, merged.config.labels.len()), (3, 3));
    assert_eq!(merged.client.workers.len(), 3);
    let errors: Vec<_> = merged
        .errors
        .iter()
        .map(|error| (error.code.as_str(), error.count, error.sample.as_str()))
        .collect();
    assert_eq!(errors, [("reset", 4, "the 1th"), ("refused", 2, "the 2th")]);
    let closings: Vec<_> =
        merged.closings.iter().map(|closing| (closing.code, closing.count)).collect();
    assert_eq!(closings, [(1000, 6), (1000, 1), (1001, 5)]);
    let of_one = one.messages.as_ref().unwrap().achieved_per_s;
    let achieved = merged.messages.as_ref().unwrap().achieved_per_s;
    assert!((achieved - 3.0 * of_one).abs() < 1e-6, "{achieved} {of_one}");
    assert!(merged.outcome.reasons.iter().any(|why| why.contains("6 connections failed")));
    assert!(merged.imbalances.is_empty());
}

#[test]
fn lost_connections_are_added_reason_by_reason() {
    let mut parts = all(2);
    for (place, part) in parts.iter_mut().enumerate() {
        let (n, ns) = (place as u64 + 1, 1_000 * (place as u64 + 1));
        let code = ["1001", "1012"][place];
        let loss = |code: &str| DropReport {
            phase: "server_close".into(),
            code: code.into(),
            times: DropTimes { count: n, first_ns: ns, last_ns: 2 * ns },
        };
        part.report.reconnect = Some(ReconnectReport {
            lost: 2 * n,
            losses: vec![loss("1000"), loss(code)],
            attempts: 3 * n,
            reestablished: n,
            failed: 2 * n,
            failures: vec![ErrorReport {
                phase: "tcp".into(),
                code: "refused".into(),
                count: 2 * n,
                sample: String::new(),
                other_samples: Vec::new(),
            }],
            away: n,
        });
    }
    let merged = merge(parts, Missing::Refuse).unwrap().reconnect.unwrap();
    assert_eq!((merged.lost, merged.attempts, merged.reestablished), (6, 9, 3));
    assert_eq!((merged.failed, merged.failures[0].count, merged.away), (6, 6, 3));
    let losses: Vec<_> = merged
        .losses
        .iter()
        .map(|loss| (&*loss.code, loss.times.count, loss.times.first_ns, loss.times.last_ns))
        .collect();
    assert_eq!(
        losses,
        [("1000", 3, 1_000, 4_000), ("1001", 1, 1_000, 2_000), ("1012", 2, 2_000, 4_000)]
    );
}

#[test]
fn the_worst_verdict_counts_and_every_reason_names_its_segment() {
    let mut parts = all(3);
    parts[1].report.verdict =
        VerdictReport { state: State::Degraded, reasons: vec!["busy".into()], effects: Vec::new() };
    assert_eq!(
        merge(parts.clone(), Missing::Refuse).unwrap().verdict.reasons,
        ["segment 2/3: busy"]
    );
    parts[2].report.verdict = VerdictReport {
        state: State::Saturated,
        reasons: vec!["late".into()],
        effects: Vec::new(),
    };
    let merged = merge(parts, Missing::Refuse).unwrap();
    assert_eq!(merged.verdict.state, State::Saturated);
    assert_eq!(merged.verdict.reasons, ["segment 2/3: busy", "segment 3/3: late"]);
}

#[test]
fn e3_a_segment_without_verdict_makes_none_of_all_valid() {
    let merged = |number: usize| {
        let mut parts = all(3);
        for part in parts.iter_mut().take(number) {
            part.report.verdict.state = State::None;
        }
        merge(parts, Missing::Refuse).unwrap().verdict.state
    };
    assert_eq!([0, 1, 3].map(merged), [State::Valid, State::Degraded, State::None]);
}

/// A missing segment is an error that names it.
#[test]
fn m1_missing_segment_is_refused() {
    let mut parts = all(3);
    parts.remove(1);
    let said = merge(parts, Missing::Refuse).unwrap_err();
    assert!(said.starts_with("segment 2 of 3 is missing"), "{said}");
    assert!(said.contains("--allow-missing"), "{said}");
    let said = merge(vec![part(7, 20)], Missing::Refuse).unwrap_err();
    assert!(said.starts_with("segments 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, and 9 more of 20 are"));
}

/// If a missing segment is allowed, the report says so, and percentages refer to what was asked
/// of all segments.
#[test]
fn m1_percentages_are_of_all_segments() {
    let mut parts = all(4);
    for part in &mut parts {
        part.report.connections.attempted = 5;
        part.report.connections.established = 5;
        let messages = part.report.messages.as_mut().unwrap();
        (messages.offered_per_s, messages.arrivals.arrived) = (Some(250.0), 250);
        (messages.measured.sent, messages.measured.received) = (250, 250);
    }
    let achieved = |parts: Vec<Part>, threshold: &str| {
        let report = merge(parts, Missing::Allow).unwrap();
        let judged = report.judged_by(&Threshold::parse(threshold).unwrap());
        (report, judged)
    };
    let (_, judged) = achieved(parts.clone(), "achieved>99%");
    assert!(judged.is_passed, "{judged:?}");
    parts.remove(2);
    let (report, judged) = achieved(parts.clone(), "achieved>99%");
    assert_eq!((judged.measured, judged.is_passed), (Some(75.0), false));
    assert_eq!(report.messages.as_ref().unwrap().offered_per_s, Some(1_000.0));
    let (_, judged) = achieved(parts, "established>=76%");
    assert_eq!((judged.measured, judged.is_passed), (Some(75.0), false));
    assert_eq!(report.verdict.state, State::Degraded);
    assert!(report.verdict.reasons[0].starts_with("segment 3 of 4 is missing"));
    assert_eq!(report.merged.as_ref().unwrap().missing, [3]);
    assert_eq!(report.connections_planned(), 15);
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
}

#[test]
fn segments_out_of_step_are_put_on_one_axis_and_said() {
    let mut parts = all(2);
    parts[1].report.started_at_unix_ms += 500;
    let merged = merge(parts, Missing::Refuse).unwrap();
    let measured = merged.phases.measured.unwrap();
    assert_eq!(measured.length_ns(), 1_500_000_000);
    assert_eq!(merged.verdict.state, State::Degraded);
    assert!(merged.verdict.reasons[0].contains("up to 500 ms apart"), "{:?}", merged.verdict);
}

#[test]
fn what_cannot_be_merged_is_refused_with_what_differs() {
    type Change = fn(&mut Vec<Part>);
    let rows: [(&str, Change); 13] = [
        ("nothing to merge", Vec::clear),
        ("segment 2/3 is in 2.json and in 3.json", |parts| {
            parts[2].report.config.segment = parts[1].report.config.segment;
        }),
        ("1.json is one of 3 segments and 2.json one of 4", |parts| {
            parts[1].report.config.segment = Some(SegmentReport { index: 2, of: 4 });
        }),
        ("2.json is a complete run, not a segment", |parts| {
            parts[1].report.config.segment = None;
        }),
        ("config.seed is 7 in 1.json, but 8 in 3.json", |parts| {
            parts[2].report.config.seed = 8;
        }),
        ("ping_interval_ns is null in 1.json, but 7 in 2.json", |parts| {
            let counts = ProbeCounts::default();
            parts[1].report.pings = Some(PingReport::beside(Duration::from_nanos(7), &counts));
        }),
        ("config.connections is 20 in 1.json, but 21", |parts| {
            parts[2].report.config.connections = 21;
        }),
        ("config.payload_digest", |parts| {
            parts[1].report.config.payload_digest = Some("0".into());
        }),
        ("schema_version is 1 in 1.json, but 2", |parts| parts[1].report.schema_version = 2),
        ("generator.version", |parts| parts[1].report.generator.version = "9".into()),
        ("histogram_bounds.highest_ns", |parts| {
            parts[1].report.histogram_bounds.highest_ns = 5;
        }),
        ("command is \"run\" in 1.json, but \"\\u{1b}\"", |parts| {
            parts[1].report.command = "\u{1b}".into();
        }),
        ("already a merged result", |parts| {
            let whole = merge(parts.clone(), Missing::Refuse).unwrap();
            parts[0].report.merged = whole.merged;
        }),
    ];
    for (why, change) in rows {
        let mut parts = all(3);
        change(&mut parts);
        let said = merge(parts, Missing::Refuse).unwrap_err();
        assert!(said.contains(&why.replace("\\u{1b}", "\\u001b")), "{why}: {said}");
        assert!(!said.contains(char::is_control), "{said}");
    }
}

/// A process that had opened seven connections of eight it had begun when it was killed.
fn killed(segment: u64) -> Died {
    let live = Live::new();
    live.attempted.add(8);
    live.established.add(7);
    live.sent.add(40);
    Died {
        segment,
        pid: 4_711,
        cause: "was killed by signal 9 (SIGKILL)".into(),
        at_ns: 3_000_000_000,
        last: Snapshot::of([&live]),
    }
}

#[test]
fn a_process_that_died_costs_its_connections_in_one_counter_and_nothing_else() {
    let alive = merge(vec![part(1, 3), part(3, 3)], Missing::Allow).unwrap();
    let whole = merge_fleet(vec![part(1, 3), part(3, 3)], &[killed(2)]).unwrap();
    let (one, other) = (&whole.connections, &alive.connections);
    assert_eq!(one.attempted, other.attempted + 8);
    assert_eq!(one.established, other.established + 7);
    assert_eq!((one.completed, one.failed), (other.completed, 8));
    let [error] = &whole.errors[..] else { panic!("{:?}", whole.errors) };
    assert_eq!(
        (error.phase.as_str(), error.code.as_str(), error.count),
        ("run", "process_died", 8)
    );
    assert!(error.sample.contains("process 2 (pid 4711) was killed by signal 9"), "{error:?}");
    let closed: u64 = whole.closings.iter().map(|closing| closing.count).sum();
    assert_eq!(closed, one.established);
    assert_eq!(whole.messages, alive.messages);
    assert_eq!(whole.histograms, alive.histograms);
    // The exit code and its reason, which are the same when the file is read again.
    let text = serde_json::to_string(&whole).unwrap();
    let mut read = crate::report::load::parse(&text).unwrap();
    read.judge(&[]);
    for report in [&whole, &read] {
        assert_eq!(report.exit(), Exit::Failed);
        let reasons = report.outcome.reasons.join("; ");
        let said = "process 2 of 3 was killed by signal 9 (SIGKILL) and took 8 connections along";
        assert!(reasons.contains(said), "{reasons}");
    }
    let said = "the 40 messages that it sent and its latencies are not counted";
    assert!(whole.verdict.reasons.iter().any(|reason| reason.contains(said)), "{whole:?}");
    assert_eq!(whole.verdict.state.max(State::Degraded), whole.verdict.state);
}

#[test]
fn a_process_that_died_has_dropped_what_it_held() {
    let mut alive = part(1, 2);
    alive.report.hold = Some(HoldReport { held: 2, dropped: 0, drops: Vec::new(), pings: None });
    let whole = merge_fleet(vec![alive], &[killed(2)]).unwrap();
    let hold = whole.hold.unwrap();
    assert_eq!((hold.held, hold.dropped, hold.drops[0].code.as_str()), (2, 7, "process_died"));
}
