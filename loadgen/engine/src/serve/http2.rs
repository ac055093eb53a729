//! Serves WebSockets over HTTP/2 (RFC 8441): a connection's requests are judged here, and each that
//! is accepted becomes a session of its own.
//!
//! A task drives a connection until its client ends it, or until it has carried no stream for as
//! long as a request may take.

use std::rc::Rc;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::{Builder, Connection, SendResponse};
use http::request::Parts;
use http::{Request, Response, header};
use tokio::task::spawn_local;
use tokio::time::timeout;
use wscodec::deflate::{DeflateAgreed, DeflateServer};
use wscodec::handshake::{HandshakeError, HandshakeMisuse, Offer, Rejection, RequestError};

use super::config::ServeConfig;
use super::session::Session;
use super::shared::Seat;
use super::upgrade::{Asked, Refusal, acceptance_of};
use super::worker::Worker;
use crate::net::{Http2Share, Stream, http2_server_code};

/// Most streams of a connection at once.
const STREAMS_MAX: u32 = 10_000;
/// Bytes that a client may send before they are read: on a stream, and on a connection. So that is
/// what a session that doesn't read can make this server hold.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Serves a connection, whose first bytes have not been read.
pub(super) fn admit(worker: &Rc<Worker>, stream: Stream, seat: Seat) {
    let worker = Rc::clone(worker);
    spawn_local(async move {
        let mut builder = Builder::new();
        builder
            .enable_connect_protocol()
            .max_concurrent_streams(STREAMS_MAX)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            // Short messages come in a frame each: as much beside them as in them.
            .data_frame_budget(CONNECTION_WINDOW as usize);
        let bound = worker.config().handshake_timeout;
        match timeout(bound, builder.handshake(stream)).await {
            Ok(Ok(connection)) => {
                worker.counters.http2_connections.add(1);
                drive(&worker, connection).await;
            }
            Ok(Err(error)) => worker.counters.refused(http2_server_code(error)),
            Err(_) => worker.counters.refused("timeout"),
        }
        drop(seat);
    });
}

async fn drive(worker: &Rc<Worker>, mut connection: Connection<Stream, Bytes>) {
    let share = Rc::new(Http2Share::default());
    let config = worker.config();
    loop {
        match timeout(config.handshake_timeout, connection.accept()).await {
            Ok(Some(Ok((request, respond)))) => answer(worker, request, respond, &share),
            // It has ended; its streams know how.
            Ok(Some(Err(_)) | None) => return,
            Err(_) if Rc::strong_count(&share) > 1 => {}
            Err(_) => {
                connection.graceful_shutdown();
                let closed = std::future::poll_fn(|cx| connection.poll_closed(cx));
                timeout(config.close_timeout, closed).await.ok();
                return;
            }
        }
    }
}

/// Answers a request, with a session or a refusal.
fn answer(
    worker: &Rc<Worker>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    share: &Rc<Http2Share>,
) {
    let (shared, config) = (&worker.shared, worker.config());
    let is_spare = shared.open() >= config.connections_max;
    let seat = Seat::take_at(shared, worker.index, is_spare);
    let (head, receive) = request.into_parts();
    match judge(&head, seat.is_spare(), config) {
        Ok(Judged { response, deflate, topic }) => match respond.send_response(response, false) {
            Ok(send) => {
                let stream = Stream::http2(send, receive, Rc::clone(share));
                worker.counters.accepted.add(1);
                Session::admit_open(worker, stream, deflate, &topic, seat);
            }
            Err(_) => worker.counters.refused("reset"),
        },
        Err((rejection, reason)) => {
            worker.counters.refused(reason);
            refuse(rejection, &mut respond);
        }
    }
}

/// A request that is accepted.
struct Judged {
    response: Response<()>,
    deflate: Option<DeflateAgreed>,
    topic: Box<str>,
}

/// Judges a request. A refusal comes with the name that it is counted under.
fn judge(
    head: &Parts,
    is_spare: bool,
    config: &ServeConfig,
) -> Result<Judged, (Rejection, &'static str)> {
    let malformed = |error: HandshakeError| (Rejection::from(error), error.name());
    let refused = |refusal: Refusal| {
        let rejection = Rejection::new(refusal.status)
            .unwrap_or_else(|_| HandshakeError::Rejected { status: 500 }.into());
        (rejection.body(refusal.said), refusal.reason)
    };
    match head.extensions.get::<Protocol>().map(Protocol::as_str) {
        Some("websocket") => {}
        // "If a server receives [...] a ":protocol" value that is unknown or is not supported, the
        // server SHOULD respond to the request with a 501 (Not Implemented)" (RFC 9220, 3).
        Some(_) => {
            return Err(refused(Refusal { status: 501, reason: "protocol", said: "" }));
        }
        None => return Err(malformed(RequestError::Method.into())),
    }
    let offer = Offer::from_parts(head).map_err(malformed)?;
    let asked = Asked {
        is_spare,
        origin: offer.origin(),
        host: head.uri.authority().map_or("", |authority| authority.as_str()),
        path: head.uri.path(),
    };
    let topic = asked.topic(config).map_err(refused)?;
    let (response, deflate) = accept(&offer, config).map_err(|_| refused(Refusal::INTERNAL))?;
    Ok(Judged { response, deflate, topic })
}

fn accept(
    offer: &Offer<'_>,
    config: &ServeConfig,
) -> Result<(Response<()>, Option<DeflateAgreed>), HandshakeMisuse> {
    let acceptance = acceptance_of(|| offer.subprotocols(), &config.subprotocols)?;
    let mut server = config.deflate.map(DeflateServer::new);
    let answer = match &mut server {
        Some(server) => offer.answer(&acceptance, server)?,
        None => offer.answer(&acceptance, &mut wscodec::handshake::NoExtensions)?,
    };
    let response = answer.to_response();
    Ok((response, server.and_then(|server| server.agreed().copied())))
}

/// Answers with a refusal. A client that is gone doesn't get it.
fn refuse(rejection: Rejection, respond: &mut SendResponse<Bytes>) {
    let (mut head, body) = Response::from(rejection).into_parts();
    // "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header
    // fields" (RFC 9113, 8.2.2).
    head.headers.remove(header::CONNECTION);
    head.headers.remove(header::UPGRADE);
    let sent = respond.send_response(Response::from_parts(head, ()), body.is_empty());
    if let Ok(mut send) = sent
        && !body.is_empty()
    {
        send.send_data(body.into(), true).ok();
    }
}
