//! A connection in two halves, for two tasks: replies as values.

use crate::splits::{LIMITS, corpus};
use crate::support::{Outcome, ROLES, connection, feed_pieces, frame, text, with_limits};
use bytes::BytesMut;
use wscodec::connection::Reply;
use wscodec::{CloseCode, CloseFrame, Event, Message, ProtocolError, ReadyState, Role, SendError};

/// As [`feed_pieces`], in halves whose replies are written when the input is used up.
fn feed_halves(role: Role, pieces: &[&[u8]]) -> (Outcome, ReadyState) {
    let (mut receiver, mut sender) = with_limits(role, LIMITS).split();
    let mut outcome = Outcome::default();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        let mut replies: Vec<Reply> = Vec::new();
        let error = loop {
            match receiver.receive(&mut input, &mut replies) {
                Ok(Some(event)) => outcome.events.push(event.into()),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        for reply in replies {
            sender.reply(reply, &mut outcome.replies);
        }
        if error.is_some() {
            outcome.error = error;
            break;
        }
    }
    (outcome, sender.ready_state())
}

#[test]
fn halves_do_what_a_connection_does_however_the_wire_is_cut() {
    for role in ROLES {
        for (name, wire) in corpus(role) {
            for cut in 0..=wire.len() {
                let pieces = [&wire[..cut], &wire[cut..]];
                let mut whole = with_limits(role, LIMITS);
                let expected = feed_pieces(&mut whole, &pieces);
                let (outcome, state) = feed_halves(role, &pieces);
                assert_eq!(outcome, expected, "{role:?}, {name} cut at {cut}");
                assert_eq!(state, whole.ready_state(), "{role:?}, {name} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_flood_of_pings_is_answered_as_by_a_connection() {
    let wire = frame(Role::Server, 0x89, b"x").repeat(100);
    let expected = feed_pieces(&mut connection(Role::Server), &[&wire]);
    let (outcome, _) = feed_halves(Role::Server, &[&wire]);
    assert_eq!(outcome, expected);
    assert_eq!(outcome.replies.len(), 33 * 3, "32, and the newest");
}

#[test]
fn the_closing_handshake_goes_through_both_halves_whoever_starts_it() {
    for role in ROLES {
        let close = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        // This side starts.
        let (mut receiver, mut sender) = connection(role).split();
        let (mut replies, mut out) = (Vec::new(), Vec::new());
        sender.close(Some(close), &mut out).unwrap();
        out.clear();
        let mut ping = frame(role, 0x89, b"late");
        receiver.receive(&mut &mut ping[..], &mut replies).unwrap();
        let mut answer = frame(role, 0x88, b"\x03\xe8");
        receiver.receive(&mut &mut answer[..], &mut replies).unwrap();
        assert!(receiver.is_done());
        assert_eq!(sender.ready_state(), ReadyState::Closing);
        for reply in replies.drain(..) {
            sender.reply(reply, &mut out);
        }
        assert_eq!(out, b"", "nothing follows a Close");
        assert_eq!(sender.ready_state(), ReadyState::Closed);
        assert_eq!(receiver.receive_eof(&mut replies), Ok(()));

        // The peer starts, and the answer finds no room at first.
        let (mut receiver, mut sender) = connection(role).split();
        let mut bytes = frame(role, 0x88, b"\x03\xe8");
        receiver.receive(&mut &mut bytes[..], &mut replies).unwrap();
        let mut no_room: &mut [u8] = &mut [];
        sender.reply(replies.remove(0), &mut no_room);
        assert_eq!(sender.ready_state(), ReadyState::Closing);
        assert!(sender.has_due_output());
        assert_eq!(sender.send(Message::Text("no"), &mut out), Err(SendError::NotOpen));
        sender.flush(&mut out);
        assert_eq!(sender.ready_state(), ReadyState::Closed);
    }
}

#[test]
fn a_failure_and_the_end_of_the_stream_are_told_once() {
    for role in ROLES {
        let (mut receiver, mut sender) = connection(role).split();
        let (mut replies, mut out) = (Vec::new(), Vec::new());
        let mut bytes = frame(role, 0x83, b"");
        for _ in 0..2 {
            let error = receiver.receive(&mut &mut bytes[..], &mut replies).map(drop);
            assert!(matches!(error, Err(ProtocolError::Frame(_))));
        }
        assert_eq!(replies.len(), 1);
        sender.reply(replies.remove(0), &mut out);
        assert_eq!(sender.ready_state(), ReadyState::Closed);
        assert_eq!(sender.send(Message::Text("no"), &mut out), Err(SendError::NotOpen));

        let (mut receiver, mut sender) = connection(role).split();
        let error = receiver.receive_eof(&mut replies);
        assert_eq!(error, Err(ProtocolError::UnexpectedEof));
        out.clear();
        sender.reply(replies.remove(0), &mut out);
        assert_eq!(out, b"", "there is nobody to tell");
        assert_eq!(sender.ready_state(), ReadyState::Closed);
    }
}

/// Halves cross threads, and so do replies.
#[test]
fn halves_share_nothing() {
    fn moves<T: Send + 'static>(_: &T) {}
    let (mut receiver, mut sender) = connection(Role::Server).split();
    moves(&receiver);
    moves(&sender);
    let (to_writer, from_reader) = std::sync::mpsc::channel::<Reply>();
    let writer = std::thread::spawn(move || {
        let mut out = Vec::new();
        for reply in from_reader {
            sender.reply(reply, &mut out);
        }
        out
    });
    let mut input = BytesMut::from(&frame(Role::Server, 0x89, b"one")[..]);
    input.extend_from_slice(&frame(Role::Server, 0x81, b"two"));
    input.extend_from_slice(&frame(Role::Server, 0x88, b""));
    let mut replies = Vec::new();
    let mut events = Vec::new();
    while let Some(event) = receiver.receive_shared(&mut input, &mut replies).unwrap() {
        events.push(event);
        for reply in replies.drain(..) {
            to_writer.send(reply).unwrap();
        }
    }
    drop(to_writer);
    assert_eq!(events.len(), 3);
    assert_eq!(writer.join().unwrap(), b"\x8a\x03one\x88\0");
    let mut bytes = frame(Role::Server, 0x81, b"x");
    let (mut receiver, _) = connection(Role::Server).split();
    let event = receiver.receive(&mut &mut bytes[..], &mut replies).unwrap().unwrap();
    assert_eq!(crate::support::Owned::from(event), text("x"));
    assert!(matches!(event, Event::Text("x")));
}
