//! The opening handshake in types of the `http` crate, for stacks that have parsed HTTP already.
//!
//! What hyper, axum and h2 have in common: a request is judged, and a connection opened with what
//! was agreed. Bytes of a head are neither written nor read.

use http::Response;
use http::request::Parts;
#[cfg(feature = "deflate")]
use wscodec::deflate::{DeflateClient, DeflatePool, DeflateServer};
use wscodec::handshake::{
    Acceptance, Answered, ClientRequest, HandshakeError, HandshakeKey, HandshakeMisuse,
    NoExtensions, Offer, Offered, Rejection, RequestError,
};
use wscodec::{Connection, ConnectionBuilder};

use crate::config::Config;
use crate::error::Error;

/// What a server has accepted.
pub(crate) struct Accepted {
    pub(crate) response: Response<()>,
    pub(crate) connection: Connection,
    pub(crate) subprotocol: Option<Box<str>>,
}

/// Judges a request and answers it. `protocol` is the `:protocol` of an extended CONNECT.
pub(crate) fn accept(
    parts: &Parts,
    protocol: Option<&str>,
    config: &Config,
    answer: impl FnOnce(&Offer<'_>) -> Result<Acceptance, Rejection>,
) -> Result<Accepted, Rejection> {
    let offer = judge(parts, protocol)?;
    let acceptance = answer(&offer)?;
    let (response, connection) = open(&offer, &acceptance, config).map_err(misused)?;
    let subprotocol = acceptance.selected_subprotocol().map(Into::into);
    Ok(Accepted { response, connection, subprotocol })
}

/// Reads what a request offers, if it asks for a WebSocket.
pub(crate) fn judge<'h>(parts: &'h Parts, protocol: Option<&str>) -> Result<Offer<'h>, Rejection> {
    match protocol {
        Some("websocket") => {}
        // "a ":protocol" value that is unknown or is not supported, the server SHOULD respond to the request with a 501 (Not
        // Implemented) status code" (RFC 9220, 3).
        Some(_) => return Err(HandshakeError::Rejected { status: 501 }.into()),
        // A CONNECT without `:protocol` asks for a proxy.
        None if parts.method == http::Method::CONNECT => {
            return Err(HandshakeError::from(RequestError::Method).into());
        }
        None => {}
    }
    Ok(Offer::from_parts(parts)?)
}

fn open(
    offer: &Offer<'_>,
    acceptance: &Acceptance,
    config: &Config,
) -> Result<(Response<()>, Connection), HandshakeMisuse> {
    let builder = ConnectionBuilder::server().limits(config.limits);
    #[cfg(feature = "deflate")]
    if let Some((deflate, pool)) = &config.deflate {
        let mut deflate = DeflateServer::new(*deflate);
        let response = offer.answer(acceptance, &mut deflate)?.to_response();
        let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
        return Ok((response, builder.extension(agreed.as_ref()).open()));
    }
    Ok((offer.answer(acceptance, &mut NoExtensions)?.to_response(), builder.open()))
}

/// Answers a mistake of the server's own code: a subprotocol that was not offered.
fn misused(misuse: HandshakeMisuse) -> Rejection {
    Rejection::from(HandshakeError::Rejected { status: 500 }).body(format!("{misuse}\n"))
}

/// What a client has offered, and what it opens a connection with.
pub(crate) struct Offering<'r> {
    pub(crate) offered: Offered<'r>,
    #[cfg(feature = "deflate")]
    deflate: Option<(DeflateClient, DeflatePool)>,
}

impl<'r> Offering<'r> {
    /// Offers an upgrade of HTTP/1.1.
    pub(crate) fn upgrade(
        request: &'r ClientRequest,
        config: &Config,
    ) -> Result<Self, HandshakeMisuse> {
        let key = HandshakeKey::random();
        #[cfg(feature = "deflate")]
        if let Some((deflate, pool)) = config.deflate_offers() {
            let offered = request.offer(key, &deflate)?;
            return Ok(Self { offered, deflate: Some((deflate, pool.clone())) });
        }
        Ok(Self::plain(request.offer(key, &NoExtensions)?, config))
    }

    /// Offers an extended CONNECT.
    #[cfg(feature = "h2")]
    pub(crate) fn connect(
        request: &'r ClientRequest,
        config: &Config,
    ) -> Result<Self, HandshakeMisuse> {
        #[cfg(feature = "deflate")]
        if let Some((deflate, pool)) = config.deflate_offers() {
            let offered = request.offer_connect(&deflate)?;
            return Ok(Self { offered, deflate: Some((deflate, pool.clone())) });
        }
        Ok(Self::plain(request.offer_connect(&NoExtensions)?, config))
    }

    fn plain(offered: Offered<'r>, _: &Config) -> Self {
        Self {
            offered,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Opens the connection that the server has accepted; returns the subprotocol, too.
    pub(crate) fn open<B>(
        self,
        response: &Response<B>,
        config: &Config,
    ) -> Result<(Connection, Option<String>), Error> {
        let answered =
            Answered::from_response(&self.offered, response).map_err(HandshakeError::from)?;
        let subprotocol = answered.subprotocol().map(str::to_owned);
        let builder = ConnectionBuilder::client().limits(config.limits);
        #[cfg(feature = "deflate")]
        if let Some((mut deflate, pool)) = self.deflate {
            answered.agree(&mut deflate).map_err(HandshakeError::from)?;
            let agreed = deflate.agreed().map(|agreed| agreed.with_pool(&pool));
            return Ok((builder.extension(agreed.as_ref()).open(), subprotocol));
        }
        answered.agree(&mut NoExtensions).map_err(HandshakeError::from)?;
        Ok((builder.open(), subprotocol))
    }
}
