//! The sharp edges that dropping the codec into other stacks has shown, each by its letter:
//! `codec/tests/README.md` lists them.

use wscodec::mask::{FixedKey, MaskKey, MaskKeySource};
use wscodec::{Config, Connection, Message, Role};

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
