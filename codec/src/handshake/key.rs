//! |Sec-WebSocket-Key| and the |Sec-WebSocket-Accept| that answers it (RFC 6455, 4.2.2).

use core::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest as _, Sha1};

use crate::mask::MaskKeySource;
use crate::redacted::Redacted;

use super::error::RequestError;

/// The length of a key on the wire: 16 bytes in base64.
const KEY_LEN: usize = 24;
/// The length of an accept value on the wire: the 20 bytes of a SHA-1 in base64.
const ACCEPT_LEN: usize = 28;

/// Reads keys. The last character before the padding carries four bits that mean nothing: a key in
/// which they are not zero is not canonical, but the accept value is made from the text, so both
/// sides still agree. RFC 6455 asks no more than "a base64-encoded [...] value that, when decoded,
/// is 16 bytes in length", and the key in its own example (4.1, `AQIDBAUGBwgJCgsMDQ4PEC==`) is such
/// a one, so it is accepted.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The nonce of a client's handshake: 16 unpredictable bytes, fresh for every connection.
///
/// RFC 6455, 4.1: "The nonce MUST be selected randomly for each connection."
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HandshakeKey([u8; 16]);

impl HandshakeKey {
    /// Creates a key from these bytes, which must come from a strong source.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Creates a fresh key from `source`, for stacks without `std`.
    #[must_use]
    pub fn from_source(source: &mut impl MaskKeySource) -> Self {
        let mut bytes = [0; 16];
        for quarter in bytes.chunks_exact_mut(4) {
            quarter.copy_from_slice(&source.next_key().to_bytes());
        }
        Self(bytes)
    }

    /// Creates a fresh key from the thread's generator, which the operating system has seeded.
    ///
    /// # Panics
    /// On a thread's first use, if the operating system has no entropy to give; see
    /// [`ThreadKeys`](crate::mask::ThreadKeys).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn random() -> Self {
        Self::from_source(&mut crate::mask::ThreadKeys)
    }

    /// Returns the key in its wire format.
    pub(super) fn encode(self) -> EncodedKey {
        let mut encoded = [0; KEY_LEN];
        let _ = STANDARD.encode_slice(self.0, &mut encoded); // 16 bytes are 24 characters
        EncodedKey(encoded)
    }
}

/// Shows that there is a key, but not its value.
impl fmt::Debug for HandshakeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandshakeKey").field(&Redacted(self.0.len())).finish()
    }
}

impl From<[u8; 16]> for HandshakeKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// A key in its wire format.
#[derive(Clone, Copy)]
pub(super) struct EncodedKey([u8; KEY_LEN]);

/// Shows that there is a key, but not its value.
impl fmt::Debug for EncodedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EncodedKey").field(&Redacted(self.0.len())).finish()
    }
}

impl EncodedKey {
    /// Parses the key that a client sent; `None` if it is not valid.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let encoded: [u8; KEY_LEN] = value.try_into().ok()?;
        let mut decoded = [0; 18]; // what 24 characters can be at most
        let decoded_len = LENIENT.decode_slice(encoded, &mut decoded).ok()?;
        (decoded_len == 16).then_some(Self(encoded))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default() // base64
    }

    /// RFC 6455, 4.2.2: "concatenating /key/ [...] with the string
    /// "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the SHA-1 hash of this concatenated value to
    /// obtain a 20-byte value and base64-encoding [...] this 20-byte hash."
    pub(super) fn accept(&self) -> [u8; ACCEPT_LEN] {
        let mut hash = Sha1::new();
        hash.update(self.0);
        hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let mut accept = [0; ACCEPT_LEN];
        let _ = STANDARD.encode_slice(hash.finalize(), &mut accept); // 20 bytes are 28 characters
        accept
    }
}

/// Returns the value of |Sec-WebSocket-Accept| that answers `key`, a value of |Sec-WebSocket-Key|
/// (RFC 6455, 4.2.2): ASCII.
///
/// ```
/// use wscodec::handshake::accept_key;
/// assert_eq!(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")?, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<_, wscodec::handshake::RequestError>(())
/// ```
///
/// # Errors
/// [`RequestError::Key`] if it is not 16 bytes in base64. Surrounding white space is not part of a
/// header's value.
pub fn accept_key(key: &[u8]) -> Result<[u8; 28], RequestError> {
    EncodedKey::parse(key).map(|key| key.accept()).ok_or(RequestError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_2_accept_of_the_example_key() {
        let key = EncodedKey::parse(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(&key.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(HandshakeKey::new(*b"the sample nonce").encode().0, key.0);
    }

    #[test]
    fn s4_1_example_key_is_accepted_although_not_canonical() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let canonical = HandshakeKey::new(bytes).encode();
        assert_eq!(canonical.as_bytes(), b"AQIDBAUGBwgJCgsMDQ4PEA==");
        assert!(EncodedKey::parse(b"AQIDBAUGBwgJCgsMDQ4PEC==").is_some());
    }

    #[cfg(feature = "std")]
    #[test]
    fn b35_keys_are_fresh() {
        let keys: alloc::collections::BTreeSet<_> =
            (0..10_000).map(|_| HandshakeKey::random().0).collect();
        assert_eq!(keys.len(), 10_000);
    }
}
