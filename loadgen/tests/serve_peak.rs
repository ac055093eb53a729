//! The highest memory of a `loadgen serve` that is attacked: a process of its own, as the kernel
//! counts it (`VmHWM`, reset before each attack), and a client that is served all the while.
//!
//! `cargo test --release -p loadgen --test serve_peak -- --nocapture --test-threads 1` prints what
//! was measured.

#[path = "it/peer.rs"]
mod peer;
#[path = "it/served.rs"]
mod served;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use loadgen::host::DescriptorLimit;
use peer::{Peer, frame, request};
use served::Served;

const CLIENTS: usize = 1_000;
/// Longer than a client that is served ever waits, also on a machine that does much else.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// A client that goes on being served while others attack.
struct Healthy {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Healthy {
    /// Echoes every few milliseconds on a connection that is open already.
    fn start(address: SocketAddr) -> Self {
        let mut peer = Peer::open(address);
        peer.echo(0x81, b"before");
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let begin = Instant::now();
                peer.echo(0x81, b"still here");
                times.push(begin.elapsed());
                thread::sleep(Duration::from_millis(10)); // the pace of a polite client
            }
            times
        });
        Self { is_over, thread }
    }

    /// How many echoes came, the median of their times and the longest.
    fn finish(self) -> (usize, Duration, Duration) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().unwrap();
        times.sort();
        let longest = *times.last().unwrap();
        assert!(longest < SERVED_WITHIN, "a client that behaves waited {longest:?}");
        (times.len(), times[times.len() / 2], longest)
    }
}

/// Attacks a server of its own and returns by how much its memory grew at the most.
fn growth(what: &str, bound: u64, attack: impl FnOnce(&Served)) {
    growth_with(&[], what, bound, attack);
}

/// As [`growth`], of a server with more flags.
fn growth_with(flags: &[&str], what: &str, bound: u64, attack: impl FnOnce(&Served)) {
    DescriptorLimit::raise().unwrap();
    let server = Served::start(&[&["-t", "2"], flags].concat());
    let healthy = Healthy::start(server.address);
    server.reset_peak();
    let before = server.peak();
    attack(&server);
    let growth = server.peak() - before;
    let (count, median, longest) = healthy.finish();
    println!(
        "{what}: {} KiB on top of {} KiB; {count} echoes meanwhile, median {median:?}, longest {longest:?}",
        growth >> 10,
        before >> 10
    );
    assert!(growth < bound, "{what}: {growth} bytes more, and not below {bound}");
    let (status, said, _) = server.stop();
    assert!(status.success(), "{said}");
}

fn open_all(server: &Served) -> Vec<Peer> {
    (0..CLIENTS).map(|_| Peer::open(server.address)).collect()
}

#[test]
fn r09_a_thousand_headers_that_claim_16_mib_cost_less_than_10_mib() {
    growth("headers that claim 16 MiB", 10 << 20, |server| {
        let mut peers = open_all(server);
        let claim = [&[0x82, 0xff], &(16_u64 << 20).to_be_bytes()[..], &[0; 4], b"some"].concat();
        // A Ping before it in the same write: once it is answered the header has been read.
        let bytes = [&frame(0x89, b"?"), &claim[..]].concat();
        for peer in &mut peers {
            peer.send(&bytes);
        }
        for peer in &mut peers {
            assert_eq!(peer.read_frame(), (0x8a, b"?".to_vec()));
        }
    });
}

/// 200 clients may send a message of 1 MiB each, but not all at once: 16 MiB are kept for all, twice
/// that at most.
#[test]
fn e16_many_large_messages_at_once_cost_no_more_than_the_bound_of_all_together() {
    const ATTACKERS: usize = 200;
    const BYTES: usize = 1 << 20;
    let flags = ["--max-memory", "16M"];
    growth_with(&flags, "200 messages of 1 MiB, all but a byte", 40 << 20, |server| {
        let mut peers: Vec<_> = (0..ATTACKERS).map(|_| Peer::open(server.address)).collect();
        let message = frame(0x82, &vec![b'm'; BYTES]);
        let (most, last) = message.split_at(message.len() - 1);
        for peer in &mut peers {
            // The server may have said goodbye by now, which is well.
            peer.stream.write_all(most).ok();
        }
        let mut closed = 0;
        for peer in &mut peers {
            peer.stream.write_all(last).ok();
            match peer.read_frame() {
                (0x82, echo) => assert_eq!(echo.len(), BYTES),
                (0x88, close) => {
                    assert_eq!(close[..2], 1013_u16.to_be_bytes());
                    closed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        println!("{closed} of {ATTACKERS} were told to try again later");
        assert!((ATTACKERS - 32..ATTACKERS).contains(&closed), "{closed}");
        // Once they are gone there is room again.
        drop(peers);
        let mut late = Peer::open(server.address);
        late.send(most);
        late.send(last);
        assert_eq!(late.read_frame().0, 0x82);
    });
}

/// Attacks with heads of which `first` comes at once, and then a byte a second until the server has
/// enough.
fn drip(first: &str, server: &Served) {
    let mut peers: Vec<_> = (0..CLIENTS).map(|_| Peer::connect(server.address)).collect();
    for peer in &mut peers {
        peer.send(first.as_bytes());
    }
    let begin = Instant::now();
    for second in 1..=8 {
        let at = begin + Duration::from_secs(second);
        thread::sleep(at.saturating_duration_since(Instant::now())); // the attack's pace
        for peer in &mut peers {
            peer.send(b"x");
        }
    }
    // Ten seconds after they came, the server has had enough.
    for peer in &mut peers {
        let mut said = String::new();
        peer.stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }
}

#[test]
fn e01_a_thousand_heads_at_a_byte_a_second_cost_less_than_20_mib() {
    growth("heads at a byte a second", 20 << 20, |server| drip("GET / HTTP/1.1\r\nX: ", server));
}

#[test]
fn e01_a_thousand_heads_that_stop_short_of_the_limit_cost_less_than_40_mib() {
    // 15 KiB of headers of which each is fine; the limit is 16.
    let long = format!("X: {}\r\n", "y".repeat(507)).repeat(30);
    let head = request(&long).trim_end().to_owned();
    assert!((15_000..16_000).contains(&head.len()), "{}", head.len());
    growth("heads of 15 KiB, then a byte a second", 40 << 20, |server| drip(&head, server));
}

#[test]
fn r13_a_million_empty_fragments_cost_no_memory_and_linear_time() {
    growth("a million empty fragments", 2 << 20, |server| {
        const MESSAGES: usize = 10;
        let empty = frame(0x00, b"");
        // 100,000 a message, which the limit allows.
        let message = [frame(0x01, b""), empty.repeat(99_998), frame(0x80, b"")].concat();
        let mut peer = Peer::open(server.address);
        let mut ticks = vec![server.cpu_ticks()];
        for _ in 0..MESSAGES {
            peer.send(&message);
            assert_eq!(peer.read_frame(), (0x81, Vec::new()));
            ticks.push(server.cpu_ticks());
        }
        let half = MESSAGES / 2;
        let (first, second) = (ticks[half] - ticks[0], ticks[MESSAGES] - ticks[half]);
        println!("clock ticks for the first half million {first}, for the second {second}");
        assert!(second <= 3 * first + 10, "{ticks:?}");
    });
}

#[test]
fn r13_a_message_of_a_million_empty_fragments_ends_at_the_limit() {
    growth("one message of a million empty fragments", 2 << 20, |server| {
        let mut peer = Peer::open(server.address);
        let mut reader = Peer { stream: peer.stream.try_clone().unwrap() };
        let reading = thread::spawn(move || reader.read_close());
        let flood = [frame(0x01, b""), frame(0x00, b"").repeat(1_000_000)].concat();
        // The server reads to the end whatever it has said, until its patience ends.
        peer.stream.write_all(&flood).ok();
        assert_eq!(reading.join().unwrap(), (1008, "too_many_fragments".into()));
    });
}
