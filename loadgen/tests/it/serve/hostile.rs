//! The reference server with clients that send what nobody should: each is answered as the codec's
//! own tests have it, and nothing is left of it.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::chaos::{Chaos, Dice};
use crate::peer::{Peer, assert_balanced, close_frame, config, frame, request, start, wait_for};
use crate::scripted::loadgen;
use crate::served::Served;
use loadgen::serve::ServeConfig;
use wscodec::Limits;

/// A client's frame as it stands: first byte, the length as it is claimed, a zero key, payload.
fn raw(first: u8, len: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[first], len, &[0; 4], payload].concat()
}

#[test]
fn e10_frames_that_break_the_protocol_are_answered_with_their_code() {
    let limits = Limits::default().with_message_size_max(1000).with_fragments_max(100);
    let server = start(&ServeConfig { limits, ..config() });
    let mut healthy = Peer::open(server.local_addr());
    let mut rows: Vec<(&str, u16, Vec<u8>)> = vec![
        ("control_fragmented", 1002, raw(0x09, &[0x80], b"")),
        ("control_too_long", 1002, raw(0x89, &[0xfe, 0, 126], &[0; 126])),
        ("control_too_long", 1002, raw(0x88, &[0xfe, 0, 126], &[0; 126])),
        ("length_not_minimal", 1002, raw(0x82, &[0xfe, 0, 5], b"hello")),
        ("length_not_minimal", 1002, raw(0x82, &[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], b"")),
        ("length_msb", 1002, raw(0x82, &[0xff; 9], b"")),
        ("frame_too_big", 1009, raw(0x82, &[0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], b"")),
        ("frame_too_big", 1009, raw(0x82, &[0xff, 0x7f, 0, 0, 0, 0, 0, 0, 1], b"")),
        ("unexpected_continuation", 1002, raw(0x80, &[0x81], b"x")),
        (
            "expected_continuation",
            1002,
            [raw(0x01, &[0x81], b"a"), raw(0x81, &[0x81], b"b")].concat(),
        ),
        ("mask_required", 1002, b"\x81\x01a".to_vec()),
        ("utf8", 1007, raw(0x81, &[0x82], b"\xc0\x80")),
        ("utf8", 1007, raw(0x81, &[0x83], b"\xed\xa0\x80")),
        ("utf8", 1007, raw(0x81, &[0x82], b"\xe2\x82")),
        ("utf8", 1007, [raw(0x01, &[0x81], b"\xe2"), raw(0x80, &[0x81], b"a")].concat()),
        ("close_payload", 1002, raw(0x88, &[0x81], b"\x03")),
        ("utf8", 1007, raw(0x88, &[0x83], b"\x03\xe8\xff")),
    ];
    let part = raw(0x02, &[0xfe, 0x03, 0xe8], &[7; 1000]);
    rows.push(("message_too_big", 1009, [part, raw(0x80, &[0x81], b"x")].concat()));
    let parts = [raw(0x01, &[0x80], b""), raw(0x00, &[0x80], b"").repeat(100)];
    rows.push(("too_many_fragments", 1008, parts.concat()));
    for bits in (1..8_u8).map(|bits| bits << 4) {
        rows.push(("reserved_bits", 1002, raw(0x81 | bits, &[0x80], b"")));
        rows.push(("reserved_bits", 1002, raw(0x89 | bits, &[0x80], b"")));
        let continued = [raw(0x01, &[0x81], b"a"), raw(0x80 | bits, &[0x80], b"")];
        rows.push(("reserved_bits", 1002, continued.concat()));
    }
    for opcode in (3..8).chain(11..16) {
        for first in [0x00, 0x80, 0xf0] {
            rows.push(("reserved_opcode", 1002, raw(first | opcode, &[0x80], b"")));
        }
    }
    for opcode in [8, 9, 10] {
        rows.push(("control_fragmented", 1002, raw(opcode, &[0x80], b"")));
        rows.push(("mask_required", 1002, vec![0x80 | opcode, 0]));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        rows.push(("close_code", 1002, raw(0x88, &[0x82], &code.to_be_bytes())));
    }
    for (name, code, bytes) in &rows {
        let before = server.totals().protocol_errors.get(name).copied().unwrap_or_default();
        let mut peer = Peer::open(server.local_addr());
        peer.send(&[&frame(0x81, b"before"), &bytes[..], &frame(0x81, b"after")].concat());
        assert_eq!(peer.read_frame(), (0x81, b"before".to_vec()), "{name}: {bytes:?}");
        assert_eq!(peer.read_close().0, *code, "{name}: {bytes:?}");
        assert_eq!(peer.read_to_end(), b"", "{name}: nothing follows the Close");
        let after = server.totals().protocol_errors.get(name).copied().unwrap_or_default();
        assert_eq!(after, before + 1, "{name}: {bytes:?}");
        healthy.echo(0x81, b"not disturbed");
    }
    drop(healthy);
    let totals = wait_for(&server, "all gone", |totals| totals.open == 0);
    assert_eq!(totals.protocol_errors.values().sum::<u64>(), rows.len() as u64);
    crate::peer::assert_balanced(&totals);
}

#[test]
fn e10_requests_that_are_not_a_handshake_are_answered_with_their_status() {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    let good = request("");
    let without = |name: &str| {
        let lines = good.split("\r\n").filter(|line| !line.starts_with(name));
        lines.collect::<Vec<_>>().join("\r\n")
    };
    let many = request(&"X: y\r\n".repeat(2_000));
    let rows = [
        (400, without("Host")),
        (426, without("Upgrade")),
        (400, without("Connection")),
        (400, without("Sec-WebSocket-Key")),
        (426, without("Sec-WebSocket-Version")),
        (426, good.replace("Version: 13", "Version: 8")),
        (400, good.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ")),
        (400, good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short")),
        (400, good.replace("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAA=")),
        (400, good.replace("Connection: Upgrade", "Connection: close")),
        (426, good.replace("Upgrade: websocket", "Upgrade: h2c")),
        (400, good.replace("Host: localhost", "Host: a:b:c")),
        (400, request("Sec-WebSocket-Protocol: a b\r\n")),
        (400, request("Sec-WebSocket-Extensions: a; b=\"\r\n")),
        (400, request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
        (400, request("Origin: http://a b\r\n")),
        (400, good.replace("GET / ", "GET * ")),
        (400, good.replace("GET / ", "GET /%00 ")),
        (405, good.replace("GET ", "get ")),
        (405, good.replace("GET ", "POST ")),
        (505, good.replace("HTTP/1.1", "HTTP/1.0")),
        (400, good.replace("GET / ", "GET  / ")),
        (400, good.replace("Host: localhost\r\n", "Host: a\r\nHost: b\r\n")),
        (400, request("X : y\r\n")),
        (400, request("X: a\r\n folded\r\n")),
        (400, request("X: a\0b\r\n")),
        (400, request("X: a\nY: b\r\n")),
        (400, request("Content-Length: 5\r\n")),
        (400, request("Transfer-Encoding: chunked\r\n")),
        (431, many),
        (431, request(&format!("X: {}\r\n", "y".repeat(20_000)))),
        (414, good.replace("GET / ", &format!("GET /{} ", "y".repeat(9_000)))),
        (400, "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}".to_owned()),
    ];
    let count = rows.len();
    for (status, bytes) in rows {
        let mut peer = Peer::connect(server.local_addr());
        // The server may have had enough before the end. What follows is nobody's request.
        peer.stream.write_all([bytes.as_bytes(), good.as_bytes()].concat().as_slice()).ok();
        peer.stream.shutdown(Shutdown::Write).ok();
        let mut said = Vec::new();
        peer.stream.read_to_end(&mut said).ok();
        let said = String::from_utf8_lossy(&said).into_owned();
        let line = &bytes[..bytes.len().min(200)];
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{line:?}: {said}");
        assert!(said.contains("Connection: close"), "{line:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{line:?}: {said}");
        assert_eq!(said.contains("Sec-WebSocket-Version: 13"), status == 426, "{line:?}: {said}");
    }
    healthy.echo(0x81, b"not disturbed");
    let totals = wait_for(&server, "all refused", |totals| totals.open == 1);
    assert_eq!(totals.rejected.values().sum::<u64>(), count as u64, "{totals:?}");
    assert_balanced(&totals);
}

#[test]
fn e14_five_hundred_garbled_conversations_panic_nobody_and_disturb_nobody() {
    let server = start(&config());
    let mut healthy = Peer::open(server.local_addr());
    let conversation = [
        request("").into_bytes(),
        frame(0x01, "t\u{e4}xt".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x80, &[b'x'; 300]),
        frame(0x82, &vec![7; 70_000]),
        close_frame(1000, "bye"),
    ]
    .concat();
    for seed in 0..500 {
        let mut dice = Dice::new(seed);
        let mut bytes = conversation.clone();
        // Half of the faults in the head, which is short beside the rest.
        for _ in 0..=dice.below(3) {
            let end = dice.one_of(&[200, bytes.len()]);
            let place = usize::try_from(dice.below(end as u64)).unwrap();
            match dice.below(3) {
                0 => bytes[place] ^= 1 << dice.below(8),
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, bytes[place]),
            }
        }
        let mut peer = Peer::connect(server.local_addr());
        let mut sending = peer.stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            sending.write_all(&bytes).ok();
            sending.shutdown(Shutdown::Write).ok();
        });
        // Whatever the answer is, it has an end.
        let mut said = Vec::new();
        peer.stream.read_to_end(&mut said).ok();
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 "), "seed {seed}");
        sender.join().unwrap();
        if seed % 50 == 0 {
            healthy.echo(0x81, b"not disturbed");
        }
    }
    healthy.echo(0x81, b"not disturbed");
    let totals = wait_for(&server, "all gone", |totals| totals.open == 1);
    assert_eq!(totals.accepted, 501);
    assert!(totals.rejected.len() > 3 && totals.protocol_errors.len() > 3, "{totals:?}");
    assert_balanced(&totals);
}

#[test]
fn e21_rounds_of_chaos_leave_no_descriptor_and_no_memory() {
    const ROUNDS: u64 = 4;
    /// What allocators keep, and what the first rounds make once.
    const GROWTH_MAX: u64 = 8 << 20;
    let server = Served::start(&["-t", "2"]);
    let mut healthy = Peer::open(server.address);
    let round = |seed: u64| {
        let chaos = Chaos::start(seed, server.address);
        let url = chaos.url();
        let common = ["-c", "20", "-t", "1", "-q", "-o", "json=-", "--connect-timeout", "500ms"];
        let closing = ["--close-timeout", "300ms"];
        let opened = ["connect", &url, "-n", "100", "-d", "20s"];
        let sent = ["run", &url, "-d", "500ms", "-s", "20000", "-p", "4"];
        for args in [&opened[..], &sent] {
            let report = loadgen(&[args, &common, &closing].concat()).report();
            crate::scripted::assert_balanced(&report);
            assert!(report.connections.attempted > 0);
        }
    };
    round(0);
    healthy.echo(0x81, b"warmed up");
    let descriptors = server.settled_descriptors();
    server.reset_peak();
    let before = server.peak();
    for seed in 1..ROUNDS {
        round(seed);
        healthy.echo(0x81, b"still here");
    }
    assert_eq!(server.settled_descriptors(), descriptors);
    server.reset_peak();
    let after = server.peak();
    println!("{} KiB after a round, {} after {ROUNDS}", before >> 10, after >> 10);
    assert!(after < before + GROWTH_MAX, "{before} bytes became {after}");
    drop(healthy);
    let (status, said, _) = server.stop();
    assert!(status.success(), "{said}");
}
