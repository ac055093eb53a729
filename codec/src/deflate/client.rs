//! The client's part in the negotiation: offers, and checking the answer (RFC 7692, 7).

use alloc::vec::Vec;

use crate::handshake::{
    ClientExtensions, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
};

use super::NAME;
use super::parameters::{DeflateAgreed, Parameters};
use super::preferences::Deflate;

/// Offers permessage-deflate, and holds what was agreed once the handshake is done.
///
/// The answer accepts the first offer that it fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeflateClient {
    offers: Vec<Deflate>,
    agreed: Option<DeflateAgreed>,
}

impl DeflateClient {
    /// Offers `deflate`.
    #[must_use]
    pub fn new(deflate: Deflate) -> Self {
        Self::default().or(deflate)
    }

    /// Also offers `deflate`, as a fallback if the server declines the earlier offers.
    #[must_use]
    pub fn or(mut self, deflate: Deflate) -> Self {
        self.offers.push(deflate);
        self
    }

    /// Returns what was agreed; `None` if the server has declined, or has not answered.
    #[must_use]
    pub const fn agreed(&self) -> Option<&DeflateAgreed> {
        self.agreed.as_ref()
    }
}

impl ClientExtensions for DeflateClient {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        self.offers.iter().try_for_each(|deflate| Parameters::offer(deflate).write(offers))
    }

    /// "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an extension
    /// negotiation offer for this extension with an extension negotiation response meeting any of
    /// the following conditions" (7).
    fn accept(&mut self, mut answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        let Some(answer) = answer.find(|extension| extension.name() == NAME) else {
            return Ok(());
        };
        let answer = Parameters::parse(&answer).map_err(|_| ExtensionMismatch)?;
        if !answer.is_answer() {
            return Err(ExtensionMismatch);
        }
        let offers = self.offers.iter().map(|deflate| (deflate, Parameters::offer(deflate)));
        let mut accepted = offers.filter(|(_, offer)| answer.accepts(*offer));
        let (deflate, offer) = accepted.next().ok_or(ExtensionMismatch)?;
        self.agreed = Some(DeflateAgreed::new(answer, deflate).as_promised(offer));
        Ok(())
    }
}
