//! `serve broadcast`: a message goes to all others of its topic, once and in the order of its
//! sender, whoever comes, goes or doesn't read.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{PATIENCE, Peer, assert_balanced, config, frame, start, wait_for};
use loadgen::serve::{Mode, SenderCopy, ServeConfig, ServerHandle, SlowReader};

fn broadcasting() -> ServeConfig {
    ServeConfig { mode: Mode::Broadcast, threads: NonZeroUsize::new(3).unwrap(), ..config() }
}

/// A client of a topic.
fn join(server: &ServerHandle, topic: &str) -> Peer {
    let mut peer = Peer::connect(server.local_addr());
    let request = crate::peer::request("").replace("GET / ", &format!("GET {topic} "));
    peer.send(request.as_bytes());
    let head = peer.read_head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    peer
}

#[test]
fn a_message_goes_to_all_others_of_its_topic_and_to_nobody_else() {
    let server = start(&broadcasting());
    let mut rooms: Vec<Vec<Peer>> =
        ["/a", "/b"].iter().map(|topic| (0..4).map(|_| join(&server, topic)).collect()).collect();
    wait_for(&server, "joined", |totals| totals.established == 8);
    rooms[0][0].send(&frame(0x81, b"to a"));
    rooms[1][3].send(&frame(0x82, b"to b"));
    for peer in &mut rooms[0][1..] {
        assert_eq!(peer.read_frame(), (0x81, b"to a".to_vec()));
    }
    for peer in &mut rooms[1][..3] {
        assert_eq!(peer.read_frame(), (0x82, b"to b".to_vec()));
    }
    // Who has sent it gets no copy: the answer to a Ping is the first that it gets.
    for (room, place) in [(0, 0), (1, 3)] {
        rooms[room][place].send(&frame(0x89, b"?"));
        assert_eq!(rooms[room][place].read_frame(), (0x8a, b"?".to_vec()));
    }
    let totals = server.shutdown();
    assert_balanced(&totals);
    assert_eq!((totals.messages_received, totals.messages_sent), (2, 6));
}

#[test]
fn a_sender_gets_a_copy_where_that_was_asked_for() {
    let server = start(&ServeConfig { sender_copy: SenderCopy::Include, ..broadcasting() });
    let mut peer = join(&server, "/a?this=is+no+topic");
    let mut other = join(&server, "/a");
    wait_for(&server, "joined", |totals| totals.established == 2);
    peer.send(&frame(0x81, b"hello"));
    for peer in [&mut peer, &mut other] {
        assert_eq!(peer.read_frame(), (0x81, b"hello".to_vec()));
    }
}

#[test]
fn a_path_that_is_too_long_a_topic_is_refused() {
    let server = start(&broadcasting());
    let mut peer = Peer::connect(server.local_addr());
    let path = format!("GET /{} ", "x".repeat(255));
    peer.send(crate::peer::request("").replace("GET / ", &path).as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 414 "));
}

/// The number in the next message.
fn read_number(peer: &mut Peer) -> u32 {
    let (first, payload) = peer.read_frame();
    assert_eq!(first, 0x82);
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

#[test]
fn e03_a_slow_reader_is_closed_with_1008_and_the_others_get_everything() {
    let config = ServeConfig { close_timeout: Duration::from_millis(500), ..broadcasting() };
    let server = start(&config);
    let slow = join(&server, "/t");
    let mut good: Vec<_> = (0..3).map(|_| join(&server, "/t")).collect();
    let mut sender = join(&server, "/t");
    wait_for(&server, "joined", |totals| totals.established == 5);
    let begin = Instant::now();
    let mut number = 0_u32;
    while !server.totals().closes.contains_key(&1008) {
        let mut payload = vec![0; 100_000];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        sender.send(&frame(0x82, &payload));
        for peer in &mut good {
            assert_eq!(read_number(peer), number);
        }
        number += 1;
        assert!(begin.elapsed() < PATIENCE, "the slow reader is never closed");
    }
    drop(slow);
    let totals = server.shutdown();
    assert_balanced(&totals);
    assert_eq!((totals.closes.get(&1008), totals.messages_skipped), (Some(&1), 0));
}

/// A topic of a server of its own, with a sender and three who read all they get.
struct Room {
    server: ServerHandle,
    sender: Peer,
    good: Vec<Peer>,
    number: u32,
}

impl Room {
    fn open(config: &ServeConfig) -> Self {
        let server = start(config);
        let good = (0..3).map(|_| join(&server, "/t")).collect();
        let sender = join(&server, "/t");
        Self { server, sender, good, number: 0 }
    }

    /// Sends a message; how long it took until the last of those who read had it.
    fn round(&mut self, len: usize) -> Duration {
        let payload = [&self.number.to_be_bytes()[..], &vec![7; len]].concat();
        let message = frame(0x82, &payload);
        let begin = Instant::now();
        self.sender.send(&message);
        for peer in &mut self.good {
            assert_eq!(read_number(peer), self.number);
        }
        self.number += 1;
        begin.elapsed()
    }
}

/// The median and the 99th percentile.
fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[times.len() * percent / 100])
}

#[test]
fn e03_the_others_wait_no_longer_because_one_does_not_read() {
    const ROUNDS: usize = 300;
    /// On a machine that does much else either may be held up: a few times, not always.
    const TRIES: usize = 10;
    /// More than the sockets take.
    const FILLING: usize = 150;
    // It stays: what it doesn't read is left out, or waits in a queue that is never full.
    for (slow_reader, queue_max) in [(SlowReader::Skip, 64 << 10), (SlowReader::Close, 1 << 30)] {
        let shutdown_timeout = Duration::ZERO;
        let config = ServeConfig { slow_reader, queue_max, shutdown_timeout, ..broadcasting() };
        let (mut without, mut with) = (Room::open(&config), Room::open(&config));
        let slow = join(&with.server, "/t");
        wait_for(&without.server, "joined", |totals| totals.established == 4);
        wait_for(&with.server, "joined", |totals| totals.established == 5);
        for _ in 0..FILLING {
            with.round(100_000);
        }
        let mut seen = Vec::new();
        let is_unaffected = |_| {
            // Taken in turn, so that what holds up one holds up the other.
            let (alone, beside): (Vec<_>, Vec<_>) =
                (0..ROUNDS).map(|_| (without.round(1_000), with.round(1_000))).unzip();
            let (alone, beside) = (percentiles(alone), percentiles(beside));
            seen.push((alone, beside));
            beside.iter().zip(alone).all(|(&beside, alone)| beside <= 2 * alone)
        };
        assert!((0..TRIES).any(is_unaffected), "{slow_reader:?}: {seen:?}");
        let totals = with.server.totals();
        assert_eq!(totals.messages_skipped > 0, slow_reader == SlowReader::Skip, "{totals:?}");
        let all = 4 * u64::from(with.number);
        assert!(
            totals.messages_sent < all && totals.open == 5,
            "it is there, and slow: {totals:?}"
        );
        drop(slow);
    }
}

#[test]
fn e15_churn_loses_and_doubles_nothing_for_those_who_stay() {
    const MESSAGES: u32 = 400;
    let server = start(&broadcasting());
    let address = server.local_addr();
    let mut stable: Vec<_> = (0..8).map(|_| join(&server, "/t")).collect();
    let mut senders: Vec<_> = (0..2).map(|_| join(&server, "/t")).collect();
    wait_for(&server, "joined", |totals| totals.established == 10);
    let is_over = Arc::new(AtomicBool::new(false));
    let churn: Vec<_> = (0..2)
        .map(|_| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let mut peer = Peer::connect(address);
                    peer.send(crate::peer::request("").replace("GET / ", "GET /t ").as_bytes());
                    peer.read_head();
                    drop(peer); // a reset, if anything was sent to it
                }
            })
        })
        .collect();
    let sending: Vec<_> = (0_u8..)
        .zip(senders.drain(..))
        .map(|(who, mut sender)| {
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let payload = [&number.to_be_bytes()[..], &[who; 60]].concat();
                    sender.send(&frame(0x82, &payload));
                    if number % 50 == 0 {
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                sender
            })
        })
        .collect();
    for peer in &mut stable {
        let mut next = [0; 2];
        for _ in 0..2 * MESSAGES {
            let (_, payload) = peer.read_frame();
            let who = usize::from(payload[4]);
            let number = u32::from_be_bytes(payload[..4].try_into().unwrap());
            assert_eq!(number, next[who], "lost, doubled or out of order");
            next[who] += 1;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for thread in churn {
        thread.join().unwrap();
    }
    let senders: Vec<_> = sending.into_iter().map(|thread| thread.join().unwrap()).collect();
    drop((stable, senders));
    let totals = wait_for(&server, "all gone", |totals| totals.open == 0);
    assert_balanced(&totals);
    assert_eq!(totals.messages_received, u64::from(2 * MESSAGES));
}
