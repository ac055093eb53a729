//! What connections with different parameters share: streams of a thread, and prepared messages.

use crate::deflate_support::{bits, frames_in, full, noise, puff, side};
use crate::support::TestConnection;
use wscodec::deflate::{Deflate, DeflateLevel};
use wscodec::{Config, Message, PreparedMessage, Role};

fn of_level(level: u8) -> TestConnection {
    let deflate = full().with_level(DeflateLevel::new(level).unwrap());
    side(Role::Server, deflate, Config::default())
}

fn with_window(window_bits: u8) -> TestConnection {
    let deflate: Deflate = full().with_server_max_window_bits(bits(window_bits));
    side(Role::Server, deflate, Config::default())
}

/// The payload of the only frame that is sent for `message`, and whether it is compressed.
fn sent(sender: &mut TestConnection, message: &[u8]) -> (bool, Vec<u8>) {
    let mut wire = Vec::new();
    sender.send(Message::Binary(message), &mut wire).unwrap();
    let (b0, payload) = frames_in(&wire).remove(0);
    (b0 & 0x40 != 0, payload)
}

/// A thread keeps streams for whoever comes next; what one was made for shows in its output.
#[test]
fn a_stream_is_shared_by_connections_of_one_level_only() {
    // Lazy matching finds more here than the first match does.
    let message: Vec<u8> =
        (0..400_u32).flat_map(|n| format!("abc{}bcdef{n};", n % 7).into_bytes()).collect();
    let alone = |level| {
        let message = message.clone();
        std::thread::spawn(move || sent(&mut of_level(level), &message)).join().unwrap()
    };
    let (fast, best) = (alone(1), alone(9));
    assert!(fast.0 && best.0 && fast.1.len() > best.1.len(), "the level can be seen");
    // More than a thread keeps: from then on they are used again.
    for _ in 0..20 {
        for level in [1, 9] {
            let expected = if level == 1 { &fast } else { &best };
            assert_eq!(&sent(&mut of_level(level), &message), expected, "{level}");
        }
    }
}

/// A message that was compressed for a window of 32 KiB may refer further back than a peer that has
/// agreed on less remembers.
#[test]
fn a_prepared_message_is_compressed_again_for_a_smaller_window() {
    let message = noise(3_000).repeat(3);
    let prepared = PreparedMessage::new(Message::Binary(&message)).unwrap();
    for (window_bits, reaches) in [(15, 6_000), (12, 4_096), (11, 2_048), (9, 512)] {
        let mut wire = Vec::new();
        with_window(window_bits).send_prepared(&prepared, &mut wire).unwrap();
        let (b0, payload) = frames_in(&wire).remove(0);
        if b0 & 0x40 == 0 {
            assert!(reaches < 3_000, "only a small window finds nothing to refer to");
            continue;
        }
        let inflated = puff::inflate(&payload, &[], 1 << window_bits).unwrap();
        assert_eq!(inflated.bytes, message);
        assert!(inflated.distance_max <= reaches, "{window_bits}: {}", inflated.distance_max);
    }
}
