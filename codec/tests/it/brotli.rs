//! permessage-brotli on the seam of extensions: negotiated, from one side to the other, and against
//! hostile peers.

use crate::support::{
    Owned, ROLES, TestConnection, binary, builder, feed, feed_bytewise, feed_pieces, frame, text,
};
use wscodec::brotli::{Brotli, BrotliAgreed};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::header::Fin;
use wscodec::{
    Config, Delivery, Fragment, InflateError, Limits, Message, PreparedMessage, ProtocolError, Role,
};

fn agreed() -> BrotliAgreed {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let key = HandshakeKey::from([7; 16]);
    let mut client =
        ClientHandshake::start_with_extensions(&request, key, Brotli::default(), &mut to_server)
            .unwrap();
    let mut server = ServerHandshake::new(HandshakeLimits::default());
    assert!(server.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut brotli = Brotli::default();
    server.accept_with_extensions(&Acceptance::new(), &mut brotli, &mut to_client).unwrap();
    assert!(client.receive(&mut &mut to_client[..]).unwrap().is_some());
    assert_eq!(client.extensions().agreed(), brotli.agreed());
    *brotli.agreed().unwrap()
}

fn side(role: Role, config: Config) -> TestConnection {
    builder(role).config(config).extension(Some(&agreed())).open()
}

fn peer_of(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

fn long() -> String {
    "A rose is a rose is a rose, caf\u{e9}. ".repeat(40)
}

#[test]
fn messages_round_trip_whatever_the_reads() {
    for role in ROLES {
        let mut sender = side(peer_of(role), Config::default());
        let mut wire = Vec::new();
        let text_long = long();
        sender.send(Message::Text(&text_long), &mut wire).unwrap();
        assert_eq!(wire[0], 0xc1);
        assert!(wire.len() < text_long.len() / 4);
        sender.send(Message::Text("short"), &mut wire).unwrap();
        let limit = 11.try_into().unwrap();
        sender.send_fragmented(Message::Text(&text_long), limit, &mut wire).unwrap();
        for (piece, fin) in [("", Fin::More), (&text_long[..], Fin::More), ("", Fin::Final)] {
            sender.send_fragment(Fragment::Text(piece), fin, &mut wire).unwrap();
        }
        let prepared = PreparedMessage::new(Message::Binary(text_long.as_bytes())).unwrap();
        sender.send_prepared(&prepared, &mut wire).unwrap();
        sender.send_prepared(&prepared, &mut wire).unwrap();
        let bytes = binary(text_long.as_bytes());
        let message = text(&text_long);
        let expected =
            [message.clone(), text("short"), message.clone(), message, bytes.clone(), bytes];
        feed(&mut side(role, Config::default()), &wire).assert_ok(&expected);
        feed_bytewise(&mut side(role, Config::default()), &wire).assert_ok(&expected);
        for cut in 0..wire.len() {
            let (first, second) = wire.split_at(cut);
            let mut receiver = side(role, Config::default());
            feed_pieces(&mut receiver, &[first, second]).assert_ok(&expected);
        }
        let config = Config::default().with_delivery(Delivery::Streamed);
        let outcome = feed_bytewise(&mut side(role, config), &wire);
        assert_eq!(outcome.error, None);
        let pieces = outcome.events.iter().map(|event| match event {
            Owned::TextPiece(piece, _) => piece.len(),
            Owned::BinaryPiece(piece, _) => piece.len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(pieces.sum::<usize>(), 5 * text_long.len() + 5);
    }
}

#[test]
fn hostile_streams_fail_with_1007_and_bombs_with_1009() {
    let mut sender = side(Role::Server, Config::default());
    let mut wire = Vec::new();
    sender.send(Message::Binary(&vec![0; 1 << 20]), &mut wire).unwrap();
    let limits = Limits::default().with_message_size_max(100_000);
    let outcome = feed(&mut side(Role::Client, Config::default().with_limits(limits)), &wire);
    let error = ProtocolError::MessageTooBig { message_size: 100_001, message_size_max: 100_000 };
    outcome.assert_fails(&[], error, 1009);

    wire.clear();
    sender.send(Message::Text(&long()), &mut wire).unwrap();
    let stream = wire[wire.len() - usize::from(wire[1])..].to_vec();
    for role in ROLES {
        for cut in 1..stream.len() {
            let outcome =
                feed(&mut side(role, Config::default()), &frame(role, 0xc1, &stream[..cut]));
            assert_eq!(outcome.error.unwrap().close_code().as_u16(), 1007, "{cut}");
        }
        let corrupt = ProtocolError::Inflate(InflateError::Corrupt);
        let trailing = [&stream[..], b"x"].concat();
        for bad in [&trailing[..], b"\x21\x00\x00", b"\xff\xff\xff\xff"] {
            let outcome = feed(&mut side(role, Config::default()), &frame(role, 0xc2, bad));
            outcome.assert_fails(&[], corrupt, 1007);
        }
        let truncated = ProtocolError::Inflate(InflateError::Truncated);
        let outcome = feed(&mut side(role, Config::default()), &frame(role, 0xc2, b""));
        outcome.assert_fails(&[], truncated, 1007);
    }
}

#[test]
fn a_stream_with_any_bit_flipped_is_1007_or_another_message() {
    let mut sender = side(Role::Server, Config::default());
    let mut wire = Vec::new();
    sender.send(Message::Binary(long().as_bytes()), &mut wire).unwrap();
    let stream = wire[wire.len() - usize::from(wire[1])..].to_vec();
    let limits = Limits::default().with_message_size_max(100_000);
    let mut corrupt = 0;
    for bit in 0..8 * stream.len() {
        let mut flipped = stream.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        for pieces in [1, flipped.len()] {
            let config = Config::default().with_limits(limits);
            let mut receiver = side(Role::Client, config);
            let wire = frame(Role::Client, 0xc2, &flipped);
            let pieces: Vec<&[u8]> = wire.chunks(wire.len().div_ceil(pieces)).collect();
            let outcome = feed_pieces(&mut receiver, &pieces);
            match outcome.error {
                None => assert_eq!(outcome.events.len(), 1, "bit {bit}"),
                Some(error) => {
                    assert!([1007, 1009].contains(&error.close_code().as_u16()), "{error:?}");
                    corrupt += u32::from(error == InflateError::Corrupt.into());
                    assert_eq!(outcome.events, []);
                }
            }
        }
    }
    assert!(corrupt > 10, "{corrupt}");
}

/// What a server makes of these offers, and a client that has offered brotli of these answers.
#[test]
fn s9_1_only_the_bare_name_is_agreed_on() {
    let request = |offers: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\n\
             Sec-WebSocket-Extensions: {offers}\r\n\r\n"
        )
    };
    for (offers, is_agreed) in [
        ("permessage-brotli", true),
        ("x, permessage-brotli; a=1, permessage-brotli", true),
        ("permessage-brotli; a", false),
        ("permessage-brotli; quality=4", false),
        ("permessage-deflate", false),
    ] {
        let mut memory = request(offers).into_bytes();
        let mut server = ServerHandshake::new(HandshakeLimits::default());
        assert!(server.receive(&mut &mut memory[..]).unwrap().is_some());
        let (mut brotli, mut answer) = (Brotli::default(), Vec::new());
        server.accept_with_extensions(&Acceptance::new(), &mut brotli, &mut answer).unwrap();
        assert_eq!(brotli.agreed().is_some(), is_agreed, "{offers}");
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.contains("permessage-brotli"), is_agreed, "{answer}");

        let mut start = Vec::new();
        let mut client = ClientHandshake::start_with_extensions(
            &ClientRequest::new("a", "/").unwrap(),
            HandshakeKey::from([7; 16]),
            Brotli::default(),
            &mut start,
        )
        .unwrap();
        let mut bytes = answer.clone().into_bytes();
        assert!(client.receive(&mut &mut bytes[..]).unwrap().is_some());
        assert_eq!(client.extensions().agreed().is_some(), is_agreed, "{answer}");
        if !is_agreed {
            continue;
        }
        let mut client = ClientHandshake::start_with_extensions(
            &ClientRequest::new("a", "/").unwrap(),
            HandshakeKey::from([7; 16]),
            Brotli::default(),
            &mut start,
        )
        .unwrap();
        let mut bytes = answer.replace("-brotli", "-brotli; a").into_bytes();
        assert!(client.receive(&mut &mut bytes[..]).is_err(), "what was not offered");
        assert_eq!(client.extensions().agreed(), None);
    }
}

#[test]
fn short_messages_and_what_does_not_shrink_go_as_they_are() {
    let mut sender = side(Role::Server, Config::default());
    let mut receiver = side(Role::Client, Config::default());
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let awkward: Vec<u8> = (0..300).map(|_| random()).collect();
    for payload in [&b""[..], b"a", &[b'a'; 63], &awkward] {
        let prepared = PreparedMessage::new(Message::Binary(payload)).unwrap();
        for is_prepared in [false, true] {
            let mut wire = Vec::new();
            if is_prepared {
                sender.send_prepared(&prepared, &mut wire).unwrap();
            } else {
                sender.send(Message::Binary(payload), &mut wire).unwrap();
            }
            assert_eq!(wire[0], 0x82, "{} bytes", payload.len());
            feed(&mut receiver, &wire).assert_ok(&[binary(payload)]);
        }
    }
    for payload in [[b'a'; 64], [0; 64]] {
        let prepared = PreparedMessage::new(Message::Binary(&payload)).unwrap();
        let mut wire = Vec::new();
        sender.send(Message::Binary(&payload), &mut wire).unwrap();
        let sent = wire.len();
        sender.send_prepared(&prepared, &mut wire).unwrap();
        assert_eq!((wire[0], wire[sent]), (0xc2, 0xc2), "from 64 bytes on it is worth it");
        feed(&mut receiver, &wire).assert_ok(&[binary(&payload), binary(&payload)]);
    }
    let ping = PreparedMessage::new(Message::Ping(&[b'p'; 125])).unwrap();
    let mut wire = Vec::new();
    sender.send_prepared(&ping, &mut wire).unwrap();
    assert_eq!(wire[..2], [0x89, 125], "control frames are never compressed");
}

#[cfg(feature = "deflate")]
#[test]
fn a_prepared_message_that_another_extension_has_compressed_is_compressed_anew() {
    use wscodec::deflate::{Deflate, DeflateClient, DeflateServer};
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let request = ClientRequest::new("a", "/").unwrap();
    let offers = DeflateClient::new(Deflate::client());
    let key = HandshakeKey::from([7; 16]);
    ClientHandshake::start_with_extensions(&request, key, offers, &mut to_server).unwrap();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    assert!(handshake.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut deflate = DeflateServer::new(Deflate::server());
    handshake.accept_with_extensions(&Acceptance::new(), &mut deflate, &mut to_client).unwrap();
    let mut deflating = builder(Role::Server).extension(deflate.agreed()).open();
    for brotli_is_first in [true, false] {
        let long = long();
        let prepared = PreparedMessage::new(Message::Text(&long)).unwrap();
        let mut brotli = side(Role::Server, Config::default());
        let mut wire = Vec::new();
        if !brotli_is_first {
            deflating.send_prepared(&prepared, &mut Vec::new()).unwrap();
        }
        brotli.send_prepared(&prepared, &mut wire).unwrap();
        assert_eq!(wire[0], 0xc1);
        feed(&mut side(Role::Client, Config::default()), &wire).assert_ok(&[text(&long)]);
        if brotli_is_first {
            let mut by_deflate = Vec::new();
            deflating.send_prepared(&prepared, &mut by_deflate).unwrap();
            assert!(by_deflate[0] == 0xc1 && by_deflate != wire);
        }
    }
}
