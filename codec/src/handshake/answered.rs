//! A server's answer, checked by its headers alone (RFC 6455, 4.1; RFC 8441, 5).
//!
//! Separate from the bytes of a response; the handshake that reads bytes is one user of it.

use alloc::vec::Vec;
use core::fmt;

use super::error::ResponseError;
use super::extensions::{self, ClientExtensions, Extensions};
use super::field::{self, Once};
use super::offered::{Expected, Offered};
use super::opening::Opening;

/// A server's answer to [`Offered`], borrowed from headers that an HTTP stack has parsed.
#[derive(Clone)]
pub struct Answered<'h> {
    subprotocol: Option<&'h str>,
    extensions: Vec<&'h [u8]>,
}

impl fmt::Debug for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("subprotocol", &self.subprotocol)
            .field("extensions", &self.extensions().map(|agreed| agreed.name()).collect::<Vec<_>>())
            .finish()
    }
}

impl<'h> Answered<'h> {
    /// Reads the headers of the response to what was `offered`, names in any case, as (name,
    /// value): those of a 101, or of the 200 to an extended CONNECT. The caller must check the
    /// status first: any other status refuses.
    ///
    /// # Errors
    /// The [`ResponseError`]s that concern headers.
    pub fn from_headers(
        offered: &Offered<'_>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, ResponseError> {
        let mut fields = Fields::default();
        let extensions = extensions::gather(headers, |name, value| fields.take(name, value));
        let answered = Extensions::of_values(&extensions, usize::MAX);
        let subprotocol = fields.judge(&offered.expected, &answered)?;
        Ok(Self { subprotocol: subprotocol.and_then(field::as_token), extensions })
    }

    /// Returns the subprotocol that the server selected, one of those that were offered.
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'h str> {
        self.subprotocol
    }

    /// Returns the extensions that the server selected, each of which was offered.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions::of_values(&self.extensions, usize::MAX)
    }

    /// Passes the server's selection to `extensions`, which made these offers.
    ///
    /// # Errors
    /// [`ResponseError::ExtensionParameters`] if it does not answer the offer.
    pub fn agree(&self, extensions: &mut impl ClientExtensions) -> Result<(), ResponseError> {
        extensions.accept(self.extensions()).map_err(|_| ResponseError::ExtensionParameters)
    }
}

/// The contents of a response's headers, gathered in one pass.
#[derive(Debug, Default)]
pub(super) struct Fields<'h> {
    upgrade: Option<bool>,
    connection: bool,
    accept: Once<'h>,
    subprotocol: Once<'h>,
    extensions_malformed: bool,
}

impl<'h> Fields<'h> {
    /// Takes the next header; its value must have no surrounding white space.
    pub(super) fn take(&mut self, name: &str, value: &'h [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Upgrade") {
            // Every element must be `websocket`: a server switches to one protocol.
            let mut elements = field::list(value).peekable();
            let is_websocket = elements.peek().is_some()
                && elements.all(|element| element.eq_ignore_ascii_case(b"websocket"));
            self.upgrade = Some(is_websocket && self.upgrade.unwrap_or(true));
        } else if is("Connection") {
            self.connection |= field::lists(value, b"upgrade");
        } else if is("Sec-WebSocket-Accept") {
            self.accept.take(value);
        } else if is("Sec-WebSocket-Protocol") {
            self.subprotocol.take(value);
        } else if is(extensions::NAME) {
            self.extensions_malformed |= extensions::judge_line(value).is_err();
        }
    }

    /// Checks the gathered headers by RFC 6455, 4.1, or by RFC 8441, 5, and returns the selected
    /// subprotocol. |Content-Length| and |Transfer-Encoding| are ignored: a 1xx has no content, and
    /// frames follow its head (RFC 9112, 6.3).
    pub(super) fn judge(
        &self,
        expected: &Expected,
        answered: &Extensions<'_>,
    ) -> Result<Option<&'h [u8]>, ResponseError> {
        if expected.opening() == Opening::Upgrade {
            self.judge_upgrade(expected)?;
        }
        // "[...] and this header field indicates the use of a subprotocol that was not present in
        // the client's handshake [...], the client MUST _Fail the WebSocket Connection_."
        let subprotocol = match self.subprotocol {
            Once::Absent => None,
            Once::Present(selected)
                if field::list(expected.subprotocols.as_bytes())
                    .any(|offered| offered == selected) =>
            {
                Some(selected)
            }
            Once::Present(_) | Once::Doubled => return Err(ResponseError::Subprotocol),
        };
        if self.extensions_malformed {
            return Err(ResponseError::Extensions);
        }
        // "[...] and this header field indicates the use of an extension that was not present in
        // the client's handshake [...], the client MUST _Fail the WebSocket Connection_."
        if !extensions::are_offered(answered, &expected.offers.extensions()) {
            return Err(ResponseError::ExtensionNotOffered);
        }
        if extensions::has_doubled(answered) {
            return Err(ResponseError::ExtensionDoubled);
        }
        Ok(subprotocol)
    }

    fn judge_upgrade(&self, expected: &Expected) -> Result<(), ResponseError> {
        // "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a
        // value that is not an ASCII case-insensitive match for the value "websocket", the client
        // MUST _Fail the WebSocket Connection_."
        if self.upgrade != Some(true) {
            return Err(ResponseError::Upgrade);
        }
        // "If the response lacks a |Connection| header field or the |Connection| header field
        // doesn't contain a token that is an ASCII case-insensitive match for the value "Upgrade",
        // the client MUST _Fail the WebSocket Connection_."
        if !self.connection {
            return Err(ResponseError::Connection);
        }
        // RFC 6455, 11.3.3: "The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an
        // HTTP response."
        match self.accept {
            Once::Absent => Err(ResponseError::AcceptMissing),
            Once::Doubled => Err(ResponseError::AcceptDoubled),
            Once::Present(value) if Some(value) == expected.accept.as_ref().map(|a| &a[..]) => {
                Ok(())
            }
            Once::Present(_) => Err(ResponseError::AcceptMismatch),
        }
    }
}
