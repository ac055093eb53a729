//! Headers against a judge written again from the RFC: every pair of first bytes, 14 lengths, every
//! rule, and every place in a message.

use crate::support::{KEY, ROLES, TestConnection, frame, with_config};
use wscodec::header::{Fin, FrameHeader, HeaderRules, Masking, Parsed, Rsv};
use wscodec::mask::MaskKey;
use wscodec::{Config, FrameError, Limits, ProtocolError, Role};

/// What the RFC says of a header, written again from its text and in another shape than the parser.
fn judge_by_the_rfc(b0: u8, b1: u8, len: u64, rules: &HeaderRules) -> Result<usize, FrameError> {
    let (fin, rsv, opcode) = (b0 >= 0x80, b0 >> 4 & 7, b0 & 15);
    let is_control = opcode >= 8;
    let allowed = if opcode == 1 || opcode == 2 { rules.rsv_allowed.bits() } else { 0 };
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(FrameError::ReservedOpcode { opcode });
    }
    if rsv & !allowed != 0 {
        return Err(FrameError::ReservedBits { rsv });
    }
    if is_control && !fin {
        return Err(FrameError::ControlFragmented { opcode });
    }
    if b1 < 0x80 && rules.masking == Masking::Required {
        return Err(FrameError::MaskRequired);
    }
    if b1 >= 0x80 && rules.masking == Masking::Forbidden {
        return Err(FrameError::MaskForbidden);
    }
    let form = b1 % 128;
    if is_control && form >= 126 {
        return Err(FrameError::ControlTooLong { opcode });
    }
    let (payload_len, smallest, extended) = match form {
        126 => (len & 0xffff, 126, 2),
        127 => (len, 65_536, 8),
        form => (form.into(), 0, 0),
    };
    if payload_len < smallest {
        return Err(FrameError::LengthNotMinimal { payload_len });
    }
    if payload_len > i64::MAX as u64 {
        return Err(FrameError::LengthMsb { payload_len });
    }
    if payload_len > rules.frame_size_max {
        return Err(FrameError::FrameTooBig { payload_len, frame_size_max: rules.frame_size_max });
    }
    Ok(2 + extended + if b1 >= 0x80 { 4 } else { 0 })
}

const LENGTHS: [u64; 14] = [
    0,
    1,
    125,
    126,
    127,
    65_535,
    65_536,
    16 << 20,
    (16 << 20) + 1,
    u32::MAX as u64,
    (u32::MAX as u64) + 6,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// The bytes of a header up to its key, with as much of `len` as its form holds.
fn header_bytes(b0: u8, b1: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![b0, b1];
    match b1 & 0x7f {
        126 => bytes.extend((len as u16).to_be_bytes()),
        127 => bytes.extend(len.to_be_bytes()),
        _ => {}
    }
    bytes.extend_from_slice(if b1 >= 0x80 { &KEY } else { &[] });
    bytes
}

#[test]
fn g3_every_pair_of_first_bytes_is_judged_as_the_rfc_says() {
    let mut judged = 0_u32;
    for masking in [Masking::Required, Masking::Forbidden, Masking::Either] {
        for rsv_allowed in [Rsv::NONE, Rsv::RSV1] {
            let rules = HeaderRules::new(masking, 16 << 20).with_rsv_allowed(rsv_allowed);
            for pair in 0..=u16::MAX {
                let [b0, b1] = pair.to_be_bytes();
                let lengths = if b1 & 0x7f >= 126 { &LENGTHS[..] } else { &LENGTHS[..1] };
                for &len in lengths {
                    let input = header_bytes(b0, b1, len);
                    let expected = judge_by_the_rfc(b0, b1, len, &rules);
                    match (FrameHeader::parse(&input, &rules), expected) {
                        (Ok(Parsed::Complete { header, header_len }), Ok(expected_len)) => {
                            assert_eq!(header_len, expected_len, "{input:02x?}");
                            assert_eq!(header.opcode() as u8, b0 & 15);
                            assert_eq!(header.fin() == Fin::Final, b0 >= 0x80);
                            assert_eq!(header.rsv().bits(), b0 >> 4 & 7);
                            let key = (b1 >= 0x80).then_some(MaskKey::new(KEY));
                            assert_eq!(header.mask(), key);
                            assert_eq!(header.encode().as_bytes(), &input[..header_len]);
                        }
                        (parsed, expected) => {
                            assert_eq!(parsed.map(|_| 0), expected, "{input:02x?} {rules:?}");
                        }
                    }
                    judged += 1;
                }
            }
        }
    }
    assert!(judged > 400_000);
}

/// What a connection makes of a header, while a message of one byte is open that `open` was the
/// first byte of, or none.
fn judge_in_place(
    (b0, b1): (u8, u8),
    len: u64,
    rules: &HeaderRules,
    message_size_max: usize,
    open: Option<u8>,
) -> Result<(), ProtocolError> {
    judge_by_the_rfc(b0, b1, len, rules)?;
    let payload_len = match b1 & 0x7f {
        126 => len & 0xffff,
        127 => len,
        form => form.into(),
    };
    match (b0 & 15, open) {
        (8.., _) => return Ok(()),
        (0, None) => return Err(ProtocolError::UnexpectedContinuation),
        (1 | 2, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
        _ => {}
    }
    let is_compressed = open.unwrap_or(b0) & 0x40 != 0;
    let size = payload_len + u64::from(open.is_some());
    // Of what is compressed, an eighth and 1 KiB more.
    let compressed_size_max = message_size_max / 8 * 9 + 1024;
    match is_compressed {
        true if size > compressed_size_max as u64 => {
            Err(ProtocolError::CompressedTooBig { compressed_size: size, compressed_size_max })
        }
        false if size > message_size_max as u64 => {
            Err(ProtocolError::MessageTooBig { message_size: size, message_size_max })
        }
        _ => Ok(()),
    }
}

/// Makes connections of one role, with and without permessage-deflate, and says what may be set.
fn makers(role: Role, limits: Limits) -> Vec<(Rsv, Box<dyn Fn() -> TestConnection>)> {
    let config = Config::default().with_limits(limits);
    let plain: Box<dyn Fn() -> TestConnection> = Box::new(move || with_config(role, config));
    #[cfg(feature = "deflate")]
    let extended = {
        let agreed = crate::deflate_support::agree_on(crate::deflate_support::full());
        let agreed = if role == Role::Client { agreed.0 } else { agreed.1 };
        (
            Rsv::RSV1,
            Box::new(move || {
                crate::support::builder(role).config(config).extension(Some(&agreed)).open()
            }) as _,
        )
    };
    vec![
        (Rsv::NONE, plain),
        #[cfg(feature = "deflate")]
        extended,
    ]
}

/// As above, one layer up, where it matters what is open. The other lengths of a form of 7 bits
/// stand in the pair itself, which makes this all of 7.3 million cases.
#[test]
fn g3_every_pair_of_first_bytes_in_both_roles_with_a_message_open_and_without() {
    let message_size_max = 8 << 20;
    let limits = Limits::default().with_message_size_max(message_size_max);
    let (mut judged, mut refused) = (0_u32, 0_u32);
    for role in ROLES {
        for (rsv_allowed, connection) in makers(role, limits) {
            let rules =
                HeaderRules::for_receiver(role, &Limits::default()).with_rsv_allowed(rsv_allowed);
            let opened: &[_] = if rsv_allowed == Rsv::NONE {
                &[None, Some(0x02)]
            } else {
                &[None, Some(0x02), Some(0x42)]
            };
            for (pair, &open) in
                (0..=u16::MAX).flat_map(|pair| opened.iter().map(move |o| (pair, o)))
            {
                let [b0, b1] = pair.to_be_bytes();
                // Most pairs fail at the first byte, whatever the length: one is enough for these.
                let is_extended = b1 & 0x7f >= 126;
                for &len in if is_extended { &LENGTHS[..] } else { &LENGTHS[..1] } {
                    let mut connection = connection();
                    let mut replies = Vec::new();
                    if let Some(first) = open {
                        let mut opening = frame(role, first, b"x");
                        assert_eq!(
                            connection.receive(&mut &mut opening[..], &mut replies),
                            Ok(None)
                        );
                    }
                    let expected = judge_in_place((b0, b1), len, &rules, message_size_max, open);
                    let mut input = header_bytes(b0, b1, len);
                    let found = connection.receive(&mut &mut input[..], &mut replies).map(|_| ());
                    assert_eq!(
                        found, expected,
                        "{role:?} {rsv_allowed:?} {open:02x?} {input:02x?}"
                    );
                    judged += 1;
                    refused += u32::from(found.is_err());
                }
            }
        }
    }
    assert!(judged > 300_000 && refused > judged / 2 && refused < judged, "{refused} of {judged}");
}
