//! The server's acceptance as values: a status and headers, for any HTTP stack to write (RFC 6455,
//! 4.2.2).
//!
//! Invariant: an [`Answer`] selects only what was offered.

use super::acceptance::Acceptance;
use super::extensions::{self, ExtensionWriter, Extensions, ServerExtensions};
use super::field;
use super::misuse::HandshakeMisuse;

/// A server's acceptance: the status, and the headers to send with it.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The answer to the key; `None` for an extended CONNECT, which has no key.
    accept: Option<[u8; 28]>,
    acceptance: &'a Acceptance,
    extensions: ExtensionWriter,
}

impl<'a> Answer<'a> {
    /// Returns the status: 101, or 200 to an extended CONNECT (RFC 8441, 5).
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.accept.is_some() { 101 } else { 200 }
    }

    /// Returns the headers in the order in which to send them, as (name, value): those of the
    /// handshake, then those of the [`Acceptance`]. HTTP/2 and HTTP/3 require lower-case names,
    /// which the types of the `http` crate ensure.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let upgrade = self.accept.as_ref().and_then(|accept| {
            let accept = core::str::from_utf8(accept).ok()?; // base64
            Some([
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", accept),
            ])
        });
        let subprotocol = self.subprotocol().map(|name| ("Sec-WebSocket-Protocol", name));
        let extensions = Some((extensions::NAME, self.extensions())).filter(|(_, v)| !v.is_empty());
        let own = field::lines(self.acceptance.headers());
        upgrade.into_iter().flatten().chain(subprotocol).chain(extensions).chain(own)
    }

    /// Returns the selected subprotocol.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.acceptance.selected_subprotocol()
    }

    /// Returns the value of |Sec-WebSocket-Extensions|; empty if none is agreed.
    #[must_use]
    pub fn extensions(&self) -> &str {
        self.extensions.as_str()
    }
}

/// Answers an offer.
pub(super) fn answer<'a, 'o>(
    accept: Option<[u8; 28]>,
    mut subprotocols: impl Iterator<Item = &'o str>,
    offered: &Extensions<'_>,
    acceptance: &'a Acceptance,
    extensions: &mut impl ServerExtensions,
) -> Result<Answer<'a>, HandshakeMisuse> {
    // RFC 6455, 4.2.2: "The value chosen MUST be derived from the client's handshake, specifically
    // by selecting one of the values from the |Sec-WebSocket-Protocol| field".
    if let Some(selected) = acceptance.selected_subprotocol()
        && !subprotocols.any(|name| name == selected)
    {
        return Err(HandshakeMisuse::SubprotocolNotOffered);
    }
    let mut answer = ExtensionWriter::new();
    extensions.negotiate(offered.clone(), &mut answer)?;
    // RFC 6455, 9.1: "A server MUST NOT respond with any extension not requested by the client."
    if !extensions::are_offered(&answer.extensions(), offered) {
        return Err(HandshakeMisuse::ExtensionNotOffered);
    }
    Ok(Answer { accept, acceptance, extensions: answer })
}
