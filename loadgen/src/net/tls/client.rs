//! What is trusted and shown to a server, to client connections.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::ALPN;
use crate::net::TlsSettings;

/// Servers whose sessions a worker remembers: many more than a run has.
const SERVERS_MAX: usize = 256;

/// Makes connections. One for each worker: sessions to take up again are behind a lock.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// One line: which file or flag is wrong, and what to do.
    pub(crate) fn new(settings: &TlsSettings) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS: {error}"))?;
        let builder = if settings.is_insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        } else {
            builder.with_root_certificates(roots(settings.ca_file.as_deref())?)
        };
        let mut config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let (chain, key) = (certificates("--cert", chain)?, private_key("--key", key)?);
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("--cert and --key don't fit: {error}"))?
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = if settings.is_resuming {
            Resumption::in_memory_sessions(SERVERS_MAX)
        } else {
            Resumption::disabled()
        };
        Ok(Self(Arc::new(config)))
    }

    /// The same, with no sessions to take up again but its own.
    pub(crate) fn for_worker(&self, is_resuming: bool) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        if is_resuming {
            config.resumption = Resumption::in_memory_sessions(SERVERS_MAX);
        }
        Self(Arc::new(config))
    }

    /// A connection that begins.
    pub(crate) fn connection(&self, name: &ServerName<'static>) -> Result<ClientConnection, Error> {
        ClientConnection::new(Arc::clone(&self.0), name.clone())
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in certificates("--cacert", path)? {
            roots.add(certificate).map_err(|error| {
                format!("--cacert {}: not a CA's certificate: {error}", path.display())
            })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "this system trusts no certificates{why}; use --cacert FILE, or -k to trust anyone"
        ));
    }
    Ok(roots)
}

/// The certificates in a PEM file; there is at least one.
pub(super) fn certificates(
    flag: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |why: &str| format!("{flag} {}: {why}", path.display());
    let text = fs::read(path).map_err(|error| bad(&error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(bad("no certificate in it; it must be PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(bad(&error.to_string())),
    }
}

/// The first private key in a PEM file.
pub(super) fn private_key(flag: &str, path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let bad = |why: &str| format!("{flag} {}: {why}", path.display());
    let text = fs::read(path).map_err(|error| bad(&error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => bad("no private key in it; it must be PEM, not encrypted"),
        error => bad(&error.to_string()),
    })
}

/// Trusts every certificate (`-k`), and still checks that the server has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
