//! `connect_async` and `Connector`: addresses, TLS, subprotocols.

use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use wscodec_tokio::wscodec::handshake::Acceptance;
use wscodec_tokio::{
    Config, Connector, Error, Message, accept_async, accept_async_with, connect_async,
};

use crate::support::echo;

#[tokio::test]
async fn an_address_of_ipv6_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        println!("SKIPPED: no IPv6 here");
        return;
    };
    let url = format!("ws://[::1]:{}/", listener.local_addr().unwrap().port());
    let server = async { echo(accept_async(listener.accept().await?.0).await?).await };
    let client = async {
        let mut socket = connect_async(&url).await?;
        socket.send(Message::text("six")).await?;
        assert_eq!(socket.next().await.unwrap()?, Message::text("six"));
        socket.close_gracefully(None).await
    };
    tokio::try_join!(server, client).unwrap();
}

#[tokio::test]
async fn a_request_is_completed_by_its_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://localhost:{}/", listener.local_addr().unwrap().port());
    let config = Config::default();
    let server = async {
        let stream = listener.accept().await?.0;
        let answer = accept_async_with(stream, &config, |request| {
            assert_eq!(request.header("X-Token"), Some(&b"1234"[..]));
            Ok(Acceptance::new().subprotocol("chat").unwrap())
        });
        Ok::<_, Error>(answer.await?.subprotocol().map(str::to_owned))
    };
    let connector = Connector::new();
    let client = connector.connect_with(&url, |request| {
        request.subprotocol("other")?.subprotocol("chat")?.header("X-Token", "1234")
    });
    let (server, client) = tokio::try_join!(server, client).unwrap();
    assert_eq!((server.as_deref(), client.subprotocol()), (Some("chat"), Some("chat")));
    let misuse = connector.connect_with(&url, |request| request.header("Host", "other"));
    assert!(matches!(misuse.await.unwrap_err(), Error::Misuse(_)));
}

#[tokio::test]
async fn a_url_that_is_none_and_a_server_that_is_none_are_errors_of_io() {
    let kind = |error| match error {
        Error::Io(error) => error.kind(),
        error => panic!("{error}"),
    };
    let error = connect_async("http://a/").await.unwrap_err();
    assert_eq!(kind(error), io::ErrorKind::InvalidInput);
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = connect_async(&format!("ws://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(kind(error), io::ErrorKind::ConnectionRefused);
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn wss_by_name_and_by_address_with_a_certificate_that_is_trusted() {
    use std::sync::Arc;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
    use wscodec_tokio::{MaybeTlsStream, tokio_rustls};

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            echo(accept_async(stream).await.unwrap()).await.unwrap();
        }
        // Someone who does not trust the certificate.
        acceptor.accept(listener.accept().await.unwrap().0).await.unwrap_err();
    });
    let connector = Connector::new().with_tls(client);
    for host in ["localhost", "127.0.0.1"] {
        let mut socket = connector.connect(&format!("wss://{host}:{port}/")).await.unwrap();
        assert!(matches!(socket.get_ref(), MaybeTlsStream::Tls(_)));
        for len in [0, 125, 126, 65_536, 1 << 20] {
            let message = Message::binary(vec![7; len]);
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
        }
        socket.close_gracefully(None).await.unwrap();
    }
    let error = connect_async(&format!("wss://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
    server.await.unwrap();
}
