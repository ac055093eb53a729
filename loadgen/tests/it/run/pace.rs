//! When messages are sent and connections begun: by the plan, whatever the server or this machine do,
//! and what is late is said.

use std::process::Command;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scripted::{Scripted, assert_balanced, command, echo, finish, loadgen, run_against};
use loadgen::report::Report;

fn honest() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

/// All that was planned for the measured time.
fn planned(report: &Report) -> u64 {
    let counts = &report.messages.as_ref().unwrap().measured;
    counts.sent + counts.unsent_closed + counts.unsent_backlog + counts.unsent_late
}

fn count(report: &Report, metric: &str) -> u64 {
    let found = report.histograms.iter().find(|found| found.metric == metric);
    found.map_or(0, |found| found.count + found.below + found.above)
}

#[test]
fn a_rate_of_each_connection_is_the_rate_in_all() {
    let server = honest();
    let report = run_against(&server, &["-c", "5", "-R", "40/conn", "-d", "500ms"]).report();
    assert_eq!(report.config.rate_per_s, Some(200.0));
    assert_eq!(planned(&report), 100);
    assert_balanced(&report);
}

/// Its measured time, and what it says of its rate.
fn paced(args: &[&str], rate: impl Fn(&Report) -> f64) -> (Duration, f64) {
    let ran = loadgen(&[args, &["-q", "-o", "json=-"]].concat());
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let measured = report.phases.measured.unwrap();
    (Duration::from_nanos(measured.length_ns()), rate(&report))
}

#[test]
fn a_number_at_a_rate_takes_its_time_and_no_rate_is_more_than_was_asked_for() {
    let server = honest();
    let url = server.url();
    let sent = |report: &Report| report.messages.as_ref().unwrap().achieved_per_s;
    let opened = |report: &Report| report.connections.opened_per_s.unwrap();
    for threads in ["1", "2"] {
        let run = ["run", &url, "-t", threads, "-c", "3", "-n", "5", "-R", "10"];
        let connect = ["connect", &url, "-t", threads, "-c", "3", "-n", "5", "-C", "10"];
        for (time, rate) in [paced(&run, sent), paced(&connect, opened)] {
            // The fifth begins after 400 ms, a sixth would after 500.
            assert!(time >= Duration::from_millis(500) && rate <= 10.0, "{time:?} {rate}");
        }
    }
    // But not longer than it may.
    let (time, rate) = paced(&["run", &url, "-n", "9", "-R", "10", "-d", "300ms"], sent);
    assert!(time <= Duration::from_millis(300) && rate <= 10.0, "{time:?} {rate}");
}

/// A rate is over the time that was asked for, not until the last that was due in it; and a thread
/// whose part was over at once is not busy for that.
#[test]
fn p2_a_rate_is_over_the_time_that_was_asked_for() {
    let server = honest();
    let url = server.url();
    let args =
        ["connect", &url, "-t", "2", "-c", "5", "-C", "2", "-d", "1500ms", "-q", "-o", "json=-"];
    let report = loadgen(&args).report();
    let measured = report.phases.measured.unwrap();
    assert_eq!(measured.length_ns(), 1_500_000_000);
    // At 0, 500 and 1,000 ms; the last may have no time left on a busy machine.
    let opened = report.connections.opened;
    assert!((2..=3).contains(&opened), "{opened}");
    let rate = report.connections.opened_per_s.unwrap();
    assert!(rate <= 2.0, "{rate}");
    // FIELD P3.
    for worker in &report.client.workers {
        assert!(worker.load_ns >= 1_400_000_000, "{worker:?}");
    }
    assert_balanced(&report);
}

/// Percentages are of what was due, also where the time is not a multiple of the gaps.
#[test]
fn p4_a_slow_rate_achieves_at_most_what_was_due() {
    let server = honest();
    for (rate, due) in [("0.1", 1), ("1.5", 2)] {
        let args = ["-c", "2", "-R", rate, "-d", "1s", "--threshold", "achieved<=100%"];
        let ran = run_against(&server, &args);
        let report = ran.report();
        assert_eq!(planned(&report), due, "{rate}");
        let [judged] = &report.thresholds[..] else { panic!("{:?}", report.thresholds) };
        assert!(judged.is_passed, "{rate}: {judged:?}");
        assert_balanced(&report);
    }
}

/// Ten messages take a millisecond: nothing can be said of the client.
#[test]
fn p11_ten_messages_are_too_few_for_a_verdict() {
    let server = honest();
    let report = run_against(&server, &["-c", "2", "-n", "10"]).report();
    let load_ns = report.client.workers.iter().map(|worker| worker.load_ns).max().unwrap();
    // Not even on a busy machine is it held against the client.
    if load_ns < 100_000_000 {
        assert_eq!(report.verdict.state.name(), "none");
        assert!(report.verdict.reasons[0].starts_with("too short to judge: load lasted"));
    }
}

#[test]
fn poisson_arrivals_have_the_times_that_the_seed_says() {
    let (sender, seen) = channel();
    let server = Scripted::start(move |stream, _| {
        let sender = sender.clone();
        echo(stream, move |_, _, text| {
            sender.send(str::from_utf8(text).unwrap().to_owned()).unwrap();
            None
        });
    });
    let url = server.url();
    let times = |threads: &str| {
        let args = [
            "run",
            &url,
            "-q",
            "-o",
            "json=-",
            "-c",
            "4",
            "-R",
            "500",
            "-n",
            "300",
            "--arrivals",
            "poisson",
            "--seed",
            "9",
            "-t",
            threads,
            "-m",
            "{time:ns} {conn}",
        ];
        let report = loadgen(&args).report();
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
        assert_balanced(&report);
        let mut times: Vec<_> = seen
            .try_iter()
            .map(|text| {
                let (time, connection) = text.split_once(' ').unwrap();
                (time.parse::<u64>().unwrap(), connection.to_owned())
            })
            .collect();
        times.sort_unstable();
        // From the first on: when load begins is not for the seed to say.
        let first = times[0].0;
        times.into_iter().map(|(ns, of)| (ns - first, of)).collect::<Vec<_>>()
    };
    let one = times("1");
    assert_eq!(one.len(), 300);
    let gaps: Vec<_> = one.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    let mean = gaps.iter().sum::<u64>() / 299;
    assert!((1_600_000..2_500_000).contains(&mean), "{mean}");
    // Of an exponential distribution, 63 % are below the mean, and 5 % are above three of it.
    let below = gaps.iter().filter(|&&gap| gap < mean).count();
    assert!((160..220).contains(&below), "{below}");
    assert!(gaps.iter().filter(|&&gap| gap > 3 * mean).count() > 3);
    assert_eq!(times("3"), one);
}

#[test]
fn stages_go_up_and_down_in_lines() {
    let server = honest();
    let args = ["-c", "3", "--stage", "1s:400", "--stage", "0s:100", "--stage", "1s:100"];
    let ran = run_against(&server, &args);
    let report = ran.report();
    // Half of 400 for a second, then 100 for one.
    assert!(planned(&report).abs_diff(300) <= 1, "{}", planned(&report));
    let measured = report.phases.measured.unwrap();
    assert_eq!(measured.length_ns(), 2_000_000_000);
    let offered = report.messages.as_ref().unwrap().offered_per_s.unwrap();
    assert!((offered - 150.0).abs() < 0.1, "{offered}");
    assert_eq!(report.config.stages.as_ref().unwrap().stages.len(), 3);
    assert_balanced(&report);
    let said = loadgen(&["run", &server.url(), "-c", "1", "--stage", "200ms:50", "-q"]);
    assert!(said.stdout.contains("1 stage, up to 50.0 msg/s"), "{}", said.stdout);
}

#[test]
fn a_warm_up_before_stages_has_the_first_rate() {
    let server = honest();
    let args = ["-c", "2", "-R", "200", "-w", "500ms", "--stage", "500ms:400"];
    let report = run_against(&server, &args).report();
    let messages = report.messages.as_ref().unwrap();
    assert_eq!(messages.warmup.sent, 100);
    assert!(planned(&report).abs_diff(150) <= 1, "{}", planned(&report));
    assert_balanced(&report);
}

#[test]
fn stages_of_connections_begin_faster_and_faster() {
    let server = honest();
    let url = server.url();
    for arrivals in ["constant", "poisson"] {
        let args = [
            "connect",
            &url,
            "-q",
            "-o",
            "json=-",
            "-c",
            "50",
            "--seed",
            "3",
            "--stage",
            "1s:200",
            "--arrivals",
            arrivals,
        ];
        let report = loadgen(&args).report();
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
        let attempted = report.connections.attempted;
        // 100 are planned; independent ones have a deviation of 10.
        let slack = if arrivals == "constant" { 3 } else { 50 };
        assert!(attempted.abs_diff(100) <= slack, "{arrivals} {attempted}");
        assert_eq!(count(&report, "connect.lag"), attempted);
        assert_balanced(&report);
    }
}

#[test]
fn how_late_connections_begin_is_known_also_of_those_that_fail() {
    let server = Scripted::start(|_, _| ());
    let url = server.url();
    let args = ["connect", &url, "-q", "-o", "json=-", "-C", "100", "-n", "20"];
    let report = loadgen(&args).report();
    assert_eq!((report.connections.failed, count(&report, "connect.lag")), (20, 20));
    assert_balanced(&report);
}

#[test]
fn a_client_that_stood_still_leaves_out_what_is_too_late_and_says_so() {
    let server = honest();
    let url = server.url();
    let args = [
        "run",
        &url,
        "-q",
        "-o",
        "json=-",
        "-t",
        "1",
        "-c",
        "2",
        "-R",
        "500",
        "-d",
        "4s",
        "--catch-up",
        "300ms",
    ];
    let child = command(&args).spawn().unwrap();
    let signal = |name: &str| {
        Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    };
    // The fault: it is stopped once connections are open, and for longer than it may catch up.
    let begin = Instant::now();
    while server.accepted.load(std::sync::atomic::Ordering::SeqCst) < 2 {
        assert!(begin.elapsed() < Duration::from_secs(20), "it never connects");
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_millis(500));
    signal("-STOP");
    sleep(Duration::from_millis(1_500));
    signal("-CONT");
    let report = finish(child).report();
    let counts = &report.messages.as_ref().unwrap().measured;
    assert_eq!(planned(&report), 2_000, "{counts:?}");
    // 750 were planned meanwhile, of which 150 could still be sent.
    assert!((450..1_200).contains(&counts.unsent_late), "{counts:?}");
    let lag = report.histograms.iter().find(|found| found.metric == "send.lag").unwrap();
    // What is caught up with may wait for a processor before it is written; 1,500 ms have no bound.
    assert!((100_000_000..1_000_000_000).contains(&lag.max_ns), "{}", lag.max_ns);
    assert_eq!(report.verdict.state.name(), "saturated");
    let reasons = &report.verdict.reasons;
    assert!(reasons.iter().any(|reason| reason.contains("of what was due")), "{reasons:?}");
    assert_balanced(&report);
}

#[test]
fn what_there_is_no_time_left_for_is_counted() {
    let server = honest();
    for arrivals in ["constant", "poisson"] {
        // More than any client can do.
        let load = ["-c", "1", "-R", "100M", "-d", "200ms", "--arrivals", arrivals];
        let bounds = ["--drain-timeout", "0s", "--close-timeout", "200ms"];
        let args = [load.as_slice(), &bounds].concat();
        let report = run_against(&server, &args).report();
        let planned = planned(&report);
        assert!(planned.abs_diff(20_000_000) <= 30_000, "{arrivals}: {planned}");
        assert_eq!(report.verdict.state.name(), "saturated");
        assert_balanced(&report);
    }
}
