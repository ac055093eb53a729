//! A request that asks for no WebSocket: what a server that has one port for everything answers
//! otherwise, such as `/health`.

use super::head::{Head, Headers, Span};
use super::offer;
use super::request::RequestLine;
use super::target;

/// A plain HTTP request, borrowed from the handshake: its head, complete and well-formed. Its body,
/// if it has one, is still in the caller's input and to be read there.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'h> {
    head: &'h Head,
    plain: &'h Plain,
}

/// What has been found in a plain request, by position in its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    method: Span,
    target: Span,
    minor: u8,
}

impl Plain {
    /// Whether a complete head asks for no WebSocket, by whatever method; `None` of one that does,
    /// and of one that is no head of HTTP/1.0 or 1.1.
    pub(super) fn find(head: &Head) -> Option<Self> {
        let line = RequestLine::parse(head.start_line()).ok()?;
        let is_text = !line.target.is_empty() && target::find_refused(line.target).is_none();
        let asks = |value| offer::lists_websocket(value);
        let is_plain = !head.headers().any(|header| header.is("Upgrade") && asks(header.value));
        (is_plain && is_text).then(|| Self {
            method: Span::of(line.method, head.bytes()),
            target: Span::of(line.target, head.bytes()),
            minor: line.minor,
        })
    }
}

impl<'h> HttpRequest<'h> {
    pub(super) const fn new(head: &'h Head, plain: &'h Plain) -> Self {
        Self { head, plain }
    }

    /// The method, such as `GET`: a token, in the case in which it was received.
    #[must_use]
    pub fn method(&self) -> &'h str {
        self.plain.method.text(self.head.bytes())
    }

    /// The target as it was received, such as `/health?deep=1`, in whatever form: visible ASCII.
    #[must_use]
    pub fn target(&self) -> &'h str {
        self.plain.target.text(self.head.bytes())
    }

    /// The digit after the point of the version: 1 of HTTP/1.1, 0 of HTTP/1.0.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.plain.minor
    }

    /// The headers in their order.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        self.head.headers()
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.headers().find(|header| header.is(name)).map(|header| header.value)
    }

    /// The bytes of the head from the first to the blank line, that included: for an HTTP server
    /// that goes on with them, before what is left in the input.
    #[must_use]
    pub fn head(&self) -> &'h [u8] {
        self.head.bytes()
    }
}
