//! permessage-deflate against hostile peers: rows C and R15 to R22 of the catalogue, and the
//! examples of RFC 7692.

use crate::deflate_support::{
    agree, bits, chat, compressed, deflating, frames_in, full, limited, noise, receive_one, side,
    stored,
};
use crate::support::{
    Outcome, Owned, ROLES, binary, builder, connection, feed, feed_bytewise, frame, hex, ping, text,
};
use wscodec::deflate::{ContextTakeover, Deflate};
use wscodec::{
    Config, Event, FrameError, InflateError, Limits, Message, ProtocolError, Role, Utf8Error,
};

const CORRUPT: ProtocolError = ProtocolError::Inflate(InflateError::Corrupt);
const TRUNCATED: ProtocolError = ProtocolError::Inflate(InflateError::Truncated);

/// What a fresh compressing connection makes of `wire`, the same whole and byte by byte.
#[track_caller]
fn outcome_with(role: Role, deflate: Deflate, limits: Limits, wire: &[u8]) -> Outcome {
    let config = Config::default().with_limits(limits);
    let whole = feed(&mut side(role, deflate, config), wire);
    let bytewise = feed_bytewise(&mut side(role, deflate, config), wire);
    assert_eq!(whole.events, bytewise.events, "events, whole and byte by byte");
    assert_eq!(whole.error, bytewise.error, "error, whole and byte by byte");
    whole
}

#[track_caller]
fn outcome_of(role: Role, wire: &[u8]) -> Outcome {
    outcome_with(role, full(), Limits::default(), wire)
}

fn size_max(message_size_max: usize) -> Limits {
    Limits::default().with_message_size_max(message_size_max)
}

fn too_big(message_size_max: usize) -> ProtocolError {
    let message_size = message_size_max as u64 + 1;
    ProtocolError::MessageTooBig { message_size, message_size_max }
}

/// 64 MiB of zeros as zlib deflates them, by its own means: 1,028 to 1.
fn bomb(len: usize) -> Vec<u8> {
    let mut sender = deflating(Role::Server);
    let mut wire = Vec::new();
    sender.send(Message::Binary(&vec![0; len]), &mut wire).unwrap();
    let (b0, payload) = frames_in(&wire).remove(0);
    if b0 & 0x40 == 0 { stored(&payload) } else { payload }
}

#[test]
fn s7_2_3_the_examples_of_the_rfc() {
    let hello = text("Hello");
    let rows: [(&str, &[&str]); 7] = [
        ("7.2.3.1 one block", &["c1 f24 8cdc9c90700"]),
        ("7.2.3.1 two fragments", &["41 f248cd", "80 c9c90700"]),
        ("7.2.3.2 shared window", &["c1 f248cdc9c90700", "c1 f200110000"]),
        ("7.2.3.3 stored", &["c1 000500faff48656c6c6f00"]),
        ("7.2.3.4 BFINAL", &["c1 f348cdc9c9070000"]),
        ("7.2.3.5 two blocks", &["c1 f248050000 00ffffcac9c90700"]),
        ("7.2.3.6 empty last fragment", &["41 f248cdc9c907000000ffff", "80 00"]),
    ];
    for role in ROLES {
        for (name, frames) in rows {
            let wire: Vec<u8> = frames
                .iter()
                .flat_map(|bytes| {
                    let bytes = hex(bytes);
                    frame(role, bytes[0], &bytes[1..])
                })
                .collect();
            let messages = frames.iter().filter(|frame| frame.starts_with('c')).count().max(1);
            let outcome = outcome_of(role, &wire);
            outcome.assert_ok(&vec![hello.clone(); messages]);
            assert!(outcome.replies.is_empty(), "{name}");
        }
    }
}

#[test]
fn r15_c08_a_bomb_in_one_frame_stops_at_the_limit() {
    let payload = bomb(64 << 20);
    assert!(payload.len() < 70_000, "{}", payload.len());
    for role in ROLES {
        for limit in [0, 5, 16 << 10, 100_000, 1 << 20] {
            let limits = Limits::default().with_message_size_max(limit);
            let wire = compressed(role, &payload[..payload.len().min(limit + 1000)]);
            let outcome =
                feed(&mut side(role, full(), Config::default().with_limits(limits)), &wire);
            outcome.assert_fails(&[], too_big(limit), 1009);
        }
    }
}

#[test]
fn c09_a_bomb_in_fragments_of_one_byte_stops_at_the_limit() {
    let payload = bomb(8 << 20);
    for role in ROLES {
        let mut wire = frame(role, 0x42, &payload[..1]);
        for byte in &payload[1..payload.len() - 1] {
            wire.extend(frame(role, 0x00, &[*byte]));
        }
        wire.extend(frame(role, 0x80, &payload[payload.len() - 1..]));
        let outcome = feed(&mut limited(role, 1 << 20), &wire);
        outcome.assert_fails(&[], too_big(1 << 20), 1009);
        let outcome = feed(&mut limited(role, 8 << 20), &wire);
        outcome.assert_ok(&[binary(&vec![0; 8 << 20])]);
    }
}

#[test]
fn r16_c10_exactly_the_limit_is_accepted_and_one_byte_more_is_not() {
    for role in ROLES {
        for limit in [1, 2, 511, 512, 513, 2048, 16_383, 16_384, 16_385, 40_000] {
            let forms = [
                (bomb(limit), bomb(limit + 1)),
                (stored(&noise(limit)), stored(&noise(limit + 1))),
            ];
            for (exact, over) in forms {
                let outcome = feed(&mut limited(role, limit), &compressed(role, &exact));
                assert_eq!(outcome.error, None, "{limit}");
                assert!(
                    matches!(&outcome.events[..], [Owned::Binary(all)] if all.len() == limit),
                    "nothing is cut off"
                );
                let outcome = feed(&mut limited(role, limit), &compressed(role, &over));
                outcome.assert_fails(&[], too_big(limit), 1009);
            }
        }
    }
}

#[test]
fn r17_a_bomb_beyond_a_limit_of_five_bytes_is_1009_and_others_live_on() {
    let mut other = deflating(Role::Server);
    let outcome =
        outcome_with(Role::Server, full(), size_max(5), &compressed(Role::Server, &bomb(1000)));
    outcome.assert_fails(&[], too_big(5), 1009);
    feed(&mut other, &compressed(Role::Server, &bomb(1000))).assert_ok(&[binary(&[0; 1000])]);
}

#[test]
fn c11_both_limits_apply_and_are_named() {
    for role in ROLES {
        // what the wire carries: one frame
        let limits = Limits::default().with_frame_size_max(100);
        let wire = compressed(role, &stored(&[1; 200]));
        let error = FrameError::FrameTooBig { payload_len: 206, frame_size_max: 100 };
        outcome_with(role, full(), limits, &wire).assert_fails(&[], error.into(), 1009);
        // what the wire carries: a message that decodes to nothing
        let empty = hex("0000 00ffff").repeat(1000);
        let wire = compressed(role, &empty);
        let error =
            ProtocolError::CompressedTooBig { compressed_size: 5000, compressed_size_max: 2149 };
        outcome_with(role, full(), size_max(1000), &wire).assert_fails(&[], error, 1009);
        assert_eq!(error.name(), "compressed_too_big");
        // and a message that does not compress, of exactly the limit, is accepted however it is
        // encoded
        let wire = compressed(role, &stored(&noise(1000)));
        assert_eq!(outcome_with(role, full(), size_max(1000), &wire).error, None);
    }
}

#[test]
fn c13_a_million_empty_blocks_cost_linear_time_and_no_bytes() {
    let mut payload = hex("000000ffff").repeat(1_000_000);
    payload.push(0);
    for role in ROLES {
        let wire = compressed(role, &payload);
        feed(&mut deflating(role), &wire).assert_ok(&[binary(b"")]);
        let limits = Limits::default().with_frame_size_max(1 << 20);
        let outcome = feed(&mut side(role, full(), Config::default().with_limits(limits)), &wire);
        let (payload_len, frame_size_max) = (payload.len() as u64, 1 << 20);
        let error = FrameError::FrameTooBig { payload_len, frame_size_max };
        outcome.assert_fails(&[], error.into(), 1009);
    }
}

#[test]
fn c14_data_that_is_not_deflate_is_1007() {
    let rows = [
        ("block type 3", "06"),
        ("block type 3, more", "07 ffffff"),
        ("length and its complement differ", "00 0500 0000 aabbccddee"),
        ("over-subscribed codes", "04 00feff"),
        ("all ones", "ffffffffffffffff"),
        ("a distance too far", "02 02 00"),
        ("a distance too far, after bytes", "f248 4d 02 d1 ff ff"),
    ];
    for role in ROLES {
        for (name, payload) in rows {
            let outcome = outcome_of(role, &compressed(role, &hex(payload)));
            assert_eq!(outcome.error, Some(CORRUPT), "{name}");
            outcome.assert_fails(&[], CORRUPT, 1007);
            // In fragments too, behind a message that is kept.
            let (first, rest) = payload.split_at(2);
            let wire = [
                frame(role, 0x81, b"before"),
                frame(role, 0x42, &hex(first)),
                frame(role, 0x80, &hex(rest)),
            ];
            outcome_of(role, &wire.concat()).assert_fails(&[text("before")], CORRUPT, 1007);
        }
    }
    assert_eq!(CORRUPT.name(), "inflate");
}

#[test]
fn c15_a_truncated_message_is_1007_when_it_ends() {
    for role in ROLES {
        let mut sender = deflating(if role == Role::Server { Role::Client } else { Role::Server });
        for message in [chat(1, 300).into_bytes(), vec![7; 3000], noise(40).repeat(20)] {
            let mut wire = Vec::new();
            sender.send_uncompressed(Message::Text("-"), &mut wire).unwrap();
            wire.clear();
            let mut fresh = side(sender.role(), full(), Config::default());
            fresh.send(Message::Binary(&message), &mut wire).unwrap();
            let whole = frames_in(&wire).remove(0).1;
            for len in 1..whole.len() - 1 {
                let wire = compressed(role, &whole[..len]);
                let outcome = feed(&mut deflating(role), &wire);
                let error = outcome.error.unwrap_or_else(|| panic!("cut at {len}"));
                assert!([CORRUPT, TRUNCATED].contains(&error), "{error}");
                outcome.assert_fails(&[], error, 1007);
            }
        }
        // within a stored block, and within its header
        for payload in ["00", "000a00f5ff", "000a00f5ff0102030405", "000a00", "000a00f5"] {
            let outcome = outcome_of(role, &compressed(role, &hex(payload)));
            if payload == "00" {
                outcome.assert_ok(&[binary(b"")]);
            } else {
                let error = outcome.error.unwrap_or_else(|| panic!("{payload}"));
                assert!([CORRUPT, TRUNCATED].contains(&error), "{payload}: {error}");
                outcome.assert_fails(&[], error, 1007);
            }
        }
    }
}

#[test]
fn c16_blocks_with_bfinal_are_followed_by_others_and_lose_nothing() {
    let hello = text("Hello");
    let bfinal = "f348cdc9c90700";
    let rows: [(&[&str], &[&str]); 6] = [
        (&["f348cdc9c9070000", "f248cdc9c90700"], &["Hello", "Hello"]),
        (&["f348cdc9c9070000", "f200110000"], &["Hello", "Hello"]), // the window goes on too
        (&[bfinal, "f248cdc9c90700"], &["Hello", "Hello"]), // and the last octet may be missing
        (&["f348cdc9c90700 f348cdc9c90700 00"], &["HelloHello"]),
        (&["f348cdc9c90700 f248cdc9c90700"], &["HelloHello"]),
        (&["01", "f248cdc9c90700"], &["", "Hello"]), // a final empty block
    ];
    for role in ROLES {
        for (payloads, expected) in rows {
            let wire: Vec<u8> =
                payloads.iter().flat_map(|payload| frame(role, 0xc1, &hex(payload))).collect();
            let expected: Vec<_> = expected.iter().map(|message| text(message)).collect();
            outcome_of(role, &wire).assert_ok(&expected);
        }
        let wire = [frame(role, 0xc1, &hex(bfinal)), frame(role, 0x81, b"Hello")].concat();
        outcome_of(role, &wire).assert_ok(&[hello.clone(), hello.clone()]);
    }
}

#[test]
fn c16_bfinal_every_two_bytes_is_cheap_and_keeps_the_window_for_what_follows() {
    let first: Vec<u8> = chat(1, 40_000).into_bytes();
    let [one, back] = far_messages(&first, 300);
    let expected = binary(&first[first.len() - 300..first.len() - 297]);
    for role in ROLES {
        for (restarts, is_paid) in [(1, true), (2, false), (15, false), (16, true), (17, false)] {
            let mut wire = compressed(role, &one);
            wire.extend(compressed(role, &[hex("0300").repeat(restarts), back.clone()].concat()));
            let outcome = outcome_of(role, &wire);
            if is_paid {
                outcome.assert_ok(&[binary(&first), expected.clone()]);
            } else {
                outcome.assert_fails(&[binary(&first)], CORRUPT, 1007);
            }
        }
        // what refers to nothing is understood, however often, and the next message has the window
        let hello = hex("f348cdc9c90700");
        let mut wire = compressed(role, &one);
        wire.extend(compressed(role, &[hello.repeat(1000), vec![0]].concat()));
        wire.extend(compressed(role, &back));
        outcome_of(role, &wire).assert_ok(&[
            binary(&first),
            binary(&b"Hello".repeat(1000)),
            binary(b"Hel"),
        ]);
        let mut wire = compressed(role, &one);
        wire.extend(compressed(role, &[hex("0300").repeat(1_000_000), vec![0]].concat()));
        wire.extend(compressed(role, &back));
        feed(&mut deflating(role), &wire).assert_ok(&[
            binary(&first),
            binary(b""),
            expected.clone(),
        ]);
    }
}

#[test]
fn c17_garbage_behind_bfinal_is_1007_and_does_not_hang() {
    for role in ROLES {
        for garbage in ["ff", "ffffffff", "06", "deadbeef", "0001", "fe"] {
            let payload = [hex("f348cdc9c90700"), hex(garbage)].concat();
            let outcome = outcome_of(role, &compressed(role, &payload));
            let error = outcome.error.unwrap_or_else(|| panic!("{garbage}"));
            assert!([CORRUPT, TRUNCATED].contains(&error), "{garbage}: {error}");
            outcome.assert_fails(&[], error, 1007);
            let mut long = hex("f348cdc9c90700");
            long.extend(noise(100_000));
            let outcome = feed(&mut deflating(role), &compressed(role, &long));
            outcome.assert_fails(&[], CORRUPT, 1007);
        }
    }
}

#[test]
fn c18_messages_that_end_in_other_ways_than_the_rfc_has_it() {
    let rows = [
        ("the tail was not removed", "f248cdc9c907000000ffff"),
        ("nor was it after two blocks", "f248050000 00ffff cac9c90700 0000ffff"),
        ("the tail stands in the middle too", "f248050000 00ffff cac9c90700"),
        ("a stored block and no flush", "000500faff48656c6c6f"),
        ("BFINAL and no flush", "f348cdc9c90700"),
        ("two empty blocks at the end", "f248cdc9c907000000ffff000000ffff00"),
    ];
    for role in ROLES {
        for (name, payload) in rows {
            let mut wire = frame(role, 0xc1, &hex(payload));
            wire.extend(frame(role, 0xc1, &hex("f200110000"))); // and the context has gone on
            let outcome = outcome_of(role, &wire);
            assert_eq!(outcome.error, None, "{name}");
            outcome.assert_ok(&[text("Hello"), text("Hello")]);
        }
    }
}

#[test]
fn c19_empty_messages() {
    for role in ROLES {
        let rows: [&[(u8, &str)]; 7] = [
            &[(0xc1, "00")],
            &[(0xc1, "")],
            &[(0xc1, "000000ffff")],
            &[(0xc1, "0200")],
            &[(0x41, ""), (0x80, "")],
            &[(0x41, ""), (0x00, ""), (0x80, "00")],
            &[(0x41, "000000ffff"), (0x80, "00")],
        ];
        for frames in rows {
            let wire: Vec<u8> =
                frames.iter().flat_map(|(b0, payload)| frame(role, *b0, &hex(payload))).collect();
            outcome_of(role, &wire).assert_ok(&[text("")]);
        }
        let wire =
            [frame(role, 0x41, &hex("f248cdc9c907000000ffff")), frame(role, 0x80, &hex("00"))];
        outcome_of(role, &wire.concat()).assert_ok(&[text("Hello")]);
    }
}

#[test]
fn c20_c21_plain_messages_come_through_and_leave_the_window_alone() {
    for role in ROLES {
        let wire = [
            frame(role, 0xc1, &hex("f248cdc9c90700")),
            frame(role, 0x81, b"plain"),
            frame(role, 0x01, b"in two "),
            frame(role, 0x80, b"frames"),
            frame(role, 0x82, &[b'x'; 300]),
            frame(role, 0xc1, &hex("f200110000")),
        ];
        outcome_of(role, &wire.concat()).assert_ok(&[
            text("Hello"),
            text("plain"),
            text("in two frames"),
            binary(&[b'x'; 300]),
            text("Hello"),
        ]);
    }
}

#[test]
fn r20_c22_control_frames_between_compressed_fragments_keep_the_state() {
    for role in ROLES {
        let wire = [
            frame(role, 0x41, &hex("f248cd")),
            frame(role, 0x89, b""),
            frame(role, 0x00, b""),
            frame(role, 0x89, b"again"),
            frame(role, 0x8a, b""),
            frame(role, 0x80, &hex("c9c90700")),
        ];
        let events =
            [ping(b""), ping(b"again"), crate::support::Owned::Pong(Vec::new()), text("Hello")];
        let outcome = outcome_of(role, &wire.concat());
        outcome.assert_ok(&events);
        assert!(!outcome.replies.is_empty(), "pongs");
    }
}

/// A match of length 3 at distance 300, after 300 literals, and one to `distance` in a second
/// message.
fn far_messages(first: &[u8], distance: usize) -> [Vec<u8>; 2] {
    let mut bits: Vec<u8> = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 1]; // fixed codes; length 3 is 0000001
    let (code, extra_bits, extra) = match distance {
        257..=384 => (16, 7, distance - 257),
        24_577..=32_768 => (29, 13, distance - 24_577),
        other => panic!("{other}"),
    };
    bits.extend((0..5).rev().map(|at| (code >> at & 1) as u8));
    bits.extend((0..extra_bits).map(|at| (extra >> at & 1) as u8));
    bits.extend([0; 7]); // end of block
    bits.extend([0; 3]); // a stored block
    let bytes = bits
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | bit << at));
    [stored(first), bytes.collect()]
}

#[test]
fn c23_a_distance_beyond_the_agreed_window_into_another_message_is_1007() {
    for role in ROLES {
        for (window_bits, distance, is_allowed) in [
            (8, 300, false),
            (9, 300, true),
            (15, 300, true),
            (15, 32_768, true),
            (14, 30_000, false),
        ] {
            let deflate = full()
                .with_server_max_window_bits(bits(window_bits))
                .with_client_max_window_bits(Some(bits(window_bits)));
            let first = noise(40_000);
            let [one, two] = far_messages(&first, distance);
            let mut side = side(role, deflate, Config::default());
            feed(&mut side, &compressed(role, &one)).assert_ok(&[binary(&first)]);
            // whether the stream is still there or has served another
            if distance == 300 {
                for _ in 0..20 {
                    let mut other = deflating(role);
                    feed(&mut other, &compressed(role, &stored(&noise(50))))
                        .assert_ok(&[binary(&noise(50))]);
                }
            }
            let outcome = feed(&mut side, &compressed(role, &two));
            if is_allowed {
                let start = first.len() - distance;
                outcome.assert_ok(&[binary(&first[start..start + 3])]);
            } else if outcome.error.is_some() {
                outcome.assert_fails(&[], CORRUPT, 1007);
            } else {
                panic!("{window_bits} {distance}: a smaller window was agreed");
            }
        }
    }
}

#[test]
fn c24_without_takeover_a_reference_to_the_last_message_is_1007() {
    let off =
        full().with_server_context(ContextTakeover::Off).with_client_context(ContextTakeover::Off);
    for role in ROLES {
        let wire =
            [frame(role, 0xc1, &hex("f248cdc9c90700")), frame(role, 0xc1, &hex("f200110000"))];
        let outcome = outcome_with(role, off, Limits::default(), &wire.concat());
        outcome.assert_fails(&[text("Hello")], CORRUPT, 1007);
    }
}

#[test]
fn c25_text_is_judged_as_it_comes_out_at_every_chunk_edge() {
    for role in ROLES {
        for at in [0, 1, 511, 512, 2047, 2048, 16_383, 16_384, 16_385, 40_000] {
            let good = [vec![b'a'; at], "\u{1f600}".into(), vec![b'b'; 100]].concat();
            let wire = frame(role, 0xc1, &stored(&good));
            let expected = text(std::str::from_utf8(&good).unwrap());
            feed(&mut deflating(role), &wire).assert_ok(&[expected]);
            let bad = [vec![b'a'; at], vec![0xf0, 0x9f, 0x98], vec![b'b'; 100]].concat();
            // fails before the message ends: the last fragment does not come
            let wire = frame(role, 0x41, &stored(&bad));
            let error = ProtocolError::Utf8(Utf8Error { valid_up_to: at as u64 });
            feed(&mut deflating(role), &wire).assert_fails(&[], error, 1007);
        }
        let cut = frame(role, 0xc1, &stored(b"caf\xc3"));
        let error = ProtocolError::Utf8(Utf8Error { valid_up_to: 3 });
        outcome_of(role, &cut).assert_fails(&[], error, 1007);
        let first = [stored(b"caf\xc3"), hex("0000ffff")].concat();
        let both = [frame(role, 0x41, &first), frame(role, 0x80, &stored(b"\xa9"))];
        outcome_of(role, &both.concat()).assert_ok(&[text("caf\u{e9}")]);
    }
}

#[test]
fn r22_c26_compressed_payloads_of_every_length_up_to_4096() {
    let all = noise(4096);
    for role in ROLES {
        let mut side = deflating(role);
        for len in 6..=4096_usize {
            let message = &all[..len - 6];
            feed(&mut side, &compressed(role, &stored(message))).assert_ok(&[binary(message)]);
        }
    }
}

#[test]
fn r19_rsv1_on_a_continuation_or_a_control_frame_is_1002() {
    for role in ROLES {
        let rsv = FrameError::ReservedBits { rsv: 4 }.into();
        for second in [0xc0, 0x40, 0xc8, 0xc9, 0xca] {
            let wire = [frame(role, 0x41, &hex("f248cd")), frame(role, second, &hex("c9c90700"))];
            outcome_of(role, &wire.concat()).assert_fails(&[], rsv, 1002);
            let wire = [frame(role, 0x01, b"plain"), frame(role, second, b"")];
            outcome_of(role, &wire.concat()).assert_fails(&[], rsv, 1002);
        }
        for b0 in [0xa1, 0x91, 0xe1, 0xd1, 0xf1] {
            let wire = [frame(role, 0x81, b"before"), frame(role, b0, &hex("f248cdc9c90700"))];
            let error = FrameError::ReservedBits { rsv: b0 >> 4 & 7 }; // RSV2 and RSV3
            outcome_of(role, &wire.concat()).assert_fails(&[text("before")], error.into(), 1002);
        }
        let wire = [frame(role, 0x41, &hex("f248cd")), frame(role, 0xc1, b"")];
        let error = ProtocolError::ExpectedContinuation;
        outcome_of(role, &wire.concat()).assert_fails(&[], error, 1002);
        outcome_of(role, &frame(role, 0x80, b"")).assert_fails(
            &[],
            ProtocolError::UnexpectedContinuation,
            1002,
        );
    }
}

#[test]
fn r21_rsv1_without_the_extension_is_1002() {
    for role in ROLES {
        let outcome = feed(&mut connection(role), &frame(role, 0xc1, &hex("f248cdc9c90700")));
        outcome.assert_fails(&[], FrameError::ReservedBits { rsv: 4 }.into(), 1002);
    }
}

#[test]
fn fragments_of_compressed_messages_are_counted() {
    for role in ROLES {
        let limits = Limits::default().with_fragments_max(10);
        let mut wire = frame(role, 0x41, b"");
        wire.extend(frame(role, 0x00, b"").repeat(10));
        let error = ProtocolError::TooManyFragments { fragments_max: 10 };
        outcome_with(role, full(), limits, &wire).assert_fails(&[], error, 1008);
    }
}

#[test]
fn after_an_error_nothing_is_inflated_any_more() {
    for role in ROLES {
        let mut side = deflating(role);
        let error = feed(&mut side, &compressed(role, &hex("06"))).error.unwrap();
        let mut wire = compressed(role, &hex("f248cdc9c90700"));
        let mut input = &mut wire[..];
        let len = input.len();
        assert_eq!(side.receive(&mut input, &mut Vec::new()), Err(error));
        assert_eq!(input.len(), len);
    }
}

#[test]
fn a_compressed_answer_can_be_sent_while_the_message_is_borrowed() {
    let (client, server) = agree(full(), full());
    let mut here = builder(Role::Server).extension(Some(&server)).open();
    let mut there = builder(Role::Client).extension(Some(&client)).open();
    let message = chat(1, 500);
    for _ in 0..3 {
        let (mut wire, mut replies) = (Vec::new(), Vec::new());
        there.send(Message::Text(&message), &mut wire).unwrap();
        let mut input = &mut wire[..];
        while let Some((event, sender)) =
            here.receive_with_sender(&mut input, &mut replies).unwrap()
        {
            let Event::Text(text) = event else { panic!("{event:?}") };
            sender.send(Message::Text(text), &mut replies).unwrap();
        }
        assert_eq!(receive_one(&mut there, &replies), message.as_bytes());
    }
}
