//! A server that claims much and sends nothing: no memory is reserved for what a header says.
//!
//! The engine runs in this process, whose allocations are counted. One test, because what is counted
//! is the process's.

#[path = "it/scripted.rs"]
mod scripted;

use std::io::{Read, Write};
use std::sync::Arc;

use dhat::{HeapStats, Profiler};
use loadgen::cli::{Command, Parsed, parse};
use loadgen::config::Config;
use loadgen::net::Routes;
use loadgen::{coordinator, payload};
use scripted::{Scripted, frame, read_frame, upgrade};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CONNECTIONS: u64 = 3;
/// By how much two runs may differ that do the same.
const SLACK: usize = 512 << 10;
const MIB: u64 = 1 << 20;

/// Runs `args` and returns the most bytes that were in use, and the failures by their names.
fn peak(server: &Scripted, args: &str) -> (usize, Vec<(String, u64)>) {
    let address = server.address;
    let line = format!("loadgen run ws://{address}/ -t 1 -c {CONNECTIONS} -q -d 60s {args}");
    let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!("{line}") };
    let Command::Run(args) = *command else { panic!("{line}") };
    let config = Arc::new(Config::of_run(args).unwrap());
    let request = payload::first_request(config.targets.first(), &config.request).unwrap();
    let routes = Arc::new(Routes::direct(address, request, &config.network));
    let profiler = Profiler::builder().testing().build();
    let observed = coordinator::run(&config, &routes, None, None, &mut ()).unwrap();
    let stats = HeapStats::get();
    drop(profiler);
    let failures = observed.workers.iter().flat_map(|worker| worker.metrics.failures.iter());
    let named = failures.map(|(failure, seen)| (failure.code.to_string(), seen.count));
    (stats.max_bytes, named.collect())
}

/// A server that answers the first message with one of `claims`, by the connection's number, of
/// which the rest is missing.
fn start(claims: [Vec<u8>; 3]) -> Scripted {
    Scripted::start(move |mut stream, number| {
        upgrade(&mut stream);
        let Some((first, payload)) = read_frame(&mut stream) else { return };
        stream.write_all(&[frame(first, &payload), claims[number].clone()].concat()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
    })
}

#[test]
fn d14_what_a_header_claims_is_not_reserved() {
    let path = std::env::temp_dir().join(format!("loadgen-{}-claims", std::process::id()));
    std::fs::write(&path, "64\n".repeat(100) + "64M\n").unwrap();
    let large = format!("-s file:{}", path.display());
    let claim = |first: u8, len: u64| [&[first, 127][..], &len.to_be_bytes()].concat();
    let begun = |len: u64| [&[0x02, 1, b'x'][..], &claim(0x80, len)].concat();
    // Two that are too big, and one that isn't: it is not there yet, either.
    for (args, too_big, claims) in [
        (
            "-b",
            "frame_too_big",
            [claim(0x82, u64::MAX >> 1), claim(0x82, 16 * MIB + 1), claim(0x82, 16 * MIB)],
        ),
        (&large, "message_too_big", [begun(64 * MIB), begun(64 * MIB), begun(64 * MIB - 1)]),
    ] {
        let (idle, _) = peak(&start(<[_; 3]>::default()), args);
        let (claimed, failures) = peak(&start(claims), args);
        let expected = [("eof".to_owned(), 1), (too_big.to_owned(), 2)];
        assert_eq!(failures, expected, "{args}");
        assert!(claimed < idle + SLACK, "{args}, {too_big}: {idle} bytes grew to {claimed}");
    }
    std::fs::remove_file(&path).unwrap();
}
