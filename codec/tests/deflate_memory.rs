//! Bounds on memory with permessage-deflate, by an allocator that counts: rows C08, C12, C28, R15
//! and R18 of the catalogue.
#![cfg(feature = "deflate")]
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
mod deflate_support;
mod support;

use alloc::{Counting, cost_of};
use deflate_support::{
    bits, chat, compressed, deflating, frames_in, full, noise, peer_of, side, stored,
};
use support::{ROLES, TestConnection, frame, hex};
use wscodec::deflate::{ContextTakeover, Deflate};
use wscodec::header::Fin;
use wscodec::message::free_spare_memory;
use wscodec::{Config, Delivery, Fragment, Limits, Message, ProtocolError, Role};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a chunk, a stream and the growth of a buffer may cost beyond the limit.
const BEYOND_LIMIT: usize = 16 << 10;
/// zlib-rs's inflate state and window, which the thread keeps.
const STREAM: usize = 64 << 10;

fn drain(connection: &mut TestConnection, wire: &mut [u8]) -> Result<usize, ProtocolError> {
    let mut input = wire;
    let mut out = Vec::with_capacity(1 << 10);
    let mut events = 0;
    while connection.receive(&mut input, &mut out)?.is_some() {
        events += 1;
    }
    Ok(events)
}

fn bomb(len: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    deflating(Role::Server).send(Message::Binary(&vec![0; len]), &mut wire).unwrap();
    frames_in(&wire).remove(0).1
}

/// Fills the thread's pools, which belong to no connection.
fn warm() {
    for role in ROLES {
        for _ in 0..10 {
            let mut wire = Vec::new();
            let text = chat(1, 2000);
            deflating(peer_of(role)).send(Message::Text(&text), &mut wire).unwrap();
            drain(&mut deflating(role), &mut wire).unwrap();
        }
    }
}

#[test]
fn r15_c08_a_bomb_costs_no_more_than_the_limit_and_a_chunk() {
    warm();
    let payload = bomb(64 << 20);
    for role in ROLES {
        for limit in [1 << 10, 64 << 10, 1 << 20, 16 << 20] {
            let limits = Limits::default().with_message_size_max(limit);
            let mut wire = compressed(role, &payload[..payload.len().min(limit)]);
            let mut receiver = side(role, full(), Config::default().with_limits(limits));
            let cost = cost_of(|| {
                let error = drain(&mut receiver, &mut wire).unwrap_err();
                assert_eq!(error.close_code().as_u16(), 1009);
            });
            let window = 32 << 10; // what context takeover keeps, until the connection has failed
            assert!(cost.peak <= limit + BEYOND_LIMIT + window, "{role:?} {limit}: {cost:?}");
            assert!(cost.held <= 0, "a failed connection holds nothing: {cost:?}");
        }
    }
}

#[test]
fn a_connection_that_has_failed_gives_back_both_windows() {
    warm();
    for role in ROLES {
        let mut side = deflating(role);
        let mut wire = Vec::with_capacity(64 << 10);
        let mut input = compressed(role, &bomb(40 << 10));
        let mut bad = frame(role, 0xf2, b"");
        let cost = cost_of(|| {
            side.send(Message::Binary(&noise(40 << 10)), &mut wire).unwrap();
            side.send(Message::Text(&chat(1, 40 << 10)), &mut wire).unwrap();
            assert_eq!(drain(&mut side, &mut input), Ok(1));
        });
        assert!(cost.held >= 2 * (32 << 10), "what both windows hold: {cost:?}");
        let freed = cost_of(|| assert!(drain(&mut side, &mut bad).is_err()));
        assert!(freed.held <= -2 * (32 << 10), "{freed:?}");
    }
}

/// A compressed message that will never be whole gives back all it has taken, windows and stream,
/// when a Close comes between its fragments and when the stream ends.
#[test]
fn a20_a43_a_compressed_message_that_is_cut_off_is_given_back() {
    warm();
    for role in ROLES {
        for is_closed in [true, false] {
            let mut side = deflating(role);
            let mut whole = compressed(role, &bomb(40 << 10));
            let first = stored(&noise(50_000));
            let mut begun = [frame(role, 0x42, &first), frame(role, 0x00, &[0, 0])].concat();
            let mut close = frame(role, 0x88, b"\x03\xe8");
            let cost = cost_of(|| {
                assert_eq!(drain(&mut side, &mut whole), Ok(1));
                assert_eq!(drain(&mut side, &mut begun), Ok(0));
            });
            assert!(cost.held >= 32 << 10, "a window and a message: {cost:?}");
            assert!(side.buffered() >= 50_000);
            let freed = cost_of(|| {
                if is_closed {
                    assert_eq!(drain(&mut side, &mut close), Ok(1));
                } else {
                    assert_eq!(side.receive_eof(), Err(ProtocolError::UnexpectedEof));
                }
            });
            // The stream goes to the thread's pool, which may have room for it already.
            assert!(freed.held <= -(80 << 10), "{role:?} {is_closed}: {freed:?}");
            assert_eq!(side.buffered(), 0);
        }
    }
}

#[test]
fn r15_c08_a_gigabyte_of_zeros_costs_the_limit_and_a_quarter_of_a_mib() {
    warm();
    // A mebibyte behind another: such a piece refers to zeros alone, so it may be said again and
    // again.
    let mut sender = deflating(Role::Server);
    let mut wire = Vec::new();
    let zeros = vec![0; 1 << 20];
    sender.send_fragment(Fragment::Binary(&zeros), Fin::More, &mut wire).unwrap();
    let first = frames_in(&wire).remove(0).1;
    wire.clear();
    sender.send_fragment(Fragment::Binary(&zeros), Fin::More, &mut wire).unwrap();
    let piece = frames_in(&wire).remove(0).1;
    let payload = [first, piece.repeat(1023), vec![0]].concat();
    assert!(payload.len() < 2 << 20, "{}", payload.len());
    for limit in [1 << 20, 64 << 20] {
        let limits = Limits::default().with_message_size_max(limit);
        let mut wire = compressed(Role::Client, &payload);
        let config = Config::default().with_limits(limits);
        let mut receiver = side(Role::Client, full(), config);
        let cost = cost_of(|| {
            let error = drain(&mut receiver, &mut wire).unwrap_err();
            assert_eq!(error.close_code().as_u16(), 1009);
        });
        assert!(cost.peak <= limit + (256 << 10), "{limit}: {cost:?}");
        assert!(cost.held <= 0, "{cost:?}");
    }
    // Where nobody is handed more than a piece, it is taken whole, in as little.
    let limits = Limits::default().with_message_size_max(1 << 30);
    let config = Config::default().with_limits(limits).with_delivery(Delivery::Streamed);
    let mut receiver = side(Role::Client, full(), config);
    let mut wire = compressed(Role::Client, &payload);
    let cost = cost_of(|| assert!(drain(&mut receiver, &mut wire).unwrap() > 60_000));
    assert!(cost.peak <= 256 << 10, "{cost:?}");
}

#[test]
fn c09_a_bomb_in_fragments_costs_no_more() {
    warm();
    let payload = bomb(8 << 20);
    let limits = Limits::default().with_message_size_max(1 << 20);
    let mut wire = frame(Role::Server, 0x42, &payload[..1]);
    for byte in &payload[1..] {
        wire.extend(frame(Role::Server, 0x00, &[*byte]));
    }
    let mut receiver = side(Role::Server, full(), Config::default().with_limits(limits));
    let cost = cost_of(|| {
        assert_eq!(drain(&mut receiver, &mut wire).unwrap_err().close_code().as_u16(), 1009);
    });
    assert!(cost.peak <= (1 << 20) + BEYOND_LIMIT + (32 << 10), "{cost:?}");
}

#[test]
fn c12_a_thousand_bombs_within_the_limit_leave_nothing_but_the_window() {
    warm();
    let payload = bomb(1 << 20);
    for role in ROLES {
        let limits = Limits::default().with_message_size_max(1 << 20);
        let mut receiver = side(role, full(), Config::default().with_limits(limits));
        let wire = compressed(role, &payload);
        let cost = cost_of(|| {
            for _ in 0..if cfg!(debug_assertions) { 50 } else { 1000 } {
                assert_eq!(drain(&mut receiver, &mut wire.clone()), Ok(1));
            }
            free_spare_memory(); // of the thread, not of the connection
        });
        assert!(cost.held <= (32 << 10) + 512, "{cost:?}");
        assert!(cost.peak <= (2 << 20) + BEYOND_LIMIT + (32 << 10), "{cost:?}");
    }
}

#[test]
fn c13_a_million_empty_blocks_allocate_next_to_nothing() {
    warm();
    let mut payload = hex("000000ffff").repeat(1_000_000);
    payload.push(0);
    let mut wire = compressed(Role::Server, &payload);
    let mut receiver = deflating(Role::Server);
    let cost = cost_of(|| assert_eq!(drain(&mut receiver, &mut wire), Ok(1)));
    assert!(cost.peak <= BEYOND_LIMIT + 1024 && cost.calls <= 8, "{cost:?}");
}

#[test]
fn a_streamed_bomb_costs_a_chunk_whatever_its_size() {
    warm();
    let mut wire = compressed(Role::Server, &bomb(32 << 20));
    let config = Config::default().with_delivery(Delivery::Streamed);
    let mut receiver = side(Role::Server, full(), config);
    let cost = cost_of(|| assert!(drain(&mut receiver, &mut wire).unwrap() > 1000));
    assert!(cost.peak <= 3 * BEYOND_LIMIT + (32 << 10), "{cost:?}");
}

#[test]
fn memory_follows_the_bytes_that_have_arrived() {
    warm();
    // a header that claims 16 MiB, and the first bytes of its payload
    let mut wire = support::header(Role::Server, 0xc2, 64, 16 << 20);
    wire.extend(stored(&noise(100)));
    let mut receiver = deflating(Role::Server);
    let cost = cost_of(|| assert_eq!(drain(&mut receiver, &mut wire), Ok(0)));
    assert!(cost.peak <= STREAM + 4096, "{cost:?}");
}

/// Bytes of heap memory that a connection holds after having sent and received ten messages of
/// `len` bytes.
fn idle_cost(deflate: Deflate, len: usize) -> (usize, usize) {
    warm();
    let connections = 50;
    let mut pairs: Vec<(TestConnection, TestConnection)> = Vec::with_capacity(connections);
    // The first ones fill the pools with streams for these parameters, which belong to the thread.
    let mut first = Vec::new();
    let exchange = |client: &mut TestConnection, server: &mut TestConnection| {
        let mut wire = Vec::with_capacity(1 << 20);
        for number in 0..10 {
            let text = chat(number, len);
            for _ in 0..2 {
                wire.clear();
                client.send(Message::Text(&text), &mut wire).unwrap();
                assert_eq!(drain(server, &mut wire), Ok(1));
                std::mem::swap(client, server);
            }
        }
    };
    let pair = || {
        let client = side(Role::Client, deflate, Config::default());
        (client, side(Role::Server, deflate, Config::default()))
    };
    for _ in 0..20 {
        let (mut client, mut server) = pair();
        exchange(&mut client, &mut server);
        first.push((client, server));
    }
    let cost = cost_of(|| {
        for _ in 0..connections {
            let (mut client, mut server) = pair();
            exchange(&mut client, &mut server);
            pairs.push((client, server));
        }
    });
    (cost.held.max(0) as usize / connections / 2, size_of::<TestConnection>())
}

#[test]
fn c28_an_idle_connection_holds_its_windows_and_no_stream() {
    let off =
        full().with_server_context(ContextTakeover::Off).with_client_context(ContextTakeover::Off);
    let small =
        full().with_server_max_window_bits(bits(12)).with_client_max_window_bits(Some(bits(12)));
    let one_way = full().with_server_context(ContextTakeover::Off);
    let windows = |count: usize, bits: u8| count << bits;
    let rows = [
        ("no takeover", off, 5000, 4 << 10),
        ("takeover, 4 KiB windows", small, 5000, windows(2, 12) + (8 << 10)),
        ("takeover, 32 KiB windows", full(), 5000, windows(2, 15) + (8 << 10)),
        ("takeover of the client alone", one_way, 5000, windows(1, 15) + (8 << 10)),
        ("takeover, and little said", full(), 100, 8 << 10),
    ];
    for (name, deflate, len, bound) in rows {
        let (heap, inline) = idle_cost(deflate, len);
        println!("{name}: {heap} bytes of heap and {inline} of its own");
        assert!(heap + inline <= bound, "{name}: {heap} + {inline} > {bound}");
    }
}

#[test]
fn a_compressed_message_that_fits_a_read_costs_a_few_allocations() {
    warm();
    for role in ROLES {
        let (mut sender, mut receiver) = (deflating(peer_of(role)), deflating(role));
        let text = chat(1, 512);
        let mut wire = Vec::with_capacity(1 << 16);
        for _ in 0..70 {
            wire.clear();
            sender.send(Message::Text(&text), &mut wire).unwrap();
            drain(&mut receiver, &mut wire).unwrap();
        }
        wire.clear();
        let cost = cost_of(|| sender.send(Message::Text(&text), &mut wire).unwrap());
        assert_eq!(cost.calls, 0, "sending, once the window is full");
        let cost = cost_of(|| assert_eq!(drain(&mut receiver, &mut wire), Ok(1)));
        assert!(cost.calls <= 3 && cost.held == 0, "{cost:?}");
    }
}
