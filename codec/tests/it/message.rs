//! Messages and their fragments, RFC 6455, 5.4: rows A19-A23, A27-A31 and what else concerns their
//! shape.

use std::num::NonZeroUsize;

use crate::support::{
    Owned, ROLES, binary, connection, feed, feed_bytewise, frame, outcome_of, outcome_with, ping,
    text, with_config,
};
use wscodec::header::{Fin, Opcode};
use wscodec::{
    Config, DataKind, Delivery, Event, Fragment, Limits, Message, PreparedMessage, ProtocolError,
    Role, SendError,
};

fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

#[test]
fn a19_control_frames_between_fragments_leave_the_message_intact() {
    for role in ROLES {
        for payload in [&b""[..], b"p", &[b'p'; 125]] {
            let input = [
                frame(role, 0x01, b"one "),
                frame(role, 0x89, payload),
                frame(role, 0x00, b"two "),
                frame(role, 0x8a, payload),
                frame(role, 0x89, payload),
                frame(role, 0x80, b"three"),
            ]
            .concat();
            let outcome = outcome_of(role, &input);
            outcome.assert_ok(&[
                ping(payload),
                Owned::Pong(payload.to_vec()),
                ping(payload),
                text("one two three"),
            ]);
            let pong = frame(peer_of(role), 0x8a, payload);
            assert_eq!(outcome.replies, [&pong[..], &pong].concat());
        }
    }
}

#[test]
fn a20_a_close_between_fragments_is_answered_and_the_partial_message_dropped() {
    for role in ROLES {
        let input = [
            frame(role, 0x01, b"never "),
            frame(role, 0x88, b"\x03\xe9bye"),
            frame(role, 0x80, b"delivered"),
        ]
        .concat();
        let outcome = outcome_of(role, &input);
        outcome.assert_ok(&[crate::support::close(1001, "bye")]);
        assert_eq!(crate::support::closes_in(&outcome.replies), [1001]);
        // Nor is half a character of it held against anybody.
        let input = [frame(role, 0x01, b"caf\xc3"), frame(role, 0x88, b"")].concat();
        let outcome = outcome_of(role, &input);
        outcome.assert_ok(&[Owned::Close(None)]);
        assert_eq!(crate::support::closes_in(&outcome.replies), [1005]);
    }
}

#[test]
fn a21_empty_fragments_first_in_the_middle_last_and_all() {
    let cases: [(&str, &[&[u8]], &str); 6] = [
        ("first", &[b"", b"a", b"b"], "ab"),
        ("middle", &[b"a", b"", b"b"], "ab"),
        ("last", &[b"a", b"b", b""], "ab"),
        ("all", &[b"", b"", b""], ""),
        ("two", &[b"", b""], ""),
        ("around", &[b"", b"\xc3", b"", b"\xa9", b""], "\u{e9}"),
    ];
    for role in ROLES {
        for (name, pieces, whole) in cases {
            let mut input = Vec::new();
            for (at, piece) in pieces.iter().enumerate() {
                let fin = if at + 1 == pieces.len() { 0x80 } else { 0 };
                input.extend(frame(role, fin | u8::from(at == 0), piece));
            }
            let outcome = outcome_of(role, &input);
            assert_eq!((&outcome.events[..], outcome.error), (&[text(whole)][..], None), "{name}");
            assert_eq!(outcome.replies, b"", "{name}");
        }
    }
}

#[test]
fn a22_one_fragment_more_than_allowed_is_1008_empty_or_not() {
    let limits = Limits::default().with_fragments_max(8);
    for role in ROLES {
        for payload in [&b""[..], b"x"] {
            let mut input = frame(role, 0x02, payload);
            for _ in 1..7 {
                input.extend(frame(role, 0x00, payload));
            }
            let last = frame(role, 0x80, payload);
            let whole = outcome_with(role, limits, &[&input[..], &last].concat());
            whole.assert_ok(&[binary(&payload.repeat(8))]);
            input.extend(frame(role, 0x00, payload));
            let over = outcome_with(role, limits, &[&input[..], &last].concat());
            let error = ProtocolError::TooManyFragments { fragments_max: 8 };
            over.assert_fails(&[], error, 1008);
        }
    }
}

#[test]
fn a22_a_limit_of_no_fragments_refuses_every_message() {
    let limits = Limits::default().with_fragments_max(0);
    for role in ROLES {
        let error = ProtocolError::TooManyFragments { fragments_max: 0 };
        outcome_with(role, limits, &frame(role, 0x81, b"x")).assert_fails(&[], error, 1008);
    }
}

#[test]
fn a23_the_sum_of_the_fragments_is_judged_on_the_header_that_crosses_the_limit() {
    let limits = Limits::default().with_message_size_max(10);
    for role in ROLES {
        let six = frame(role, 0x02, b"sixsix");
        let four = frame(role, 0x80, b"four");
        let exactly = outcome_with(role, limits, &[&six[..], &four].concat());
        exactly.assert_ok(&[binary(b"sixsixfour")]);
        let header = crate::support::header(role, 0x80, 7, 5);
        let error = ProtocolError::MessageTooBig { message_size: 11, message_size_max: 10 };
        outcome_with(role, limits, &[six, header].concat()).assert_fails(&[], error, 1009);
    }
}

#[test]
fn a27_payloads_split_at_every_byte_round_every_vector_edge() {
    let payload: Vec<u8> = (0..260).map(|at| b'a' + (at % 26) as u8).collect();
    let whole = std::str::from_utf8(&payload).unwrap();
    for role in ROLES {
        let input = [frame(role, 0x81, &payload), frame(role, 0x82, &payload)].concat();
        for cut in 0..input.len() {
            let (first, second) = input.split_at(cut);
            let outcome = crate::support::feed_pieces(&mut connection(role), &[first, second]);
            outcome.assert_ok(&[text(whole), binary(&payload)]);
        }
    }
}

#[test]
fn a30_pings_are_answered_one_by_one_up_to_a_bound_and_then_by_the_newest() {
    let input: Vec<u8> = (0..100).flat_map(|at| frame(Role::Server, 0x89, &[at])).collect();
    let outcome = feed(&mut connection(Role::Server), &input);
    assert_eq!(outcome.events.len(), 100);
    let pongs: Vec<u8> = outcome.replies.chunks(3).map(|pong| pong[2]).collect();
    let expected: Vec<u8> = (0..32).chain([99]).collect();
    assert_eq!(pongs, expected, "32 in order, then the newest");
}

#[test]
fn a30_the_pings_of_every_input_are_answered_one_by_one_again() {
    let mut server = connection(Role::Server);
    for first in [0, 20, 40] {
        let numbers = first..first + 20;
        let pings: Vec<u8> =
            numbers.clone().flat_map(|at| frame(Role::Server, 0x89, &[at])).collect();
        let replies = feed(&mut server, &pings).replies;
        assert!(replies.chunks(3).map(|pong| pong[2]).eq(numbers));
    }
}

#[test]
fn a_whole_message_is_borrowed_from_the_input_whatever_its_length() {
    for role in ROLES {
        for len in [1, 125, 126, 65_535, 65_536, 200_000] {
            for b0 in [0x81, 0x82] {
                let mut memory = frame(role, b0, &vec![b'm'; len]);
                let place = memory.as_ptr_range();
                let mut side = connection(role);
                let payload = match side.receive(&mut &mut memory[..], &mut Vec::new()).unwrap() {
                    Some(Event::Text(text)) => text.as_bytes(),
                    Some(Event::Binary(bytes)) => bytes,
                    other => panic!("{other:?}"),
                };
                assert_eq!(payload.len(), len);
                assert!(place.contains(&payload.as_ptr()), "{role:?} {b0:x} {len}");
            }
        }
    }
}

#[test]
fn a30_a_due_pong_goes_out_before_the_next_message_sent() {
    let mut server = connection(Role::Server);
    let mut memory: Vec<u8> = (0..40).flat_map(|at| frame(Role::Server, 0x89, &[at])).collect();
    let mut input = &mut memory[..];
    let mut out = Vec::new();
    for _ in 0..40 {
        assert!(server.receive(&mut input, &mut out).unwrap().is_some());
    }
    out.clear();
    server.send(Message::Text("next"), &mut out).unwrap();
    assert_eq!(out, b"\x8a\x01\x27\x81\x04next");
    assert!(server.receive(&mut input, &mut out).unwrap().is_none());
    assert_eq!(out.len(), 9, "the pong is not written twice");
}

#[test]
fn a31_unsolicited_pongs_are_reported_and_change_nothing() {
    for role in ROLES {
        let input = [frame(role, 0x8a, b"?"), frame(role, 0x81, b"ok")].concat();
        let outcome = outcome_of(role, &input);
        outcome.assert_ok(&[Owned::Pong(b"?".to_vec()), text("ok")]);
        assert_eq!(outcome.replies, b"");
    }
}

#[test]
fn a46_what_one_side_sends_the_other_receives() {
    let long = "grüße, 世界 🎉 ".repeat(10_000);
    let messages = [
        Message::Text(""),
        Message::Text("Hello"),
        Message::Text(&long),
        Message::Binary(b""),
        Message::Binary(&[0xff; 125]),
        Message::Binary(&[0xfe; 126]),
        Message::Binary(long.as_bytes()),
        Message::Ping(b"ping"),
        Message::Pong(&[7; 125]),
    ];
    for role in ROLES {
        let mut sender = connection(role);
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for message in messages {
            let prepared = PreparedMessage::new(message).unwrap();
            sender.send(message, &mut wire).unwrap();
            sender.send_prepared(&prepared, &mut wire).unwrap();
            let event = match message {
                Message::Text(message) => text(message),
                Message::Binary(message) => binary(message),
                Message::Ping(message) => ping(message),
                Message::Pong(message) => Owned::Pong(message.to_vec()),
            };
            expected.extend([event.clone(), event]);
        }
        feed(&mut connection(peer_of(role)), &wire).assert_ok(&expected);
        feed_bytewise(&mut connection(peer_of(role)), &wire).assert_ok(&expected);
    }
}

#[test]
fn s5_4_fragments_are_sent_in_any_size_also_within_characters() {
    let message = "12345 \u{10ffff} grüße 世界";
    for role in ROLES {
        for size in 1..=message.len() + 1 {
            let mut wire = Vec::new();
            let size = NonZeroUsize::new(size).unwrap();
            connection(role).send_fragmented(Message::Text(message), size, &mut wire).unwrap();
            feed(&mut connection(peer_of(role)), &wire).assert_ok(&[text(message)]);
        }
    }
}

#[test]
fn s5_4_a_message_sent_in_fragments_lets_control_frames_through_and_nothing_else() {
    for role in ROLES {
        let mut sender = connection(role);
        let mut wire = Vec::new();
        sender.send_fragment(Fragment::Text("a"), Fin::More, &mut wire).unwrap();
        let len = wire.len();
        for refused in [
            sender.send(Message::Text("b"), &mut wire),
            sender.send(Message::Binary(b"b"), &mut wire),
            sender.send_fragmented(Message::Text("bb"), NonZeroUsize::MIN, &mut wire),
        ] {
            assert_eq!(refused, Err(SendError::MessageOpen));
        }
        let other = sender.send_fragment(Fragment::Binary(b"b"), Fin::Final, &mut wire);
        assert_eq!(other, Err(SendError::NoMessageOpen));
        assert_eq!(wire.len(), len, "nothing is written by a refused call");
        sender.send(Message::Ping(b""), &mut wire).unwrap();
        sender.send_fragment(Fragment::Text("c"), Fin::Final, &mut wire).unwrap();
        sender.send(Message::Binary(b"d"), &mut wire).unwrap();
        feed(&mut connection(peer_of(role)), &wire).assert_ok(&[
            ping(b""),
            text("ac"),
            binary(b"d"),
        ]);
    }
}

#[test]
fn a45_what_may_not_be_sent_is_refused_and_nothing_is_written() {
    // With room in one piece, short messages take a short way; without it they don't.
    for (role, capacity) in ROLES.into_iter().flat_map(|role| [(role, 0), (role, 1 << 10)]) {
        let mut sender = connection(role);
        let mut wire = Vec::with_capacity(capacity);
        let error = SendError::ControlTooLong { payload_len: 126 };
        assert_eq!(sender.send(Message::Ping(&[0; 126]), &mut wire), Err(error));
        assert_eq!(sender.send(Message::Pong(&[0; 126]), &mut wire), Err(error));
        assert_eq!(PreparedMessage::new(Message::Ping(&[0; 126])).unwrap_err(), error);
        let reason = "r".repeat(124);
        let close = wscodec::CloseFrame { code: crate::support::close_code(1000), reason: &reason };
        let refused = sender.close(Some(close), &mut wire);
        assert_eq!(refused, Err(SendError::ReasonTooLong { reason_len: 124 }));
        assert_eq!(wire, b"");
        sender.send(Message::Text("still open"), &mut wire).unwrap();
    }
}

#[test]
fn a45_a_buffer_without_room_is_refused_whole_and_the_connection_goes_on() {
    for role in ROLES {
        let header_len = if role == Role::Client { 6 } else { 2 };
        for room in 0..header_len + 5 {
            let mut memory = [0xAA; 32];
            let mut out = &mut memory[..room];
            let refused = connection(role).send(Message::Text("Hello"), &mut out);
            assert_eq!(refused, Err(SendError::BufferFull { needed: header_len + 5 }));
            assert_eq!(memory, [0xAA; 32]);
        }
        let mut memory = [0; 32];
        let mut out = &mut memory[..header_len + 5];
        connection(role).send(Message::Text("Hello"), &mut out).unwrap();
        assert!(out.is_empty());
    }
}

#[test]
fn replies_wait_for_room_and_are_then_written_once() {
    let mut server = connection(Role::Server);
    let mut memory = [frame(Role::Server, 0x89, b"ping"), frame(Role::Server, 0x88, b"")].concat();
    let mut input = &mut memory[..];
    let mut no_room: &mut [u8] = &mut [];
    assert_eq!(server.receive(&mut input, &mut no_room), Ok(Some(Event::Ping(b"ping"))));
    assert_eq!(server.receive(&mut input, &mut no_room), Ok(Some(Event::Close(None))));
    assert_eq!(server.receive(&mut input, &mut no_room), Ok(None));
    assert_ne!(server.ready_state(), wscodec::ReadyState::Closed, "a Close is still due");
    let mut out = Vec::new();
    assert_eq!(server.receive(&mut input, &mut out), Ok(None));
    assert_eq!(out, b"\x8a\x04ping\x88\x00");
    assert_eq!(server.receive(&mut input, &mut out), Ok(None));
    assert_eq!(out.len(), 8);
    assert_eq!(server.ready_state(), wscodec::ReadyState::Closed);
}

#[test]
fn replies_that_find_no_room_again_and_again_are_not_forgotten() {
    for (room, first) in [(0, &b""[..]), (6, b"\x8a\x04ping"), (7, b"\x8a\x04ping")] {
        let mut server = connection(Role::Server);
        let mut memory =
            [frame(Role::Server, 0x89, b"ping"), frame(Role::Server, 0x88, b"")].concat();
        let mut input = &mut memory[..];
        let mut no_room: &mut [u8] = &mut [];
        while server.receive(&mut input, &mut no_room).unwrap().is_some() {}
        for _ in 0..3 {
            assert_eq!(server.receive(&mut input, &mut no_room), Ok(None));
        }
        let mut little = [0; 8];
        let mut out = &mut little[..room];
        for _ in 0..3 {
            assert_eq!(server.receive(&mut input, &mut out), Ok(None));
        }
        assert_eq!(&little[..first.len()], first);
        let mut out = Vec::new();
        assert_eq!(server.receive(&mut input, &mut out), Ok(None));
        assert_eq!([first, &out].concat(), b"\x8a\x04ping\x88\x00", "{room}");
    }
}

#[test]
fn a45_a_message_in_fragments_asks_for_room_for_all_of_them() {
    const HEADER_LEN_MAX: usize = 14;
    for role in ROLES {
        // 3 fragments of 4, 4 and 2 bytes.
        let needed = 3 * HEADER_LEN_MAX + 10;
        let size = NonZeroUsize::new(4).unwrap();
        let mut memory = vec![0; needed];
        let mut out = &mut memory[..needed - 1];
        let message = Message::Text("0123456789");
        let refused = connection(role).send_fragmented(message, size, &mut out);
        assert_eq!(refused, Err(SendError::BufferFull { needed }));
        assert_eq!(out.len(), needed - 1);
        connection(role).send_fragmented(message, size, &mut &mut memory[..]).unwrap();
    }
}

/// Puts pieces back together and checks that every message ends once.
fn joined(events: &[Owned]) -> Vec<Owned> {
    let mut whole = Vec::new();
    let (mut open_text, mut open_bytes) = (String::new(), Vec::new());
    for event in events {
        match event {
            Owned::TextPiece(piece, fin) => {
                open_text.push_str(piece);
                if *fin == Fin::Final {
                    whole.push(Owned::Text(std::mem::take(&mut open_text)));
                }
            }
            Owned::BinaryPiece(piece, fin) => {
                open_bytes.extend(piece);
                if *fin == Fin::Final {
                    whole.push(Owned::Binary(std::mem::take(&mut open_bytes)));
                }
            }
            other => whole.push(other.clone()),
        }
    }
    assert!(open_text.is_empty() && open_bytes.is_empty());
    whole
}

#[test]
fn streamed_pieces_add_up_to_the_messages_at_every_split() {
    let message = "aé世🎉z";
    for role in ROLES {
        let mut wire = Vec::new();
        let mut sender = connection(peer_of(role));
        for size in [1, 2, 3, 5, 100] {
            let size = NonZeroUsize::new(size).unwrap();
            sender.send_fragmented(Message::Text(message), size, &mut wire).unwrap();
            sender.send(Message::Ping(b"!"), &mut wire).unwrap();
            sender.send_fragmented(Message::Binary(&[0xff; 7]), size, &mut wire).unwrap();
        }
        sender.send(Message::Text(""), &mut wire).unwrap();
        sender.send(Message::Binary(b""), &mut wire).unwrap();
        let mut expected = Vec::new();
        for _ in 0..5 {
            expected.extend([text(message), ping(b"!"), binary(&[0xff; 7])]);
        }
        expected.extend([text(""), binary(b"")]);
        let config = Config::default().with_delivery(Delivery::Streamed);
        for cut in 0..wire.len() {
            let (first, second) = wire.split_at(cut);
            let outcome =
                crate::support::feed_pieces(&mut with_config(role, config), &[first, second]);
            assert_eq!(outcome.error, None);
            assert_eq!(joined(&outcome.events), expected, "cut at {cut}");
        }
        let outcome = feed_bytewise(&mut with_config(role, config), &wire);
        assert_eq!(joined(&outcome.events), expected, "byte by byte");
    }
}

/// Whatever the length and the reads: data comes in pieces only, and the last says so.
#[test]
fn streamed_delivery_has_pieces_only() {
    let config = Config::default().with_delivery(Delivery::Streamed);
    for role in ROLES {
        for payload in ["", "x", "é", &"y".repeat(125), &"z".repeat(300)] {
            let wire = [
                frame(role, 0x81, payload.as_bytes()),
                frame(role, 0x82, payload.as_bytes()),
                frame(role, 0x01, payload.as_bytes()),
                frame(role, 0x80, b""),
            ];
            let wire = wire.concat();
            for feed in [feed, feed_bytewise] {
                let outcome = feed(&mut with_config(role, config), &wire);
                assert_eq!(outcome.error, None);
                let (mut texts, mut binaries) = (Vec::new(), Vec::new());
                for event in outcome.events {
                    match event {
                        Owned::TextPiece(_, fin) => texts.push(fin),
                        Owned::BinaryPiece(_, fin) => binaries.push(fin),
                        other => panic!("not a piece: {other:?}"),
                    }
                }
                let finals =
                    |pieces: &[Fin]| pieces.iter().filter(|fin| **fin == Fin::Final).count();
                assert_eq!((finals(&texts), finals(&binaries)), (2, 1), "{payload:?}");
                assert_eq!((texts.last(), binaries.last()), (Some(&Fin::Final), Some(&Fin::Final)));
            }
        }
    }
}

#[test]
fn streamed_text_that_ends_in_a_character_is_1007() {
    let config = Config::default().with_delivery(Delivery::Streamed);
    for role in ROLES {
        for (wire, valid_up_to) in [
            (frame(role, 0x81, b"ab\xe4\xb8"), 2),
            ([frame(role, 0x01, b"ab\xe4\xb8"), frame(role, 0x80, b"")].concat(), 2),
            ([frame(role, 0x01, b"ab\xe4\xb8"), frame(role, 0x80, b"c")].concat(), 2),
            (frame(role, 0x81, b"ab\xff"), 2),
        ] {
            for bytewise in [false, true] {
                let mut connection = with_config(role, config);
                let outcome = if bytewise {
                    feed_bytewise(&mut connection, &wire)
                } else {
                    feed(&mut connection, &wire)
                };
                let error = ProtocolError::Utf8(wscodec::Utf8Error { valid_up_to });
                assert_eq!(outcome.error, Some(error), "{wire:02x?}");
                assert!(
                    !outcome
                        .events
                        .iter()
                        .any(|event| matches!(event, Owned::TextPiece(_, Fin::Final)))
                );
            }
        }
    }
}

#[test]
fn prepared_messages_share_their_bytes_and_know_their_payload() {
    for len in [0, 1, 125, 126, 65_535, 65_536] {
        let payload = vec![b'p'; len];
        let prepared = PreparedMessage::new(Message::Binary(&payload)).unwrap();
        assert_eq!(prepared.opcode(), Opcode::Binary);
        assert_eq!(prepared.payload(), payload);
        let mut server = connection(Role::Server);
        let [here, there] =
            [prepared.clone(), prepared].map(|prepared| server.prepared_frame(&prepared).unwrap());
        assert_eq!(here[..], frame(Role::Client, 0x82, &payload));
        assert_eq!(there.as_ptr(), here.as_ptr());
    }
}

#[test]
fn data_kind_follows_the_opcode() {
    assert_ne!(DataKind::Text, DataKind::Binary);
    assert_eq!(Message::Text("").opcode(), Opcode::Text);
    assert_eq!(Message::Binary(b"").opcode(), Opcode::Binary);
    assert_eq!(Message::Ping(b"").opcode(), Opcode::Ping);
    assert_eq!(Message::Pong(b"").opcode(), Opcode::Pong);
}
