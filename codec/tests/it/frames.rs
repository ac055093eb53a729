//! The layers below a connection as an analyser uses them: frame decoder, encoder, close codes, and
//! what errors say.

use std::error::Error;

use crate::support::{KEY, ROLES, frame, header};
use wscodec::close::InvalidCloseCode;
use wscodec::decoder::{Decoded, FrameDecoder};
use wscodec::encoder;
use wscodec::header::{FrameHeader, HeaderRules, Masking, Opcode, Rsv};
use wscodec::mask::{FixedKey, MaskKey, MaskKeySource};
use wscodec::utf8::Utf8Validator;
use wscodec::{
    CloseCode, FrameError, InflateError, Limits, ProtocolError, Role, SendError, Utf8Error,
};

#[test]
fn a_decoder_says_where_in_a_frame_it_stands() {
    for role in ROLES {
        let mut decoder = FrameDecoder::new(HeaderRules::for_receiver(role, &Limits::default()));
        assert_eq!(decoder.rules(), &HeaderRules::for_receiver(role, &Limits::default()));
        assert_eq!(decoder.rules().frame_size_max, 16 << 20);
        assert!(decoder.is_between_frames());
        let wire = frame(role, 0x82, b"payload");
        let header_len = wire.len() - 7;
        for cut in 1..wire.len() {
            let mut decoder =
                FrameDecoder::new(HeaderRules::for_receiver(role, &Limits::default()));
            let mut memory = wire[..cut].to_vec();
            let mut input = &mut memory[..];
            while !matches!(decoder.decode(&mut input).unwrap(), Decoded::NeedMore) {}
            assert!(input.is_empty());
            assert!(!decoder.is_between_frames(), "cut at {cut}");
            let remaining = if cut < header_len { 0 } else { wire.len() - cut };
            assert_eq!(decoder.remaining(), remaining as u64, "cut at {cut}");
        }
        let mut memory = wire.clone();
        let mut input = &mut memory[..];
        while !matches!(decoder.decode(&mut input).unwrap(), Decoded::NeedMore) {}
        assert!(decoder.is_between_frames());
        assert_eq!(decoder.remaining(), 0);
    }
}

#[test]
fn payloads_are_taken_in_the_pieces_that_are_asked_for() {
    let mut decoder =
        FrameDecoder::new(HeaderRules::for_receiver(Role::Server, &Limits::default()));
    let mut memory = frame(Role::Server, 0x81, b"Hello, World");
    let mut input = &mut memory[..];
    assert!(decoder.header(&mut input).unwrap().is_some());
    let piece = decoder.payload_at_most(&mut input, 5);
    assert_eq!((piece.len(), piece.is_empty()), (5, false));
    assert_eq!(piece.unmask(), b"Hello");
    let piece = decoder.payload_at_most(&mut input, 0);
    assert_eq!((piece.len(), piece.is_empty()), (0, true));
    assert_eq!(decoder.remaining(), 7);
    let mut validator = Utf8Validator::new();
    let rest = decoder.payload(&mut input).unmask_text(&mut validator).unwrap();
    assert_eq!(rest, b", World");
    assert!(validator.is_complete() && decoder.is_between_frames() && input.is_empty());
    // Nothing is left: a payload is asked for in vain.
    assert!(decoder.payload(&mut input).is_empty());
}

#[test]
fn an_analyser_takes_frames_of_both_directions() {
    let rules =
        HeaderRules::for_receiver(Role::Client, &Limits::default()).with_masking(Masking::Either);
    let mut decoder = FrameDecoder::new(rules);
    let mut memory =
        [frame(Role::Server, 0x81, b"masked"), frame(Role::Client, 0x82, b"bare")].concat();
    let mut input = &mut memory[..];
    let mut found = Vec::new();
    loop {
        match decoder.decode(&mut input).unwrap() {
            Decoded::NeedMore => break,
            Decoded::Header(header) => found.push(header.mask().map(MaskKey::to_bytes)),
            Decoded::Payload(payload) => assert!(payload == b"masked" || payload == b"bare"),
        }
    }
    assert_eq!(found, [Some(KEY), None]);
}

#[test]
fn a_frame_is_encoded_whole_or_not_at_all() {
    for role in ROLES {
        let mask = (role == Role::Server).then_some(MaskKey::new(KEY));
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![0x5a; len];
            let header = FrameHeader::new(Opcode::Binary, len as u64).unwrap().with_mask(mask);
            let expected = frame(role, 0x82, &payload);
            let mut out = Vec::new();
            encoder::encode(header, &payload, &mut out).unwrap();
            assert_eq!(out, expected);
            let mut exact = vec![0xaa; expected.len()];
            let mut room = &mut exact[..];
            encoder::encode(header, &payload, &mut room).unwrap();
            assert!(room.is_empty());
            let mut short = vec![0xaa; expected.len() - 1];
            let needed = expected.len();
            let refused = encoder::encode(header, &payload, &mut &mut short[..]);
            assert_eq!(refused, Err(SendError::BufferFull { needed }));
            assert!(short.iter().all(|byte| *byte == 0xaa));
            let error = SendError::PayloadLength { declared: len as u64, payload_len: len + 1 };
            let longer = [&payload[..], b"x"].concat();
            assert_eq!(encoder::encode(header, &longer, &mut Vec::new()), Err(error));
        }
    }
}

#[test]
fn headers_keep_what_they_are_given() {
    let header = FrameHeader::new(Opcode::Text, 5).unwrap().with_rsv(Rsv::RSV1);
    assert_eq!((header.rsv(), header.encode().as_bytes()), (Rsv::RSV1, &[0xc1, 5][..]));
    assert_eq!((Rsv::NONE.bits(), Rsv::RSV1.bits()), (0, 4));
    assert!(Rsv::RSV1.contains(Rsv::NONE) && Rsv::RSV1.contains(Rsv::RSV1));
    assert!(!Rsv::NONE.contains(Rsv::RSV1));
    let longest = FrameHeader::new(Opcode::Binary, i64::MAX as u64).unwrap();
    assert_eq!(longest.payload_len(), i64::MAX as u64);
    for bits in 0..=u8::MAX {
        let opcode = Opcode::from_bits(bits);
        assert_eq!(
            opcode.map(|opcode| opcode as u8),
            [0, 1, 2, 8, 9, 10].contains(&bits).then_some(bits)
        );
        assert_eq!(opcode.is_some_and(Opcode::is_control), [8, 9, 10].contains(&bits));
    }
    assert_eq!(FixedKey(MaskKey::new(KEY)).next_key().to_bytes(), KEY);
}

#[test]
fn s7_4_1_close_codes_have_the_numbers_of_the_registry() {
    let codes = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::MESSAGE_TOO_BIG, 1009),
        (CloseCode::MANDATORY_EXTENSION, 1010),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
    ];
    for (code, number) in codes {
        assert_eq!((code.as_u16(), u16::from(code)), (number, number));
        assert_eq!(CloseCode::try_from(number), Ok(code));
        assert_eq!(
            (code.to_string(), format!("{code:?}")),
            (number.to_string(), format!("CloseCode({number})"))
        );
    }
    let error = CloseCode::try_from(1006).unwrap_err();
    assert_eq!(error, InvalidCloseCode(1006));
    assert!(error.to_string().starts_with("close code 1006 may not be sent"));
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    let limits = Limits::default();
    assert_eq!(limits.frame_size_max, 16 * 1024 * 1024);
    assert_eq!(limits.message_size_max, 64 * 1024 * 1024);
    assert_eq!(limits.fragments_max, 131_072);
    assert_eq!(
        (Limits::FRAME_SIZE_MAX, Limits::MESSAGE_SIZE_MAX, Limits::FRAGMENTS_MAX),
        (limits.frame_size_max, limits.message_size_max, limits.fragments_max)
    );
}

#[test]
fn every_error_of_a_compressed_message_has_its_close_code_name_and_words() {
    let too_big = ProtocolError::CompressedTooBig { compressed_size: 6, compressed_size_max: 5 };
    let rows = [
        (too_big, 1009, "compressed_too_big", "compressed message of at least 6 bytes, limit 5"),
        (InflateError::Corrupt.into(), 1007, "inflate", "compressed message is corrupt"),
        (InflateError::Truncated.into(), 1007, "inflate", "compressed message ends too early"),
    ];
    for (error, code, name, words) in rows {
        assert_eq!((error.close_code().as_u16(), error.name()), (code, name));
        assert_eq!(error.to_string(), words);
        let source = error.source().map(ToString::to_string);
        assert!(source.is_none_or(|source| source == error.to_string()), "{name}");
    }
}

/// Every error: its close code, its name for counters, and its words, which name the offending
/// value and the limit.
#[test]
fn s7_4_1_every_error_has_its_close_code_name_and_words() {
    let utf8 = Utf8Error { valid_up_to: 7 };
    let too_big = FrameError::FrameTooBig { payload_len: 10, frame_size_max: 9 };
    let rows: [(ProtocolError, u16, &str, &str); 17] = [
        (
            FrameError::ReservedBits { rsv: 5 }.into(),
            1002,
            "reserved_bits",
            "reserved bits 101 (RSV1 RSV2 RSV3) set without an extension",
        ),
        (
            FrameError::ReservedOpcode { opcode: 11 }.into(),
            1002,
            "reserved_opcode",
            "reserved opcode 0xb",
        ),
        (
            FrameError::ControlFragmented { opcode: 9 }.into(),
            1002,
            "control_fragmented",
            "control frame (opcode 0x9) without FIN",
        ),
        (
            FrameError::ControlTooLong { opcode: 8 }.into(),
            1002,
            "control_too_long",
            "control frame (opcode 0x8) longer than 125 bytes",
        ),
        (FrameError::MaskRequired.into(), 1002, "mask_required", "unmasked frame from a client"),
        (FrameError::MaskForbidden.into(), 1002, "mask_forbidden", "masked frame from a server"),
        (
            FrameError::LengthNotMinimal { payload_len: 3 }.into(),
            1002,
            "length_not_minimal",
            "payload length 3 not in its shortest form",
        ),
        (
            FrameError::LengthMsb { payload_len: 1 << 63 }.into(),
            1002,
            "length_msb",
            "payload length 0x8000000000000000 with its most significant bit set",
        ),
        (too_big.into(), 1009, "frame_too_big", "frame of 10 bytes, limit 9"),
        (
            ProtocolError::UnexpectedContinuation,
            1002,
            "unexpected_continuation",
            "continuation frame with no message open",
        ),
        (
            ProtocolError::ExpectedContinuation,
            1002,
            "expected_continuation",
            "data frame while a message is open",
        ),
        (
            ProtocolError::MessageTooBig { message_size: 8, message_size_max: 7 },
            1009,
            "message_too_big",
            "message of at least 8 bytes, limit 7",
        ),
        (
            ProtocolError::TooManyFragments { fragments_max: 6 },
            1008,
            "too_many_fragments",
            "message of more than 6 frames",
        ),
        (utf8.into(), 1007, "utf8", "text is not UTF-8 after byte 7"),
        (
            ProtocolError::ClosePayload,
            1002,
            "close_payload",
            "Close frame with one byte of payload",
        ),
        (
            ProtocolError::CloseCode { code: 1005 },
            1002,
            "close_code",
            "close code 1005 may not be sent",
        ),
        (
            ProtocolError::UnexpectedEof,
            1002,
            "unexpected_eof",
            "stream ended without a closing handshake",
        ),
    ];
    for (error, code, name, words) in rows {
        assert_eq!(error.close_code().as_u16(), code, "{name}");
        assert_eq!(error.name(), name);
        assert_eq!(error.to_string(), words);
        let source = error.source().map(ToString::to_string);
        assert!(source.is_none_or(|source| source == error.to_string()), "{name}");
        if let ProtocolError::Frame(frame) = error {
            assert_eq!(frame.to_string(), words);
        }
    }
    assert_eq!(utf8.to_string(), "text is not UTF-8 after byte 7");
}

#[test]
fn every_misuse_has_its_name_and_words() {
    let rows: [(SendError, &str, &str); 8] = [
        (SendError::NotOpen, "not_open", "connection is not open: nothing may be sent any more"),
        (
            SendError::ControlTooLong { payload_len: 126 },
            "send_control_too_long",
            "control payload of 126 bytes, limit 125",
        ),
        (
            SendError::ReasonTooLong { reason_len: 124 },
            "reason_too_long",
            "close reason of 124 bytes, limit 123",
        ),
        (SendError::MessageOpen, "message_open", "a message sent in fragments is still open"),
        (
            SendError::NoMessageOpen,
            "no_message_open",
            "no message of this type is open to continue",
        ),
        (
            SendError::PayloadLength { declared: 1, payload_len: 2 },
            "payload_length",
            "header declares 1 bytes, the payload has 2",
        ),
        (SendError::BufferFull { needed: 3 }, "buffer_full", "buffer has no room for 3 bytes"),
        (SendError::Opcode { opcode: 8 }, "send_opcode", "no header by itself of opcode 0x8"),
    ];
    for (error, name, words) in rows {
        assert_eq!((error.name(), error.to_string().as_str()), (name, words));
    }
    assert_eq!(header(Role::Client, 0x81, 7, 3), [0x81, 3]);
}
