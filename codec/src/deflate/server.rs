//! The server's part in the negotiation: which offer it takes, and with what (RFC 7692, 7).

use crate::handshake::{ExtensionWriter, Extensions, HandshakeMisuse, ServerExtensions};

use super::NAME;
use super::parameters::{DeflateAgreed, Parameters};
use super::preferences::Deflate;

/// Takes the first offer of permessage-deflate that is well formed, and holds what was agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateServer {
    deflate: Deflate,
    agreed: Option<DeflateAgreed>,
}

impl DeflateServer {
    /// Accepts offers as far as `deflate` allows.
    #[must_use]
    pub const fn new(deflate: Deflate) -> Self {
        Self { deflate, agreed: None }
    }

    /// Returns what was agreed; `None` if there was no acceptable offer.
    #[must_use]
    pub const fn agreed(&self) -> Option<&DeflateAgreed> {
        self.agreed.as_ref()
    }
}

impl ServerExtensions for DeflateServer {
    /// "A server MUST decline an extension negotiation offer for this extension if any of the
    /// following conditions are met" (7): a parameter that is unknown, has an invalid value, or
    /// occurs twice.
    fn negotiate(
        &mut self,
        offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        let mut offers = offers.filter(|offer| offer.name() == NAME);
        let Some(offer) = offers.find_map(|offer| Parameters::parse(&offer).ok()) else {
            return Ok(());
        };
        let agreed = offer.answer(&self.deflate);
        agreed.write(answer)?;
        self.agreed = Some(DeflateAgreed::new(agreed, &self.deflate));
        Ok(())
    }
}
