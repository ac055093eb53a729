//! TLS over a blocking socket, for what is sent beside a run.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::StreamOwned;
use rustls::pki_types::ServerName;

use super::TlsClient;
use crate::net::TlsSettings;

/// Makes TLS connections that trust what this system trusts.
#[derive(Clone, Debug)]
pub struct BlockingTls(TlsClient);

impl BlockingTls {
    /// Reads the certificates that this system trusts.
    ///
    /// # Errors
    /// One line: why there are none.
    pub fn new() -> Result<Self, String> {
        TlsClient::new(&TlsSettings::default(), false).map(Self)
    }

    /// Speaks TLS over a connection to `host`. The handshake is made with the first byte.
    ///
    /// # Errors
    /// If no certificate can be for such a host.
    pub fn over(&self, tcp: TcpStream, host: &str) -> io::Result<impl Read + Write + use<>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = self.0.connection(&name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, tcp))
    }
}
