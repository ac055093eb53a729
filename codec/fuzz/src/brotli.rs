//! What the fuzz target of permessage-brotli does with its input.

use std::num::NonZeroUsize;

use wscodec::brotli::{Brotli, BrotliAgreed};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::mask::FixedKey;
use wscodec::{Config, Connection, Delivery, Event, Limits, Message, ProtocolError, Role};

use super::{new_builder, see_with};

/// The limit on messages, so that a bomb is one.
const MESSAGE_SIZE_MAX: usize = 40_000;

/// Compressed payloads never hang, never exceed the limit, and mean the same whatever the reads;
/// what is sent arrives.
pub fn brotli(data: &[u8]) {
    let Some(([choice, cut], payload)) = data.split_first_chunk::<2>() else { return };
    let (role, peer) =
        if choice & 1 == 0 { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
    let cut = usize::from(*cut);
    match choice >> 1 & 3 {
        0 => judge(role, payload, cut),
        1 => {
            let mut sender = side(peer, Delivery::Whole);
            let mut wire = Vec::new();
            let repeated = payload.repeat(1 + usize::from(choice >> 3));
            let size = NonZeroUsize::MIN.saturating_add(cut);
            sender.send(Message::Binary(&repeated), &mut wire).unwrap();
            sender.send_fragmented(Message::Binary(payload), size, &mut wire).unwrap();
            let seen = see_with(side(role, Delivery::Whole), &wire, 1 + cut * 7);
            if repeated.len() <= MESSAGE_SIZE_MAX {
                assert_eq!(seen.error, None);
                let expected =
                    [&repeated[..], payload].map(|it| format!("{:?}", Event::Binary(it)));
                assert_eq!(seen.events, expected);
            } else {
                assert_eq!(seen.error.map(|error| error.close_code().as_u16()), Some(1009));
            }
        }
        _ => {
            // One payload in a message of its own, and once more in two frames.
            let (first, second) = payload.split_at(payload.len() * cut / 256);
            let kind = if choice & 8 == 0 { 0x42 } else { 0x41 };
            let mut wire = frame(role, 0x80 | kind, payload);
            wire.extend(frame(role, kind, first));
            wire.extend(frame(role, 0x89, b"ping"));
            wire.extend(frame(role, 0x80, second));
            judge(role, &wire, cut);
        }
    }
}

/// What is wrong with a message: of text that is not UTF-8 in a stream that is corrupt, which of
/// the two is found first depends on the reads, since Brotli's decoder gives nothing out that lies
/// before a fault in the same read. Both are 1007.
fn verdict(error: Option<ProtocolError>) -> Option<u16> {
    error.map(|error| error.close_code().as_u16())
}

/// The same events and the same verdict whatever the reads, and the same under either delivery.
fn judge(role: Role, wire: &[u8], cut: usize) {
    let whole = see_with(side(role, Delivery::Whole), wire, usize::MAX);
    let split = see_with(side(role, Delivery::Whole), wire, 1 + cut);
    assert_eq!(whole.events, split.events);
    assert_eq!(verdict(whole.error), verdict(split.error));
    let pieces = see_with(side(role, Delivery::Streamed), wire, 1 + cut);
    let pieces = verdict(pieces.error);
    assert_eq!(verdict(whole.error), pieces, "delivery does not change the verdict");
}

fn side(role: Role, delivery: Delivery) -> Connection<FixedKey> {
    let limits = Limits::default().with_message_size_max(MESSAGE_SIZE_MAX);
    let config = Config::default().with_limits(limits).with_delivery(delivery);
    new_builder(role).config(config).extension(Some(&agreed())).open()
}

fn agreed() -> BrotliAgreed {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let (key, offers) = (HandshakeKey::from([7; 16]), Brotli::default());
    let mut client =
        ClientHandshake::start_with_extensions(&request, key, offers, &mut to_server).unwrap();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    handshake.receive(&mut &mut to_server[..]).unwrap();
    let mut server = Brotli::default();
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut to_client).unwrap();
    client.receive(&mut &mut to_client[..]).unwrap();
    *client.extensions().agreed().unwrap()
}

/// A frame that the receiver expects, its key zero if it is masked.
fn frame(receiver: Role, b0: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(0xffff)];
    let masked = if receiver == Role::Server { 0x80 } else { 0 };
    let mut bytes = vec![b0];
    match payload.len() {
        len @ 0..=125 => bytes.push(masked | len as u8),
        len => {
            bytes.push(masked | 0x7e);
            bytes.extend((len as u16).to_be_bytes());
        }
    }
    if masked != 0 {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}
