//! Which facts lead to which verdict, and what its reasons say.

use super::*;
use crate::quota::Quota;

fn judged(change: impl FnOnce(&mut Evidence)) -> Verdict {
    let load_ns = 10_000_000_000;
    let mut evidence = Evidence { due: 1_000, load_ns, ..Evidence::default() };
    change(&mut evidence);
    Verdict::new(&evidence)
}

/// A lateness that is in no latency.
fn lag(p99_ns: u64) -> Lag {
    Lag { p99_ns, effects: Vec::new() }
}

/// A lateness in a p99.
fn lag_in(reported_ns: u64, client_ns: u64) -> Lag {
    let effect = Effect { percentile: 99.0, reported_ns, client_ns };
    Lag { p99_ns: client_ns, effects: vec![effect] }
}

#[test]
fn s5_lateness_counts_by_what_it_does_to_the_latency() {
    const MS: u64 = 1_000_000;
    let valid = judged(|evidence| evidence.send_lag = Some(lag_in(902 * MS, 2_250_000)));
    assert_eq!(valid, Verdict { state: State::Valid, reasons: vec![] }, "2 ms of 902");
    let rows = [
        // A stall of the server, and a client that is late by more than ten milliseconds.
        (900 * MS, 20 * MS, State::Valid, None),
        (40 * MS, 4 * MS, State::Valid, None),
        (12 * MS, 2 * MS, State::Degraded, Some("p99 (12.0 ms) may be up to 20 % high; ")),
        (60 * MS, 12 * MS, State::Degraded, Some("p99 (60.0 ms) may be up to 25 % high; ")),
        (8 * MS, 6 * MS, State::Degraded, Some("may be up to 4.0 times too long; ")),
        (40 * MS, 20 * MS, State::Saturated, Some("up to 2.0 times too long; ")),
        (11 * MS, 11 * MS, State::Saturated, Some("all of p99 (11.0 ms) may be the client")),
        // A wake-up is most of a short latency, on any machine.
        (900_000, 800_000, State::Valid, None),
    ];
    for (reported_ns, client_ns, state, said) in rows {
        let late = || Some(lag_in(reported_ns, client_ns));
        let verdict = judged(|evidence| evidence.send_lag = late());
        assert_eq!(verdict.state, state, "{client_ns} of {reported_ns}: {verdict:?}");
        let reasons = verdict.reasons.concat();
        assert!(reasons.contains(said.unwrap_or_default()), "{reasons}");
        assert_eq!(said.is_none(), reasons.is_empty(), "{reasons}");
    }
    let connects = |reported_ns| {
        judged(|evidence| evidence.connect_lag = Some(lag_in(reported_ns, 20 * MS))).state
    };
    assert_eq!((connects(900 * MS), connects(40 * MS)), (State::Valid, State::Degraded));
}

#[test]
fn s5_the_median_counts_as_the_tail_does() {
    let verdict = judged(|evidence| {
        let effect =
            |percentile, reported_ns, client_ns| Effect { percentile, reported_ns, client_ns };
        let effects = vec![effect(50.0, 4_000_000, 3_000_000), effect(99.0, 900_000_000, 4)];
        evidence.send_lag = Some(Lag { p99_ns: 4, effects });
    });
    assert_eq!(verdict.state, State::Degraded);
    let said = ": p50 (4.00 ms) may be up to 4.0 times too long; ";
    assert!(verdict.reasons[0].contains(said), "{:?}", verdict.reasons);
}

#[test]
fn an_idle_client_is_valid_without_reasons() {
    for is_open_loop in [false, true] {
        let verdict = judged(|evidence| {
            evidence.is_open_loop = is_open_loop;
            (evidence.busy_share, evidence.cpu_share) = (0.5, 0.5);
            evidence.send_lag = Some(lag(60_000));
            evidence.by_worker = vec![(1_000, 0.9), (1_100, 0.9), (100, 0.1)];
        });
        assert_eq!(verdict, Verdict { state: State::Valid, reasons: vec![] });
    }
}

#[test]
fn each_piece_of_evidence_has_its_state_and_reason() {
    type Change = fn(&mut Evidence);
    let rows: [(&str, State, &str, Change); 24] = [
        ("lag", State::Degraded, "sent late (send.lag p99 2.00 ms); use a lower", |evidence| {
            evidence.send_lag = Some(lag(2_000_000));
            (evidence.busy_share, evidence.cpu_share) = (0.5, 0.5);
        }),
        ("lag of Pings", State::Degraded, "ms); use a longer --ping-interval", |evidence| {
            evidence.send_lag = Some(lag(2_000_000));
            (evidence.busy_share, evidence.cpu_share) = (0.5, 0.5);
            evidence.is_pinging = true;
        }),
        ("lag of the idle", State::Degraded, "ms); its busiest thread was busy only", |evidence| {
            evidence.send_lag = Some(lag(2_000_000));
            (evidence.busy_share, evidence.cpu_share) = (0.1, 0.05);
        }),
        ("busy pinging", State::Degraded, "use a longer --ping-interval", |evidence| {
            (evidence.is_open_loop, evidence.is_pinging) = (true, true);
            (evidence.busy_share, evidence.cpu_share) = (0.91, 0.91);
        }),
        ("Pings gone", State::Degraded, "gone: 2 Pings (0.2 % of what", |evidence| {
            (evidence.unsent_closed, evidence.is_pinging) = (2, true);
        }),
        ("lag of the machine", State::Degraded, "something else used it", |evidence| {
            evidence.send_lag = Some(lag(2_000_000));
            (evidence.busy_share, evidence.cpu_share) = (0.8, 0.2);
        }),
        ("long lag", State::Saturated, "sent late", |evidence| {
            evidence.send_lag = Some(lag(11_000_000));
        }),
        ("held up", State::Degraded, "time ran out: 5 messages (0.5 % of", |evidence| {
            evidence.overdue = 5;
        }),
        ("overdue", State::Saturated, "did not send 5.0 %", |evidence| evidence.overdue = 50),
        ("cut", State::Degraded, "shorter than asked for", |evidence| {
            (evidence.is_cut, evidence.is_interrupted) = (true, true);
        }),
        ("interrupted", State::Degraded, "after the measured time", |evidence| {
            evidence.is_interrupted = true;
        }),
        ("connects", State::Degraded, "connections began late", |evidence| {
            evidence.connect_lag = Some(lag(20_000_000));
        }),
        ("busy open", State::Degraded, "busy 91 % of the time: lat", |evidence| {
            evidence.is_open_loop = true;
            (evidence.busy_share, evidence.cpu_share) = (0.91, 0.91);
        }),
        ("busy listener", State::Degraded, "or fewer messages", |evidence| {
            evidence.is_pushed = true;
            (evidence.busy_share, evidence.cpu_share) = (0.91, 0.91);
        }),
        ("busy closed", State::Degraded, "the rate may be the client's", |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.99, 0.99);
        }),
        ("busy connecting", State::Degraded, "or -C for latencies", |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.99, 0.99);
            evidence.is_connecting = true;
        }),
        ("waiting closed", State::Degraded, "waited for a processor 30 %", |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.6, 0.3);
        }),
        ("starved closed", State::Degraded, "49 % waiting for a processor", |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.99, 0.50);
        }),
        ("backlog", State::Degraded, "didn't read", |evidence| evidence.unsent_backlog = 2),
        ("gone", State::Degraded, "gone: 2 messages", |evidence| evidence.unsent_closed = 2),
        ("range", State::Degraded, "beyond the histogram", |evidence| {
            evidence.out_of_range = 1;
        }),
        ("pause", State::Degraded, "still for 2.00 s, 20.0 % of the time", |evidence| {
            evidence.pause_max_ns = 2_000_000_000;
        }),
        ("ramp", State::Degraded, "began 1.00 s later than --ramp", |evidence| {
            evidence.ramp_late_ns = 1_000_000_000;
        }),
        ("starved worker", State::Degraded, "starved", |evidence| {
            evidence.by_worker = vec![(1_000, 0.9), (100, 0.9)];
        }),
    ];
    for (name, state, why, change) in rows {
        let verdict = judged(change);
        assert_eq!(verdict.state, state, "{name}");
        assert_eq!(verdict.reasons.len(), 1, "{name}");
        assert!(verdict.reasons[0].contains(why), "{name}: {}", verdict.reasons[0]);
    }
}

#[test]
fn s5_what_is_missing_counts_by_its_share() {
    type Change = fn(&mut Evidence, u64);
    let rows: [(&str, Change); 4] = [
        ("overdue", |evidence, count| evidence.overdue = count),
        ("backlog", |evidence, count| evidence.unsent_backlog = count),
        ("gone", |evidence, count| evidence.unsent_closed = count),
        ("range", |evidence, count| {
            (evidence.out_of_range, evidence.latencies) = (count, 20_000);
        }),
    ];
    for (name, change) in rows {
        let missing = |count| {
            judged(|evidence| {
                (evidence.due, evidence.due_warmup) = (20_000, 0);
                change(evidence, count);
            })
        };
        for few in [1, 20] {
            let few = missing(few);
            assert_eq!((few.state, few.reasons.len()), (State::Valid, 0), "{name}: {few:?}");
        }
        let many = missing(100);
        assert_eq!((many.state, many.reasons.len()), (State::Degraded, 1), "{name}: {many:?}");
        let effect = ", so the p99 may really be the p98.5";
        assert!(many.reasons[0].ends_with(effect), "{name}: {many:?}");
    }
    let warmed = judged(|evidence| {
        (evidence.unsent_closed, evidence.due_warmup) = (2, 1_000);
    });
    assert_eq!(warmed.state, State::Valid, "one in a thousand of all: {warmed:?}");
}

#[test]
fn s5_time_that_is_missing_counts_by_its_share() {
    const MS: u64 = 1_000_000;
    type Change = fn(&mut Evidence, u64);
    let rows: [(&str, Change); 2] = [
        ("pause", |evidence, ns| evidence.pause_max_ns = ns),
        ("ramp", |evidence, ns| evidence.ramp_late_ns = ns),
    ];
    for (name, change) in rows {
        let of = |ns, load_ns| {
            judged(|evidence| {
                evidence.load_ns = load_ns;
                change(evidence, ns);
            })
        };
        assert_eq!(of(600 * MS, 60_000 * MS).state, State::Valid, "{name}");
        let much = of(600 * MS, 10_000 * MS);
        assert_eq!(much.state, State::Degraded, "{name}");
        assert!(much.reasons[0].contains("6.0 % of the time"), "{much:?}");
    }
    let pause = judged(|evidence| evidence.pause_max_ns = 600 * MS);
    assert!(
        pause.reasons[0].ends_with("and latencies from p94 on too long by up to 600 ms"),
        "{pause:?}"
    );
    let short = judged(|evidence| {
        (evidence.pause_max_ns, evidence.load_ns) = (20 * MS, 1_000 * MS);
    });
    assert_eq!(short.state, State::Valid, "a pause that every machine makes");
}

#[test]
fn e3_there_is_no_verdict_where_nothing_was_measured() {
    let verdict = judged(|evidence| evidence.is_unmeasured = true);
    assert_eq!((verdict.state, verdict.state.name()), (State::None, "none"));
    assert_eq!(verdict.reasons, ["nothing was measured"]);
    // Known faults stay known.
    let verdict = judged(|evidence| (evidence.is_unmeasured, evidence.overdue) = (true, 500));
    assert_eq!((verdict.state, verdict.reasons.len()), (State::Saturated, 1));
}

#[test]
fn p11_a_run_that_is_too_short_to_judge_says_so() {
    let short = |change: fn(&mut Evidence)| {
        judged(|evidence| {
            evidence.load_ns = 1_200_000;
            (evidence.busy_share, evidence.cpu_share) = (0.97, 0.97);
            evidence.send_lag = Some(lag(50_000_000));
            evidence.by_worker = vec![(1_000, 0.9), (100, 0.9)];
            change(evidence);
        })
    };
    let verdict = short(|_| ());
    assert_eq!((verdict.state, verdict.reasons.len()), (State::None, 1), "{verdict:?}");
    let said = "too short to judge: load lasted 1.20 ms, and a verdict needs 100 ms; use more";
    assert!(verdict.reasons[0].starts_with(said), "{verdict:?}");
    assert_eq!(short(|evidence| evidence.load_ns = SHORT_NS).state, State::Saturated);
    assert_eq!(short(|evidence| evidence.overdue = 500).state, State::Saturated);
}

#[test]
fn p7_a_quota_is_named_instead_of_more_threads() {
    type Change = fn(&mut Evidence);
    let throttled =
        "throttled by a CPU quota of 0.2 in 11 of 11 periods: raise the quota, or use a";
    let rows: [(&str, Change); 4] = [
        ("nothing else", |_| ()),
        ("late", |evidence| evidence.send_lag = Some(lag(9_000_000))),
        ("overdue", |evidence| evidence.overdue = 500),
        ("busy", |evidence| (evidence.busy_share, evidence.cpu_share) = (1.0, 0.2)),
    ];
    for (name, change) in rows {
        let verdict = judged(|evidence| {
            let quota = Quota { processors: 0.2, periods: 11, throttled: 11 };
            (evidence.quota, evidence.is_open_loop) = (Some(quota), true);
            change(evidence);
        });
        assert!(verdict.state >= State::Degraded, "{name}");
        assert_eq!(verdict.reasons.len(), 1, "{name}: {verdict:?}");
        assert!(verdict.reasons[0].contains(throttled), "{name}: {verdict:?}");
    }
    let seldom = judged(|evidence| {
        evidence.quota = Some(Quota { processors: 4.0, periods: 100, throttled: 5 });
    });
    assert_eq!(seldom.state, State::Valid);
}

#[test]
fn a_run_without_samples_has_no_thread_to_blame() {
    let verdict = judged(|evidence| {
        (evidence.busy_share, evidence.cpu_share) = (1.0, 0.2);
        evidence.is_empty = true;
    });
    assert_eq!(verdict, Verdict { state: State::Valid, reasons: vec![] });
}

#[test]
fn a_busy_closed_loop_is_never_saturated_and_the_worst_reason_counts() {
    let busy = judged(|evidence| evidence.busy_share = 1.0);
    assert_eq!(busy.state, State::Degraded);
    let both = judged(|evidence| {
        evidence.busy_share = 1.0;
        evidence.overdue = 500;
    });
    assert_eq!((both.state, both.reasons.len()), (State::Saturated, 2));
}

/// By the kernel's time, what a thread reads late is in no latency: nobody may be blamed for it.
#[test]
fn a_thread_that_reads_late_is_blamed_only_for_what_that_does() {
    type Change = fn(&mut Evidence);
    let rows: [(&str, Option<&str>, Change); 7] = [
        ("busy open", None, |evidence| evidence.is_open_loop = true),
        ("busy closed", Some("the rate may be the client's limit; use more threads"), |_| ()),
        ("busy embedded", Some("the rate may be the machine's limit"), |evidence| {
            evidence.is_embedded = true;
        }),
        ("busy listener", Some("held up by full sockets"), |evidence| evidence.is_pushed = true),
        ("waiting closed", Some("sent its next messages later, so the rate"), |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.6, 0.3);
        }),
        ("waiting listener", None, |evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.6, 0.3);
            (evidence.is_pushed, evidence.due) = (true, 0);
        }),
        ("still", Some("rates may be too low by as much"), |evidence| {
            evidence.busy_share = 0.5;
            (evidence.cpu_share, evidence.pause_max_ns) = (0.5, 2_000_000_000);
        }),
    ];
    for (name, said, change) in rows {
        let verdict = judged(|evidence| {
            evidence.is_timed_by_kernel = true;
            (evidence.busy_share, evidence.cpu_share) = (0.99, 0.99);
            change(evidence);
        });
        let reasons = verdict.reasons.concat();
        assert_eq!(said.is_none(), verdict.state == State::Valid, "{name}: {reasons}");
        assert!(reasons.contains(said.unwrap_or_default()), "{name}: {reasons}");
        assert!(!reasons.contains("latencies"), "{name}: {reasons}");
        // By loadgen's own clock, all of them are in the latencies.
        let by_user = judged(|evidence| {
            (evidence.busy_share, evidence.cpu_share) = (0.99, 0.99);
            change(evidence);
        });
        let reasons = by_user.reasons.concat();
        let is_inside = ["latencies", "replies waited"].iter().any(|said| reasons.contains(said));
        assert!(is_inside, "{name}: {reasons}");
    }
}
