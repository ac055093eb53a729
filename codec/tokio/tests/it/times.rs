//! Keep-alive Pings, deadlines, and the end of a connection in order. Time is tokio's, and jumps.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, timeout};
use wscodec_tokio::wscodec::handshake::ClientRequest;
use wscodec_tokio::wscodec::{ConnectionBuilder, ProtocolError, Role};
use wscodec_tokio::{
    CloseCode, CloseFrame, Config, Error, KeepAlive, Message, Timeout, WebSocketStream,
    accept_async, client_async,
};

const SECOND: Duration = Duration::from_secs(1);

fn open(role: Role, config: &Config) -> (WebSocketStream<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 16);
    let connection = ConnectionBuilder::new(role).open();
    (WebSocketStream::from_connection(near, connection, BytesMut::new(), config), far)
}

async fn read(peer: &mut DuplexStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    peer.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays_and_one_that_does_not_is_gone() {
    let keep_alive = KeepAlive::new(30 * SECOND).with_timeout(7 * SECOND);
    let (mut server, mut peer) = open(Role::Server, &Config::default().with_keep_alive(keep_alive));
    let began = Instant::now();
    let peer = async {
        for pings in 1..=3 {
            assert_eq!(read(&mut peer, 2).await, b"\x89\0");
            assert_eq!(began.elapsed().as_secs(), 30 * pings);
            peer.write_all(b"\x8a\x80\0\0\0\0").await.unwrap();
        }
        assert_eq!(read(&mut peer, 2).await, b"\x89\0");
        // What arrives after a Ping is an answer, too; the next Ping is due 30 s later.
        tokio::time::sleep(6 * SECOND).await;
        peer.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
        assert_eq!(read(&mut peer, 2).await, b"\x89\0");
        assert_eq!(began.elapsed().as_secs(), 156);
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!((told[0], &told[2..4]), (0x88, &b"\x03\xf3"[..]));
    };
    let serve = async {
        for _ in 0..3 {
            assert_eq!(server.next().await.unwrap().unwrap(), Message::Pong("".into()));
        }
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text(""));
        let error = server.next().await.unwrap().unwrap_err();
        assert_eq!(Timeout::of(&error), Some(Timeout::KeepAlive), "{error}");
        assert_eq!(began.elapsed().as_secs(), 163);
        assert!(server.next().await.is_none());
        drop(server);
    };
    tokio::join!(peer, serve);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_messages_is_closed_and_pings_are_none() {
    let config = Config::default().with_idle_timeout(60 * SECOND);
    let (mut server, mut peer) = open(Role::Server, &config);
    let began = Instant::now();
    let peer = async {
        tokio::time::sleep(30 * SECOND).await;
        peer.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
        assert_eq!(read(&mut peer, 2).await, b"\x81\0");
        tokio::time::sleep(30 * SECOND).await;
        peer.write_all(b"\x89\x80\0\0\0\0").await.unwrap();
        assert_eq!(read(&mut peer, 2).await, b"\x8a\0");
        assert_eq!(read(&mut peer, 8).await, b"\x88\x06\x03\xe9idle");
        assert_eq!(began.elapsed().as_secs(), 150); // 60 s after what was sent at 90
        peer.write_all(b"\x88\x82\0\0\0\0\x03\xe9").await.unwrap();
    };
    let serve = async {
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text(""));
        server.send(Message::text("")).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::Ping("".into()));
        let message = timeout(30 * SECOND, server.next()).await;
        assert!(message.is_err(), "{message:?}");
        let close = CloseFrame::new(CloseCode::GOING_AWAY, "");
        assert_eq!(server.next().await.unwrap().unwrap(), Message::Close(Some(close)));
        assert!(server.next().await.is_none());
    };
    tokio::join!(peer, serve);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_ends_in_time() {
    let began = Instant::now();
    let (_peer, far) = duplex(1024);
    let error = accept_async(far).await.unwrap_err();
    assert_eq!(Timeout::of(&error), Some(Timeout::Handshake));
    let (near, _peer) = duplex(1024);
    let request = ClientRequest::new("a", "/").unwrap();
    let error = client_async(&request, near).await.unwrap_err();
    assert_eq!(Timeout::of(&error), Some(Timeout::Handshake));
    assert_eq!(began.elapsed(), 2 * Config::HANDSHAKE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_answers_ends_in_time() {
    for role in [Role::Server, Role::Client] {
        let (mut socket, mut peer) = open(role, &Config::default().with_close_timeout(3 * SECOND));
        let began = Instant::now();
        socket.close(None).await.unwrap();
        let error = socket.next().await.unwrap().unwrap_err();
        assert_eq!(Timeout::of(&error), Some(Timeout::Close));
        assert!(socket.next().await.is_none());
        assert_eq!(began.elapsed().as_secs(), 3);
        drop(socket);
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!(told[0], 0x88);
    }
}

/// "[...] the underlying TCP connection, in most normal cases, SHOULD be closed first by the server"
/// (RFC 6455, 7.1.1).
#[tokio::test(start_paused = true)]
async fn s7_1_1_the_server_ends_the_stream_first_and_a_client_waits_for_it() {
    let (mut server, mut peer) = open(Role::Server, &Config::default());
    peer.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
    let began = Instant::now();
    let client = async {
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap(); // ends before this side does
        assert_eq!(told, b"\x88\0");
        assert_eq!(began.elapsed().as_secs(), 0);
        tokio::time::sleep(SECOND).await;
        drop(peer);
    };
    let serve = async {
        assert_eq!(server.next().await.unwrap().unwrap(), Message::Close(None));
        assert!(server.next().await.is_none());
        assert_eq!(began.elapsed().as_secs(), 1, "it has waited for the client's end");
    };
    tokio::join!(client, serve);

    for (ends_after, waited) in [(1, 1), (1000, 5)] {
        let (mut client, mut peer) = open(Role::Client, &Config::default());
        let began = Instant::now();
        let server = async {
            assert_eq!(read(&mut peer, 6).await[..2], *b"\x88\x80");
            peer.write_all(b"\x81\x01x\x88\0").await.unwrap();
            let end = timeout(ends_after * SECOND, peer.read_u8()).await;
            if waited == 5 {
                assert!(end.unwrap().is_err(), "the client ends it in time");
            } else {
                assert!(end.is_err(), "the client waits");
            }
            drop(peer);
        };
        let run = async {
            // The message that was under way is dropped.
            client.close_gracefully(None).await.unwrap();
            assert_eq!(began.elapsed().as_secs(), waited);
            client.close_gracefully(None).await.unwrap();
        };
        tokio::join!(server, run);
    }
}

#[tokio::test(start_paused = true)]
async fn a_graceful_close_says_what_came_instead() {
    let close = || Some(CloseFrame::new(CloseCode::NORMAL, "done"));
    let (mut client, peer) = open(Role::Client, &Config::default());
    let error = client.close_gracefully(close()).await.unwrap_err();
    assert_eq!(Timeout::of(&error), Some(Timeout::Close));
    drop(peer);
    let (mut client, mut peer) = open(Role::Client, &Config::default());
    peer.shutdown().await.unwrap();
    let error = client.close_gracefully(close()).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof)), "{error}");
    let (mut client, _peer) = open(Role::Client, &Config::default());
    let long = CloseFrame::new(CloseCode::NORMAL, "x".repeat(124));
    assert!(matches!(client.close_gracefully(Some(long)).await.unwrap_err(), Error::Send(_)));
}

/// A failure is told to the peer though it goes on sending, and does not read yet.
#[tokio::test(start_paused = true)]
async fn s7_1_7_who_fails_a_connection_ends_it_and_drops_what_still_arrives() {
    let (mut server, mut peer) = open(Role::Server, &Config::default());
    peer.write_all(b"\x83\x80\0\0\0\0").await.unwrap();
    let error = server.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(_)));
    let flood = async {
        for _ in 0..100 {
            peer.write_all(&[0; 10_000]).await.unwrap();
        }
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!((told[0], &told[2..4]), (0x88, &b"\x03\xea"[..]));
        drop(peer);
    };
    let (end, ()) = tokio::join!(server.next(), flood);
    assert!(end.is_none());
}

/// A peer's Close says why it is gone, though writing to it fails first.
#[tokio::test]
async fn what_the_peer_sent_before_a_write_fails_is_still_read() {
    let (mut client, mut peer) = open(Role::Client, &Config::default());
    peer.write_all(b"\x81\x01x\x88\x02\x03\xf0").await.unwrap();
    drop(peer);
    let error = client.send(Message::text("too late")).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("x"));
    let close = CloseFrame::new(CloseCode::POLICY_VIOLATION, "");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Close(Some(close)));
    assert!(client.next().await.is_none());

    let (mut client, mut peer) = open(Role::Client, &Config::default());
    peer.write_all(b"\x81\x01x").await.unwrap();
    drop(peer);
    client.send(Message::text("too late")).await.unwrap_err();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("x"));
    let error = client.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}: the write's, which came first");
    assert!(client.next().await.is_none());
}
