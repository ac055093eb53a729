//! What has really broken WebSocket software, as the bytes that did it: rows R01-R06, R08, R10,
//! R16, R19, R21, R23, R27, R28, R37 and R39. `codec/tests/README.md` says which test has which
//! row.

use crate::support::{
    Frame, KEY, Owned, ROLES, binary, closes_in, connection, feed, feed_bytewise, frame, header,
    hex, outcome_of, text, with_config, with_limits,
};
use proptest::prelude::*;
use wscodec::header::{Fin, FrameHeader, HeaderRules, Rsv};
use wscodec::{
    Config, Delivery, FrameError, Limits, Message, ProtocolError, ReadyState, Role, SendError,
    Utf8Error,
};

/// The bytes fail with `error` in one call, and already at byte `at`, counted from 1; one byte
/// fewer does not.
#[track_caller]
fn assert_fails_at(role: Role, bytes: &[u8], error: FrameError, code: u16, at: usize) {
    outcome_of(role, bytes).assert_fails(&[], error.into(), code);
    outcome_of(role, &bytes[..at]).assert_fails(&[], error.into(), code);
    outcome_of(role, &bytes[..at - 1]).assert_ok(&[]);
    let mut memory = bytes.to_vec();
    let mut input = &mut memory[..];
    let mut side = connection(role);
    let verdict = side.receive(&mut input, &mut Vec::new());
    assert_eq!(verdict, Err(error.into()), "within one call");
}

#[test]
fn r01_a_length_that_overflows_with_its_header_is_1002() {
    let fragmented = FrameError::ControlFragmented { opcode: 10 };
    let bytes = hex("0a ff ff ff ff ff ff ff ff ff ff eb 0e 8f");
    assert_fails_at(Role::Server, &bytes, fragmented, 1002, 1);
    let msb = FrameError::LengthMsb { payload_len: u64::MAX };
    assert_fails_at(Role::Server, &hex("82 ff ffffffffffffffff M"), msb, 1002, 10);
    let too_long = FrameError::ControlTooLong { opcode: 10 };
    assert_fails_at(Role::Server, &hex("8a ff ffffffffffffffff M"), too_long, 1002, 2);
}

#[test]
fn r02_the_input_of_the_first_fuzzers_is_1002() {
    let bytes = hex(&["ff"; 23].concat())
        .into_iter()
        .chain(hex(&["fe"; 6].concat()))
        .chain(hex("09 01"))
        .chain(hex(&["fe"; 18].concat()))
        .collect::<Vec<_>>();
    for role in ROLES {
        let error = FrameError::ReservedOpcode { opcode: 15 };
        assert_fails_at(role, &bytes, error, 1002, 1);
    }
}

#[test]
fn r03_a_length_that_wraps_with_the_key_is_1002() {
    for payload_len in [u64::MAX - 3, u64::MAX - 4, u64::MAX - 13, u64::MAX - 14] {
        let bytes = header(Role::Server, 0x82, 64, payload_len);
        let error = FrameError::LengthMsb { payload_len };
        assert_fails_at(Role::Server, &bytes, error, 1002, 10);
    }
}

#[test]
fn r04_r06_a_length_that_wraps_a_pointer_is_1002_with_payload_and_without() {
    let error = FrameError::LengthMsb { payload_len: u64::MAX };
    for payload in [&b""[..], b"A", &[0x41; 16]] {
        let bytes = [&hex("81 7f ffffffffffffffff")[..], payload].concat();
        assert_fails_at(Role::Client, &bytes, error, 1002, 10);
    }
}

#[test]
fn r05_a_length_that_no_signed_number_holds_is_1002() {
    let error = FrameError::LengthMsb { payload_len: 1 << 63 };
    assert_fails_at(Role::Client, &hex("82 7f 80 00 00 00 00 00 00 00"), error, 1002, 10);
    assert_fails_at(Role::Server, &hex("82 ff 80 00 00 00 00 00 00 00"), error, 1002, 10);
}

#[test]
fn r07_the_sum_of_fragments_never_wraps_past_the_limit() {
    let first = hex("02 81 M 41");
    let frame_size_max = Limits::FRAME_SIZE_MAX;
    let too_big = FrameError::FrameTooBig { payload_len: (1 << 63) - 1, frame_size_max };
    let msb = FrameError::LengthMsb { payload_len: u64::MAX };
    for (second, error, code) in
        [("80 ff 7fffffffffffffff M", too_big, 1009), ("80 ff ffffffffffffffff M", msb, 1002)]
    {
        let outcome = outcome_of(Role::Server, &[&first[..], &hex(second)].concat());
        outcome.assert_fails(&[], error.into(), code);
    }
    // Without a limit on frames it is the sum that must not wrap: what it would have come to is in
    // the error.
    let limits = Limits::default().with_frame_size_max(u64::MAX);
    let wire = [first, hex("80 ff 7fffffffffffffff M")].concat();
    let error = ProtocolError::MessageTooBig {
        message_size: 1 << 63,
        message_size_max: Limits::MESSAGE_SIZE_MAX,
    };
    feed(&mut with_limits(Role::Server, limits), &wire).assert_fails(&[], error, 1009);
    // And where even the message has no limit, the number of bytes that a header may claim twice is
    // still a number.
    let limits = limits.with_message_size_max(usize::MAX);
    let claims = header(Role::Client, 0x02, 64, i64::MAX as u64);
    let mut side = with_limits(Role::Client, limits);
    feed(&mut side, &[&claims[..], b"A"].concat()).assert_ok(&[]);
}

#[test]
fn r08_a_bad_length_is_1002_within_one_call_and_silence_follows() {
    let mut memory = hex("81 ff ffffffffffffffff M");
    let mut side = connection(Role::Server);
    let mut input = &mut memory[..];
    let mut out = Vec::new();
    let error = ProtocolError::Frame(FrameError::LengthMsb { payload_len: u64::MAX });
    assert_eq!(side.receive(&mut input, &mut out), Err(error));
    assert_eq!(closes_in(&out), [1002]);
    for _ in 0..10 {
        assert_eq!(side.receive(&mut &mut [][..], &mut out), Err(error));
    }
    assert_eq!(closes_in(&out), [1002], "said once");
}

#[test]
fn r10_an_unknown_opcode_is_1002_before_the_length_that_follows_it() {
    let mut bytes = hex("83 ff 00 00 00 00 04 00 00 00 M");
    bytes.extend([0x5a; 1000]);
    assert_fails_at(Role::Server, &bytes, FrameError::ReservedOpcode { opcode: 3 }, 1002, 1);
}

#[test]
fn r16_a_message_of_the_limit_is_whole_and_of_a_byte_more_is_1009_never_cut_off() {
    for role in ROLES {
        for (limit, delivery) in [(5, Delivery::Whole), (200, Delivery::Whole)]
            .into_iter()
            .chain([(5, Delivery::Streamed), (200, Delivery::Streamed)])
        {
            let limits = Limits::default().with_message_size_max(limit);
            let config = Config::default().with_limits(limits).with_delivery(delivery);
            for len in [limit - 1, limit, limit + 1] {
                let payload = vec![b'x'; len];
                let in_fragments = [
                    frame(role, 0x02, &payload[..len - 2]),
                    frame(role, 0x00, b""),
                    frame(role, 0x80, b"xx"),
                ];
                for wire in [frame(role, 0x82, &payload), in_fragments.concat()] {
                    for feed in [feed, feed_bytewise] {
                        let outcome = feed(&mut with_config(role, config), &wire);
                        let is_whole = outcome.events.iter().any(|event| {
                            matches!(event, Owned::Binary(_) | Owned::BinaryPiece(_, Fin::Final))
                        });
                        assert_eq!(is_whole, len <= limit, "{len} of {limit}");
                        if len > limit {
                            let (message_size, message_size_max) = (len as u64, limit);
                            let error =
                                ProtocolError::MessageTooBig { message_size, message_size_max };
                            assert_eq!(outcome.error, Some(error));
                            assert_eq!(closes_in(&outcome.replies), [1009]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn r19_r21_rsv1_is_1002_where_nothing_gives_it_a_meaning() {
    // R21: not negotiated at all.
    for role in ROLES {
        let wire = frame(role, 0xc1, b"Hello");
        assert_fails_at(role, &wire, FrameError::ReservedBits { rsv: 4 }, 1002, 1);
    }
    // R19: negotiated, but on a continuation, where "it MUST NOT" stand (RFC 7692, 6).
    let rules =
        HeaderRules::for_receiver(Role::Client, &Limits::default()).with_rsv_allowed(Rsv::RSV1);
    assert!(FrameHeader::parse(&hex("41 01"), &rules).is_ok());
    for continuation in ["40 01", "c0 01"] {
        let verdict = FrameHeader::parse(&hex(continuation), &rules);
        assert_eq!(verdict, Err(FrameError::ReservedBits { rsv: 4 }), "{continuation}");
    }
}

/// All but the last byte of a frame, at the very end of memory that may be touched: unmasking what
/// is not there would crash.
#[cfg(unix)]
#[test]
fn r23_a_partial_payload_is_unmasked_to_its_last_byte_and_not_past_it() {
    let mut memory = crate::guarded::Guarded::new(4096);
    let payload: Vec<u8> = (0..=255).cycle().take(600).collect();
    for len in (1..200).chain([255, 256, 257, 511, 512, 513, 600]) {
        for b0 in [0x82, 0x02] {
            let wire = frame(Role::Server, b0, &payload[..len]);
            let (last, partial) = wire.split_last().unwrap();
            let mut side = connection(Role::Server);
            let start = memory.bytes().len() - partial.len();
            memory.bytes().fill(crate::guarded::CANARY);
            memory.bytes()[start..].copy_from_slice(partial);
            let mut input = &mut memory.bytes()[start..];
            assert_eq!(side.receive(&mut input, &mut Vec::new()), Ok(None), "{len}");
            let end = start + partial.len();
            memory.check_canaries(start, end);
            let outcome = feed(&mut side, &[*last]);
            let expected = if b0 == 0x82 { vec![binary(&payload[..len])] } else { vec![] };
            outcome.assert_ok(&expected);
        }
    }
    // The frame of the issue: 49 bytes, of which 48 have arrived.
    let wire = Frame { b0: 0x81, payload: &[b'x'; 43], mask: Some(KEY) }.encode();
    assert_eq!(wire.len(), 49);
    outcome_of(Role::Server, &wire[..48]).assert_ok(&[]);
    outcome_of(Role::Server, &wire).assert_ok(&[text(&"x".repeat(43))]);
}

/// Calls until `None` or an error; each must take a byte, return an event or be the last.
fn calls_until_done(role: Role, config: Config, wire: &[u8], read_len: usize) -> usize {
    let mut side = with_config(role, config);
    let mut memory = wire.to_vec();
    let mut out = Vec::new();
    let mut calls = 0;
    for read in memory.chunks_mut(read_len) {
        let mut input = read;
        loop {
            calls += 1;
            match side.receive(&mut input, &mut out) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    assert!(input.is_empty());
                    break;
                }
                Err(_) => return calls,
            }
        }
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn r27_every_call_makes_progress_whatever_arrives(
        is_server in any::<bool>(),
        is_streamed in any::<bool>(),
        opcodes in prop::collection::vec(
            (
                prop::sample::select(vec![0x81_u8, 1, 0, 0x80, 0x82, 2, 0x89, 0x8a, 0x88, 0xff]),
                0..40_usize,
            ),
            0..20,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..50),
        read_len in 1..100_usize,
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let delivery = if is_streamed { Delivery::Streamed } else { Delivery::Whole };
        let config = Config::default().with_delivery(delivery);
        let mut wire: Vec<u8> = opcodes
            .iter()
            .flat_map(|(b0, len)| frame(role, *b0, &"aé世🎉".repeat(10).as_bytes()[..*len]))
            .collect();
        wire.extend(tail);
        let reads = wire.len().div_ceil(read_len);
        let calls = calls_until_done(role, config, &wire, read_len);
        // Every event needs two bytes of header or one of payload; every read ends with one `None`.
        prop_assert!(calls <= wire.len() + reads, "{calls} calls for {} bytes", wire.len());
    }
}

/// Every way to fail, as the peer's last bytes.
fn offences(role: Role) -> Vec<(Vec<u8>, ProtocolError)> {
    let wrong_role = if role == Role::Server { Role::Client } else { Role::Server };
    let wrong_mask = match role {
        Role::Server => FrameError::MaskRequired,
        Role::Client => FrameError::MaskForbidden,
    };
    let too_big =
        FrameError::FrameTooBig { payload_len: 1 << 40, frame_size_max: Limits::FRAME_SIZE_MAX };
    let frame_of = |b0, payload: &[u8]| frame(role, b0, payload);
    vec![
        (vec![0xf1], FrameError::ReservedBits { rsv: 7 }.into()),
        (vec![0x8f], FrameError::ReservedOpcode { opcode: 15 }.into()),
        (vec![0x08], FrameError::ControlFragmented { opcode: 8 }.into()),
        (header(role, 0x89, 16, 126), FrameError::ControlTooLong { opcode: 9 }.into()),
        (frame(wrong_role, 0x81, b"x"), wrong_mask.into()),
        (header(role, 0x82, 16, 125), FrameError::LengthNotMinimal { payload_len: 125 }.into()),
        (header(role, 0x82, 64, 1 << 63), FrameError::LengthMsb { payload_len: 1 << 63 }.into()),
        (header(role, 0x82, 64, 1 << 40), too_big.into()),
        (frame_of(0x80, b""), ProtocolError::UnexpectedContinuation),
        ([frame_of(0x01, b""), frame_of(0x82, b"")].concat(), ProtocolError::ExpectedContinuation),
        (frame_of(0x81, b"\xff"), ProtocolError::Utf8(Utf8Error { valid_up_to: 0 })),
        (frame_of(0x88, b"\x03"), ProtocolError::ClosePayload),
        (frame_of(0x88, b"\x03\xee"), ProtocolError::CloseCode { code: 1006 }),
        (frame_of(0x88, b"\x03\xe8\xc3"), ProtocolError::Utf8(Utf8Error { valid_up_to: 0 })),
    ]
}

/// Every way to go beyond a limit on messages, below which `before` is.
fn excesses(role: Role) -> (Limits, Vec<(Vec<u8>, ProtocolError)>) {
    let limits = Limits::default().with_message_size_max(10).with_fragments_max(2);
    let message_size_max = limits.message_size_max;
    let too_big = |message_size| ProtocolError::MessageTooBig { message_size, message_size_max };
    let frame_of = |b0, payload: &[u8]| frame(role, b0, payload);
    let excesses = vec![
        (header(role, 0x82, 7, 11), too_big(11)),
        ([frame_of(0x02, b"eight..."), header(role, 0x00, 7, 3)].concat(), too_big(11)),
        (
            [frame_of(0x02, b""), frame_of(0x00, b""), header(role, 0x80, 7, 0)].concat(),
            ProtocolError::TooManyFragments { fragments_max: 2 },
        ),
    ];
    (limits, excesses)
}

/// Whatever comes after any error: the same error, nothing taken, nothing said, nothing sent.
#[test]
fn r28_every_error_is_final_through_a_thousand_further_inputs() {
    for role in ROLES {
        let (limits, excesses) = excesses(role);
        let offences = offences(role).into_iter().map(|offence| (Limits::default(), offence));
        let excesses = excesses.into_iter().map(|excess| (limits, excess));
        for (limits, (offence, error)) in offences.chain(excesses) {
            let mut side = with_limits(role, limits);
            let wire = [frame(role, 0x81, b"before"), offence].concat();
            let outcome = feed(&mut side, &wire);
            outcome.assert_fails(&[text("before")], error, error.close_code().as_u16());
            assert_eq!(side.ready_state(), ReadyState::Closed);
            assert!(!side.is_clean());
            let mut noise = 0x9e37_79b9_u32;
            for round in 0..1000 {
                let mut memory = match round % 4 {
                    0 => frame(role, 0x81, b"valid"),
                    1 => frame(role, 0x88, b"\x03\xe8"),
                    2 => frame(role, 0x89, b"ping"),
                    _ => (0..20)
                        .map(|_| {
                            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            (noise >> 24) as u8
                        })
                        .collect(),
                };
                let len = memory.len();
                let mut input = &mut memory[..];
                let mut out = Vec::new();
                assert_eq!(side.receive(&mut input, &mut out), Err(error));
                assert_eq!((input.len(), out.len()), (len, 0), "{error:?}");
                assert_eq!(side.send(Message::Text(""), &mut out), Err(SendError::NotOpen));
            }
            assert_eq!(side.receive_eof(), Err(error));
        }
    }
}

/// A peer that sends Pings and never reads: `out` has no room, and what is owed is one Pong.
#[test]
fn r37_a_flood_of_pings_without_room_to_answer_owes_one_pong() {
    for role in ROLES {
        let mut side = connection(role);
        let mut no_room: &mut [u8] = &mut [];
        for at in 0..10_000_u32 {
            let mut memory = frame(role, 0x89, &at.to_be_bytes());
            let mut input = &mut memory[..];
            assert!(side.receive(&mut input, &mut no_room).unwrap().is_some());
            assert!(side.receive(&mut input, &mut no_room).unwrap().is_none());
        }
        let outcome = feed(&mut side, b"");
        let peer = if role == Role::Server { Role::Client } else { Role::Server };
        assert_eq!(outcome.replies, frame(peer, 0x8a, &9_999_u32.to_be_bytes()), "the newest");
    }
}

/// The version of `name` in the lock file, every one there is.
fn locked_versions(name: &str) -> Vec<[u32; 3]> {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let mut lines = lock.lines();
    let mut versions = Vec::new();
    while let Some(line) = lines.next() {
        if line == format!("name = \"{name}\"") {
            let version = lines.next().unwrap().trim_start_matches("version = ").trim_matches('"');
            let mut numbers =
                version.split(['.', '-', '+']).map(|number| number.parse().unwrap_or(0));
            versions.push(std::array::from_fn(|_| numbers.next().unwrap_or(0)));
        }
    }
    versions
}

/// Dependencies whose older versions have advisories that this row names: none of those is in the
/// lock file.
#[test]
fn r39_no_locked_dependency_is_older_than_its_fix() {
    for version in locked_versions("bytes") {
        assert!(version >= [1, 11, 1], "RUSTSEC-2026-0007: bytes {version:?}");
    }
    for version in locked_versions("zlib-rs") {
        assert!(version >= [0, 4, 0], "RUSTSEC-2024-0401: zlib-rs {version:?}");
    }
    for version in locked_versions("tokio") {
        assert!(version >= [1, 44, 2], "RUSTSEC-2025-0023: tokio {version:?}");
    }
    for version in locked_versions("rand") {
        let fixed = match version {
            [0, 8, _] => [0, 8, 6],
            [0, 9, _] => [0, 9, 3],
            _ => [0, 10, 1],
        };
        assert!(version >= fixed, "RUSTSEC-2026-0097: rand {version:?}");
    }
    assert!(!locked_versions("bytes").is_empty(), "the lock file is read");
}
