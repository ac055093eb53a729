//! permessage-deflate where the build has it, and nothing where it has not: one set of names for both.

use wscodec::handshake;

use crate::fault::Fault;

/// A client's handshake with what it offers.
pub(crate) type ClientHandshake = handshake::ClientHandshake<Offers>;

#[cfg(feature = "deflate")]
pub(crate) use with_deflate::{Accepts, Agreed, Offers};
#[cfg(not(feature = "deflate"))]
pub(crate) use without_deflate::{Accepts, Agreed, Offers};

/// Preferences for permessage-deflate as JavaScript packs them: 0 for none.
///
/// | bits | |
/// |---|---|
/// | 0 | set |
/// | 1, 2 | no context takeover by the server, by the client |
/// | 4-7, 8-11 | the largest window of the server, of the client; 0 for the default |
/// | 12-15 | level; 0 for the default |
/// | 16-31 | the shortest message that is compressed |
#[derive(Clone, Copy)]
pub(crate) struct Packed(pub(crate) u32);

impl Packed {
    const fn is_none(self) -> bool {
        self.0 & 1 == 0
    }
}

#[cfg(feature = "deflate")]
mod with_deflate {
    use wscodec::deflate::{
        ContextTakeover, Deflate, DeflateAgreed, DeflateClient, DeflateLevel, DeflateServer,
        WindowBits,
    };
    use wscodec::handshake::{
        ClientExtensions, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
        ServerExtensions,
    };

    use super::{Fault, Packed};

    /// What was agreed.
    pub(crate) type Agreed = DeflateAgreed;

    impl Packed {
        fn deflate(self, default: Deflate) -> Result<Deflate, Fault> {
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

    /// What a client offers.
    pub(crate) struct Offers(DeflateClient);

    impl Offers {
        pub(crate) fn new(packed: Packed) -> Result<Self, Fault> {
            if packed.is_none() {
                return Ok(Self(DeflateClient::default()));
            }
            Ok(Self(DeflateClient::new(packed.deflate(Deflate::client())?)))
        }

        pub(crate) fn agreed(&self) -> Option<Agreed> {
            self.0.agreed().copied()
        }
    }

    impl ClientExtensions for Offers {
        fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
            self.0.offer(offers)
        }

        fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
            self.0.accept(answer)
        }
    }

    /// What a server accepts.
    pub(crate) struct Accepts(Option<DeflateServer>);

    impl Accepts {
        pub(crate) fn new(packed: Packed) -> Result<Self, Fault> {
            if packed.is_none() {
                return Ok(Self(None));
            }
            Ok(Self(Some(DeflateServer::new(packed.deflate(Deflate::server())?))))
        }

        pub(crate) fn agreed(&self) -> Option<Agreed> {
            self.0.as_ref()?.agreed().copied()
        }
    }

    impl ServerExtensions for Accepts {
        fn negotiate(
            &mut self,
            offers: Extensions<'_>,
            answer: &mut ExtensionWriter,
        ) -> Result<(), HandshakeMisuse> {
            match &mut self.0 {
                Some(deflate) => deflate.negotiate(offers, answer),
                None => Ok(()),
            }
        }
    }

    /// Packs what was agreed as preferences are.
    pub(crate) fn pack(agreed: &Agreed) -> u32 {
        let off = |context, bit| if context == ContextTakeover::Off { bit } else { 0 };
        1 | off(agreed.server_context(), 2)
            | off(agreed.client_context(), 4)
            | u32::from(agreed.server_max_window_bits().get()) << 4
            | u32::from(agreed.client_max_window_bits().get()) << 8
    }
}

#[cfg(not(feature = "deflate"))]
#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "as with permessage-deflate"
)]
mod without_deflate {
    use wscodec::handshake::{
        ClientExtensions, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
        ServerExtensions,
    };

    use super::{Fault, Packed};

    /// What was agreed: never anything.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Agreed {}

    /// What a client offers: nothing.
    pub(crate) struct Offers;

    impl Offers {
        pub(crate) const fn new(packed: Packed) -> Result<Self, Fault> {
            if packed.is_none() { Ok(Self) } else { Err(Fault::NO_DEFLATE) }
        }

        pub(crate) const fn agreed(&self) -> Option<Agreed> {
            None
        }
    }

    impl ClientExtensions for Offers {
        fn offer(&self, _: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
            Ok(())
        }

        fn accept(&mut self, _: Extensions<'_>) -> Result<(), ExtensionMismatch> {
            Ok(())
        }
    }

    /// What a server accepts: nothing.
    pub(crate) struct Accepts;

    impl Accepts {
        pub(crate) const fn new(packed: Packed) -> Result<Self, Fault> {
            if packed.is_none() { Ok(Self) } else { Err(Fault::NO_DEFLATE) }
        }

        pub(crate) const fn agreed(&self) -> Option<Agreed> {
            None
        }
    }

    impl ServerExtensions for Accepts {
        fn negotiate(
            &mut self,
            _: Extensions<'_>,
            _: &mut ExtensionWriter,
        ) -> Result<(), HandshakeMisuse> {
            Ok(())
        }
    }

    pub(crate) const fn pack(agreed: &Agreed) -> u32 {
        match *agreed {}
    }
}

#[cfg(feature = "deflate")]
use with_deflate::pack;
#[cfg(not(feature = "deflate"))]
use without_deflate::pack;

/// Keeps an agreement, and returns its number: 0 for none.
pub(crate) fn keep_agreed(all: &mut Vec<Agreed>, agreed: Option<Agreed>) -> u32 {
    let Some(agreed) = agreed else { return 0 };
    let at = all.iter().position(|known| *known == agreed).unwrap_or_else(|| {
        all.push(agreed);
        all.len() - 1
    });
    at as u32 + 1
}

/// Returns the agreement with a number.
pub(crate) fn agreed(all: &[Agreed], number: u32) -> Result<Option<&Agreed>, Fault> {
    match number.checked_sub(1) {
        None => Ok(None),
        Some(at) => all.get(at as usize).map(Some).ok_or(Fault::ARGUMENT),
    }
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use super::{agreed, pack};
    use crate::module::run;

    /// Returns what was agreed under a number, packed as preferences are.
    #[unsafe(no_mangle)]
    extern "C" fn agreed_packed(number: u32) -> i32 {
        run(|module| Ok(agreed(&module.agreed, number)?.map_or(0, pack)))
    }
}
