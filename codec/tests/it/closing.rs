//! The closing handshake and failing, RFC 6455, 5.5.1 and 7: rows A32-A37, A43, A47, A48.

use std::num::NonZeroUsize;

use crate::support::{
    Owned, ROLES, TestConnection, close, close_code, closes_in, connection, feed, frame,
    outcome_of, text,
};
use wscodec::header::Fin;
use wscodec::{
    CloseFrame, Fragment, FrameError, Message, PreparedMessage, ProtocolError, ReadyState, Role,
    SendError, Utf8Error,
};

fn close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

fn close_frame(code: u16, reason: &str) -> CloseFrame<'_> {
    CloseFrame { code: close_code(code), reason }
}

#[test]
fn a32_a_close_without_payload_is_answered_without_one() {
    for role in ROLES {
        let mut side = connection(role);
        let outcome = feed(&mut side, &frame(role, 0x88, b""));
        outcome.assert_ok(&[Owned::Close(None)]);
        assert_eq!(closes_in(&outcome.replies), [1005]);
        assert_eq!(side.ready_state(), ReadyState::Closed);
        assert!(side.is_clean());
        assert_eq!(side.receive_eof(), Ok(()));
    }
}

#[test]
fn a33_r11_close_payloads_of_no_one_and_two_bytes() {
    for role in ROLES {
        let one = frame(role, 0x88, b"\x03");
        outcome_of(role, &one).assert_fails(&[], ProtocolError::ClosePayload, 1002);
        let two = frame(role, 0x88, b"\x03\xe8");
        outcome_of(role, &two).assert_ok(&[close(1000, "")]);
    }
}

#[test]
fn a34_s7_4_all_65536_close_codes() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let outcome = feed(&mut connection(role), &frame(role, 0x88, &code.to_be_bytes()));
            if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                outcome.assert_ok(&[close(code, "")]);
                assert_eq!(closes_in(&outcome.replies), [code], "the code is echoed");
            } else {
                outcome.assert_fails(&[], ProtocolError::CloseCode { code }, 1002);
            }
        }
    }
}

#[test]
fn a35_close_reasons_must_be_utf_8_to_their_end() {
    for role in ROLES {
        let longest = "r".repeat(123);
        let input = frame(role, 0x88, &close_payload(1000, longest.as_bytes()));
        outcome_of(role, &input).assert_ok(&[close(1000, &longest)]);
        let cut = ["r".repeat(122).as_bytes(), b"\xc3"].concat();
        for (reason, valid_up_to) in [(&b"\xff"[..], 0), (b"ok\xed\xa0\x80", 2), (&cut, 122)] {
            let input = frame(role, 0x88, &close_payload(1000, reason));
            let error = ProtocolError::Utf8(Utf8Error { valid_up_to });
            outcome_of(role, &input).assert_fails(&[], error, 1007);
        }
    }
}

#[test]
fn a36_a37_data_after_a_close_is_ignored_and_a_second_close_not_answered() {
    for role in ROLES {
        let input = [
            frame(role, 0x88, &close_payload(1001, b"")),
            frame(role, 0x81, b"late"),
            frame(role, 0x88, &close_payload(1000, b"")),
            vec![0xff; 20],
        ]
        .concat();
        let outcome = outcome_of(role, &input);
        outcome.assert_ok(&[close(1001, "")]);
        assert_eq!(closes_in(&outcome.replies), [1001]);
        // The same in reads of their own, and where this side has closed first.
        for is_ours_first in [false, true] {
            let mut side = connection(role);
            if is_ours_first {
                side.close(Some(close_frame(1000, "ours")), &mut Vec::new()).unwrap();
            }
            let outcome = feed(&mut side, &frame(role, 0x88, &close_payload(1001, b"")));
            outcome.assert_ok(&[close(1001, "")]);
            let expected = if is_ours_first { vec![] } else { vec![1001] };
            assert_eq!(closes_in(&outcome.replies), expected);
            for late in [
                frame(role, 0x81, b"late"),
                frame(role, 0x89, b"late"),
                frame(role, 0x88, &close_payload(1000, b"")),
                frame(role, 0x88, b"\x03"),
                vec![0xff; 20],
            ] {
                let outcome = feed(&mut side, &late);
                outcome.assert_ok(&[]);
                assert_eq!(outcome.replies, b"");
            }
            assert!(side.is_clean(), "what comes too late changes nothing");
            assert_eq!(side.receive_eof(), Ok(()));
        }
    }
}

#[test]
fn s5_5_1_nothing_is_sent_after_a_close() {
    for role in ROLES {
        let mut side = connection(role);
        let mut out = Vec::new();
        side.close(Some(close_frame(1000, "done")), &mut out).unwrap();
        assert_eq!(side.ready_state(), ReadyState::Closing);
        let len = out.len();
        assert_eq!(side.send(Message::Text("late"), &mut out), Err(SendError::NotOpen));
        assert_eq!(side.send(Message::Ping(b""), &mut out), Err(SendError::NotOpen));
        assert_eq!(side.close(None, &mut out), Err(SendError::NotOpen));
        assert_eq!(out.len(), len);
        // Messages may still arrive, and a Ping isn't answered any more.
        let input = [frame(role, 0x81, b"late"), frame(role, 0x89, b"?")].concat();
        let outcome = feed(&mut side, &input);
        outcome.assert_ok(&[text("late"), crate::support::ping(b"?")]);
        assert_eq!(outcome.replies, b"");
        let outcome = feed(&mut side, &frame(role, 0x88, &close_payload(1000, b"")));
        outcome.assert_ok(&[close(1000, "")]);
        assert_eq!(outcome.replies, b"", "the answer to a Close isn't answered");
        assert_eq!(side.ready_state(), ReadyState::Closed);
        assert!(side.is_clean());
    }
}

/// The ways to send, each with what it says.
fn send_in_every_way(side: &mut TestConnection, out: &mut Vec<u8>) -> Vec<Result<(), SendError>> {
    let long = "long and long and long and long ".repeat(40);
    let text = Message::Text(&long);
    let hundred = NonZeroUsize::new(100).unwrap();
    let prepared = PreparedMessage::new(text).unwrap();
    vec![
        side.send(text, out),
        side.send(Message::Binary(b""), out),
        side.send(Message::Pong(b""), out),
        side.send_uncompressed(text, out),
        side.send_prepared(&prepared, out),
        side.send_prepared(&PreparedMessage::new(Message::Ping(b"")).unwrap(), out),
        side.send_fragment(Fragment::Text(&long), Fin::More, out),
        side.send_fragment(Fragment::Text(&long), Fin::Final, out),
        side.send_fragmented(text, hundred, out),
        side.send_fragmented(Message::Ping(b""), hundred, out),
        side.close(None, out),
    ]
}

fn sides(role: Role) -> Vec<TestConnection> {
    vec![
        connection(role),
        #[cfg(feature = "deflate")]
        crate::deflate_support::deflating(role),
    ]
}

#[test]
fn s5_5_1_nothing_is_sent_in_any_way_once_it_is_over() {
    type End = fn(Role, &mut TestConnection);
    let ends: [(&str, End); 4] = [
        ("a Close sent", |_, side| side.close(None, &mut Vec::new()).unwrap()),
        ("a Close received", |role, side| {
            feed(side, &frame(role, 0x88, b"")).assert_ok(&[Owned::Close(None)]);
        }),
        ("a failure", |_, side| assert!(feed(side, &[0x83]).error.is_some())),
        ("the end of the stream", |_, side| assert!(side.receive_eof().is_err())),
    ];
    for role in ROLES {
        for (what, end) in ends {
            let open = sides(role).into_iter().map(|side| (side, true));
            let between = sides(role).into_iter().map(|side| (side, false));
            for (mut side, is_in_message) in open.chain(between) {
                if is_in_message {
                    let first = Fragment::Text("first ");
                    side.send_fragment(first, Fin::More, &mut Vec::new()).unwrap();
                }
                end(role, &mut side);
                let mut out = Vec::new();
                for (way, sent) in send_in_every_way(&mut side, &mut out).into_iter().enumerate() {
                    assert_eq!(sent, Err(SendError::NotOpen), "{role:?}, way {way} after {what}");
                }
                assert_eq!(out, b"", "{role:?} after {what}");
            }
        }
    }
}

/// Clean is what both sides have said Close to, and nothing less.
#[test]
fn s7_1_4_a_connection_is_clean_once_both_close_frames_are_exchanged() {
    for role in ROLES {
        let mut side = connection(role);
        assert_eq!((side.is_clean(), side.ready_state()), (false, ReadyState::Open));
        side.close(None, &mut Vec::new()).unwrap();
        assert_eq!((side.is_clean(), side.ready_state()), (false, ReadyState::Closing));
        feed(&mut side, &frame(role, 0x88, b"")).assert_ok(&[Owned::Close(None)]);
        assert_eq!((side.is_clean(), side.ready_state()), (true, ReadyState::Closed));
        let mut side = connection(role);
        assert!(feed(&mut side, &[0x83]).error.is_some());
        assert_eq!((side.is_clean(), side.ready_state()), (false, ReadyState::Closed));
        let mut side = connection(role);
        side.receive_eof().unwrap_err();
        assert_eq!((side.is_clean(), side.ready_state()), (false, ReadyState::Closed));
    }
}

#[test]
fn s7_1_3_both_sides_closing_at_once_end_clean() {
    let (mut client, mut server) = (connection(Role::Client), connection(Role::Server));
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    client.close(Some(close_frame(1000, "c")), &mut to_server).unwrap();
    server.close(Some(close_frame(1001, "s")), &mut to_client).unwrap();
    let at_server = feed(&mut server, &to_server);
    let at_client = feed(&mut client, &to_client);
    at_server.assert_ok(&[close(1000, "c")]);
    at_client.assert_ok(&[close(1001, "s")]);
    assert_eq!((at_server.replies, at_client.replies), (vec![], vec![]));
    assert!(client.is_clean() && server.is_clean());
}

#[test]
fn a43_the_end_of_the_stream_without_a_close_is_unexpected_wherever_it_comes() {
    for role in ROLES {
        let wire = [frame(role, 0x01, b"part"), frame(role, 0x80, b"rest")].concat();
        for cut in 0..wire.len() {
            let mut side = connection(role);
            assert_eq!(feed(&mut side, &wire[..cut]).events, []);
            assert_eq!(side.receive_eof(), Err(ProtocolError::UnexpectedEof));
            assert_eq!(side.ready_state(), ReadyState::Closed);
            assert!(!side.is_clean());
            let after = feed(&mut side, &wire[cut..]);
            assert_eq!(after.error, Some(ProtocolError::UnexpectedEof));
            assert_eq!(side.send(Message::Text(""), &mut Vec::new()), Err(SendError::NotOpen));
        }
        // Nothing is delivered after the end, not even what lies whole in the input.
        let mut side = connection(role);
        assert_eq!(side.receive_eof(), Err(ProtocolError::UnexpectedEof));
        let after = feed(&mut side, &frame(role, 0x81, b"late"));
        assert_eq!((after.events, after.error), (vec![], Some(ProtocolError::UnexpectedEof)));
        assert_eq!(after.replies, b"", "nobody is there to be told");
        let mut side = connection(role);
        feed(&mut side, &frame(role, 0x88, b"")).assert_ok(&[Owned::Close(None)]);
        assert_eq!(side.receive_eof(), Ok(()));
        feed(&mut side, &frame(role, 0x81, b"late")).assert_ok(&[]);
        // A Close of ours that was never answered is no better.
        let mut side = connection(role);
        side.close(None, &mut Vec::new()).unwrap();
        assert_eq!(side.receive_eof(), Err(ProtocolError::UnexpectedEof));
    }
}

#[test]
fn a47_r28_a_failed_connection_stays_failed_and_takes_nothing() {
    for role in ROLES {
        let bad = [frame(role, 0x81, b"before"), vec![0x83], frame(role, 0x81, b"after")].concat();
        let mut side = connection(role);
        let outcome = feed(&mut side, &bad);
        let error = ProtocolError::Frame(FrameError::ReservedOpcode { opcode: 3 });
        outcome.assert_fails(&[text("before")], error, 1002);
        assert_eq!(side.error(), Some(error));
        for round in 0..1000_usize {
            let mut memory = frame(role, 0x81, b"valid").repeat(1 + round % 3);
            let len = memory.len();
            let mut input = &mut memory[..];
            let mut out = Vec::new();
            assert_eq!(side.receive(&mut input, &mut out), Err(error));
            assert_eq!((input.len(), out.len()), (len, 0), "nothing taken, nothing said");
        }
        assert_eq!(side.receive_eof(), Err(error));
        assert_eq!(side.close(None, &mut Vec::new()), Err(SendError::NotOpen));
    }
}

#[test]
fn a_connection_that_fails_after_its_own_close_sends_no_second() {
    for role in ROLES {
        let mut side = connection(role);
        side.close(Some(close_frame(1000, "")), &mut Vec::new()).unwrap();
        let outcome = feed(&mut side, &[0x83]);
        assert!(outcome.error.is_some());
        assert_eq!(outcome.replies, b"");
        assert!(!side.is_clean());
    }
}

#[test]
fn the_close_of_a_failure_waits_for_room() {
    let mut server = connection(Role::Server);
    let mut memory = [0x83];
    let mut input = &mut memory[..];
    let mut no_room: &mut [u8] = &mut [];
    assert!(server.receive(&mut input, &mut no_room).is_err());
    let mut out = Vec::new();
    assert!(server.receive(&mut input, &mut out).is_err());
    assert_eq!(closes_in(&out), [1002]);
    let len = out.len();
    assert!(server.receive(&mut input, &mut out).is_err());
    assert_eq!(out.len(), len);
}

#[test]
fn a48_empty_input_is_nothing_at_any_time() {
    for role in ROLES {
        let mut side = connection(role);
        feed(&mut side, b"").assert_ok(&[]);
        feed(&mut side, &frame(role, 0x81, b"x")[..1]).assert_ok(&[]);
        feed(&mut side, b"").assert_ok(&[]);
        feed(&mut side, &frame(role, 0x81, b"x")[1..]).assert_ok(&[text("x")]);
        feed(&mut side, &frame(role, 0x88, b"")).assert_ok(&[Owned::Close(None)]);
        feed(&mut side, b"").assert_ok(&[]);
        side.receive_eof().unwrap();
        feed(&mut side, b"").assert_ok(&[]);
    }
}

#[test]
fn a_close_that_spans_reads_is_one_close() {
    for role in ROLES {
        let wire = frame(role, 0x88, &close_payload(4999, "grüße".as_bytes()));
        for cut in 0..=wire.len() {
            let (first, second) = wire.split_at(cut);
            let outcome = crate::support::feed_pieces(&mut connection(role), &[first, second]);
            outcome.assert_ok(&[close(4999, "grüße")]);
            assert_eq!(closes_in(&outcome.replies), [4999]);
        }
    }
}

/// A Pong that had no room stays due; once a Close has found room before it, it is not owed any
/// more.
#[test]
fn s5_5_1_no_pong_follows_a_close_that_was_written_before_it() {
    let close = close_payload(1000, b"");
    for role in ROLES {
        let header_len = if role == Role::Client { 6 } else { 2 };
        let long_ping = frame(role, 0x89, &[b'p'; 125]);
        let mut no_room: &mut [u8] = &mut [];
        // The peer's Close is answered, and this side's own is sent, into room for a Close and no
        // more.
        for is_peers in [true, false] {
            let mut side = connection(role);
            let mut memory = long_ping.clone();
            let mut input = &mut memory[..];
            assert!(side.receive(&mut input, &mut no_room).unwrap().is_some());
            assert!(side.receive(&mut input, &mut no_room).unwrap().is_none());
            let mut room = vec![0; header_len + 2];
            if is_peers {
                let mut memory = frame(role, 0x88, &close);
                let mut input = &mut memory[..];
                assert!(side.receive(&mut input, &mut &mut room[..]).unwrap().is_some());
            } else {
                side.close(Some(close_frame(1000, "")), &mut &mut room[..]).unwrap();
            }
            assert_eq!(closes_in(&room), [1000]);
            let outcome = feed(&mut side, b"");
            assert_eq!(outcome.replies, b"", "{role:?}, the peer's first: {is_peers}");
        }
    }
}
