//! What the errors of the opening handshake say: status, name for counters, words; and that every
//! error stays.

use std::error::Error;

use crate::handshake_support::{KEY, client, feed, request, response, server};
use wscodec::handshake::{
    ClientExtensions, ExtensionMismatch, ExtensionWriter, HandshakeError, HandshakeKey,
    HandshakeMisuse, HeadError, NoExtensions, Rejection, RequestError, ResponseError,
    ServerHandshake,
};

/// An error with its status, its name and its words, which name the offending value and the limit.
type Row = (HandshakeError, u16, &'static str, &'static str);

fn rows() -> Vec<Row> {
    [rows_of_requests(), rows_of_responses()].concat()
}

fn rows_of_requests() -> Vec<Row> {
    use HeadError as Head;
    use RequestError as Request;
    vec![
        (Head::NotHttp { at: 3, byte: 0x16 }.into(), 400, "not_http", "not HTTP: byte 0x16 at 3"),
        (Head::StartLine.into(), 400, "start_line", "malformed start line"),
        (
            Head::Version { major: 2, minor: 0 }.into(),
            505,
            "http_version",
            "HTTP version 2.0, not 1.1",
        ),
        (Head::BareLf.into(), 400, "bare_lf", "line ends in LF without CR"),
        (Head::BareCr.into(), 400, "bare_cr", "CR without LF"),
        (
            Head::ControlCharacter { byte: 7 }.into(),
            400,
            "control_character",
            "control character 0x07",
        ),
        (Head::HeaderName { byte: 0x20 }.into(), 400, "header_name", "byte 0x20 in a header name"),
        (Head::Folding.into(), 400, "folding", "header line begins with white space"),
        (
            Head::StartLineTooLong { start_line_size_max: 9 }.into(),
            414,
            "start_line_too_long",
            "start line longer than 9 bytes",
        ),
        (
            Head::TooLarge { head_size_max: 8 }.into(),
            431,
            "head_too_large",
            "head longer than 8 bytes",
        ),
        (
            Head::TooManyHeaders { headers_max: 7 }.into(),
            431,
            "too_many_headers",
            "more than 7 headers",
        ),
        (Request::Method.into(), 405, "method", "method is not GET"),
        (Request::Target.into(), 400, "target", "request target is not a path or an absolute URI"),
        (Request::Host.into(), 400, "host", "Host missing, doubled or malformed"),
        (Request::Body.into(), 400, "body", "request with a body"),
        (Request::Upgrade.into(), 426, "upgrade", "Upgrade does not list websocket"),
        (Request::Connection.into(), 400, "connection", "Connection does not list Upgrade"),
        (Request::Version.into(), 426, "websocket_version", "Sec-WebSocket-Version is not 13"),
        (Request::Key.into(), 400, "key", "Sec-WebSocket-Key is not 16 bytes in base64"),
        (Request::Origin.into(), 400, "origin", "Origin doubled or malformed"),
        (
            Request::Subprotocols.into(),
            400,
            "subprotocols",
            "Sec-WebSocket-Protocol is not a list of at most 64 tokens",
        ),
        (Request::Extensions.into(), 400, "extensions", "malformed Sec-WebSocket-Extensions"),
    ]
}

fn rows_of_responses() -> Vec<Row> {
    use ResponseError as Response;
    vec![
        (Response::Refused { status: 503 }.into(), 503, "refused", "server answered 503, not 101"),
        (Response::TooManyInterim.into(), 502, "too_many_interim", "more than 8 interim responses"),
        (Response::Upgrade.into(), 502, "upgrade", "Upgrade missing or not websocket"),
        (Response::Connection.into(), 502, "connection", "Connection does not list Upgrade"),
        (Response::AcceptMissing.into(), 502, "accept_missing", "Sec-WebSocket-Accept missing"),
        (Response::AcceptDoubled.into(), 502, "accept_doubled", "Sec-WebSocket-Accept doubled"),
        (
            Response::AcceptMismatch.into(),
            502,
            "accept_mismatch",
            "Sec-WebSocket-Accept does not answer the key",
        ),
        (
            Response::Subprotocol.into(),
            502,
            "subprotocol",
            "server selected a subprotocol that was not offered",
        ),
        (Response::Extensions.into(), 502, "extensions", "malformed Sec-WebSocket-Extensions"),
        (
            Response::ExtensionNotOffered.into(),
            502,
            "extension_not_offered",
            "server selected an extension that was not offered",
        ),
        (
            Response::ExtensionDoubled.into(),
            502,
            "extension_doubled",
            "server selected an extension twice",
        ),
        (
            Response::ExtensionParameters.into(),
            502,
            "extension_parameters",
            "extension parameters do not answer the offer",
        ),
        (
            HandshakeError::UnexpectedEof,
            400,
            "unexpected_eof",
            "stream ended before the end of the handshake",
        ),
        (
            HandshakeError::Rejected { status: 403 },
            403,
            "rejected",
            "handshake already refused with 403",
        ),
    ]
}

#[test]
fn every_error_has_its_status_name_and_words() {
    for (error, status, name, words) in rows() {
        assert_eq!(error.status(), status, "{name}");
        assert_eq!(error.name(), name);
        assert_eq!(error.to_string(), words);
        // What is within says the same, and why is said only once.
        let source = error.source().map(ToString::to_string);
        assert!(source.is_none_or(|source| source == words), "{name}");
    }
}

#[test]
fn every_error_of_a_request_can_be_answered_with_its_status() {
    for (error, status, name, words) in rows() {
        let rejection = Rejection::from(error);
        assert_eq!(rejection.status(), status, "{name}");
        let mut out = Vec::new();
        server().reject(error, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n{words}\n")), "{text}");
        assert!(text.contains("\r\nConnection: close"), "{text}");
    }
}

#[test]
fn every_misuse_has_its_name_and_words() {
    let rows = [
        (HandshakeMisuse::Host { at: 1 }, "host_argument", "host is empty or malformed at byte 1"),
        (
            HandshakeMisuse::Target { at: 2 },
            "target_argument",
            "request target malformed at byte 2",
        ),
        (HandshakeMisuse::HeaderName, "header_name_argument", "header name is not a token"),
        (HandshakeMisuse::HeaderReserved, "header_reserved", "header belongs to the handshake"),
        (
            HandshakeMisuse::HeaderValue { at: 3, byte: 0xd },
            "header_value_argument",
            "header value has byte 0x0d at 3",
        ),
        (HandshakeMisuse::Subprotocol, "subprotocol_argument", "subprotocol is not a token"),
        (HandshakeMisuse::SubprotocolDoubled, "subprotocol_doubled", "subprotocol offered twice"),
        (
            HandshakeMisuse::SubprotocolNotOffered,
            "subprotocol_not_offered",
            "subprotocol was not offered",
        ),
        (HandshakeMisuse::Extension, "extension_argument", "extension or parameter is not a token"),
        (
            HandshakeMisuse::ExtensionNotOffered,
            "extension_not_offered_argument",
            "extension was not offered",
        ),
        (
            HandshakeMisuse::Status { status: 99 },
            "status_argument",
            "status 99 can't refuse a handshake",
        ),
        (HandshakeMisuse::NoRequest, "no_request", "there is no request to accept"),
        (
            HandshakeMisuse::BufferFull { needed: 4 },
            "buffer_full",
            "buffer has no room for 4 bytes",
        ),
    ];
    for (error, name, words) in rows {
        assert_eq!((error.name(), error.to_string().as_str()), (name, words));
        assert!(error.source().is_none());
    }
    assert_eq!(ExtensionMismatch.to_string(), "extension parameters do not answer the offer");
    let key = HandshakeKey::new(*KEY);
    assert_eq!(format!("{key:?}"), "HandshakeKey(16 bytes)");
}

#[test]
fn r28_a_failed_handshake_says_the_same_at_the_end_of_the_stream() {
    let mut side = server();
    let error = HandshakeError::from(RequestError::Host);
    assert_eq!(feed(&mut side, &request(&[("Host", &[])])).0, Err(error));
    assert_eq!(side.receive_eof(), Err(error));
    assert_eq!(side.receive_eof(), Err(error));
    let mut side = server();
    assert_eq!(side.receive_eof(), Err(HandshakeError::UnexpectedEof));
    assert_eq!(side.receive_eof(), Err(HandshakeError::UnexpectedEof));
    let mut side = client();
    let error = HandshakeError::from(ResponseError::AcceptMissing);
    assert_eq!(feed(&mut side, &response(&[("Sec-WebSocket-Accept", &[])])).0, Err(error));
    assert_eq!(side.receive_eof(), Err(error));
    // A request that was accepted is over, however the stream ends.
    let mut side = server();
    assert_eq!(feed(&mut side, &request(&[])).0, Ok(true));
    side.accept(&wscodec::handshake::Acceptance::new(), &mut Vec::new()).unwrap();
    assert_eq!(side.receive_eof(), Ok(()));
    let _: ServerHandshake = side;
}

#[test]
fn no_extensions_offer_nothing_and_take_no_answer() {
    let mut offers = ExtensionWriter::new();
    ClientExtensions::offer(&NoExtensions, &mut offers).unwrap();
    assert_eq!(offers.as_str(), "");
    let client = client();
    assert_eq!(client.extensions(), &NoExtensions);
    assert_eq!(client.into_extensions(), NoExtensions);
}
