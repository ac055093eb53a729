//! An idle user of a scenario takes little more memory than an idle connection.
//!
//! The engine runs in this process, whose allocations are counted, and the server in another. One
//! test, because what is counted is the process's.

#[path = "it/served.rs"]
mod served;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use dhat::{HeapStats, Profiler};
use loadgen::cli::{Command, Parsed, parse};
use loadgen::config::Config;
use loadgen::net::Routes;
use loadgen::{coordinator, payload};
use served::Served;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes of an idle user beyond those of an idle connection. At most 400 are to be resident; these
/// are those that are asked for, and an allocator rounds each up. 290 were counted, 12 more or less by
/// the moment at which most are in use.
const BYTES_MAX: usize = 340;
/// Connections of two runs, by whose difference one is measured.
const FEW: usize = 500;
const MANY: usize = 1_500;

/// Runs a command with so many connections, and returns the most bytes that were in use.
fn most_bytes(address: SocketAddr, command: &str, count: usize) -> usize {
    let line = format!("loadgen {command} ws://{address}/ -t 1 -c {count} -d 1s -q");
    let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!("{line}") };
    let config = Arc::new(match *command {
        Command::Hold(args) => Config::of_hold(args).unwrap(),
        Command::Play(args) => Config::of_play(args).unwrap(),
        _ => panic!("{line}"),
    });
    let request = payload::first_request(config.targets.first(), &config.request).unwrap();
    let routes = Arc::new(Routes::direct(address, request, &config.network));
    let profiler = Profiler::builder().testing().build();
    let observed = coordinator::run(&config, &routes, None, None, &mut ()).unwrap();
    let stats = HeapStats::get();
    drop(profiler);
    let open = observed.workers.iter().map(|worker| worker.metrics.established);
    assert_eq!(open.sum::<u64>(), count as u64, "{line}");
    stats.max_bytes
}

#[test]
fn an_idle_user_takes_few_bytes() {
    let server = Served::start(&["-t", "1"]);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/costs/idle.toml");
    let play = format!("play {}", scenario.display());
    most_bytes(server.address, "hold", 100); // what is made once in a process
    let [hold, play] = ["hold", &play].map(|command| {
        let [few, many] = [FEW, MANY].map(|count| most_bytes(server.address, command, count));
        (many - few) / (MANY - FEW)
    });
    println!("an idle connection: {hold} bytes, an idle user: {play}");
    assert!(play <= hold + BYTES_MAX, "{play} bytes for a user, {hold} for a connection");
}
