//! What goes out: masking keys (RFC 6455, 5.3 and 10.3; rows A44, R26), and that it comes in again
//! (row A46).

use std::collections::HashSet;
use std::num::NonZeroUsize;

use crate::support::{Owned, binary, connection, feed, feed_pieces, ping, text};
use proptest::prelude::*;
use wscodec::handshake::HandshakeKey;
use wscodec::header::Fin;
use wscodec::mask::{ChaChaKeys, MaskKey, MaskKeySource, ThreadKeys};
use wscodec::{CloseFrame, Config, Connection, Event, Fragment, Message, PreparedMessage, Role};

/// The keys of the frames in `wire`, all masked and of payloads below 126 bytes.
fn keys_in(mut wire: &[u8]) -> Vec<[u8; 4]> {
    let mut keys = Vec::new();
    while let [_, b1, a, b, c, d, rest @ ..] = wire {
        assert!(*b1 >= 0x80, "a client masks every frame");
        keys.push([*a, *b, *c, *d]);
        wire = &rest[usize::from(b1 & 0x7f)..];
    }
    keys
}

/// How far counts are from uniform: 255 on average over 256 bins, with a standard deviation of 23.
fn chi_squared(counts: &[u32; 256]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / 256.0;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// Each byte of the key uniform, no more repeats than chance gives, and none between neighbours.
/// The bounds are six standard deviations and more away: a generator that is right fails once in a
/// hundred million runs.
#[test]
fn a44_r26_s10_3_the_keys_of_a_million_frames_are_as_chance_has_them() {
    const FRAMES: usize = 1_000_000;
    const PAIRS: f64 = 999_999.0;
    let mut client = Connection::new(Role::Client, Config::default());
    let mut wire = Vec::with_capacity(FRAMES * 6);
    for _ in 0..FRAMES {
        client.send(Message::Binary(b""), &mut wire).unwrap();
    }
    let keys = keys_in(&wire);
    assert_eq!(keys.len(), FRAMES);
    let mut counts = [[0_u32; 256]; 4];
    let mut sums = [0_u32; 256]; // of all four bytes, which a key made from fewer bits shows in
    for key in &keys {
        for (counts, byte) in counts.iter_mut().zip(key) {
            counts[usize::from(*byte)] += 1;
        }
        sums[usize::from(key.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)))] += 1;
    }
    for counts in counts.iter().chain([&sums]) {
        let distance = chi_squared(counts);
        assert!((120.0..420.0).contains(&distance), "{distance}");
    }
    // Pairs of equal keys by chance: n^2 / 2 / 2^32 = 116, with a standard deviation of 11.
    let distinct = keys.iter().collect::<HashSet<_>>().len();
    assert!((40..220).contains(&(FRAMES - distinct)), "{} repeats", FRAMES - distinct);
    let neighbours = keys.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(neighbours <= 3, "{neighbours} neighbours alike");
    let flips: u32 = keys
        .windows(2)
        .map(|pair| (u32::from_ne_bytes(pair[0]) ^ u32::from_ne_bytes(pair[1])).count_ones())
        .sum();
    let flips = f64::from(flips) / PAIRS;
    assert!((15.9..16.1).contains(&flips), "{flips} of 32 bits change from key to key");
}

#[test]
fn a44_every_kind_of_frame_has_a_key_of_its_own() {
    let mut client = Connection::new(Role::Client, Config::default());
    let mut wire = Vec::new();
    let prepared = PreparedMessage::new(Message::Text("prepared")).unwrap();
    let one = NonZeroUsize::MIN;
    for _ in 0..10 {
        client.send(Message::Text("text"), &mut wire).unwrap();
        client.send(Message::Ping(b"ping"), &mut wire).unwrap();
        client.send(Message::Pong(b"pong"), &mut wire).unwrap();
        client.send_prepared(&prepared, &mut wire).unwrap();
        client.send_fragment(Fragment::Binary(b"a"), Fin::More, &mut wire).unwrap();
        client.send_fragment(Fragment::Binary(b"b"), Fin::Final, &mut wire).unwrap();
        client.send_fragmented(Message::Binary(b"cdefg"), one, &mut wire).unwrap();
        let mut ping = *b"\x89\x00";
        let mut input = &mut ping[..];
        while client.receive(&mut input, &mut wire).unwrap().is_some() {}
    }
    client.close(None, &mut wire).unwrap();
    let keys = keys_in(&wire);
    assert_eq!(keys.len(), 10 * 12 + 1);
    let distinct = keys.iter().collect::<HashSet<_>>().len();
    assert!(distinct >= keys.len() - 1, "{distinct} of {}", keys.len());
}

#[test]
fn a44_threads_and_seeds_have_keys_of_their_own() {
    let take = |mut keys: Box<dyn MaskKeySource>| -> Vec<MaskKey> {
        (0..100).map(|_| keys.next_key()).collect()
    };
    let here = take(Box::new(ThreadKeys));
    let there =
        std::thread::spawn(move || (0..100).map(|_| ThreadKeys.next_key()).collect::<Vec<_>>());
    assert_ne!(here, there.join().unwrap());
    assert_ne!(take(Box::new(ThreadKeys)), here);
    let seeded = || take(Box::new(ChaChaKeys::from_seed([1; 32])));
    assert_eq!(seeded(), seeded(), "the same seed, the same keys");
    assert_ne!(take(Box::new(ChaChaKeys::from_seed([2; 32]))), seeded());
    assert_ne!(take(Box::new(ChaChaKeys::from_os().unwrap())), seeded());
    assert_eq!(
        format!("{:?}", ChaChaKeys::from_seed([1; 32])),
        "ChaChaKeys",
        "the seed stays secret"
    );
}

/// A key for the opening handshake that is made of masking keys has all of their bits.
#[test]
fn b35_handshake_keys_from_a_source_are_whole() {
    let mut source = ChaChaKeys::from_seed([3; 32]);
    let expected: Vec<u8> = (0..4).flat_map(|_| source.next_key().to_bytes()).collect();
    let key = HandshakeKey::from_source(&mut ChaChaKeys::from_seed([3; 32]));
    assert!(key == HandshakeKey::new(expected.try_into().unwrap()));
}

/// A message to send, and the pieces it goes out in.
#[derive(Clone, Debug)]
enum Sent {
    Text(String, usize),
    Binary(Vec<u8>, usize),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn any_message() -> impl Strategy<Value = Sent> {
    let lengths = || prop_oneof![6 => 0..130_usize, 1 => 124..128_usize, 1 => 65_530..65_540_usize];
    let pieces = || prop_oneof![Just(usize::MAX), 1..200_usize];
    let bytes = |len| prop::collection::vec(any::<u8>(), len);
    prop_oneof![
        3 => ("\\PC{0,80}", pieces()).prop_map(|(text, size)| Sent::Text(text, size)),
        3 => (lengths(), any::<u8>(), pieces())
            .prop_map(|(len, byte, size)| Sent::Binary(vec![byte; len], size.max(len / 50 + 1))),
        1 => bytes(0..126).prop_map(Sent::Ping),
        1 => bytes(0..126).prop_map(Sent::Pong),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a46_any_messages_in_any_fragments_and_reads_arrive_as_they_were(
        is_client in any::<bool>(),
        messages in prop::collection::vec(any_message(), 0..12),
        read_len in prop_oneof![Just(usize::MAX), 1..300_usize],
    ) {
        let (sender, receiver) =
            if is_client { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
        let mut sender = Connection::new(sender, Config::default());
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for message in &messages {
            let (message, size, owned) = match message {
                Sent::Text(payload, size) => (Message::Text(payload), *size, text(payload)),
                Sent::Binary(payload, size) => (Message::Binary(payload), *size, binary(payload)),
                Sent::Ping(payload) => (Message::Ping(payload), usize::MAX, ping(payload)),
                Sent::Pong(payload) => {
                    (Message::Pong(payload), usize::MAX, Owned::Pong(payload.clone()))
                }
            };
            sender.send_fragmented(message, NonZeroUsize::new(size).unwrap(), &mut wire).unwrap();
            expected.push(owned);
        }
        let close = CloseFrame { code: crate::support::close_code(1000), reason: "done" };
        sender.close(Some(close), &mut wire).unwrap();
        expected.push(crate::support::close(1000, "done"));
        let pieces: Vec<&[u8]> = wire.chunks(read_len).collect();
        let outcome = feed_pieces(&mut connection(receiver), &pieces);
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.events, expected);
    }
}

#[test]
fn a_message_can_be_answered_while_it_is_borrowed() {
    let mut client = Connection::new(Role::Client, Config::default());
    let mut server = Connection::server(Config::default());
    assert_eq!((client.role(), server.role()), (Role::Client, Role::Server));
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    client.sender().send(Message::Text("Hello"), &mut to_server).unwrap();
    client.close(None, &mut to_server).unwrap();
    let mut input = &mut to_server[..];
    while let Some((event, sender)) =
        server.receive_with_sender(&mut input, &mut to_client).unwrap()
    {
        if let Event::Text(text) = event {
            sender.send(Message::Text(text), &mut to_client).unwrap();
        }
    }
    assert_eq!(to_client, b"\x81\x05Hello\x88\x00");
    let mut bad = [0x83];
    let mut server = Connection::server(Config::default());
    let error = server.receive_with_sender(&mut &mut bad[..], &mut to_client).map(|_| ());
    assert_eq!(error, feed(&mut connection(Role::Server), &bad).error.map_or(Ok(()), Err));
}
