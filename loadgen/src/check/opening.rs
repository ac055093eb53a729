//! Opens a connection one step at a time, and lists each: name, socket, proxy, TLS, handshake.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wscodec::ConnectionBuilder;
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{ClientHandshake, ClientRequest, HandshakeKey, Response};

use super::connection::Open;
use super::http2;
use super::list::List;
use super::upgraded::{Upgraded, body, negotiated};
use super::{READ_SIZE, timed};
use crate::clock::Clock;
use crate::config::Request;
use crate::deflate::{self, Offer};
use crate::index::ConnectionIndex;
use crate::net::{Families, Routes, Stream, spoken};
use crate::{refusal, units};

/// Opens a connection; `None` if that failed, which is listed.
pub(super) async fn open(
    list: &mut List,
    clock: Clock,
    routes: &Routes,
    settings: &Request,
) -> Option<Open> {
    let offer = settings.deflate;
    let route = routes.all().first()?;
    if !route.addresses.is_empty() {
        let shown = route.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        list.step(
            "resolve",
            Ok(route.dns_ns.map_or_else(|| shown.clone(), |ns| timed(&shown, ns))),
        );
    }
    let stream = way(list, clock, routes, settings.connect_timeout).await?;
    let upgraded = match routes.http2_pool() {
        None => {
            let begin_ns = clock.now_ns();
            let upgraded = upgrade(stream, &route.request, offer).await;
            (upgraded, clock.now_ns() - begin_ns)
        }
        Some(pool) => {
            let begin_ns = clock.now_ns();
            let connection = pool.take(0);
            let opened = pool.start(&connection, stream).await;
            let opened = list.taken("http2", opened)?;
            let now_ns = clock.now_ns();
            list.step("http2", Ok(timed("it takes WebSockets", now_ns - begin_ns)));
            let upgraded = http2::upgrade(&connection, &opened, route, offer).await;
            (upgraded, clock.now_ns() - now_ns)
        }
    };
    match upgraded {
        (Ok(Upgraded { stream, status, negotiated, agreed, rest }), took_ns) => {
            list.step("upgrade", Ok(timed(status, took_ns)));
            for (name, value) in negotiated {
                list.step(name, Ok(value));
            }
            if let Some(offer) = offer {
                list.step("deflate", agreement(offer, agreed.as_ref()));
            }
            let mut buffer = rest;
            let end = buffer.len();
            buffer.resize(end.max(READ_SIZE), 0);
            let codec = ConnectionBuilder::client()
                .limits(settings.limits(0))
                .extension(agreed.as_ref())
                .open();
            let is_deflated = agreed.is_some();
            let unasked = Vec::new();
            Some(Open {
                stream,
                codec,
                is_deflated,
                clock,
                buffer,
                begin: 0,
                end,
                unasked,
                is_ended: false,
            })
        }
        (Err(why), _) => {
            list.step("upgrade", Err(why));
            None
        }
    }
}

/// Connects to the server, in one step each: socket, proxy, TLS.
async fn way(
    list: &mut List,
    clock: Clock,
    routes: &Routes,
    connect_timeout: Duration,
) -> Option<Stream> {
    let route = routes.all().first()?;
    let mut begin_ns = clock.now_ns();
    let mut lap_ns = || {
        let now_ns = clock.now_ns();
        now_ns - std::mem::replace(&mut begin_ns, now_ns)
    };
    let name = if route.addresses.is_empty() { "unix" } else { "tcp" };
    let deadline = Instant::now() + connect_timeout;
    let dialled = routes.connect(route, ConnectionIndex(0), deadline, Families::default()).await;
    let mut stream = list.taken(name, dialled.stream)?;
    let took_ns = lap_ns();
    match route.addresses.get(dialled.place).filter(|_| route.addresses.len() > 1) {
        Some(address) => list.step(name, Ok(timed(&address.to_string(), took_ns))),
        None => list.step(name, Ok(units::duration(took_ns))),
    }
    if routes.has_proxy() {
        let tunnel = routes.tunnel(route, &mut stream).await;
        list.taken("proxy", tunnel)?;
        list.step("proxy", Ok(timed("tunnel", lap_ns())));
    }
    let secured = routes.secure(route, stream).await;
    let (stream, agreed) = list.taken("tls", secured)?;
    if let Some(agreed) = agreed {
        let alpn = agreed.alpn.as_deref().unwrap_or("none");
        let said = format!("{} {} alpn {alpn}", agreed.version, agreed.cipher);
        list.step("tls", Ok(timed(&said, lap_ns())));
    }
    Some(stream)
}

/// Describes what was agreed on for permessage-deflate.
fn agreement(offer: Offer, agreed: Option<&DeflateAgreed>) -> Result<String, String> {
    match agreed {
        Some(agreed) => Ok(deflate::agreed(agreed)),
        None if offer.is_required => Err("declined by the server (--deflate-required)".into()),
        None => Ok("declined by the server".into()),
    }
}

/// Performs the opening handshake.
async fn upgrade(
    mut stream: Stream,
    request: &ClientRequest,
    offer: Option<Offer>,
) -> Result<Upgraded, String> {
    let mut out = Vec::new();
    let offers = offer.map_or_else(DeflateClient::default, |it| DeflateClient::new(it.deflate));
    let key = HandshakeKey::random();
    let mut handshake = ClientHandshake::start_with_extensions(request, key, offers, &mut out)
        .map_err(|misuse| misuse.to_string())?;
    stream.write_all(&out).await.map_err(|error| error.to_string())?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let len = stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
        let mut input = buffer.get_mut(..len).unwrap_or_default();
        let spoken = spoken(input);
        let outcome = if len == 0 {
            Err(handshake.receive_eof().err())
        } else {
            let received = handshake.receive(&mut input);
            let said = |response: Response<'_>| negotiated(|name| response.header(name));
            received.map(|response| response.map(said)).map_err(Some)
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(negotiated)) => {
                let rest = input.to_vec();
                let agreed = handshake.extensions().agreed().copied();
                return Ok(Upgraded { stream, status: "101", negotiated, agreed, rest });
            }
            Err(error) => {
                let why = match error {
                    Some(error) => match spoken.filter(|_| error.name() == "not_http") {
                        Some(said) => said.into(),
                        None => error.to_string(),
                    },
                    None => "the stream ended".into(),
                };
                let Some(response) = handshake.response() else { return Err(why) };
                if response.status() == 101 {
                    return Err(format!("{why} (101)"));
                }
                let coding = response.header("Transfer-Encoding").unwrap_or_default();
                let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
                let mut said = format!("server answered {}", refusal::said(response));
                let body = body(&mut stream, input).await;
                if let Some(line) = refusal::first_line(&body, is_chunked) {
                    write!(said, "; it says: {line}").ok(); // writing to a String can't fail
                }
                return Err(said);
            }
        }
    }
}
