//! WebSockets over HTTP/2 (RFC 8441): both ends here, in memory.

use std::io;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Version};
use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;
use wscodec_tokio::h2::{Client, H2Stream, accept, connect, is_websocket};
use wscodec_tokio::wscodec::handshake::{
    Acceptance, ClientRequest, HandshakeError, Rejection, ResponseError,
};
use wscodec_tokio::{CloseCode, CloseFrame, Config, Error, Message, WebSocketStream};

use crate::support::{LONG, echo, payloads};

type Socket = WebSocketStream<H2Stream>;

/// Serves `answer` to each request of one connection.
fn serve<F>(
    stream: DuplexStream,
    answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(answer(request, respond));
        }
    });
}

fn open(request: Request<RecvStream>, respond: SendResponse<Bytes>) -> Socket {
    accept(request, respond, &Config::default(), |_| Ok(Acceptance::new())).unwrap()
}

async fn client(stream: DuplexStream) -> Client {
    let (client, connection) = Client::handshake(stream, Scheme::HTTP).await.unwrap();
    tokio::spawn(connection);
    client
}

fn request() -> ClientRequest {
    ClientRequest::new("server.example.com", "/chat?room=1").unwrap()
}

/// A client and a server of one WebSocket.
async fn pair() -> (Socket, Socket) {
    let (near, far) = duplex(1 << 16);
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    serve(far, move |request, respond| {
        let give = give.clone();
        async move { give.send(open(request, respond)).unwrap() }
    });
    let client = client(near).await.connect(&request(), &Config::default()).await.unwrap();
    (client, take.recv().await.unwrap())
}

#[tokio::test]
async fn many_streams_of_one_connection_echo_messages_of_every_size() {
    let (near, far) = duplex(1 << 16);
    serve(far, |request, respond| async move { echo(open(request, respond)).await.unwrap() });
    let mut client = client(near).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(client.connect(&request(), &Config::default()).await.unwrap());
    }
    let run = sockets.into_iter().map(|mut socket| async move {
        for text in payloads() {
            for message in [Message::text(text.clone()), Message::binary(text.into_bytes())] {
                socket.send(message.clone()).await.unwrap();
                assert_eq!(socket.next().await.unwrap().unwrap(), message);
            }
        }
        socket.close_gracefully(None).await.unwrap();
    });
    timeout(LONG, futures_util::future::join_all(run)).await.unwrap();
}

/// RFC 8441, 5, as in its example.
#[tokio::test]
async fn s5_the_request_and_the_response_have_what_http_2_has_and_nothing_else() {
    let (near, far) = duplex(1 << 16);
    serve(far, |request, respond| async move {
        assert!(is_websocket(&request));
        assert_eq!(
            (request.method(), request.version()),
            (&http::Method::CONNECT, Version::HTTP_2)
        );
        assert_eq!(request.uri(), "http://server.example.com/chat?room=1");
        for name in ["host", "upgrade", "connection", "sec-websocket-key"] {
            assert!(!request.headers().contains_key(name), "{name}");
        }
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        assert_eq!(request.headers()["sec-websocket-protocol"], "chat, superchat");
        assert_eq!(request.headers()["origin"], "http://www.example.com");
        let config = Config::default();
        let socket = accept(request, respond, &config, |offer| {
            assert_eq!(offer.origin(), Some("http://www.example.com"));
            let acceptance = Acceptance::new().header("X-Served-By", "us").unwrap();
            Ok(acceptance.subprotocol(offer.subprotocols().last().unwrap()).unwrap())
        });
        let socket = socket.unwrap();
        assert_eq!(socket.subprotocol(), Some("superchat"));
        echo(socket).await.unwrap();
    });
    let request = request().subprotocol("chat").unwrap().subprotocol("superchat").unwrap();
    let request = request.origin("http://www.example.com").unwrap();
    let mut client = client(near).await;
    let mut socket = client.connect(&request, &Config::default()).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("superchat"));
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    socket.close_gracefully(None).await.unwrap();
}

#[tokio::test]
async fn what_asks_for_no_websocket_or_is_unwanted_is_refused_with_a_status() {
    let (near, far) = duplex(1 << 16);
    serve(far, |request, respond| async move {
        let accepted = accept(request, respond, &Config::default(), |offer| match offer.origin() {
            Some("https://evil.example") => Err(Rejection::new(403).unwrap().body("not you")),
            // A mistake of the server's: it was not offered.
            Some(_) => Ok(Acceptance::new().subprotocol("chat").unwrap()),
            None => Err(Rejection::new(426).unwrap()),
        });
        assert!(matches!(
            accepted.unwrap_err(),
            Error::Handshake(HandshakeError::Rejected { status: 403 | 405 | 426 | 500 | 501 })
        ));
    });
    let (mut sender, connection) = h2::client::handshake(near).await.unwrap();
    tokio::spawn(connection);
    // A plain request; also, the server's settings are here once it is answered.
    let plain = Request::get("http://server.example.com/").body(()).unwrap();
    let (response, _) = sender.send_request(plain, true).unwrap();
    assert_eq!(response.await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let mut other = Request::connect("http://server.example.com/").body(()).unwrap();
    other.extensions_mut().insert(h2::ext::Protocol::from_static("connect-udp"));
    let (response, _send) = sender.send_request(other, false).unwrap();
    assert_eq!(response.await.unwrap().status(), StatusCode::NOT_IMPLEMENTED);
    for (request, expected) in [
        (request().origin("https://evil.example").unwrap(), 403),
        (request().origin("https://other.example").unwrap(), 500),
        (request(), 426),
    ] {
        let config = Config::default();
        let error = connect(sender.clone(), &Scheme::HTTP, &request, &config).await.unwrap_err();
        let Error::Handshake(HandshakeError::Response(ResponseError::Refused { status })) = error
        else {
            panic!("{error}");
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn s3_a_server_that_does_not_say_that_it_takes_websockets_is_not_asked() {
    let (near, far) = duplex(1 << 16);
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(far).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_response(Response::new(()), true).unwrap();
        }
    });
    let error = client(near).await.connect(&request(), &Config::default()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::Unsupported),
        "{error}"
    );
}

/// A server that writes each short message as a DATA frame of its own, faster than they are read, is
/// no attacker.
#[tokio::test]
async fn a_thousand_short_messages_wait_for_a_reader() {
    const MESSAGES: usize = 1_000;
    let (near, far) = duplex(1 << 16);
    serve(far, |_, mut respond| async move {
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        for _ in 0..MESSAGES {
            sender.send_data(Bytes::from_static(&[0x81, 1, b'x']), false).unwrap();
        }
        std::future::pending::<()>().await;
    });
    let mut socket = client(near).await.connect(&request(), &Config::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    for _ in 0..MESSAGES {
        let message = timeout(LONG, socket.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(message, Message::text("x"));
    }
}

/// "Orderly TCP-level closures are represented as `END_STREAM` flags [...]. RST exceptions are
/// represented with the `RST_STREAM` frame [...] with the CANCEL error code" (RFC 8441, 5).
#[tokio::test]
async fn s5_the_ends_of_streams_are_those_of_tcp() {
    let (mut client, mut server) = pair().await;
    let close = CloseFrame::new(CloseCode::NORMAL, "done");
    let (closed, message) = tokio::join!(client.close_gracefully(Some(close.clone())), async {
        let message = server.next().await.unwrap().unwrap();
        assert!(server.next().await.is_none());
        message
    });
    closed.unwrap();
    assert_eq!(message, Message::Close(Some(close)));

    // Dropped: a reset.
    let (client, mut server) = pair().await;
    drop(client);
    let error = timeout(LONG, server.next()).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::ConnectionReset),
        "{error}"
    );
    let Error::Io(error) = error else { unreachable!() };
    let reason = error.get_ref().unwrap().downcast_ref::<h2::Error>().unwrap().reason();
    assert_eq!(reason, Some(Reason::CANCEL));

    // Ended without a Close.
    let (mut client, mut server) = pair().await;
    tokio::io::AsyncWriteExt::shutdown(client.get_mut()).await.unwrap();
    let error = timeout(LONG, server.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");

    // And writing to what was reset fails.
    let (client, mut server) = pair().await;
    drop(client);
    let error = loop {
        if let Err(error) = timeout(LONG, server.send(Message::text("?"))).await.unwrap() {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(error, Error::Io(_)), "{error}");
}

/// The window of a stream opens only as its messages are taken.
#[tokio::test]
async fn a_receiver_that_does_not_poll_stops_its_peer() {
    let (mut client, mut server) = pair().await;
    let message = Message::binary(vec![7; 100_000]);
    let mut sent = 0;
    let pause = std::time::Duration::from_millis(300);
    while timeout(pause, client.send(message.clone())).await.is_ok_and(|outcome| outcome.is_ok()) {
        sent += 1;
        assert!(sent < 1000, "sending waits");
    }
    assert!(client.queued_len() < 300_000, "{}", client.queued_len());
    // It goes on where it was once messages are taken; what was queued is sent, too.
    let received = async {
        for _ in 0..=sent {
            assert_eq!(server.next().await.unwrap().unwrap(), message);
        }
    };
    let (flushed, ()) =
        timeout(LONG, async { tokio::join!(client.flush(), received) }).await.unwrap();
    flushed.unwrap();
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed_over_http_2_too() {
    use wscodec_tokio::wscodec::deflate::{Deflate, DeflatePool};
    let (near, far) = duplex(1 << 16);
    serve(far, |request, respond| async move {
        let config = Config::default().with_deflate(Deflate::server(), DeflatePool::new(4));
        let socket = accept(request, respond, &config, |_| Ok(Acceptance::new())).unwrap();
        echo(socket).await.unwrap();
    });
    let config = Config::default().with_deflate(Deflate::client(), DeflatePool::new(4));
    let mut socket = client(near).await.connect(&request(), &config).await.unwrap();
    let message = Message::text("a rose is a rose is a rose ".repeat(100));
    socket.feed(message.clone()).await.unwrap();
    assert!(socket.queued_len() < message.len() / 4);
    socket.flush().await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), message);
}
