//! Makes a client's TLS connections, from what to trust and what to present to a server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::alpn;
use super::pem::{authorities, identity};
use crate::net::TlsSettings;

/// Most servers whose sessions a worker remembers: many more than a run has.
const SERVERS_MAX: usize = 256;

/// Makes connections. Each worker has its own, because resumable sessions are behind a lock.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Reads the files that the settings name. Asks for HTTP/2 or for HTTP/1.1.
    ///
    /// # Errors
    /// One line: which file or flag is wrong, and what to do.
    pub(crate) fn new(settings: &TlsSettings, is_http2: bool) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS: {error}"))?;
        let builder = if settings.is_insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anyone(Arc::clone(&provider))))
        } else {
            builder.with_root_certificates(roots(settings.ca_file.as_deref())?)
        };
        let mut config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let (chain, key) = identity(chain, key, &provider)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("--cert and --key don't match: {error}"))?
            }
        };
        config.alpn_protocols = alpn(is_http2);
        config.resumption = if settings.is_resuming {
            Resumption::in_memory_sessions(SERVERS_MAX)
        } else {
            Resumption::disabled()
        };
        Ok(Self(Arc::new(config)))
    }

    /// Returns a copy with resumable sessions of its own.
    pub(crate) fn for_worker(&self, is_resuming: bool) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        if is_resuming {
            config.resumption = Resumption::in_memory_sessions(SERVERS_MAX);
        }
        Self(Arc::new(config))
    }

    /// Starts a connection.
    pub(crate) fn connection(&self, name: &ServerName<'static>) -> Result<ClientConnection, Error> {
        ClientConnection::new(Arc::clone(&self.0), name.clone())
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    if let Some(path) = ca_file {
        return authorities("--cacert", path);
    }
    let mut roots = RootCertStore::empty();
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
