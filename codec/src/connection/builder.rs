//! The parameters of a connection: its role, limits, extension and masking keys.
//!
//! Separate from the connection, so that none of them can change while a frame is half received.

use crate::limits::Limits;
use crate::mask::{DefaultKeys, MaskKeySource};
use crate::message::{PerMessageExtension, Transform};
use crate::role::Role;

use super::{Config, Connection, Delivery};

/// Opens a [`Connection`] whose opening handshake is done.
///
/// ```
/// use wscodec::{ConnectionBuilder, Limits, Role};
///
/// let limits = Limits::default().with_message_size_max(64 * 1024);
/// let server = ConnectionBuilder::server().limits(limits).open();
/// assert_eq!(server.role(), Role::Server);
/// ```
#[derive(Debug)]
#[must_use = "call `open` to get the connection"]
pub struct ConnectionBuilder<K = DefaultKeys> {
    role: Role,
    config: Config,
    keys: K,
    transform: Option<Transform>,
}

impl ConnectionBuilder {
    /// Begins either side, with masking keys from [`ThreadKeys`](crate::mask::ThreadKeys).
    #[cfg(feature = "std")]
    pub fn new(role: Role) -> Self {
        Self::with_mask_keys(role, DefaultKeys::default())
    }

    /// Begins the client's side, with masking keys from [`ThreadKeys`](crate::mask::ThreadKeys).
    #[cfg(feature = "std")]
    pub fn client() -> Self {
        Self::new(Role::Client)
    }

    /// Begins the server's side, which masks nothing and needs no keys.
    pub fn server() -> Self {
        Self::with_mask_keys(Role::Server, DefaultKeys::UNUSED)
    }
}

impl<K: MaskKeySource> ConnectionBuilder<K> {
    /// Begins either side, with masking keys from `keys`. A server needs none.
    pub fn with_mask_keys(role: Role, keys: K) -> Self {
        Self { role, config: Config::default(), keys, transform: None }
    }

    /// Sets limits and delivery together.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets what the peer may send.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Sets how messages are delivered.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.config.delivery = delivery;
        self
    }

    /// Sets the extension that the opening handshake agreed on, if any.
    ///
    /// An extension's state is kept outside the connection, so a connection without one pays
    /// nothing for it. `wscodec::deflate` has an example.
    pub fn extension(mut self, agreed: Option<&impl PerMessageExtension>) -> Self {
        self.transform = agreed.map(|agreed| agreed.transform(self.role));
        self
    }

    /// Opens the connection.
    #[must_use]
    pub fn open(self) -> Connection<K> {
        Connection::open(self.role, self.config, self.keys, self.transform)
    }
}
