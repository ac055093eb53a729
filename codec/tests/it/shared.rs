//! Payloads as shared bytes, in both directions, and what a header by itself is checked for.

use crate::splits::{LIMITS, corpus};
use crate::support::{Outcome, Owned, ROLES, connection, feed_pieces, frame, with_config};
use bytes::{Buf, Bytes, BytesMut};
use wscodec::connection::SharedEvent;
use wscodec::header::{Fin, Opcode};
use wscodec::message::{SendQueue, SharedMessage, Utf8Bytes};
use wscodec::{Config, Delivery, Fragment, Message, Role, SendError};

impl From<SharedEvent> for Owned {
    fn from(event: SharedEvent) -> Self {
        match event {
            SharedEvent::Text(text) => Self::Text(text.as_str().to_owned()),
            SharedEvent::Binary(bytes) => Self::Binary(bytes.to_vec()),
            SharedEvent::TextPiece(text, fin) => Self::TextPiece(text.as_str().to_owned(), fin),
            SharedEvent::BinaryPiece(bytes, fin) => Self::BinaryPiece(bytes.to_vec(), fin),
            SharedEvent::Ping(bytes) => Self::Ping(bytes.to_vec()),
            SharedEvent::Pong(bytes) => Self::Pong(bytes.to_vec()),
            SharedEvent::Close(close) => {
                Self::Close(close.map(|(code, reason)| (code.as_u16(), reason.to_string())))
            }
            other => panic!("an event that these tests do not know: {other:?}"),
        }
    }
}

#[test]
fn shared_events_are_those_that_are_lent_however_the_wire_is_cut() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            let config = Config::default().with_limits(LIMITS).with_delivery(delivery);
            for (name, wire) in corpus(role) {
                for cut in 0..=wire.len() {
                    let pieces = [&wire[..cut], &wire[cut..]];
                    let lent = feed_pieces(&mut with_config(role, config), &pieces);
                    let mut side = with_config(role, config);
                    let mut shared = Outcome::default();
                    'pieces: for piece in pieces {
                        let mut input = BytesMut::from(piece);
                        loop {
                            match side.receive_shared(&mut input, &mut shared.replies) {
                                Ok(Some(event)) => shared.events.push(event.into()),
                                Ok(None) => break,
                                Err(error) => {
                                    shared.error = Some(error);
                                    break 'pieces;
                                }
                            }
                        }
                        assert!(input.is_empty());
                    }
                    assert_eq!(shared, lent, "{role:?}, {delivery:?}, {name} cut at {cut}");
                }
            }
        }
    }
}

/// What `receive_shared` hands out as a slice once it is there, and nothing else, has a length before.
#[test]
fn the_length_of_a_whole_message_is_known_by_its_header() {
    for role in ROLES {
        let key_len = if role == Role::Server { 4 } else { 0 };
        for (name, b0, len, expected) in [
            ("text", 0x81, 5, Some(2 + key_len + 5)),
            ("binary", 0x82, 300, Some(4 + key_len + 300)),
            ("64 KiB", 0x82, 65_536, Some(10 + key_len + 65_536)),
            ("nothing", 0x82, 0, Some(2 + key_len)),
            ("the limit", 0x82, 70_000, Some(10 + key_len + 70_000)),
            ("above the limit", 0x82, 70_001, None),
            ("a first fragment", 0x02, 5, None),
            ("a continuation", 0x80, 5, None),
            ("a Ping", 0x89, 5, None),
            ("a Close", 0x88, 2, None),
            ("a compressed message", 0xC1, 5, None),
        ] {
            let limits = wscodec::Limits::default().with_message_size_max(70_000);
            let config = Config::default().with_limits(limits);
            let side = with_config(role, config);
            let wire = frame(role, b0, &vec![0; len]);
            let header_len = wire.len() - len;
            for there in 0..=wire.len().min(20) {
                let expected = expected.filter(|_| there >= header_len);
                assert_eq!(side.whole_len(&wire[..there]), expected, "{name}, {there} bytes");
            }
            assert_eq!(side.whole_len(&wire), expected, "{name}");
            assert_eq!(side.split().0.whole_len(&wire), expected, "{name}");
        }
        let whole = frame(role, 0x82, &[7; 10]);
        for (name, before) in [
            ("in a header", whole[..1].to_vec()),
            ("in a payload", whole[..whole.len() - 1].to_vec()),
            ("in a message of fragments", frame(role, 0x02, &[7; 10])),
            ("after a Close", frame(role, 0x88, &[])),
        ] {
            let mut side = connection(role);
            let mut input = BytesMut::from(&before[..]);
            while side.receive_shared(&mut input, &mut Vec::new()).unwrap().is_some() {}
            assert_eq!(side.whole_len(&whole), None, "{name}");
        }
        let streamed = Config::default().with_delivery(Delivery::Streamed);
        assert_eq!(with_config(role, streamed).whole_len(&whole), None);
    }
}

/// The payload is where it was read, or where it was put together: no copy.
#[test]
fn a_shared_payload_is_not_copied_on_its_way_in() {
    for role in ROLES {
        let wire = frame(role, 0x82, &vec![7; 100_000]);
        let mut input = BytesMut::from(&wire[..]);
        let memory = input.as_ptr().addr()..=input.as_ptr().addr() + input.len();
        let event = connection(role).receive_shared(&mut input, &mut Vec::new()).unwrap();
        let Some(SharedEvent::Binary(payload)) = event else { panic!("{event:?}") };
        assert_eq!(payload, vec![7; 100_000]);
        assert!(memory.contains(&payload.as_ptr().addr()));
        // Through a room.
        let mut side = connection(role);
        let mut input = BytesMut::from(&wire[..50_000]);
        assert_eq!(side.receive_shared(&mut input, &mut Vec::new()), Ok(None));
        let mut room = side.room().unwrap();
        bytes::BufMut::put_slice(&mut room, &wire[50_000..]);
        let event = side.receive_shared(&mut input, &mut Vec::new()).unwrap();
        assert_eq!(event, Some(SharedEvent::Binary(payload)));
        assert_eq!(side.buffered(), 0, "the message was given away");
    }
}

fn queued(mut queue: SendQueue) -> Vec<u8> {
    queue.copy_to_bytes(queue.remaining()).to_vec()
}

/// What goes to a queue, or to a buffer that copies, is what `send` writes.
#[test]
fn shared_messages_go_out_as_borrowed_ones_do() {
    for role in ROLES {
        let mut expected = Vec::new();
        let mut copied = Vec::new();
        let mut queue = SendQueue::new();
        let mut sides = [(); 3].map(|()| connection(role));
        for len in [0, 1, 125, 126, 4096, 4097, 65_535, 65_536, 200_000] {
            for message in [
                SharedMessage::Binary(vec![9; len].into()),
                SharedMessage::Text("x".repeat(len).into()),
                SharedMessage::Ping(vec![1; len.min(125)].into()),
                SharedMessage::Pong(Bytes::new()),
            ] {
                sides[0].send(message.as_message(), &mut expected).unwrap();
                // A client masks in place what nobody else holds, and copies the rest.
                sides[1].sender().send_into(message.clone(), &mut copied).unwrap();
                sides[2].sender().send_into(message, &mut queue).unwrap();
            }
        }
        assert_eq!(copied, expected);
        assert_eq!(queue.remaining(), expected.len());
        let mut slices = [std::io::IoSlice::new(&[]); 4];
        assert_eq!(queue.chunks_vectored(&mut slices), 4);
        // Written in parts of any length.
        let mut written = Vec::new();
        for len in [1, 3, 10_000, 7, 100_000, 1].into_iter().cycle() {
            let len = len.min(queue.chunk().len());
            written.extend_from_slice(&queue.chunk()[..len]);
            queue.advance(len);
            if !queue.has_remaining() {
                break;
            }
        }
        assert_eq!(written, expected);
        queue.tail().extend_from_slice(b"more");
        assert_eq!(queued(queue), b"more");
    }
}

#[test]
fn a_servers_shared_payload_is_not_copied_on_its_way_out() {
    let payload = Bytes::from(vec![1; 100_000]);
    let mut queue = SendQueue::new();
    let mut server = connection(Role::Server);
    server.sender().send_into(payload.clone().into(), &mut queue).unwrap();
    queue.advance(10);
    assert_eq!(queue.chunk().as_ptr(), payload.as_ptr());
    // A client masks it where it lies, since nobody else has it.
    let payload = vec![1; 100_000];
    let memory = payload.as_ptr();
    let mut queue = SendQueue::new();
    connection(Role::Client).sender().send_into(payload.into(), &mut queue).unwrap();
    queue.advance(14);
    assert_eq!(queue.chunk().as_ptr(), memory);
}

/// Every check of `send`, and nothing written where one fails.
#[test]
fn a_header_by_itself_is_checked_as_a_message_is() {
    for role in ROLES {
        let mut side = connection(role);
        for (opcode, len) in [(Opcode::Binary, 0), (Opcode::Text, 125), (Opcode::Binary, 70_000)] {
            let (header, key) = side.sender().head(opcode, len).unwrap();
            assert_eq!(key.is_some(), role == Role::Client);
            let mut expected = Vec::new();
            let payload = vec![b'x'; len as usize];
            let message = match opcode {
                Opcode::Text => Message::Text(core::str::from_utf8(&payload).unwrap()),
                _ => Message::Binary(&payload),
            };
            side.send(message, &mut expected).unwrap();
            assert!(expected.starts_with(header.as_bytes()));
            assert_eq!(expected.len(), header.as_bytes().len() + payload.len());
        }
        let error = side.sender().head(Opcode::Ping, 126).map(drop);
        assert_eq!(error, Err(SendError::ControlTooLong { payload_len: 126 }));
        for opcode in [Opcode::Close, Opcode::Continuation] {
            let error = side.sender().head(opcode, 0).map(drop);
            assert_eq!(error, Err(SendError::Opcode { opcode: opcode as u8 }));
        }
        let mut out = Vec::new();
        side.send_fragment(Fragment::Text("a"), Fin::More, &mut out).unwrap();
        let error = side.sender().head(Opcode::Text, 1).map(drop);
        assert_eq!(error, Err(SendError::MessageOpen));
        assert!(side.sender().head(Opcode::Ping, 1).is_ok(), "between fragments");
        let into = side.sender().send_into("no".into(), &mut SendQueue::new());
        assert_eq!(into, Err(SendError::MessageOpen));
        side.send_fragment(Fragment::Text("b"), Fin::Final, &mut out).unwrap();
        side.close(None, &mut out).unwrap();
        let error = side.sender().head(Opcode::Text, 1).map(drop);
        assert_eq!(error, Err(SendError::NotOpen));
    }
}

/// What is due goes first, and a buffer without room gets nothing.
#[test]
fn a_shared_message_goes_behind_replies_that_are_due_and_needs_room() {
    for role in ROLES {
        let mut side = connection(role);
        let mut no_room: &mut [u8] = &mut [];
        let mut ping = frame(role, 0x89, b"p");
        side.receive(&mut &mut ping[..], &mut no_room).unwrap();
        let mut memory = [0; 40];
        let error = side.sender().send_into("hello".into(), &mut &mut memory[..]);
        assert!(matches!(error, Err(SendError::BufferFull { .. })));
        assert_eq!(memory, [0; 40]);
        assert!(side.has_due_output());
        let mut queue = SendQueue::new();
        side.sender().send_into("hello".into(), &mut queue).unwrap();
        assert!(!side.has_due_output());
        let bytes = queued(queue);
        assert_eq!(
            (bytes[0], bytes[bytes.len() - 5 - if role == Role::Client { 6 } else { 2 }]),
            (0x8a, 0x81)
        );
        let mut exact = [0; 11];
        let len = if role == Role::Client { 11 } else { 7 };
        side.sender().send_into("hello".into(), &mut &mut exact[..len]).unwrap();
        let error = side.sender().send_into("hello".into(), &mut &mut exact[..len - 1]);
        assert_eq!(error, Err(SendError::BufferFull { needed: len }));
    }
}

#[test]
fn shared_text_is_text() {
    let text = Utf8Bytes::try_from(Bytes::from("grüße".as_bytes().to_vec())).unwrap();
    assert_eq!((text.as_str(), &*text.to_string()), ("grüße", "grüße"));
    assert_eq!(format!("{text:?}"), "Utf8Bytes(7 bytes)");
    let error = Utf8Bytes::try_from(Bytes::from_static(b"ab\xff")).unwrap_err();
    assert_eq!(error.valid_up_to, 2);
    assert_eq!(text.clone().into_bytes().as_ptr(), Bytes::from(text).as_ptr());
    assert_eq!(Utf8Bytes::from_static("a"), "a");
}

/// A pool that tasks share keeps streams as that of a thread does, for connections that move.
#[cfg(feature = "deflate")]
#[test]
fn a_pool_of_deflate_streams_is_shared_between_threads() {
    use crate::support::builder;
    use wscodec::Connection;
    use wscodec::deflate::{Deflate, DeflateClient, DeflatePool, DeflateServer};
    use wscodec::handshake::{Acceptance, Answered, ClientRequest, Offer};
    use wscodec::mask::FixedKey;

    let request = ClientRequest::new("a", "/").unwrap();
    let mut client = DeflateClient::new(Deflate::client());
    let mut server = DeflateServer::new(Deflate::server());
    let offered = request.offer([7; 16].into(), &client).unwrap();
    let headers: Vec<_> = offered.headers().map(|(name, value)| (name, value.as_bytes())).collect();
    let offer = Offer::from_headers(headers).unwrap();
    let acceptance = Acceptance::new();
    let answer = offer.answer(&acceptance, &mut server).unwrap();
    let answer: Vec<_> = answer.headers().map(|(name, value)| (name, value.as_bytes())).collect();
    Answered::from_headers(&offered, answer).unwrap().agree(&mut client).unwrap();
    for streams_max in [0, 1, 8] {
        let pool = DeflatePool::new(streams_max);
        let open = |role: Role| -> Connection<FixedKey> {
            let agreed = if role == Role::Client { client.agreed() } else { server.agreed() };
            builder(role).extension(agreed.map(|agreed| agreed.with_pool(&pool)).as_ref()).open()
        };
        let mut pairs: Vec<_> = (0..3).map(|_| (open(Role::Client), open(Role::Server))).collect();
        let text = "a rose is a rose is a rose, and so it goes on and on ".repeat(4);
        let mut lens = Vec::new();
        for round in 0..4 {
            // Every round is on a thread of its own.
            (pairs, lens) = std::thread::scope(|scope| {
                let work = scope.spawn(|| {
                    let mut pairs = pairs;
                    let mut lens = Vec::new();
                    for (client, server) in &mut pairs {
                        let (mut wire, mut out) = (Vec::new(), Vec::new());
                        client.send(Message::Text(&text), &mut wire).unwrap();
                        lens.push(wire.len());
                        let event = server.receive(&mut &mut wire[..], &mut out).unwrap().unwrap();
                        assert_eq!(Owned::from(event), crate::support::text(&text));
                    }
                    (pairs, lens)
                });
                work.join().unwrap()
            });
            assert!(lens.iter().all(|len| *len < text.len() / 2), "{round}: {lens:?}");
        }
        assert!(lens.iter().all(|len| *len < 30), "the context was taken over: {lens:?}");
    }
}
