//! What connections are opened with.

use wscodec::Limits;
#[cfg(feature = "deflate")]
use wscodec::deflate::{Deflate, DeflatePool};

/// How connections behave. Cloning shares what they share.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// How much may wait to be written before sending and reading wait for the socket, in bytes.
    /// Default 128 KiB. A message that is larger by itself is taken all the same, one at a time.
    /// Stops a peer that never reads from filling memory.
    pub write_buffer_size_max: usize,
    /// What is wanted of permessage-deflate, and where its streams wait; `None` to do without.
    #[cfg(feature = "deflate")]
    pub deflate: Option<(Deflate, DeflatePool)>,
}

impl Config {
    /// The default of [`write_buffer_size_max`](Self::write_buffer_size_max): 128 KiB.
    pub const WRITE_BUFFER_SIZE_MAX: usize = 128 << 10;

    /// The same configuration with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same configuration with this
    /// [`write_buffer_size_max`](Self::write_buffer_size_max), in bytes.
    #[must_use]
    pub const fn with_write_buffer_size_max(mut self, write_buffer_size_max: usize) -> Self {
        self.write_buffer_size_max = write_buffer_size_max;
        self
    }

    /// The same configuration with permessage-deflate, whose streams wait in `pool`.
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
