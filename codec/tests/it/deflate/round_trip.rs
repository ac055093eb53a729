//! permessage-deflate from one side to the other: every parameter, every split, and an inflater
//! that is not the library's.

use crate::deflate_support::{
    agree_on, bits, chat, deflating, frames_in, full, noise, peer_of, puff, random, receive_one,
    side,
};
use crate::support::{ROLES, TestConnection, feed, feed_bytewise, feed_pieces, frame};
use bytes::BytesMut;
use proptest::prelude::*;
use wscodec::connection::SharedEvent;
use wscodec::deflate::{ContextTakeover, Deflate, DeflateLevel, WindowBits};
use wscodec::header::Fin;
use wscodec::{
    CloseCode, CloseFrame, Config, Delivery, Event, Fragment, Message, PreparedMessage, Role,
    SendError,
};

const CONTEXTS: [ContextTakeover; 2] = [ContextTakeover::Allowed, ContextTakeover::Off];

fn with_context(deflate: Deflate, context: ContextTakeover) -> Deflate {
    deflate.with_server_context(context).with_client_context(context)
}

fn with_bits(deflate: Deflate, window_bits: u8) -> Deflate {
    deflate
        .with_server_max_window_bits(bits(window_bits))
        .with_client_max_window_bits(Some(bits(window_bits)))
}

/// Messages that repeat each other from near and far, and some that do not compress.
fn messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = (0..12).map(|i| chat(i, 60 + i * 40).into_bytes()).collect();
    messages.push(noise(700));
    messages.push(chat(3, 5000).into_bytes());
    messages.push(vec![b'x'; 40_000]);
    messages.push(noise(33_000));
    messages.push(chat(3, 500).into_bytes());
    messages.push(b"a".to_vec());
    messages.push(Vec::new());
    messages.extend((0..6).map(|i| chat(i, 300).into_bytes()));
    messages
}

/// Sends `messages` and asserts what arrives, and what an inflater with a strict window makes of
/// it.
fn exchange(role: Role, deflate: Deflate, messages: &[Vec<u8>]) {
    let mut sender = side(role, deflate, Config::default());
    let mut receiver = side(peer_of(role), deflate, Config::default());
    let window_size = deflate.server_max_window_bits.window_size(); // the same for both here
    let mut window = Vec::new();
    let mut compressed = 0;
    for (number, message) in messages.iter().enumerate() {
        let mut wire = Vec::new();
        sender.send(Message::Binary(message), &mut wire).unwrap();
        let [(b0, payload)] = &frames_in(&wire)[..] else { panic!("one frame") };
        if *b0 == 0xc2 {
            compressed += 1;
            assert!(payload.len() < message.len());
            let inflated = puff::inflate(payload, &window, window_size)
                .unwrap_or_else(|| panic!("{role:?} {deflate:?} message {number}"));
            assert_eq!(&inflated.bytes, message);
            if deflate.server_context == ContextTakeover::Allowed {
                window.extend_from_slice(message);
                let start = window.len().saturating_sub(window_size);
                window.drain(..start);
            }
        } else {
            assert_eq!((*b0, payload), (0x82, message));
        }
        assert_eq!(&receive_one(&mut receiver, &wire), message, "{role:?} {deflate:?} {number}");
    }
    assert!(compressed >= messages.len() / 2, "{compressed} of {}", messages.len());
}

/// Large messages that leave as shared bytes may begin elsewhere in their memory than others.
#[test]
fn shared_messages_of_every_size_are_what_was_sent() {
    for role in ROLES {
        let mut sender = side(role, full(), Config::default());
        let mut receiver = side(peer_of(role), full(), Config::default());
        for len in [0, 1, 4096, 65_535, 65_536, 65_537, 70_000, 131_072, 1 << 20, 70_000, 100] {
            for text in [chat(7, len), "x".repeat(len)] {
                for piece_len in [usize::MAX, 1000] {
                    let mut wire = Vec::new();
                    sender.send(Message::Text(&text), &mut wire).unwrap();
                    let mut found = None;
                    for piece in wire.chunks(piece_len) {
                        let mut input = BytesMut::from(piece);
                        let event = receiver.receive_shared(&mut input, &mut Vec::new()).unwrap();
                        found = found.or(event);
                        assert!(input.is_empty());
                    }
                    let Some(SharedEvent::Text(text_found)) = found else { panic!("{found:?}") };
                    assert!(text_found.as_str() == text, "{role:?}, {len} in {piece_len}");
                }
            }
        }
    }
}

#[test]
fn s7_every_window_with_and_without_takeover_in_both_roles() {
    for role in ROLES {
        for window_bits in 8..=15 {
            for context in CONTEXTS {
                exchange(role, with_bits(with_context(full(), context), window_bits), &messages());
            }
        }
    }
}

#[test]
fn c05_no_level_reaches_back_further_than_256_bytes_where_8_bits_are_agreed() {
    for level in 1..=9 {
        let level = DeflateLevel::new(level).unwrap();
        for context in CONTEXTS {
            let deflate = with_bits(with_context(full(), context), 8).with_level(level);
            let period: Vec<u8> = noise(256).repeat(20); // would match at a distance of 256, and at 512
            let far: Vec<u8> = (240..280).flat_map(|len| noise(len).repeat(3)).collect();
            let mut messages = messages();
            messages.extend([period, far]);
            exchange(Role::Client, deflate, &messages);
        }
    }
}

#[test]
fn s7_every_level_round_trips() {
    for level in 1..=9 {
        let level = DeflateLevel::new(level).unwrap();
        exchange(Role::Server, full().with_level(level), &messages());
    }
}

/// The messages that `deflate_support/zlib.txt` was made of.
fn zlib_message(number: u32) -> Vec<u8> {
    const WORDS: [&str; 8] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
    let mut state = u64::from(number) * 7919 + 1;
    let mut text = String::new();
    for i in 0..20 + number * 13 {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        text.push_str(WORDS[(state >> 16) as usize % 8]);
        let comma = || (state % 1000).to_string() + ",";
        text += &if i % 5 == 0 { comma() } else { " ".to_owned() };
    }
    text.into_bytes()
}

#[test]
fn what_zlib_has_compressed_is_understood() {
    let lines = include_str!("../../deflate_support/zlib.txt").lines();
    let mut rows = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let window_bits = fields[0].parse().unwrap();
        for role in ROLES {
            let mut receiver = side(role, with_bits(full(), window_bits), Config::default());
            for (number, message) in fields[3..].iter().enumerate() {
                let wire = frame(role, 0xc2, &crate::support::hex(message));
                assert_eq!(
                    receive_one(&mut receiver, &wire),
                    zlib_message(number as u32),
                    "{line}"
                );
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 18);
}

/// Many connections take turns, so that streams are found, taken away and restored.
#[test]
fn contexts_survive_streams_that_are_shared() {
    let count = 25;
    let mut pairs: Vec<(TestConnection, TestConnection)> = (0..count)
        .map(|i| {
            let deflate = with_bits(full(), 9 + i as u8 % 7);
            (
                side(Role::Client, deflate, Config::default()),
                side(Role::Server, deflate, Config::default()),
            )
        })
        .collect();
    let mut state = 7;
    for round in 0..600 {
        let at = (random(&mut state) % if round % 3 == 0 { count } else { 4 }) as usize;
        let (client, server) = &mut pairs[at];
        let text = chat(round / 5, 100 + round % 900);
        for _ in 0..2 {
            let mut wire = Vec::new();
            client.send(Message::Text(&text), &mut wire).unwrap();
            assert_eq!(receive_one(server, &wire), text.as_bytes(), "{round}");
            std::mem::swap(client, server);
        }
    }
}

#[test]
fn contexts_survive_a_move_to_another_thread() {
    let mut sender = deflating(Role::Client);
    let mut receiver = deflating(Role::Server);
    for round in 0..8 {
        (sender, receiver) = std::thread::spawn(move || {
            for number in 0..3 {
                let mut wire = Vec::new();
                let text = chat(number + round, 400);
                sender.send(Message::Text(&text), &mut wire).unwrap();
                assert_eq!(frames_in(&wire)[0].0, 0xc1);
                assert_eq!(receive_one(&mut receiver, &wire), text.as_bytes());
            }
            (sender, receiver)
        })
        .join()
        .unwrap();
    }
}

#[test]
fn s6_1_a_message_is_the_same_at_every_split_and_under_both_deliveries() {
    for role in ROLES {
        let mut sender = deflating(peer_of(role));
        let mut wire = Vec::new();
        let text = chat(1, 200) + "caf\u{e9} \u{1f600} \u{20ac}";
        sender.send(Message::Text(&text), &mut wire).unwrap();
        sender.send(Message::Ping(b"p"), &mut wire).unwrap();
        let limit = 7.try_into().unwrap();
        sender.send_fragmented(Message::Text(&text), limit, &mut wire).unwrap();
        sender.send(Message::Binary(&[0; 500]), &mut wire).unwrap();
        let expected = feed(&mut deflating(role), &wire);
        assert_eq!(expected.error, None);
        assert_eq!(expected.events.len(), 4);
        for cut in 0..wire.len() {
            let (first, second) = wire.split_at(cut);
            assert_eq!(feed_pieces(&mut deflating(role), &[first, second]), expected, "{cut}");
        }
        assert_eq!(feed_bytewise(&mut deflating(role), &wire), expected);
        for step in 1..wire.len() {
            let config = Config::default().with_delivery(Delivery::Streamed);
            let mut streamed = side(role, full(), config);
            let mut messages = vec![String::new()];
            for piece in wire.clone().chunks_mut(step) {
                let mut input = piece;
                while let Some(event) = streamed.receive(&mut input, &mut Vec::new()).unwrap() {
                    let (piece, fin) = match event {
                        Event::TextPiece(text, fin) => (text.to_owned(), fin),
                        Event::BinaryPiece(bytes, fin) => {
                            (String::from_utf8(bytes.to_vec()).unwrap(), fin)
                        }
                        Event::Ping(_) => continue,
                        other => panic!("{other:?}"),
                    };
                    messages.last_mut().unwrap().push_str(&piece);
                    if fin == Fin::Final {
                        messages.push(String::new());
                    }
                }
            }
            assert_eq!(messages, [&text, &text, &"\0".repeat(500), ""], "{step}");
        }
    }
}

#[test]
fn s7_2_1_fragments_share_one_context_and_may_be_empty() {
    let pieces: [&[&str]; 5] = [
        &["Hello ", "Hello ", "Hello"],
        &["", ""],
        &["", "x", "", "", "x", ""],
        &["only the first", ""],
        &["", "only the last"],
    ];
    for role in ROLES {
        for context in CONTEXTS {
            let deflate = with_context(full(), context);
            let mut sender = side(role, deflate, Config::default());
            let mut receiver = side(peer_of(role), deflate, Config::default());
            for pieces in pieces.iter().chain(&pieces) {
                let mut wire = Vec::new();
                for (at, piece) in pieces.iter().enumerate() {
                    let fin = if at + 1 == pieces.len() { Fin::Final } else { Fin::More };
                    sender.send_fragment(Fragment::Text(piece), fin, &mut wire).unwrap();
                    if fin == Fin::More {
                        sender.send(Message::Ping(b""), &mut wire).unwrap();
                    }
                }
                let frames = frames_in(&wire);
                let data: Vec<u8> =
                    frames.iter().map(|(b0, _)| *b0).filter(|b0| *b0 != 0x89).collect();
                assert_eq!(data[0], 0x41);
                assert_eq!(data[data.len() - 1], 0x80);
                assert!(data[1..data.len() - 1].iter().all(|b0| *b0 == 0x00), "{data:02x?}");
                let outcome = feed(&mut receiver, &wire);
                assert_eq!(outcome.error, None);
                assert_eq!(outcome.events.last(), Some(&crate::support::text(&pieces.concat())));
            }
        }
    }
}

#[test]
fn s7_2_1_a_compressed_message_is_split_into_frames_of_which_the_first_has_rsv1() {
    for role in ROLES {
        let (mut sender, mut receiver) = (deflating(role), deflating(peer_of(role)));
        let text = chat(5, 3_000);
        let mut wire = Vec::new();
        let limit = 100.try_into().unwrap();
        sender.send_fragmented(Message::Text(&text), limit, &mut wire).unwrap();
        let frames = frames_in(&wire);
        let sizes: Vec<usize> = frames.iter().map(|(_, payload)| payload.len()).collect();
        let (last, others) = sizes.split_last().unwrap();
        assert!(others.len() > 1 && others.iter().all(|&size| size == 100), "{sizes:?}");
        assert!((1..=100).contains(last));
        let bytes: Vec<u8> = frames.iter().map(|(b0, _)| *b0).collect();
        assert_eq!((bytes[0], bytes[bytes.len() - 1]), (0x41, 0x80), "{bytes:02x?}");
        assert!(bytes[1..bytes.len() - 1].iter().all(|b0| *b0 == 0x00), "{bytes:02x?}");
        assert!(wire.len() < text.len() / 2);
        assert_eq!(receive_one(&mut receiver, &wire), text.as_bytes());
    }
}

#[test]
fn s6_1_control_frames_are_never_compressed() {
    for role in ROLES {
        let mut wire = Vec::new();
        let mut sender = deflating(role);
        sender.send(Message::Ping(&[b'p'; 125]), &mut wire).unwrap();
        sender.send(Message::Pong(&[b'p'; 125]), &mut wire).unwrap();
        let reason = "r".repeat(123);
        let close = CloseFrame { code: CloseCode::NORMAL, reason: &reason };
        sender.close(Some(close), &mut wire).unwrap();
        let bytes: Vec<u8> = frames_in(&wire).iter().map(|(b0, _)| *b0).collect();
        assert_eq!(bytes, [0x89, 0x8a, 0x88]);
    }
}

#[test]
fn a_fragment_to_be_compressed_asks_for_its_room_before() {
    for role in ROLES {
        let text = chat(5, 300);
        let mut no_room: &mut [u8] = &mut [];
        let fragment = Fragment::Text(&text);
        let refused = deflating(role).send_fragment(fragment, Fin::More, &mut no_room);
        let Err(SendError::BufferFull { needed }) = refused else { panic!("{refused:?}") };
        // A header of 14 bytes, and what bytes that don't shrink may grow to.
        let len = text.len();
        assert_eq!(needed, 14 + len + len / 8 + len / 256 + 64);
        let mut memory = vec![0; needed];
        let mut out = &mut memory[..needed - 1];
        assert_eq!(
            deflating(role).send_fragment(fragment, Fin::More, &mut out),
            Err(SendError::BufferFull { needed })
        );
        deflating(role).send_fragment(fragment, Fin::More, &mut &mut memory[..]).unwrap();
    }
}

#[test]
fn c20_c21_messages_that_are_not_compressed_leave_the_contexts_alone() {
    for role in ROLES {
        let mut sender = deflating(peer_of(role));
        let mut receiver = deflating(role);
        let text = chat(5, 300);
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let mut wire = Vec::new();
            sender.send(Message::Text(&text), &mut wire).unwrap();
            sizes.push(wire.len());
            assert_eq!(receive_one(&mut receiver, &wire), text.as_bytes());
            for plain in [Message::Binary(&noise(500)), Message::Binary(b""), Message::Text("a")] {
                wire.clear();
                sender.send(plain, &mut wire).unwrap();
                assert_eq!(frames_in(&wire)[0].0 & 0x40, 0, "it would not shrink");
                assert_eq!(receive_one(&mut receiver, &wire), plain.payload());
                wire.clear();
                sender.send_uncompressed(Message::Text(&text), &mut wire).unwrap();
                assert_eq!(frames_in(&wire)[0].0, 0x81, "asked for");
                assert_eq!(receive_one(&mut receiver, &wire), text.as_bytes());
            }
        }
        assert!(sizes[0] > 100 && sizes[1] < 40 && sizes[2] < 40, "{sizes:?}");
    }
}

#[test]
fn s7_1_1_without_takeover_the_same_message_costs_the_same_bytes() {
    for role in ROLES {
        let mut sender = side(role, with_context(full(), ContextTakeover::Off), Config::default());
        let sizes: Vec<usize> = (0..3)
            .map(|_| {
                let mut wire = Vec::new();
                sender.send(Message::Text(&chat(5, 300)), &mut wire).unwrap();
                wire.len()
            })
            .collect();
        assert!(sizes.iter().all(|size| *size == sizes[0] && *size > 100), "{sizes:?}");
    }
}

#[test]
fn a_message_below_the_minimum_is_sent_as_it_is() {
    let mut sender = side(Role::Server, full().with_size_min(100), Config::default());
    for (len, b0) in [(99, 0x81), (100, 0xc1)] {
        let mut wire = Vec::new();
        sender.send(Message::Text(&"x".repeat(len)), &mut wire).unwrap();
        assert_eq!(frames_in(&wire)[0].0, b0, "{len}");
    }
}

#[test]
fn a_message_that_found_no_room_leaves_no_trace() {
    let mut sender = deflating(Role::Server);
    let mut receiver = deflating(Role::Client);
    let text = chat(5, 300);
    for _ in 0..4 {
        let mut small = [0; 20];
        let mut full = &mut small[..1];
        assert!(sender.send(Message::Text(&text), &mut full).is_err());
        assert_eq!(full.len(), 1);
        let mut full = &mut small[..];
        assert!(sender.send_fragment(Fragment::Text(&text), Fin::More, &mut full).is_err());
        let limit = 10.try_into().unwrap();
        let mut full = &mut small[..];
        assert!(sender.send_fragmented(Message::Text(&text), limit, &mut full).is_err());
        assert_eq!(full.len(), 20);
        let mut wire = Vec::new();
        sender.send(Message::Text(&text), &mut wire).unwrap();
        assert_eq!(receive_one(&mut receiver, &wire), text.as_bytes());
    }
}

#[test]
fn a_prepared_message_is_compressed_once_and_keeps_every_context_in_step() {
    let prepared: Vec<(PreparedMessage, String)> = (0..6)
        .map(|i| {
            let text = chat(i, [20, 90, 300, 700, 5000, 70_000][i]);
            (PreparedMessage::new(Message::Text(&text)).unwrap(), text)
        })
        .collect();
    let mut receivers = Vec::new();
    for role in ROLES {
        for context in CONTEXTS {
            for window_bits in [15, 15, 12, 9, 8] {
                let deflate = with_bits(with_context(full(), context), window_bits);
                receivers.push((
                    side(peer_of(role), deflate, Config::default()),
                    side(role, deflate, Config::default()),
                    window_bits,
                ));
            }
        }
    }
    for round in 0..3 {
        for (prepared, text) in &prepared {
            let mut forms = Vec::new();
            for (sender, receiver, window_bits) in &mut receivers {
                let mut wire = Vec::new();
                let own = chat(round, 200);
                sender.send(Message::Text(&own), &mut wire).unwrap();
                assert_eq!(receive_one(receiver, &wire), own.as_bytes());
                wire.clear();
                sender.send_prepared(prepared, &mut wire).unwrap();
                if *window_bits == 15 {
                    forms.push(frames_in(&wire));
                }
                assert_eq!(
                    receive_one(receiver, &wire),
                    text.as_bytes(),
                    "{window_bits} {}",
                    text.len()
                );
            }
            assert!(forms.iter().all(|form| *form == forms[0]), "the same bytes for all");
            assert_eq!(forms[0][0].0 == 0xc1, text.len() > 60, "{}", text.len());
        }
    }
    let ping = PreparedMessage::new(Message::Ping(b"p")).unwrap();
    let mut wire = Vec::new();
    receivers[0].0.send_prepared(&ping, &mut wire).unwrap();
    assert_eq!(frames_in(&wire), [(0x89, b"p".to_vec())]);
}

#[test]
fn c27_large_and_awkward_messages_round_trip() {
    let mut big = noise(1 << 20);
    big.extend(chat(1, 1 << 20).into_bytes());
    let mut messages = vec![big, vec![0; 1 << 20]];
    // around where zlib's output ends with its room
    messages.extend((180..340).map(|len| [noise(len), vec![7; len]].concat()));
    for context in CONTEXTS {
        exchange(Role::Client, with_context(full(), context), &messages);
    }
}

#[test]
fn a_prepared_message_below_the_minimum_is_sent_as_it_is() {
    let config = Deflate::client().with_size_min(100);
    let mut sender = side(Role::Server, config, Config::default());
    for (len, b0) in [(0, 0x81), (99, 0x81), (100, 0xc1)] {
        let text = "x".repeat(len);
        let prepared = PreparedMessage::new(Message::Text(&text)).unwrap();
        let mut out = Vec::new();
        sender.send_prepared(&prepared, &mut out).unwrap();
        assert_eq!(out[0], b0, "{len} bytes");
        let mut receiver = side(Role::Client, config, Config::default());
        assert_eq!(receive_one(&mut receiver, &out), text.as_bytes());
    }
}

#[test]
fn levels_and_windows_are_in_their_ranges() {
    for number in 0..=u8::MAX {
        let level = DeflateLevel::new(number).map(DeflateLevel::get);
        assert_eq!(level, (1..=9).contains(&number).then_some(number));
        let bits = WindowBits::new(number).map(WindowBits::get);
        assert_eq!(bits, (8..=15).contains(&number).then_some(number));
    }
    assert_eq!(DeflateLevel::default().get(), 4);
}

#[test]
fn nothing_is_compressed_once_a_close_was_sent() {
    let mut sender = deflating(Role::Server);
    let mut out = Vec::new();
    sender.send_fragment(Fragment::Text("Hello"), Fin::More, &mut out).unwrap();
    sender.close(None, &mut out).unwrap();
    let len = out.len();
    let text = chat(1, 300);
    assert!(sender.send(Message::Text(&text), &mut out).is_err());
    assert!(sender.send_fragment(Fragment::Text("Hello"), Fin::Final, &mut out).is_err());
    assert_eq!(out.len(), len);
    let (client, server) = agree_on(full());
    assert_eq!(client, server);
    assert_eq!(frame(Role::Client, 0x88, b""), out[len - 2..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_is_sent_arrives_whatever_the_reads(
        messages in prop::collection::vec((any::<u8>(), 0..2000_usize, 0..6_usize), 1..12),
        window_bits in 8..=15_u8,
        takeover in any::<bool>(),
        step in 1..4000_usize,
        fragment in 1..3000_usize,
        is_server in any::<bool>(),
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let context = if takeover { ContextTakeover::Allowed } else { ContextTakeover::Off };
        let deflate = with_bits(with_context(full(), context), window_bits);
        let mut sender = side(role, deflate, Config::default());
        let mut receiver = side(peer_of(role), deflate, Config::default());
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (seed, len, kind) in messages {
            let payload = match kind {
                0 | 1 => chat(usize::from(seed), len.max(100)).into_bytes(),
                2 => vec![seed; len],
                _ => noise(len),
            };
            expected.push(crate::support::binary(&payload));
            let message = Message::Binary(&payload);
            match kind {
                1 | 3 => sender.send_fragmented(message, fragment.try_into().unwrap(), &mut wire).unwrap(),
                4 => sender.send_prepared(&PreparedMessage::new(message).unwrap(), &mut wire).unwrap(),
                5 => {
                    let (first, second) = payload.split_at(len / 3);
                    sender.send_fragment(Fragment::Binary(first), Fin::More, &mut wire).unwrap();
                    sender.send_fragment(Fragment::Binary(second), Fin::Final, &mut wire).unwrap();
                }
                _ => sender.send(message, &mut wire).unwrap(),
            }
        }
        let pieces: Vec<&[u8]> = wire.chunks(step).collect();
        let outcome = feed_pieces(&mut receiver, &pieces);
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.events, expected);
    }
}
