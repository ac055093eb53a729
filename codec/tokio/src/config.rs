//! The configuration with which connections are opened.

use wscodec::Limits;
#[cfg(feature = "deflate")]
use wscodec::deflate::{Deflate, DeflatePool};

/// How connections behave. Clones share the deflate pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// How much may be queued before sending and reading wait for the socket, in bytes. Default 128
    /// KiB. A larger message is still accepted, one at a time. Stops a peer that never reads from
    /// filling memory.
    pub write_buffer_size_max: usize,
    /// The preferences for permessage-deflate, and the pool of its streams; `None` to disable it.
    #[cfg(feature = "deflate")]
    pub deflate: Option<(Deflate, DeflatePool)>,
}

impl Config {
    /// The default of [`write_buffer_size_max`](Self::write_buffer_size_max): 128 KiB.
    pub const WRITE_BUFFER_SIZE_MAX: usize = 128 << 10;

    /// Returns the same configuration with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the same configuration with this
    /// [`write_buffer_size_max`](Self::write_buffer_size_max), in bytes.
    #[must_use]
    pub const fn with_write_buffer_size_max(mut self, write_buffer_size_max: usize) -> Self {
        self.write_buffer_size_max = write_buffer_size_max;
        self
    }

    /// Returns the same configuration with permessage-deflate, whose streams wait in `pool`.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, deflate: Deflate, pool: DeflatePool) -> Self {
        self.deflate = Some((deflate, pool));
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            write_buffer_size_max: Self::WRITE_BUFFER_SIZE_MAX,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}
