//! Preferences for permessage-deflate, and what was agreed on, as a number that JavaScript passes from one module to another.

/// Preferences for permessage-deflate, or what was agreed on with them: 0 for none.
///
/// | bits | |
/// |---|---|
/// | 0 | set |
/// | 1, 2 | no context takeover by the server, by the client |
/// | 4-7, 8-11 | the largest window of the server, of the client; 0 for the default |
/// | 12-15 | level; 0 for the default |
/// | 16-31 | the shortest message that is compressed |
#[derive(Clone, Copy, Default)]
pub(crate) struct Packed(pub(crate) u32);

impl Packed {
    #[cfg(any(feature = "connection", feature = "handshake"))]
    pub(crate) const fn is_none(self) -> bool {
        self.0 & 1 == 0
    }
}

#[cfg(any(feature = "deflate", feature = "handshake"))]
mod preferences {
    use wscodec::deflate::{ContextTakeover, Deflate, DeflateLevel, WindowBits};

    use super::Packed;
    use crate::fault::Fault;

    impl Packed {
        /// Returns the preferences, of which each that is not set is that of `default`.
        pub(crate) fn preferences(self, default: Deflate) -> Result<Deflate, Fault> {
            let mut deflate = default;
            if self.0 & 2 != 0 {
                deflate.server_context = ContextTakeover::Off;
            }
            if self.0 & 4 != 0 {
                deflate.client_context = ContextTakeover::Off;
            }
            let bits = |shift: u32| (self.0 >> shift & 15) as u8;
            if bits(4) != 0 {
                deflate.server_max_window_bits = WindowBits::new(bits(4)).ok_or(Fault::ARGUMENT)?;
            }
            if bits(8) != 0 {
                let window = WindowBits::new(bits(8)).ok_or(Fault::ARGUMENT)?;
                deflate.client_max_window_bits = Some(window);
            }
            if bits(12) != 0 {
                deflate.level = DeflateLevel::new(bits(12)).ok_or(Fault::ARGUMENT)?;
            }
            deflate.size_min = (self.0 >> 16) as usize;
            Ok(deflate)
        }
    }
}

#[cfg(feature = "handshake")]
mod agreeing {
    use wscodec::deflate::{ContextTakeover, DeflateAgreed};

    use super::Packed;

    impl Packed {
        /// Returns what was agreed on with these preferences: its parameters, and how this side compresses.
        pub(crate) fn agreed(self, agreed: Option<&DeflateAgreed>) -> Self {
            let Some(agreed) = agreed else { return Self(0) };
            let off = |context, bit| if context == ContextTakeover::Off { bit } else { 0 };
            Self(
                1 | off(agreed.server_context(), 2)
                    | off(agreed.client_context(), 4)
                    | u32::from(agreed.server_max_window_bits().get()) << 4
                    | u32::from(agreed.client_max_window_bits().get()) << 8
                    | self.0 & 0xffff_f000,
            )
        }
    }
}

#[cfg(feature = "deflate")]
mod agreed {
    use wscodec::deflate::{Deflate, DeflateAgreed, DeflateServer};
    use wscodec::handshake::{ExtensionWriter, Extensions, ServerExtensions as _};

    use super::Packed;
    use crate::fault::Fault;

    /// An offer that leaves every choice to the server.
    const OFFER: &[u8] = b"permessage-deflate; client_max_window_bits";

    impl Packed {
        /// Returns the agreement that a handshake in another module has packed: what a server with these preferences
        /// answers to a client that leaves it every choice.
        pub(crate) fn to_agreed(self) -> Result<Option<DeflateAgreed>, Fault> {
            if self.is_none() {
                return Ok(None);
            }
            let mut server = DeflateServer::new(self.preferences(Deflate::client())?);
            let values = [OFFER];
            let offers = Extensions::parse(&values).map_err(|_| Fault::ARGUMENT)?;
            server.negotiate(offers, &mut ExtensionWriter::new())?;
            Ok(server.agreed().copied())
        }
    }
}
