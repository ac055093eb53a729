//! The server's side of the opening handshake: turns what a client sends into an acceptable request
//! or an error, and writes the answer (RFC 6455, 4.2).

use alloc::boxed::Box;

use bytes::BufMut;

use super::acceptance::Acceptance;
use super::answer;
use super::error::{HandshakeError, RequestError};
use super::extensions::{NoExtensions, ServerExtensions};
use super::head::{Head, HeadKind};
use super::http_request::{HttpRequest, Plain};
use super::limits::HandshakeLimits;
use super::misuse::{self, HandshakeMisuse};
use super::rejection::Rejection;
use super::request::{self, Judged, Request};

/// The first bytes of a request whose response has no content.
const HEAD: &[u8] = b"HEAD ";

/// A server's connection while it is CONNECTING: it awaits, checks and answers the request.
///
/// ```
/// use wscodec::handshake::{Acceptance, HandshakeLimits, Rejection, ServerHandshake};
///
/// let mut received = *b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\n\r\n\x81\x80\0\0\0\0";
/// let mut input = &mut received[..]; // what was read from the socket
/// let mut out = Vec::new(); // what is to be written to it
///
/// let mut handshake = ServerHandshake::new(HandshakeLimits::default());
/// match handshake.receive(&mut input) {
///     Ok(Some(request)) if request.path() == "/chat" => {
///         handshake.accept(&Acceptance::default(), &mut out)?; // open
///     }
///     Ok(Some(_)) => handshake.reject(Rejection::new(404)?, &mut out)?, // write, then close
///     Ok(None) => { /* read more, and call again */ }
///     Err(error) => handshake.reject(error, &mut out)?, // write, then close
/// }
/// assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// assert_eq!(input, b"\x81\x80\0\0\0\0"); // the first frame came with the request: give it to the connection
/// # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
/// ```
///
/// It has no clock: bound the time from the connection's start until [`receive`](Self::receive) is
/// done, not from the last byte, or a client that sends one header a second holds the connection
/// forever.
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    head: Head,
    state: State,
    /// The failed request asks only for a head.
    is_head_request: bool,
}

#[derive(Clone, Debug)]
enum State {
    Receiving,
    /// The request may be accepted. Boxed: a server keeps thousands that are still receiving.
    Received(Box<Judged>),
    Accepted(Box<Judged>),
    /// The request does not ask for a WebSocket.
    Plain(Box<Plain>),
    Failed(HandshakeError),
    Rejected {
        status: u16,
    },
}

/// What [`ServerHandshake::receive_any`] has received.
#[derive(Clone, Copy, Debug)]
pub enum Received<'h> {
    /// A request for a WebSocket that may be accepted.
    WebSocket(Request<'h>),
    /// A request that does not ask for a WebSocket.
    Http(HttpRequest<'h>),
}

impl ServerHandshake {
    /// Creates a handshake that waits for its request. Takes no heap memory before the first byte.
    #[must_use]
    pub const fn new(limits: HandshakeLimits) -> Self {
        let head = Head::new(HeadKind::Request, limits);
        Self { head, state: State::Receiving, is_head_request: false }
    }

    /// Takes the bytes of the request from the front of `input`, and returns it once it is complete
    /// and may be accepted.
    ///
    /// `Ok(None)` means that the request is incomplete: all of `input` was taken, so the buffer can
    /// be reused. What follows the request stays in `input`: frames of a client that did not wait.
    /// Once there is a request, further calls return the same and take nothing.
    ///
    /// # Errors
    /// The reason why the request can't be accepted, as soon as the bytes show it. The error is
    /// permanent: further calls return the same error and take nothing, so that nothing is parsed
    /// after a refusal. Give it to [`reject`](Self::reject).
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Request<'_>>, HandshakeError> {
        if let State::Receiving = self.state {
            self.take(input, |_| None);
        }
        self.outcome()
    }

    /// Like [`receive`](Self::receive), for a server that also answers plain HTTP on its port: a
    /// request that does not ask for a WebSocket is a result, not an error.
    ///
    /// A plain request is a complete head of HTTP/1.1 or 1.0, with any method and a target, without
    /// an |Upgrade| that lists `websocket`. Its body is still in `input`. Answer it with
    /// [`reject`](Self::reject), which closes, whatever the status; or give its
    /// [`head`](HttpRequest::head) and `input` to an HTTP server.
    ///
    /// ```
    /// use wscodec::handshake::{HandshakeLimits, Received, Rejection, ServerHandshake};
    ///
    /// let mut received = *b"GET /health HTTP/1.1\r\nHost: example.com\r\n\r\n";
    /// let mut out = Vec::new();
    /// let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    /// match handshake.receive_any(&mut &mut received[..])? {
    ///     Some(Received::WebSocket(request)) => { /* accept it */ }
    ///     Some(Received::Http(request)) if request.target() == "/health" => {
    ///         handshake.reject(Rejection::new(200)?.body("fine\n"), &mut out)?;
    ///     }
    ///     Some(Received::Http(_)) => handshake.reject(Rejection::new(404)?, &mut out)?,
    ///     None => { /* read more, and call again */ }
    /// }
    /// assert!(out.starts_with(b"HTTP/1.1 200 OK\r\n"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`receive`](Self::receive), except for plain requests.
    pub fn receive_any(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Received<'_>>, HandshakeError> {
        if let State::Receiving = self.state {
            self.take(input, |head| Plain::find(head).map(|plain| State::Plain(Box::new(plain))));
        }
        match &self.state {
            State::Plain(plain) => Ok(Some(Received::Http(HttpRequest::new(&self.head, plain)))),
            _ => Ok(self.outcome()?.map(Received::WebSocket)),
        }
    }

    /// Takes bytes until the head is complete, and checks it unless `first` classifies it
    /// otherwise.
    fn take(&mut self, input: &mut &mut [u8], first: impl FnOnce(&Head) -> Option<State>) {
        let judged = match self.head.receive(input) {
            Ok(false) => return,
            Ok(true) => {
                if let Some(state) = first(&self.head) {
                    self.state = state;
                    return;
                }
                request::judge(&self.head)
            }
            Err(error) => Err(error.into()),
        };
        self.state = match judged {
            Ok(judged) => State::Received(Box::new(judged)),
            Err(error) => {
                // The error may have come with the method, which is then still in `input`.
                let arrived = self.head.bytes().iter().chain(input.iter());
                self.is_head_request = arrived.take(HEAD.len()).eq(HEAD);
                self.head.discard();
                State::Failed(error)
            }
        };
    }

    /// Returns the outcome of the bytes so far.
    fn outcome(&self) -> Result<Option<Request<'_>>, HandshakeError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Rejected { status } => Err(HandshakeError::Rejected { status }),
            State::Plain(_) => Err(RequestError::Upgrade.into()),
            State::Receiving | State::Received(_) | State::Accepted(_) => Ok(self.request()),
        }
    }

    /// Tells the handshake that the stream has ended.
    ///
    /// # Errors
    /// [`HandshakeError::UnexpectedEof`] unless the request was complete, and the earlier error if
    /// the handshake had already failed.
    pub fn receive_eof(&mut self) -> Result<(), HandshakeError> {
        match self.state {
            State::Receiving => {
                self.head.discard();
                self.state = State::Failed(HandshakeError::UnexpectedEof);
                Err(HandshakeError::UnexpectedEof)
            }
            State::Received(_) | State::Accepted(_) | State::Plain(_) => Ok(()),
            State::Failed(error) => Err(error),
            State::Rejected { status } => Err(HandshakeError::Rejected { status }),
        }
    }

    /// Returns the request, once it is complete and may be accepted, and after it was accepted.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            State::Received(judged) | State::Accepted(judged) => {
                Some(Request::new(&self.head, judged))
            }
            State::Receiving | State::Plain(_) | State::Failed(_) | State::Rejected { .. } => None,
        }
    }

    /// Appends the 101 that opens the connection to `out`. Extensions are declined.
    ///
    /// # Errors
    /// [`HandshakeMisuse::NoRequest`], [`HandshakeMisuse::SubprotocolNotOffered`] and
    /// [`HandshakeMisuse::BufferFull`]; nothing is written then, and the request still waits for an
    /// answer.
    pub fn accept(
        &mut self,
        acceptance: &Acceptance,
        out: &mut impl BufMut,
    ) -> Result<(), HandshakeMisuse> {
        self.accept_with_extensions(acceptance, &mut NoExtensions, out)
    }

    /// Appends the 101 that opens the connection to `out`, with what `extensions` accepts of the
    /// client's offers.
    ///
    /// # Errors
    /// Those of [`accept`](Self::accept), [`HandshakeMisuse::ExtensionNotOffered`] if `extensions`
    /// answers with what was not offered, and the errors of `extensions` itself.
    pub fn accept_with_extensions(
        &mut self,
        acceptance: &Acceptance,
        extensions: &mut impl ServerExtensions,
        out: &mut impl BufMut,
    ) -> Result<(), HandshakeMisuse> {
        let State::Received(judged) = &self.state else { return Err(HandshakeMisuse::NoRequest) };
        let request = Request::new(&self.head, judged);
        let answer = answer::answer(
            Some(judged.accept),
            request.subprotocols(),
            &request.extensions(),
            acceptance,
            extensions,
        )?;
        let line = |name: &'static str, value: &'_ str| {
            if value.is_empty() { ["", ""] } else { [name, "\r\n"] }
        };
        let subprotocol = answer.subprotocol().unwrap_or_default();
        let [subprotocol_name, subprotocol_end] = line("Sec-WebSocket-Protocol: ", subprotocol);
        let [extensions_name, extensions_end] =
            line("Sec-WebSocket-Extensions: ", answer.extensions());
        misuse::write(
            out,
            &[
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: ",
                &judged.accept,
                b"\r\n",
                subprotocol_name.as_bytes(),
                subprotocol.as_bytes(),
                subprotocol_end.as_bytes(),
                extensions_name.as_bytes(),
                answer.extensions().as_bytes(),
                extensions_end.as_bytes(),
                acceptance.headers(),
                b"\r\n",
            ],
        )?;
        if let State::Received(judged) = core::mem::replace(&mut self.state, State::Receiving) {
            self.state = State::Accepted(judged);
        }
        Ok(())
    }

    /// Appends a response that refuses the handshake to `out`: one made from the error that
    /// [`receive`](Self::receive) returned, or a [`Rejection`] of the server's choice, at any time
    /// before the handshake is answered. Then write `out`, and close: the response says
    /// `Connection: close`, and nothing more is parsed. The response to a HEAD request is sent
    /// without its body.
    ///
    /// # Errors
    /// [`HandshakeMisuse::NoRequest`] if the handshake has been answered, and
    /// [`HandshakeMisuse::BufferFull`]; nothing is written then.
    pub fn reject(
        &mut self,
        rejection: impl Into<Rejection>,
        out: &mut impl BufMut,
    ) -> Result<(), HandshakeMisuse> {
        match self.state {
            State::Receiving | State::Received(_) | State::Plain(_) | State::Failed(_) => {}
            State::Accepted(_) | State::Rejected { .. } => return Err(HandshakeMisuse::NoRequest),
        }
        let rejection = rejection.into();
        // "The HEAD method is identical to GET except that the server MUST NOT send content in the
        // response" (RFC 9110, 9.3.2); the length is that of the content which GET would have got.
        let is_head_request = self.is_head_request || self.head.bytes().starts_with(HEAD);
        let body = if is_head_request { &[] } else { rejection.body_bytes() };
        misuse::write(out, &[rejection.encode_head().as_bytes(), body])?;
        self.head.discard();
        self.state = State::Rejected { status: rejection.status() };
        Ok(())
    }
}
