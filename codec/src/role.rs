//! Which end of the connection this is: it decides which end masks.

/// Which end of the connection *this* side is.
///
/// RFC 6455, 5.1: a client masks every frame it sends, a server masks none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends masked frames, receives unmasked ones.
    Client,
    /// Sends unmasked frames, receives masked ones.
    Server,
}
