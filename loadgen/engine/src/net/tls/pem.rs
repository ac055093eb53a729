//! Reads files of certificates and keys, or says what a file contains instead and which command
//! converts it.
//!
//! Separate from the client's and the server's side of TLS because they read the same files. A PEM
//! parser skips what it doesn't know, so the labels in a file are read first.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

/// The labels of unencrypted private keys.
const KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
/// The keys that the provider can sign with.
const SUPPORTED: &str = "RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, or Ed25519";
/// Kinds of keys that TLS can't use here, by the DER encoding of their object identifiers.
const UNSUPPORTED: [(&[u8], &str); 14] = [
    (&[6, 5, 0x2b, 0x81, 4, 0, 0x23], "an ECDSA key on P-521"),
    (&[6, 5, 0x2b, 0x81, 4, 0, 0x0a], "an ECDSA key on secp256k1"),
    (&[6, 5, 0x2b, 0x81, 4, 0, 0x21], "an ECDSA key on P-224"),
    (&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], "an ECDSA key on P-192"),
    (&[6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1], "an ECDSA key on a Brainpool curve"),
    (&[6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x82, 0x2d], "an SM2 key"),
    (&[6, 3, 0x2b, 0x65, 0x71], "an Ed448 key"),
    (&[6, 3, 0x2b, 0x65, 0x6e], "an X25519 key, which can't sign"),
    (&[6, 3, 0x2b, 0x65, 0x6f], "an X448 key, which can't sign"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "a DSA key"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0a], "an RSA key for PSS only"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1], "a Diffie-Hellman key"),
    (&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3], "a post-quantum key"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], "an RSA key of another size"),
];
/// The DER encoding that says that a key's curve is spelled out instead of named.
const SPELLED_OUT: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1];

/// Reads the certificates in a PEM file, at least one.
///
/// # Errors
/// One line: the flag, the file, what is in it, and what to do.
pub(super) fn certificates(
    flag: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = KeyFile::read(flag, path)?;
    if !file.has("CERTIFICATE") {
        return Err(file.bad(file.instead_of_certificate()));
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.bytes).collect();
    found.map_err(|error| file.damaged(&error))
}

/// Reads the CAs in a PEM file into a store.
///
/// # Errors
/// See [`certificates`].
pub(super) fn authorities(flag: &str, path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(flag, path)? {
        roots.add(certificate).map_err(|error| {
            format!("{flag} {}: not a CA's certificate: {error}", path.display())
        })?;
    }
    Ok(roots)
}

/// Reads a chain of certificates (`--cert`) and its key (`--key`).
///
/// # Errors
/// See [`certificates`]; also if the two don't belong together.
pub(super) fn identity(
    chain_path: &Path,
    key_path: &Path,
    provider: &CryptoProvider,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates("--cert", chain_path)?;
    let file = KeyFile::read("--key", key_path)?;
    let key = file.private_key()?;
    let signer = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|error| file.bad(file.unsupported(&key, &error)))?;
    let matches = |chain: &[CertificateDer<'static>]| {
        CertifiedKey::new(chain.to_vec(), Arc::clone(&signer)).keys_match()
    };
    let cert = chain_path.display();
    match matches(&chain) {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok((chain, key)),
        Err(Error::InconsistentKeys(_)) => {
            let place = chain.iter().position(|one| matches(std::slice::from_ref(one)).is_ok());
            Err(match place {
                Some(place) => format!(
                    "--cert {cert}: the certificate of --key is number {} in it; put it first, \
                     and those of the CAs after it",
                    place + 1
                ),
                None => format!(
                    "--key {} is not the key of --cert {cert}; what openssl pkey -in {} -pubout and \
                     openssl x509 -in {} -noout -pubkey print has to be the same",
                    key_path.display(),
                    word(key_path),
                    word(chain_path)
                ),
            })
        }
        Err(error) => Err(format!("--cert {cert}: not a certificate that TLS can use: {error}")),
    }
}

/// A file that a flag names, before it is parsed.
struct KeyFile<'p> {
    flag: &'p str,
    path: &'p Path,
    bytes: Vec<u8>,
    /// The labels of its PEM sections, in order.
    labels: Vec<String>,
}

impl<'p> KeyFile<'p> {
    fn read(flag: &'p str, path: &'p Path) -> Result<Self, String> {
        let bytes =
            fs::read(path).map_err(|error| format!("{flag} {}: {error}", path.display()))?;
        Ok(Self::new(flag, path, bytes))
    }

    fn new(flag: &'p str, path: &'p Path, mut bytes: Vec<u8>) -> Self {
        // A byte order mark would hide the first label from the parser.
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let text = String::from_utf8_lossy(&bytes);
        let labels = text.lines().filter_map(|line| {
            let label = line.trim_start().strip_prefix("-----BEGIN ")?;
            Some(label.trim_end().strip_suffix("-----").unwrap_or(label).to_owned())
        });
        let labels = labels.collect();
        Self { flag, path, bytes, labels }
    }

    fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known == label)
    }

    fn bad(&self, why: impl Display) -> String {
        format!("{} {}: {why}", self.flag, self.path.display())
    }

    fn damaged(&self, error: &pem::Error) -> String {
        match error {
            pem::Error::MissingSectionEnd { end_marker } => self.bad(format_args!(
                "damaged PEM: there is no line -----END {}-----; was all of it copied?",
                String::from_utf8_lossy(end_marker).escape_debug()
            )),
            error => self.bad(format_args!("damaged PEM: {error}; was all of it copied?")),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, String> {
        let known = self.labels.iter().any(|label| KEYS.contains(&label.as_str()));
        // RFC 1421, 4.6.1.1: how formats older than PKCS#8 say that they are encrypted.
        let is_encrypted = self.bytes.windows(22).any(|window| window == b"Proc-Type: 4,ENCRYPTED")
            || self.has("ENCRYPTED PRIVATE KEY") && !known;
        if is_encrypted {
            return Err(self.bad(format_args!(
                "the key is encrypted; decrypt it: openssl pkey -in {} -out decrypted.pem",
                self.word()
            )));
        }
        if !known {
            return Err(self.bad(self.instead_of_key()));
        }
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| self.damaged(&error))
    }

    fn instead_of_key(&self) -> String {
        let file = self.word();
        if self.has("OPENSSH PRIVATE KEY") {
            return "a key of OpenSSH, not of TLS; rewrite a copy of it, unless it is Ed25519: \
                    ssh-keygen -p -N '' -m PKCS8 -f COPY"
                .into();
        }
        if let Some(label) = self.labels.iter().find(|label| label.ends_with("PRIVATE KEY")) {
            let kind = label.trim_end_matches(" PRIVATE KEY");
            return format!("a {kind} key, which TLS can't use; use {SUPPORTED}");
        }
        if self.has("CERTIFICATE") {
            return match self.flag {
                "--key" => "a certificate and no private key; are --cert and --key swapped?".into(),
                _ => "a certificate and no private key".into(),
            };
        }
        if self.has("PUBLIC KEY") || self.has("RSA PUBLIC KEY") {
            return "only the public key; name the file of the private key".into();
        }
        self.no_pem().unwrap_or_else(|| match self.der() {
            Some(Der::Pkcs12) => format!(
                "PKCS#12, not PEM; extract the key: openssl pkcs12 -in {file} -nocerts -nodes \
                 -out key.pem"
            ),
            Some(Der::Key) => {
                format!(
                    "DER, not PEM; rewrite it: openssl pkey -inform DER -in {file} -out key.pem"
                )
            }
            Some(Der::EncryptedKey) => format!(
                "DER, and the key is encrypted; decrypt it: \
                 openssl pkey -inform DER -in {file} -out decrypted.pem"
            ),
            Some(Der::Certificate) => {
                "a certificate in DER and no private key; are --cert and --key swapped?".into()
            }
            Some(Der::Pkcs7) => "PKCS#7, which has certificates and no private key".into(),
            None => self.other("no private key in it"),
        })
    }

    fn instead_of_certificate(&self) -> String {
        let file = self.word();
        if self.labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
            return match self.flag {
                "--cert" => {
                    "a private key and no certificate; are --cert and --key swapped?".into()
                }
                _ => "a private key and no certificate".into(),
            };
        }
        if self.has("TRUSTED CERTIFICATE") || self.has("X509 CERTIFICATE") {
            return format!(
                "a certificate under a label that only OpenSSL uses; rewrite it: openssl x509 \
                 -in {file} -out cert.pem"
            );
        }
        if self.labels.iter().any(|label| label.ends_with("CERTIFICATE REQUEST")) {
            return "a certificate request; name the certificate that was issued for it".into();
        }
        if self.has("PKCS7") {
            return format!(
                "PKCS#7; extract the certificates: openssl pkcs7 -in {file} -print_certs -out \
                 cert.pem"
            );
        }
        self.no_pem().unwrap_or_else(|| match self.der() {
            Some(Der::Pkcs12) => format!(
                "PKCS#12, not PEM; extract the certificates: openssl pkcs12 -in {file} -nokeys \
                 -out cert.pem"
            ),
            Some(Der::Pkcs7) => format!(
                "PKCS#7, not PEM; extract the certificates: openssl pkcs7 -inform DER -in {file} \
                 -print_certs -out cert.pem"
            ),
            Some(Der::Certificate) => format!(
                "DER, not PEM; rewrite it: openssl x509 -inform DER -in {file} -out cert.pem"
            ),
            Some(Der::Key | Der::EncryptedKey) => "a private key in DER and no certificate".into(),
            None => self.other("no certificate in it"),
        })
    }

    /// Says what is wrong with a file of either kind.
    fn no_pem(&self) -> Option<String> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Some("the file is empty".into());
        }
        let is_utf16 = self.bytes.starts_with(b"\xff\xfe") || self.bytes.starts_with(b"\xfe\xff");
        is_utf16.then(|| "UTF-16 text; save it as ASCII or UTF-8".into())
    }

    fn other(&self, missing: &str) -> String {
        match self.labels.first() {
            Some(label) => {
                format!("{missing}, but {label:?}")
            }
            None => format!("{missing}; it must be PEM, and is neither that nor DER"),
        }
    }

    /// Says why the provider doesn't accept a key.
    fn unsupported(&self, key: &PrivateKeyDer<'_>, error: &Error) -> String {
        let der = key.secret_der();
        let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
        if has(SPELLED_OUT) {
            return format!(
                "its curve is spelled out, not named; rewrite it: \
                 openssl ec -in {} -param_enc named_curve -out key.pem",
                self.word()
            );
        }
        let kind = UNSUPPORTED.iter().find(|(oid, _)| has(oid)).map(|&(_, kind)| kind);
        let kind = match key {
            // The older format of RSA keys has no identifier.
            PrivateKeyDer::Pkcs1(_) => Some("an RSA key of another size"),
            _ => kind,
        };
        match kind {
            Some(kind) => format!("{kind}; TLS supports {SUPPORTED}"),
            None => format!(
                "not a key that TLS can use: {error}; it supports {SUPPORTED}, and openssl pkey \
                 -in {} -noout -check tells whether the file is intact",
                self.word()
            ),
        }
    }

    /// Guesses from the first bytes of a binary file what it contains.
    fn der(&self) -> Option<Der> {
        let inner = contents(&self.bytes)?;
        match (inner.first()?, inner.get(2)?) {
            (0x02, 3) => Some(Der::Pkcs12),
            (0x02, _) => Some(Der::Key),
            (0x06, _) => Some(Der::Pkcs7),
            (0x30, _) => match contents(inner)?.first()? {
                0x06 => Some(Der::EncryptedKey),
                _ => Some(Der::Certificate),
            },
            _ => None,
        }
    }

    fn word(&self) -> String {
        word(self.path)
    }
}

/// What a DER file can be.
enum Der {
    Certificate,
    Key,
    EncryptedKey,
    Pkcs7,
    Pkcs12,
}

/// Returns the contents of a DER SEQUENCE, or their beginning (X.690, 8.1).
fn contents(der: &[u8]) -> Option<&[u8]> {
    let (&tag, rest) = der.split_first()?;
    let (&len, rest) = rest.split_first()?;
    let len_len = if len < 0x80 { 0 } else { usize::from(len & 0x7f) };
    rest.get(len_len..).filter(|_| tag == 0x30)
}

/// Quotes a path so that a shell reads it as one word.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring;

    use super::*;

    fn pem(label: &str, body: &str) -> Vec<u8> {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    }

    fn file<'p>(flag: &'p str, name: &'p str, bytes: &[u8]) -> KeyFile<'p> {
        KeyFile::new(flag, Path::new(name), bytes.to_vec())
    }

    /// Returns an object identifier in a PKCS#8 structure, with a key of zeros.
    fn pkcs8(oid: &[u8]) -> PrivateKeyDer<'static> {
        let part =
            |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let inner = [part(2, &[0]), part(0x30, oid), part(4, &[0; 32])].concat();
        PrivateKeyDer::Pkcs8(part(0x30, &inner).into())
    }

    #[test]
    fn p6_what_is_no_private_key_is_named_with_what_to_do() {
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
        let decrypt = "the key is encrypted; decrypt it: openssl pkey -in k -out decrypted.pem";
        for (bytes, why) in [
            (pem("RSA PRIVATE KEY", old), decrypt),
            (pem("EC PRIVATE KEY", old), decrypt),
            (pem("DSA PRIVATE KEY", old), decrypt),
            (pem("ENCRYPTED PRIVATE KEY", "AAAA"), decrypt),
            (pem("DSA PRIVATE KEY", "AAAA"), "a DSA key, which TLS can't use; use RSA of 2048"),
            (pem("OPENSSH PRIVATE KEY", "AAAA"), "ssh-keygen -p -N '' -m PKCS8 -f COPY"),
            (pem("CERTIFICATE", "AAAA"), "are --cert and --key swapped?"),
            (pem("PUBLIC KEY", "AAAA"), "only the public key"),
            (pem("CERTIFICATE REQUEST", "AAAA"), "but \"CERTIFICATE REQUEST\""),
            (pem("PRIVATE KEY", "A!AA"), "damaged PEM: base64"),
            (b"-----BEGIN PRIVATE KEY-----\nAA".to_vec(), "no line -----END PRIVATE KEY-----"),
            (b" \n".to_vec(), "the file is empty"),
            (b"hello".to_vec(), "it must be PEM, and is neither that nor DER"),
            (b"\xff\xfe-\0-\0".to_vec(), "UTF-16"),
            (b"\x30\x82\x04\xbd\x02\x01\x00".to_vec(), "openssl pkey -inform DER -in k -out"),
            (b"\x30\x82\x05\x2d\x30\x57\x06\x09".to_vec(), "DER, and the key is encrypted"),
            (b"\x30\x82\x02\xf5\x30\x82\x01\xdd\xa0".to_vec(), "a certificate in DER"),
            (b"\x30\x82\x09\x97\x02\x01\x03".to_vec(), "openssl pkcs12 -in k -nocerts"),
            (b"\x30\x82\x02\xf5\x06\x09\x2a".to_vec(), "PKCS#7, which has"),
        ] {
            let said = file("--key", "k", &bytes).private_key().unwrap_err();
            assert!(said.starts_with("--key k: ") && said.contains(why), "{why}: {said}");
        }
    }

    #[test]
    fn p6_what_is_no_certificate_is_named_with_what_to_do() {
        for (flag, bytes, why) in [
            ("--cert", pem("PRIVATE KEY", ""), "are --cert and --key swapped?"),
            ("--cert", pem("ENCRYPTED PRIVATE KEY", ""), "are --cert and --key swapped?"),
            ("--cacert", pem("PRIVATE KEY", ""), "a private key and no certificate"),
            ("--cacert", pem("TRUSTED CERTIFICATE", ""), "openssl x509 -in c -out cert.pem"),
            ("--cacert", pem("NEW CERTIFICATE REQUEST", ""), "a certificate request"),
            ("--cacert", pem("PKCS7", ""), "openssl pkcs7 -in c -print_certs"),
            ("--cacert", b"".to_vec(), "the file is empty"),
            ("--cacert", b"\x30\x82\x02\xf5\x30\x82\x01\xdd\xa0".to_vec(), "-inform DER -in c"),
            ("--client-ca", b"\x30\x82\x09\x97\x02\x01\x03".to_vec(), "openssl pkcs12 -in c"),
            ("--client-ca", b"\x30\x82\x02\xf5\x06\x09\x2a".to_vec(), "openssl pkcs7 -inform DER"),
            ("--client-ca", b"\x30\x82\x04\xbd\x02\x01\x00".to_vec(), "a private key in DER"),
        ] {
            let said = file(flag, "c", &bytes).instead_of_certificate();
            assert!(said.contains(why), "{flag} {why}: {said}");
        }
    }

    #[test]
    fn p6_kinds_of_keys_that_are_not_supported_have_names() {
        let provider = ring::default_provider().key_provider;
        let file = file("--key", "k", b"");
        for (oid, kind) in UNSUPPORTED {
            let key = pkcs8(oid);
            let error = provider.load_private_key(key.clone_key()).unwrap_err();
            let said = file.unsupported(&key, &error);
            assert!(said.starts_with(kind) && said.contains("ECDSA P-256"), "{said}");
        }
        let said = file.unsupported(&pkcs8(SPELLED_OUT), &Error::DecryptError);
        assert!(said.contains("openssl ec -in k -param_enc named_curve"), "{said}");
    }

    #[test]
    fn p6_a_byte_order_mark_hides_no_label() {
        let marked = [b"\xef\xbb\xbf", &*pem("PRIVATE KEY", "AAAA")].concat();
        assert!(file("--key", "k", &marked).private_key().is_ok());
    }

    #[test]
    fn paths_in_commands_are_one_word() {
        assert_eq!(word(Path::new("/a/b-c.pem")), "/a/b-c.pem");
        assert_eq!(word(Path::new("it's my key")), r"'it'\''s my key'");
    }
}
