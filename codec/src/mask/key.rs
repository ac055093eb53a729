//! The masking key, and the sources of fresh keys.

use alloc::boxed::Box;
use core::fmt;

/// Four bytes that a client XORs over a frame's payload (RFC 6455, 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MaskKey([u8; 4]);

impl MaskKey {
    /// The key that changes nothing.
    pub const ZERO: Self = Self([0; 4]);

    /// Creates the key with these bytes, in wire order.
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes in wire order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Returns the key as it applies from `phase` payload bytes on: byte `i` of the result is byte
    /// `(i + phase) % 4`.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the two lowest bits count")]
    pub const fn rotated(self, phase: usize) -> Self {
        // The little-endian reading moves no bytes on most targets.
        let bits = (phase as u32 & 3) * 8;
        Self(u32::from_le_bytes(self.0).rotate_right(bits).to_le_bytes())
    }

    /// Returns the key that has the effect of both in sequence: it turns bytes masked with one into
    /// bytes masked with the other.
    #[must_use]
    #[inline]
    pub const fn combined(self, other: Self) -> Self {
        Self((u32::from_ne_bytes(self.0) ^ u32::from_ne_bytes(other.0)).to_ne_bytes())
    }

    /// Returns the bytes as they would lie in a word in memory.
    #[inline]
    pub(crate) const fn to_u32(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }

    /// Returns the bytes twice, as they would lie in a word in memory.
    #[inline]
    pub(crate) const fn to_u64(self) -> u64 {
        let word = self.to_u32() as u64;
        word << 32 | word
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskKey({:08x})", u32::from_be_bytes(self.0))
    }
}

/// A source of a client's masking keys.
///
/// RFC 6455, 5.3: "The masking key needs to be unpredictable; thus, the masking key MUST be derived
/// from a strong source of entropy". Anything but a cryptographic generator belongs only in tests.
pub trait MaskKeySource {
    /// Returns a key that has not been used before and can't be guessed.
    fn next_key(&mut self) -> MaskKey;
}

/// A `ChaCha12` generator of masking keys, for stacks that keep their own state or have no `std`.
///
/// ```
/// use wscodec::mask::{ChaChaKeys, MaskKeySource};
/// let mut keys = ChaChaKeys::from_seed([7; 32]); // the seed must come from a strong source
/// assert_ne!(keys.next_key(), keys.next_key());
/// ```
pub struct ChaChaKeys(chacha20::ChaCha12Rng);

impl ChaChaKeys {
    /// Seeds the generator; the same seed gives the same keys.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        use chacha20::rand_core::SeedableRng;
        Self(chacha20::ChaCha12Rng::from_seed(seed))
    }

    /// Seeds the generator from the operating system.
    ///
    /// # Errors
    /// The error of the operating system's entropy source if it can't deliver.
    #[cfg(feature = "getrandom")]
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::from_seed(seed))
    }
}

impl fmt::Debug for ChaChaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChaChaKeys") // the state predicts every key to come
    }
}

impl MaskKeySource for ChaChaKeys {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        use chacha20::rand_core::Rng;
        MaskKey(self.0.next_u32().to_le_bytes())
    }
}

/// The default source: one [`ChaChaKeys`] per thread, seeded by the operating system on first use.
///
/// Costs no memory per connection.
///
/// # Panics
/// [`next_key`](MaskKeySource::next_key) panics at a thread's first key if the operating system has
/// no entropy to give: continuing with guessable keys would be worse.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadKeys;

#[cfg(feature = "std")]
impl MaskKeySource for ThreadKeys {
    #[inline]
    #[expect(clippy::expect_used, reason = "documented: no entropy, no keys")]
    fn next_key(&mut self) -> MaskKey {
        std::thread_local! {
            static KEYS: core::cell::RefCell<Option<ChaChaKeys>> =
                const { core::cell::RefCell::new(None) };
        }
        KEYS.with_borrow_mut(|keys| {
            keys.get_or_insert_with(|| {
                ChaChaKeys::from_os().expect("the operating system gives entropy")
            })
            .next_key()
        })
    }
}

/// The default source of masking keys of a connection: one type with every set of features.
///
/// With `std` it is [`ThreadKeys`]. Without `std` the crate has no source of entropy, so this type
/// can't be created by users, and only a server, which masks nothing, can use it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "std", derive(Default))]
pub struct DefaultKeys(());

impl DefaultKeys {
    /// For a server, which never asks for a key.
    pub(crate) const UNUSED: Self = Self(());
}

impl MaskKeySource for DefaultKeys {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        #[cfg(feature = "std")]
        {
            ThreadKeys.next_key()
        }
        // Only a server has one, and a server's frames are not masked.
        #[cfg(not(feature = "std"))]
        MaskKey::ZERO
    }
}

impl<K: MaskKeySource + ?Sized> MaskKeySource for &mut K {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        (**self).next_key()
    }
}

impl<K: MaskKeySource + ?Sized> MaskKeySource for Box<K> {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        (**self).next_key()
    }
}

/// One key again and again: for servers, which mask nothing, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedKey(pub MaskKey);

impl MaskKeySource for FixedKey {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_key_starts_at_the_phase() {
        let key = MaskKey::new([1, 2, 3, 4]);
        assert_eq!(key.rotated(0).to_bytes(), [1, 2, 3, 4]);
        assert_eq!(key.rotated(1).to_bytes(), [2, 3, 4, 1]);
        assert_eq!(key.rotated(3).to_bytes(), [4, 1, 2, 3]);
        assert_eq!(key.rotated(4), key);
        assert_eq!(key.rotated(usize::MAX), key.rotated(3));
    }
}
