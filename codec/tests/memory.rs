//! Bounds on memory, by an allocator that counts.
#![cfg(feature = "std")]
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

#[path = "support/alloc.rs"]
mod alloc;
mod support;

use alloc::{Counting, cost_of};
use support::{KEY, ROLES, closes_in, frame, header, hex};
use wscodec::mask::{FixedKey, MaskKey};
use wscodec::message::free_spare_memory;
use wscodec::{Config, Connection, Event, FrameError, Limits, Message, ProtocolError, Role};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Feeds `wire` and drops the events; `out` must be large enough not to grow.
fn drain(
    connection: &mut Connection<FixedKey>,
    wire: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<usize, ProtocolError> {
    let mut input = wire;
    let mut events = 0;
    while connection.receive(&mut input, out)?.is_some() {
        events += 1;
    }
    Ok(events)
}

fn fixed(role: Role, limits: Limits) -> Connection<FixedKey> {
    Connection::with_mask_keys(
        role,
        Config::default().with_limits(limits),
        FixedKey(MaskKey::new(KEY)),
    )
}

#[test]
fn messages_of_100_bytes_allocate_nothing_in_either_role() {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let mut sender = Connection::new(role, Config::default());
        let mut receiver = Connection::new(peer, Config::default());
        let text = "x".repeat(100);
        let mut wire = Vec::with_capacity(1 << 16);
        let mut replies = Vec::with_capacity(1 << 10);
        sender.send(Message::Text("seeds the thread's keys"), &mut wire).unwrap();
        wire.clear();
        let cost = cost_of(|| {
            for _ in 0..100 {
                sender.send(Message::Text(&text), &mut wire).unwrap();
                sender.send(Message::Binary(text.as_bytes()), &mut wire).unwrap();
                let mut input = &mut wire[..];
                let mut events = 0;
                while let Some(event) = receiver.receive(&mut input, &mut replies).unwrap() {
                    assert!(
                        matches!(event, Event::Text(t) if t == text)
                            || matches!(event, Event::Binary(b) if b == text.as_bytes())
                    );
                    events += 1;
                }
                assert_eq!(events, 2);
                wire.clear();
            }
        });
        assert_eq!(cost.calls, 0, "{role:?} to {peer:?}");
    }
}

#[test]
fn pings_in_a_read_of_their_own_allocate_nothing() {
    for role in ROLES {
        let mut connection = fixed(role, Limits::default());
        let mut wire = frame(role, 0x89, &[b'p'; 125]);
        let mut out = Vec::with_capacity(1 << 10);
        let cost = cost_of(|| {
            assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(1));
        });
        assert_eq!(cost.calls, 0, "{role:?}");
    }
}

#[test]
fn an_idle_connection_holds_no_heap_memory() {
    for role in ROLES {
        let mut connection = fixed(role, Limits::default());
        let mut wire = [
            frame(role, 0x01, &[b'a'; 3000]),
            frame(role, 0x89, b"between"),
            frame(role, 0x80, &[b'b'; 3000]),
        ]
        .concat();
        let mut out = Vec::with_capacity(1 << 10);
        let cost = cost_of(|| {
            let mut events = 0;
            for piece in wire.chunks_mut(7) {
                events += drain(&mut connection, piece, &mut out).unwrap();
            }
            assert_eq!(events, 2);
        });
        assert!(cost.calls > 0, "the message did span reads");
        assert_eq!(cost.held, 0, "{role:?}");
    }
}

#[test]
fn r09_a_declared_length_alone_reserves_nothing() {
    for role in ROLES {
        for (form, len) in [(64, 1 << 32), (64, 0x3ff0_0000), (64, 16 << 20), (16, 65_535)] {
            let mut wire = header(role, 0x82, form, len);
            let mut connection = fixed(role, Limits::default());
            let mut out = Vec::with_capacity(1 << 10);
            let frame_size_max = Limits::FRAME_SIZE_MAX;
            let verdict = if len > frame_size_max {
                Err(FrameError::FrameTooBig { payload_len: len, frame_size_max }.into())
            } else {
                Ok(0)
            };
            let cost = cost_of(|| {
                assert_eq!(drain(&mut connection, &mut wire, &mut out), verdict);
            });
            assert!(cost.peak <= 256, "{role:?} {len}: {cost:?}");
            let closes = if verdict.is_err() { vec![1009] } else { vec![] };
            assert_eq!(closes_in(&out), closes, "said at the header");
            // and with the first bytes of the payload, memory follows these
            if len <= Limits::FRAME_SIZE_MAX {
                let cost = cost_of(|| {
                    drain(&mut connection, &mut [0; 100], &mut out).unwrap();
                });
                assert!(cost.peak <= 4096, "{role:?} {len}: {cost:?}");
            }
        }
    }
}

#[test]
fn r07_a_sum_that_would_wrap_fails_at_the_header_and_reserves_nothing() {
    let limits = Limits::default().with_frame_size_max(u64::MAX);
    for (second, code) in [("80 ff 7fffffffffffffff M", 1009), ("80 ff ffffffffffffffff M", 1002)] {
        let mut connection = fixed(Role::Server, limits);
        let mut out = Vec::with_capacity(1 << 10);
        let mut first = hex("02 81 M 41");
        let mut second = hex(second);
        let cost = cost_of(|| {
            drain(&mut connection, &mut first, &mut out).unwrap();
            let error = drain(&mut connection, &mut second, &mut out).unwrap_err();
            assert_eq!(error.close_code().as_u16(), code);
        });
        assert_eq!(closes_in(&out), [code]);
        assert!(cost.peak <= 4096, "{cost:?}");
        assert_eq!(cost.held, 0, "the first fragment is given back");
    }
}

#[test]
fn r12_a_message_of_one_byte_fragments_costs_at_most_twice_its_payload() {
    for role in ROLES {
        let limits = Limits::default();
        let mut wire = frame(role, 0x01, b"x");
        for _ in 1..limits.fragments_max {
            wire.extend(frame(role, 0x00, b"x"));
        }
        let mut over = frame(role, 0x00, b"x");
        let mut connection = fixed(role, limits);
        let mut out = Vec::with_capacity(1 << 10);
        let cost = cost_of(|| {
            assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(0));
        });
        assert!(cost.peak <= 2 * limits.fragments_max as usize + 8192, "{cost:?}");
        let error = drain(&mut connection, &mut over, &mut out).unwrap_err();
        assert_eq!(error, ProtocolError::TooManyFragments { fragments_max: limits.fragments_max });
        assert_eq!(closes_in(&out), [1008]);
        assert_eq!(connection.buffered(), 0, "a failed connection holds nothing");
    }
}

#[test]
fn r13_empty_fragments_are_counted_and_cost_no_memory() {
    for role in ROLES {
        let limits = Limits::default().with_fragments_max(1000);
        let mut wire = frame(role, 0x01, b"x");
        for _ in 0..1000 {
            wire.extend(frame(role, 0x00, b""));
        }
        let mut connection = fixed(role, limits);
        let mut out = Vec::with_capacity(1 << 10);
        let cost = cost_of(|| {
            let error = drain(&mut connection, &mut wire, &mut out).unwrap_err();
            assert_eq!(error, ProtocolError::TooManyFragments { fragments_max: 1000 });
        });
        assert!(cost.peak <= 4096, "{cost:?}");
        assert_eq!(cost.held, 0, "a failed connection holds nothing");
        assert_eq!(closes_in(&out), [1008]);
    }
}

/// Work is linear in the bytes that arrive: one call a read and one for the message, and what
/// growing copies is less than twice the message. 131,072 fragments of nothing, of a byte, and of
/// 128, which come to 16 MiB.
#[test]
fn r12_many_fragments_are_put_together_in_linear_work() {
    const FRAGMENTS: usize = 131_072;
    for role in ROLES {
        for (fragment_len, read_lens) in
            [(0, [usize::MAX, 7]), (1, [usize::MAX, 1]), (128, [usize::MAX, 16 << 10])]
        {
            let payload = vec![b'x'; fragment_len];
            let between = frame(role, 0x00, &payload);
            let wire = [
                frame(role, 0x01, &payload),
                between.repeat(FRAGMENTS - 2),
                frame(role, 0x80, &payload),
            ];
            let wire = wire.concat();
            let message_len = FRAGMENTS * fragment_len;
            for read_len in read_lens {
                let mut connection = fixed(role, Limits::default());
                let mut out = Vec::with_capacity(1 << 10);
                let mut memory = wire.clone();
                let reads = memory.len().div_ceil(read_len);
                let mut calls = 0;
                let cost = cost_of(|| {
                    for read in memory.chunks_mut(read_len) {
                        let mut input = read;
                        loop {
                            calls += 1;
                            match connection.receive(&mut input, &mut out).unwrap() {
                                Some(Event::Text(text)) => assert_eq!(text.len(), message_len),
                                Some(other) => panic!("{other:?}"),
                                None => break,
                            }
                        }
                    }
                });
                assert_eq!(calls, reads + 1, "one call a read, and one for the message");
                assert!(cost.calls <= 40, "{cost:?}: doubling, not a piece at a time");
                assert!(cost.moved <= 2 * message_len + 1024, "{cost:?} for {message_len}");
                assert!(cost.peak <= 2 * message_len + 8192, "{cost:?} for {message_len}");
            }
        }
    }
}

#[test]
fn r14_a_message_stays_below_its_limit_however_it_is_cut() {
    let limits = Limits::default().with_message_size_max(100_000);
    for role in ROLES {
        for fragment_len in [1_000, 9_999, 99_999] {
            let mut connection = fixed(role, limits);
            let mut out = Vec::with_capacity(1 << 10);
            let mut wire = frame(role, 0x02, &vec![0; fragment_len]);
            for _ in 0..200_000 / fragment_len {
                wire.extend(frame(role, 0x00, &vec![0; fragment_len]));
            }
            let cost = cost_of(|| {
                let error = drain(&mut connection, &mut wire, &mut out).unwrap_err();
                let message_size_max = limits.message_size_max;
                // The first sum above the limit: judged at the fragment that crosses it.
                let message_size = (message_size_max / fragment_len + 1) * fragment_len;
                let message_size = message_size as u64;
                assert_eq!(error, ProtocolError::MessageTooBig { message_size, message_size_max });
            });
            assert_eq!(closes_in(&out), [1009]);
            assert!(cost.peak <= limits.message_size_max, "{cost:?}");
            assert_eq!(cost.held, 0, "{cost:?}");
        }
    }
}

#[test]
fn a20_a_close_between_fragments_frees_the_partial_message() {
    for role in ROLES {
        let mut connection = fixed(role, Limits::default());
        let mut out = Vec::with_capacity(1 << 10);
        let mut wire = [frame(role, 0x02, &[7; 5000]), frame(role, 0x88, b"\x03\xe8")].concat();
        let cost = cost_of(|| {
            assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(1));
        });
        assert_eq!(cost.held, 0, "{role:?}");
    }
}

#[test]
fn a43_the_end_of_the_stream_frees_what_was_half_received() {
    for role in ROLES {
        let whole = frame(role, 0x02, &[7; 5000]);
        let half_frame = &whole[..4000];
        let half_message = frame(role, 0x02, &[7; 5000]);
        let half_ping = &frame(role, 0x89, &[7; 100])[..50];
        for wire in [half_frame, &frame(role, 0x01, &[b'x'; 5000]), &half_message, half_ping] {
            let mut connection = fixed(role, Limits::default());
            let mut wire = wire.to_vec();
            if wire.len() > 5000 {
                wire[0] &= 0x7f; // FIN: the message stays open
            }
            let mut out = Vec::with_capacity(1 << 10);
            let cost = cost_of(|| {
                assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(0));
            });
            assert!(cost.held > 0, "something is half received: {cost:?}");
            let cost = cost_of(|| {
                assert_eq!(connection.receive_eof(), Err(ProtocolError::UnexpectedEof));
            });
            assert!(cost.held < -100, "{role:?}: {cost:?}");
        }
    }
}

#[test]
fn r37_pings_that_can_not_be_answered_hold_one_pong() {
    let mut no_room: &mut [u8] = &mut [];
    for role in ROLES {
        let mut connection = fixed(role, Limits::default());
        let mut wires: Vec<Vec<u8>> = vec![frame(role, 0x89, &[b'p'; 125]); 1000];
        let cost = cost_of(|| {
            for wire in &mut wires {
                let mut input = &mut wire[..];
                while connection.receive(&mut input, &mut no_room).unwrap().is_some() {}
            }
        });
        assert!(cost.peak <= 131, "{cost:?}");
    }
}

#[test]
fn a30_a_million_pings_in_one_buffer_cost_one_pong_of_memory() {
    for role in ROLES {
        for payload in [&b""[..], &[b'p'; 125]] {
            let pings = if payload.is_empty() { 1_000_000 } else { 50_000 };
            let mut wire: Vec<u8> = frame(role, 0x89, payload).repeat(pings);
            let mut connection = fixed(role, Limits::default());
            let mut out = Vec::with_capacity(1 << 13);
            let cost = cost_of(|| {
                assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(pings));
            });
            assert!(cost.peak <= 131 && cost.calls <= 1, "{cost:?}");
            assert_eq!(cost.held, 0, "{cost:?}");
            assert!(out.len() <= 33 * 131, "pongs are coalesced: {} bytes", out.len());
        }
    }
}

/// What follows a Close is dropped as it comes: none of it is parsed or kept.
#[test]
fn a36_data_after_a_close_takes_no_memory() {
    for role in ROLES {
        let mut connection = fixed(role, Limits::default());
        let mut out = Vec::with_capacity(1 << 10);
        let half = frame(role, 0x82, &vec![7; 60_000]);
        let mut wire =
            [&frame(role, 0x88, b"\x03\xe8")[..], &half[..50_000], &[0xff; 1000]].concat();
        let cost = cost_of(|| {
            assert_eq!(drain(&mut connection, &mut wire, &mut out), Ok(1));
            assert_eq!(drain(&mut connection, &mut half[..30_000].to_vec(), &mut out), Ok(0));
        });
        assert!(cost.peak <= 30_000 && cost.calls <= 1, "only the test's own copy: {cost:?}");
        assert_eq!((cost.held, connection.buffered()), (0, 0));
        assert_eq!(closes_in(&out), [1000]);
    }
}

#[test]
fn what_a_connection_buffers_is_what_it_says() {
    for role in ROLES {
        let mut side = fixed(role, Limits::default());
        let mut out = Vec::with_capacity(64);
        let message = frame(role, 0x82, &[b'm'; 10_000]);
        assert_eq!(side.buffered(), 0);
        let (mut begin, mut rest) = (message[..5_000].to_vec(), message[5_000..].to_vec());
        let cost = cost_of(|| assert_eq!(drain(&mut side, &mut begin, &mut out), Ok(0)));
        assert!(side.buffered() >= 4_900, "{}", side.buffered());
        assert_eq!(Ok(side.buffered()), usize::try_from(cost.held));
        assert_eq!(drain(&mut side, &mut rest, &mut out), Ok(1));
        assert_eq!(side.buffered(), 0);
    }
}

/// A connection holds nothing between messages; its thread keeps the memory of large ones; `message/spare.rs` tests
/// how much.
#[test]
fn the_memory_of_a_large_message_serves_the_next_one_of_the_thread() {
    free_spare_memory();
    let mut out = Vec::with_capacity(1 << 10);
    let mut receive = |role, len: usize| {
        let mut connection = fixed(role, Limits::default());
        let mut wire = frame(role, 0x82, &vec![7; len]);
        cost_of(|| {
            let mut events = 0;
            for read in wire.chunks_mut(64 << 10) {
                events += drain(&mut connection, read, &mut out).unwrap();
            }
            assert_eq!((events, connection.buffered()), (1, 0));
        })
    };
    for role in ROLES {
        let first = receive(role, 300 << 10);
        assert!(first.calls > 1 && first.held >= 300 << 10, "{first:?}");
        for len in [300 << 10, 200 << 10, (300 << 10) - 1] {
            let next = receive(role, len);
            assert_eq!((next.calls, next.held, next.moved), (0, 0, 0), "{len}");
        }
        assert!(cost_of(free_spare_memory).held <= -(300 << 10));
    }
}
