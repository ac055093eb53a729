//! The head of either side's message: rows B01-B08, B28-B33, R29, R30, R33, R34 of the catalogue of
//! hostile inputs.

use crate::handshake_support::{
    Side, assert_accepted, assert_failed, assert_refused, assert_served, client, feed,
    feed_in_pieces, request, request_with_line, response, response_with_line, server,
    with_first_line_end, with_line,
};
use wscodec::handshake::{
    ClientHandshake, HandshakeError, HandshakeLimits, HeadError, RequestError, ServerHandshake,
};

const TOO_LARGE: HeadError = HeadError::TooLarge { head_size_max: 16 << 10 };
const TOO_MANY: HeadError = HeadError::TooManyHeaders { headers_max: 100 };
const LINE_TOO_LONG: HeadError = HeadError::StartLineTooLong { start_line_size_max: 8 << 10 };

/// A head that is wrong for both sides alike, made from the right one.
#[track_caller]
fn assert_both_refuse(name: &str, spoil: impl Fn(&[u8]) -> Vec<u8>, error: HeadError, status: u16) {
    assert_refused(name, &spoil(&request(&[])), error, status);
    assert_failed(name, &spoil(&response(&[])), error);
}

#[test]
fn b01_a_head_beyond_its_limit_is_431_in_one_line_and_over_many() {
    let one_line = |head: &[u8]| with_line(head, format!("X: {}", "x".repeat(20_000)).as_bytes());
    assert_both_refuse("one line", one_line, TOO_LARGE, 431);
    let many_lines = |head: &[u8]| {
        let line = format!("X: {}", "x".repeat(500));
        (0..50).fold(head.to_vec(), |head, _| with_line(&head, line.as_bytes()))
    };
    assert_both_refuse("many lines", many_lines, TOO_LARGE, 431);
    let endless =
        |head: &[u8]| [&head[..head.len() - 2], "X: y\r\n".repeat(50).as_bytes()].concat();
    let unfinished = endless(&request(&[]));
    assert_eq!(feed(&mut server(), &unfinished), (Ok(false), vec![]), "below the limits it waits");
}

#[test]
fn b01_the_limits_are_exact() {
    let head = request(&[]);
    let line_len = b"GET /chat HTTP/1.1".len();
    let exact = HandshakeLimits::default()
        .with_head_size_max(head.len())
        .with_start_line_size_max(line_len)
        .with_headers_max(5);
    let serve = |limits| feed(&mut ServerHandshake::new(limits), &head).0;
    assert_eq!(serve(exact), Ok(true));
    let head_size_max = head.len() - 1;
    assert_eq!(
        serve(exact.with_head_size_max(head_size_max)),
        Err(HeadError::TooLarge { head_size_max }.into())
    );
    let start_line_size_max = line_len - 1;
    assert_eq!(
        serve(exact.with_start_line_size_max(start_line_size_max)),
        Err(HeadError::StartLineTooLong { start_line_size_max }.into())
    );
    assert_eq!(
        serve(exact.with_headers_max(4)),
        Err(HeadError::TooManyHeaders { headers_max: 4 }.into())
    );
    let nothing = exact.with_head_size_max(0);
    assert_eq!(serve(nothing), Err(HeadError::TooLarge { head_size_max: 0 }.into()));
    let mut client = client().with_limits(HandshakeLimits::default().with_headers_max(2));
    let error = HeadError::TooManyHeaders { headers_max: 2 };
    assert_eq!(feed(&mut client, &response(&[])).0, Err(error.into()));
}

#[test]
fn b01_a_start_line_beyond_its_limit_is_414() {
    let long = "x".repeat(8 << 10);
    assert_refused("target", format!("GET /{long}").as_bytes(), LINE_TOO_LONG, 414);
    assert_refused("method", "G".repeat(9000).as_bytes(), LINE_TOO_LONG, 414);
    assert_failed("reason", format!("HTTP/1.1 101 {long}").as_bytes(), LINE_TOO_LONG);
}

#[test]
fn b02_more_headers_than_the_limit_are_431() {
    let with_headers = |count: usize| {
        move |head: &[u8]| (0..count).fold(head.to_vec(), |head, _| with_line(&head, b"X: y"))
    };
    assert_served("95 and 5", &with_headers(95)(&request(&[])));
    assert_accepted("97 and 3", &with_headers(97)(&response(&[])));
    assert_both_refuse("98", with_headers(98), TOO_MANY, 431);
}

#[test]
fn b02_r30_two_thousand_tiny_headers_before_the_needed_ones_are_431() {
    const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~";
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    let names = LETTERS.iter().flat_map(|a| LETTERS.iter().map(move |b| [*a, *b]));
    for name in names.take(2000) {
        head.extend_from_slice(&name);
        head.extend_from_slice(b":x\r\n");
    }
    head.extend_from_slice(&request(&[])[b"GET /chat HTTP/1.1\r\n".len()..]);
    assert_refused("R30", &head, TOO_MANY, 431);
}

#[test]
fn b03_r29_a_head_byte_by_byte_is_the_same_as_at_once() {
    let limits = HandshakeLimits::default().with_head_size_max(64 << 10);
    let line = format!("X: {}", "x".repeat(60_000));
    let head = with_line(&request(&[]), line.as_bytes());
    let ones = vec![1; head.len()];
    let outcome = feed_in_pieces(&mut ServerHandshake::new(limits), &head, &ones);
    assert_eq!(outcome, (Ok(true), vec![]));
    // How often each byte is looked at is counted in codec/src/handshake/head.rs.
}

#[test]
fn b03_r29_twenty_megabytes_of_header_stop_at_the_limit() {
    let head = [b"GET / HTTP/1.1\r\nX: ", "x".repeat(20 << 20).as_bytes()].concat();
    assert_refused("R29", &head, TOO_LARGE, 431);
    let (result, left) = feed_in_pieces(&mut server(), &head, &vec![1000; 100]);
    assert_eq!(result, Err(TOO_LARGE.into()));
    assert_eq!(left.len(), head.len() - 16_000, "nothing is taken after the limit");
}

#[test]
fn b05_bare_lf_is_refused() {
    let first_line = |head: &[u8]| with_first_line_end(head, b"\n");
    assert_both_refuse("after the start line", first_line, HeadError::BareLf, 400);
    let header = |head: &[u8]| with_line(head, b"X: y\nZ: z");
    assert_both_refuse("after a header", header, HeadError::BareLf, 400);
    let blank = |head: &[u8]| [&head[..head.len() - 2], b"\n"].concat();
    assert_both_refuse("as the blank line", blank, HeadError::BareLf, 400);
    let all = |head: &[u8]| String::from_utf8_lossy(head).replace("\r\n", "\n").into_bytes();
    assert_both_refuse("everywhere", all, HeadError::BareLf, 400);
}

#[test]
fn b05_bare_cr_is_refused() {
    let first_line = |head: &[u8]| with_first_line_end(head, b"\r");
    assert_both_refuse("after the start line", first_line, HeadError::BareCr, 400);
    for line in [&b"X: y\rZ: z"[..], b"X: y\r", b"X: \r\r"] {
        let header = |head: &[u8]| with_line(head, line);
        assert_both_refuse("in a header", header, HeadError::BareCr, 400);
    }
    let blank = |head: &[u8]| [&head[..head.len() - 2], b"\rX"].concat();
    assert_both_refuse("in the blank line", blank, HeadError::BareCr, 400);
}

#[test]
fn b05_cr_cr_lf_is_refused() {
    let first_line = |head: &[u8]| with_first_line_end(head, b"\r\r\n");
    assert_both_refuse("after the start line", first_line, HeadError::BareCr, 400);
    let blank = |head: &[u8]| [&head[..head.len() - 2], b"\r\r\n"].concat();
    assert_both_refuse("as the blank line", blank, HeadError::BareCr, 400);
}

#[test]
fn b05_an_empty_line_before_the_start_line_is_refused() {
    for start in [&b"\r\n"[..], b"\n", b"\r\n\r\n"] {
        let spoil = |head: &[u8]| [start, head].concat();
        let error = HeadError::NotHttp { at: 0, byte: start[0] };
        assert_both_refuse("empty line", spoil, error, 400);
    }
}

#[test]
fn b06_folded_headers_are_refused_by_both_sides() {
    for folded in [&b"X: a\r\n b"[..], b"X: a\r\n\tb", b"X:\r\n a", b"X: a\r\n  "] {
        let spoil = |head: &[u8]| with_line(head, folded);
        assert_both_refuse("folding", spoil, HeadError::Folding, 400);
    }
}

#[test]
fn b07_white_space_and_other_bytes_in_header_names_are_refused() {
    let rows: [(&str, &[u8], HeadError); 12] = [
        ("space before the colon", b"X : y", HeadError::HeaderName { byte: b' ' }),
        ("tab before the colon", b"X\t: y", HeadError::HeaderName { byte: b'\t' }),
        ("space in the name", b"X Y: y", HeadError::HeaderName { byte: b' ' }),
        ("empty name", b": y", HeadError::HeaderName { byte: b':' }),
        ("no colon", b"XYZ", HeadError::HeaderName { byte: b'\r' }),
        ("NUL", b"X\0: y", HeadError::HeaderName { byte: 0 }),
        ("separator", b"X(Y): y", HeadError::HeaderName { byte: b'(' }),
        ("quote", b"\"X\": y", HeadError::HeaderName { byte: b'"' }),
        ("beyond ASCII", b"X\xc3\xa4: y", HeadError::HeaderName { byte: 0xc3 }),
        ("DEL", b"X\x7f: y", HeadError::HeaderName { byte: 0x7f }),
        ("leading space", b" X: y", HeadError::Folding),
        ("leading tab", b"\tX: y", HeadError::Folding),
    ];
    for (name, line, error) in rows {
        assert_both_refuse(name, |head| with_line(head, line), error, 400);
    }
}

#[test]
fn b08_control_characters_in_values_are_refused_and_other_bytes_are_not() {
    for byte in 0..=255_u8 {
        let spoil = |head: &[u8]| with_line(head, &[b'X', b':', b' ', b'a', byte, b'b']);
        let name = format!("{byte:#04x}");
        match byte {
            b'\t' | b' '..=0x7e | 0x80.. => {
                assert_served(&name, &spoil(&request(&[])));
                assert_accepted(&name, &spoil(&response(&[])));
            }
            b'\r' => assert_both_refuse(&name, spoil, HeadError::BareCr, 400),
            b'\n' => assert_both_refuse(&name, spoil, HeadError::BareLf, 400),
            _ => assert_both_refuse(&name, spoil, HeadError::ControlCharacter { byte }, 400),
        }
    }
}

#[test]
fn b08_control_characters_in_the_start_line_are_refused() {
    for byte in [0, 1, 8, 0x0b, 0x1b, 0x7f] {
        let error = HeadError::ControlCharacter { byte };
        let byte = char::from(byte);
        let in_target = request_with_line(&format!("GET /a{byte}b HTTP/1.1"));
        assert_refused("target", &in_target, error, 400);
        let in_reason = response_with_line(&format!("HTTP/1.1 101 a{byte}b"));
        assert_failed("reason", &in_reason, error);
    }
    let tab = request_with_line("GET /a\tb HTTP/1.1");
    assert_refused("tab", &tab, RequestError::Target, 400);
}

#[test]
fn b30_status_lines() {
    let version = |major, minor| HandshakeError::Head(HeadError::Version { major, minor });
    let start_line = HandshakeError::Head(HeadError::StartLine);
    let not_http = |at, byte| HandshakeError::Head(HeadError::NotHttp { at, byte });
    let rows: [(&str, &str, Result<bool, HandshakeError>); 16] = [
        ("HTTP/1.0", "HTTP/1.0 101 Switching Protocols", Err(version(1, 0))),
        ("HTTP/2.0", "HTTP/2.0 101 Switching Protocols", Err(version(2, 0))),
        ("HTTP/1.2", "HTTP/1.2 101 Switching Protocols", Err(version(1, 2))),
        ("HTTP/1.10", "HTTP/1.10 101 Switching Protocols", Err(start_line)),
        ("HTTP/2", "HTTP/2 101 Switching Protocols", Err(start_line)),
        ("HTTP/x.y", "HTTP/x.y 101 Switching Protocols", Err(start_line)),
        ("ICY", "ICY 101 OK", Err(not_http(0, b'I'))),
        ("lower case", "http/1.1 101 OK", Err(not_http(0, b'h'))),
        ("no reason, no space", "HTTP/1.1 101", Ok(true)),
        ("no reason, space", "HTTP/1.1 101 ", Ok(true)),
        ("reason in UTF-8", "HTTP/1.1 101 Протоколы", Ok(true)),
        ("two digits", "HTTP/1.1 10 OK", Err(start_line)),
        ("four digits", "HTTP/1.1 1010 OK", Err(start_line)),
        ("two spaces", "HTTP/1.1  101 OK", Err(start_line)),
        ("letters", "HTTP/1.1 1O1 OK", Err(start_line)),
        ("below 100", "HTTP/1.1 099 OK", Err(start_line)),
    ];
    for (name, line, expected) in rows {
        assert_eq!(crate::handshake_support::answer(&response_with_line(line)), expected, "{name}");
    }
}

#[test]
fn b32_the_end_of_the_stream_is_told_from_success() {
    for cut in 0..request(&[]).len() {
        let mut side = server();
        assert_eq!(feed(&mut side, &request(&[])[..cut]).0, Ok(false));
        assert_eq!(side.receive_eof(), Err(HandshakeError::UnexpectedEof));
        let after = feed(&mut side, &request(&[]));
        assert_eq!(after, (Err(HandshakeError::UnexpectedEof), request(&[])), "it stays failed");
    }
    for cut in 0..response(&[]).len() {
        let mut side = client();
        assert_eq!(feed(&mut side, &response(&[])[..cut]).0, Ok(false));
        assert_eq!(side.receive_eof(), Err(HandshakeError::UnexpectedEof));
        let after = feed(&mut side, &response(&[]));
        assert_eq!(after, (Err(HandshakeError::UnexpectedEof), response(&[])), "it stays failed");
    }
    let mut side = server();
    assert_eq!(feed(&mut side, &request(&[])).0, Ok(true));
    assert_eq!(side.receive_eof(), Ok(()));
    let mut side = client();
    assert_eq!(feed(&mut side, &response(&[])).0, Ok(true));
    assert_eq!(side.receive_eof(), Ok(()));
    let mut side = client();
    assert!(feed(&mut side, b"SSH").0.is_err());
    assert_eq!(side.receive_eof(), Err(HeadError::NotHttp { at: 0, byte: b'S' }.into()));
}

#[test]
fn b33_what_is_not_http_fails_at_its_first_wrong_byte() {
    let rows: [(&str, &[u8], usize); 7] = [
        ("TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0),
        ("SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n", 0),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        ("FTP greeting", b"220 ready\r\n", 0),
        ("SMTP greeting", b"HELO", 1),
        ("almost HTTP", b"HTTPS/1.1 101 OK\r\n", 4),
        ("HTTP/2 SETTINGS frame", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", 0),
    ];
    for (name, bytes, at) in rows {
        let error = HeadError::NotHttp { at, byte: bytes[at] };
        assert_eq!(feed(&mut client(), &bytes[..at]).0, Ok(false), "{name}");
        assert_failed(name, &bytes[..=at], error);
    }
    let hello = b"\x16\x03\x01";
    assert_refused("TLS", hello, HeadError::NotHttp { at: 0, byte: 0x16 }, 400);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_refused("HTTP/2", preface, HeadError::Version { major: 2, minor: 0 }, 505);
    assert_refused("space", b" GET", HeadError::NotHttp { at: 0, byte: b' ' }, 400);
}

/// Each cut, and each pair of cuts, of a head with frames behind it: the same result, and the same
/// bytes left.
#[track_caller]
fn assert_same_at_every_split<S: Side>(bytes: &[u8], side: impl Fn() -> S) {
    let whole = feed(&mut side(), bytes);
    for first in 0..=bytes.len() {
        let cut = feed_in_pieces(&mut side(), bytes, &[first]);
        assert_eq!(cut, whole, "cut at {first} of {:?}", String::from_utf8_lossy(bytes));
        for second in [1, 2, 3, 7] {
            let cut = feed_in_pieces(&mut side(), bytes, &[first, second]);
            assert_eq!(cut, whole, "cut at {first} and {second} bytes later");
        }
    }
    let ones = vec![1; bytes.len()];
    assert_eq!(feed_in_pieces(&mut side(), bytes, &ones), whole, "byte by byte");
}

const FRAMES: &[u8] = b"\x81\x02hi\x82\x03\r\n\r\x89\x00\x81\x05hal";

#[test]
fn b28_r33_frames_glued_to_the_response_are_left_at_every_split() {
    let glued = [response(&[]), FRAMES.to_vec()].concat();
    assert_eq!(feed(&mut client(), &glued), (Ok(true), FRAMES.to_vec()));
    assert_same_at_every_split(&glued, client);
}

#[test]
fn b18_r34_frames_glued_to_the_request_are_left_at_every_split() {
    let glued = [request(&[]), FRAMES.to_vec()].concat();
    assert_eq!(feed(&mut server(), &glued), (Ok(true), FRAMES.to_vec()));
    assert_same_at_every_split(&glued, server);
}

#[test]
fn b29_frames_after_a_101_with_a_length_are_left_at_every_split() {
    let changes: [(&str, &[&str]); 2] =
        [("Content-Length", &["5"]), ("Transfer-Encoding", &["chunked"])];
    let glued = [response(&changes), FRAMES.to_vec()].concat();
    assert_eq!(feed(&mut client(), &glued), (Ok(true), FRAMES.to_vec()));
    assert_same_at_every_split(&glued, client);
}

#[test]
fn wrong_heads_fail_alike_at_every_split() {
    let wrong = [
        request(&[("Host", &[])]),
        request(&[("Upgrade", &["h2c"])]),
        request_with_line("POST / HTTP/1.1"),
        with_line(&request(&[]), b"X: a\r\n b"),
        with_first_line_end(&request(&[]), b"\n"),
        b"\x16\x03\x01\x02\x00".to_vec(),
    ];
    for bytes in wrong {
        let (whole, _) = feed(&mut server(), &bytes);
        assert!(whole.is_err());
        for cut in 0..=bytes.len() {
            assert_eq!(feed_in_pieces(&mut server(), &bytes, &[cut]).0, whole);
        }
    }
    let wrong = [
        response(&[("Sec-WebSocket-Accept", &[])]),
        response_with_line("HTTP/1.1 403 Forbidden"),
        with_line(&response(&[]), b"X : a"),
        b"SSH-2.0".to_vec(),
    ];
    for bytes in wrong {
        let (whole, _) = feed(&mut client(), &bytes);
        assert!(whole.is_err());
        for cut in 0..=bytes.len() {
            assert_eq!(feed_in_pieces(&mut client(), &bytes, &[cut]).0, whole);
        }
    }
}

#[test]
fn once_done_nothing_more_is_taken() {
    let mut side = server();
    assert_eq!(feed(&mut side, &request(&[])).0, Ok(true));
    assert_eq!(feed(&mut side, b"GET /admin"), (Ok(true), b"GET /admin".to_vec()));
    let mut side = client();
    assert_eq!(feed(&mut side, &response(&[])).0, Ok(true));
    assert_eq!(feed(&mut side, FRAMES), (Ok(true), FRAMES.to_vec()));
    assert_eq!(
        feed(&mut ServerHandshake::new(HandshakeLimits::default()), b""),
        (Ok(false), vec![])
    );
    let _: ClientHandshake = client();
}
