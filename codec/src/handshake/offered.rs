//! What a client has offered, as values: headers for any HTTP stack to send, and what the answer
//! must be (RFC 6455, 4.1; RFC 8441, 5).

use alloc::boxed::Box;

use super::client_request::ClientRequest;
use super::extensions::{self, ClientExtensions, ExtensionWriter};
use super::field;
use super::key::{EncodedKey, HandshakeKey};
use super::misuse::HandshakeMisuse;
use super::opening::Opening;

/// What a client has offered: the headers of its request, and the values to compare an answer with.
///
/// ```
/// use wscodec::handshake::{Answered, ClientRequest, NoExtensions};
///
/// let request = ClientRequest::new("example.com", "/chat")?.subprotocol("chat")?;
/// let offered = request.offer((*b"the sample nonce").into(), &NoExtensions)?;
/// let headers: Vec<_> = offered.headers().collect(); // for hyper and the like
/// assert_eq!(headers[0], ("Host", "example.com"));
/// assert!(headers.contains(&("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")));
///
/// // The headers of the 101, as the HTTP stack has parsed them.
/// let headers: [(&str, &[u8]); 4] = [
///     ("upgrade", b"websocket"),
///     ("connection", b"Upgrade"),
///     ("sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
///     ("sec-websocket-protocol", b"chat"),
/// ];
/// let answered = Answered::from_headers(&offered, headers)?;
/// assert_eq!(answered.subprotocol(), Some("chat"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [`Answered::from_headers`]: super::Answered::from_headers
#[derive(Clone, Debug)]
pub struct Offered<'r> {
    request: &'r ClientRequest,
    key: Option<EncodedKey>,
    pub(super) expected: Expected,
}

/// The values to compare an answer with.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// What |Sec-WebSocket-Accept| must be; `None` for an extended CONNECT.
    pub(super) accept: Option<[u8; 28]>,
    /// The values of the two headers that make offers; empty without offers.
    pub(super) subprotocols: Box<str>,
    pub(super) offers: ExtensionWriter,
}

impl ClientRequest {
    /// Offers a WebSocket over HTTP/1.1, without writing a byte: for stacks that write requests
    /// themselves. `key` must be random and fresh.
    ///
    /// # Errors
    /// Errors from `extensions` about its offers.
    pub fn offer(
        &self,
        key: HandshakeKey,
        extensions: &impl ClientExtensions,
    ) -> Result<Offered<'_>, HandshakeMisuse> {
        Offered::new(self, Some(key.encode()), extensions)
    }

    /// Like [`offer`](Self::offer), for an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC
    /// 9220), which has no key.
    ///
    /// # Errors
    /// Errors from `extensions` about its offers.
    pub fn offer_connect(
        &self,
        extensions: &impl ClientExtensions,
    ) -> Result<Offered<'_>, HandshakeMisuse> {
        Offered::new(self, None, extensions)
    }
}

impl<'r> Offered<'r> {
    fn new(
        request: &'r ClientRequest,
        key: Option<EncodedKey>,
        extensions: &impl ClientExtensions,
    ) -> Result<Self, HandshakeMisuse> {
        let mut offers = ExtensionWriter::new();
        extensions.offer(&mut offers)?;
        let accept = key.map(|key| key.accept());
        let subprotocols = request.subprotocols().into();
        Ok(Self { request, key, expected: Expected { accept, subprotocols, offers } })
    }

    /// Returns the client's request.
    #[cfg(feature = "http")]
    pub(super) const fn request(&self) -> &'r ClientRequest {
        self.request
    }

    /// Returns the headers of the request, as (name, value). Those of an extended CONNECT leave out
    /// |Host|, |Upgrade| and |Connection|, which HTTP/2 has in pseudo-headers or not at all. HTTP/2
    /// and HTTP/3 require lower-case names, which the types of the `http` crate ensure.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_connect = self.expected.opening() == Opening::Connect;
        let of_http_1 = ["Host", "Upgrade", "Connection"];
        let optional = [
            ("Sec-WebSocket-Protocol", &*self.expected.subprotocols),
            (extensions::NAME, self.expected.offers.as_str()),
        ];
        field::lines(self.request.header_lines())
            .filter(move |(name, _)| !is_connect || !of_http_1.contains(name))
            .chain(self.key.as_ref().map(|key| ("Sec-WebSocket-Key", key.as_str())))
            .chain(optional.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

impl Expected {
    pub(super) const fn opening(&self) -> Opening {
        if self.accept.is_some() { Opening::Upgrade } else { Opening::Connect }
    }
}
