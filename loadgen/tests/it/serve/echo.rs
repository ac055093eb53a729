//! The reference server with clients that behave: every size, both modes, closing, shutdown.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{
    PATIENCE, Peer, assert_balanced, close_frame, config, frame, request, start, wait_for,
};
use loadgen::serve::{Mode, ServeConfig, Server, ServerHandle, Totals};

#[test]
fn every_size_edge_comes_back_as_it_was_sent() {
    let server = start(&config());
    let mut peer = Peer::open(server.local_addr());
    let sizes = [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 1 << 20, 5_000_000];
    for size in sizes {
        let payload: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[0] ^ 0x5a).collect();
        peer.echo(0x82, &payload);
        peer.echo(0x81, "ä".repeat(payload.len() / 2).as_bytes());
    }
    let totals = server.totals();
    assert_eq!((totals.messages_received, totals.messages_sent), (24, 24));
}

#[test]
fn fragments_come_back_as_one_message_and_pings_between_are_answered() {
    let server = start(&config());
    let mut peer = Peer::open(server.local_addr());
    let parts = [
        frame(0x01, b"Hel"),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x80, b"lo"),
        frame(0x89, b""),
    ];
    peer.send(&parts.concat());
    assert_eq!(peer.read_frame(), (0x8a, b"ping".to_vec()));
    assert_eq!(peer.read_frame(), (0x81, b"Hello".to_vec()));
    assert_eq!(peer.read_frame(), (0x8a, Vec::new()));
}

#[test]
fn e06_one_byte_a_packet_is_served_as_any() {
    let server = start(&config());
    let mut peer = Peer::connect(server.local_addr());
    for byte in request("").as_bytes() {
        peer.send(&[*byte]);
    }
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    for byte in frame(0x81, "in small steps: ä€😀".repeat(20).as_bytes()) {
        peer.send(&[byte]);
    }
    assert_eq!(peer.read_frame(), (0x81, "in small steps: ä€😀".repeat(20).into_bytes()));
}

#[test]
fn r34_frames_glued_to_the_request_are_answered_after_the_101() {
    let server = start(&config());
    let mut peer = Peer::connect(server.local_addr());
    let bytes = [request("").into_bytes(), frame(0x81, b"one"), frame(0x82, b"two")].concat();
    peer.send(&bytes);
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.read_frame(), (0x81, b"one".to_vec()));
    assert_eq!(peer.read_frame(), (0x82, b"two".to_vec()));
}

#[test]
fn a_sink_counts_and_answers_pings_only() {
    let server = start(&ServeConfig { mode: Mode::Sink, ..config() });
    let mut peer = Peer::open(server.local_addr());
    peer.send(&[frame(0x81, b"one"), frame(0x82, &vec![0; 70_000]), frame(0x89, b"?")].concat());
    assert_eq!(peer.read_frame(), (0x8a, b"?".to_vec()));
    let totals = server.totals();
    assert_eq!((totals.messages_received, totals.messages_sent), (2, 0));
}

#[test]
fn s7_1_1_the_server_answers_close_and_ends_the_stream_first() {
    let server = start(&config());
    let rows: [(Vec<u8>, u16, &[u8]); 4] = [
        (close_frame(1000, "bye"), 1000, &[0x88, 2, 0x03, 0xe8]),
        (close_frame(3001, ""), 3001, &[0x88, 2, 0x0b, 0xb9]),
        (frame(0x88, b""), 1005, &[0x88, 0]),
        (frame(0x88, b"\x03"), 1002, b"\x88\x0f\x03\xeaclose_payload"),
    ];
    for (sent, counted, answer) in rows {
        let before = server.totals().closes.get(&counted).copied().unwrap_or_default();
        let mut peer = Peer::open(server.local_addr());
        peer.send(&sent);
        let said = peer.read_to_end();
        assert_eq!(said, answer, "one Close, and the end of the stream");
        drop(peer);
        wait_for(&server, "counted", |totals| totals.closes.get(&counted) == Some(&(before + 1)));
    }
    let totals = server.shutdown();
    assert_eq!(totals.closes, BTreeMap::from([(1000, 1), (1002, 1), (1005, 1), (3001, 1)]));
    assert_balanced(&totals);
}

#[test]
fn what_comes_after_close_is_dropped_and_destroys_nothing() {
    let server = start(&config());
    let mut peer = Peer::open(server.local_addr());
    let after = frame(0x82, &vec![0; 300_000]);
    peer.send(&[close_frame(1000, ""), after].concat());
    assert_eq!(peer.read_close().0, 1000);
    assert_eq!(peer.read_to_end(), b"");
    assert_eq!(server.totals().messages_received, 0);
}

#[test]
fn e13_a_client_that_half_closes_is_answered_first() {
    let server = start(&config());
    let long = vec![7; 3_000_000];
    let long_reply = [&[0x82, 127][..], &3_000_000_u64.to_be_bytes(), &long].concat();
    let rows = [
        (Vec::new(), Vec::new()),
        (frame(0x81, b"last"), b"\x81\x04last".to_vec()),
        (frame(0x82, &long), long_reply),
    ];
    for (last, reply) in rows {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&[request("").as_bytes(), &last].concat());
        peer.stream.shutdown(Shutdown::Write).unwrap();
        assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
        let said = peer.read_to_end();
        assert!(said == reply, "{} bytes of {}", said.len(), reply.len());
    }
    wait_for(&server, "ended", |totals| totals.closes.get(&1006) == Some(&3));
}

#[test]
fn many_clients_are_spread_over_the_threads_and_served_at_once() {
    const CLIENTS: usize = 600;
    let server = start(&ServeConfig { threads: NonZeroUsize::new(3).unwrap(), ..config() });
    let mut peers: Vec<_> = (0..CLIENTS).map(|_| Peer::open(server.local_addr())).collect();
    for round in 0..3_u8 {
        for peer in &mut peers {
            peer.send(&frame(0x82, &[round; 100]));
        }
        for peer in &mut peers {
            assert_eq!(peer.read_frame(), (0x82, vec![round; 100]));
        }
    }
    assert_eq!(server.totals().open, CLIENTS as u64);
    for peer in &mut peers {
        peer.send(&close_frame(1000, ""));
    }
    for peer in &mut peers {
        assert_eq!(peer.read_close().0, 1000);
        assert_eq!(peer.read_to_end(), b"");
    }
    drop(peers);
    let totals = wait_for(&server, "closed", |totals| totals.open == 0);
    assert_eq!(totals.closes, BTreeMap::from([(1000, CLIENTS as u64)]));
    assert_eq!(totals.messages_received, 3 * CLIENTS as u64);
    assert_balanced(&totals);
}

/// Longer than any test: a bound that is not the one that ends something.
const NEVER: Duration = Duration::from_secs(3_600);

/// Shuts a server down; fails if that takes as long as only a server does that waits for what it
/// shouldn't.
fn shut_down(server: ServerHandle) -> Totals {
    let (sender, totals) = std::sync::mpsc::channel();
    thread::spawn(move || sender.send(server.shutdown()).ok());
    totals.recv_timeout(PATIENCE).expect("the server ends")
}

#[test]
fn e12_shutdown_tells_everybody_1001_and_ends_at_once_if_all_answer() {
    const CLIENTS: usize = 200;
    let threads = NonZeroUsize::new(2).unwrap();
    let server = start(&ServeConfig { threads, shutdown_timeout: NEVER, ..config() });
    let address = server.local_addr();
    let peers: Vec<_> = (0..CLIENTS).map(|_| Peer::open(address)).collect();
    let clients = thread::spawn(move || {
        for mut peer in peers {
            assert_eq!(peer.read_close().0, 1001);
            peer.send(&close_frame(1001, ""));
            assert_eq!(peer.read_to_end(), b"");
        }
    });
    let totals = shut_down(server);
    clients.join().unwrap();
    assert_eq!(totals.closes, BTreeMap::from([(1001, CLIENTS as u64)]));
    assert_balanced(&totals);
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn e12_shutdown_is_bounded_whatever_clients_do() {
    let shutdown_timeout = Duration::from_millis(300);
    let (handshake_timeout, close_timeout) = (NEVER, NEVER);
    let server = start(&ServeConfig {
        shutdown_timeout,
        handshake_timeout,
        close_timeout,
        idle_timeout: None,
        ..config()
    });
    let mut silent = Peer::open(server.local_addr());
    let in_head = Peer::connect(server.local_addr());
    wait_for(&server, "both accepted", |totals| totals.open == 2);
    let start = Instant::now();
    let totals = shut_down(server);
    assert!(start.elapsed() >= shutdown_timeout);
    assert_eq!(silent.read_close().0, 1001);
    assert_eq!(totals.rejected, BTreeMap::from([("shutdown", 1)]));
    assert_balanced(&totals);
    drop(in_head);
}

#[test]
fn dropping_the_handle_shuts_down() {
    let shutdown_timeout = Duration::ZERO;
    let server = start(&ServeConfig { shutdown_timeout, ..config() });
    let mut peer = Peer::open(server.local_addr());
    drop(server);
    assert_eq!(peer.read_close().0, 1001);
}

#[test]
fn e19_a_port_in_use_is_an_error_with_its_name() {
    let server = start(&config());
    let error = Server::bind(&ServeConfig { listen: server.local_addr(), ..config() }).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&server.local_addr().to_string()), "{error}");
}
