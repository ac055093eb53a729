//! The client's side, RFC 6455, 4.1: rows B23-B27, B35 of the catalogue of hostile inputs.

use std::collections::BTreeSet;

use crate::handshake_support::{
    ACCEPT, KEY, STATUS_LINE, answer, assert_accepted, assert_failed, client, client_of, feed,
    response, response_with_line,
};
use wscodec::handshake::{
    ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, INTERIM_RESPONSES_MAX,
    ResponseError,
};

fn judge_header(name: &str, rows: &[(&[&str], Option<ResponseError>)]) {
    for (values, error) in rows {
        let bytes = response(&[(name, values)]);
        match error {
            None => assert_accepted(name, &bytes),
            Some(error) => assert_failed(name, &bytes, *error),
        }
    }
}

#[test]
fn s4_1_the_request_on_the_wire() {
    let request = ClientRequest::new("server.example.com", "/chat")
        .unwrap()
        .subprotocol("chat")
        .and_then(|request| request.subprotocol("superchat"))
        .and_then(|request| request.origin("http://example.com"))
        .and_then(|request| request.header("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
        .unwrap();
    let mut out = Vec::new();
    ClientHandshake::start_with_key(&request, HandshakeKey::new(*KEY), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\
         Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"
    );
}

#[test]
fn b35_each_start_has_a_fresh_key() {
    let request = ClientRequest::new("a", "/").unwrap();
    let keys: BTreeSet<String> = (0..1000)
        .map(|_| {
            let mut out = Vec::new();
            ClientHandshake::start(&request, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let (_, after) = text.split_once("Sec-WebSocket-Key: ").unwrap();
            after.split_once("\r\n").unwrap().0.to_owned()
        })
        .collect();
    assert_eq!(keys.len(), 1000);
    assert!(keys.iter().all(|key| key.len() == 24));
}

#[test]
fn b23_every_other_status_is_a_refusal_with_its_head() {
    for status in [
        200_u16, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 407, 426, 429, 500, 503, 599,
        600, 999,
    ] {
        let head = format!(
            "HTTP/1.1 {status} Some Reason\r\nLocation: http://other.example/\r\n\
             Retry-After: 120\r\nContent-Length: 1073741824\r\n\r\n"
        );
        let bytes = [head.as_bytes(), b"the content"].concat();
        let mut client = client();
        let error = HandshakeError::from(ResponseError::Refused { status });
        assert_eq!(feed(&mut client, &bytes), (Err(error), b"the content".to_vec()));
        let response = client.response().unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.reason(), b"Some Reason");
        assert_eq!(response.header("retry-after"), Some(&b"120"[..]));
        assert_eq!(response.headers().len(), 3);
        assert_eq!(response.subprotocol(), None);
        assert_eq!(feed(&mut client, &response_with_line(STATUS_LINE)).0, Err(error), "it stays");
        assert_eq!(error.status(), status);
    }
}

#[test]
fn b23_an_http_1_0_server_may_refuse() {
    let bytes = b"HTTP/1.0 404 Not Found\r\n\r\n";
    assert_failed("404", bytes, ResponseError::Refused { status: 404 });
}

#[test]
fn b24_interim_responses_are_skipped() {
    let interim =
        |status: u16| format!("HTTP/1.1 {status} Wait\r\nLink: </a>\r\n\r\n").into_bytes();
    let switch = response(&[]);
    for status in [100, 102, 103, 199] {
        assert_accepted("interim", &[interim(status), switch.clone()].concat());
    }
    let max = usize::from(INTERIM_RESPONSES_MAX);
    let flood = interim(102).repeat(max);
    let glued = [&flood[..], &switch[..], b"\x89\x00"].concat();
    let mut side = client();
    assert_eq!(feed(&mut side, &glued), (Ok(true), b"\x89\x00".to_vec()));
    let response = side.response().unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.header("Link"), None, "interim headers are forgotten");
    let refused = [&flood[..], b"HTTP/1.1 503 \r\n\r\n"].concat();
    assert_failed("refused at last", &refused, ResponseError::Refused { status: 503 });
    let too_many = [interim(102).repeat(max + 1), switch].concat();
    assert_failed("flood", &too_many, ResponseError::TooManyInterim);
}

#[test]
fn b24_an_interim_response_fails_as_any_other_head() {
    let wrong = b"HTTP/1.1 100 Continue\r\nX : y\r\n\r\n";
    assert!(answer(wrong).is_err());
    let mut client = client();
    assert_eq!(feed(&mut client, b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP").0, Ok(false));
    assert!(client.response().is_none());
    assert_eq!(client.receive_eof(), Err(HandshakeError::UnexpectedEof));
}

#[test]
fn b25_accept_exactly_once_and_exactly_equal() {
    let lower = ACCEPT.to_ascii_lowercase();
    let spaces = format!("  {ACCEPT}\t");
    let inner = ACCEPT.replace('G', " ");
    let quoted = format!("\"{ACCEPT}\"");
    let longer = format!("{ACCEPT}=");
    let rows: [(&[&str], _); 11] = [
        (&[&spaces], None),
        (&[], Some(ResponseError::AcceptMissing)),
        (&[""], Some(ResponseError::AcceptMismatch)),
        (&["AAAAAAAAAAAAAAAAAAAAAAAAAAA="], Some(ResponseError::AcceptMismatch)),
        (&[&lower], Some(ResponseError::AcceptMismatch)),
        (&[&inner], Some(ResponseError::AcceptMismatch)),
        (&[&quoted], Some(ResponseError::AcceptMismatch)),
        (&[&longer], Some(ResponseError::AcceptMismatch)),
        (&[&ACCEPT[..27]], Some(ResponseError::AcceptMismatch)),
        (&[ACCEPT, ACCEPT], Some(ResponseError::AcceptDoubled)),
        (&[ACCEPT, "x"], Some(ResponseError::AcceptDoubled)),
    ];
    judge_header("Sec-WebSocket-Accept", &rows);
}

#[test]
fn b25_upgrade_is_websocket() {
    let error = Some(ResponseError::Upgrade);
    let rows: [(&[&str], _); 9] = [
        (&["WebSocket"], None),
        (&["WEBSOCKET"], None),
        (&["websocket", "websocket"], None),
        (&["websocket, h2c"], error),
        (&["h2c", "websocket"], error),
        (&["websockets"], error),
        (&["websocket/13"], error),
        (&[""], error),
        (&[], error),
    ];
    judge_header("Upgrade", &rows);
}

#[test]
fn b25_r35_connection_lists_upgrade() {
    let error = Some(ResponseError::Connection);
    let rows: [(&[&str], _); 7] = [
        (&["upgrade"], None),
        (&["keep-alive, Upgrade"], None),
        (&["keep-alive", "Upgrade"], None),
        (&["close"], error),
        (&["Upgraded"], error),
        (&[""], error),
        (&[], error),
    ];
    judge_header("Connection", &rows);
}

#[test]
fn b26_a_subprotocol_that_was_offered_or_none() {
    let request = ClientRequest::new("a", "/")
        .unwrap()
        .subprotocol("chat")
        .and_then(|request| request.subprotocol("chat.v2"))
        .unwrap();
    let error = Some(ResponseError::Subprotocol);
    let rows: [(&[&str], _); 9] = [
        (&["chat"], None),
        (&["chat.v2"], None),
        (&[], None),
        (&["Chat"], error),
        (&["other"], error),
        (&["chat, chat.v2"], error),
        (&["chat", "chat"], error),
        (&["chat", "chat.v2"], error),
        (&[""], error),
    ];
    for (values, error) in rows {
        let mut client = client_of(&request);
        let result = feed(&mut client, &response(&[("Sec-WebSocket-Protocol", values)])).0;
        match error {
            None => {
                assert_eq!(result, Ok(true));
                assert_eq!(client.response().unwrap().subprotocol(), values.first().copied());
            }
            Some(error) => {
                assert_eq!(result, Err(error.into()), "{values:?}");
                let response = client.response().unwrap();
                assert_eq!(response.subprotocol(), None, "what was not agreed is not shown");
            }
        }
    }
    judge_header("Sec-WebSocket-Protocol", &[(&["chat"], error), (&["chat, x"], error)]);
}

#[test]
fn b27_an_extension_that_was_not_offered_fails() {
    let rows: [(&[&str], _); 5] = [
        (&["permessage-deflate"], Some(ResponseError::ExtensionNotOffered)),
        (&["x; y=z"], Some(ResponseError::ExtensionNotOffered)),
        (&[""], Some(ResponseError::Extensions)),
        (&["a b"], Some(ResponseError::Extensions)),
        (&[], None),
    ];
    judge_header("Sec-WebSocket-Extensions", &rows);
}

#[test]
fn the_response_stays_readable_after_success() {
    let mut client = client();
    assert!(client.response().is_none());
    let bytes = response(&[("Set-Cookie", &["a=1", "b=2"]), ("Server", &["x"])]);
    assert_eq!(feed(&mut client, &bytes).0, Ok(true));
    let response = client.response().unwrap();
    assert_eq!((response.status(), response.reason()), (101, &b"Switching Protocols"[..]));
    let cookies: Vec<&[u8]> =
        response.headers().filter(|header| header.is("set-cookie")).map(|h| h.value).collect();
    assert_eq!(cookies, [b"a=1", b"b=2"]);
}

#[test]
fn a_wrong_101_stays_readable() {
    let mut client = client();
    let bytes = response(&[("Sec-WebSocket-Accept", &["wrong"]), ("Via", &["proxy"])]);
    assert_eq!(feed(&mut client, &bytes).0, Err(ResponseError::AcceptMismatch.into()));
    let response = client.response().unwrap();
    assert_eq!((response.status(), response.header("via")), (101, Some(&b"proxy"[..])));
}
