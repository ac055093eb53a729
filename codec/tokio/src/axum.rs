//! WebSockets in axum: an extractor, used as axum's own.
//!
//! ```
//! use axum::Router;
//! use axum::response::Response;
//! use axum::routing::any;
//! use futures_util::{SinkExt, StreamExt};
//! use wscodec_tokio::axum::{WebSocket, WebSocketUpgrade};
//!
//! async fn chat(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.protocols(["chat"]).on_upgrade(echo)
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.next().await {
//!         if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//! }
//!
//! let app: Router = Router::new().route("/chat", any(chat));
//! ```
//!
//! With the feature `h2`, it takes an extended CONNECT of HTTP/2, too, so route `any` or `connect`
//! beside `get`; `axum::serve` needs axum's feature `http2` for it.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use wscodec::handshake::{Acceptance, HandshakeError, Offer, Rejection, RequestError};

use crate::config::Config;
use crate::error::Error;
use crate::hyper::{Upgraded, Upgrading, protocol_of};
use crate::stream::WebSocketStream;
use crate::upgrade::{self, Accepted};

/// The connection that [`WebSocketUpgrade::on_upgrade`] hands over.
pub type WebSocket = WebSocketStream<Upgraded>;

/// The extractor: a request that asks for a WebSocket, and asks rightly. Others are refused with
/// [`Refused`].
#[derive(Debug)]
#[must_use = "call `on_upgrade` and return its response"]
pub struct WebSocketUpgrade {
    on_upgrade: OnUpgrade,
    /// The head of the request, as far as it is judged.
    parts: Parts,
    protocol: Option<String>,
    config: Config,
    subprotocol: Option<String>,
}

impl WebSocketUpgrade {
    /// Sets the configuration of the connection.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the longest message that the client may send, in bytes.
    pub fn max_message_size(mut self, max: usize) -> Self {
        self.config.limits = self.config.limits.with_message_size_max(max);
        self
    }

    /// Sets the longest frame that the client may send, in bytes.
    pub fn max_frame_size(mut self, max: u64) -> Self {
        self.config.limits = self.config.limits.with_frame_size_max(max);
        self
    }

    /// Sets [`Config::write_buffer_size_max`], in bytes.
    pub fn max_write_buffer_size(mut self, max: usize) -> Self {
        self.config = self.config.with_write_buffer_size_max(max);
        self
    }

    /// Selects the first of these subprotocols that the client offers; none if it offers none of
    /// them.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let offered = self.offered_protocols();
        let is_offered = |name: &I::Item| offered.iter().any(|one| one == name.as_ref());
        let selected = protocols.into_iter().find(is_offered);
        self.subprotocol = selected.map(|name| name.as_ref().to_owned());
        self
    }

    /// Returns the subprotocol that [`protocols`](Self::protocols) has selected.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the subprotocols that the client offers, the preferred one first.
    #[must_use]
    pub fn offered_protocols(&self) -> Vec<String> {
        self.offer().map_or_else(
            |_| Vec::new(), // it was judged when it was extracted
            |offer| offer.subprotocols().map(str::to_owned).collect(),
        )
    }

    /// Returns the origin. Browsers let any page open WebSockets to any server: compare it where
    /// that matters (RFC 6455, 10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.offer().ok().and_then(|offer| offer.origin())
    }

    fn offer(&self) -> Result<Offer<'_>, Rejection> {
        upgrade::judge(&self.parts, self.protocol.as_deref())
    }

    /// Returns the response that accepts, and calls `callback` with the connection in a task of its
    /// own once the response is sent. If the client is gone by then, nothing is called.
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.on_upgrade_or_error(callback, drop)
    }

    /// Like [`on_upgrade`](Self::on_upgrade), and calls `on_error` if the client is gone before the
    /// connection is handed over.
    pub fn on_upgrade_or_error<C, F>(
        self,
        callback: C,
        on_error: impl FnOnce(Error) + Send + 'static,
    ) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { on_upgrade, parts, protocol, config, subprotocol } = self;
        let accepted = upgrade::accept(&parts, protocol.as_deref(), &config, |_| {
            let acceptance = Acceptance::new();
            match &subprotocol {
                None => Ok(acceptance),
                Some(name) => acceptance
                    .subprotocol(name)
                    .map_err(|_| HandshakeError::Rejected { status: 500 }.into()),
            }
        });
        let Accepted { response, connection, subprotocol } = match accepted {
            Ok(accepted) => accepted,
            Err(rejection) => return Refused(rejection).into_response(),
        };
        let upgrading = Upgrading::new(on_upgrade, connection, subprotocol, &config);
        tokio::spawn(async move {
            match upgrading.await {
                Ok(socket) => callback(socket).await,
                Err(error) => on_error(error),
            }
        });
        response.map(|()| Body::empty())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let protocol = protocol_of(&parts.extensions);
        let (mut own, ()) = Request::new(()).into_parts();
        own.method = parts.method.clone();
        own.version = parts.version;
        own.headers = parts.headers.clone();
        upgrade::judge(&own, protocol.as_deref()).map_err(Refused)?;
        // Missing if something before has taken it, or no server has put it there.
        let on_upgrade = parts
            .extensions
            .remove::<OnUpgrade>()
            .ok_or_else(|| Refused(HandshakeError::from(RequestError::Upgrade).into()))?;
        let (config, subprotocol) = (Config::default(), None);
        Ok(Self { on_upgrade, parts: own, protocol, config, subprotocol })
    }
}

/// The response to a request that asks for no WebSocket, or wrongly: a status and a line of text
/// that say why.
#[derive(Debug)]
pub struct Refused(pub Rejection);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        Response::from(self.0).map(Body::from)
    }
}
