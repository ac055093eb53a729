//! Client and server joined in memory, from the request to the first frames: rows B18, B28, R33,
//! R34.

use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, Rejection,
    ResponseError, ServerHandshake,
};
use wscodec::{Config, Connection, Event, Message, Role};

fn server() -> ServerHandshake {
    ServerHandshake::new(HandshakeLimits::default())
}

/// Feeds `bytes` to `receive` in reads of `size`, until it says that it is done; returns what it
/// has not taken.
fn in_reads(
    bytes: &mut [u8],
    size: usize,
    mut receive: impl FnMut(&mut &mut [u8]) -> bool,
) -> Vec<u8> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut input = rest.split_off_mut(..size.min(rest.len())).unwrap();
        if receive(&mut input) {
            return [input as &[u8], rest].concat();
        }
        assert!(input.is_empty());
    }
    panic!("the handshake is done within these bytes")
}

fn first_text(role: Role, bytes: &mut [u8]) -> String {
    let mut connection = Connection::new(role, Config::default());
    let mut input = bytes;
    match connection.receive(&mut input, &mut Vec::new()) {
        Ok(Some(Event::Text(text))) => text.to_owned(),
        other => panic!("not a text: {other:?}"),
    }
}

#[test]
fn joined_with_first_frames_glued_on_both_ways_in_reads_of_any_size() {
    let request = ClientRequest::new("localhost:9001", "/echo?a=b")
        .and_then(|request| request.subprotocol("echo.v2"))
        .and_then(|request| request.subprotocol("echo"))
        .and_then(|request| request.header("X-Load", "1"))
        .unwrap();
    let acceptance =
        Acceptance::new().subprotocol("echo").unwrap().header("Server", "test").unwrap();
    for size in (1..40).chain([100, 1000, 10_000]) {
        let mut to_server = Vec::new();
        let mut client = ClientHandshake::start(&request, &mut to_server).unwrap();
        Connection::new(Role::Client, Config::default())
            .send(Message::Text("from the client"), &mut to_server)
            .unwrap();

        let mut server = server();
        let mut rest =
            in_reads(&mut to_server, size, |input| server.receive(input).unwrap().is_some());
        let seen = server.request().unwrap();
        assert_eq!((seen.host(), seen.target()), ("localhost:9001", "/echo?a=b"));
        assert_eq!(seen.header("x-load"), Some(&b"1"[..]));
        let mut to_client = Vec::new();
        server.accept(&acceptance, &mut to_client).unwrap();
        assert_eq!(first_text(Role::Server, &mut rest), "from the client", "R34, {size}");

        Connection::new(Role::Server, Config::default())
            .send(Message::Text("from the server"), &mut to_client)
            .unwrap();
        let mut rest =
            in_reads(&mut to_client, size, |input| client.receive(input).unwrap().is_some());
        let response = client.response().unwrap();
        assert_eq!(response.subprotocol(), Some("echo"));
        assert_eq!(response.header("server"), Some(&b"test"[..]));
        assert_eq!(first_text(Role::Client, &mut rest), "from the server", "R33, {size}");
    }
}

#[test]
fn every_rejection_is_a_refusal_with_its_status_and_body() {
    for status in (200..=599).filter(|status| !matches!(status, 204 | 205 | 304)) {
        let mut to_server = Vec::new();
        let request = ClientRequest::new("a", "/").unwrap();
        let mut client = ClientHandshake::start(&request, &mut to_server).unwrap();
        let mut server = server();
        assert!(server.receive(&mut &mut to_server[..]).unwrap().is_some());
        let mut to_client = Vec::new();
        let rejection = Rejection::new(status)
            .and_then(|rejection| rejection.header("X-Why", "a test"))
            .unwrap()
            .body("no");
        server.reject(rejection, &mut to_client).unwrap();
        let mut input = &mut to_client[..];
        let refused = HandshakeError::from(ResponseError::Refused { status });
        assert_eq!(client.receive(&mut input).map(drop), Err(refused));
        assert_eq!(input, b"no");
        let response = client.response().unwrap();
        assert_eq!(response.header("connection").map(|value| &value[..5]), Some(&b"close"[..]));
        assert_eq!(response.header("content-length"), Some(&b"2"[..]));
        assert_eq!(response.header("x-why"), Some(&b"a test"[..]));
    }
}

#[test]
fn one_clients_answer_is_not_anothers() {
    let request = ClientRequest::new("a", "/").unwrap();
    let (mut to_server, mut unused) = (Vec::new(), Vec::new());
    let mut first = ClientHandshake::start(&request, &mut to_server).unwrap();
    let mut second = ClientHandshake::start(&request, &mut unused).unwrap();
    let mut server = server();
    assert!(server.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut to_client = Vec::new();
    server.accept(&Acceptance::new(), &mut to_client).unwrap();
    let mismatch = HandshakeError::from(ResponseError::AcceptMismatch);
    assert_eq!(second.receive(&mut &mut to_client.clone()[..]).map(drop), Err(mismatch));
    assert!(first.receive(&mut &mut to_client[..]).unwrap().is_some());
}
