//! Frame headers, RFC 6455, 5.2 and 5.5: rows A01-A18, A24, A25 of the catalogue of hostile inputs.

use crate::support::{
    Frame, KEY, ROLES, binary, connection, feed, frame, header, hex, outcome_of, outcome_with, text,
};
use wscodec::header::{Fin, FrameHeader, HeaderRules, Masking, Opcode, Parsed, Rsv};
use wscodec::mask::MaskKey;
use wscodec::{FrameError, Limits, ProtocolError, Role};

/// `input` fails with `error`, and every shorter input does not: the judge speaks at its last byte,
/// and not later. What came before it is not lost, be it in the same read.
#[track_caller]
fn assert_fatal_at_last_byte(role: Role, input: &[u8], error: FrameError, code: u16) {
    let error = ProtocolError::Frame(error);
    outcome_of(role, input).assert_fails(&[], error, code);
    if let Some((_, shorter)) = input.split_last() {
        outcome_of(role, shorter).assert_ok(&[]);
    }
    let before = [
        frame(role, 0x81, b"before"),
        frame(role, 0x89, b"ping"),
        frame(role, 0x02, b"in two"),
        frame(role, 0x80, b" frames"),
    ]
    .concat();
    let events = [text("before"), crate::support::ping(b"ping"), binary(b"in two frames")];
    let outcome = outcome_of(role, &[&before[..], input].concat());
    outcome.assert_fails(&events, error, code);
    let peer = if role == Role::Server { Role::Client } else { Role::Server };
    assert!(outcome.replies.starts_with(&frame(peer, 0x8a, b"ping")), "the Ping was answered");
}

#[test]
fn a01_a02_length_with_its_top_bit_set_is_1002_at_the_tenth_byte() {
    for role in ROLES {
        for payload_len in [u64::MAX, 1 << 63, u64::MAX - 3, (1 << 63) + 5] {
            let input = &header(role, 0x82, 64, payload_len)[..10];
            assert_fatal_at_last_byte(role, input, FrameError::LengthMsb { payload_len }, 1002);
        }
    }
}

#[test]
fn a03_the_longest_length_is_1009_at_the_tenth_byte() {
    for role in ROLES {
        let payload_len = (1 << 63) - 1;
        let input = &header(role, 0x82, 64, payload_len)[..10];
        let error = FrameError::FrameTooBig { payload_len, frame_size_max: 16 << 20 };
        assert_fatal_at_last_byte(role, input, error, 1009);
    }
}

#[test]
fn a04_frames_below_and_at_the_limit_pass_and_one_byte_more_is_1009() {
    for limit in [0_u16, 1, 10, 124, 125, 126, 127, 4095, 65_535] {
        let limits = Limits::default().with_frame_size_max(limit.into());
        for role in ROLES {
            for len in [limit.saturating_sub(1), limit] {
                let payload = vec![b'x'; len.into()];
                outcome_with(role, limits, &frame(role, 0x82, &payload))
                    .assert_ok(&[binary(&payload)]);
            }
            let over = usize::from(limit) + 1;
            let error =
                FrameError::FrameTooBig { payload_len: over as u64, frame_size_max: limit.into() };
            outcome_with(role, limits, &frame(role, 0x82, &vec![b'x'; over])).assert_fails(
                &[],
                error.into(),
                1009,
            );
        }
    }
}

#[test]
fn a04_the_message_limit_is_judged_on_the_header_of_a_single_frame_too() {
    for limit in [0_usize, 1, 124, 125, 126, 1000] {
        let limits = Limits::default().with_message_size_max(limit);
        for role in ROLES {
            outcome_with(role, limits, &frame(role, 0x81, &vec![b'x'; limit]))
                .assert_ok(&[text(&"x".repeat(limit))]);
            let error = ProtocolError::MessageTooBig {
                message_size: limit as u64 + 1,
                message_size_max: limit,
            };
            let form = if limit < 125 { 7 } else { 16 };
            outcome_with(role, limits, &header(role, 0x81, form, limit as u64 + 1)).assert_fails(
                &[],
                error,
                1009,
            );
        }
    }
}

#[test]
fn a05_r40_a_length_above_32_bits_is_1009_and_not_cut_off() {
    let error = FrameError::FrameTooBig { payload_len: 0x1_0000_0005, frame_size_max: 16 << 20 };
    for role in ROLES {
        let header = header(role, 0x82, 64, 0x1_0000_0005);
        let input = [&header[..], b"Hello"].concat();
        outcome_of(role, &input).assert_fails(&[], error.into(), 1009);
        assert_fatal_at_last_byte(role, &header[..10], error, 1009);
    }
}

#[test]
fn a06_a07_lengths_must_be_in_their_shortest_form() {
    for role in ROLES {
        for payload_len in [0, 1, 124, 125] {
            let input = &header(role, 0x82, 16, payload_len)[..4];
            assert_fatal_at_last_byte(
                role,
                input,
                FrameError::LengthNotMinimal { payload_len },
                1002,
            );
        }
        for payload_len in [0, 5, 125, 126, 65_534, 65_535] {
            let input = &header(role, 0x82, 64, payload_len)[..10];
            assert_fatal_at_last_byte(
                role,
                input,
                FrameError::LengthNotMinimal { payload_len },
                1002,
            );
        }
    }
}

#[test]
fn a08_the_first_lengths_of_each_form_pass() {
    for role in ROLES {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let input = frame(role, 0x82, &payload);
            let outcome = feed(&mut connection(role), &input);
            outcome.assert_ok(&[binary(&payload)]);
        }
    }
}

/// Lengths round every edge of the format and of machine words, each by the limit that it just fits
/// or just does not.
#[test]
fn s5_2_lengths_are_judged_by_the_limits_on_the_header_alone() {
    let edges = [125, 126, 127, 65_535, 65_536, 1 << 31, u32::MAX.into(), 1 << 32, i64::MAX as u64];
    for role in ROLES {
        for len in edges {
            let form = match len {
                ..126 => 7,
                126..65_536 => 16,
                _ => 64,
            };
            let input = header(role, 0x82, form, len);
            let limits = |max: u64| {
                Limits::default().with_frame_size_max(max).with_message_size_max(usize::MAX)
            };
            outcome_with(role, limits(len), &input).assert_ok(&[]);
            let error = FrameError::FrameTooBig { payload_len: len, frame_size_max: len - 1 };
            outcome_with(role, limits(len - 1), &input).assert_fails(&[], error.into(), 1009);
            let message_size_max = usize::try_from(len - 1).unwrap_or(usize::MAX);
            let limits = limits(u64::MAX).with_message_size_max(message_size_max);
            let error = ProtocolError::MessageTooBig { message_size: len, message_size_max };
            outcome_with(role, limits, &input).assert_fails(&[], error, 1009);
        }
    }
}

#[test]
fn a09_control_frames_with_an_extended_length_are_1002_at_the_second_byte() {
    for role in ROLES {
        for (b0, opcode) in [(0x88, 8), (0x89, 9), (0x8a, 10)] {
            for form in [16, 64] {
                let input = &header(role, b0, form, 5)[..2];
                assert_fatal_at_last_byte(role, input, FrameError::ControlTooLong { opcode }, 1002);
            }
        }
    }
}

#[test]
fn a10_control_frames_without_fin_are_1002_at_the_first_byte() {
    for role in ROLES {
        for (b0, opcode) in [(0x08, 8), (0x09, 9), (0x0a, 10)] {
            assert_fatal_at_last_byte(role, &[b0], FrameError::ControlFragmented { opcode }, 1002);
        }
    }
}

#[test]
fn a11_control_payloads_of_125_bytes_pass_and_of_126_do_not() {
    for role in ROLES {
        let reason = "r".repeat(123);
        let close = [b"\x03\xe8", reason.as_bytes()].concat();
        let rows = [
            (0x88, &close[..], crate::support::close(1000, &reason)),
            (0x89, &[b'x'; 125], crate::support::ping(&[b'x'; 125])),
            (0x8a, &[b'x'; 125], crate::support::Owned::Pong(vec![b'x'; 125])),
        ];
        for (b0, longest, event) in rows {
            outcome_of(role, &frame(role, b0, longest)).assert_ok(&[event]);
            let outcome = outcome_of(role, &frame(role, b0, &[longest, b"x"].concat()));
            let error = FrameError::ControlTooLong { opcode: b0 & 0xf };
            outcome.assert_fails(&[], error.into(), 1002);
        }
    }
}

#[test]
fn a12_r10_reserved_opcodes_are_1002_at_the_first_byte() {
    for role in ROLES {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            for upper in 0..16 {
                let input = [upper << 4 | opcode];
                let error = FrameError::ReservedOpcode { opcode };
                assert_fatal_at_last_byte(role, &input, error, 1002);
            }
        }
    }
}

#[test]
fn a13_a14_a16_reserved_bits_are_1002_at_the_first_byte() {
    for role in ROLES {
        for opcode in [0, 1, 2, 8, 9, 10] {
            for rsv in 1..8 {
                let input = [0x80 | rsv << 4 | opcode];
                assert_fatal_at_last_byte(role, &input, FrameError::ReservedBits { rsv }, 1002);
            }
        }
    }
}

#[test]
fn a15_a16_rsv1_is_allowed_on_the_first_frame_of_a_message_only() {
    let rules =
        HeaderRules::for_receiver(Role::Client, &Limits::default()).with_rsv_allowed(Rsv::RSV1);
    for (b0, allowed) in [(0xc1, true), (0xc2, true), (0x41, true), (0xc0, false), (0x40, false)]
        .into_iter()
        .chain([(0xc8, false), (0xc9, false), (0xca, false), (0xe1, false), (0xd1, false)])
    {
        let parsed = FrameHeader::parse(&[b0, 0], &rules);
        assert_eq!(parsed.is_ok(), allowed, "{b0:#x}: {parsed:?}");
    }
}

#[test]
fn a17_continuation_with_no_message_open_is_1002() {
    for role in ROLES {
        for b0 in [0x00, 0x80] {
            let before = frame(role, 0x81, b"whole");
            let input = [before, header(role, b0, 7, 3)].concat();
            let expected = [text("whole")];
            let error = ProtocolError::UnexpectedContinuation;
            outcome_of(role, &input).assert_fails(&expected, error, 1002);
            // Nor does a control frame open one, nor a message that has ended.
            let ended =
                [frame(role, 0x01, b"wh"), frame(role, 0x8a, b""), frame(role, 0x80, b"ole")];
            let pong = frame(role, 0x8a, b"p");
            let input = [&ended.concat()[..], &pong, &header(role, b0, 7, 3)].concat();
            let pong = |payload: &[u8]| crate::support::Owned::Pong(payload.to_vec());
            let expected = [pong(b""), text("whole"), pong(b"p")];
            outcome_of(role, &input).assert_fails(&expected, error, 1002);
        }
    }
}

#[test]
fn a18_data_frame_while_a_message_is_open_is_1002_also_after_a_control_frame() {
    for role in ROLES {
        let error = ProtocolError::ExpectedContinuation;
        for (first, second) in
            [0x01, 0x02].into_iter().flat_map(|b0| [0x01, 0x81, 0x02, 0x82].map(|b1| (b0, b1)))
        {
            let second = header(role, second, 7, 3);
            for payload in [&b""[..], b"open"] {
                let open = frame(role, first, payload);
                outcome_of(role, &[&open[..], &second].concat()).assert_fails(&[], error, 1002);
                let between = [frame(role, 0x8a, b"p"), frame(role, 0x00, b"")].concat();
                let outcome = outcome_of(role, &[&open[..], &between, &second].concat());
                outcome.assert_fails(&[crate::support::Owned::Pong(b"p".to_vec())], error, 1002);
            }
        }
    }
}

#[test]
fn a24_a25_r25_masking_by_role_is_judged_at_the_second_byte() {
    for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        for len in [0, 2, 125] {
            let error = FrameError::MaskRequired;
            assert_fatal_at_last_byte(Role::Server, &[opcode, len], error, 1002);
            let error = FrameError::MaskForbidden;
            assert_fatal_at_last_byte(Role::Client, &[opcode, 0x80 | len], error, 1002);
        }
    }
    outcome_of(Role::Server, &hex("81 02 48 69")).assert_fails(
        &[],
        FrameError::MaskRequired.into(),
        1002,
    );
    outcome_of(Role::Client, &hex("88 82 M 03 e8")).assert_fails(
        &[],
        FrameError::MaskForbidden.into(),
        1002,
    );
}

#[test]
fn a26_keys_with_zero_bytes_are_keys() {
    for key in [[0; 4], [0, 1, 0, 2], [1, 0, 0, 0], [0, 0, 0, 1]] {
        let input = Frame { b0: 0x81, payload: b"Hello, World", mask: Some(key) }.encode();
        outcome_of(Role::Server, &input).assert_ok(&[text("Hello, World")]);
    }
}

#[test]
fn s5_7_the_examples_of_the_rfc() {
    let client = Role::Client;
    outcome_of(client, &hex("81 05 48656c6c6f")).assert_ok(&[text("Hello")]);
    outcome_of(Role::Server, &hex("81 85 37fa213d 7f9f4d5158")).assert_ok(&[text("Hello")]);
    outcome_of(client, &hex("01 03 48656c 80 02 6c6f")).assert_ok(&[text("Hello")]);
    let ping = outcome_of(client, &hex("89 05 48656c6c6f"));
    ping.assert_ok(&[crate::support::ping(b"Hello")]);
    assert_eq!(ping.replies, hex("8a 85 37fa213d 7f9f4d5158"), "a masked Pong");
    let long: Vec<u8> = (0..=255).collect();
    outcome_of(client, &[hex("82 7e 0100"), long.clone()].concat()).assert_ok(&[binary(&long)]);
    let longer = vec![0x5a; 65_536];
    let input = [hex("82 7f 0000000000010000"), longer.clone()].concat();
    feed(&mut connection(client), &input).assert_ok(&[binary(&longer)]);
}

#[test]
fn a28_a_header_cut_at_each_of_its_bytes_asks_for_the_rest() {
    let rules = HeaderRules::new(Masking::Either, u64::MAX);
    for len in [0, 125, 126, 65_535, 65_536] {
        for key in [None, Some(MaskKey::new(KEY))] {
            let header = FrameHeader::new(Opcode::Binary, len).unwrap().with_mask(key);
            let encoded = header.encode();
            let bytes = encoded.as_bytes();
            for cut in 0..bytes.len() {
                let Ok(Parsed::NeedMore(more)) = FrameHeader::parse(&bytes[..cut], &rules) else {
                    panic!("{cut} of {} bytes are not a header", bytes.len());
                };
                assert!(more >= 1 && cut + more <= bytes.len(), "never asks for too much");
            }
            let parsed = FrameHeader::parse(bytes, &rules);
            assert_eq!(parsed, Ok(Parsed::Complete { header, header_len: bytes.len() }));
        }
    }
}

#[test]
fn a45_headers_that_may_not_be_sent_can_not_be_built() {
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        assert!(FrameHeader::new(opcode, 125).is_ok());
        let error = FrameError::ControlTooLong { opcode: opcode as u8 };
        assert_eq!(FrameHeader::new(opcode, 126), Err(error));
        let error = FrameError::ControlFragmented { opcode: opcode as u8 };
        assert_eq!(FrameHeader::new(opcode, 0).unwrap().with_fin(Fin::More), Err(error));
    }
    let error = FrameError::LengthMsb { payload_len: 1 << 63 };
    assert_eq!(FrameHeader::new(Opcode::Binary, 1 << 63), Err(error));
}
