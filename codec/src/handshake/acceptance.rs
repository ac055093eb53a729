//! What a server adds to the 101 that accepts.

use crate::redacted::Redacted;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::client_request::push_header;
use super::field;
use super::misuse::HandshakeMisuse;

/// The subprotocol and the headers of a server's acceptance. The default has neither.
///
/// ```
/// use wscodec::handshake::Acceptance;
/// let acceptance = Acceptance::new().subprotocol("chat")?.header("Server", "example")?;
/// # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Acceptance {
    subprotocol: Option<String>,
    headers: Vec<u8>,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptance")
            .field("subprotocol", &self.subprotocol)
            .field("headers", &Redacted(self.headers.len()))
            .finish_non_exhaustive()
    }
}

impl Acceptance {
    /// Creates an acceptance without a subprotocol and without additional headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { subprotocol: None, headers: Vec::new() }
    }

    /// Selects a subprotocol, one of those that the client offered.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Subprotocol`] if it is not a token.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
        if !field::is_token(name.as_bytes()) {
            return Err(HandshakeMisuse::Subprotocol);
        }
        self.subprotocol = Some(name.into());
        Ok(self)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`HandshakeMisuse::HeaderName`], [`HandshakeMisuse::HeaderReserved`] and
    /// [`HandshakeMisuse::HeaderValue`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HandshakeMisuse> {
        push_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// Returns the subprotocol that it selects.
    #[must_use]
    pub fn selected_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    pub(super) fn headers(&self) -> &[u8] {
        &self.headers
    }
}
