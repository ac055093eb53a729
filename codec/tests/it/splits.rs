//! Whatever the reads, the events are the same: row A29, and every input without a panic.

use crate::support::{ROLES, connection, feed, feed_bytewise, feed_pieces, frame, with_limits};
use proptest::prelude::*;
use wscodec::{Limits, Role};

/// Sequences of frames that cover every state of a connection, good and bad.
pub(crate) fn corpus(role: Role) -> Vec<(&'static str, Vec<u8>)> {
    let f = |b0, payload: &[u8]| frame(role, b0, payload);
    let medium: Vec<u8> = (0..130).map(|at| b'a' + at % 26).collect();
    let wrong_role = if role == Role::Server { Role::Client } else { Role::Server };
    vec![
        ("text", f(0x81, "grüße 世界 🎉".as_bytes())),
        ("binary of 126", f(0x82, &medium[..126])),
        ("two messages", [f(0x81, b"one"), f(0x82, b"two")].concat()),
        ("fragments", [f(0x01, "a\u{e9}".as_bytes()), f(0x00, b""), f(0x80, b"z")].concat()),
        ("split character", [f(0x01, b"\xf0\x9f"), f(0x00, b"\x8e"), f(0x80, b"\x89")].concat()),
        (
            "control between",
            [f(0x02, b"a"), f(0x89, b"ping"), f(0x8a, b""), f(0x80, b"b")].concat(),
        ),
        ("ping of 125", f(0x89, &medium[..125])),
        ("close", [f(0x81, b"last"), f(0x88, b"\x03\xe8bye"), f(0x81, b"ignored")].concat()),
        ("close inside a message", [f(0x01, b"part"), f(0x88, b"")].concat()),
        ("invalid text", [f(0x81, b"ok"), f(0x81, b"no\xff"), f(0x81, b"never")].concat()),
        ("text cut in a character", [f(0x81, b"ok"), f(0x81, b"no\xe4\xb8")].concat()),
        ("reserved opcode", [f(0x81, b"ok"), f(0x83, b"no")].concat()),
        ("wrong mask", [f(0x81, b"ok"), frame(wrong_role, 0x81, b"no")].concat()),
        ("interleaved", [f(0x01, b"one"), f(0x81, b"two")].concat()),
        ("bad close code", [f(0x82, b"ok"), f(0x88, b"\x03\xed")].concat()),
        ("bad close reason", f(0x88, b"\x03\xe8\xff")),
        ("nothing open", f(0x80, b"")),
        ("longer than the limit", [f(0x82, b"ok"), f(0x82, &[0; 130])].concat()),
    ]
}

pub(crate) const LIMITS: Limits =
    Limits::new().with_frame_size_max(128).with_message_size_max(200).with_fragments_max(5);

#[test]
fn a29_every_single_and_double_split_gives_the_same_events() {
    for role in ROLES {
        for (name, wire) in corpus(role) {
            let whole = feed(&mut with_limits(role, LIMITS), &wire);
            let same = |pieces: &[&[u8]]| {
                let split = feed_pieces(&mut with_limits(role, LIMITS), pieces);
                assert_eq!(split.events, whole.events, "{role:?}, {name}");
                assert_eq!(split.error, whole.error, "{role:?}, {name}");
                assert_eq!(split.replies, whole.replies, "{role:?}, {name}");
            };
            for first in 0..=wire.len() {
                for second in first..=wire.len() {
                    same(&[&wire[..first], &wire[first..second], &wire[second..]]);
                }
            }
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            same(&bytes);
        }
    }
}

#[test]
fn the_corpus_reaches_what_it_is_for() {
    for role in ROLES {
        let failing = corpus(role)
            .iter()
            .filter(|(_, wire)| feed(&mut with_limits(role, LIMITS), wire).error.is_some())
            .count();
        assert_eq!(failing, 9, "{role:?}");
    }
}

fn pieces_of<'w>(wire: &'w [u8], cuts: &[usize]) -> Vec<&'w [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    ends.push(wire.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.iter().map(|&end| &wire[std::mem::replace(&mut start, end)..end]).collect()
}

/// A frame that may be wrong in any one way, for `role` to receive.
fn any_frame(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let opcodes = prop_oneof![
        6 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80]),
        2 => prop::sample::select(vec![0x88_u8, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => ".{0,40}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    (opcodes, payload).prop_map(move |(b0, payload)| frame(role, b0, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_frames_in_any_pieces_give_the_same_events(
        is_server in any::<bool>(),
        seed in prop::collection::vec(any_frame(Role::Server), 0..8),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        // The frames are masked; a client fails on the first, which is a case too.
        let role = if is_server { Role::Server } else { Role::Client };
        let wire = seed.concat();
        let whole = feed(&mut connection(role), &wire);
        let split = feed_pieces(&mut connection(role), &pieces_of(&wire, &cuts));
        prop_assert_eq!(&split.events, &whole.events);
        prop_assert_eq!(split.error, whole.error);
        prop_assert_eq!(&split.replies, &whole.replies);
    }

    #[test]
    fn a_client_too(
        seed in prop::collection::vec(any_frame(Role::Client), 0..8),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let wire = seed.concat();
        let whole = feed(&mut connection(Role::Client), &wire);
        let split = feed_pieces(&mut connection(Role::Client), &pieces_of(&wire, &cuts));
        prop_assert_eq!(split, whole);
    }

    #[test]
    fn no_bytes_make_it_panic(
        is_server in any::<bool>(),
        wire in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let whole = feed(&mut connection(role), &wire);
        let bytewise = feed_bytewise(&mut connection(role), &wire);
        prop_assert_eq!(whole.events, bytewise.events);
        prop_assert_eq!(whole.error, bytewise.error);
    }
}
