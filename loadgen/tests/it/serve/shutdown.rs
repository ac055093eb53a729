//! `loadgen serve` with a thousand clients when it is told to end.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Peer, close_frame};
use crate::served::Served;
use loadgen::host::DescriptorLimit;

const CLIENTS: usize = 1_000;

/// Ends a server with SIGTERM, of whose clients so many answer its Close; how long that took.
/// Fails if it takes half a minute, which only the bounds of an hour would.
fn terminate(shutdown_timeout: &str, answering: usize) -> Duration {
    let bounds =
        ["--close-timeout", "3600s", "--idle-timeout", "0", "--handshake-timeout", "3600s"];
    let bounds = [&bounds[..], &["-t", "2", "--shutdown-timeout", shutdown_timeout]].concat();
    let server = Served::start(&bounds);
    let address = server.address;
    let peers: Vec<_> = (0..CLIENTS).map(|_| Peer::open(address)).collect();
    let clients = thread::spawn(move || {
        let mut silent = Vec::new();
        for (number, mut peer) in peers.into_iter().enumerate() {
            assert_eq!(peer.read_close(), (1001, "the server shuts down".into()));
            if number < answering {
                peer.send(&close_frame(1001, ""));
                assert_eq!(peer.read_to_end(), b"");
            } else {
                silent.push(peer);
            }
        }
        silent
    });
    let begin = Instant::now();
    let (status, said, talk) = server.stop();
    let took = begin.elapsed();
    assert_eq!(status.code(), Some(0), "{said}{talk}");
    assert_eq!(clients.join().unwrap().len(), CLIENTS - answering);
    assert!(talk.contains("shutting down: closing 1,000 connections"), "{talk}");
    assert!(said.contains("established 1000\n"), "{said}");
    assert!(said.contains("closes        1001: 1000\n"), "{said}");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    took
}

#[test]
fn e12_sigterm_is_told_to_a_thousand_clients_and_waits_no_longer_than_for_them() {
    DescriptorLimit::raise().unwrap();
    terminate("3600s", CLIENTS);
    // Who doesn't answer is waited for, and as long as was asked for.
    let took = terminate("1s", CLIENTS / 2);
    assert!(took >= Duration::from_secs(1), "{took:?}");
}
