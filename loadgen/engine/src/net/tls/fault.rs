//! Turns a TLS error into the code that it is counted under, and a line that says what to do.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError, Error as TlsError, PeerMisbehaved};

use crate::net::fault::Fault;

/// Describes an error of the stream during a client's handshake.
pub(in crate::net) fn client_fault(error: &io::Error) -> Fault {
    let code = code(error);
    let help = match code {
        "unknown_issuer" => "; trust its CA with --cacert FILE, or anyone with -k",
        "not_tls" => "; does it speak plain ws://?",
        "wrong_name" => "; name the right one with --sni NAME",
        "certificate_of_a_ca" => {
            "; a server's says CA:FALSE: add -addext basicConstraints=critical,CA:FALSE to openssl \
             req -x509, or trust anyone with -k"
        }
        "no_alpn" => {
            "; it doesn't accept http/1.1 in ALPN: it speaks only HTTP/2 (h2), or something \
             else. Enable HTTP/1.1 on the server, or try --http2"
        }
        _ => "",
    };
    let said = match (tls_error(error), error.kind()) {
        (Some(TlsError::AlertReceived(alert)), _) => format!("the server sent {alert:?}"),
        (Some(tls), _) => tls.to_string(),
        (None, ErrorKind::UnexpectedEof) => "the stream ended in the handshake".into(),
        (None, _) => error.to_string(),
    };
    Fault::new(code, said + help)
}

/// Describes an error of a client's open stream, if it is a TLS error. An alert may arrive after
/// the client has finished its handshake, for instance if it has no certificate.
#[must_use]
pub fn open_fault(error: &io::Error) -> Option<Fault> {
    tls_error(error).map(|_| client_fault(error))
}

/// Says what a server speaks if it answers an HTTP/1.1 request with these bytes, and what to do, if
/// that can be told.
#[must_use]
pub fn spoken(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        // An alert record, or part of a handshake (RFC 8446, 5.1).
        [21 | 22, 3, ..] => Some("the server speaks TLS; use wss://"),
        // A SETTINGS frame for the whole connection, which "the server connection preface consists
        // of" (RFC 9113, 3.4).
        [0, 0, _, 4, 0, 0, 0, 0, 0, ..] => Some(
            "the server speaks only HTTP/2: open WebSockets over it with --http2, or enable \
             HTTP/1.1 on the server",
        ),
        _ => None,
    }
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    let inner: &(dyn Error + 'static) = error.get_ref()?;
    inner.downcast_ref()
}

fn code(error: &io::Error) -> &'static str {
    match (tls_error(error), error.kind()) {
        (Some(TlsError::InvalidCertificate(wrong)), _) => certificate_code(wrong),
        (
            Some(
                TlsError::NoApplicationProtocol
                | TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)
                | TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol),
            ),
            _,
        ) => "no_alpn",
        (Some(TlsError::AlertReceived(_)), _) => "alert",
        (Some(TlsError::InvalidMessage(_)), _) => "not_tls",
        (Some(TlsError::PeerIncompatible(_)), _) => "incompatible",
        (Some(_), _) => "protocol",
        (None, ErrorKind::UnexpectedEof) => "eof",
        (
            None,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe,
        ) => "reset",
        (None, ErrorKind::TimedOut) => "timeout",
        (None, _) => "io",
    }
}

fn certificate_code(wrong: &CertificateError) -> &'static str {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate_expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate_not_yet_valid"
        }
        CertificateError::UnknownIssuer => "unknown_issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "wrong_name"
        }
        CertificateError::Revoked => "certificate_revoked",
        // What openssl makes when self-signing, by default. webpki has no type for it.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "certificate_of_a_ca"
        }
        _ => "certificate",
    }
}

/// Returns the code under which the server counts a client whose stream failed with this error;
/// `None` if it isn't a TLS error.
#[must_use]
pub fn server_code(error: &io::Error) -> Option<&'static str> {
    Some(match tls_error(error)? {
        TlsError::AlertReceived(_) => "tls_alert",
        TlsError::InvalidMessage(_) => "tls_not_tls",
        TlsError::NoCertificatesPresented | TlsError::InvalidCertificate(_) => {
            "tls_client_certificate"
        }
        TlsError::PeerIncompatible(_) | TlsError::NoApplicationProtocol => "tls_incompatible",
        _ => "tls_protocol",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::InvalidMessage;

    #[test]
    fn errors_have_codes_and_say_what_helps() {
        let tls = |error| io::Error::new(ErrorKind::InvalidData, error);
        let certificate = |wrong| tls(TlsError::InvalidCertificate(wrong));
        for (error, code, said) in [
            (certificate(CertificateError::Expired), "certificate_expired", "xpired"),
            (certificate(CertificateError::NotValidYet), "certificate_not_yet_valid", ""),
            (certificate(CertificateError::UnknownIssuer), "unknown_issuer", "--cacert"),
            (certificate(CertificateError::NotValidForName), "wrong_name", "--sni"),
            (certificate(CertificateError::Revoked), "certificate_revoked", ""),
            (certificate(CertificateError::BadEncoding), "certificate", ""),
            (
                tls(TlsError::AlertReceived(AlertDescription::HandshakeFailure)),
                "alert",
                "HandshakeFailure",
            ),
            (tls(TlsError::InvalidMessage(InvalidMessage::InvalidContentType)), "not_tls", "ws://"),
            (tls(TlsError::NoApplicationProtocol), "no_alpn", "only HTTP/2"),
            (ErrorKind::UnexpectedEof.into(), "eof", "ended in the handshake"),
            (ErrorKind::ConnectionReset.into(), "reset", ""),
            (ErrorKind::Other.into(), "io", ""),
        ] {
            let fault = client_fault(&error);
            assert_eq!(fault.code, code, "{error}");
            assert!(fault.said.contains(said), "{fault}");
        }
    }

    #[test]
    fn p10_a_server_of_http_2_alone_is_called_that() {
        let alert = TlsError::AlertReceived(AlertDescription::NoApplicationProtocol);
        let chosen = PeerMisbehaved::SelectedUnofferedApplicationProtocol;
        for error in [alert, TlsError::PeerMisbehaved(chosen), TlsError::NoApplicationProtocol] {
            let fault = client_fault(&io::Error::other(error));
            assert_eq!(fault.code, "no_alpn");
            assert!(fault.said.contains("or try --http2"), "{fault}");
        }
        let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80";
        assert!(spoken(settings).unwrap().contains("only HTTP/2"));
        assert!(spoken(&[21, 3, 1]).unwrap().contains("wss://"));
        assert_eq!(spoken(b"HTTP/1.1 200 OK"), None);
    }

    #[test]
    fn only_tls_is_counted_as_tls() {
        assert_eq!(server_code(&ErrorKind::ConnectionReset.into()), None);
        let alert = TlsError::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(server_code(&io::Error::other(alert)), Some("tls_alert"));
    }
}
