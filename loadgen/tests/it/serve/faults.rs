//! The reference server with clients that misbehave: each ends in its counter within its bound, and
//! nobody else notices.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Peer, assert_balanced, close_frame, config, frame, request, start, wait_for};
use loadgen::serve::ServeConfig;

#[test]
fn e01_silence_and_slow_heads_end_at_the_handshake_timeout() {
    let handshake_timeout = Duration::from_millis(400);
    let server = start(&ServeConfig { handshake_timeout, ..config() });
    let mut healthy = Peer::open(server.local_addr());
    let start = Instant::now();
    let mut silent = Peer::connect(server.local_addr());
    let mut slow = Peer::connect(server.local_addr());
    let mut dripping = slow.stream.try_clone().unwrap();
    let drip = thread::spawn(move || {
        // A byte each few milliseconds, for as long as the server takes them: a deadline that a
        // byte moves never comes.
        let head = request(&"X-Slow: 1\r\n".repeat(1000));
        let pace = Duration::from_millis(5);
        dripping.set_read_timeout(Some(pace)).unwrap();
        head.as_bytes().iter().all(|byte| {
            let read = dripping.peek(&mut [0]);
            matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
                && dripping.write_all(&[*byte]).is_ok()
        })
    });
    for _ in 0..50 {
        healthy.echo(0x81, b"still here");
    }
    for peer in [&mut silent, &mut slow] {
        let said = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        peer.stream.shutdown(Shutdown::Both).unwrap();
    }
    assert!(!drip.join().unwrap(), "the server went on listening to a head that drips");
    assert!(start.elapsed() >= handshake_timeout);
    healthy.echo(0x81, b"still here");
    let totals = wait_for(&server, "timed out", |totals| totals.open == 1);
    assert_eq!(totals.rejected, BTreeMap::from([("timeout", 2)]));
    assert_balanced(&totals);
}

#[test]
fn e02_a_silent_client_is_pinged_and_then_closed() {
    let idle_timeout = Some(Duration::from_millis(300));
    let server = start(&ServeConfig { idle_timeout, ..config() });
    let mut alive = Peer::open(server.local_addr());
    let mut dead = Peer::open(server.local_addr());
    let answering = thread::spawn(move || {
        for _ in 0..4 {
            assert_eq!(alive.read_frame(), (0x89, Vec::new()));
            alive.send(&frame(0x8a, b""));
        }
        alive.echo(0x81, b"still here");
        alive.send(&close_frame(1000, ""));
        alive.read_to_end();
    });
    assert_eq!(dead.read_frame(), (0x89, Vec::new()));
    assert_eq!(dead.read_close(), (1001, "no answer to a ping".into()));
    assert_eq!(dead.read_to_end(), b"");
    drop(dead);
    answering.join().unwrap();
    let totals = wait_for(&server, "both gone", |totals| totals.open == 0);
    assert_eq!(totals.closes, BTreeMap::from([(1000, 1), (1001, 1)]));
    assert_balanced(&totals);
}

#[test]
fn a_client_that_never_answers_close_is_cut_off() {
    let close_timeout = Duration::from_millis(200);
    let server = start(&ServeConfig { close_timeout, ..config() });
    let mut peer = Peer::open(server.local_addr());
    peer.send(&frame(0x83, b"")); // opcode 3 is reserved
    assert_eq!(peer.read_close(), (1002, "reserved_opcode".into()));
    assert_eq!(peer.read_to_end(), b"");
    // Its stream is still open, and only the timeout ends the connection.
    let totals = wait_for(&server, "cut off", |totals| totals.open == 0);
    assert_eq!(totals.closes, BTreeMap::from([(1002, 1)]));
    assert_eq!(totals.protocol_errors, BTreeMap::from([("reserved_opcode", 1)]));
    assert_balanced(&totals);
}

#[test]
fn e20_a_client_that_vanishes_with_replies_waiting_frees_them_at_once() {
    let server = start(&config());
    let peer = Peer::open(server.local_addr());
    crate::peer::fill(&server, &peer.stream, &frame(0x82, &vec![7; 1 << 20]));
    peer.reset();
    let totals = wait_for(&server, "freed", |totals| totals.open == 0);
    assert_eq!(totals.closes, BTreeMap::from([(1006, 1)]));
}

#[test]
fn e07_resets_at_every_stage_leave_nothing_behind() {
    const ROUNDS: u64 = 300;
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    for _ in 0..ROUNDS {
        Peer::connect(server.local_addr()).reset();
        let mut in_head = Peer::connect(server.local_addr());
        in_head.send(b"GET / HTTP/1.1\r\n");
        in_head.reset();
        let mut in_frame = Peer::open(server.local_addr());
        in_frame.send(&frame(0x82, &[0; 1000])[..500]);
        in_frame.reset();
    }
    healthy.echo(0x81, b"not disturbed");
    let totals = wait_for(&server, "all gone", |totals| {
        totals.established == ROUNDS + 1 && totals.open == 1
    });
    assert_eq!(totals.closes, BTreeMap::from([(1006, ROUNDS)]));
    assert_balanced(&totals);
}

#[test]
fn e09_connections_beyond_the_limit_are_told_503() {
    let server = start(&ServeConfig { connections_max: 2, ..config() });
    let (mut first, _second) = (Peer::open(server.local_addr()), Peer::open(server.local_addr()));
    let mut third = Peer::connect(server.local_addr());
    third.send(request("").as_bytes());
    let said = String::from_utf8(third.read_to_end()).unwrap();
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("Connection: close"), "{said}");
    drop(third);
    first.send(&close_frame(1000, ""));
    first.read_to_end();
    drop(first);
    let totals = wait_for(&server, "a free seat", |totals| totals.open == 1);
    assert_eq!(totals.rejected, BTreeMap::from([("connections_max", 1)]));
    Peer::open(server.local_addr()).echo(0x81, b"now there is room");
}

#[test]
fn e11_a_page_of_a_foreign_origin_is_told_403() {
    let server = start(&config());
    let rows = [
        ("Origin: https://evil.example\r\n", "403"),
        ("Origin: null\r\n", "403"),
        ("Origin: http://localhost:3000\r\n", "101"),
        ("", "101"),
    ];
    for (header, status) in rows {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(request(header).as_bytes());
        let head = peer.read_head();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{header:?}: {head}");
    }
    let totals = wait_for(&server, "both gone", |totals| totals.rejected.len() == 1);
    wait_for(&server, "both gone", |totals| totals.rejected.get("origin_policy") == Some(&2));
    assert_balanced(&totals);
}

#[test]
fn e17_a_plain_get_is_told_426() {
    let server = start(&config());
    let mut peer = Peer::connect(server.local_addr());
    peer.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
    let said = String::from_utf8(peer.read_to_end()).unwrap();
    assert!(said.starts_with("HTTP/1.1 426 "), "{said}");
    assert!(said.contains("Upgrade: websocket\r\n"), "{said}");
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "r36: what follows a refusal isn't parsed");
}

#[test]
fn one_connections_failure_is_nobody_elses() {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    let rows: [(&[u8], u16, &str); 5] = [
        (b"\x81\x02Hi", 1002, "mask_required"),
        (b"\xc1\x80\0\0\0\0", 1002, "reserved_bits"),
        (b"\x80\x80\0\0\0\0", 1002, "unexpected_continuation"),
        (b"\x81\x81\0\0\0\0\xff", 1007, "utf8"),
        (b"\x82\xff\0\0\0\x01\0\0\0\0\0\0\0\0", 1009, "frame_too_big"),
    ];
    for (bytes, code, name) in rows {
        let mut peer = Peer::open(server.local_addr());
        peer.send(&[&frame(0x81, b"before"), bytes, &frame(0x81, b"after")].concat());
        assert_eq!(peer.read_frame(), (0x81, b"before".to_vec()));
        assert_eq!(peer.read_close().0, code, "{name}");
        assert_eq!(peer.read_to_end(), b"", "{name}: nothing after the Close");
        assert_eq!(server.totals().protocol_errors.get(name), Some(&1), "{name}");
        healthy.echo(0x81, b"not disturbed");
    }
}

#[test]
fn replies_that_can_not_be_written_are_nobody_elses() {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    for round in 0..300_u32 {
        // In one write with the reset behind it: mostly, the server has read the message when it
        // finds that nobody takes the reply.
        let mut gone = Peer::open(server.local_addr());
        gone.send(&frame(0x82, b"a secret"));
        gone.reset();
        healthy.echo(0x82, &round.to_be_bytes());
    }
}
