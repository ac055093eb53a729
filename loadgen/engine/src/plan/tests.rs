use super::*;
use crate::config::Rate;

fn plan(connections: u64, workers: u64, rate: u64, number: Option<u64>) -> Plan {
    let profile = |per_s: u64| Some(RateProfile::Constant(Rate::new(per_s * 1_000).unwrap()));
    Plan {
        connections,
        senders: connections,
        workers,
        connects: profile(100),
        script: Script::Echo,
        load: Some(Load::Open { rate: Rate::new(rate * 1_000).unwrap() }),
        messages: profile(rate),
        arrivals: Arrivals::Constant,
        pings: None,
        number,
        seed: 42,
    }
}

fn poisson(connections: u64, workers: u64, rate: u64, number: Option<u64>) -> Plan {
    Plan { arrivals: Arrivals::Poisson, ..plan(connections, workers, rate, number) }
}

#[test]
fn pings_of_many_processes_are_spread_evenly_over_an_interval() {
    let pings = Some(RateProfile::every(std::time::Duration::from_secs(60), 1_020));
    let of = |index| {
        let segment = crate::segment::Segment::new(index, 51).unwrap();
        let plan = Plan { pings: pings.clone(), ..plan(1_020, segment.workers(1), 1, None) };
        plan.pings(segment.worker(0)).unwrap().take(40).map(|ping| ping.due_ns)
    };
    let mut due: Vec<u64> = (1..=51).flat_map(of).collect();
    due.sort_unstable();
    let is_even = |pair: &[u64]| (pair[1] - pair[0]).abs_diff(60_000_000_000 / 1_020) <= 1;
    assert!(due.windows(2).all(is_even));
}

#[test]
fn any_split_has_the_same_connections() {
    let whole: Vec<_> = plan(10, 1, 7, Some(33)).connections(WorkerIndex(0)).collect();
    assert_eq!(whole.len(), 10);
    assert_eq!(whole[3].start_ns, Some(30_000_000));
    assert_eq!(whole.iter().map(|c| c.messages).sum::<u64>(), 33);
    let independent: Vec<_> = poisson(10, 1, 7, Some(33)).connections(WorkerIndex(0)).collect();
    assert!(independent.is_sorted_by_key(|connection| connection.start_ns));
    assert_ne!(independent, whole);
    for workers in 1..=10 {
        for (plan, whole) in [
            (plan(10, workers, 7, Some(33)), &whole),
            (poisson(10, workers, 7, Some(33)), &independent),
        ] {
            let mut parts: Vec<_> =
                (0..workers).flat_map(|w| plan.connections(WorkerIndex(w))).collect();
            parts.sort_by_key(|connection| connection.index);
            assert_eq!(&parts, whole, "{workers} workers");
            assert_eq!((0..workers).map(|w| plan.slots(WorkerIndex(w))).sum::<u64>(), 10);
        }
    }
}

#[test]
fn any_split_has_the_same_messages_at_the_same_times() {
    let whole: Vec<_> = plan(10, 1, 1_000, Some(57)).sends(WorkerIndex(0)).unwrap().collect();
    assert_eq!(whole.len(), 57);
    assert_eq!(whole[12], Send { due_ns: 12_000_000, connection: ConnectionIndex(2), sequence: 1 });
    let independent: Vec<_> =
        poisson(10, 1, 1_000, Some(57)).sends(WorkerIndex(0)).unwrap().collect();
    assert_eq!(independent.len(), 57);
    for workers in 1..=10 {
        for (plan, whole) in [
            (plan(10, workers, 1_000, Some(57)), &whole),
            (poisson(10, workers, 1_000, Some(57)), &independent),
        ] {
            let mut parts = Vec::new();
            for worker in 0..workers {
                let sends: Vec<_> = plan.sends(WorkerIndex(worker)).unwrap().collect();
                assert!(sends.is_sorted_by_key(|send| send.due_ns), "{workers} workers");
                parts.extend(sends);
            }
            parts.sort_by_key(|send| send.due_ns);
            assert_eq!(&parts, whole, "{workers} workers");
        }
    }
}

#[test]
fn what_is_left_is_what_would_still_come() {
    for workers in [1, 3, 7] {
        for plan in [plan(7, workers, 100, Some(240)), plan(7, workers, 100, None)] {
            for worker in 0..workers {
                let mut sends = plan.sends(WorkerIndex(worker)).unwrap();
                for _ in 0..40 {
                    for ns in [0, 1, 500_000_000, 1_230_000_000, 9_000_000_000] {
                        let come = sends.clone().take_while(|send| send.due_ns < ns).count();
                        assert_eq!(sends.left_before(ns), come as u64, "{worker}/{workers}");
                    }
                    sends.next();
                }
            }
        }
    }
}

/// Returns every connection and every message of a command line, in order.
fn planned(line: &str) -> (Vec<ConnectionPlan>, Vec<Send>) {
    use crate::cli::{Command, Parsed, parse};
    let words = std::iter::once("loadgen").chain(line.split(' ')).map(Into::into);
    let Parsed::Command(command) = parse(words) else { panic!("{line}") };
    let Command::Run(args) = *command else { panic!("{line}") };
    let config = Config::of_run(args).unwrap();
    let plan = Plan::new(&config);
    let (mut connections, mut sends) = (Vec::new(), Vec::new());
    for thread in 0..config.threads.get() as u64 {
        let worker = config.part().worker(thread);
        connections.extend(plan.connections(worker));
        sends.extend(plan.sends(worker).into_iter().flatten());
    }
    assert_eq!(connections.len() as u64, config.connections_here());
    (connections, sends)
}

#[test]
fn segments_together_are_one_run_whatever_their_threads() {
    for arrivals in ["", " --arrivals poisson", " --stage 2s:900"] {
        segments_are_one_run(&format!("run ws://h/ -c 47 -n 1234 -R 333 -C 70 --seed 1{arrivals}"));
    }
}

fn segments_are_one_run(line: &str) {
    let (mut connections, mut sends) = planned(&format!("{line} -t 1"));
    connections.sort_by_key(|connection| connection.index);
    sends.sort_by_key(|send| send.due_ns);
    assert_eq!((connections.len(), sends.len()), (47, 1_234));
    for of in [2, 10, 47] {
        let mut parts = (Vec::new(), Vec::new());
        for index in 1..=of {
            let (some, more) =
                planned(&format!("{line} -t {} --segment {index}/{of}", index % 5 + 1));
            parts.0.extend(some);
            parts.1.extend(more);
        }
        parts.0.sort_by_key(|connection| connection.index);
        parts.1.sort_by_key(|send| send.due_ns);
        assert_eq!(parts.0, connections, "{of}");
        assert_eq!(parts.1, sends, "{of}");
    }
}

#[test]
fn shares_of_a_number_are_what_the_schedule_sends() {
    let plan = plan(7, 2, 100, Some(24));
    let mut sent = [0; 7];
    for send in plan.sends(WorkerIndex(0)).unwrap().chain(plan.sends(WorkerIndex(1)).unwrap()) {
        assert_eq!(sent[usize::try_from(send.connection.0).unwrap()], send.sequence);
        sent[usize::try_from(send.connection.0).unwrap()] += 1;
    }
    let shares: Vec<_> = (0..7).map(|index| share(Some(24), 7, ConnectionIndex(index))).collect();
    assert_eq!(shares, sent);
}

#[test]
fn pings_of_a_held_connection_are_an_interval_apart_and_spread_over_connections() {
    let mut plan = plan(3, 2, 1, None);
    plan.script = Script::Hold;
    let interval = std::time::Duration::from_secs(30);
    plan.load = Some(Load::Every { interval });
    plan.messages = Some(RateProfile::every(interval, plan.connections));
    let due = |worker| -> Vec<_> {
        let sends = plan.sends(WorkerIndex(worker)).unwrap().take(4);
        sends.map(|send| (send.connection.0, send.due_ns / 1_000_000_000)).collect()
    };
    assert_eq!(due(0), [(0, 0), (2, 20), (0, 30), (2, 50)]);
    assert_eq!(due(1), [(1, 10), (1, 40), (1, 70), (1, 100)]);
    let connections: Vec<_> = plan.connections(WorkerIndex(1)).collect();
    assert_eq!((connections.len(), connections[0].messages), (1, u64::MAX));
}

#[test]
fn pings_beside_messages_are_spread_over_an_interval_by_any_split() {
    let interval = std::time::Duration::from_millis(500);
    for workers in [1, 3] {
        // Only messages have Poisson arrivals.
        let plan = Plan {
            pings: Some(RateProfile::every(interval, 10)),
            ..poisson(10, workers, 1_000, Some(7))
        };
        let own =
            |worker| plan.pings(WorkerIndex(worker)).unwrap().take_while(|send| send.sequence < 3);
        let mut pings: Vec<_> = (0..workers).flat_map(own).collect();
        pings.sort_by_key(|send| send.due_ns);
        let due_ms: Vec<_> = pings.iter().map(|send| send.due_ns / 1_000_000).collect();
        assert_eq!(due_ms, (0..30).map(|n| n * 50).collect::<Vec<_>>());
        assert!((0..30).all(|n| pings[n].connection.0 == n as u64 % 10));
    }
    assert!(plan(10, 1, 5, None).pings(WorkerIndex(0)).is_none());
}

#[test]
fn connections_without_end_when_each_is_closed_at_once() {
    let mut plan = plan(4, 2, 1, None);
    plan.script = Script::OpenClose;
    assert_eq!(plan.connections(WorkerIndex(1)).nth(100_000).unwrap().index.0, 200_001);
    plan.number = Some(5);
    let count = |worker| plan.connections(WorkerIndex(worker)).count();
    assert_eq!((count(0), count(1)), (3, 2));
}

#[test]
fn connections_begin_faster_and_faster_in_a_stage() {
    let stages = crate::config::Stages {
        start_per_1000_s: 0,
        stages: [crate::config::Stage {
            length: std::time::Duration::from_secs(10),
            per_1000_s: 100_000,
        }]
        .into(),
    };
    let mut plan = plan(4, 2, 1, None);
    plan.script = Script::OpenClose;
    plan.connects = Some(RateProfile::staged(&stages, std::time::Duration::ZERO));
    let starts: Vec<_> =
        plan.connections(WorkerIndex(1)).map_while(|c| c.start_ns).take(250).collect();
    let early = starts.iter().filter(|&&ns| ns < 5_000_000_000).count();
    assert!(early.abs_diff(62) <= 1, "a quarter of them in half of the time: {early}");
}
