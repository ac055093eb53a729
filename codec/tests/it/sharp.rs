//! The sharp edges that dropping the codec into other stacks has shown, each by its letter:
//! `codec/tests/README.md` lists them.

use std::num::NonZeroUsize;

use crate::support::*;
use wscodec::decoder::FrameDecoder;
use wscodec::handshake::HandshakeLimits;
use wscodec::header::{Fin, HeaderRules, Masking, Rsv};
use wscodec::mask::{FixedKey, MaskKey, MaskKeySource};
use wscodec::{
    Config, Connection, Event, Fragment, FrameError, Limits, Message, PreparedMessage,
    ProtocolError, ReadyState, Role, SendError,
};

/// Features only add: `Connection` without a type argument is one type with and without `std`, for
/// both roles. `codec/ci/bare` compiles the same without `std`.
#[test]
fn sharp_a_connection_is_one_type_whatever_the_features() {
    struct Peers {
        server: Connection,
        client: Connection,
    }
    let mut peers = Peers {
        server: Connection::server(Config::default()),
        client: Connection::client(Config::default()),
    };
    peers.server = Connection::new(Role::Server, Config::default());
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    peers.client.send(Message::Text("Hi"), &mut to_server).unwrap();
    peers.server.send(Message::Text("Hi"), &mut to_client).unwrap();
    assert_eq!((to_server.len(), to_client.len()), (2 + 4 + 2, 2 + 2));
}

/// A source of keys may be borrowed or boxed, so that a stack's own generator can be shared.
#[test]
fn sharp_a_a_key_source_may_be_borrowed_or_boxed() {
    let mut source = FixedKey(MaskKey::new([1, 2, 3, 4]));
    let mut out = Vec::new();
    Connection::with_mask_keys(Role::Client, Config::default(), &mut source)
        .send(Message::Binary(b""), &mut out)
        .unwrap();
    let boxed: Box<dyn MaskKeySource> = Box::new(source);
    Connection::with_mask_keys(Role::Client, Config::default(), boxed)
        .send(Message::Binary(b""), &mut out)
        .unwrap();
    assert_eq!(out, b"\x82\x80\x01\x02\x03\x04\x82\x80\x01\x02\x03\x04");
}

/// An extension is part of opening a connection. `Connection::with_extension` could be called in the
/// middle of a frame, and half a message was returned as a whole one.
#[cfg(feature = "deflate")]
#[test]
fn sharp_h_an_extension_is_set_before_the_connection_is_opened() {
    use crate::deflate_support::{agree_on, full};
    let (_, agreed) = agree_on(full());
    let mut side = builder(Role::Server).extension(Some(&agreed)).open();
    let wire = frame(Role::Server, 0x82, b"in two reads");
    feed_pieces(&mut side, &[&wire[..9], &wire[9..]]).assert_ok(&[binary(b"in two reads")]);
}

/// The limits by which headers are checked are always said, and a proxy can have none.
#[test]
fn sharp_j_a_proxy_has_no_limit_that_it_did_not_ask_for() {
    let header_of = |payload_len| header(Role::Client, 0x82, 64, payload_len);
    for payload_len in [(16 << 20) + 1, i64::MAX as u64] {
        let mut bytes = header_of(payload_len);
        let mut proxy = FrameDecoder::new(HeaderRules::unlimited(Role::Client));
        assert!(proxy.header(&mut &mut bytes[..]).unwrap().is_some());
        let limits = Limits::default();
        let mut endpoint = FrameDecoder::new(HeaderRules::for_receiver(Role::Client, &limits));
        let frame_size_max = limits.frame_size_max;
        assert_eq!(
            endpoint.header(&mut &mut bytes[..]),
            Err(FrameError::FrameTooBig { payload_len, frame_size_max })
        );
        let mut unlimited = with_limits(Role::Client, Limits::unlimited());
        assert_eq!(unlimited.receive(&mut &mut bytes[..], &mut Vec::new()), Ok(None));
    }
}

/// Every option is set by a method, also in a constant.
#[test]
fn sharp_o_options_are_set_by_methods() {
    const LIMITS: Limits =
        Limits::new().with_frame_size_max(1).with_message_size_max(2).with_fragments_max(3);
    const HANDSHAKE: HandshakeLimits = HandshakeLimits::new()
        .with_head_size_max(4)
        .with_start_line_size_max(5)
        .with_headers_max(6);
    let rules = HeaderRules::new(Masking::Either, 7)
        .with_masking(Masking::Required)
        .with_rsv_allowed(Rsv::RSV1)
        .with_frame_size_max(8);
    assert_eq!((LIMITS.frame_size_max, LIMITS.message_size_max, LIMITS.fragments_max), (1, 2, 3));
    assert_eq!((HANDSHAKE.head_size_max, HANDSHAKE.start_line_size_max), (4, 5));
    assert_eq!(HANDSHAKE.headers_max, 6);
    assert_eq!((rules.masking, rules.rsv_allowed), (Masking::Required, Rsv::RSV1));
    assert_eq!(rules.frame_size_max, 8);
    assert_eq!((Limits::default(), HandshakeLimits::default()), Default::default());
}

/// A connection of `role` that has received `wire` and had no room for what it owes.
fn without_room(role: Role, wire: &[u8]) -> TestConnection {
    let mut side = connection(role);
    let mut memory = wire.to_vec();
    let (mut input, mut no_room) = (&mut memory[..], &mut [0_u8; 0][..]);
    while side.receive(&mut input, &mut no_room).is_ok_and(|event| event.is_some()) {}
    side
}

/// A Close is sent once it is written: until then nothing is over, and the connection says that it
/// owes something.
#[test]
fn sharp_e_a_close_without_room_is_due_and_not_sent() {
    for role in ROLES {
        let close = frame(role, 0x88, b"\x03\xe8");
        // An answer, an answer after the stream has ended, and the Close of a failure.
        for (wire, has_ended, is_clean) in
            [(&close, false, true), (&close, true, true), (&frame(role, 0x83, b""), false, false)]
        {
            let mut side = without_room(role, wire);
            if has_ended {
                assert_eq!(side.receive_eof(), Ok(()));
            }
            assert!(side.has_due_output() && side.sender().has_due_output());
            assert_eq!((side.ready_state(), side.is_clean()), (ReadyState::Closing, false));
            assert_eq!(side.send(Message::Text(""), &mut Vec::new()), Err(SendError::NotOpen));
            let mut out = Vec::new();
            side.flush(&mut out);
            assert_eq!(closes_in(&out).len(), 1);
            assert!(!side.has_due_output());
            assert_eq!((side.ready_state(), side.is_clean()), (ReadyState::Closed, is_clean));
        }
    }
}

/// A Pong is due as a Close is, and gone once the stream has ended without a Close.
#[test]
fn sharp_e_a_pong_without_room_is_due() {
    for role in ROLES {
        let mut side = without_room(role, &frame(role, 0x89, b"ping"));
        assert!(side.has_due_output());
        assert_eq!(side.ready_state(), ReadyState::Open);
        assert_eq!(side.receive_eof(), Err(ProtocolError::UnexpectedEof));
        assert!(!side.has_due_output());
        assert_eq!(side.ready_state(), ReadyState::Closed);
    }
}

/// What had arrived before the stream ended is delivered whenever the end is told, at each event.
#[test]
fn sharp_f_the_end_of_the_stream_loses_no_input_that_is_left() {
    for role in ROLES {
        let frames = [
            frame(role, 0x81, b"one"),
            frame(role, 0x89, b"ping"),
            frame(role, 0x01, b"tw"),
            frame(role, 0x89, b"between"),
            frame(role, 0x80, b"o"),
            frame(role, 0x88, b"\x03\xe8"),
        ];
        let all = feed(&mut connection(role), &frames.concat());
        for has_close in [true, false] {
            let wire = frames[..if has_close { 6 } else { 5 }].concat();
            let events = &all.events[..if has_close { 5 } else { 4 }];
            for told_after in 1..=events.len() {
                let mut side = connection(role);
                let (mut memory, mut out) = (wire.clone(), Vec::new());
                let mut input = &mut memory[..];
                for event in &events[..told_after] {
                    let received = side.receive(&mut input, &mut out).unwrap();
                    assert_eq!(received.map(Owned::from).as_ref(), Some(event));
                }
                assert_eq!(side.receive_eof(), Ok(()), "input may be left");
                for event in &events[told_after..] {
                    let received = side.receive(&mut input, &mut out).unwrap();
                    assert_eq!(received.map(Owned::from).as_ref(), Some(event));
                }
                let verdict = if has_close { Ok(None) } else { Err(ProtocolError::UnexpectedEof) };
                assert_eq!(side.receive(&mut input, &mut out), verdict);
                assert_eq!(side.receive_eof(), verdict.map(|_: Option<Event<'_>>| ()));
                assert_eq!((side.ready_state(), side.is_clean()), (ReadyState::Closed, has_close));
            }
        }
    }
}

/// Whatever is sent next, a Pong that is due goes before it.
#[test]
fn sharp_g_every_way_to_send_writes_what_is_due_before() {
    type Send = fn(&mut TestConnection, &mut Vec<u8>) -> Result<(), SendError>;
    let ways: [(&str, Send); 7] = [
        ("send", |side, out| side.send(Message::Text("1234"), out)),
        ("uncompressed", |side, out| side.send_uncompressed(Message::Text("1234"), out)),
        ("prepared", |side, out| {
            side.send_prepared(&PreparedMessage::new(Message::Text("1234")).unwrap(), out)
        }),
        ("first fragment", |side, out| side.send_fragment(Fragment::Text("1234"), Fin::More, out)),
        ("only fragment", |side, out| side.send_fragment(Fragment::Text("1234"), Fin::Final, out)),
        ("fragmented", |side, out| {
            side.send_fragmented(Message::Text("1234"), NonZeroUsize::new(3).unwrap(), out)
        }),
        ("close", |side, out| side.close(None, out)),
    ];
    for role in ROLES {
        #[cfg(feature = "deflate")]
        let deflating = crate::deflate_support::deflating(role);
        #[cfg(not(feature = "deflate"))]
        let deflating = connection(role);
        for (mut side, is_plain) in [(connection(role), true), (deflating, false)] {
            for (name, send) in ways {
                let mut wire = frame(role, 0x89, b"ping");
                let (mut input, mut no_room) = (&mut wire[..], &mut [0_u8; 0][..]);
                while side.receive(&mut input, &mut no_room).unwrap().is_some() {}
                let mut out = Vec::new();
                send(&mut side, &mut out).unwrap();
                assert_eq!(out[0], 0x8a, "{name}, plain {is_plain}: a Pong comes first");
                assert!(out.len() > 6 && !side.has_due_output(), "{name}");
                if name == "first fragment" {
                    side.send_fragment(Fragment::Text(""), Fin::Final, &mut out).unwrap();
                }
            }
        }
    }
}

/// The frame of a prepared message is had from a sender only, with all checks.
#[test]
fn sharp_k_a_prepared_frame_is_refused_where_a_message_is() {
    let text = PreparedMessage::new(Message::Text("Hello")).unwrap();
    let ping = PreparedMessage::new(Message::Ping(b"?")).unwrap();
    for role in ROLES {
        let (mut side, mut out) = (connection(role), Vec::new());
        side.send_fragment(Fragment::Text("a"), Fin::More, &mut out).unwrap();
        assert_eq!(side.prepared_frame(&text), Err(SendError::MessageOpen));
        let mut wire = side.prepared_frame(&ping).unwrap().to_vec();
        side.send_fragment(Fragment::Text("b"), Fin::Final, &mut wire).unwrap();
        wire.extend(side.prepared_frame(&text).unwrap());
        assert_eq!(text.frame_len(), 7);
        side.close(None, &mut wire).unwrap();
        for prepared in [&text, &ping] {
            assert_eq!(side.prepared_frame(prepared), Err(SendError::NotOpen));
        }
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        let outcome = feed(&mut connection(peer), &[out, wire].concat());
        let events =
            [crate::support::ping(b"?"), crate::support::text("ab"), crate::support::text("Hello")];
        assert_eq!(outcome.events[..3], events);
        assert_eq!(outcome.error, None);
    }
}

/// Compressed, the members of a broadcast share one frame, and each peer can follow it, before and
/// after messages of its own.
#[cfg(feature = "deflate")]
#[test]
fn sharp_k_compressed_members_share_one_frame() {
    use crate::deflate_support::{chat, deflating, receive_one};
    let prepared = PreparedMessage::new(Message::Text(&chat(1, 500))).unwrap();
    let mut members = [(); 3].map(|()| (deflating(Role::Server), deflating(Role::Client)));
    let mut frames = Vec::new();
    for (at, (server, client)) in members.iter_mut().enumerate() {
        for number in 0..at {
            let mut own = Vec::new();
            server.send(Message::Text(&chat(number, 300)), &mut own).unwrap();
            assert_eq!(receive_one(client, &own), chat(number, 300).as_bytes());
        }
        let frame = server.prepared_frame(&prepared).unwrap();
        assert!(frame.len() < 400 && frame[0] == 0xc1);
        assert_eq!(receive_one(client, &frame), prepared.payload());
        frames.push(frame);
        let mut own = Vec::new();
        server.send(Message::Text(&chat(9, 300)), &mut own).unwrap();
        assert_eq!(receive_one(client, &own), chat(9, 300).as_bytes());
    }
    // Kept until here: memory of one that is gone would be the next one's.
    assert!(frames.iter().all(|frame| frame.as_ptr() == frames[0].as_ptr()));
    // A client masks, so it shares the compressed payload and copies the frame.
    let (mut client, mut server) = (deflating(Role::Client), deflating(Role::Server));
    let frame = client.prepared_frame(&prepared).unwrap();
    assert_eq!(receive_one(&mut server, &frame), prepared.payload());
}

/// Errors have numbers that other languages can keep: all different, and these for ever.
#[test]
fn sharp_l_every_error_has_a_stable_number() {
    use wscodec::handshake::{HandshakeError, HandshakeMisuse, HeadError, RequestError};
    use wscodec::{InflateError, Utf8Error};
    let rsv = FrameError::ReservedBits { rsv: 1 };
    assert_eq!((rsv.number(), ProtocolError::from(rsv).number()), (101, 101));
    assert_eq!(ProtocolError::from(FrameError::MaskRequired).number(), 105);
    assert_eq!(ProtocolError::UnexpectedContinuation.number(), 120);
    assert_eq!(ProtocolError::TooManyFragments { fragments_max: 1 }.number(), 124);
    assert_eq!(ProtocolError::from(Utf8Error { valid_up_to: 0 }).number(), 130);
    assert_eq!(ProtocolError::from(InflateError::Truncated).number(), 132);
    assert_eq!(ProtocolError::UnexpectedEof.number(), 150);
    assert_eq!((SendError::NotOpen.number(), SendError::MessageOpen.number()), (201, 204));
    assert_eq!(HandshakeError::UnexpectedEof.number(), 301);
    assert_eq!(HandshakeError::from(HeadError::BareLf).number(), 313);
    assert_eq!(HandshakeError::from(RequestError::Key).number(), 337);
    assert_eq!(HandshakeMisuse::NoRequest.number(), 412);
}

/// An error that wraps another gives it away, for code that looks for its type.
#[test]
fn sharp_l_an_error_within_an_error_is_its_source() {
    use std::error::Error;
    use wscodec::handshake::{HandshakeError, HeadError};
    let protocol = ProtocolError::from(FrameError::MaskRequired);
    let source = protocol.source().unwrap().downcast_ref();
    assert_eq!(source, Some(&FrameError::MaskRequired));
    let handshake = HandshakeError::from(HeadError::BareLf);
    assert_eq!(handshake.source().unwrap().downcast_ref(), Some(&HeadError::BareLf));
    assert!(ProtocolError::UnexpectedEof.source().is_none());
}

/// `Debug` shows lengths: no payload, and nothing of `Authorization` or of a cookie, as text or as
/// the decimal numbers of its bytes.
#[test]
fn sharp_d_debug_shows_no_payload_and_no_header_value() {
    use std::fmt::Debug;
    use wscodec::decoder::Decoded;
    use wscodec::handshake::{Acceptance, ClientRequest, Rejection, ServerHandshake};
    const SECRET: &str = "s3cr3t";
    let bytes = SECRET.as_bytes();
    let numbers = format!("{bytes:?}");
    let numbers = numbers.trim_matches(['[', ']']);
    let hides = |what: &dyn Debug| {
        for shown in [format!("{what:?}"), format!("{what:#?}").replace('\n', "")] {
            let dense = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!shown.contains(SECRET) && !dense.contains(numbers), "{shown}");
        }
    };
    assert_eq!(format!("{:?}", Event::Text(SECRET)), "Text(6 bytes)");
    hides(&[Event::TextPiece(SECRET, Fin::More), Event::BinaryPiece(bytes, Fin::Final)]);
    hides(&[Event::Binary(bytes), Event::Ping(bytes), Event::Pong(bytes)]);
    hides(&[Message::Text(SECRET), Message::Binary(bytes), Message::Ping(bytes)]);
    hides(&[Fragment::Text(SECRET), Fragment::Binary(bytes)]);
    hides(&PreparedMessage::new(Message::Text(SECRET)).unwrap());
    for role in ROLES {
        // Half a message, half a Ping, and a Pong that is due.
        let mut side = without_room(role, &frame(role, 0x89, bytes));
        hides(&side);
        let part = [frame(role, 0x01, bytes), frame(role, 0x00, bytes)].concat();
        assert_eq!(feed(&mut side, &part).error, None);
        hides(&side);
        let ping = frame(role, 0x89, format!("{SECRET}more").as_bytes());
        assert_eq!(feed(&mut side, &ping[..ping.len() - 1]).error, None);
        hides(&side);
    }
    let mut wire = frame(Role::Client, 0x82, bytes);
    let mut decoder = FrameDecoder::new(HeaderRules::unlimited(Role::Client));
    let mut input = &mut wire[..];
    decoder.header(&mut input).unwrap();
    hides(&decoder.payload(&mut input));
    hides(&Decoded::Payload(&mut SECRET.to_owned().into_bytes()));

    let request = ClientRequest::new("a", "/").unwrap();
    let request = request.header("Authorization", SECRET).unwrap();
    let request = request.header("Cookie", SECRET).unwrap();
    hides(&request);
    hides(&Acceptance::new().header("Set-Cookie", SECRET).unwrap());
    hides(&Rejection::new(403).unwrap().header("Set-Cookie", SECRET).unwrap());
    let mut head = Vec::new();
    let mut client =
        wscodec::ClientHandshake::start_with_key(&request, [7; 16].into(), &mut head).unwrap();
    let mut server = ServerHandshake::new(HandshakeLimits::default());
    let received = server.receive(&mut &mut head[..]).unwrap().unwrap();
    hides(&received);
    assert!(format!("{:?}", received.headers()).contains("Authorization"));
    for header in received.headers() {
        hides(&header);
    }
    hides(&server);
    let mut answer = Vec::new();
    let acceptance = Acceptance::new().header("Set-Cookie", SECRET).unwrap();
    server.accept(&acceptance, &mut answer).unwrap();
    hides(&client.receive(&mut &mut answer[..]).unwrap().unwrap());
    hides(&client);
}
