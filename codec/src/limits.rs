//! Limits on what a peer may make this side do, each with the attack it stops.

/// What a peer may send before the connection fails.
///
/// Every limit is checked on the frame *header*, before any payload is taken, and no memory is
/// reserved for a length that a header merely claims.
///
/// ```
/// use wscodec::Limits;
/// let limits = Limits::default().with_message_size_max(64 * 1024);
/// assert_eq!(limits.frame_size_max, 16 * 1024 * 1024);
/// ```
///
/// More limits may be added, so a literal compiles only within this crate:
///
/// ```compile_fail,E0639
/// use wscodec::Limits;
/// let limits = Limits { message_size_max: 64 * 1024, ..Limits::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The payload of one frame, in bytes. Default 16 MiB. Stops a single frame that never ends.
    pub frame_size_max: u64,
    /// The payload of one message, in bytes: the sum of its fragments, after inflation. Default 64
    /// MiB. Stops endless fragments and decompression bombs.
    pub message_size_max: usize,
    /// The frames of one message, including empty ones. Default 131,072. Bounds the work that a
    /// message of tiny fragments can cause: an empty fragment costs its sender six bytes.
    pub fragments_max: u32,
}

impl Limits {
    /// The default of [`frame_size_max`](Self::frame_size_max): 16 MiB.
    pub const FRAME_SIZE_MAX: u64 = 16 << 20;
    /// The default of [`message_size_max`](Self::message_size_max): 64 MiB.
    pub const MESSAGE_SIZE_MAX: usize = 64 << 20;
    /// The default of [`fragments_max`](Self::fragments_max): 131,072.
    pub const FRAGMENTS_MAX: u32 = 131_072;

    /// Returns the defaults, as [`default`](Self::default) has them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            frame_size_max: Self::FRAME_SIZE_MAX,
            message_size_max: Self::MESSAGE_SIZE_MAX,
            fragments_max: Self::FRAGMENTS_MAX,
        }
    }

    /// No limits except those of the format: for a trusted peer, or for a proxy or analyser that
    /// passes on what arrives and keeps nothing. A connection that assembles messages takes as much
    /// memory as its peer sends.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { frame_size_max: u64::MAX, message_size_max: usize::MAX, fragments_max: u32::MAX }
    }

    /// Returns the same limits with this [`frame_size_max`](Self::frame_size_max), in bytes.
    #[must_use]
    pub const fn with_frame_size_max(mut self, frame_size_max: u64) -> Self {
        self.frame_size_max = frame_size_max;
        self
    }

    /// Returns the same limits with this [`message_size_max`](Self::message_size_max), in bytes.
    #[must_use]
    pub const fn with_message_size_max(mut self, message_size_max: usize) -> Self {
        self.message_size_max = message_size_max;
        self
    }

    /// Returns the same limits with this [`fragments_max`](Self::fragments_max).
    #[must_use]
    pub const fn with_fragments_max(mut self, fragments_max: u32) -> Self {
        self.fragments_max = fragments_max;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
