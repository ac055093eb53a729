//! A report for tests: two connections, one of them slow, and nothing wrong.

use std::net::SocketAddr;
use std::time::SystemTime;

use wscodec::handshake::ClientRequest;

use super::{Report, Subject};
use crate::cli::{Command, Parsed, parse};
use crate::config::Config;
use crate::coordinator::Observed;
use crate::host::Host;
use crate::metrics::{Closing, Metric, Metrics, Side};
use crate::net::Routes;
use crate::worker::{Times, WorkerReport};

/// Returns what `loadgen run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s --seed 7` might have measured.
pub(crate) fn sample() -> Report {
    sample_of("run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s --seed 7")
}

/// Returns what a command line might have measured.
pub(crate) fn sample_of(line: &str) -> Report {
    let words = std::iter::once("loadgen").chain(line.split(' ')).map(Into::into);
    let Parsed::Command(command) = parse(words) else { panic!("{line}") };
    let config = match *command {
        Command::Run(args) => Config::of_run(args).unwrap(),
        Command::Connect(args) => Config::of_connect(args).unwrap(),
        Command::Fanout(args) => Config::of_fanout(args).unwrap(),
        _ => panic!("{line}"),
    };
    let mut metrics = Metrics { attempted: 2, established: 2, completed: 2, ..Metrics::default() };
    metrics.arrivals.arrived = 4;
    metrics.closings.insert(Closing { by: Side::Client, code: 1000, is_clean: true }, 2);
    metrics.held = 2;
    (metrics.measured.sent, metrics.measured.received) = (4, 4);
    (metrics.bytes_sent, metrics.bytes_received) = (1_000, 900);
    let durations = &mut metrics.distributions;
    for ns in [20_000, 30_000] {
        durations.record(Metric::ConnectUpgrade, ns);
    }
    for ns in [50_000, 60_000, 70_000, 5_000_000] {
        durations.record(Metric::RttService, ns);
    }
    let times = Times {
        load_begin_ns: 10_000_000,
        window_begin_ns: 10_000_000,
        window_end_ns: 1_010_000_000,
    };
    let worker = WorkerReport {
        metrics,
        cohorts: Vec::new(),
        settled_ns: 5_000_000,
        load_begin_ns: Some(times.load_begin_ns),
        load_end_ns: times.window_end_ns,
        is_cut: false,
        drain_end_ns: times.window_end_ns + 1_000,
        end_ns: times.window_end_ns + 2_000,
        counted_ns: times.window_end_ns - times.load_begin_ns,
        cpu_ns: 100_000_000,
        wait_ns: None,
        spun_ns: 0,
    };
    let observed = Observed {
        workers: vec![worker],
        times: Some(times),
        rows: Vec::new(),
        interval_ns: 1_000_000_000,
        pause_max_ns: 0,
        aborted: None,
        is_interrupted: false,
        process_cpu_ns: 100_000_000,
        wall_ns: times.window_end_ns + 3_000,
        rss_before: None,
        rss_open: None,
        rss_max: Some(10_000_000),
        quota: None,
        watched: None,
        faults: Vec::new(),
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 9001));
    let request = ClientRequest::new("127.0.0.1:9001", "/").unwrap();
    Report::new(
        &Subject {
            config: &config,
            routes: &Routes::direct(address, request, &config.network),
            started_at: SystemTime::UNIX_EPOCH,
            host: &Host::read(),
        },
        &observed,
    )
}
