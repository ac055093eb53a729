//! `serve --http2` facing clients that ask for something else, ask wrongly, or ask for nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::{Method, Request, Version};
use loadgen::serve::{ServeConfig, Server, ServerHandle};
use tokio::runtime::LocalOptions;
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(config: ServeConfig) -> ServerHandle {
    let mut config = ServeConfig { is_http2: true, threads: 1.try_into().unwrap(), ..config };
    config.listen.set_port(0);
    Server::bind(&config).unwrap().start().unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let bounded = async { timeout(PATIENCE, future).await.unwrap() };
    builder
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())
        .unwrap()
        .block_on(bounded)
}

/// Connects; the server's settings are there.
async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    tokio::task::spawn_local(connection);
    pings.ping(h2::Ping::opaque()).await.unwrap();
    sender.ready().await.unwrap()
}

/// An extended CONNECT as it should be, with more headers.
fn request(address: SocketAddr, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::connect(format!("http://{address}/chat"));
    for &(name, value) in [("sec-websocket-version", "13")].iter().chain(headers) {
        request = request.header(name, value);
    }
    let protocol = Protocol::from_static("websocket");
    request.version(Version::HTTP_2).extension(protocol).body(()).unwrap()
}

#[test]
fn requests_that_are_refused_have_a_status_and_a_counter() {
    let server = start(ServeConfig { connections_max: 2, ..ServeConfig::default() });
    let address = server.local_addr();
    let mut get = request(address, &[]);
    *get.method_mut() = Method::GET;
    get.extensions_mut().remove::<Protocol>();
    let mut udp = request(address, &[]);
    udp.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let mut old = request(address, &[]);
    old.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let rows = [
        (get, 405, "method"),
        (udp, 501, "protocol"),
        (old, 426, "websocket_version"),
        (request(address, &[("origin", "https://evil.example")]), 403, "origin_policy"),
    ];
    run(async {
        let mut sender = connect(address).await;
        assert!(sender.is_extended_connect_protocol_enabled());
        for (request, status, _) in &rows {
            let (response, _send) = sender.send_request(request.clone(), false).unwrap();
            let response = response.await.unwrap();
            assert_eq!(response.status(), *status);
            for name in ["connection", "upgrade"] {
                assert!(!response.headers().contains_key(name), "{status}: not in HTTP/2");
            }
        }
        // The connection is one of the two, a stream the other.
        let (first, _send) = sender.send_request(request(address, &[]), false).unwrap();
        let _open = first.await.unwrap();
        let (beyond, _send) = sender.send_request(request(address, &[]), false).unwrap();
        assert_eq!(beyond.await.unwrap().status(), 503);
    });
    let totals = server.shutdown();
    assert_eq!((totals.accepted, totals.established, totals.http2_connections), (6, 1, 1));
    for reason in rows.iter().map(|row| row.2).chain(["connections_max"]) {
        assert_eq!(totals.rejected.get(reason), Some(&1), "{reason}: {totals:?}");
    }
    assert_eq!(totals.open, 0);
}

#[test]
fn a_subprotocol_is_selected_and_the_end_of_the_server_is_a_close() {
    let server = start(ServeConfig::default());
    let address = server.local_addr();
    run(async {
        let mut sender = connect(address).await;
        let offered = [("sec-websocket-protocol", "chat, other")];
        let (response, send) = sender.send_request(request(address, &offered), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        let stopping = std::thread::spawn(move || server.shutdown());
        let mut body = response.into_body();
        let close = body.data().await.unwrap().unwrap();
        assert_eq!(close[..4], [0x88, close[1], 0x03, 0xe9], "1001");
        drop((body, send));
        let totals = tokio::task::spawn_blocking(|| stopping.join().unwrap()).await.unwrap();
        assert_eq!(totals.closes.get(&1001), Some(&1), "{totals:?}");
    });
}

#[test]
fn a_client_that_asks_for_nothing_is_let_go() {
    let handshake_timeout = Duration::from_millis(300);
    let server = start(ServeConfig { handshake_timeout, ..ServeConfig::default() });
    // After the preface.
    run(async {
        let sender = connect(server.local_addr()).await;
        let mut sender = Some(sender);
        while let Some(own) = sender.take() {
            sender = own.ready().await.ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    // Before it, and with another one.
    let mut silent = TcpStream::connect(server.local_addr()).unwrap();
    silent.read_to_end(&mut Vec::new()).ok(); // its settings, and the end
    let mut other = TcpStream::connect(server.local_addr()).unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    other.read_to_end(&mut said).ok();
    assert!(!said.starts_with(b"HTTP/1.1"), "{said:?}");
    let totals = server.shutdown();
    assert_eq!(totals.http2_connections, 1, "{totals:?}");
    for reason in ["timeout", "http2_preface"] {
        assert_eq!(totals.rejected.get(reason), Some(&1), "{totals:?}");
    }
    assert_eq!((totals.accepted, totals.open), (2, 0), "{totals:?}");
}
