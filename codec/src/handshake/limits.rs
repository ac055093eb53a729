//! Limits on the opening handshake, each with the attack it stops.

/// What a peer may send before the handshake fails.
///
/// Memory follows the bytes that have actually arrived and never exceeds `head_size_max` for the
/// bytes plus the list of at most `headers_max` header positions. The caller must bound the *time*:
/// this crate has no clock, so a head that never ends must be cut off by a deadline that counts
/// from the connection's start.
///
/// ```
/// use wscodec::handshake::HandshakeLimits;
/// let limits = HandshakeLimits::default().with_head_size_max(4096);
/// assert_eq!(limits.headers_max, 100);
/// ```
///
/// More limits may be added, so a literal compiles only within this crate:
///
/// ```compile_fail,E0639
/// use wscodec::handshake::HandshakeLimits;
/// let limits = HandshakeLimits { head_size_max: 4096, ..HandshakeLimits::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeLimits {
    /// The whole head, start line and blank line included, in bytes. Default 16 KiB. Stops a head
    /// that never ends from taking memory: a server answers 431.
    pub head_size_max: usize,
    /// The start line (request line or status line) without its line end, in bytes. Default 8 KiB.
    /// Stops a target as large as a head from reaching routers and logs: a server answers 414.
    pub start_line_size_max: usize,
    /// The header lines. Default 100. Stops floods of tiny headers, which cost the receiver more
    /// than the sender: a server answers 431.
    pub headers_max: usize,
}

impl HandshakeLimits {
    /// The default of [`head_size_max`](Self::head_size_max): 16 KiB.
    pub const HEAD_SIZE_MAX: usize = 16 << 10;
    /// The default of [`start_line_size_max`](Self::start_line_size_max): 8 KiB.
    pub const START_LINE_SIZE_MAX: usize = 8 << 10;
    /// The default of [`headers_max`](Self::headers_max): 100.
    pub const HEADERS_MAX: usize = 100;

    /// Returns the defaults, as [`default`](Self::default) has them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head_size_max: Self::HEAD_SIZE_MAX,
            start_line_size_max: Self::START_LINE_SIZE_MAX,
            headers_max: Self::HEADERS_MAX,
        }
    }

    /// Returns the same limits with this [`head_size_max`](Self::head_size_max), in bytes.
    #[must_use]
    pub const fn with_head_size_max(mut self, head_size_max: usize) -> Self {
        self.head_size_max = head_size_max;
        self
    }

    /// Returns the same limits with this [`start_line_size_max`](Self::start_line_size_max), in
    /// bytes.
    #[must_use]
    pub const fn with_start_line_size_max(mut self, start_line_size_max: usize) -> Self {
        self.start_line_size_max = start_line_size_max;
        self
    }

    /// Returns the same limits with this [`headers_max`](Self::headers_max).
    #[must_use]
    pub const fn with_headers_max(mut self, headers_max: usize) -> Self {
        self.headers_max = headers_max;
        self
    }
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self::new()
    }
}
