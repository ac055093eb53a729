//! The server's side, RFC 6455, 4.2: rows B09-B21, R31, R34-R36, E17 of the catalogue of hostile
//! inputs.

use crate::handshake_support::{
    Change, ENCODED_KEY, assert_refused, assert_served, feed, feed_in_pieces, request,
    request_with_line, serve, server, with_line, with_request,
};
use wscodec::handshake::{
    Acceptance, HandshakeError, HandshakeLimits, HandshakeMisuse, HeadError, Rejection,
    RequestError, ServerHandshake,
};

/// A header's values: served without an error, or refused with it.
fn judge_header(name: &str, rows: &[(&[&str], Option<RequestError>)], status: u16) {
    for (values, error) in rows {
        let bytes = request(&[(name, values)]);
        match error {
            None => assert_served(name, &bytes),
            Some(error) => assert_refused(name, &bytes, *error, status),
        }
    }
}

/// The response to `bytes`, which are refused with what `receive` says.
fn refusal(bytes: &[u8]) -> String {
    let mut server = server();
    let error = feed(&mut server, bytes).0.unwrap_err();
    let mut out = Vec::new();
    server.reject(error, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn assert_complete_response(text: &str, status_line: &str, headers: &[&str]) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some(status_line));
    let lines: Vec<&str> = lines.collect();
    for header in headers {
        assert!(lines.contains(header), "{header} in {lines:?}");
    }
    let length = format!("Content-Length: {}", body.len());
    assert!(lines.contains(&length.as_str()), "{length} in {lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("Connection: close")), "{lines:?}");
}

#[test]
fn s4_2_1_the_example_request_is_served() {
    let example = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n";
    let mut server = server();
    let mut bytes = example.as_bytes().to_vec();
    let request = server.receive(&mut &mut bytes[..]).unwrap().unwrap();
    assert_eq!(request.target(), "/chat");
    assert_eq!((request.path(), request.query()), ("/chat", None));
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(request.extensions().count(), 0);
    assert_eq!(request.headers().len(), 7);
    assert_eq!(request.header("sec-websocket-version"), Some(&b"13"[..]));
    assert_eq!(request.header("Cookie"), None);
    let mut out = Vec::new();
    server.accept(&Acceptance::new().subprotocol("chat").unwrap(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
}

#[test]
fn b09_methods_and_versions() {
    let head = |error: HeadError| HandshakeError::from(error);
    let version = |major, minor| head(HeadError::Version { major, minor });
    let method = HandshakeError::from(RequestError::Method);
    let start_line = head(HeadError::StartLine);
    let rows = [
        ("POST / HTTP/1.1", method, 405),
        ("HEAD / HTTP/1.1", method, 405),
        ("OPTIONS * HTTP/1.1", method, 405),
        ("CONNECT a:1 HTTP/1.1", method, 405),
        ("get / HTTP/1.1", method, 405),
        ("GETX / HTTP/1.1", method, 405),
        ("GET / HTTP/1.0", version(1, 0), 505),
        ("GET / HTTP/0.9", version(0, 9), 505),
        ("GET / HTTP/2.0", version(2, 0), 505),
        ("GET / HTTP/1.2", version(1, 2), 505),
        ("GET / HTTP/1.10", start_line, 400),
        ("GET / HTTP/1.1 ", start_line, 400),
        ("GET / HTTP/11", start_line, 400),
        ("GET / http/1.1", start_line, 400),
        ("GET /", start_line, 400),
        ("GET / ", start_line, 400),
        ("GET", head(HeadError::NotHttp { at: 3, byte: b'\r' }), 400),
        ("(GET / HTTP/1.1", head(HeadError::NotHttp { at: 0, byte: b'(' }), 400),
    ];
    for (line, error, status) in rows {
        assert_refused(line, &request_with_line(line), error, status);
    }
}

/// RFC 9110, 9.3.2: "the server MUST NOT send content in the response" to HEAD: a client that goes
/// on reading would take it for the next response. Wherever the request fails, and however it is
/// split.
#[test]
fn b09_the_refusal_of_a_head_request_has_no_content() {
    let wrong = [
        (request_with_line("HEAD / HTTP/1.1"), 405),
        (request_with_line("HEAD / HTTP/1.0"), 505),
        (with_line(&request_with_line("HEAD / HTTP/1.1"), b"X : y"), 400),
        (format!("HEAD /{}", "x".repeat(9000)).into_bytes(), 414),
    ];
    for (bytes, status) in wrong {
        for cut in 0..bytes.len().min(60) {
            let mut server = server();
            let error = feed_in_pieces(&mut server, &bytes, &[cut]).0.unwrap_err();
            assert_eq!(error.status(), status);
            let mut out = Vec::new();
            server.reject(error, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            let len = error.to_string().len() + 1;
            assert!(text.contains(&format!("\r\nContent-Length: {len}\r\n")), "{text}");
            assert!(text.ends_with("\r\n\r\n"), "cut at {cut}: {text}");
        }
    }
    // And one that the server refuses before it is complete; other methods get their content.
    for (begun, has_content) in [("HEAD / HTTP/1.1\r\n", false), ("HEADS / HTTP/1.1\r\n", true)] {
        let mut server = server();
        assert_eq!(feed(&mut server, begun.as_bytes()).0, Ok(false));
        let mut out = Vec::new();
        server.reject(Rejection::new(408).unwrap().body("too late\n"), &mut out).unwrap();
        assert_eq!(out.ends_with(b"too late\n"), has_content, "{begun}");
    }
}

#[test]
fn b10_targets() {
    let served = [
        ("/", "/", None, "server.example.com"),
        ("/a/b%20c;d?e=f&g", "/a/b%20c;d", Some("e=f&g"), "server.example.com"),
        ("/?", "/", Some(""), "server.example.com"),
        ("//a", "//a", None, "server.example.com"),
        ("/a?b?c|{}", "/a", Some("b?c|{}"), "server.example.com"),
        ("http://other.example", "/", None, "other.example"),
        ("http://other.example:80/a?b", "/a", Some("b"), "other.example:80"),
        ("HTTPS://other.example?b", "/", Some("b"), "other.example"),
        ("ws://[::1]:9001/", "/", None, "[::1]:9001"),
        ("wss://a/b://c", "/b://c", None, "a"),
    ];
    for (target, path, query, host) in served {
        let bytes = request_with_line(&format!("GET {target} HTTP/1.1"));
        with_request(&bytes, |request| {
            assert_eq!(request.target(), target);
            assert_eq!((request.path(), request.query()), (path, query), "{target}");
            assert_eq!(request.host(), host, "{target}");
        });
    }
    let refused = [
        "*",
        "",
        "a.example:80",
        "chat",
        "/a#frag",
        "/%00",
        "/a%00b",
        "http:///a",
        "http://",
        "http:/a",
        "http://user@a/",
        "http://a b/",
        "ftp://a/",
        "http://a:b/",
        "http://:80/",
        "ws://[::1/",
        "://a/",
        "/\u{e4}",
        "?a",
    ];
    for target in refused {
        let bytes = request_with_line(&format!("GET {target} HTTP/1.1"));
        let error: HandshakeError = match target {
            "http://a b/" => HeadError::StartLine.into(), // a space ends the target
            _ => RequestError::Target.into(),
        };
        assert_refused(target, &bytes, error, 400);
    }
    let spaces = request_with_line("GET /a b HTTP/1.1");
    assert_refused("space", &spaces, HeadError::StartLine, 400);
    let long = request_with_line(&format!("GET /{} HTTP/1.1", "x".repeat(8 << 10)));
    let error = HeadError::StartLineTooLong { start_line_size_max: 8 << 10 };
    assert_refused("8 KiB path", &long, error, 414);
}

#[test]
fn b11_host_exactly_once_and_not_empty() {
    let error = Some(RequestError::Host);
    let rows: [(&[&str], _); 24] = [
        (&["a:"], None),
        (&["a.example.:9001"], None),
        (&["[::1]"], None),
        (&["127.0.0.1:9001"], None),
        (&[":80"], error),
        (&["a:b"], error),
        (&["a:80:90"], error),
        (&["a:80, b"], error),
        (&["::1"], error),
        (&["[::1"], error),
        (&["[]"], error),
        (&["[::1]a"], error),
        (&["a:b:c:[["], error),
        (&["a%zz"], error),
        (&[], error),
        (&["a", "a"], error),
        (&["a", "b"], error),
        (&[""], error),
        (&["   "], error),
        (&["a b"], error),
        (&["user@a"], error),
        (&["a/b"], error),
        (&["\u{e4}"], error),
        (&["[2001:db8::1]:8080"], None),
    ];
    judge_header("Host", &rows, 400);
}

#[test]
fn b12_upgrade_lists_websocket() {
    let error = Some(RequestError::Upgrade);
    let rows: [(&[&str], _); 11] = [
        (&["WebSocket"], None),
        (&["WEBSOCKET"], None),
        (&["websocket, foo"], None),
        (&["foo,\t websocket ,"], None),
        (&["foo", "websocket"], None),
        (&["foo"], error),
        (&["websockets"], error),
        (&["web socket"], error),
        (&["websocket/13"], error),
        (&[""], error),
        (&[], error),
    ];
    judge_header("Upgrade", &rows, 426);
}

#[test]
fn b13_connection_lists_upgrade() {
    let error = Some(RequestError::Connection);
    let rows: [(&[&str], _); 10] = [
        (&["keep-alive, Upgrade"], None),
        (&["UPGRADE"], None),
        (&["keep-alive", "upgrade"], None),
        (&[" ,upgrade\t,"], None),
        (&["Upgraded"], error),
        (&["close"], error),
        (&["keep-alive Upgrade"], error),
        (&["\"Upgrade\""], error),
        (&[""], error),
        (&[], error),
    ];
    judge_header("Connection", &rows, 400);
}

#[test]
fn b14_s4_4_another_version_is_answered_with_13() {
    let error = Some(RequestError::Version);
    let rows: [(&[&str], _); 11] = [
        (&[" 13 "], None),
        (&[], error),
        (&[""], error),
        (&["8"], error),
        (&["12"], error),
        (&["14"], error),
        (&["013"], error),
        (&["13, 8"], error),
        (&["13", "13"], error),
        (&["13", "8"], error),
        (&["99999999999"], error),
    ];
    judge_header("Sec-WebSocket-Version", &rows, 426);
    let text = refusal(&request(&[("Sec-WebSocket-Version", &["8"])]));
    assert_complete_response(
        &text,
        "HTTP/1.1 426 Upgrade Required",
        &["Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: close, Upgrade"],
    );
}

#[test]
fn b15_b16_the_key_is_16_bytes_in_base64_on_one_line() {
    let error = Some(RequestError::Key);
    let padded = format!(" \t{ENCODED_KEY}\t ");
    let inner_space = "dGhlIHNhbXBs ZSBub25jZQ==";
    let rows: [(&[&str], _); 17] = [
        (&[&padded], None),
        (&["AQIDBAUGBwgJCgsMDQ4PEC=="], None), // the RFC's example, not canonical
        (&["AAAAAAAAAAAAAAAAAAAAAP=="], None), // all four unused bits set
        (&["////////////////////+w=="], None),
        (&[], error),
        (&[""], error),
        (&[ENCODED_KEY, ENCODED_KEY], error),
        (&["AAAAAAAAAAAAAAAAAAAA"], error),      // 15 bytes
        (&["AAAAAAAAAAAAAAAAAAAAAAA="], error),  // 17 bytes
        (&["AAAAAAAAAAAAAAAAAAAAAAAA"], error),  // 18 bytes
        (&["dGhlIHNhbXBsZSBub25jZQ"], error),    // no padding
        (&["dGhlIHNhbXBsZSBub25jZQ==="], error), // 25 characters
        (&["dGhlIHNhbXBsZSBub25jZQ=A"], error),
        (&[inner_space], error),
        (&["dGhlIHNhbXBsZSBub25j%Q=="], error),
        (&["dGhlIHNhbXBsZSBub-_jZQ=="], error), // the alphabet for URLs
        (&["\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}ZQ=="], error),
    ];
    judge_header("Sec-WebSocket-Key", &rows, 400);
}

#[test]
fn b17_a_request_with_a_body_is_refused() {
    let length = Some(RequestError::Body);
    let rows: [(&[&str], _); 9] = [
        (&["0"], None),
        (&["00"], None),
        (&["5"], length),
        (&["-1"], length),
        (&["+0"], length),
        (&[""], length),
        (&["0", "5"], length),
        (&["0, 5"], length),
        (&["99999999999999999999999999"], length),
    ];
    judge_header("Content-Length", &rows, 400);
    judge_header("content-length", &[(&["5"], length)], 400);
    for coding in ["chunked", "identity", ""] {
        judge_header("Transfer-Encoding", &[(&[coding], length)], 400);
    }
    let both: [Change<'_>; 2] = [("Content-Length", &["0"]), ("Transfer-Encoding", &["chunked"])];
    assert_refused("both", &request(&both), RequestError::Body, 400);
}

#[test]
fn b19_r36_nothing_is_parsed_after_a_refusal() {
    let pipelined = [request(&[("Host", &[])]), request_with_line("GET /admin HTTP/1.1")].concat();
    let mut server = server();
    let (result, left) = feed(&mut server, &pipelined);
    let error = HandshakeError::from(RequestError::Host);
    assert_eq!(result, Err(error));
    assert_eq!(left, request_with_line("GET /admin HTTP/1.1"), "the second request is not taken");
    assert_eq!(feed(&mut server, &left), (Err(error), left.clone()));
    assert!(server.request().is_none());
    let mut out = Vec::new();
    assert_eq!(server.accept(&Acceptance::new(), &mut out), Err(HandshakeMisuse::NoRequest));
    assert!(out.is_empty());
    server.reject(error, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_complete_response(&text, "HTTP/1.1 400 Bad Request", &["Connection: close"]);
    let rejected = HandshakeError::Rejected { status: 400 };
    assert_eq!(feed(&mut server, &left), (Err(rejected), left.clone()));
}

#[test]
fn b20_origin_is_shown_whole_or_refused() {
    for origin in ["http://example.com", "null", "http://a:b", "https://amydomain.com"] {
        with_request(&request(&[("Origin", &[origin])]), |request| {
            assert_eq!(request.origin(), Some(origin));
        });
    }
    with_request(&request(&[]), |request| assert_eq!(request.origin(), None));
    let error = Some(RequestError::Origin);
    let rows: [(&[&str], _); 4] = [
        (&["http://a", "http://a"], error),
        (&[""], error),
        (&["http://a http://b"], error),
        (&["http://\u{e4}"], error),
    ];
    judge_header("Origin", &rows, 400);
}

#[test]
fn b20_a_foreign_origin_is_the_servers_to_refuse() {
    let mut server = server();
    let outcome = feed(&mut server, &request(&[("Origin", &["http://evil.example"])]));
    assert_eq!(outcome.0, Ok(true));
    let mut out = Vec::new();
    let rejection = Rejection::new(403).unwrap().body("foreign origin\n");
    server.reject(rejection, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n\r\nforeign origin\n"
    );
    let rejected = HandshakeError::Rejected { status: 403 };
    assert_eq!(feed(&mut server, b"\x81\x80").0, Err(rejected));
    assert_eq!(rejected.status(), 403);
}

#[test]
fn b21_r31_subprotocols() {
    let offered = |values: &[&str]| {
        let bytes = request(&[("Sec-WebSocket-Protocol", values)]);
        with_request(&bytes, |request| request.subprotocols().map(String::from).collect::<Vec<_>>())
    };
    assert_eq!(offered(&["chat"]), ["chat"]);
    assert_eq!(offered(&["chat,superchat"]), ["chat", "superchat"]);
    assert_eq!(offered(&["a , b", "c"]), ["a", "b", "c"], "several lines are one list");
    assert_eq!(offered(&["a, b, a", "b"]), ["a", "b"], "a double counts once");
    assert_eq!(offered(&["a,, ,b,"]), ["a", "b"], "empty elements are skipped");
    assert_eq!(offered(&["Chat, chat"]), ["Chat", "chat"], "case matters");
    let many: Vec<String> = (0..64).map(|i| format!("p{i}")).collect();
    assert_eq!(offered(&[&many.join(",")]), many);

    let error = Some(RequestError::Subprotocols);
    let too_many = format!("{},p64", many.join(","));
    let spaces = format!("b{}x", " ".repeat(8000));
    let rows: [(&[&str], _); 7] = [
        (&[""], error),
        (&[" , ,"], error),
        (&["a b"], error),
        (&["a;b"], error),
        (&["\u{e4}"], error),
        (&[&too_many], error),
        (&[&spaces], error),
    ];
    judge_header("Sec-WebSocket-Protocol", &rows, 400);
}

#[test]
fn b21_r31_64_ki_spaces_in_a_list() {
    let limits = HandshakeLimits::default().with_head_size_max(1 << 20);
    let spaces = format!("b{}x", " ".repeat(64 << 10));
    for (name, error) in [
        ("Sec-WebSocket-Protocol", RequestError::Subprotocols),
        ("Sec-WebSocket-Extensions", RequestError::Extensions),
    ] {
        let bytes = request(&[(name, &[&spaces])]);
        let outcome = feed(&mut ServerHandshake::new(limits), &bytes).0;
        assert_eq!(outcome, Err(error.into()), "{name}");
        assert_refused(name, &bytes, HeadError::TooLarge { head_size_max: 16 << 10 }, 431);
    }
}

#[test]
fn s4_2_1_names_compare_without_regard_to_case_and_white_space_is_trimmed() {
    let bytes = b"GET / HTTP/1.1\r\nhost:a\r\nUPGRADE:\t websocket\t \r\ncOnNeCtIoN:upgrade\r\n\
        sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-WEBSOCKET-VERSION:13 \r\n\r\n";
    assert_served("case", bytes);
}

#[test]
fn e17_a_health_check_gets_426_with_a_body() {
    let text = refusal(b"GET /health HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
    assert_complete_response(
        &text,
        "HTTP/1.1 426 Upgrade Required",
        &["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Connection: close, Upgrade"],
    );
    assert!(text.ends_with("\r\n\r\nUpgrade does not list websocket\n"));
}

#[test]
fn every_refusal_is_a_complete_response() {
    let long = "x".repeat(20_000);
    let rows: [(Vec<u8>, &str, &[&str]); 6] = [
        (request(&[("Host", &[])]), "HTTP/1.1 400 Bad Request", &[]),
        (request_with_line("POST / HTTP/1.1"), "HTTP/1.1 405 Method Not Allowed", &["Allow: GET"]),
        (format!("GET /{long}").into_bytes(), "HTTP/1.1 414 URI Too Long", &[]),
        (
            with_line(&request(&[]), format!("X: {long}").as_bytes()),
            "HTTP/1.1 431 Request Header Fields Too Large",
            &[],
        ),
        (
            request_with_line("GET / HTTP/1.0"),
            "HTTP/1.1 505 HTTP Version Not Supported",
            &["Connection: close"],
        ),
        (b"\x16\x03\x01".to_vec(), "HTTP/1.1 400 Bad Request", &["Connection: close"]),
    ];
    for (bytes, status_line, headers) in rows {
        assert_complete_response(&refusal(&bytes), status_line, headers);
    }
}

#[test]
fn b04_a_server_may_refuse_before_the_request_is_complete() {
    let mut server = server();
    assert_eq!(feed(&mut server, b"GET / HTTP/1.1\r\nX: ").0, Ok(false));
    let mut out = Vec::new();
    server.reject(Rejection::new(408).unwrap(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let rejected = Err(HandshakeError::Rejected { status: 408 });
    assert_eq!(feed(&mut server, b"y\r\n\r\n").0, rejected);
    assert_eq!(server.receive_eof(), rejected.map(|_| ()));
}

#[test]
fn a_request_is_answered_once() {
    let mut server = server();
    let mut out = Vec::new();
    assert_eq!(server.accept(&Acceptance::new(), &mut out), Err(HandshakeMisuse::NoRequest));
    assert_eq!(feed(&mut server, &request(&[])).0, Ok(true));
    server.accept(&Acceptance::new(), &mut out).unwrap();
    assert!(server.request().is_some(), "the request stays readable");
    let answered = out.clone();
    let again = Err(HandshakeMisuse::NoRequest);
    assert_eq!(server.accept(&Acceptance::new(), &mut out), again);
    assert_eq!(server.reject(Rejection::new(403).unwrap(), &mut out), again);
    assert_eq!(out, answered);
}

#[test]
fn r35_the_101_does_not_say_close() {
    let mut server = server();
    assert_eq!(feed(&mut server, &request(&[("Connection", &["close, Upgrade"])])).0, Ok(true));
    let mut out = Vec::new();
    server.accept(&Acceptance::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap().to_ascii_lowercase();
    assert!(text.contains("\r\nconnection: upgrade\r\n"));
    assert!(!text.contains("close"));
}

#[test]
fn b08_values_beyond_ascii_are_kept_as_bytes() {
    let head = with_line(&request(&[]), b"X-Name: \xff\xe4 \x80");
    with_request(&head, |request| {
        assert_eq!(request.header("x-name"), Some(&b"\xff\xe4 \x80"[..]));
    });
    assert_eq!(serve(&head), Ok(true));
}
