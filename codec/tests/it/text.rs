//! Text, RFC 6455, 5.6 and 8.1: rows A38-A42, R24.

use crate::support::{
    KEY, Owned, ROLES, connection, feed, feed_bytewise, feed_pieces, frame, header, outcome_of,
    ping, text, with_config,
};
use wscodec::header::Fin;
use wscodec::utf8::Utf8Validator;
use wscodec::{Config, Delivery, ProtocolError, Role, Utf8Error};

/// Texts that are not UTF-8, and how many bytes are there when the offending one has arrived.
const INVALID: [(&str, &[u8], usize); 24] = [
    ("lone continuation", b"ab\x80cd", 3),
    ("two continuations", b"\xbf\xbf", 1),
    ("overlong C0", b"a\xc0\xafz", 2),
    ("overlong C1", b"\xc1\xbf", 1),
    ("overlong E0 80", b"\xe0\x80\xaf", 2),
    ("overlong E0 9F", b"\xe0\x9f\xbf", 2),
    ("overlong F0 80", b"\xf0\x80\x80\xaf", 2),
    ("overlong F0 8F", b"\xf0\x8f\xbf\xbf", 2),
    ("surrogate D800", b"\xed\xa0\x80", 2),
    ("surrogate DFFF", b"abc\xed\xbf\xbfdef", 5),
    ("surrogate pair", b"\xed\xa0\xbd\xed\xb8\x80", 2),
    ("above 10FFFF", b"\xf4\x90\x80\x80", 2),
    ("F5", b"\xf5\x80\x80\x80", 1),
    ("F8", b"\xf8\x88\x80\x80\x80", 1),
    ("FC", b"\xfc\x84\x80\x80\x80\x80", 1),
    ("FE", b"\xfe", 1),
    ("FF", b"\xff", 1),
    ("ASCII where a continuation is due, of 2", b"\xc3z", 2),
    ("ASCII where a continuation is due, of 3", b"\xe2\x28\xa1", 2),
    ("ASCII where a continuation is due, at the third", b"\xe2\x82z", 3),
    ("ASCII where a continuation is due, of 4", b"\xf0\x9f\x98z", 4),
    ("lead where a continuation is due", b"\xc3\xc3", 2),
    ("after 64 bytes", b"0123456789012345678901234567890123456789012345678901234567890123\xff", 65),
    ("Autobahn 6.4", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64", 13),
];

fn valid_before(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes).unwrap_err().valid_up_to() as u64
}

#[test]
fn a38_s8_1_invalid_text_is_1007() {
    for role in ROLES {
        for (name, bytes, _) in INVALID {
            let error = ProtocolError::Utf8(Utf8Error { valid_up_to: valid_before(bytes) });
            for b0 in [0x81, 0x01] {
                let outcome = feed(&mut connection(role), &frame(role, b0, bytes));
                assert_eq!(outcome.error, Some(error), "{name}");
                outcome.assert_fails(&[], error, 1007);
            }
        }
    }
}

#[test]
fn a38_text_fails_as_soon_as_the_offending_byte_is_there_and_no_sooner() {
    for role in ROLES {
        for (name, bytes, offending_at) in INVALID {
            // A frame that declares much more than ever arrives: neither FIN nor the frame's end is
            // waited for.
            for b0 in [0x81, 0x01] {
                let mut wire = header(role, b0, 16, 1000);
                let header_len = wire.len();
                wire.extend(bytes);
                let before = &wire[..header_len + offending_at - 1];
                let upto = &wire[..header_len + offending_at];
                let error = ProtocolError::Utf8(Utf8Error { valid_up_to: valid_before(bytes) });
                let intact = frame(role, 0x81, "intact, \u{e9}".as_bytes());
                for feed in [feed, feed_bytewise] {
                    let outcome = feed(&mut connection(role), before);
                    assert_eq!(outcome.error, None, "{name}");
                    outcome.assert_ok(&[]);
                    let outcome = feed(&mut connection(role), upto);
                    assert_eq!(outcome.error, Some(error), "{name}");
                    outcome.assert_fails(&[], error, 1007);
                    let outcome = feed(&mut connection(role), &[&intact[..], upto].concat());
                    outcome.assert_fails(&[text("intact, \u{e9}")], error, 1007);
                }
            }
        }
    }
}

/// Delivered in pieces, a text fails at the same byte with the same error, and no piece of it has
/// anything but whole characters.
#[test]
fn a38_a40_text_in_pieces_fails_at_the_same_byte_and_hands_out_whole_characters() {
    let config = Config::default().with_delivery(Delivery::Streamed);
    let cut: [(&str, &[u8], usize); 3] =
        [("cut, 2", b"ab\xc3", 3), ("cut, 3", b"\xe4\xb8", 2), ("cut, 4", b"x\xf0\x9f\x8e", 4)];
    for role in ROLES {
        for (name, bytes, _) in INVALID.into_iter().chain(cut) {
            let error = ProtocolError::Utf8(Utf8Error { valid_up_to: valid_before(bytes) });
            let valid = &bytes[..usize::try_from(valid_before(bytes)).unwrap()];
            let intact = frame(role, 0x81, "é".as_bytes());
            for split in 0..=bytes.len() {
                let (first, second) = bytes.split_at(split);
                let wires = [
                    [&intact[..], &frame(role, 0x81, bytes)].concat(),
                    [&intact[..], &frame(role, 0x01, first), &frame(role, 0x80, second)].concat(),
                ];
                for wire in wires {
                    let at = wire.len() - second.len();
                    let reads = [&wire[..at], &wire[at..]];
                    for outcome in [
                        feed_pieces(&mut with_config(role, config), &reads),
                        feed(&mut with_config(role, config), &wire),
                        feed_bytewise(&mut with_config(role, config), &wire),
                    ] {
                        outcome.assert_fails(&outcome.events, error, 1007);
                        let mut pieces = String::new();
                        let mut ends = 0;
                        for event in &outcome.events {
                            let Owned::TextPiece(piece, fin) = event else { panic!("{event:?}") };
                            pieces.push_str(piece);
                            ends += usize::from(*fin == Fin::Final);
                        }
                        assert_eq!(ends, 1, "{name}: the message before, and no other, is whole");
                        let rest = pieces.strip_prefix('é').unwrap();
                        assert!(valid.starts_with(rest.as_bytes()), "{name}: {rest:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn r24_a39_the_answer_is_that_of_std_at_every_split_into_reads_and_fragments() {
    let texts: [&[u8]; 6] = [
        b"12345\xf4\x8f\xbf\xbf12345",
        b"\xe2\x28\xa1",
        "aé世🎉".as_bytes(),
        b"\xf0\x9f\x98",
        b"\xed\x9f\xbf\xee\x80\x80",
        b"\xed\xa0\x80",
    ];
    for role in ROLES {
        for bytes in texts {
            let expected = std::str::from_utf8(bytes);
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let fragments = [
                        frame(role, 0x01, pieces[0]),
                        frame(role, 0x89, b""),
                        frame(role, 0x00, pieces[1]),
                        frame(role, 0x00, pieces[2]),
                        frame(role, 0x80, b""),
                    ]
                    .concat();
                    let whole = frame(role, 0x81, bytes);
                    let at = whole.len() - bytes.len();
                    let reads = [
                        &whole[..at + first],
                        &whole[at + first..at + second],
                        &whole[at + second..],
                    ];
                    let by_reads = feed_pieces(&mut connection(role), &reads);
                    let by_fragments = feed(&mut connection(role), &fragments);
                    for (outcome, is_pinged) in [(by_reads, false), (by_fragments, true)] {
                        let pings = outcome.events.iter().filter(|event| **event == ping(b""));
                        let pings = pings.count();
                        match expected {
                            Ok(expected) => {
                                assert_eq!(outcome.error, None);
                                assert_eq!(outcome.events.last(), Some(&text(expected)));
                                assert_eq!(pings, usize::from(is_pinged));
                                assert_eq!(outcome.events.len(), pings + 1);
                            }
                            Err(error) => {
                                let valid_up_to = error.valid_up_to() as u64;
                                let error = ProtocolError::Utf8(Utf8Error { valid_up_to });
                                // The Ping if it came before the offence, and no text.
                                let events = vec![ping(b""); pings];
                                assert!(pings <= usize::from(is_pinged));
                                outcome.assert_fails(&events, error, 1007);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a39_characters_across_every_vector_edge() {
    for role in ROLES {
        for character in ["é", "世", "🎉"] {
            for at in 0..140 {
                let message = format!("{}{character}{}", "x".repeat(at), "y".repeat(140 - at));
                let wire = frame(role, 0x81, message.as_bytes());
                feed(&mut connection(role), &wire).assert_ok(&[text(&message)]);
            }
        }
    }
}

#[test]
fn a40_a_message_that_ends_inside_a_character_is_1007_and_nothing_is_dropped() {
    for role in ROLES {
        for tail in [&b"\xc3"[..], b"\xe4", b"\xe4\xb8", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x8e"] {
            for body in ["", "a", "x".repeat(200).as_str()] {
                let bytes = [body.as_bytes(), tail].concat();
                let valid_up_to = body.len() as u64;
                let error = ProtocolError::Utf8(Utf8Error { valid_up_to });
                let whole = frame(role, 0x81, &bytes);
                outcome_of(role, &whole).assert_fails(&[], error, 1007);
                let fragments = [frame(role, 0x01, &bytes), frame(role, 0x80, b"")].concat();
                outcome_of(role, &fragments).assert_fails(&[], error, 1007);
            }
        }
    }
}

#[test]
fn a41_nul_byte_order_marks_and_noncharacters_are_text() {
    for role in ROLES {
        for message in ["\0", "\u{feff}bom", "\u{ffff}\u{fffe}", "\u{10ffff}", "\u{7f}\u{80}"] {
            outcome_of(role, &frame(role, 0x81, message.as_bytes())).assert_ok(&[text(message)]);
        }
    }
}

#[test]
fn a42_binary_messages_may_hold_anything() {
    for role in ROLES {
        for (_, bytes, _) in INVALID {
            outcome_of(role, &frame(role, 0x82, bytes)).assert_ok(&[crate::support::binary(bytes)]);
        }
    }
}

#[test]
fn the_validator_starts_clean_for_the_next_message() {
    for role in ROLES {
        // A binary message between two texts, one of them in fragments that split a character.
        let input = [
            frame(role, 0x01, b"\xc3"),
            frame(role, 0x80, b"\xa9"),
            frame(role, 0x82, b"\xc3"),
            frame(role, 0x81, b"\xc3\xa9"),
            frame(role, 0x01, b"x"),
            frame(role, 0x80, b"y"),
        ]
        .concat();
        outcome_of(role, &input).assert_ok(&[
            text("é"),
            crate::support::binary(b"\xc3"),
            text("é"),
            text("xy"),
        ]);
    }
}

#[test]
fn the_validator_is_clean_after_an_error_and_after_finish() {
    let mut validator = Utf8Validator::new();
    assert_eq!(validator.push(b"abc\xff"), Err(Utf8Error { valid_up_to: 3 }));
    assert_eq!(validator.push("é".as_bytes()), Ok(()));
    assert_eq!(validator.push(b"\xe4"), Ok(()));
    assert_eq!(validator.finish(), Err(Utf8Error { valid_up_to: 2 }));
    assert!(validator.is_complete());
    assert_eq!(validator.push(b"\xff"), Err(Utf8Error { valid_up_to: 0 }));
    assert_eq!(validator.finish(), Ok(()));
}

#[test]
fn s5_3_the_phase_of_the_key_is_carried_over_reads_of_any_size() {
    let message = "The key has four bytes, and reads come in any size. ".repeat(4);
    let wire = frame(Role::Server, 0x81, message.as_bytes());
    assert_eq!(wire[4..8], KEY);
    for size in 1..wire.len() {
        let pieces: Vec<&[u8]> = wire.chunks(size).collect();
        feed_pieces(&mut connection(Role::Server), &pieces).assert_ok(&[text(&message)]);
    }
}
