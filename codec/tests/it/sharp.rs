//! The sharp edges that dropping the codec into other stacks has shown, each by its letter:
//! `codec/tests/README.md` lists them.

use crate::support::*;
use wscodec::decoder::FrameDecoder;
use wscodec::handshake::HandshakeLimits;
use wscodec::header::{HeaderRules, Masking, Rsv};
use wscodec::mask::{FixedKey, MaskKey, MaskKeySource};
use wscodec::{Config, Connection, FrameError, Limits, Message, Role};

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
