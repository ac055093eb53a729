//! A message that comes in one read costs no allocation, and memory doesn't grow with the length of
//! a run.
//!
//! The engine runs in this process, whose allocations are counted, and the server in another. One
//! test, because what is counted is the process's.

#[path = "it/scripted.rs"]
mod scripted;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Instant;

use dhat::{HeapStats, Profiler};
use loadgen::cli::{Command, Parsed, parse};
use loadgen::config::Config;
use loadgen::metrics::Metrics;
use loadgen::net::Routes;
use loadgen::{coordinator, payload};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Allocations by which two runs may differ that have nothing to do with messages: queues that grow
/// while a busy machine has messages wait, and for each second rows of the time series with their
/// steps and rules. The longer run has 20,000 more messages: 17 to 30 more were counted on an idle
/// machine, up to 74 on a busy one.
const SLACK_BLOCKS: u64 = 120;
const SLACK_BLOCKS_PER_S: u64 = 25;
const SLACK_BYTES: usize = 512 << 10;

/// Runs `args` and returns the allocations it took, the most bytes that were in use, and the
/// messages that came back, or the iterations that were done.
fn cost(address: SocketAddr, command: &str, args: &str) -> (u64, usize, u64) {
    let line = format!("loadgen {command} ws://{address}/ -t 1 -c 10 -q {args}");
    let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!("{line}") };
    let config = Arc::new(match *command {
        Command::Run(args) => Config::of_run(args).unwrap(),
        Command::Play(args) => Config::of_play(args).unwrap(),
        _ => panic!("{line}"),
    });
    let request = payload::first_request(config.targets.first(), &config.request).unwrap();
    let routes = Arc::new(Routes::direct(address, request, &config.network));
    let profiler = Profiler::builder().testing().build();
    let observed = coordinator::run(&config, &routes, None, None, &mut ()).unwrap();
    let stats = HeapStats::get();
    drop(profiler);
    let metrics = observed.workers.iter().map(|worker| &worker.metrics);
    let done =
        |metrics: &Metrics| metrics.measured.received + metrics.scenario.iterations.completed;
    let received = metrics.map(done).sum();
    (stats.total_blocks, stats.max_bytes, received)
}

/// Scenarios that an echo server answers: requests by id, with values kept; the same in flight at
/// once; and messages that a rule takes.
struct Scenarios([PathBuf; 3]);

impl Scenarios {
    fn new() -> Self {
        const ASK: &str = "[reply]\nid = \"/id\"\nfail = { has = \"/error\" }\n\
            [[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n[[step]]\nname = \"ask\"\n\
            send = '{\"id\":{id},\"user\":\"{conn:5}\",\"rand\":\"{rand:9}{rand:100..999}\",\"sum\":\"{sum}\"}'\n\
            capture = { sum = \"/rand\" }\n";
        const PUSH: &str = "[[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\nstamp = true\n\
            [[step]]\nname = \"tell\"\nsend = '{\"push\":\"{stamp}\"}'\nexpect = { contains = \"stamp\" }\n\
            [[step]]\nsend = '{\"push\":{iter}}'\n";
        let overlap = format!("{ASK}overlap = 8\n");
        let write = |(name, text): (&str, &str)| {
            let name = format!("loadgen-allocations-{}-{name}.toml", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self([("ask", ASK), ("overlap", &overlap), ("push", PUSH)].map(write))
    }
}

impl Drop for Scenarios {
    fn drop(&mut self) {
        for path in &self.0 {
            fs::remove_file(path).ok();
        }
    }
}

struct Serve(Child, SocketAddr);

impl Serve {
    fn start() -> Self {
        let mut child =
            scripted::command(&["serve", "--listen", "127.0.0.1:0", "-t", "1"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        let address = address.parse().unwrap();
        Self(child, address)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_message_costs_no_allocation() {
    let server = Serve::start();
    let scenarios = Scenarios::new();
    let plays = scenarios.0.iter().map(|file| format!("play {}", file.display()));
    let plays: Vec<_> = plays.collect();
    cost(server.1, "run", "-n 100"); // what is made once in a process
    let runs = [
        "-p 1",
        "-p 16",
        "-p 1 --recv-time kernel",
        "-p 4 --reconnect --ping-interval 10ms --reply-timeout 5s",
        "-R 20k",
        "-p 4 -s 2000 -b",
        "-p 2 -s 1..300 --fragment 100",
        "-m {seq}/{conn}/{time}/{rand:9}/{rand:0..9}",
        "-H X:{conn:5}{rand:8} -m {seq:9}{conn:5}",
    ];
    let runs = runs.map(|load| ("run", load));
    let plays = plays.iter().flat_map(|play| ["-d 60s", "-R 20k"].map(|load| (&**play, load)));
    for (command, load) in runs.into_iter().chain(plays) {
        let (few_blocks, few_bytes, few) = cost(server.1, command, &format!("{load} -n 1k"));
        let begin = Instant::now();
        let (many_blocks, many_bytes, many) = cost(server.1, command, &format!("{load} -n 21k"));
        let slack = SLACK_BLOCKS + SLACK_BLOCKS_PER_S * begin.elapsed().as_secs();
        assert_eq!((few, many), (1_000, 21_000), "{load}");
        let more = many_blocks.saturating_sub(few_blocks);
        println!(
            "{command} {load}: {few_blocks} allocations, {more} more for 20,000 messages more"
        );
        assert!(more <= slack, "{load}: {few_blocks} allocations grew to {many_blocks}");
        let more = many_bytes.saturating_sub(few_bytes);
        assert!(more < SLACK_BYTES, "{load}: {few_bytes} bytes grew to {many_bytes}");
    }
}
