//! Makes a server's side of TLS from a certificate and its key, read from files or generated.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ServerConnection, WebPkiClientVerifier};

use super::alpn;
use super::pem::{authorities, identity};

/// What the reference server presents to its clients.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

impl ServerTls {
    /// Reads a chain and its key from PEM files. `client_ca` names a file of CAs that must have
    /// issued the clients' certificates.
    ///
    /// # Errors
    /// One line: which file or flag is wrong, and what to do.
    pub fn from_files(chain: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, String> {
        let (chain, key) = identity(chain, key, &ring::default_provider())?;
        Self::new(chain, key, client_ca)
    }

    /// Generates a key, and a certificate for the names of this machine's loopback and for `host`.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn self_signed(host: Option<IpAddr>, client_ca: Option<&Path>) -> Result<Self, String> {
        let bad = |error: rcgen::Error| format!("no certificate could be made: {error}");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(bad)?;
        let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let addresses = loopback.into_iter().chain(host.filter(|ip| !loopback.contains(ip)));
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
        let key = KeyPair::generate().map_err(bad)?;
        let certificate = params.self_signed(&key).map_err(bad)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self::new(vec![certificate.der().clone()], key, client_ca)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        client_ca: Option<&Path>,
    ) -> Result<Self, String> {
        let fingerprint = chain.first().map(|first| fingerprint(first)).unwrap_or_default();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS: {error}"))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = authorities("--client-ca", path)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| format!("--client-ca {}: {error}", path.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| format!("--cert and --key don't match: {error}"))?;
        config.alpn_protocols = alpn(false);
        // Clients keep the tickets, so no number of them makes the server forget a session.
        config.ticketer =
            ring::Ticketer::new().map_err(|error| format!("no session tickets: {error}"))?;
        Ok(Self { config: Arc::new(config), fingerprint })
    }

    /// Agrees on HTTP/2 with clients, or on HTTP/1.1.
    #[must_use]
    pub fn for_http2(mut self, is_http2: bool) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = alpn(is_http2);
        self
    }

    /// Returns the SHA-256 of the certificate, as browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(in crate::net) fn connection(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.config))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let hash = ring::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .map(|suite| suite.common.hash_provider.hash(certificate));
    let bytes = hash.as_ref().map(AsRef::as_ref).unwrap_or_default();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
