//! Bounds on memory with permessage-brotli, by an allocator that counts.
#![cfg(feature = "brotli")]
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "support/alloc.rs"]
mod alloc;

use alloc::{Counting, cost_of};
use wscodec::brotli::{Brotli, BrotliAgreed};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::header::Fin;
use wscodec::{
    Config, Connection, ConnectionBuilder, Delivery, Fragment, Limits, Message, ProtocolError,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A decompressor with its window of 64 KiB, and what a chunk takes.
const BEYOND_LIMIT: usize = 256 << 10;

fn agreed() -> BrotliAgreed {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let (key, offers) = (HandshakeKey::from([7; 16]), Brotli::default());
    ClientHandshake::start_with_extensions(&request, key, offers, &mut to_server).unwrap();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    handshake.receive(&mut &mut to_server[..]).unwrap();
    let mut server = Brotli::default();
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut to_client).unwrap();
    *server.agreed().unwrap()
}

fn receiver(message_size_max: usize, delivery: Delivery) -> Connection {
    let limits = Limits::default().with_message_size_max(message_size_max);
    let config = Config::default().with_limits(limits).with_delivery(delivery);
    ConnectionBuilder::client().config(config).extension(Some(&agreed())).open()
}

fn drain(connection: &mut Connection, wire: &mut [u8]) -> Result<usize, ProtocolError> {
    let mut input = wire;
    let mut out = Vec::with_capacity(1 << 10);
    let mut events = 0;
    while connection.receive(&mut input, &mut out)?.is_some() {
        events += 1;
    }
    Ok(events)
}

/// Zeros in one message of a server's.
fn bomb(len: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    ConnectionBuilder::server()
        .extension(Some(&agreed()))
        .open()
        .send(Message::Binary(&vec![0; len]), &mut wire)
        .unwrap();
    assert!(wire.len() < len / 1000, "{}", wire.len());
    wire
}

#[test]
fn a_brotli_bomb_costs_no_more_than_the_limit_and_a_quarter_of_a_mib() {
    let wire = bomb(64 << 20);
    for limit in [1 << 10, 64 << 10, 1 << 20, 16 << 20] {
        let mut receiver = receiver(limit, Delivery::Whole);
        let mut wire = wire.clone();
        let cost = cost_of(|| {
            let error = drain(&mut receiver, &mut wire).unwrap_err();
            assert_eq!(error.close_code().as_u16(), 1009);
        });
        assert!(cost.peak <= limit + BEYOND_LIMIT, "{limit}: {cost:?}");
        assert!(cost.held <= 0, "a failed connection holds nothing: {cost:?}");
    }
}

#[test]
fn a_connection_that_has_failed_gives_back_the_stream_of_a_message_begun() {
    let mut side = receiver(1 << 20, Delivery::Whole);
    let (mut out, mut bad) = (Vec::with_capacity(4 << 10), *b"\xf2\x00");
    let text = "begun and never ended, ".repeat(50);
    let begun = cost_of(|| {
        side.send_fragment(Fragment::Text(&text), Fin::More, &mut out).unwrap();
    });
    let freed = cost_of(|| assert!(drain(&mut side, &mut bad).is_err()));
    assert!(begun.held > 1 << 10 && freed.held <= 64 - begun.held, "{begun:?} {freed:?}");
}

#[test]
fn a_streamed_brotli_bomb_costs_a_stream_whatever_its_size() {
    let mut wire = bomb(32 << 20);
    let mut receiver = receiver(64 << 20, Delivery::Streamed);
    let cost = cost_of(|| assert!(drain(&mut receiver, &mut wire).unwrap() > 1000));
    assert!(cost.peak <= BEYOND_LIMIT, "{cost:?}");
    assert!(cost.held <= 1 << 10, "nothing is kept between messages: {cost:?}");
}

#[test]
fn a_larger_window_is_refused_before_memory_is_taken() {
    // 0x0b asks for 2^22, 0x11 for the large windows that RFC 7932 doesn't have
    for window in [0x0b, 0x0f, 0x11, 0x1b] {
        let mut receiver = receiver(1 << 20, Delivery::Whole);
        let mut wire = [&[0xc2, 10, window][..], &[0; 9]].concat();
        let cost = cost_of(|| {
            let error = drain(&mut receiver, &mut wire).unwrap_err();
            assert_eq!(error.close_code().as_u16(), 1007, "{window:#x}");
        });
        assert!(cost.peak <= 64 << 10, "{window:#x}: {cost:?}");
    }
}
