//! A request that does not ask for a WebSocket, which a server with one port for everything answers
//! as HTTP, such as `/health`.

use super::field;
use super::head::{Head, Headers, Span};
use super::request::RequestLine;
use super::target;

/// A plain HTTP request, borrowed from the handshake: its head, complete and well-formed. Its body,
/// if any, is still to be read from the caller's input.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'h> {
    head: &'h Head,
    plain: &'h Plain,
}

/// The parts of a plain request, by position in its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    method: Span,
    target: Span,
    minor: u8,
}

impl Plain {
    /// Finds the parts of a complete head that does not ask for a WebSocket, with any method;
    /// `None` if it does, or if it is not a head of HTTP/1.0 or 1.1.
    pub(super) fn find(head: &Head) -> Option<Self> {
        let line = RequestLine::parse(head.start_line()).ok()?;
        let is_text = !line.target.is_empty() && target::find_refused(line.target).is_none();
        let asks = |value| field::lists(value, b"websocket");
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

    /// Returns the method, such as `GET`: a token, in the case received.
    #[must_use]
    pub fn method(&self) -> &'h str {
        self.plain.method.text(self.head.bytes())
    }

    /// Returns the target as it was received, such as `/health?deep=1`, in any form: visible ASCII.
    #[must_use]
    pub fn target(&self) -> &'h str {
        self.plain.target.text(self.head.bytes())
    }

    /// Returns the digit after the point of the version: 1 for HTTP/1.1, 0 for HTTP/1.0.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.plain.minor
    }

    /// Returns the headers in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'h> {
        self.head.headers()
    }

    /// Returns the value of the first header with that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.head.header(name)
    }

    /// Returns the bytes of the head, including the blank line, for an HTTP server that continues
    /// with them, followed by what is left in the input.
    #[must_use]
    pub fn head(&self) -> &'h [u8] {
        self.head.bytes()
    }
}
