//! What the tests of permessage-deflate share: agreed parameters, compressed frames, and an
//! inflater of their own.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

pub mod puff;

use wscodec::deflate::{Deflate, DeflateAgreed, DeflateClient, DeflateServer, WindowBits};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::{Config, Event, Limits, Role};

use crate::support::{TestConnection, builder, frame};

/// What is agreed when these two meet, on both sides.
pub fn agree(client: Deflate, server: Deflate) -> (DeflateAgreed, DeflateAgreed) {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let key = HandshakeKey::from([7; 16]);
    let offers = DeflateClient::new(client);
    let mut client =
        ClientHandshake::start_with_extensions(&request, key, offers, &mut to_server).unwrap();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    assert!(handshake.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut server = DeflateServer::new(server);
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut to_client).unwrap();
    assert!(client.receive(&mut &mut to_client[..]).unwrap().is_some());
    let agreed = *client.into_extensions().agreed().unwrap();
    (agreed, *server.agreed().unwrap())
}

/// Both sides with these parameters, each wanting the same.
pub fn agree_on(deflate: Deflate) -> (DeflateAgreed, DeflateAgreed) {
    agree(deflate, deflate)
}

/// Context takeover both ways, windows of 32 KiB, everything compressed.
pub fn full() -> Deflate {
    Deflate::client().with_size_min(0)
}

pub fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// A side that has agreed on `deflate`.
pub fn side(role: Role, deflate: Deflate, config: Config) -> TestConnection {
    let (client, server) = agree_on(deflate);
    let agreed = if role == Role::Client { client } else { server };
    builder(role).config(config).extension(Some(&agreed)).open()
}

/// A side with the default limits.
pub fn deflating(role: Role) -> TestConnection {
    side(role, full(), Config::default())
}

pub fn limited(role: Role, message_size_max: usize) -> TestConnection {
    let limits = Limits::default().with_message_size_max(message_size_max);
    side(role, full(), Config::default().with_limits(limits))
}

pub fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// A whole compressed binary message as `receiver` expects it.
pub fn compressed(receiver: Role, payload: &[u8]) -> Vec<u8> {
    frame(receiver, 0xc2, payload)
}

/// `payload` as stored blocks, which every inflater takes, without the tail: the header of the last
/// is the flush.
pub fn stored(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in payload.chunks(0xffff) {
        let len = block.len() as u16;
        out.push(0);
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
    out.push(0);
    out
}

/// The payload and the first byte of each frame in `wire`, unmasked.
pub fn frames_in(wire: &[u8]) -> Vec<(u8, Vec<u8>)> {
    use wscodec::decoder::{Decoded, FrameDecoder};
    use wscodec::header::{HeaderRules, Masking, Rsv};
    let mut decoder =
        FrameDecoder::new(HeaderRules::new(Masking::Either, u64::MAX).with_rsv_allowed(Rsv::RSV1));
    let mut wire = wire.to_vec();
    let mut input = &mut wire[..];
    let mut frames: Vec<(u8, Vec<u8>)> = Vec::new();
    loop {
        match decoder.decode(&mut input).unwrap() {
            Decoded::NeedMore => return frames,
            Decoded::Header(header) => frames.push((header.encode().as_bytes()[0], Vec::new())),
            Decoded::Payload(payload) => frames.last_mut().unwrap().1.extend_from_slice(payload),
        }
    }
}

/// The only event that `wire` holds, as bytes.
pub fn receive_one(connection: &mut TestConnection, wire: &[u8]) -> Vec<u8> {
    let mut memory = wire.to_vec();
    let mut input = &mut memory[..];
    let payload = match connection.receive(&mut input, &mut Vec::new()).unwrap() {
        Some(Event::Text(text)) => text.as_bytes().to_vec(),
        Some(Event::Binary(bytes)) => bytes.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(connection.receive(&mut input, &mut Vec::new()), Ok(None));
    payload
}

/// Text as a chat sends it: different each time, and much the same.
pub fn chat(number: usize, len: usize) -> String {
    let words = ["hello", "there", "how", "are", "you", "today", "meeting", "noon", "thanks"];
    let mut text = format!(
        "{{\"type\":\"message\",\"room\":\"general\",\"id\":{},\"user\":\"user{}\",\"text\":\"",
        1_000_000 + number * 7919,
        number % 97
    );
    let mut state = number as u64 * 2_654_435_761 + 1;
    while text.len() < len {
        text.push_str(words[(random(&mut state) % words.len() as u64) as usize]);
        text.push(' ');
    }
    text.truncate(len);
    text
}

/// xorshift: the next of a sequence that does not compress.
pub fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

/// Bytes that do not compress.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    (0..len).map(|_| random(&mut state) as u8).collect()
}
