//! The two halves of a connection, in tasks of their own.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use wscodec_tokio::wscodec::{ConnectionBuilder, ReadyState, SendError};
use wscodec_tokio::{
    CloseCode, CloseFrame, Config, Error, KeepAlive, Message, Timeout, WebSocketStream,
    accept_async, connect_async,
};

use crate::support::{LONG, Slow, echo, open};

/// Both directions at once, over sockets whose buffers are full most of the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_on_two_threads_send_and_receive_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server =
        tokio::spawn(async move { echo(accept_async(listener.accept().await?.0).await?).await });
    let socket = connect_async(&url).await.unwrap();
    let (mut reader, writer) = socket.split();
    let messages: Vec<Message> =
        (0..300_usize).map(|i| Message::binary(vec![7; (i * i * 7) % 100_000])).collect();
    let sent = messages.clone();
    let sending = tokio::spawn(async move {
        for message in sent {
            writer.send(message).await?;
        }
        writer.close(Some(CloseFrame::new(CloseCode::NORMAL, "done"))).await
    });
    for message in messages {
        assert_eq!(timeout(LONG, reader.next()).await.unwrap().unwrap().unwrap(), message);
    }
    assert!(reader.next().await.unwrap().unwrap().is_close());
    assert!(reader.next().await.is_none());
    sending.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

/// The halves of a TCP stream need no lock of tokio's.
#[tokio::test]
async fn a_tcp_stream_is_split_by_itself_and_reunited() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let server = tokio::spawn(echo(open(far.unwrap().0, ConnectionBuilder::server().open())));
    let socket = open(near.unwrap(), ConnectionBuilder::client().open());
    let (mut reader, writer) = socket.split_with(TcpStream::into_split);
    writer.send("halves").await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), Message::text("halves"));
    let clone = writer.clone();
    let again = reader.reunite_with(writer, |read, write| read.reunite(write).unwrap());
    let error = again.unwrap_err();
    assert!(error.to_string().contains("clones"));
    let (reader, writer) = error.into_halves();
    drop(clone);
    let again = reader.reunite_with(writer, |read, write| read.reunite(write).unwrap());
    let mut socket = again.unwrap();
    socket.send(Message::text("whole")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("whole"));
    socket.close_gracefully(None).await.unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn halves_of_different_connections_are_not_reunited() {
    let (_near, far) = duplex(64);
    let (_near, other) = duplex(64);
    let (reader, writer) = open(far, ConnectionBuilder::server().open()).split();
    let (_, stranger) = open(other, ConnectionBuilder::server().open()).split();
    assert!(reader.is_pair_of(&writer) && !reader.is_pair_of(&stranger));
    let error = reader.reunite(stranger).unwrap_err();
    error.into_halves().0.reunite(writer).unwrap();
}

/// A message that has arrived by half, a Ping that is answered, bytes that wait: all of it goes on.
#[tokio::test]
async fn nothing_is_lost_by_splitting_and_reuniting_in_the_middle_of_messages() {
    let (mut peer, far) = duplex(1 << 16);
    let mut server = open(far, ConnectionBuilder::server().open());
    peer.write_all(b"\x01\x82\0\0\0\0He\x89\x81\0\0\0\0p\x80\x83\0\0\0\0l").await.unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), Message::Ping("p".into()));
    server.feed(Message::text("queued")).await.unwrap();
    let (mut reader, writer) = server.split();
    let mut next = pin!(reader.next());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(next.as_mut().poll(&mut cx).is_pending());
    peer.write_all(b"lo\x81\x81\0\0\0\0x\x89\x80\0\0").await.unwrap();
    assert_eq!(next.await.unwrap().unwrap(), Message::text("Hello"));
    writer.feed("more").await.unwrap();
    let mut server = reader.reunite(writer).unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), Message::text("x"));
    peer.write_all(b"\0\0").await.unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), Message::Ping("".into()));
    server.flush().await.unwrap();
    let mut told = [0; 3 + 8 + 6 + 2];
    peer.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"\x8a\x01p\x81\x06queued\x81\x04more\x8a\0");
}

/// Nobody sends, and the writing half is in a task that does something else.
#[tokio::test]
async fn replies_go_out_by_the_reading_half() {
    let (mut peer, far) = duplex(1024);
    let (mut reader, writer) = open(far, ConnectionBuilder::server().open()).split();
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = reader.next().await {} });
    peer.write_all(b"\x89\x81\0\0\0\0p").await.unwrap();
    let mut pong = [0; 3];
    timeout(LONG, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\x8a\x01p");
    peer.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    let mut told = Vec::new();
    timeout(LONG, peer.read_to_end(&mut told)).await.unwrap().unwrap();
    assert_eq!(&told, b"\x88\x02\x03\xe8");
    drop(peer);
    timeout(LONG, reading).await.unwrap().unwrap();
    assert_eq!(writer.ready_state(), ReadyState::Closed);
    let error = writer.send("late").await.unwrap_err();
    assert!(matches!(error, Error::Send(SendError::NotOpen)), "{error}");
}

/// Whoever asked the stream last is woken by it; the others have to be, too.
#[tokio::test]
async fn everyone_who_waits_for_the_stream_is_woken() {
    let (mut peer, far) = duplex(64);
    let config = Config::default().with_write_buffer_size_max(100);
    let connection = ConnectionBuilder::server().open();
    let server = WebSocketStream::from_connection(far, connection, BytesMut::new(), &config);
    let (mut reader, writer) = server.split();
    let writers: Vec<_> = (0..5_u8)
        .map(|i| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.send(vec![i; 1000]).await })
        })
        .collect();
    tokio::task::yield_now().await;
    peer.write_all(b"\x89\x81\0\0\0\0p").await.unwrap();
    let reading = tokio::spawn(async move {
        let ping = reader.next().await;
        let end = reader.next().await;
        (ping, end)
    });
    tokio::task::yield_now().await;
    // Everything is written, though only the peer does anything now.
    let mut told = vec![0; 5 * 1004 + 3];
    timeout(LONG, peer.read_exact(&mut told)).await.unwrap().unwrap();
    for writer in writers {
        timeout(LONG, writer).await.unwrap().unwrap().unwrap();
    }
    let position = told.windows(3).position(|part| part == b"\x8a\x01p");
    assert!(position.is_some(), "the Pong is among them");
    drop(peer);
    let (ping, end) = timeout(LONG, reading).await.unwrap().unwrap();
    assert_eq!(ping.unwrap().unwrap(), Message::Ping("p".into()));
    assert!(end.unwrap().is_err());
}

/// Pings that nobody reads the answers to.
#[tokio::test]
async fn a_reading_half_reads_no_more_while_its_replies_wait_above_the_mark() {
    let (mut peer, far) = duplex(1024);
    let config = Config::default().with_write_buffer_size_max(10_000);
    let connection = ConnectionBuilder::server().open();
    let server = WebSocketStream::from_connection(far, connection, BytesMut::new(), &config);
    let (mut reader, writer) = server.split();
    let ping = [&b"\x89\xfd\0\0\0\0"[..], &[b'p'; 125]].concat();
    let mut written = 0;
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let is_taken = pin!(peer.write_all(&ping)).poll(&mut cx).is_ready();
        while let Poll::Ready(ping) = reader.poll_next_unpin(&mut cx) {
            assert_eq!(ping.unwrap().unwrap().len(), 125);
        }
        if !is_taken {
            break;
        }
        written += 1;
        assert!(written < 100_000, "the flood is not taken for ever");
    }
    assert!(written > 10);
    assert!(writer.queued_len() < 10_000 + 64 * 1024, "{}", writer.queued_len());
    // Nor does a writer queue more than that and a message.
    let mut fed = 0;
    while pin!(writer.feed(vec![0; 5000])).poll(&mut cx).is_ready() {
        fed += 1;
        assert!(fed < 100, "sending waits");
    }
}

/// The reading half waits for something to read, and learns that the other has closed.
#[tokio::test(start_paused = true)]
async fn a_close_of_the_writing_half_has_its_time() {
    let (_peer, far) = duplex(1024);
    let (mut reader, writer) = open(far, ConnectionBuilder::client().open()).split();
    let reading = tokio::spawn(async move { reader.next().await });
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = Instant::now();
    writer.close(None).await.unwrap();
    let error = reading.await.unwrap().unwrap().unwrap_err();
    assert_eq!(Timeout::of(&error), Some(Timeout::Close));
    assert_eq!(began.elapsed(), Config::CLOSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_reading_half_sends_pings_and_closes_what_is_idle() {
    let second = Duration::from_secs(1);
    let (mut peer, far) = duplex(1024);
    let config = Config::default()
        .with_keep_alive(KeepAlive::new(10 * second))
        .with_idle_timeout(26 * second);
    let connection = ConnectionBuilder::server().open();
    let server = WebSocketStream::from_connection(far, connection, BytesMut::new(), &config);
    let (mut reader, writer) = server.split();
    let reading = tokio::spawn(async move {
        let mut kinds = Vec::new();
        while let Some(message) = reader.next().await {
            kinds.push(message.unwrap().is_close());
        }
        kinds
    });
    let mut frame = [0; 2];
    for _ in 0..2 {
        peer.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\x89\0");
        peer.write_all(b"\x8a\x80\0\0\0\0").await.unwrap();
    }
    writer.send(Bytes::new()).await.unwrap(); // at 20 s: a message, so it is not idle at 26
    let mut told = [0; 2 + 3 * 2 + 8];
    for (at, len) in [(0, 2), (2, 2), (4, 2), (6, 2), (8, 8)] {
        peer.read_exact(&mut told[at..at + len]).await.unwrap();
        if told[at] == 0x89 {
            peer.write_all(b"\x8a\x80\0\0\0\0").await.unwrap();
        }
    }
    assert_eq!(&told, b"\x82\0\x89\0\x89\0\x89\0\x88\x06\x03\xe9idle");
    peer.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
    drop(peer);
    assert_eq!(reading.await.unwrap(), [false, false, false, false, false, true]);
}

/// Each half is polled once and dropped, again and again, over streams that are hardly ever ready.
#[test]
fn futures_of_halves_that_are_dropped_lose_nothing_and_send_nothing_twice() {
    let (near, far) = duplex(64);
    let (mut client_reader, mut client) =
        open(Slow::new(near), ConnectionBuilder::client().open()).split();
    let (mut server_reader, server) =
        open(Slow::new(far), ConnectionBuilder::server().open()).split();
    let messages: Vec<Message> =
        (0..20_usize).map(|i| Message::text(format!("{i} ").repeat(i * i))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut sent, mut received) = (0, Vec::new());
    let mut waiting: Option<Message> = None;
    for turn in 0.. {
        assert!(turn < 1_000_000, "it comes to its end");
        if sent < messages.len() && Pin::new(&mut client).poll_ready(&mut cx).is_ready() {
            Pin::new(&mut client).start_send(messages[sent].clone()).unwrap();
            Pin::new(&mut client).start_send(Message::Ping("between".into())).unwrap();
            sent += 1;
        }
        let _ = Pin::new(&mut client).poll_flush(&mut cx).map(|outcome| outcome.unwrap());
        if waiting.is_none()
            && let Poll::Ready(message) = pin!(server_reader.next()).poll(&mut cx)
        {
            waiting = message.map(|message| message.unwrap()).filter(Message::is_text);
        }
        if let Some(message) = &waiting {
            // Fed at once, or dropped without a trace.
            if pin!(server.feed(message.clone())).poll(&mut cx).is_ready() {
                waiting = None;
            }
        }
        let _ = pin!(server.flush()).poll(&mut cx).map(|outcome| outcome.unwrap());
        if let Poll::Ready(message) = pin!(client_reader.next()).poll(&mut cx) {
            received.extend(message.map(|message| message.unwrap()).filter(Message::is_text));
        }
        if received.len() == messages.len() {
            break;
        }
    }
    assert_eq!(received, messages);
}
