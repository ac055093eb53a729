//! What the handshake's tests share: heads with one thing changed, and handshakes fed in pieces.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, HandshakeLimits,
    HandshakeMisuse, NoExtensions, Request, ServerHandshake,
};

/// The key of the example in RFC 6455, 1.3, and what answers it.
pub const KEY: &[u8; 16] = b"the sample nonce";
pub const ENCODED_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const REQUEST_LINE: &str = "GET /chat HTTP/1.1";
pub const STATUS_LINE: &str = "HTTP/1.1 101 Switching Protocols";

const REQUEST_HEADERS: [(&str, &str); 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", ENCODED_KEY),
    ("Sec-WebSocket-Version", "13"),
];

const RESPONSE_HEADERS: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];

/// What a header has instead of its valid value: nothing, or these lines.
pub type Change<'c> = (&'c str, &'c [&'c str]);

fn head(start_line: &str, valid: &[(&str, &str)], changes: &[Change<'_>]) -> Vec<u8> {
    let line = |(name, value): (&str, &str)| format!("{name}: {value}\r\n");
    let kept = valid.iter().flat_map(|&(name, value)| {
        match changes.iter().find(|(changed, _)| *changed == name) {
            None => vec![line((name, value))],
            Some((_, values)) => values.iter().map(|value| line((name, value))).collect(),
        }
    });
    let added = changes
        .iter()
        .filter(|(name, _)| !valid.iter().any(|(known, _)| known == name))
        .flat_map(|&(name, values)| values.iter().map(move |value| line((name, value))));
    let lines: String = kept.chain(added).collect();
    format!("{start_line}\r\n{lines}\r\n").into_bytes()
}

/// The request that is right but for `changes`.
pub fn request(changes: &[Change<'_>]) -> Vec<u8> {
    head(REQUEST_LINE, &REQUEST_HEADERS, changes)
}

/// The request that is right but for its request line.
pub fn request_with_line(line: &str) -> Vec<u8> {
    head(line, &REQUEST_HEADERS, &[])
}

/// The response to [`KEY`] that is right but for `changes`.
pub fn response(changes: &[Change<'_>]) -> Vec<u8> {
    head(STATUS_LINE, &RESPONSE_HEADERS, changes)
}

/// The response that is right but for its status line.
pub fn response_with_line(line: &str) -> Vec<u8> {
    head(line, &RESPONSE_HEADERS, &[])
}

/// The right head with `bytes` in place of the line end after its start line.
pub fn with_first_line_end(head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let at = head.windows(2).position(|pair| pair == b"\r\n").unwrap();
    [&head[..at], bytes, &head[at + 2..]].concat()
}

/// The right head with these bytes as its first header line.
pub fn with_line(head: &[u8], line: &[u8]) -> Vec<u8> {
    with_first_line_end(head, &[b"\r\n", line, b"\r\n"].concat())
}

/// What a side made of some input, and how much it left of it.
pub type Outcome = (Result<bool, HandshakeError>, Vec<u8>);

pub fn server() -> ServerHandshake {
    ServerHandshake::new(HandshakeLimits::default())
}

/// A client that has sent a request with [`KEY`] and nothing optional.
pub fn client() -> ClientHandshake {
    client_of(&ClientRequest::new("server.example.com", "/chat").unwrap())
}

pub fn client_of(request: &ClientRequest) -> ClientHandshake<NoExtensions> {
    ClientHandshake::start_with_key(request, HandshakeKey::new(*KEY), &mut Vec::new()).unwrap()
}

/// A side of the handshake, for tests of both.
pub trait Side {
    fn receive(&mut self, input: &mut &mut [u8]) -> Result<bool, HandshakeError>;
}

impl Side for ServerHandshake {
    fn receive(&mut self, input: &mut &mut [u8]) -> Result<bool, HandshakeError> {
        self.receive(input).map(|request| request.is_some())
    }
}

impl Side for ClientHandshake {
    fn receive(&mut self, input: &mut &mut [u8]) -> Result<bool, HandshakeError> {
        self.receive(input).map(|response| response.is_some())
    }
}

/// Feeds all of `bytes` at once.
pub fn feed(side: &mut impl Side, bytes: &[u8]) -> Outcome {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let result = side.receive(&mut input);
    (result, input.to_vec())
}

/// Feeds `bytes` in reads of the lengths of `cuts`, the last one the rest; what is left holds the
/// bytes of all reads that were not taken.
pub fn feed_in_pieces(side: &mut impl Side, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    let mut left = Vec::new();
    let mut result = Ok(false);
    for &cut in cuts.iter().chain([&usize::MAX]) {
        let cut = cut.min(rest.len());
        let mut input = rest.split_off_mut(..cut).unwrap();
        if result == Ok(false) {
            result = side.receive(&mut input);
            assert!(result != Ok(false) || input.is_empty(), "an open handshake takes all input");
        }
        left.extend_from_slice(input);
    }
    (result, left)
}

/// What a server makes of `bytes`.
pub fn serve(bytes: &[u8]) -> Result<bool, HandshakeError> {
    feed(&mut server(), bytes).0
}

/// What a client makes of `bytes`.
pub fn answer(bytes: &[u8]) -> Result<bool, HandshakeError> {
    feed(&mut client(), bytes).0
}

#[track_caller]
pub fn assert_served(name: &str, bytes: &[u8]) {
    assert_eq!(serve(bytes), Ok(true), "{name}: {:?}", String::from_utf8_lossy(bytes));
}

#[track_caller]
pub fn assert_refused(name: &str, bytes: &[u8], error: impl Into<HandshakeError>, status: u16) {
    let error = error.into();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let mut server = server();
    let (result, left) = feed(&mut server, bytes);
    assert_eq!(result, Err(error), "{name}: {shown:?}");
    assert_eq!(error.status(), status, "{name}");
    assert_stays_refused(name, &mut server, error, &left);
    let mut out = Vec::new();
    server.reject(error, &mut out).unwrap();
    let has_content = !bytes.starts_with(b"HEAD ");
    assert_refusal(name, &String::from_utf8(out).unwrap(), error, has_content);
    let rejected = HandshakeError::Rejected { status };
    assert_stays_refused(name, &mut server, rejected, &request(&[]));
}

/// Nothing is taken any more, nothing can be accepted, and the error is the same.
#[track_caller]
fn assert_stays_refused(
    name: &str,
    server: &mut ServerHandshake,
    error: HandshakeError,
    bytes: &[u8],
) {
    assert_eq!(feed(server, bytes), (Err(error), bytes.to_vec()), "{name}: more");
    assert!(server.request().is_none(), "{name}");
    let mut out = Vec::new();
    let accepted = server.accept(&Acceptance::new(), &mut out);
    assert_eq!((accepted, out), (Err(HandshakeMisuse::NoRequest), vec![]), "{name}");
}

/// The answer to what failed with `error`: one whole response that ends the connection, and says
/// what a client needs to do better.
#[track_caller]
fn assert_refusal(name: &str, text: &str, error: HandshakeError, has_content: bool) {
    let status = error.status();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap();
    assert!(status_line.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {text}");
    let lines: Vec<&str> = lines.collect();
    let has = |line: &str| assert!(lines.contains(&line), "{name}: {line} in {lines:?}");
    match status {
        426 => {
            has("Connection: close, Upgrade");
            has("Upgrade: websocket");
            has("Sec-WebSocket-Version: 13");
        }
        405 => {
            has("Connection: close");
            has("Allow: GET");
        }
        _ => has("Connection: close"),
    }
    let content = format!("{error}\n");
    has(&format!("Content-Length: {}", content.len()));
    assert_eq!(body, if has_content { &content } else { "" }, "{name}");
    let is_plain = |byte: u8| byte == b'\n' || matches!(byte, b' '..=b'~');
    assert!(content.bytes().all(is_plain), "{name}: nothing that the client sent is sent back");
}

#[track_caller]
pub fn assert_accepted(name: &str, bytes: &[u8]) {
    assert_eq!(answer(bytes), Ok(true), "{name}: {:?}", String::from_utf8_lossy(bytes));
}

#[track_caller]
pub fn assert_failed(name: &str, bytes: &[u8], error: impl Into<HandshakeError>) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let error = error.into();
    let mut client = client();
    let (result, left) = feed(&mut client, bytes);
    assert_eq!(result, Err(error), "{name}: {shown:?}");
    assert_eq!(feed(&mut client, &left), (Err(error), left), "{name}: it stays failed");
    assert_eq!(feed(&mut client, &response(&[])), (Err(error), response(&[])), "{name}");
    assert_eq!(client.receive_eof(), Err(error), "{name}");
}

/// Serves `bytes`, which are right, and shows the request to `look`.
pub fn with_request<T>(bytes: &[u8], look: impl FnOnce(Request<'_>) -> T) -> T {
    let mut server = server();
    let mut bytes = bytes.to_vec();
    look(server.receive(&mut &mut bytes[..]).unwrap().unwrap())
}
