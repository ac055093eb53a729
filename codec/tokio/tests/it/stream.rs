//! Whole connections, against tungstenite and against streams that misbehave.

use std::future::Future as _;
use std::net::TcpListener as StdListener;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpListener;
use tokio::time::timeout;
use wscodec_tokio::wscodec::handshake::{Acceptance, ClientRequest, HandshakeError, Rejection};
use wscodec_tokio::wscodec::{ConnectionBuilder, ProtocolError, SendError};
use wscodec_tokio::{
    CloseCode, CloseFrame, Config, Error, Message, WebSocketStream, accept_async,
    accept_async_with, client_async, connect_async,
};

use crate::support::{LONG, Slow, echo, open, payloads};

#[tokio::test]
async fn tungstenites_client_gets_its_echoes_pongs_and_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        let (mut socket, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
        for text in payloads() {
            for message in [
                tungstenite::Message::text(text.clone()),
                tungstenite::Message::binary(text.into_bytes()),
            ] {
                socket.send(tungstenite::Message::Ping(Bytes::from_static(b"p"))).unwrap();
                socket.send(message.clone()).unwrap();
                assert_eq!(socket.read().unwrap(), tungstenite::Message::Pong("p".into()));
                assert_eq!(socket.read().unwrap(), message);
            }
        }
        socket.close(None).unwrap();
        loop {
            match socket.read() {
                Ok(message) => assert!(message.is_close()),
                Err(error) => {
                    return assert!(matches!(error, tungstenite::Error::ConnectionClosed));
                }
            }
        }
    });
    let (stream, _) = listener.accept().await.unwrap();
    timeout(LONG, async { echo(accept_async(stream).await?).await }).await.unwrap().unwrap();
    client.join().unwrap();
}

#[tokio::test]
async fn tungstenites_server_echoes_what_is_sent() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/?a=1#b", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_text() || message.is_binary() {
                socket.send(message).unwrap();
            }
        }
    });
    let mut socket = timeout(LONG, connect_async(&url)).await.unwrap().unwrap();
    for text in payloads() {
        for message in [Message::text(text.clone()), Message::binary(text.into_bytes())] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
        }
    }
    socket.send(Message::Ping("here".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("here".into()));
    let close = CloseFrame { code: CloseCode::NORMAL, reason: "done".into() };
    socket.close(Some(close.clone())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Close(Some(close)));
    assert!(socket.next().await.is_none() && socket.next().await.is_none());
    let error = socket.send(Message::text("late")).await.unwrap_err();
    assert!(matches!(error, Error::Send(SendError::NotOpen)), "{error}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_selects_a_subprotocol_or_refuses() {
    let request = ClientRequest::new("a", "/chat").unwrap().subprotocol("chat").unwrap();
    let (near, far) = duplex(1024);
    let config = Config::default();
    let accept = accept_async_with(far, &config, |request| {
        assert_eq!(request.path(), "/chat");
        Ok(Acceptance::new().subprotocol("chat").unwrap())
    });
    let (server, client) = tokio::join!(accept, client_async(&request, near));
    let (server, client) = (server.unwrap(), client.unwrap());
    assert_eq!((server.subprotocol(), client.subprotocol()), (Some("chat"), Some("chat")));

    let (near, far) = duplex(1024);
    let refuse = accept_async_with(far, &config, |_| Err(Rejection::new(403).unwrap()));
    let (server, client) = tokio::join!(refuse, client_async(&request, near));
    let status = |error| match error {
        Error::Handshake(error) => HandshakeError::status(&error),
        error => panic!("{error}"),
    };
    assert_eq!((status(server.unwrap_err()), status(client.unwrap_err())), (403, 403));
}

/// Every future is polled once and dropped, so it is dropped at every await there is.
#[test]
fn futures_that_are_dropped_at_every_await_lose_nothing_and_send_nothing_twice() {
    let slow = Slow::new;
    let (near, far) = duplex(64);
    let mut client = open(slow(near), ConnectionBuilder::client().open());
    let mut server = open(slow(far), ConnectionBuilder::server().open());
    let messages: Vec<Message> =
        (0..20_usize).map(|i| Message::text(format!("{i} ").repeat(i * i))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut sent, mut echoed, mut received) = (0, Vec::new(), Vec::new());
    let mut waiting: Option<Message> = None;
    for turn in 0.. {
        assert!(turn < 1_000_000, "it comes to its end");
        if sent < messages.len() && Pin::new(&mut client).poll_ready(&mut cx).is_ready() {
            Pin::new(&mut client).start_send(messages[sent].clone()).unwrap();
            sent += 1;
        }
        let _ = pin!(client.flush()).poll(&mut cx).map(|outcome| outcome.unwrap());
        if waiting.is_none()
            && let Poll::Ready(message) = pin!(server.next()).poll(&mut cx)
        {
            waiting = Some(message.unwrap().unwrap());
        }
        if let Some(message) = &waiting
            && Pin::new(&mut server).poll_ready(&mut cx).is_ready()
        {
            Pin::new(&mut server).start_send(message.clone()).unwrap();
            echoed.extend(waiting.take());
        }
        let _ = pin!(server.flush()).poll(&mut cx).map(|outcome| outcome.unwrap());
        if let Poll::Ready(message) = pin!(client.next()).poll(&mut cx) {
            received.push(message.unwrap().unwrap());
        }
        if received.len() == messages.len() {
            break;
        }
    }
    assert_eq!(echoed, messages);
    assert_eq!(received, messages);
}

/// A peer that asks and never reads costs what may wait to be written, and no more.
#[tokio::test]
async fn a_peer_that_never_reads_is_not_read_from_beyond_the_mark() {
    let (mut peer, far) = duplex(1024);
    let config = Config::default().with_write_buffer_size_max(10_000);
    let connection = ConnectionBuilder::server().open();
    let mut server = WebSocketStream::from_connection(far, connection, BytesMut::new(), &config);
    let ping = [&b"\x89\xfd\0\0\0\0"[..], &[b'p'; 125]].concat();
    let flood = async {
        let mut written = 0;
        // It ends by having to wait for ever.
        while timeout(Duration::from_millis(300), peer.write_all(&ping)).await.is_ok() {
            written += 1;
            assert!(written < 100_000, "the flood is not taken for ever");
        }
        written
    };
    let serve = async { while server.next().await.is_some() {} };
    let written = tokio::select! {
        written = flood => written,
        () = serve => panic!("nothing ends it"),
    };
    assert!(written > 10);
    assert!(server.queued_len() < 10_000 + 64 * 1024, "{}", server.queued_len());
    // Sending waits, too, once what waits is above the mark.
    let (_peer, far) = duplex(1024);
    let connection = ConnectionBuilder::server().open();
    let mut server = WebSocketStream::from_connection(far, connection, BytesMut::new(), &config);
    let mut sent = 0;
    while timeout(Duration::from_millis(300), server.feed(Message::binary(vec![0; 5000])))
        .await
        .is_ok_and(|outcome| outcome.is_ok())
    {
        sent += 1;
        assert!(sent < 100, "sending waits");
    }
    assert!(server.queued_len() < 16_000, "{}", server.queued_len());
}

#[tokio::test]
async fn what_ends_or_breaks_a_connection_is_an_item_once_and_then_the_end() {
    let (peer, far) = duplex(1024);
    drop(peer);
    let mut server = open(far, ConnectionBuilder::server().open());
    let error = server.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof)), "{error}");
    assert!(server.next().await.is_none());

    let (mut peer, far) = duplex(1024);
    let mut server = open(far, ConnectionBuilder::server().open());
    peer.write_all(b"\x81\x80\0\0\0\0\x83\x80\0\0\0\0").await.unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), Message::text(""));
    let error = server.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Frame(_))), "{error}");
    assert!(server.next().await.is_none());
    drop(server);
    let mut told = Vec::new();
    peer.read_to_end(&mut told).await.unwrap();
    assert_eq!((told[0], &told[2..4]), (0x88, &b"\x03\xea"[..]));
}

/// Pings and a Close are answered without a message having been sent.
#[tokio::test]
async fn replies_go_out_while_the_stream_is_polled() {
    let (mut peer, far) = duplex(1024);
    let server = tokio::spawn(echo(open(far, ConnectionBuilder::server().open())));
    peer.write_all(b"\x89\x81\0\0\0\0p").await.unwrap();
    let mut pong = [0; 3];
    timeout(LONG, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\x8a\x01p");
    peer.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    let mut close = [0; 4];
    timeout(LONG, peer.read_exact(&mut close)).await.unwrap().unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xe8");
    timeout(LONG, server).await.unwrap().unwrap().unwrap();
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed_if_both_want_it() {
    use wscodec_tokio::client_async_with;
    use wscodec_tokio::wscodec::deflate::{Deflate, DeflatePool};
    let request = ClientRequest::new("a", "/").unwrap();
    let deflate = |deflate| Config::default().with_deflate(deflate, DeflatePool::new(4));
    for (client_config, server_config, is_agreed) in [
        (deflate(Deflate::client()), deflate(Deflate::server()), true),
        (deflate(Deflate::client()), Config::default(), false),
        (Config::default(), deflate(Deflate::server()), false),
    ] {
        let (near, far) = duplex(1 << 20);
        let accept = accept_async_with(far, &server_config, |_| Ok(Acceptance::new()));
        let connect = client_async_with(&request, near, &client_config);
        let (server, client) = tokio::join!(accept, connect);
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        let message = Message::text("a rose is a rose is a rose ".repeat(100));
        client.feed(message.clone()).await.unwrap();
        assert_eq!(client.queued_len() < message.len() / 4, is_agreed);
        client.flush().await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), message);
    }
    let _ = client_async::<tokio::io::DuplexStream>;
}

/// A server that wants no context takeover from clients may take no offer but one that says so.
#[cfg(feature = "deflate")]
#[tokio::test]
async fn a_server_may_take_the_second_offer_of_permessage_deflate() {
    use wscodec_tokio::client_async_with;
    use wscodec_tokio::wscodec::deflate::{ContextTakeover, Deflate, DeflatePool};

    let deflate = Deflate::client();
    let config = Config::default()
        .with_deflate(deflate, DeflatePool::new(4))
        .with_deflate_fallback(deflate.with_client_context(ContextTakeover::Off));
    let (near, far) = duplex(1 << 16);
    let plain = Config::default();
    let server = accept_async_with(far, &plain, |request| {
        let offers = request.header("Sec-WebSocket-Extensions").unwrap();
        let offers = std::str::from_utf8(offers).unwrap();
        let (first, second) = offers.split_once(", ").unwrap();
        assert!(!first.contains("client_no_context_takeover"), "{first}");
        assert!(second.contains("client_no_context_takeover"), "{second}");
        Ok(Acceptance::new())
    });
    let request = ClientRequest::new("a", "/").unwrap();
    let client = client_async_with(&request, near, &config);
    tokio::try_join!(server, client).unwrap();
}

/// What waits in the read buffer for its rest is judged when the stream ends: as cut short, or as no text.
#[tokio::test]
async fn part_of_a_message_at_the_end_of_the_stream_is_judged() {
    let mut wire = Vec::new();
    let text = "x".repeat(65_536);
    let mut client = ConnectionBuilder::client().open();
    client.send(wscodec_tokio::wscodec::Message::Text(&text), &mut wire).unwrap();
    for is_text in [true, false] {
        let (mut near, far) = duplex(1 << 20);
        let mut socket = open(far, ConnectionBuilder::server().open());
        for _ in 0..5 {
            near.write_all(&wire).await.unwrap(); // reads get longer
            assert!(socket.next().await.unwrap().unwrap().is_text());
        }
        let mut part = wire[..60_000].to_vec();
        part[40_000] ^= if is_text { 0 } else { 0x80 };
        near.write_all(&part).await.unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(socket.next()).poll(&mut cx).is_pending(), "it is not whole");
        near.shutdown().await.unwrap();
        match socket.next().await.unwrap().unwrap_err() {
            Error::Protocol(ProtocolError::UnexpectedEof) => assert!(is_text),
            Error::Protocol(ProtocolError::Utf8(_)) => assert!(!is_text),
            error => panic!("{error}"),
        }
    }
}
