//! Opens a connection between a client and the server: the client's request goes to the server, and
//! the server's answer decides what the client gets.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeLimits, Rejection, Request,
    ServerHandshake,
};

use crate::index::ConnectionIndex;
use crate::net::{Families, Routes, Stream};
use crate::recording::Connection;

/// Bytes of a read.
pub(super) const READ_LEN: usize = 64 << 10;
/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers that each side of the proxy has of its own.
const OWN: [&str; 9] = [
    "host",
    "upgrade",
    "connection",
    "origin",
    "content-length",
    "transfer-encoding",
    "proxy-connection",
    "proxy-authorization",
    "keep-alive",
];

/// The server, and how it is reached.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) routes: Routes,
    /// `ws://host` or `wss://host`.
    pub(super) origin: String,
    /// The |Host| header.
    pub(super) host: String,
    /// Path and query, unless clients say which.
    pub(super) resource: Option<String>,
    pub(super) bound: Duration,
}

/// An open connection: both streams, and the bytes that followed the handshakes.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) client: (Stream, Vec<u8>),
    pub(super) server: (Stream, Vec<u8>),
    pub(super) connection: Connection,
}

/// A request of a client, and what the server is asked for it.
struct Asked {
    target: String,
    request: ClientRequest,
    headers: Vec<(String, String)>,
}

/// Opens a connection.
///
/// # Errors
/// Why there is none, in one line; the client has been told.
pub(super) async fn open(mut client: Stream, upstream: &Upstream) -> Result<Opened, String> {
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    let reading = request(&mut client, &mut handshake);
    let rest = timeout(REQUEST_TIMEOUT, reading).await.map_err(|_| "no request in time")??;
    let asked = match handshake.request() {
        Some(request) => asked(&request, upstream),
        None => Err("no request".into()),
    };
    let answered = match asked {
        Ok(asked) => {
            let reached = timeout(upstream.bound, reach(upstream, &asked.request)).await;
            let late = || (502, "the server gave no answer within --connect-timeout".to_owned());
            reached.unwrap_or_else(|_| Err(late())).map(|reached| (asked, reached))
        }
        Err(why) => Err((400, why)),
    };
    let mut out = Vec::new();
    let (asked, Reached { stream, rest: server_rest, answered }) = match answered {
        Ok(both) => both,
        Err((status, why)) => {
            let rejection = Rejection::new(status).or_else(|_| Rejection::new(502));
            if let Ok(rejection) = rejection {
                // The handshake has not been answered yet.
                handshake.reject(rejection.body(format!("{why}\n")), &mut out).ok();
            }
            client.write_all(&out).await.ok();
            return Err(why);
        }
    };
    let connection = Connection {
        url: format!("{}{}", upstream.origin, asked.target),
        headers: asked.headers,
        answered,
        messages: Vec::new(),
    };
    handshake.accept(&acceptance(&connection), &mut out).map_err(|error| error.to_string())?;
    client.write_all(&out).await.map_err(|error| error.to_string())?;
    Ok(Opened { client: (client, rest), server: (stream, server_rest), connection })
}

/// Reads the request of a client, and returns the bytes behind it.
async fn request(client: &mut Stream, handshake: &mut ServerHandshake) -> Result<Vec<u8>, String> {
    let mut buffer = vec![0; READ_LEN];
    loop {
        let len = client.read(&mut buffer).await.map_err(|error| error.to_string())?;
        if len == 0 {
            return Err("the client left before its request was complete".into());
        }
        let mut input = buffer.get_mut(..len).unwrap_or_default();
        match handshake.receive(&mut input) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(input.to_vec()),
            Err(error) => {
                let mut out = Vec::new();
                handshake.reject(error, &mut out).ok();
                client.write_all(&out).await.ok();
                return Err(format!("a client's request is none for a WebSocket: {error}"));
            }
        }
    }
}

/// Makes the request to the server: all that the client asks for but compression.
fn asked(request: &Request<'_>, upstream: &Upstream) -> Result<Asked, String> {
    let wrong = |error: wscodec::handshake::HandshakeMisuse| error.to_string();
    let target = upstream.resource.clone().unwrap_or_else(|| request.target().to_owned());
    let mut made = ClientRequest::new(&upstream.host, &target).map_err(wrong)?;
    let mut headers = Vec::new();
    let offered: Vec<_> = request.subprotocols().collect();
    for name in &offered {
        made = made.subprotocol(name).map_err(wrong)?;
    }
    if !offered.is_empty() {
        headers.push(("Sec-WebSocket-Protocol".to_owned(), offered.join(", ")));
    }
    if let Some(origin) = request.origin() {
        made = made.origin(origin).map_err(wrong)?;
        headers.push(("Origin".to_owned(), origin.to_owned()));
    }
    for header in request.headers() {
        let lower = header.name.to_ascii_lowercase();
        let Ok(value) = str::from_utf8(header.value) else { continue };
        if OWN.contains(&&*lower) || lower.starts_with("sec-websocket-") {
            continue;
        }
        made = made.header(header.name, value).map_err(wrong)?;
        headers.push((header.name.to_owned(), value.to_owned()));
    }
    Ok(Asked { target, request: made, headers })
}

/// A server that has accepted.
struct Reached {
    stream: Stream,
    rest: Vec<u8>,
    answered: Vec<(String, String)>,
}

/// Connects to the server.
///
/// # Errors
/// The status for the client, and why.
async fn reach(upstream: &Upstream, request: &ClientRequest) -> Result<Reached, (u16, String)> {
    let gone = |why: String| (502, why);
    let routes = &upstream.routes;
    let Some(route) = routes.all().first() else { return Err(gone("no server".into())) };
    let deadline = Instant::now() + upstream.bound;
    let dialled = routes.connect(route, ConnectionIndex(0), deadline, Families::default()).await;
    let mut stream = dialled.stream.map_err(|fault| gone(fault.to_string()))?;
    routes.tunnel(route, &mut stream).await.map_err(|fault| gone(fault.to_string()))?;
    let secured = routes.secure(route, stream).await;
    let (mut stream, _) = secured.map_err(|fault| gone(fault.to_string()))?;
    let mut out = Vec::new();
    let mut handshake =
        ClientHandshake::start(request, &mut out).map_err(|misuse| gone(misuse.to_string()))?;
    stream.write_all(&out).await.map_err(|error| gone(error.to_string()))?;
    let mut buffer = vec![0; READ_LEN];
    loop {
        let len = stream.read(&mut buffer).await.map_err(|error| gone(error.to_string()))?;
        if len == 0 {
            return Err(gone("the server ended the stream in the opening handshake".into()));
        }
        let mut input = buffer.get_mut(..len).unwrap_or_default();
        let outcome = handshake.receive(&mut input).map(|response| response.is_some());
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                let rest = input.to_vec();
                let response = handshake.response();
                let answered = response.map(|response| headers(&response)).unwrap_or_default();
                return Ok(Reached { stream, rest, answered });
            }
            Err(error) => {
                let status = handshake.response().map_or(502, |response| response.status());
                return Err((status, format!("the server refused: {error}")));
            }
        }
    }
}

fn headers(response: &wscodec::handshake::Response<'_>) -> Vec<(String, String)> {
    let pairs = response.headers().filter_map(|header| {
        Some((header.name.to_owned(), str::from_utf8(header.value).ok()?.to_owned()))
    });
    pairs.collect()
}

/// Accepts as the server did: its subprotocol and its cookies.
fn acceptance(connection: &Connection) -> Acceptance {
    let mut acceptance = Acceptance::new();
    for (name, value) in &connection.answered {
        let changed = match &*name.to_ascii_lowercase() {
            "sec-websocket-protocol" => acceptance.clone().subprotocol(value),
            "set-cookie" => acceptance.clone().header(name, value),
            _ => continue,
        };
        acceptance = changed.unwrap_or(acceptance);
    }
    acceptance
}
