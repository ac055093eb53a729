//! permessage-deflate in the opening handshake, where a caller wants it.

use wscodec::deflate::{Deflate, DeflateClient, DeflateServer};
use wscodec::handshake::{
    self, ClientExtensions, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
    ServerExtensions,
};

use crate::deflate::Packed;
use crate::fault::Fault;

/// A client's handshake with what it offers.
pub(crate) type ClientHandshake = handshake::ClientHandshake<Offers>;

/// What a client offers.
pub(crate) struct Offers {
    packed: Packed,
    deflate: DeflateClient,
}

impl Offers {
    pub(crate) fn new(packed: Packed) -> Result<Self, Fault> {
        let deflate = if packed.is_none() {
            DeflateClient::default()
        } else {
            DeflateClient::new(packed.preferences(Deflate::client())?)
        };
        Ok(Self { packed, deflate })
    }

    pub(crate) fn agreed(&self) -> Packed {
        self.packed.agreed(self.deflate.agreed())
    }
}

impl ClientExtensions for Offers {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        self.deflate.offer(offers)
    }

    fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        self.deflate.accept(answer)
    }
}

/// What a server accepts.
pub(crate) struct Accepts {
    packed: Packed,
    deflate: Option<DeflateServer>,
}

impl Accepts {
    pub(crate) fn new(packed: Packed) -> Result<Self, Fault> {
        let deflate = if packed.is_none() {
            None
        } else {
            Some(DeflateServer::new(packed.preferences(Deflate::server())?))
        };
        Ok(Self { packed, deflate })
    }

    pub(crate) fn agreed(&self) -> Packed {
        self.packed.agreed(self.deflate.as_ref().and_then(DeflateServer::agreed))
    }
}

impl ServerExtensions for Accepts {
    fn negotiate(
        &mut self,
        offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        match &mut self.deflate {
            Some(deflate) => deflate.negotiate(offers, answer),
            None => Ok(()),
        }
    }
}
