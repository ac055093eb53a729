//! The opening handshake over HTTP/2.

use std::fmt::Write as _;

use wscodec::deflate::DeflateClient;
use wscodec::handshake::{HandshakeError, ResponseError};

use super::upgraded::{Upgraded, body, negotiated};
use crate::deflate::Offer;
use crate::net::{Accepted, Http2Connection, Opened, Refused, Route};
use crate::refusal;

/// Opens a WebSocket on a connection, which lives as long as its stream does.
pub(super) async fn upgrade(
    connection: &Http2Connection,
    opened: &Opened,
    route: &Route,
    offer: Option<Offer>,
) -> Result<Upgraded, String> {
    let offers = offer.map_or_else(DeflateClient::default, |it| DeflateClient::new(it.deflate));
    match connection.connect(opened, &route.request, route.is_secure(), offers).await {
        Ok(Accepted { stream, deflate, response }) => {
            let header = |name: &str| response.headers().get(name).map(http::HeaderValue::as_bytes);
            let negotiated = negotiated(header);
            let rest = Vec::new();
            Ok(Upgraded { stream, status: "200", negotiated, agreed: deflate, rest })
        }
        Err(Refused::Stream(fault)) => Err(fault.said),
        Err(Refused::Response(ResponseError::Refused { .. }, mut response)) => {
            let mut said = format!("server answered {}", refusal::of_http2(&response));
            let body = body(response.body_mut(), &[]).await;
            if let Some(line) = refusal::first_line(&body, false) {
                write!(said, "; it says: {line}").ok(); // writing to a String can't fail
            }
            Err(said)
        }
        Err(Refused::Response(error, response)) => {
            let error = HandshakeError::Response(error);
            Err(format!("{error} ({})", response.status().as_u16()))
        }
    }
}
