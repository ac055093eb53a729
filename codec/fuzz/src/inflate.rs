//! What the fuzz target of permessage-deflate does with its input.

use std::num::NonZeroUsize;

use wscodec::deflate::{
    ContextTakeover, Deflate, DeflateAgreed, DeflateClient, DeflateServer, WindowBits,
};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::mask::FixedKey;
use wscodec::{Config, Connection, Delivery, Event, Limits, Message, PreparedMessage, Role};

use super::{new_builder, see_with};

#[allow(unreachable_pub, dead_code, reason = "the tests use more of it")]
#[allow(clippy::duplicate_mod, reason = "the tests of deflate have it as well")]
#[path = "../../tests/deflate_support/puff.rs"]
mod puff;

/// The limit on messages, so that a bomb is one.
const MESSAGE_SIZE_MAX: usize = 40_000;

/// Compressed payloads never hang, never exceed the limit, and mean the same whatever the reads;
/// what is sent arrives; and where an inflater that shares no line with the library's finds a
/// message, it is the same one.
pub fn inflate(data: &[u8]) {
    let Some(([choice, cut], payload)) = data.split_first_chunk::<2>() else { return };
    let choice = Choice { bits: *choice, cut: usize::from(*cut) };
    match choice.bits >> 4 & 3 {
        0 => judge(&choice, payload),
        1 => round_trip(&choice, payload),
        _ => {
            // One payload in a message of its own, and once more in two frames, so that context
            // takeover matters.
            let half = payload.len() * choice.cut / 256;
            let (first, second) = payload.split_at(half);
            let kind = if choice.bits & 8 == 0 { 0x42 } else { 0x41 };
            let mut wire = choice.frame(0x80 | kind, payload);
            wire.extend(choice.frame(kind, first));
            wire.extend(choice.frame(0x89, b"ping"));
            wire.extend(choice.frame(0x80, second));
            judge(&choice, &wire);
            compare(&choice, payload);
        }
    }
}

/// What the first two bytes of the input say.
struct Choice {
    bits: u8,
    cut: usize,
}

impl Choice {
    fn role(&self) -> Role {
        if self.bits & 1 == 0 { Role::Server } else { Role::Client }
    }

    fn deflate(&self) -> Deflate {
        let context =
            if self.bits & 2 == 0 { ContextTakeover::Allowed } else { ContextTakeover::Off };
        let bits = if self.bits & 4 == 0 { WindowBits::MAX } else { WindowBits::MIN };
        Deflate::client()
            .with_size_min(0)
            .with_client_context(context)
            .with_server_context(context)
            .with_server_max_window_bits(bits)
            .with_client_max_window_bits(Some(bits))
    }

    fn side(&self, role: Role, delivery: Delivery) -> Connection<FixedKey> {
        let limits = Limits::default().with_message_size_max(MESSAGE_SIZE_MAX);
        let config = Config::default().with_limits(limits).with_delivery(delivery);
        let (client, server) = agree(self.deflate());
        let agreed = if role == Role::Client { &client } else { &server };
        new_builder(role).config(config).extension(Some(agreed)).open()
    }

    /// A frame that the receiver expects, its key zero if it is masked.
    fn frame(&self, b0: u8, payload: &[u8]) -> Vec<u8> {
        let masked = if self.role() == Role::Server { 0x80 } else { 0 };
        let mut bytes = vec![b0];
        match payload.len() {
            len @ 0..=125 => bytes.push(masked | len as u8),
            len => {
                bytes.push(masked | 0x7e);
                bytes.extend((len.min(0xffff) as u16).to_be_bytes());
            }
        }
        if masked != 0 {
            bytes.extend([0; 4]);
        }
        bytes.extend(payload.iter().take(0xffff));
        bytes
    }
}

/// Both sides, wanting the same.
fn agree(deflate: Deflate) -> (DeflateAgreed, DeflateAgreed) {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let (key, offers) = (HandshakeKey::from([7; 16]), DeflateClient::new(deflate));
    let mut client =
        ClientHandshake::start_with_extensions(&request, key, offers, &mut to_server).unwrap();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    handshake.receive(&mut &mut to_server[..]).unwrap();
    let mut server = DeflateServer::new(deflate);
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut to_client).unwrap();
    client.receive(&mut &mut to_client[..]).unwrap();
    (*client.extensions().agreed().unwrap(), *server.agreed().unwrap())
}

/// The same events and the same error whatever the reads, and the same error under either delivery.
fn judge(choice: &Choice, wire: &[u8]) {
    let role = choice.role();
    let step = 1 + choice.cut;
    let whole = see_with(choice.side(role, Delivery::Whole), wire, usize::MAX);
    let split = see_with(choice.side(role, Delivery::Whole), wire, step);
    assert_eq!(whole.events, split.events);
    assert_eq!(whole.error, split.error);
    let pieces = see_with(choice.side(role, Delivery::Streamed), wire, step);
    assert_eq!(whole.error, pieces.error, "delivery does not change the verdict");
}

/// Where both find a message, it is the same.
fn compare(choice: &Choice, payload: &[u8]) {
    let mut wire = choice.frame(0xc2, payload);
    let mut side = choice.side(choice.role(), Delivery::Whole);
    let Ok(Some(Event::Binary(message))) = side.receive(&mut &mut wire[..], &mut Vec::new()) else {
        return;
    };
    assert!(message.len() <= MESSAGE_SIZE_MAX);
    let payload = &payload[..payload.len().min(0xffff)];
    if let Some(expected) = puff::inflate(payload, &[], 1 << 15) {
        assert_eq!(message, expected.bytes);
    }
}

/// What one side sends, the other receives, by every way of sending.
fn round_trip(choice: &Choice, mut rest: &[u8]) {
    let role = choice.role();
    let peer = if role == Role::Client { Role::Server } else { Role::Client };
    let mut sender = choice.side(peer, Delivery::Whole);
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    while let [way, len, tail @ ..] = rest {
        let (part, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        let payload = part.repeat(1 + usize::from(way >> 3));
        let message = Message::Binary(&payload);
        match way & 3 {
            0 => sender.send(message, &mut wire),
            1 => sender.send_uncompressed(message, &mut wire),
            2 => sender.send_prepared(&PreparedMessage::new(message).unwrap(), &mut wire),
            _ => sender.send_fragmented(
                message,
                NonZeroUsize::MIN.saturating_add(choice.cut),
                &mut wire,
            ),
        }
        .unwrap();
        expected.push(format!("{:?}", Event::Binary(&payload)));
    }
    let seen = see_with(choice.side(role, Delivery::Whole), &wire, 1 + choice.cut * 7);
    assert_eq!(seen.error, None);
    assert_eq!(seen.events, expected);
}
