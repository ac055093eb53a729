//! Nothing that was not written to memory goes out (row R41): fresh memory is filled with a canary,
//! which no output may hold.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::decimal_bitwise_operands,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and its tables are written to be read"
)]
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;

use support::{ROLES, connection, frame, frame_of, with_config};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, Rejection,
    ServerHandshake,
};
use wscodec::header::{Fin, Opcode};
use wscodec::mask::{FixedKey, MaskKey};
use wscodec::{
    CloseFrame, Config, Connection, Delivery, Event, Fragment, Message, PreparedMessage, Role,
};

/// What fresh memory holds. No payload here has it, and it stands for itself: keys are zero.
const CANARY: u8 = 0xc5;

/// Fills memory before it is handed out, also the part that a reallocation adds.
struct Canaries;

// SAFETY: every call goes to `System` unchanged; only memory that was just given is written to.
unsafe impl GlobalAlloc for Canaries {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let memory = unsafe { System.alloc(layout) };
        if !memory.is_null() {
            // SAFETY: `memory` has `layout.size()` bytes, which nobody else knows of yet.
            unsafe { memory.write_bytes(CANARY, layout.size()) };
        }
        memory
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let memory = unsafe { System.realloc(ptr, layout, new_size) };
        if !memory.is_null() && new_size > layout.size() {
            // SAFETY: the bytes from the old size on are part of the allocation, and new.
            unsafe { memory.add(layout.size()).write_bytes(CANARY, new_size - layout.size()) };
        }
        memory
    }
}

#[global_allocator]
static ALLOCATOR: Canaries = Canaries;

#[track_caller]
fn assert_clean(bytes: &[u8], what: &str) {
    assert!(!bytes.contains(&CANARY), "{what}: {} bytes hold a canary", bytes.len());
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| b'a' + (at % 26) as u8).collect()
}

/// Lengths at the edges of the header's forms, of vectors and of buffers.
const LENGTHS: [usize; 16] =
    [0, 1, 3, 4, 31, 63, 64, 65, 124, 125, 126, 127, 4096, 65_535, 65_536, 200_001];

#[test]
fn the_canary_is_in_fresh_memory() {
    let fresh: Vec<u8> = Vec::with_capacity(100);
    // SAFETY: the allocator above has written all of it.
    let fresh = unsafe { std::slice::from_raw_parts(fresh.as_ptr(), fresh.capacity()) };
    assert!(fresh.iter().all(|byte| *byte == CANARY));
}

#[test]
fn r41_what_is_sent_holds_nothing_but_headers_and_payloads() {
    for role in ROLES {
        for len in LENGTHS {
            let payload = payload(len);
            let text = std::str::from_utf8(&payload).unwrap();
            let zero = FixedKey(MaskKey::ZERO);
            let mut side = Connection::with_mask_keys(role, Config::default(), zero);
            let mut out = Vec::new();
            side.send(Message::Text(text), &mut out).unwrap();
            side.send(Message::Binary(&payload), &mut out).unwrap();
            if len <= 125 {
                side.send(Message::Ping(&payload), &mut out).unwrap();
                side.send(Message::Pong(&payload), &mut out).unwrap();
                let prepared = PreparedMessage::new(Message::Ping(&payload)).unwrap();
                side.send_prepared(&prepared, &mut out).unwrap();
            }
            let prepared = PreparedMessage::new(Message::Text(text)).unwrap();
            assert_clean(&side.prepared_frame(&prepared).unwrap(), "prepared");
            side.send_prepared(&prepared, &mut out).unwrap();
            side.send_fragment(Fragment::Text(text), Fin::More, &mut out).unwrap();
            side.send_fragment(Fragment::Text(""), Fin::Final, &mut out).unwrap();
            let third = NonZeroUsize::new(len / 3 + 1).unwrap();
            side.send_fragmented(Message::Binary(&payload), third, &mut out).unwrap();
            let reason = &text[..len.min(123)];
            let close = CloseFrame { code: support::close_code(1000), reason };
            side.close(Some(close), &mut out).unwrap();
            // 200,001 is 0x030d41 and the other lengths have no canary in them either.
            assert_clean(&out, "sent");
        }
    }
}

#[test]
fn r41_replies_hold_nothing_but_what_was_received() {
    for role in ROLES {
        for len in [0_usize, 1, 2, 5, 63, 64, 124, 125] {
            for read_len in [1, 2, 7, usize::MAX] {
                let reason =
                    [&1000_u16.to_be_bytes()[..], &payload(len.saturating_sub(2))].concat();
                let wire = [
                    frame(role, 0x89, &payload(len)),
                    frame(role, 0x89, &payload(len / 2)),
                    frame(role, 0x88, &reason),
                ];
                let zero = FixedKey(MaskKey::ZERO);
                let mut side = Connection::with_mask_keys(role, Config::default(), zero);
                let mut out = Vec::new();
                for read in wire.concat().chunks_mut(read_len) {
                    let mut input = read;
                    while side.receive(&mut input, &mut out).unwrap().is_some() {}
                }
                assert_clean(&out, "replies");
            }
        }
        let zero = FixedKey(MaskKey::ZERO);
        let mut side = Connection::with_mask_keys(role, Config::default(), zero);
        let mut out = Vec::new();
        side.receive(&mut &mut [0x83][..], &mut out).unwrap_err();
        assert_clean(&out, "the Close of a failure");
    }
}

#[test]
fn r41_what_is_received_holds_nothing_but_what_was_sent() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            for len in LENGTHS {
                for read_len in [1, 7, 1000, usize::MAX] {
                    if len / read_len > 10_000 {
                        continue;
                    }
                    let payload = payload(len);
                    let (first, second) = payload.split_at(len / 2);
                    let wire = [
                        frame(role, 0x81, &payload),
                        frame_of(role, Opcode::Binary, Fin::More, first),
                        frame_of(role, Opcode::Continuation, Fin::Final, second),
                        frame(role, 0x8a, &payload[..len.min(125)]),
                    ];
                    let config = Config::default().with_delivery(delivery);
                    let mut side = with_config(role, config);
                    let mut received = Vec::new();
                    for read in wire.concat().chunks_mut(read_len) {
                        let mut input = read;
                        while let Some(event) = side.receive(&mut input, &mut Vec::new()).unwrap() {
                            received.extend_from_slice(match event {
                                Event::Text(text) | Event::TextPiece(text, _) => text.as_bytes(),
                                Event::Binary(bytes)
                                | Event::BinaryPiece(bytes, _)
                                | Event::Pong(bytes) => bytes,
                                _ => b"",
                            });
                        }
                    }
                    assert_eq!(
                        received,
                        [&payload[..], &payload, &payload[..len.min(125)]].concat()
                    );
                }
            }
        }
    }
    assert!(connection(Role::Server).error().is_none());
}

#[test]
fn r41_heads_hold_nothing_but_what_was_given() {
    let request = ClientRequest::new("host.example", "/path")
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.header("X-Name", "value"))
        .unwrap();
    let mut head = Vec::new();
    let key = HandshakeKey::new(*b"the sample nonce");
    ClientHandshake::start_with_key(&request, key, &mut head).unwrap();
    assert_clean(&head, "request");
    for read_len in [1, 10, usize::MAX] {
        let answers = [None, Some(Rejection::new(403).unwrap().body("no"))];
        for rejection in answers {
            let mut server = ServerHandshake::new(HandshakeLimits::default());
            for read in head.clone().chunks_mut(read_len) {
                server.receive(&mut &mut *read).unwrap();
            }
            let mut out = Vec::new();
            if let Some(rejection) = rejection {
                server.reject(rejection, &mut out).unwrap();
            } else {
                let acceptance = Acceptance::new().subprotocol("chat").unwrap();
                server.accept(&acceptance, &mut out).unwrap();
            }
            assert_clean(&out, "answer");
        }
    }
}
