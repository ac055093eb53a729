//! Bounds on the memory of a handshake, by an allocator that counts: rows B01, R09 in spirit.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and its tables are written to be read"
)]

#[path = "support/alloc.rs"]
mod alloc;
mod handshake_support;

use alloc::{Counting, cost_of};
use handshake_support::{KEY, Side, client, request, response, server};
use wscodec::handshake::{ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, HeadError};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the positions of the header lines may take beside the bytes of the head: 128 of them, four
/// words each.
const POSITIONS_SIZE_MAX: usize = 128 * 4 * size_of::<usize>();

fn feed_in_reads(side: &mut impl Side, bytes: &mut [u8], read_len: usize) {
    for read in bytes.chunks_mut(read_len) {
        let mut input = read;
        if side.receive(&mut input).is_err() {
            return;
        }
    }
}

#[test]
fn b01_a_head_takes_no_more_than_its_limit_whatever_arrives() {
    let mut one_line = b"GET / HTTP/1.1\r\nX: ".to_vec();
    one_line.resize(1 << 20, b'x');
    let mut many_lines = b"GET / HTTP/1.1\r\n".to_vec();
    many_lines.extend_from_slice("X: y\r\n".repeat(100_000).as_bytes());
    for bytes in [&mut one_line, &mut many_lines] {
        for size in [1, 7, 1000, 4096, 16_000, 1 << 20] {
            let mut server = server();
            let cost = cost_of(|| feed_in_reads(&mut server, bytes, size));
            assert!(cost.peak <= (16 << 10) + POSITIONS_SIZE_MAX, "{cost:?} in reads of {size}");
            assert!(cost.held <= 0, "a failed handshake gives back its memory: {cost:?}");
        }
    }
}

/// A server that answers with a flood, or drips for ever: bounded memory, and a reason. How long a
/// drip may take is the caller's to say, which has the clock.
#[test]
fn b31_a_client_bounds_floods_of_headers_heads_without_end_and_drips() {
    let mut flood = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    flood.extend_from_slice("Set-Cookie: a=b\r\n".repeat(100_000).as_bytes());
    let mut endless = b"HTTP/1.1 101 Switching Protocols\r\nX: ".to_vec();
    endless.resize(1 << 20, b'x');
    let mut line = b"HTTP/1.1 101 ".to_vec();
    line.resize(1 << 20, b'x');
    let rows = [
        (flood, HeadError::TooManyHeaders { headers_max: 100 }),
        (endless, HeadError::TooLarge { head_size_max: 16 << 10 }),
        (line, HeadError::StartLineTooLong { start_line_size_max: 8 << 10 }),
    ];
    for (mut bytes, error) in rows {
        for read_len in [1, 1000, 1 << 20] {
            let mut client = client();
            let cost = cost_of(|| feed_in_reads(&mut client, &mut bytes, read_len));
            assert!(
                cost.peak <= (16 << 10) + POSITIONS_SIZE_MAX,
                "{cost:?} in reads of {read_len}"
            );
            assert!(cost.held <= 0, "{cost:?}");
            assert_eq!(client.receive(&mut &mut [][..]).map(drop), Err(error.into()));
        }
    }
    // A head that never ends because its server is slow: nothing is wrong with it, and it takes
    // what has arrived.
    let mut client = client();
    let mut bytes = response(&[]);
    bytes.pop();
    feed_in_reads(&mut client, &mut bytes, 1);
    assert_eq!(client.receive(&mut &mut [][..]).map(|response| response.is_some()), Ok(false));
    assert_eq!(client.receive_eof(), Err(HandshakeError::UnexpectedEof));
}

#[test]
fn b23_a_claimed_content_length_reserves_nothing() {
    let mut refusal = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec();
    let mut client = client();
    let cost = cost_of(|| feed_in_reads(&mut client, &mut refusal, 1 << 20));
    assert!(cost.peak < 512, "{cost:?}");
}

#[test]
fn idle_handshakes_take_nothing_from_the_heap() {
    let cost = cost_of(|| drop(server()));
    assert_eq!(cost.calls, 0);
    let request = ClientRequest::new("a", "/").unwrap();
    let mut out = Vec::with_capacity(1024);
    let cost = cost_of(|| {
        let key = HandshakeKey::new(*KEY);
        drop(ClientHandshake::start_with_key(&request, key, &mut out).unwrap());
    });
    assert_eq!(cost.calls, 0, "not even to send the request");
}

#[test]
fn a_usual_handshake_takes_a_handful_of_allocations() {
    for size in [1 << 20, 1] {
        let (mut server, mut client) = (server(), client());
        let (mut request, mut response) = (request(&[]), response(&[]));
        let cost = cost_of(|| feed_in_reads(&mut server, &mut request, size));
        assert!(cost.calls <= 14 && cost.peak <= 1024, "{cost:?} in reads of {size}");
        let cost = cost_of(|| feed_in_reads(&mut client, &mut response, size));
        assert!(cost.calls <= 12 && cost.peak <= 1024, "{cost:?} in reads of {size}");
    }
}
