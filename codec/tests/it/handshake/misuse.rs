//! What the user of the crate may not put into a handshake: rows B34, B36 and R32 of the catalogue
//! of hostile inputs.

use crate::handshake_support::{KEY, feed, request, server};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, ExtensionWriter, HandshakeKey, HandshakeMisuse,
    Rejection,
};

fn valid() -> ClientRequest {
    ClientRequest::new("a", "/").unwrap()
}

#[test]
fn b34_r32_targets() {
    let rows = [
        ("CR LF", "/\r\nX: y", 1),
        ("LF", "/a\nb", 2),
        ("CR", "/a\rb", 2),
        ("NUL", "/\0", 1),
        ("DEL", "/a\u{7f}", 2),
        ("space", "/a b", 2),
        ("tab", "/a\tb", 2),
        ("beyond ASCII", "/\u{e4}", 1),
        ("fragment", "/a#b", 2),
        ("encoded NUL", "/a%00", 2),
        ("fragment, then encoded NUL", "/#%00", 1),
        ("encoded NUL, then fragment", "/%00#", 1),
        ("no slash", "a", 0),
        ("empty", "", 0),
        ("asterisk", "*", 0),
        ("absolute", "http://a/", 0),
        ("query alone", "?a", 0),
    ];
    for (name, target, at) in rows {
        let error = ClientRequest::new("a", target).unwrap_err();
        assert_eq!(error, HandshakeMisuse::Target { at }, "{name}");
    }
    for target in ["/", "/a/b?c=d&e", "/%20", "//", "/a|b{}\"<>\\^`"] {
        assert!(ClientRequest::new("a", target).is_ok(), "{target}");
    }
}

#[test]
fn b34_b36_r32_hosts() {
    let rows = [
        ("CR LF", "a\r\nX: y", 1),
        ("NUL", "a\0", 1),
        ("DEL", "a\u{7f}", 1),
        ("space", "a b", 1),
        ("beyond ASCII", "b\u{fc}cher.example", 1),
        ("user information", "user@a", 4),
        ("a port of letters", "a:b", 2),
        ("two ports", "a:80:90", 4),
        ("no host", ":80", 0),
        ("an address without brackets", "::1", 0),
        ("half a bracket", "[::1", 4),
        ("path", "a/b", 1),
        ("query", "a?b", 1),
        ("fragment", "a#b", 1),
        ("backslash", "a\\b", 1),
        ("empty", "", 0),
    ];
    for (name, host, at) in rows {
        let error = ClientRequest::new(host, "/").unwrap_err();
        assert_eq!(error, HandshakeMisuse::Host { at }, "{name}");
    }
    for host in
        ["a", "a.example:8080", "[::1]", "[fe80::1%25eth0]:80", "a.", "xn--bcher-kva.example"]
    {
        assert!(ClientRequest::new(host, "/").is_ok(), "{host}");
    }
}

#[test]
fn b34_r32_headers() {
    let value = |at, byte| HandshakeMisuse::HeaderValue { at, byte };
    let rows = [
        ("X", "a\r\nY: z", value(1, b'\r')),
        ("X", "a\nb", value(1, b'\n')),
        ("X", "\0", value(0, 0)),
        ("X", "a\u{7f}", value(1, 0x7f)),
        ("X", "\u{1b}[31m", value(0, 0x1b)),
        ("X", "\u{e4}", value(0, 0xc3)),
        ("", "a", HandshakeMisuse::HeaderName),
        ("X Y", "a", HandshakeMisuse::HeaderName),
        ("X:", "a", HandshakeMisuse::HeaderName),
        ("X\r\nY", "a", HandshakeMisuse::HeaderName),
        ("X\0", "a", HandshakeMisuse::HeaderName),
        ("\u{e4}", "a", HandshakeMisuse::HeaderName),
        ("Host", "a", HandshakeMisuse::HeaderReserved),
        ("host", "a", HandshakeMisuse::HeaderReserved),
        ("Connection", "close", HandshakeMisuse::HeaderReserved),
        ("UPGRADE", "h2c", HandshakeMisuse::HeaderReserved),
        ("Content-Length", "5", HandshakeMisuse::HeaderReserved),
        ("Transfer-Encoding", "chunked", HandshakeMisuse::HeaderReserved),
        ("Sec-WebSocket-Key", "a", HandshakeMisuse::HeaderReserved),
        ("sec-websocket-protocol", "a", HandshakeMisuse::HeaderReserved),
        ("Sec-WebSocket-", "a", HandshakeMisuse::HeaderReserved),
        ("Sec-WebSocket-Anything", "a", HandshakeMisuse::HeaderReserved),
    ];
    for (name, value, error) in rows {
        assert_eq!(valid().header(name, value).unwrap_err(), error, "request {name:?}");
        let acceptance = Acceptance::new().header(name, value);
        assert_eq!(acceptance.unwrap_err(), error, "acceptance {name:?}");
        let rejection = Rejection::new(403).unwrap().header(name, value);
        assert_eq!(rejection.unwrap_err(), error, "rejection {name:?}");
    }
    for (name, value) in [("X", ""), ("X", "a\tb c"), ("Sec-WebSocke", "a"), ("Hosts", "a")] {
        assert!(valid().header(name, value).is_ok(), "{name}");
    }
}

#[test]
fn b34_r32_origins() {
    for (origin, at, byte) in
        [("http://a\r\nX: y", 8, b'\r'), ("a b", 1, b' '), ("\u{e4}", 0, 0xc3), ("a\t", 1, b'\t')]
    {
        let error = valid().origin(origin).unwrap_err();
        assert_eq!(error, HandshakeMisuse::HeaderValue { at, byte }, "{origin:?}");
    }
    assert!(valid().origin("null").is_ok());
}

#[test]
fn b34_r32_subprotocols() {
    for name in ["", "a b", "a,b", "a\r\nX: y", "a\0", "a\u{7f}", "\u{e4}", "a;b", "\"a\""] {
        let error = HandshakeMisuse::Subprotocol;
        assert_eq!(valid().subprotocol(name).unwrap_err(), error, "{name:?}");
        assert_eq!(Acceptance::new().subprotocol(name).unwrap_err(), error, "{name:?}");
    }
    let once = valid().subprotocol("a").unwrap();
    assert_eq!(once.clone().subprotocol("a").unwrap_err(), HandshakeMisuse::SubprotocolDoubled);
    assert!(once.subprotocol("A").is_ok(), "case matters");
}

#[test]
fn b34_extensions() {
    for name in ["", "a b", "a,b", "a;b", "a=b", "a\r\nX: y", "\u{e4}", "\"a\""] {
        let mut writer = ExtensionWriter::new();
        let error = HandshakeMisuse::Extension;
        assert_eq!(writer.extension(name).unwrap_err(), error, "{name:?}");
        writer.extension("x").unwrap();
        assert_eq!(writer.flag(name).unwrap_err(), error, "{name:?}");
        assert_eq!(writer.value(name, "y").unwrap_err(), error, "{name:?}");
        assert_eq!(writer.value("y", name).unwrap_err(), error, "{name:?}");
        assert_eq!(writer.as_str(), "x", "nothing was written");
    }
    let error = HandshakeMisuse::Extension;
    assert_eq!(ExtensionWriter::new().flag("a").unwrap_err(), error);
    assert_eq!(ExtensionWriter::new().value("a", "b").unwrap_err(), error);
}

#[test]
fn a_subprotocol_that_was_not_offered_is_not_accepted() {
    for offered in [&[][..], &["chat"]] {
        let mut server = server();
        assert_eq!(feed(&mut server, &request(&[("Sec-WebSocket-Protocol", offered)])).0, Ok(true));
        let mut out = Vec::new();
        for selected in ["other", "Chat", "cha"] {
            let acceptance = Acceptance::new().subprotocol(selected).unwrap();
            let result = server.accept(&acceptance, &mut out);
            assert_eq!(result, Err(HandshakeMisuse::SubprotocolNotOffered));
        }
        assert!(out.is_empty());
        server.accept(&Acceptance::new(), &mut out).unwrap();
    }
}

#[test]
fn statuses_that_refuse() {
    for status in [0, 99, 100, 101, 199, 204, 205, 304, 600, u16::MAX] {
        assert_eq!(Rejection::new(status), Err(HandshakeMisuse::Status { status }));
    }
    for status in [200, 302, 401, 403, 404, 418, 429, 500, 503, 599] {
        assert_eq!(Rejection::new(status).unwrap().status(), status);
    }
}

/// As RFC 9110, 15, and RFC 6585 have them.
#[test]
fn a_refusal_says_the_reason_phrase_of_its_status() {
    let rows = "200 OK,301 Moved Permanently,302 Found,303 See Other,307 Temporary Redirect,\
        308 Permanent Redirect,400 Bad Request,401 Unauthorized,403 Forbidden,404 Not Found,\
        405 Method Not Allowed,408 Request Timeout,414 URI Too Long,426 Upgrade Required,\
        429 Too Many Requests,431 Request Header Fields Too Large,500 Internal Server Error,\
        501 Not Implemented,502 Bad Gateway,503 Service Unavailable,504 Gateway Timeout,\
        505 HTTP Version Not Supported,418 ,599 ";
    for row in rows.split(',') {
        let mut out = Vec::new();
        let status = row[..3].parse().unwrap();
        server().reject(Rejection::new(status).unwrap(), &mut out).unwrap();
        let line = format!("HTTP/1.1 {row}\r\n");
        assert!(out.starts_with(line.as_bytes()), "{}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn a_buffer_with_just_enough_room_is_filled() {
    let mut whole = Vec::new();
    server().reject(Rejection::new(403).unwrap(), &mut whole).unwrap();
    let mut memory = vec![0; whole.len()];
    let mut out = &mut memory[..whole.len() - 1];
    let needed = whole.len();
    let refused = server().reject(Rejection::new(403).unwrap(), &mut out);
    assert_eq!(refused, Err(HandshakeMisuse::BufferFull { needed }));
    server().reject(Rejection::new(403).unwrap(), &mut &mut memory[..]).unwrap();
    assert_eq!(memory, whole);
}

#[test]
fn a_buffer_without_room_is_left_as_it_was() {
    let mut memory = [0_u8; 40];
    let mut out = &mut memory[..];
    let started = ClientHandshake::start_with_key(&valid(), HandshakeKey::new(*KEY), &mut out);
    assert!(matches!(started, Err(HandshakeMisuse::BufferFull { needed: 41.. })));
    let mut server = server();
    assert_eq!(feed(&mut server, &request(&[])).0, Ok(true));
    let accepted = server.accept(&Acceptance::new(), &mut out);
    assert!(matches!(accepted, Err(HandshakeMisuse::BufferFull { needed: 41.. })));
    let rejected = server.reject(Rejection::new(403).unwrap(), &mut out);
    assert!(matches!(rejected, Err(HandshakeMisuse::BufferFull { needed: 41.. })));
    assert_eq!(out.len(), 40);
    assert_eq!(memory, [0; 40]);
    server.accept(&Acceptance::new(), &mut Vec::new()).unwrap();
}

#[test]
fn a_rejection_keeps_the_users_content_type() {
    let mut out = Vec::new();
    let rejection = Rejection::new(503)
        .and_then(|rejection| rejection.header("Content-Type", "application/json"))
        .and_then(|rejection| rejection.header("Retry-After", "5"))
        .unwrap()
        .body("{}");
    server().reject(rejection, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\
         Content-Type: application/json\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\n{}"
    );
}
