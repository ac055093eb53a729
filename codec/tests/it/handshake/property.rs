//! Any bytes at all, and a second opinion: no input panics, splits change nothing, and what is
//! accepted here is what `httparse` reads too.

use crate::handshake_support::{
    Side, client, feed, feed_in_pieces, request, response, server, with_request,
};
use proptest::collection::vec;
use proptest::prelude::*;
use wscodec::handshake::{ClientRequest, HandshakeError, HeadError, ServerHandshake};

/// Pieces that heads are made of, right and wrong ones.
const PIECES: [&str; 34] = [
    "GET / HTTP/1.1\r\n",
    "GET /a?b HTTP/1.1\r\n",
    "POST / HTTP/1.0\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 103\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\n",
    "Host: a\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Protocol: a, b\r\n",
    "Sec-WebSocket-Extensions: a; b=\"\\c\"\r\n",
    "Content-Length: 5\r\n",
    "X:\r\n",
    "X: \t y \t\r\n",
    "\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "\"",
    "\\",
    "=",
    "\0",
    "\u{7f}",
    "\u{ff}",
    "x",
    "HTTP/",
    "%00",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    vec(0..PIECES.len(), 0..20)
        .prop_map(|picks| picks.iter().flat_map(|&pick| PIECES[pick].bytes()).collect())
}

/// The right head, with some bytes put in the place of others.
fn spoiled(head: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let spot = (any::<prop::sample::Index>(), 0..4_usize, vec(any::<u8>(), 0..4));
    vec(spot, 0..4).prop_map(move |spots| {
        spots.into_iter().fold(head.clone(), |mut head, (at, len, bytes)| {
            let start = at.index(head.len());
            let end = (start + len).min(head.len());
            head.splice(start..end, bytes);
            if head.is_empty() { vec![b'\r'] } else { head }
        })
    })
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..200), soup(), spoiled(full_request())]
}

fn responses() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..200), soup(), spoiled(response(&[]))]
}

fn full_request() -> Vec<u8> {
    request(&[
        ("Origin", &["http://a"]),
        ("Sec-WebSocket-Protocol", &["chat, superchat"]),
        ("Sec-WebSocket-Extensions", &["a; b=\"\\c\"; d, e"]),
    ])
}

/// A failed handshake stays failed and takes nothing.
fn assert_final(side: &mut impl Side, error: HandshakeError, next: &[u8]) {
    assert_eq!(feed(side, next), (Err(error), next.to_vec()));
}

fn assert_same_in_pieces<S: Side>(bytes: &[u8], cuts: &[usize], side: impl Fn() -> S) {
    let mut whole = side();
    let (result, left) = feed(&mut whole, bytes);
    let (result_in_pieces, left_in_pieces) = feed_in_pieces(&mut side(), bytes, cuts);
    assert_eq!(result_in_pieces, result);
    match result {
        Err(error) => assert_final(&mut whole, error, bytes),
        Ok(_) => assert_eq!(left_in_pieces, left),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_request_panics_and_splits_change_nothing(
        bytes in requests(),
        cuts in vec(0..30_usize, 0..20),
    ) {
        assert_same_in_pieces(&bytes, &cuts, server);
    }

    #[test]
    fn no_response_panics_and_splits_change_nothing(
        bytes in responses(),
        cuts in vec(0..30_usize, 0..20),
    ) {
        assert_same_in_pieces(&bytes, &cuts, client);
    }

    #[test]
    fn what_a_server_accepts_httparse_reads_the_same(bytes in requests()) {
        let mut side = server();
        let (result, left) = feed(&mut side, &bytes);
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut peer = httparse::Request::new(&mut headers);
        let parsed = peer.parse(&bytes);
        if result == Ok(true) {
            let request = side.request().unwrap();
            prop_assert_eq!(parsed, Ok(httparse::Status::Complete(bytes.len() - left.len())));
            prop_assert_eq!(peer.method, Some("GET"));
            prop_assert_eq!(peer.path, Some(request.target()));
            let ours: Vec<_> = request.headers().map(|header| (header.name, header.value)).collect();
            let theirs: Vec<_> = peer.headers.iter().map(|h| (h.name, h.value)).collect();
            prop_assert_eq!(ours, theirs);
            let all: String = request.extensions().flat_map(|e| e.parameters())
                .map(|parameter| parameter.name.to_owned()).collect();
            prop_assert!(all.is_ascii());
        } else if matches!(parsed, Ok(httparse::Status::Complete(_))) {
            assert_refused_on_purpose(&bytes, result);
        }
    }

    #[test]
    fn what_a_client_accepts_httparse_reads_the_same(bytes in spoiled(response(&[]))) {
        let mut side = client();
        let (result, left) = feed(&mut side, &bytes);
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut peer = httparse::Response::new(&mut headers);
        let parsed = peer.parse(&bytes);
        if let Some(response) = side.response() {
            prop_assert_eq!(parsed, Ok(httparse::Status::Complete(bytes.len() - left.len())));
            prop_assert_eq!(peer.code, Some(response.status()));
            let ours: Vec<_> = response.headers().map(|header| (header.name, header.value)).collect();
            let theirs: Vec<_> = peer.headers.iter().map(|h| (h.name, h.value)).collect();
            prop_assert_eq!(ours, theirs);
        } else if matches!(parsed, Ok(httparse::Status::Complete(_)))
            && !matches!(peer.code, Some(100 | 102..=199)) // skipped: the final response follows
        {
            assert_refused_on_purpose(&bytes, result);
        }
    }

    #[test]
    fn a_request_made_from_any_text_is_one_request(
        host in "\\PC{0,8}",
        target in "/?\\PC{0,8}",
        name in "[!-~]{0,6}|\\PC{0,6}",
        value in "[ -~]{0,8}|.{0,8}",
        subprotocol in "[!-~]{0,6}",
    ) {
        let request = ClientRequest::new(&host, &target)
            .and_then(|request| request.header(&name, &value))
            .and_then(|request| request.subprotocol(&subprotocol));
        if let Ok(request) = request {
            let mut out = Vec::new();
            wscodec::ClientHandshake::start(&request, &mut out).unwrap();
            if !name.eq_ignore_ascii_case("origin") {
                with_request(&out, |seen| {
                    assert_eq!((seen.host(), seen.target()), (&host[..], &target[..]));
                    assert_eq!(seen.headers().len(), 7);
                    let value = value.trim_matches([' ', '\t']).as_bytes();
                    assert_eq!(seen.header(&name), Some(value));
                    assert_eq!(seen.subprotocols().collect::<Vec<_>>(), [&subprotocol[..]]);
                });
            }
        }
    }
}

/// `httparse` reads a whole head where we do not: one of the ways in which we are stricter must be
/// the reason.
fn assert_refused_on_purpose(bytes: &[u8], result: Result<bool, HandshakeError>) {
    let shown = String::from_utf8_lossy(bytes);
    match result {
        Ok(_) => panic!("{result:?} of {shown:?}"),
        Err(HandshakeError::Head(error)) => match error {
            // The last one is an empty line before the start line.
            HeadError::BareLf
            | HeadError::Version { .. }
            | HeadError::NotHttp { at: 0, byte: b'\r' | b'\n' } => {}
            // A status below 100.
            HeadError::StartLine => assert!(bytes.starts_with(b"HTTP/1.1 0"), "{shown:?}"),
            other => panic!("{other:?} of {shown:?}"),
        },
        Err(_) => {} // we read it too, and judge what it means
    }
}

#[test]
fn the_right_heads_are_right() {
    assert_eq!(feed(&mut server(), &full_request()).0, Ok(true));
    assert_eq!(feed(&mut client(), &response(&[])).0, Ok(true));
    let _: ServerHandshake = server();
}
