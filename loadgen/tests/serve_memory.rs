//! The reference server's memory with clients that want much of it. One test at a time: what is
//! measured is the process's.

#[path = "it/peer.rs"]
mod peer;

use std::io::Read;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use peer::{Peer, close_frame, config, fill, frame, request, resident, start, wait_for};

/// What sockets buffer in the kernel doesn't count, and neither does what the allocator keeps.
const MEMORY_SLACK: u64 = 12 << 20;

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything until the end of the stream, as a number of bytes.
fn count_to_end(mut stream: TcpStream) -> u64 {
    let mut buffer = vec![0; 1 << 20];
    let mut count = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return count,
            len => count += len as u64,
        }
    }
}

/// A client that sends `unit` and never reads is read from no more at some point, and served again
/// once it reads.
fn assert_paused(unit: &[u8], replies_len: impl Fn(u64) -> RangeInclusive<u64>) {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    let mut peer = Peer::open(server.local_addr());
    let before = resident();
    let (sent, rest) = fill(&server, &peer.stream, unit);
    let after = resident();
    assert!(after < before + MEMORY_SLACK, "{before} bytes grew to {after}");
    healthy.echo(0x81, b"not disturbed");

    let reading = peer.stream.try_clone().unwrap();
    let reader = thread::spawn(move || count_to_end(reading));
    peer.send(rest);
    peer.send(&close_frame(1000, ""));
    let count = (sent + rest.len() as u64) / unit.len() as u64;
    let (replied, expected) = (reader.join().unwrap() - 4, replies_len(count));
    assert!(expected.contains(&replied), "{replied} bytes, not {expected:?}");
    healthy.echo(0x81, b"not disturbed");
}

#[test]
fn e05_a_client_that_sends_and_never_reads_is_paused() {
    let _alone = alone();
    let message = frame(0x82, &vec![7; 1 << 20]);
    let echo_len = message.len() as u64 - 4;
    assert_paused(&message, |count| count * echo_len..=count * echo_len);
}

#[test]
fn e04_a_flood_of_pings_from_a_client_that_never_reads_is_paused() {
    let _alone = alone();
    let pings = frame(0x89, &[7; 125]).repeat(100);
    // Of many pings at once not all need an answer (RFC 6455, 5.5.3).
    assert_paused(&pings, |count| 127..=count * 100 * 127);
}

#[test]
fn a_header_that_claims_much_costs_nothing() {
    const CLIENTS: usize = 200;
    let _alone = alone();
    let server = start(&config());
    let mut peers: Vec<_> = (0..CLIENTS).map(|_| Peer::open(server.local_addr())).collect();
    let before = resident();
    let claim = [&[0x82, 0xff], &(16_u64 << 20).to_be_bytes()[..], &[0; 4], b"some"].concat();
    for peer in &mut peers {
        peer.send(&claim);
    }
    let received = (CLIENTS * (request("").len() + claim.len())) as u64;
    wait_for(&server, "all read", |totals| totals.bytes_received == received);
    let after = resident();
    assert!(after < before + MEMORY_SLACK, "{before} bytes grew to {after}");
}
