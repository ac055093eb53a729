//! The configuration with which connections are opened.

use std::time::Duration;

use wscodec::Limits;
#[cfg(feature = "deflate")]
use wscodec::deflate::{Deflate, DeflateClient, DeflatePool};
use wscodec::handshake::HandshakeLimits;

/// How connections behave. Clones share the deflate pool.
///
/// Times need a runtime with its timer enabled, as `#[tokio::main]` has it; without one, a time that
/// begins to run panics. With every time set to `None`, none is needed.
///
/// ```
/// use std::time::Duration;
/// use wscodec_tokio::wscodec::Limits;
/// use wscodec_tokio::{Config, KeepAlive};
///
/// let config = Config::default()
///     .with_limits(Limits::default().with_message_size_max(64 << 10))
///     .with_keep_alive(KeepAlive::new(Duration::from_secs(30)))
///     .with_idle_timeout(Duration::from_secs(600));
/// assert_eq!(config.close_timeout, Some(Config::CLOSE_TIMEOUT));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// How large the head of the peer's handshake may be.
    pub handshake_limits: HandshakeLimits,
    /// How much may be queued before sending and reading wait for the socket, in bytes. Default 128
    /// KiB. A larger message is still accepted, one at a time. Stops a peer that never reads from
    /// filling memory.
    pub write_buffer_size_max: usize,
    /// How long the opening handshake may take; a client's includes the connection. Default 10
    /// seconds. Stops a client that connects and stays silent.
    pub handshake_timeout: Option<Duration>,
    /// How long the peer may take to answer a Close; and then, how long to wait for its end of the
    /// stream (RFC 6455, 7.1.1). Default 5 seconds. `None` waits for the answer without a bound,
    /// and for the end of the stream not at all.
    pub close_timeout: Option<Duration>,
    /// The Pings that notice a peer that is gone; `None`, the default, to send none.
    pub keep_alive: Option<KeepAlive>,
    /// How long a connection may go without a message, in either direction, before it is closed
    /// with 1001; Pings and Pongs are no messages. Default `None`. Stops peers from keeping
    /// connections that they don't use.
    pub idle_timeout: Option<Duration>,
    /// The preferences for permessage-deflate, and the pool of its streams; `None` to disable it.
    #[cfg(feature = "deflate")]
    pub deflate: Option<(Deflate, DeflatePool)>,
    /// What a client offers besides [`deflate`](Self::deflate), for a server that declines it. Default
    /// `None`.
    #[cfg(feature = "deflate")]
    pub deflate_fallback: Option<Deflate>,
}

/// When to send a Ping, and how long to wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// For how long nothing arrives before a Ping is sent.
    pub interval: Duration,
    /// How long to wait after a Ping until something arrives: the Pong, or a part of a long message
    /// that was on its way. If nothing does, the connection fails with
    /// [`Timeout::KeepAlive`](crate::Timeout::KeepAlive).
    pub timeout: Duration,
}

impl KeepAlive {
    /// Creates a Ping for whenever nothing has arrived for `interval`; its answer may take as long.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, timeout: interval }
    }

    /// Returns the same Ping, with another time for its answer.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Config {
    /// The default of [`write_buffer_size_max`](Self::write_buffer_size_max): 128 KiB.
    pub const WRITE_BUFFER_SIZE_MAX: usize = 128 << 10;
    /// The default of [`handshake_timeout`](Self::handshake_timeout): 10 seconds.
    pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of [`close_timeout`](Self::close_timeout): 5 seconds.
    pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

    /// Returns the same configuration with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the same configuration with these limits of a handshake.
    #[must_use]
    pub const fn with_handshake_limits(mut self, limits: HandshakeLimits) -> Self {
        self.handshake_limits = limits;
        self
    }

    /// Returns the same configuration with this
    /// [`write_buffer_size_max`](Self::write_buffer_size_max), in bytes.
    #[must_use]
    pub const fn with_write_buffer_size_max(mut self, write_buffer_size_max: usize) -> Self {
        self.write_buffer_size_max = write_buffer_size_max;
        self
    }

    /// Returns the same configuration with this [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Returns the same configuration with this [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub fn with_close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.close_timeout = timeout.into();
        self
    }

    /// Returns the same configuration with this [`keep_alive`](Self::keep_alive).
    #[must_use]
    pub fn with_keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.keep_alive = keep_alive.into();
        self
    }

    /// Returns the same configuration with this [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Returns the same configuration with permessage-deflate, whose streams wait in `pool`.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, deflate: Deflate, pool: DeflatePool) -> Self {
        self.deflate = Some((deflate, pool));
        self
    }

    /// Returns the same configuration, with a second offer of a client.
    ///
    /// Some servers accept only offers that name what they want: a server that wants no context
    /// takeover from clients may wait for an offer of `client_no_context_takeover`.
    ///
    /// ```
    /// use wscodec_tokio::Config;
    /// use wscodec_tokio::wscodec::deflate::{ContextTakeover, Deflate, DeflatePool};
    ///
    /// let deflate = Deflate::client();
    /// let config = Config::default()
    ///     .with_deflate(deflate, DeflatePool::new(8))
    ///     .with_deflate_fallback(deflate.with_client_context(ContextTakeover::Off));
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate_fallback(mut self, deflate: Deflate) -> Self {
        self.deflate_fallback = Some(deflate);
        self
    }

    /// Returns what a client offers, and the pool for what is agreed.
    #[cfg(feature = "deflate")]
    pub(crate) fn deflate_offers(&self) -> Option<(DeflateClient, &DeflatePool)> {
        let (deflate, pool) = self.deflate.as_ref()?;
        let offers = DeflateClient::new(*deflate);
        Some((self.deflate_fallback.into_iter().fold(offers, DeflateClient::or), pool))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            handshake_limits: HandshakeLimits::default(),
            write_buffer_size_max: Self::WRITE_BUFFER_SIZE_MAX,
            handshake_timeout: Some(Self::HANDSHAKE_TIMEOUT),
            close_timeout: Some(Self::CLOSE_TIMEOUT),
            keep_alive: None,
            idle_timeout: None,
            #[cfg(feature = "deflate")]
            deflate: None,
            #[cfg(feature = "deflate")]
            deflate_fallback: None,
        }
    }
}
