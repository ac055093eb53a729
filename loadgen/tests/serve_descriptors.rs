//! The reference server when the process runs out of descriptors. Alone in its file: the limit is
//! the process's.

#[path = "it/peer.rs"]
mod peer;

use std::fs::File;
use std::time::{Duration, Instant};

use loadgen::host::DescriptorLimit;
use peer::{Peer, config, request, start, wait_for};
use rustix::process::{Resource, Rlimit, setrlimit};

#[test]
fn e08_accept_waits_for_descriptors_without_spinning_and_recovers() {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    wait_for(&server, "accepted", |totals| totals.established == 1);
    let spare: Vec<File> = (0..8).map(|_| File::open("/dev/null").unwrap()).collect();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let hard = DescriptorLimit::read().hard;
    // The directory's own descriptor is free again: the client's socket takes it, and none is left
    // for accept.
    setrlimit(Resource::Nofile, Rlimit { current: Some(open), maximum: hard }).unwrap();
    let mut waiting = Peer::connect(server.local_addr());
    waiting.send(request("").as_bytes());

    let start = Instant::now();
    let failures = |totals: &loadgen::serve::Totals| {
        totals.accept_errors.get("process_descriptors").copied().unwrap_or_default()
    };
    let totals = wait_for(&server, "accept fails", |totals| failures(totals) >= 4);
    // 10, 20 and 40 ms lie between the first four.
    assert!(start.elapsed() >= Duration::from_millis(50), "accept spins: {totals:?}");
    healthy.echo(0x81, b"not disturbed");

    drop(spare);
    assert!(waiting.read_head().starts_with("HTTP/1.1 101 "));
    waiting.echo(0x81, b"now there is room");
    assert!(failures(&server.totals()) < 20);
}
