//! Messages that inflate to much more than they are: what they cost either end, and that it ends at
//! the limit.

use std::io::Write;

use crate::peer::{Peer, request};
use crate::scripted::{
    CLOSE, Scripted, accept_of, assert_balanced, failed, read_frame, run_against,
};
use crate::served::Served;

/// A compressed message of at least `len` zeros, 158 times smaller: a literal and then nothing but
/// copies of 258 bytes from one byte back, in a block of fixed codes (RFC 1951, 3.2.6).
fn bomb(len: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b010, 3); // not the last block; fixed codes
    bits.push_code(0x30, 8); // a zero
    for _ in 0..len.div_ceil(258) {
        bits.push_code(0b1100_0101, 8); // 258 bytes
        bits.push_code(0, 5); // from one byte back
    }
    bits.push_code(0, 7); // the block's end
    bits.push(0, 3); // an empty stored block, whose 00 00 FF FF is left out (RFC 7692, 7.2.1)
    bits.bytes
}

/// Bits as deflate packs them: from the least significant one of a byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: u32,
}

impl Bits {
    /// A number, its lowest bit first.
    fn push(&mut self, value: u8, len: u32) {
        for place in 0..len {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= (value >> place & 1) << (self.len % 8);
            self.len += 1;
        }
    }

    /// A Huffman code, its highest bit first.
    fn push_code(&mut self, code: u8, len: u32) {
        self.push(code.reverse_bits() >> (8 - len), len);
    }
}

#[test]
fn d15_a_bomb_from_the_server_stops_at_the_limit_and_is_told_so() {
    // Above the limit of 64 MiB.
    let compressed = bomb(65 << 20);
    assert!(compressed.len() < 500_000);
    let (sender, told) = std::sync::mpsc::channel();
    let server = Scripted::start(move |mut stream, _| {
        let head = crate::scripted::read_head(&mut stream);
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            accept_of(&head)
        );
        let len = (compressed.len() as u64).to_be_bytes();
        let bytes = [response.as_bytes(), &[0xc2, 127], &len, &compressed].concat();
        stream.write_all(&bytes).ok();
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                sender.send(payload).unwrap();
            }
        }
    });
    let ran = run_against(&server, &["--deflate", "-c", "3", "-d", "30s"]);
    let report = ran.report();
    assert_eq!(failed(&report, "protocol.message_too_big"), 3, "{:?}", report.errors);
    for _ in 0..3 {
        assert_eq!(told.recv().unwrap()[..2], 1009_u16.to_be_bytes());
    }
    // A message may become 64 MiB on each of the three, and a buffer is copied while it grows.
    let rss_max = report.client.rss_max.unwrap();
    assert!(rss_max < 400 << 20, "{rss_max}");
    assert_balanced(&report);
}

#[test]
fn e16_a_hundred_bombs_at_once_cost_no_more_than_their_limits() {
    const CLIENTS: u64 = 100;
    let server = Served::start(&["--deflate", "--max-message", "1M", "-t", "2"]);
    let mut healthy = Peer::open(server.address);
    healthy.echo(0x81, b"before");
    server.reset_peak();
    let before = server.peak();
    let mut peers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut peer = Peer::connect(server.address);
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            peer.send(request(offer).as_bytes());
            let head = peer.read_head();
            assert!(head.contains("permessage-deflate"), "{head}");
            peer
        })
        .collect();
    // The last byte of each comes after all others are there: so many are half inflated at once.
    let frame = crate::peer::frame(0xc2, &bomb(64 << 20));
    let (most, last) = frame.split_at(5_000);
    for peer in &mut peers {
        peer.send(most);
    }
    for peer in &mut peers {
        // The server may have said goodbye by now, which is well.
        peer.stream.write_all(last).ok();
    }
    for peer in &mut peers {
        assert_eq!(peer.read_close(), (1009, "message_too_big".into()));
    }
    healthy.echo(0x81, b"not disturbed");
    let growth = server.peak() - before;
    println!("{CLIENTS} bombs of 64 MiB against a limit of 1 MiB: {} KiB", growth >> 10);
    // A message of at most 1 MiB, the window and the stream of each.
    assert!(growth < CLIENTS * ((1 << 20) + (384 << 10)), "{growth}");
    let (status, said, _) = server.stop();
    assert!(status.success(), "{said}");
}
