//! Upgrades in a hyper service, and by a hyper client.

use std::convert::Infallible;
use std::thread;

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use wscodec_tokio::wscodec::handshake::{
    Acceptance, ClientRequest, HandshakeError, Offer, Rejection, ResponseError,
};
use wscodec_tokio::{Config, Error, Message, hyper::connect, hyper::upgrade};

use crate::support::{echo, payloads};

fn answer(offer: &Offer<'_>) -> Result<Acceptance, Rejection> {
    if offer.origin().is_some() {
        return Err(Rejection::new(403).unwrap());
    }
    let acceptance = Acceptance::new();
    Ok(match offer.subprotocols().last() {
        Some(name) => acceptance.subprotocol(name).unwrap(),
        None => acceptance,
    })
}

pub async fn service(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers().clone();
    let upgraded = upgrade(&mut request, &Config::default(), answer);
    assert_eq!(*request.headers(), headers, "the request stays whole");
    Ok(match upgraded {
        Ok((response, upgrading)) => {
            tokio::spawn(async move { echo(upgrading.await.unwrap()).await });
            response.map(|()| Full::default())
        }
        Err(rejection) => Response::from(rejection).map(Full::from),
    })
}

/// Returns the address of a server.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let stream = TokioIo::new(listener.accept().await.unwrap().0);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(stream, service_fn(service))
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    address
}

#[tokio::test]
async fn a_service_upgrades_tungstenites_request() {
    let address = serve().await;
    let client = thread::spawn(move || {
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        let offered = HeaderValue::from_static("one, two");
        request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
        let stream = std::net::TcpStream::connect(&address).unwrap();
        let (mut socket, response) = tungstenite::client(request, stream).unwrap();
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "two");
        for text in payloads() {
            let message = tungstenite::Message::text(text);
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.read().unwrap(), message);
        }
        socket.close(None).unwrap();
        while socket.read().is_ok() {}

        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        let evil = HeaderValue::from_static("https://evil.example");
        request.headers_mut().insert("Origin", evil);
        let stream = std::net::TcpStream::connect(&address).unwrap();
        let error = tungstenite::client(request, stream).unwrap_err();
        assert!(error.to_string().contains("403"), "{error}");
    });
    tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_client_upgrades_its_connection() {
    let address = serve().await;
    let handshake = async || {
        let stream = TokioIo::new(TcpStream::connect(&address).await.unwrap());
        let handshake = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(stream);
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    };
    let request = ClientRequest::new(&address, "/").unwrap();
    let wanted = request.clone().subprotocol("chat").unwrap();
    let config = Config::default();
    let mut socket = connect(&mut handshake().await, &wanted, &config).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    for text in payloads() {
        let message = Message::text(text);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close_gracefully(None).await.unwrap();

    let unwanted = request.origin("https://evil.example").unwrap();
    let error = connect(&mut handshake().await, &unwanted, &config).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Handshake(HandshakeError::Response(ResponseError::Refused { status: 403 }))
        ),
        "{error}"
    );
    // What asks for no WebSocket.
    let plain = Request::get("/").header("host", &address).body(Empty::new()).unwrap();
    let response = handshake().await.send_request(plain).await.unwrap();
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["upgrade"], "websocket");
    let post = Request::post("/").header("host", &address).body(Empty::new()).unwrap();
    let response = handshake().await.send_request(post).await.unwrap();
    assert_eq!(response.status(), 405);
}

#[cfg(feature = "h2")]
#[tokio::test]
async fn a_service_on_http_2_upgrades_an_extended_connect() {
    use http::uri::Scheme;
    use hyper_util::rt::TokioExecutor;
    use wscodec_tokio::h2::Client;

    let (near, far) = tokio::io::duplex(1 << 16);
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    tokio::spawn(
        async move { builder.serve_connection(TokioIo::new(far), service_fn(service)).await },
    );
    let (mut client, connection) = Client::handshake(near, Scheme::HTTPS).await.unwrap();
    tokio::spawn(connection);
    let request = ClientRequest::new("a", "/").unwrap().subprotocol("chat").unwrap();
    let mut socket = client.connect(&request, &Config::default()).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    for text in payloads() {
        let message = Message::text(text);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close_gracefully(None).await.unwrap();
}
