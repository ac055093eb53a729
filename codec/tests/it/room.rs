//! Calls that find no room, and whatever else is asked of a connection in between: row A45. What is
//! refused leaves no trace, neither on the wire nor in a window, so that all else arrives as it was.

use std::num::NonZeroUsize;

use crate::support::{Owned, ROLES, TestConnection, connection, feed, feed_pieces, frame, ping};
use proptest::prelude::*;
use wscodec::header::Fin;
use wscodec::{Fragment, Message, PreparedMessage, Role, SendError};

/// One call, with room for so many bytes; `usize::MAX` is a buffer that grows.
#[derive(Clone, Debug)]
struct Call {
    what: What,
    payload: String,
    room: usize,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Send,
    SendBinary,
    Uncompressed,
    Prepared,
    Fragmented(usize),
    FirstFragment,
    Fragment,
    LastFragment,
    Ping,
    /// The peer sends a Ping, and there is so much room for its Pong.
    Pinged,
    /// The peer has sent nothing: what is due is written.
    Drained,
}

fn any_call() -> impl Strategy<Value = Call> {
    let what = prop_oneof![
        Just(What::Send),
        Just(What::SendBinary),
        Just(What::Uncompressed),
        Just(What::Prepared),
        (1..60_usize).prop_map(What::Fragmented),
        Just(What::FirstFragment),
        Just(What::Fragment),
        Just(What::LastFragment),
        Just(What::Ping),
        Just(What::Pinged),
        Just(What::Drained),
    ];
    let payload = prop_oneof![
        2 => "[ab]{0,30}",
        2 => "(a word and |one more ){0,12}",
        1 => "\\PC{0,40}",
        1 => "x{120,130}",
    ];
    let room = prop_oneof![3 => Just(usize::MAX), 2 => 0..40_usize, 2 => 0..400_usize];
    (what, payload, room).prop_map(|(what, payload, room)| Call { what, payload, room })
}

fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Calls one after the other, and what the peer is to receive of them.
struct Caller {
    role: Role,
    side: TestConnection,
    wire: Vec<u8>,
    expected: Vec<Owned>,
    /// The message that is being sent in fragments.
    open: Option<String>,
    pongs: usize,
}

impl Caller {
    fn call(&mut self, call: &Call) {
        let Call { what, payload, room } = call;
        let mut memory = vec![0xaa; (*room).min(4096)];
        let mut out = &mut memory[..];
        let (side, text) = (&mut self.side, Message::Text(payload));
        let sent = match what {
            What::Send => side.send(text, &mut out),
            What::SendBinary => side.send(Message::Binary(payload.as_bytes()), &mut out),
            What::Uncompressed => side.send_uncompressed(text, &mut out),
            What::Prepared => side.send_prepared(&PreparedMessage::new(text).unwrap(), &mut out),
            What::Fragmented(size_max) => {
                side.send_fragmented(text, NonZeroUsize::new(*size_max).unwrap(), &mut out)
            }
            What::FirstFragment | What::Fragment => {
                side.send_fragment(Fragment::Text(payload), Fin::More, &mut out)
            }
            What::LastFragment => side.send_fragment(Fragment::Text(payload), Fin::Final, &mut out),
            What::Ping => {
                side.send(Message::Ping(&payload.as_bytes()[..payload.len().min(9)]), &mut out)
            }
            What::Pinged | What::Drained => {
                let mut input = match what {
                    What::Pinged => frame(self.role, 0x89, b"due"),
                    _ => Vec::new(),
                };
                let mut input = &mut input[..];
                while side.receive(&mut input, &mut out).unwrap().is_some() {}
                Ok(())
            }
        };
        let left = out.len();
        let written = &memory[..memory.len() - left];
        self.judge(what, payload, sent, written);
        self.wire.extend_from_slice(written);
    }

    fn judge(&mut self, what: &What, payload: &str, sent: Result<(), SendError>, written: &[u8]) {
        let is_fragment = matches!(what, What::FirstFragment | What::Fragment | What::LastFragment);
        match sent {
            Ok(()) if is_fragment => {
                self.open.get_or_insert_default().push_str(payload);
                if matches!(what, What::LastFragment) {
                    self.expected.extend(self.open.take().map(Owned::Text));
                }
            }
            Ok(()) => self.expected.extend(match what {
                What::Pinged | What::Drained => None,
                What::SendBinary => Some(Owned::Binary(payload.as_bytes().to_vec())),
                What::Ping => Some(ping(&payload.as_bytes()[..payload.len().min(9)])),
                _ => Some(Owned::Text(payload.to_owned())),
            }),
            Err(SendError::BufferFull { .. }) => {
                // What was due before may have been written; of what was refused nothing.
                let pong = frame(peer_of(self.role), 0x8a, b"due");
                assert!(written.is_empty() || *written == pong, "{what:?}: {written:02x?}");
            }
            Err(SendError::MessageOpen) => {
                assert!(self.open.is_some() && !is_fragment, "{what:?}");
                assert!(written.is_empty());
            }
            Err(error) => panic!("{what:?}: {error}"),
        }
        self.pongs += usize::from(matches!(what, What::Pinged));
    }
}

/// Makes the calls on `side`, and gives all that was written to `peer`.
fn play(role: Role, side: TestConnection, peer: &mut TestConnection, calls: &[Call]) {
    let wire = Vec::new();
    let mut caller = Caller { role, side, wire, expected: Vec::new(), open: None, pongs: 0 };
    for call in calls {
        caller.call(call);
    }
    let last = Call { what: What::Drained, payload: String::new(), room: usize::MAX };
    caller.call(&last);
    if caller.open.is_some() {
        caller.call(&Call { what: What::LastFragment, ..last });
    }
    let outcome = feed_pieces(peer, &[&caller.wire]);
    assert_eq!(outcome.error, None);
    let is_pong = |event: &Owned| matches!(event, Owned::Pong(payload) if payload == b"due");
    let (pongs, events): (Vec<_>, Vec<_>) = outcome.events.into_iter().partition(is_pong);
    assert_eq!(events, caller.expected);
    assert!(pongs.len() <= caller.pongs);
    assert_eq!(pongs.is_empty(), caller.pongs == 0, "the newest Ping is answered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a45_what_finds_no_room_leaves_no_trace(
        is_client in any::<bool>(),
        calls in prop::collection::vec(any_call(), 0..40),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        play(role, connection(role), &mut connection(peer_of(role)), &calls);
    }
}

#[cfg(feature = "deflate")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a45_what_finds_no_room_leaves_the_window_as_it_was(
        is_client in any::<bool>(),
        has_takeover in any::<bool>(),
        window_bits in 8..=15_u8,
        calls in prop::collection::vec(any_call(), 0..40),
    ) {
        use crate::deflate_support::{bits, full, side};
        use wscodec::Config;
        use wscodec::deflate::ContextTakeover::{Allowed, Off};

        let role = if is_client { Role::Client } else { Role::Server };
        let context = if has_takeover { Allowed } else { Off };
        let deflate = full()
            .with_server_context(context)
            .with_client_context(context)
            .with_server_max_window_bits(bits(window_bits))
            .with_client_max_window_bits(Some(bits(window_bits)));
        let sides = [role, peer_of(role)].map(|role| side(role, deflate, Config::default()));
        let [sender, mut peer] = sides;
        play(role, sender, &mut peer, &calls);
    }
}

/// A fragment that finds no room is not part of the message: with more room it can be sent again.
#[test]
fn a45_a_fragment_without_room_can_be_sent_again() {
    for role in ROLES {
        let sides = || {
            vec![
                [connection(role), connection(peer_of(role))],
                #[cfg(feature = "deflate")]
                [
                    crate::deflate_support::deflating(role),
                    crate::deflate_support::deflating(peer_of(role)),
                ],
            ]
        };
        for [mut side, mut peer] in sides() {
            let mut wire = Vec::new();
            for (word, fin) in [("one ", Fin::More), ("two ", Fin::More), ("three", Fin::Final)] {
                for room in 0..3 {
                    let mut memory = [0xaa; 3];
                    let refused =
                        side.send_fragment(Fragment::Text(word), fin, &mut &mut memory[..room]);
                    assert!(matches!(refused, Err(SendError::BufferFull { .. })), "{refused:?}");
                    assert_eq!(memory, [0xaa; 3]);
                }
                side.send_fragment(Fragment::Text(word), fin, &mut wire).unwrap();
            }
            feed(&mut peer, &wire).assert_ok(&[crate::support::text("one two three")]);
        }
    }
}
