//! Where a client's masking keys come from.

use wscodec::mask::{ChaChaKeys, MaskKey, MaskKeySource, ThreadKeys};

use crate::failure::Failure;
use crate::memory;

/// The length of a seed, in bytes.
pub(crate) const SEED_LEN: usize = 32;

/// A source of masking keys, chosen when a connection is opened.
#[derive(Debug)]
pub(crate) enum Keys {
    /// The thread's generator, seeded by the operating system.
    Thread,
    /// A generator of the connection's own.
    Seeded(Box<ChaChaKeys>),
}

impl Keys {
    /// Reads the seed; the operating system's entropy for a null pointer.
    ///
    /// # Safety
    /// `seed` is null or points to [`SEED_LEN`] bytes.
    pub(crate) unsafe fn from_seed(seed: *const u8) -> Result<Self, Failure> {
        if seed.is_null() {
            return Ok(Self::Thread);
        }
        // SAFETY: the caller's word.
        let bytes = unsafe { memory::bytes(seed, SEED_LEN)? };
        let mut seed = [0; SEED_LEN];
        seed.copy_from_slice(bytes);
        Ok(Self::Seeded(Box::new(ChaChaKeys::from_seed(seed))))
    }
}

impl MaskKeySource for Keys {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        match self {
            Self::Thread => ThreadKeys.next_key(),
            Self::Seeded(keys) => keys.next_key(),
        }
    }
}
