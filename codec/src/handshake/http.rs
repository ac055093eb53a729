//! Negotiation in the types of the `http` crate, which hyper, axum, h2 and h3 share.
//!
//! Separate from the values that it converts, so that those need no dependency.

use alloc::format;
use alloc::vec::Vec;

use ::http::header::{HeaderName, HeaderValue};
use ::http::request::Parts;
use ::http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::answer::Answer;
use super::answered::Answered;
use super::error::{HandshakeError, HeadError, RequestError, ResponseError};
use super::offer::Offer;
use super::offered::Offered;
use super::opening::Opening;
use super::rejection::Rejection;

impl<'h> Offer<'h> {
    /// Reads a request that an HTTP stack has received: a GET of HTTP/1.1 with |Upgrade|, or an
    /// extended CONNECT of HTTP/2 or HTTP/3, for which the caller checks that `:protocol` is
    /// `websocket` (it is in `hyper::ext::Protocol` or `h2::ext::Protocol`).
    ///
    /// ```
    /// use wscodec::handshake::{Acceptance, NoExtensions, Offer};
    ///
    /// let request = http::Request::get("/chat")
    ///     .header("connection", "Upgrade")
    ///     .header("upgrade", "websocket")
    ///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    ///     .header("sec-websocket-version", "13")
    ///     .body(())?;
    /// let offer = Offer::from_request(&request)?;
    /// let response = offer.answer(&Acceptance::new(), &mut NoExtensions)?.to_response();
    /// assert_eq!(response.status(), 101);
    /// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`HeadError::Version`] for HTTP/1.0 and 0.9, [`RequestError::Method`], and the errors of
    /// [`from_headers`](Self::from_headers). To respond, make a [`Rejection`] from the error.
    pub fn from_request<B>(request: &'h Request<B>) -> Result<Self, HandshakeError> {
        Self::from_http(request.method(), request.version(), request.headers())
    }

    /// Like [`from_request`](Self::from_request), for a request that has been taken apart.
    ///
    /// # Errors
    /// See [`from_request`](Self::from_request).
    pub fn from_parts(parts: &'h Parts) -> Result<Self, HandshakeError> {
        Self::from_http(&parts.method, parts.version, &parts.headers)
    }

    fn from_http(
        method: &Method,
        version: Version,
        headers: &'h HeaderMap,
    ) -> Result<Self, HandshakeError> {
        let headers = fields(headers);
        let offer = match (version, method) {
            (Version::HTTP_11, &Method::GET) => Self::from_headers(headers),
            (Version::HTTP_2 | Version::HTTP_3, &Method::CONNECT) => {
                Self::from_connect_headers(headers)
            }
            (Version::HTTP_10, _) => return Err(HeadError::Version { major: 1, minor: 0 }.into()),
            (Version::HTTP_09, _) => return Err(HeadError::Version { major: 0, minor: 9 }.into()),
            _ => Err(RequestError::Method),
        };
        Ok(offer?)
    }
}

impl Answer<'_> {
    /// Returns the response that accepts. After a 101, the stack hands over the stream; after a
    /// 200, the streams of the CONNECT carry frames.
    #[must_use]
    pub fn to_response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(self.status()).unwrap_or_default();
        append(response.headers_mut(), self.headers());
        response
    }
}

impl Offered<'_> {
    /// Returns the request to send: a GET of HTTP/1.1 whose URI is the target alone; or a CONNECT
    /// of HTTP/2 whose URI is `https` with host and target, and to which the caller adds
    /// `:protocol` (as `hyper::ext::Protocol` or `h2::ext::Protocol`), and another scheme or
    /// version.
    ///
    /// # Errors
    /// If the `http` crate does not accept the target or the host as part of a URI.
    pub fn to_request(&self) -> Result<Request<()>, ::http::Error> {
        let (host, target) = (self.request().host(), self.request().target());
        let mut request = match self.expected.opening() {
            Opening::Upgrade => Request::get(target).version(Version::HTTP_11).body(()),
            Opening::Connect => Request::connect(format!("https://{host}{target}"))
                .version(Version::HTTP_2)
                .body(()),
        }?;
        append(request.headers_mut(), self.headers());
        Ok(request)
    }
}

impl<'h> Answered<'h> {
    /// Reads the response to what was `offered`.
    ///
    /// # Errors
    /// [`ResponseError::Refused`] with any status but 101, or, for an extended CONNECT, any but
    /// 2xx; and the errors of [`from_headers`](Self::from_headers).
    pub fn from_response<B>(
        offered: &Offered<'_>,
        response: &'h Response<B>,
    ) -> Result<Self, ResponseError> {
        let status = response.status();
        let is_accepted = match offered.expected.opening() {
            Opening::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS,
            Opening::Connect => status.is_success(),
        };
        if !is_accepted {
            return Err(ResponseError::Refused { status: status.as_u16() });
        }
        Self::from_headers(offered, fields(response.headers()))
    }
}

/// The response that refuses. |Content-Length|, and |Connection| but for a 426, are left to the
/// HTTP stack.
impl From<Rejection> for Response<Vec<u8>> {
    fn from(rejection: Rejection) -> Self {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::from_u16(rejection.status()).unwrap_or_default();
        append(response.headers_mut(), rejection.headers());
        *response.body_mut() = rejection.into_body();
        response
    }
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// Adds headers, all of which have been checked: tokens, and values of ASCII.
fn append<'a>(headers: &mut HeaderMap, added: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in added {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
}
