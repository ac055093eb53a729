//! The extractor in axum.

use std::thread;

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use wscodec_tokio::axum::{WebSocket, WebSocketUpgrade};

use crate::support::{echo, payloads};

async fn run(socket: WebSocket) {
    echo(socket).await.ok(); // one test sends too much
}

/// Returns the address of a server.
async fn serve() -> String {
    let chat = |upgrade: WebSocketUpgrade| async move {
        assert_eq!(upgrade.origin(), None);
        let upgrade = upgrade.protocols(["none", "superchat", "chat"]);
        let selected = upgrade.selected_protocol().map(str::to_owned);
        assert_eq!(selected.is_some(), !upgrade.offered_protocols().is_empty());
        let upgrade = upgrade.max_message_size(2 << 20).max_frame_size(2 << 20);
        upgrade.max_write_buffer_size(1 << 20).on_upgrade(run)
    };
    let small =
        |upgrade: WebSocketUpgrade| async move { upgrade.max_message_size(10).on_upgrade(run) };
    // A response of the caller's own.
    let both = |upgrade: Result<WebSocketUpgrade, wscodec_tokio::axum::Refused>| async move {
        match upgrade {
            Ok(upgrade) => upgrade.on_upgrade(run),
            Err(refused) => Response::new(format!("plain: {}", refused.0.status()).into()),
        }
    };
    let app = Router::new()
        .route("/chat", any(chat))
        .route("/small", any(small))
        .route("/both", any(both));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn blocking(run: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(|| thread::spawn(run).join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_route_upgrades_tungstenites_request_with_its_protocols_and_limits() {
    let address = serve().await;
    blocking(move || {
        let connect = |path: &str, protocols: &'static str| {
            let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
            if !protocols.is_empty() {
                let offered = HeaderValue::from_static(protocols);
                request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
            }
            let stream = std::net::TcpStream::connect(&address).unwrap();
            tungstenite::client(request, stream).unwrap()
        };
        let (mut socket, response) = connect("/chat", "chat, superchat");
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "superchat");
        for text in payloads() {
            let message = tungstenite::Message::text(text);
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.read().unwrap(), message);
        }
        socket.close(None).unwrap();
        while socket.read().is_ok() {}

        let (mut socket, response) = connect("/small", "");
        assert!(!response.headers().contains_key("Sec-WebSocket-Protocol"));
        socket.send(tungstenite::Message::text("0123456789")).unwrap();
        assert!(socket.read().unwrap().is_text());
        socket.send(tungstenite::Message::text("0123456789a")).unwrap();
        let tungstenite::Message::Close(Some(close)) = socket.read().unwrap() else { panic!() };
        assert_eq!(u16::from(close.code), 1009);
        let (mut socket, _) = connect("/both", "");
        socket.send(tungstenite::Message::text("x")).unwrap();
        assert!(socket.read().unwrap().is_text());
    })
    .await;
}

#[tokio::test]
async fn what_asks_for_no_websocket_is_refused_or_left_to_the_route() {
    use std::io::{Read as _, Write as _};
    let address = serve().await;
    blocking(move || {
        for (head, expected) in [
            ("GET /chat HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 426 "),
            ("POST /chat HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 405 "),
            (
                "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
                "HTTP/1.1 400 ",
            ),
            ("GET /both HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 200 "),
        ] {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            // Not half closed: hyper may take that for the end before it has answered.
            stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
            let mut response = vec![0; expected.len()];
            stream.read_exact(&mut response).unwrap();
            assert_eq!(String::from_utf8_lossy(&response), expected, "{head}");
        }
    })
    .await;
}

#[cfg(feature = "h2")]
#[tokio::test]
async fn a_route_takes_an_extended_connect_too() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use http::uri::Scheme;
    use wscodec_tokio::h2::Client;
    use wscodec_tokio::wscodec::handshake::ClientRequest;
    use wscodec_tokio::{Config, Message};

    let address = serve().await;
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut client, connection) = Client::handshake(stream, Scheme::HTTP).await.unwrap();
    tokio::spawn(connection);
    let request = ClientRequest::new(&address, "/chat").unwrap().subprotocol("chat").unwrap();
    let mut socket = client.connect(&request, &Config::default()).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    for text in payloads() {
        let message = Message::text(text);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close_gracefully(None).await.unwrap();
}
