//! One side's preferences for permessage-deflate, before negotiation.

use super::window_bits::WindowBits;

/// Whether a message may refer to the messages before it (RFC 7692, 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ContextTakeover {
    /// It may: fewer bytes on the wire, and the window stays in memory on both sides between
    /// messages.
    #[default]
    Allowed,
    /// It may not: `*_no_context_takeover`. Nothing stays in memory between messages.
    Off,
}

/// How much work goes into compressing: 1, the fastest, to 9, the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeflateLevel(u8);

impl DeflateLevel {
    /// The fastest.
    pub const FASTEST: Self = Self(1);
    /// The smallest.
    pub const SMALLEST: Self = Self(9);

    /// Returns the level with that number; `None` unless it is 1 to 9.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for DeflateLevel {
    /// 4: on messages of half a KiB, compresses as well as the higher levels and is hardly slower
    /// than level 2.
    fn default() -> Self {
        Self(4)
    }
}

/// One side's preferences for permessage-deflate: what a client offers, or what a server accepts.
///
/// ```
/// use wscodec::deflate::{ContextTakeover, Deflate, WindowBits};
/// // A server for very many connections: 4 KiB at most for what each has sent, nothing for what it is sent.
/// let deflate = Deflate::server()
///     .with_server_context(ContextTakeover::Off)
///     .with_client_max_window_bits(WindowBits::new(12));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// Whether the server's messages may refer to earlier ones. A client with `Off` asks the server
    /// not to, and rejects a server that does; a server with `Off` does not.
    pub server_context: ContextTakeover,
    /// Whether the client's messages may refer to earlier ones. A client with `Off` does not; a
    /// server with `Off` demands that the client does not.
    pub client_context: ContextTakeover,
    /// The largest window for the server's messages, which the server need not use.
    pub server_max_window_bits: WindowBits,
    /// The largest window for the client's messages. A client with `None` does not let the server
    /// choose a smaller one; for a server, `None` is the same as 15.
    pub client_max_window_bits: Option<WindowBits>,
    /// How hard this side compresses.
    pub level: DeflateLevel,
    /// Messages of fewer bytes are sent uncompressed. Default 64.
    pub size_min: usize,
}

impl Deflate {
    /// The default of [`size_min`](Self::size_min): 64 bytes.
    pub const SIZE_MIN: usize = 64;

    /// Returns the default offer of a client: `permessage-deflate; client_max_window_bits`, as
    /// browsers do.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            server_context: ContextTakeover::Allowed,
            client_context: ContextTakeover::Allowed,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: Some(WindowBits::MAX),
            level: DeflateLevel(4),
            size_min: Self::SIZE_MIN,
        }
    }

    /// Returns the default preferences of a server: context takeover both ways, with windows of 4
    /// KiB where the client lets it choose. Chat messages repeat within that distance, and an idle
    /// connection costs an eighth of what it would with 32 KiB.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            server_max_window_bits: SERVER_WINDOW_BITS,
            client_max_window_bits: Some(SERVER_WINDOW_BITS),
            ..Self::client()
        }
    }

    /// Returns the same preferences with this [`server_context`](Self::server_context).
    #[must_use]
    pub const fn with_server_context(mut self, context: ContextTakeover) -> Self {
        self.server_context = context;
        self
    }

    /// Returns the same preferences with this [`client_context`](Self::client_context).
    #[must_use]
    pub const fn with_client_context(mut self, context: ContextTakeover) -> Self {
        self.client_context = context;
        self
    }

    /// Returns the same preferences with this
    /// [`server_max_window_bits`](Self::server_max_window_bits).
    #[must_use]
    pub const fn with_server_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// Returns the same preferences with this
    /// [`client_max_window_bits`](Self::client_max_window_bits).
    #[must_use]
    pub const fn with_client_max_window_bits(mut self, bits: Option<WindowBits>) -> Self {
        self.client_max_window_bits = bits;
        self
    }

    /// Returns the same preferences with this [`level`](Self::level).
    #[must_use]
    pub const fn with_level(mut self, level: DeflateLevel) -> Self {
        self.level = level;
        self
    }

    /// Returns the same preferences with this [`size_min`](Self::size_min).
    #[must_use]
    pub const fn with_size_min(mut self, size_min: usize) -> Self {
        self.size_min = size_min;
        self
    }
}

/// 4 KiB.
const SERVER_WINDOW_BITS: WindowBits = match WindowBits::new(12) {
    Some(bits) => bits,
    None => WindowBits::MAX,
};
