//! The client's side of the opening handshake: writes a request, and turns the response into a
//! usable connection or an error (RFC 6455, 4.1).

use bytes::BufMut;

use super::client_request::ClientRequest;
use super::error::{HandshakeError, HeadError, ResponseError};
use super::extensions::{ClientExtensions, ExtensionWriter, Extensions, NoExtensions};
use super::head::{Head, HeadKind};
use super::key::HandshakeKey;
use super::limits::HandshakeLimits;
use super::misuse::{self, HandshakeMisuse};
use super::offered::Expected;
use super::response::{self, Response};

/// How many interim (1xx) responses a client skips. Without a bound, a server could keep it busy
/// forever.
pub const INTERIM_RESPONSES_MAX: u8 = 8;

/// A client's connection while it is CONNECTING: it has written the request and awaits the
/// response.
///
/// ```
/// use wscodec::handshake::{ClientHandshake, ClientRequest};
/// # fn exchange(_: &[u8]) -> Vec<u8> {
/// #     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
/// #       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi".to_vec()
/// # }
///
/// let request = ClientRequest::new("example.com", "/chat")?;
/// let mut out = Vec::new();
/// # let mut handshake =
/// #     ClientHandshake::start_with_key(&request, (*b"the sample nonce").into(), &mut out)?;
/// # if false {
/// let mut handshake = ClientHandshake::start(&request, &mut out)?;
/// # }
/// let mut received = exchange(&out); // write `out` to the socket, read from it
///
/// let mut input = &mut received[..];
/// match handshake.receive(&mut input) {
///     Ok(Some(response)) => assert_eq!(response.status(), 101), // open
///     Ok(None) => { /* read more, and call again */ }
///     Err(error) => panic!("{error}"),
/// }
/// assert_eq!(input, b"\x81\x02hi"); // the first frame came with the response: give it to the connection
/// # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
/// ```
///
/// It has no clock: bound the time from the connection's start until [`receive`](Self::receive) is
/// done.
#[derive(Clone, Debug)]
pub struct ClientHandshake<X = NoExtensions> {
    head: Head,
    state: State,
    expected: Expected,
    extensions: X,
    interim_responses: u8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Receiving,
    Established,
    Failed(HandshakeError, Option<u16>),
}

impl ClientHandshake {
    /// Appends the request to `out`, with a fresh random key.
    ///
    /// # Errors
    /// [`HandshakeMisuse::BufferFull`] if `out` can't take it; nothing is written then.
    ///
    /// # Panics
    /// See [`HandshakeKey::random`].
    #[cfg(feature = "std")]
    pub fn start(request: &ClientRequest, out: &mut impl BufMut) -> Result<Self, HandshakeMisuse> {
        Self::start_with_key(request, HandshakeKey::random(), out)
    }

    /// Appends the request to `out`, with a key that must be random and fresh.
    ///
    /// # Errors
    /// [`HandshakeMisuse::BufferFull`] if `out` can't take it; nothing is written then.
    pub fn start_with_key(
        request: &ClientRequest,
        key: HandshakeKey,
        out: &mut impl BufMut,
    ) -> Result<Self, HandshakeMisuse> {
        Self::start_with_extensions(request, key, NoExtensions, out)
    }
}

impl<X: ClientExtensions> ClientHandshake<X> {
    /// Appends the request to `out`, with a key that must be random and fresh, and the offers of
    /// `extensions`.
    ///
    /// # Errors
    /// Errors from `extensions` about its offers, and [`HandshakeMisuse::BufferFull`]; nothing is
    /// written then.
    pub fn start_with_extensions(
        request: &ClientRequest,
        key: HandshakeKey,
        extensions: X,
        out: &mut impl BufMut,
    ) -> Result<Self, HandshakeMisuse> {
        let mut offers = ExtensionWriter::new();
        extensions.offer(&mut offers)?;
        let key = key.encode();
        let optional_line = |name: &'static str, value: &str| {
            if value.is_empty() { ["", ""] } else { [name, "\r\n"] }
        };
        let [subprotocols_name, subprotocols_end] =
            optional_line("Sec-WebSocket-Protocol: ", request.subprotocols());
        let [offers_name, offers_end] =
            optional_line("Sec-WebSocket-Extensions: ", offers.as_str());
        misuse::write(
            out,
            &[
                request.head(),
                b"Sec-WebSocket-Key: ",
                key.as_bytes(),
                b"\r\n",
                subprotocols_name.as_bytes(),
                request.subprotocols().as_bytes(),
                subprotocols_end.as_bytes(),
                offers_name.as_bytes(),
                offers.as_str().as_bytes(),
                offers_end.as_bytes(),
                b"\r\n",
            ],
        )?;
        Ok(Self {
            head: Head::new(HeadKind::Response, HandshakeLimits::default()),
            state: State::Receiving,
            expected: Expected {
                accept: Some(key.accept()),
                subprotocols: request.subprotocols().into(),
                offers,
            },
            extensions,
            interim_responses: 0,
        })
    }

    /// Returns the same handshake with other limits on the response.
    #[must_use]
    pub fn with_limits(mut self, limits: HandshakeLimits) -> Self {
        self.head = Head::new(HeadKind::Response, limits);
        self
    }

    /// Takes the bytes of the response from the front of `input`, and returns it once the server
    /// has accepted.
    ///
    /// `Ok(None)` means that the response is incomplete: all of `input` was taken, so the buffer
    /// can be reused. What follows the response stays in `input`: the first frames, or the content
    /// of a refusal. Up to eight interim responses are skipped. Once the server has accepted,
    /// further calls return the same and take nothing.
    ///
    /// # Errors
    /// The reason why the connection fails, as soon as the bytes show it. The error is permanent:
    /// further calls return the same error and take nothing. After [`ResponseError::Refused`], and
    /// whenever the response's head was complete, [`response`](Self::response) still returns it.
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Response<'_>>, HandshakeError> {
        while let State::Receiving = self.state {
            match self.head.receive(input) {
                Ok(false) => return Ok(None),
                Ok(true) => self.judge(),
                Err(error) => {
                    self.head.discard();
                    self.state = State::Failed(error.into(), None);
                }
            }
        }
        match self.state {
            State::Receiving => Ok(None),
            State::Established => Ok(Some(Response::accepted(&self.head))),
            State::Failed(error, _) => Err(error),
        }
    }

    /// Tells the handshake that the stream has ended.
    ///
    /// # Errors
    /// [`HandshakeError::UnexpectedEof`] unless the response was complete, and the earlier error if
    /// the handshake had already failed.
    pub fn receive_eof(&mut self) -> Result<(), HandshakeError> {
        match self.state {
            State::Receiving => {
                self.head.discard();
                self.state = State::Failed(HandshakeError::UnexpectedEof, None);
                Err(HandshakeError::UnexpectedEof)
            }
            State::Established => Ok(()),
            State::Failed(error, _) => Err(error),
        }
    }

    /// Returns the final response, once its head is complete: whether it accepts, refuses or is
    /// wrong.
    #[must_use]
    pub fn response(&self) -> Option<Response<'_>> {
        match self.state {
            State::Receiving | State::Failed(_, None) => None,
            State::Established => Some(Response::accepted(&self.head)),
            State::Failed(_, Some(status)) => Some(Response::failed(&self.head, status)),
        }
    }

    /// Returns the extensions, which hold what was agreed once the server has accepted.
    #[must_use]
    pub const fn extensions(&self) -> &X {
        &self.extensions
    }

    /// Consumes the handshake and returns its extensions.
    #[must_use]
    pub fn into_extensions(self) -> X {
        self.extensions
    }

    /// Checks the complete head. Changes the state, unless the response was an interim one.
    fn judge(&mut self) {
        self.state = match response::parse_status_line(self.head.start_line()) {
            Err(error) => State::Failed(error.into(), None),
            Ok((101, false)) => {
                State::Failed(HeadError::Version { major: 1, minor: 0 }.into(), Some(101))
            }
            Ok((101, true)) => match self.judge_switch() {
                Ok(()) => State::Established,
                Err(error) => State::Failed(error.into(), Some(101)),
            },
            Ok((100..=199, _)) if self.interim_responses < INTERIM_RESPONSES_MAX => {
                self.interim_responses += 1;
                self.head.clear();
                State::Receiving
            }
            Ok((status @ 100..=199, _)) => {
                State::Failed(ResponseError::TooManyInterim.into(), Some(status))
            }
            Ok((status, _)) => {
                State::Failed(ResponseError::Refused { status }.into(), Some(status))
            }
        };
    }

    fn judge_switch(&mut self) -> Result<(), ResponseError> {
        response::judge(&self.head, &self.expected)?;
        self.extensions
            .accept(Extensions::answer(&self.head))
            .map_err(|_| ResponseError::ExtensionParameters)
    }
}
