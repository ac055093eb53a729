//! Where events lie, messages given away, and payloads read straight into a message.

use crate::splits::{LIMITS, corpus};
use crate::support::{
    Outcome, Owned, ROLES, TestConnection, binary, builder, connection, feed_pieces, frame, header,
    text, with_config, with_limits,
};
use bytes::BufMut;
use wscodec::connection::{EventKind, Found};
use wscodec::decoder::FrameDecoder;
use wscodec::header::{HeaderRules, Rsv};
use wscodec::mask::{self, MaskKey};
use wscodec::{Config, Delivery, Event, Limits, ProtocolError, Role};

/// As [`feed_pieces`], by places.
fn feed_at(connection: &mut TestConnection, pieces: &[&[u8]]) -> Outcome {
    let mut outcome = Outcome::default();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut taken = 0;
        loop {
            let step = match connection.receive_at(&mut bytes[taken..], &mut outcome.replies) {
                Ok(step) => step,
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            };
            let start = taken;
            taken += step.taken();
            let Some(found) = step.into_event() else {
                assert_eq!(taken, bytes.len(), "all input is taken");
                break;
            };
            let event = Owned::from(connection.event(&found, &bytes[start..]));
            let kind = found.kind();
            if let Found::Input(_, place) = &found {
                assert!(place.end <= taken - start, "within what was taken");
            } else if let EventKind::Text = kind {
                let message = connection.take_text().map(|message| text(&message));
                assert_eq!(message.as_ref(), Some(&event));
                assert_eq!(connection.take_text(), None, "it is given away once");
            } else if let EventKind::Binary = kind {
                assert_eq!(binary(&connection.take_message()), event);
                assert_eq!(connection.take_message(), b"", "it is given away once");
            }
            outcome.events.push(event);
        }
    }
    outcome
}

#[test]
fn places_give_the_events_that_are_lent_however_the_wire_is_cut() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            let config = Config::default().with_limits(LIMITS).with_delivery(delivery);
            for (name, wire) in corpus(role) {
                for cut in 0..=wire.len() {
                    let pieces = [&wire[..cut], &wire[cut..]];
                    let lent = feed_pieces(&mut with_config(role, config), &pieces);
                    let placed = feed_at(&mut with_config(role, config), &pieces);
                    assert_eq!(lent, placed, "{role:?}, {delivery:?}, {name} cut at {cut}");
                }
                let bytes: Vec<&[u8]> = wire.chunks(1).collect();
                let lent = feed_pieces(&mut with_config(role, config), &bytes);
                let placed = feed_at(&mut with_config(role, config), &bytes);
                assert_eq!(lent, placed, "{role:?}, {delivery:?}, {name} byte by byte");
            }
        }
    }
}

/// Bytes that were changed after they were found are no text.
#[test]
fn text_that_was_changed_in_the_input_is_not_lent() {
    let mut side = connection(Role::Client);
    let mut bytes = *b"\x81\x02hi";
    let step = side.receive_at(&mut bytes, &mut Vec::new()).unwrap();
    let found = step.into_event().unwrap();
    assert_eq!(found, Found::Input(EventKind::Text, 2..4));
    bytes[2] = 0xff;
    assert_eq!(side.event(&found, &bytes), Event::Text(""));
    assert_eq!(side.event(&found, &[]), Event::Text(""));
}

#[test]
fn no_message_is_given_away_before_it_is_whole() {
    for role in ROLES {
        let wire = frame(role, 0x81, &[b'x'; 100]);
        let mut side = connection(role);
        let (mut first, mut second) = (wire[..50].to_vec(), wire[50..].to_vec());
        assert_eq!(side.receive(&mut &mut first[..], &mut Vec::new()), Ok(None));
        assert_eq!(side.take_message(), b"");
        assert_eq!(side.take_text(), None);
        let event = side.receive(&mut &mut second[..], &mut Vec::new()).unwrap().unwrap();
        assert_eq!(Owned::from(event), text(&"x".repeat(100)));
        let message = side.take_message();
        assert_eq!((message.len(), message.capacity()), (100, 100));
        assert_eq!(side.buffered(), 0);
    }
}

/// Passes `wire` in reads of `read_len` bytes, straight into messages where there is room; how many
/// bytes went there.
fn feed_rooms(side: &mut TestConnection, wire: &[u8], read_len: usize) -> (Outcome, usize) {
    let (mut outcome, mut rest, mut direct) = (Outcome::default(), wire, 0);
    loop {
        let mut read = Vec::new();
        if let Some(mut room) = side.room() {
            let len = room.remaining_mut().min(read_len).min(rest.len());
            let (bytes, after) = rest.split_at(len);
            room.put_slice(bytes);
            direct += len;
            rest = after;
        } else {
            let (bytes, after) = rest.split_at(read_len.min(rest.len()));
            read.extend_from_slice(bytes);
            rest = after;
        }
        let mut input = &mut read[..];
        loop {
            match side.receive(&mut input, &mut outcome.replies) {
                Ok(Some(event)) => outcome.events.push(event.into()),
                Ok(None) => break,
                Err(error) => {
                    outcome.error = Some(error);
                    return (outcome, direct);
                }
            }
        }
        if rest.is_empty() {
            return (outcome, direct);
        }
    }
}

#[test]
fn payloads_read_into_a_room_give_the_same_events() {
    let text = "grüße 世界 🎉 ".repeat(5000);
    let (first, last) = text.as_bytes().split_at(70_001); // inside a character
    for role in ROLES {
        let wire = [
            frame(role, 0x82, &text.as_bytes()[..50_000]),
            frame(role, 0x01, first),
            frame(role, 0x89, b"between"),
            frame(role, 0x80, last),
            frame(role, 0x81, b"short"),
        ]
        .concat();
        let expected = feed_pieces(&mut connection(role), &[&wire]);
        assert_eq!(expected.events.len(), 4);
        for read_len in [7, 1000, 4096, 65_536, 1 << 20] {
            let (outcome, direct) = feed_rooms(&mut connection(role), &wire, read_len);
            assert_eq!(outcome, expected, "{role:?} in reads of {read_len}");
            assert!(read_len > 65_536 || direct > 50_000, "{direct} in reads of {read_len}");
        }
    }
}

#[test]
fn a_room_is_for_large_data_frames_that_are_put_together_and_for_nothing_else() {
    for role in ROLES {
        let mut side = connection(role);
        let room_len = |side: &mut TestConnection, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let mut input = &mut bytes[..];
            while side.receive(&mut input, &mut Vec::new()).is_ok_and(|event| event.is_some()) {}
            side.room().map_or(0, |room| room.remaining_mut())
        };
        assert_eq!(room_len(&mut side, b""), 0, "between messages");
        let small = header(role, 0x82, 16, (8 << 10) - 1);
        assert_eq!(room_len(&mut connection(role), &small), 0, "what is read with what follows");
        let large = header(role, 0x82, 64, 16 << 20);
        assert_eq!(room_len(&mut connection(role), &large[..large.len() - 1]), 0, "in a header");
        // Memory follows what arrives.
        assert_eq!(room_len(&mut side, &large), 64 << 10);
        assert!(side.buffered() <= 64 << 10);
        assert_eq!(room_len(&mut side, &vec![0; 64 << 10]), 192 << 10);
        assert!(side.buffered() <= 256 << 10);
        // It does not grow by asking again.
        side.room().unwrap().put_bytes(0, 100 << 10);
        assert_eq!(side.room().unwrap().remaining_mut(), 92 << 10);
        assert_eq!(side.take_message(), b"");
        let streamed = Config::default().with_delivery(Delivery::Streamed);
        assert_eq!(room_len(&mut with_config(role, streamed), &large), 0);
        side.receive_eof().ok();
        assert_eq!(side.room().map(drop), None);
    }
}

#[test]
fn text_in_a_room_fails_as_it_does_elsewhere() {
    for role in ROLES {
        let mut payload = vec![b'x'; 20_000];
        payload[15_000] = 0xff;
        let wire = frame(role, 0x81, &payload);
        let expected = feed_pieces(&mut connection(role), &[&wire]);
        let (outcome, _) = feed_rooms(&mut connection(role), &wire, 1000);
        assert_eq!(outcome, expected);
        assert!(
            matches!(outcome.error, Some(ProtocolError::Utf8(error)) if error.valid_up_to == 15_000)
        );
        // A message that fails for another reason takes its rooms along.
        let wire = [frame(role, 0x01, &vec![b'x'; 20_000]), frame(role, 0x81, b"")].concat();
        let (outcome, _) = feed_rooms(&mut connection(role), &wire, 1000);
        assert_eq!(outcome.error, Some(ProtocolError::ExpectedContinuation));
        let limits = Limits::default().with_message_size_max(25_000);
        let wire = [frame(role, 0x02, &vec![b'x'; 20_000]), frame(role, 0x80, &[0; 5001])].concat();
        let (outcome, _) = feed_rooms(&mut with_limits(role, limits), &wire, 1000);
        assert!(matches!(outcome.error, Some(ProtocolError::MessageTooBig { .. })));
    }
    assert!(builder(Role::Server).open().room().is_none());
}

/// One walk does what unmasking and masking do, in whatever pieces the payload arrives.
#[test]
fn a_payload_is_remasked_in_one_walk() {
    let own = MaskKey::new([9, 8, 7, 6]);
    let payload: Vec<u8> = (0..=255).cycle().take(1000).collect();
    for role in ROLES {
        for piece_len in [1, 3, 130, 1000] {
            let mut wire = frame(role, 0x82, &payload);
            let mut decoder = FrameDecoder::new(HeaderRules::unlimited(role));
            let mut input = &mut wire[..];
            decoder.header(&mut input).unwrap().unwrap();
            let mut relayed = Vec::new();
            while decoder.remaining() > 0 {
                let piece = decoder.payload_at_most(&mut input, piece_len);
                relayed.extend_from_slice(piece.remask(own.rotated(relayed.len())));
            }
            mask::apply(own, &mut relayed, 0);
            assert_eq!(relayed, payload, "{role:?} in pieces of {piece_len}");
        }
        let mut wire = frame(role, 0x82, b"parts");
        let mut decoder = FrameDecoder::new(HeaderRules::unlimited(role));
        let mut input = &mut wire[..];
        decoder.header(&mut input).unwrap().unwrap();
        let (key, bytes) = decoder.payload(&mut input).into_parts();
        assert_eq!(key == MaskKey::ZERO, role == Role::Client);
        mask::apply(key, bytes, 0);
        assert_eq!(bytes, b"parts");
    }
    assert_eq!(Rsv::from_bits(4), Some(Rsv::RSV1));
    assert_eq!((Rsv::from_bits(0), Rsv::from_bits(8)), (Some(Rsv::NONE), None));
}
