//! Negotiation as values, for stacks that parse and write HTTP themselves, and plain HTTP on the
//! same port (row I of the sharp edges).

use crate::handshake_support::{
    ACCEPT, Change, ENCODED_KEY, KEY, client, request, request_with_line, response, server,
};
use wscodec::handshake::{
    Acceptance, Answered, ClientExtensions, ClientRequest, ExtensionMismatch, ExtensionWriter,
    Extensions, HandshakeError, HandshakeMisuse, HeadError, NoExtensions, Offer, Received,
    Rejection, RequestError, ResponseError, ServerExtensions, accept_key,
};

/// The header fields of a head, as another parser has them.
fn fields(head: &[u8], of_request: bool) -> Vec<(&str, &[u8])> {
    let mut storage = [httparse::EMPTY_HEADER; 64];
    if of_request {
        httparse::Request::new(&mut storage).parse(head).unwrap();
    } else {
        httparse::Response::new(&mut storage).parse(head).unwrap();
    }
    let is_there = |header: &&httparse::Header<'_>| !header.name.is_empty();
    storage.iter().take_while(is_there).map(|header| (header.name, header.value)).collect()
}

/// Offers and takes `x-test` without parameters.
#[derive(Clone, Debug, Default)]
struct Test {
    agreed: usize,
}

impl ClientExtensions for Test {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        offers.extension("x-test").map(drop)
    }

    fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        for extension in answer {
            if extension.parameters().next().is_some() {
                return Err(ExtensionMismatch);
            }
            self.agreed += 1;
        }
        Ok(())
    }
}

impl ServerExtensions for Test {
    fn negotiate(
        &mut self,
        mut offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        if offers.any(|offer| offer.name() == "x-test") {
            self.agreed += 1;
            answer.extension("x-test")?;
        }
        Ok(())
    }
}

#[test]
fn s4_2_2_the_accept_value_of_any_key_that_is_one() {
    assert_eq!(accept_key(ENCODED_KEY.as_bytes()).unwrap(), ACCEPT.as_bytes());
    for key in [&b""[..], b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25jZQ== ", &[b'='; 24]] {
        assert_eq!(accept_key(key), Err(RequestError::Key));
    }
}

/// The same verdict as that of the handshake that reads bytes, of everything that headers can do.
#[test]
fn s4_2_1_offers_by_headers_are_judged_as_those_of_bytes() {
    let rows: [Change<'_>; 26] = [
        ("X-Nothing", &["changes"]),
        ("Upgrade", &[]),
        ("Upgrade", &["h2c"]),
        ("Upgrade", &["h2c, WebSocket"]),
        ("Connection", &[]),
        ("Connection", &["keep-alive"]),
        ("Connection", &["keep-alive", "upgrade"]),
        ("Sec-WebSocket-Version", &[]),
        ("Sec-WebSocket-Version", &["8"]),
        ("Sec-WebSocket-Version", &["13", "13"]),
        ("Sec-WebSocket-Key", &[]),
        ("Sec-WebSocket-Key", &["short"]),
        ("Sec-WebSocket-Key", &[ENCODED_KEY, ENCODED_KEY]),
        ("Origin", &["http://example.com"]),
        ("Origin", &["a", "b"]),
        ("Origin", &["a b"]),
        ("Sec-WebSocket-Protocol", &["a, b", "c"]),
        ("Sec-WebSocket-Protocol", &["a b"]),
        ("Sec-WebSocket-Protocol", &[","]),
        ("Sec-WebSocket-Extensions", &["x-test; a=1", "y"]),
        ("Sec-WebSocket-Extensions", &["x-test; =1"]),
        ("Content-Length", &["0"]),
        ("Content-Length", &["1"]),
        ("Content-Length", &[""]),
        ("Transfer-Encoding", &["chunked"]),
        ("Cookie", &["a=b"]),
    ];
    let mut refused = 0;
    for row in rows {
        let mut bytes = request(&[row]);
        let headers = fields(&bytes, true).into_iter().map(|(name, value)| (name, value.to_vec()));
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let offer = Offer::from_headers(headers.iter().map(|(name, value)| (&**name, &**value)));
        let mut server = server();
        match server.receive(&mut &mut bytes[..]) {
            Ok(request) => {
                let (request, offer) = (request.unwrap(), offer.unwrap());
                assert_eq!(request.origin(), offer.origin(), "{row:?}");
                assert!(request.subprotocols().eq(offer.subprotocols()), "{row:?}");
                let names = |extensions: Extensions<'_>| {
                    extensions.map(|e| e.name().to_owned()).collect::<Vec<_>>()
                };
                assert_eq!(names(request.extensions()), names(offer.extensions()), "{row:?}");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(offer.map(drop), Err(into_request_error(error)), "{row:?}");
            }
        }
    }
    assert_eq!(refused, 18);
}

fn into_request_error(error: HandshakeError) -> RequestError {
    let HandshakeError::Request(error) = error else { panic!("{error}") };
    error
}

/// The same verdict as that of the handshake that reads bytes.
#[test]
fn s4_1_answers_by_headers_are_judged_as_those_of_bytes() {
    let rows: [Change<'_>; 17] = [
        ("X-Nothing", &["changes"]),
        ("Upgrade", &[]),
        ("Upgrade", &["h2c, websocket"]),
        ("Upgrade", &["WEBSOCKET"]),
        ("Connection", &[]),
        ("Connection", &["close"]),
        ("Sec-WebSocket-Accept", &[]),
        ("Sec-WebSocket-Accept", &["s3pPLMBiTxaQ9kYGzzhZRbK+xOO="]),
        ("Sec-WebSocket-Accept", &[ACCEPT, ACCEPT]),
        ("Sec-WebSocket-Protocol", &["chat"]),
        ("Sec-WebSocket-Protocol", &["other"]),
        ("Sec-WebSocket-Protocol", &["chat", "chat"]),
        ("Sec-WebSocket-Extensions", &["x-test"]),
        ("Sec-WebSocket-Extensions", &["x-test, x-test"]),
        ("Sec-WebSocket-Extensions", &["x-other"]),
        ("Sec-WebSocket-Extensions", &["x-test; a=1"]),
        ("Sec-WebSocket-Extensions", &[";"]),
    ];
    let request = ClientRequest::new("example.com", "/").unwrap().subprotocol("chat").unwrap();
    let mut refused = 0;
    for row in rows {
        let mut bytes = response(&[row]);
        let mut extensions = Test::default();
        let offered = request.offer((*KEY).into(), &extensions).unwrap();
        let by_values =
            Answered::from_headers(&offered, fields(&bytes, false)).and_then(|answered| {
                answered.agree(&mut extensions)?;
                Ok((answered.subprotocol(), extensions.agreed))
            });
        let by_values = by_values.map(|(name, agreed)| (name.map(str::to_owned), agreed));
        let mut client = wscodec::ClientHandshake::start_with_extensions(
            &request,
            (*KEY).into(),
            Test::default(),
            &mut Vec::new(),
        )
        .unwrap();
        let by_bytes = client
            .receive(&mut &mut bytes[..])
            .map(|response| response.unwrap().subprotocol().map(str::to_owned))
            .map(|subprotocol| (subprotocol, client.extensions().agreed));
        refused += usize::from(by_bytes.is_err());
        assert_eq!(by_values.map_err(HandshakeError::from), by_bytes, "{row:?}");
    }
    assert_eq!(refused, 13);
}

/// What values say is what bytes say, in both directions.
#[test]
fn values_and_bytes_are_the_same_handshake() {
    let request = ClientRequest::new("example.com:81", "/chat?a=1")
        .unwrap()
        .header("Authorization", "Bearer 1")
        .unwrap()
        .subprotocol("chat")
        .unwrap();
    assert_eq!((request.host(), request.target()), ("example.com:81", "/chat?a=1"));
    let mut extensions = Test::default();
    let mut to_server = Vec::new();
    let mut client = wscodec::ClientHandshake::start_with_extensions(
        &request,
        (*KEY).into(),
        extensions.clone(),
        &mut to_server,
    )
    .unwrap();
    let offered = request.offer((*KEY).into(), &extensions).unwrap();
    let as_text = |headers: &mut dyn Iterator<Item = (&str, &str)>| {
        headers.fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n")
    };
    let text = format!("GET /chat?a=1 HTTP/1.1\r\n{}\r\n", as_text(&mut offered.headers()));
    assert_eq!(text.as_bytes(), to_server);

    let headers: Vec<(String, String)> =
        offered.headers().map(|(name, value)| (name.into(), value.into())).collect();
    let offer = Offer::from_headers(headers.iter().map(|(n, v)| (&**n, v.as_bytes()))).unwrap();
    let acceptance = Acceptance::new().subprotocol("chat").unwrap().header("Server", "x").unwrap();
    let answer = offer.answer(&acceptance, &mut extensions).unwrap();
    let text = format!(
        "HTTP/1.1 {} Switching Protocols\r\n{}\r\n",
        answer.status(),
        as_text(&mut answer.headers())
    );
    let mut to_client = Vec::new();
    let mut server = server();
    server.receive(&mut &mut to_server[..]).unwrap().unwrap();
    server.accept_with_extensions(&acceptance, &mut Test::default(), &mut to_client).unwrap();
    assert_eq!(text.as_bytes(), to_client);
    assert!(text.ends_with("Sec-WebSocket-Extensions: x-test\r\nServer: x\r\n\r\n"), "{text}");
    assert_eq!(
        client.receive(&mut &mut to_client[..]).unwrap().unwrap().subprotocol(),
        Some("chat")
    );
}

#[test]
fn s4_2_2_an_answer_selects_nothing_that_was_not_offered() {
    struct Unasked;
    impl ServerExtensions for Unasked {
        fn negotiate(
            &mut self,
            _: Extensions<'_>,
            answer: &mut ExtensionWriter,
        ) -> Result<(), HandshakeMisuse> {
            answer.extension("x-unasked").map(drop)
        }
    }
    let bytes = request(&[("Sec-WebSocket-Protocol", &["chat"])]);
    let offer = Offer::from_headers(fields(&bytes, true)).unwrap();
    let other = Acceptance::new().subprotocol("other").unwrap();
    let error = offer.answer(&other, &mut NoExtensions).map(drop);
    assert_eq!(error, Err(HandshakeMisuse::SubprotocolNotOffered));
    let acceptance = Acceptance::new();
    let error = offer.answer(&acceptance, &mut Unasked).map(drop);
    assert_eq!(error, Err(HandshakeMisuse::ExtensionNotOffered));
}

/// RFC 8441, 5: neither key nor |Upgrade|, and the same subprotocols, extensions and version.
#[test]
fn rfc8441_s5_an_extended_connect_has_no_key_and_a_200() {
    let request = ClientRequest::new("example.com", "/chat").unwrap().subprotocol("chat").unwrap();
    let mut extensions = Test::default();
    let offered = request.offer_connect(&extensions).unwrap();
    let headers: Vec<_> = offered.headers().collect();
    assert_eq!(
        headers,
        [
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Protocol", "chat"),
            ("Sec-WebSocket-Extensions", "x-test")
        ]
    );
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let pseudo = [(":protocol", &b"websocket"[..])];
    let offer = Offer::from_connect_headers(pseudo.into_iter().chain(headers.clone())).unwrap();
    assert_eq!(Offer::from_headers(headers).map(drop), Err(RequestError::Upgrade));
    let acceptance = Acceptance::new().subprotocol("chat").unwrap();
    let answer = offer.answer(&acceptance, &mut Test::default()).unwrap();
    assert_eq!(answer.status(), 200);
    let headers: Vec<_> = answer.headers().map(|(name, value)| (name, value.as_bytes())).collect();
    assert_eq!(headers.len(), 2, "{headers:?}");
    let answered = Answered::from_headers(&offered, headers).unwrap();
    assert_eq!(answered.subprotocol(), Some("chat"));
    answered.agree(&mut extensions).unwrap();
    assert_eq!(extensions.agreed, 1);
    let none: [(&str, &[u8]); 0] = [];
    assert_eq!(Offer::from_connect_headers(none).map(drop), Err(RequestError::Version));
    let unasked: [(&str, &[u8]); 1] = [("sec-websocket-protocol", b"other")];
    let error = Answered::from_headers(&offered, unasked).map(drop);
    assert_eq!(error, Err(ResponseError::Subprotocol));
}

#[test]
fn sharp_i_plain_http_is_a_result_with_its_head() {
    let rows = [
        ("GET /health HTTP/1.1", "GET", "/health", 1),
        ("HEAD / HTTP/1.1", "HEAD", "/", 1),
        ("POST /a?b HTTP/1.1", "POST", "/a?b", 1),
        ("OPTIONS * HTTP/1.0", "OPTIONS", "*", 0),
        ("CONNECT a:1 HTTP/1.1", "CONNECT", "a:1", 1),
    ];
    for (line, method, target, minor) in rows {
        let head = format!("{line}\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
        let bytes = [head.as_bytes(), b"body"].concat();
        for at in 0..=head.len() {
            let (mut first, mut second) = (bytes[..at].to_vec(), bytes[at..].to_vec());
            let mut server = server();
            let mut input = &mut first[..];
            if at < head.len() {
                assert!(server.receive_any(&mut input).unwrap().is_none());
                assert!(input.is_empty());
                input = &mut second[..];
            }
            let Some(Received::Http(request)) = server.receive_any(&mut input).unwrap() else {
                panic!("{line} is plain");
            };
            let found = (request.method(), request.target(), request.minor_version());
            assert_eq!(found, (method, target, minor));
            assert_eq!(request.header("content-length"), Some(&b"4"[..]));
            assert_eq!(request.headers().len(), 2);
            assert_eq!(request.head(), head.as_bytes());
            assert_eq!(input, if at < head.len() { &b"body"[..] } else { b"" });
            // It stays what it is, and what cannot follow it does not.
            assert!(matches!(server.receive_any(&mut input), Ok(Some(Received::Http(_)))));
            let error = server.receive(&mut input).map(drop);
            assert_eq!(error, Err(RequestError::Upgrade.into()));
            let mut out = Vec::new();
            let error = server.accept(&Acceptance::new(), &mut out);
            assert_eq!(error, Err(HandshakeMisuse::NoRequest));
            server.receive_eof().unwrap();
            server.reject(Rejection::new(200).unwrap().body("fine"), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            assert_eq!(text.ends_with("\r\n\r\nfine"), method != "HEAD", "{text}");
        }
    }
}

#[test]
fn sharp_i_what_asks_for_a_websocket_is_judged_as_before() {
    let rows = [
        (request(&[]), None),
        (request_with_line("POST /chat HTTP/1.1"), Some(RequestError::Method.into())),
        (request(&[("Sec-WebSocket-Key", &[])]), Some(RequestError::Key.into())),
        (
            request_with_line("GET /chat HTTP/1.0"),
            Some(HeadError::Version { major: 1, minor: 0 }.into()),
        ),
        (
            b"GET /health HTTP/2.0\r\n\r\n".to_vec(),
            Some(HeadError::Version { major: 2, minor: 0 }.into()),
        ),
        (b"GET /health HTTP/1.1\nHost: a\n\n".to_vec(), Some(HeadError::BareLf.into())),
        (b"\x16\x03\x01".to_vec(), Some(HeadError::NotHttp { at: 0, byte: 0x16 }.into())),
    ];
    for (mut bytes, error) in rows {
        let mut server = server();
        let outcome = server.receive_any(&mut &mut bytes[..]);
        let is_websocket = matches!(outcome, Ok(Some(Received::WebSocket(_))));
        match error {
            None => assert!(is_websocket),
            Some(error) => assert_eq!(outcome.map(|_| ()), Err(error)),
        }
    }
}

/// Neither the key nor a credential is shown.
#[test]
fn debug_of_values_shows_no_key_and_no_credential() {
    let request = ClientRequest::new("a", "/?token=secret").unwrap();
    let request = request.header("Authorization", "secret").unwrap();
    let offered = request.offer((*KEY).into(), &NoExtensions).unwrap();
    let mut out = Vec::new();
    let bytes = crate::handshake_support::request(&[("Cookie", &["secret"])]);
    let offer = Offer::from_headers(fields(&bytes, true)).unwrap();
    let mut server = server();
    let mut plain = b"GET /?token=secret HTTP/1.1\r\nCookie: secret\r\n\r\n".to_vec();
    let received = server.receive_any(&mut &mut plain[..]).unwrap();
    let key = wscodec::handshake::HandshakeKey::new(*KEY);
    wscodec::ClientHandshake::start_with_key(&request, key, &mut out).unwrap();
    let shown = format!("{offered:?} {offer:?} {received:?} {key:?} {:?}", client());
    let hex = u128::from_be_bytes(*KEY);
    for secret in ["secret", ENCODED_KEY, "100, 71, 104", &format!("{hex:x}")] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[cfg(feature = "http")]
#[test]
fn the_types_of_the_http_crate_say_the_same() {
    let request = ClientRequest::new("example.com", "/chat").unwrap().subprotocol("chat").unwrap();
    let mut extensions = Test::default();
    for is_connect in [false, true] {
        let offered = if is_connect {
            request.offer_connect(&extensions)
        } else {
            request.offer((*KEY).into(), &extensions)
        };
        let offered = offered.unwrap();
        let sent = offered.to_request().unwrap();
        assert_eq!(sent.uri().path(), "/chat");
        assert_eq!(sent.headers().contains_key("upgrade"), !is_connect);
        let offer = Offer::from_request(&sent).unwrap();
        let acceptance = Acceptance::new().subprotocol("chat").unwrap();
        let mut response = offer.answer(&acceptance, &mut Test::default()).unwrap().to_response();
        assert_eq!(response.status(), if is_connect { 200 } else { 101 });
        let answered = Answered::from_response(&offered, &response).unwrap();
        assert_eq!(answered.subprotocol(), Some("chat"));
        answered.agree(&mut extensions).unwrap();
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        let error = Answered::from_response(&offered, &response).map(drop);
        assert_eq!(error, Err(ResponseError::Refused { status: 403 }));
    }
    let post = http::Request::post("/").body(()).unwrap();
    let error = Offer::from_request(&post).unwrap_err();
    assert_eq!(error, RequestError::Method.into());
    let response = http::Response::from(Rejection::from(error));
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET".parse().unwrap())
    );
    assert_eq!(response.body(), b"method is not GET\n");
}
