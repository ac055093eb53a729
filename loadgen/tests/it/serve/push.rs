//! `serve push`: every client gets its own sequence at its rate, and one that doesn't read costs the
//! others nothing.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::peer::{Peer, assert_balanced, close_frame, config, frame, start, wait_for};
use loadgen::config::Rate;
use loadgen::serve::{Mode, Push, PushRate, ServeConfig, SlowReader};
use loadgen::stamp;

fn pushing(rate: PushRate, size: usize) -> ServeConfig {
    ServeConfig {
        mode: Mode::Push,
        push: Push { rate, size },
        threads: NonZeroUsize::new(2).unwrap(),
        ..config()
    }
}

fn rate(per_s: u64) -> Rate {
    Rate::new(per_s * 1_000).unwrap()
}

/// The stamp of the next message.
fn read_push(peer: &mut Peer, size: usize) -> stamp::Push {
    let (first, payload) = peer.read_frame();
    assert_eq!((first, payload.len()), (0x81, size));
    stamp::Push::find(&payload).unwrap()
}

#[test]
fn each_client_has_its_own_sequence_and_its_rate() {
    let server = start(&pushing(PushRate::Each(rate(50)), 100));
    let mut peers: Vec<_> = (0..4).map(|_| Peer::open(server.local_addr())).collect();
    let begin = Instant::now();
    for peer in &mut peers {
        let mut last_ns = 0;
        for sequence in 0..25 {
            let push = read_push(peer, 100);
            assert_eq!(push.sequence, sequence);
            assert!(push.unix_ns >= last_ns);
            last_ns = push.unix_ns;
        }
    }
    assert!(begin.elapsed() >= Duration::from_millis(350), "{:?}", begin.elapsed());
    // What clients say is only counted.
    peers[0].send(&frame(0x81, b"hello"));
    wait_for(&server, "heard", |totals| totals.messages_received == 1);
    drop(peers);
    let totals = server.shutdown();
    assert_balanced(&totals);
    assert_eq!(totals.messages_skipped, 0);
}

#[test]
fn a_total_rate_is_shared_by_all() {
    let server = start(&pushing(PushRate::Total(rate(100)), 64));
    let mut peers: Vec<_> = (0..10).map(|_| Peer::open(server.local_addr())).collect();
    let begin = Instant::now();
    for peer in &mut peers {
        for sequence in 0..5 {
            assert_eq!(read_push(peer, 64).sequence, sequence);
        }
    }
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
}

#[test]
fn a_close_is_answered_and_nothing_is_pushed_behind_it() {
    let server = start(&pushing(PushRate::Each(rate(1_000)), 64));
    let mut peer = Peer::open(server.local_addr());
    read_push(&mut peer, 64);
    peer.send(&close_frame(1000, ""));
    loop {
        let (first, _) = peer.read_frame();
        if first == 0x88 {
            break;
        }
    }
    assert!(peer.read_to_end().is_empty());
    let totals = wait_for(&server, "ended", |totals| totals.open == 0);
    assert_eq!(totals.closes.get(&1000), Some(&1));
}

#[test]
fn e03_a_slow_reader_is_closed_and_the_others_get_everything() {
    let config = ServeConfig {
        close_timeout: Duration::from_millis(500),
        ..pushing(PushRate::Each(rate(100)), 60_000)
    };
    let server = start(&config);
    let slow = Peer::open(server.local_addr());
    let mut good = Peer::open(server.local_addr());
    let mut sequence = 0;
    while !server.totals().closes.contains_key(&1008) {
        assert_eq!(read_push(&mut good, 60_000).sequence, sequence);
        sequence += 1;
        assert!(sequence < 10_000, "the slow reader is never closed");
    }
    for more in 0..20 {
        assert_eq!(read_push(&mut good, 60_000).sequence, sequence + more);
    }
    drop(slow);
    let totals = server.shutdown();
    assert_balanced(&totals);
    assert_eq!((totals.closes.get(&1008), totals.messages_skipped), (Some(&1), 0));
}

#[test]
fn e03_a_slow_reader_may_skip_messages_instead() {
    let config = ServeConfig {
        queue_max: 64 << 10,
        slow_reader: SlowReader::Skip,
        ..pushing(PushRate::Each(rate(500)), 60_000)
    };
    let server = start(&config);
    let mut slow = Peer::open(server.local_addr());
    wait_for(&server, "skipped", |totals| totals.messages_skipped >= 10);
    // It comes back to it, and finds a gap, once, behind what was kept.
    let mut last = read_push(&mut slow, 60_000).sequence;
    loop {
        let next = read_push(&mut slow, 60_000).sequence;
        assert!(next > last);
        if next > last + 1 {
            break;
        }
        last = next;
    }
}
