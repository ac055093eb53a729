//! Byte streams, good and bad, through this codec and through three peers: every disagreement is on
//! a list with the RFC's word on it (`codec/fuzz/src/differential/allowed.rs`).
//! `WSCODEC_DIFFERENTIAL_STREAMS` says how many streams, 100,000 if it is not set;
//! `WSCODEC_DIFFERENTIAL_SEED` where they begin.

#[allow(unreachable_pub, reason = "the fuzz target uses it too")]
#[path = "../../fuzz/src/differential/mod.rs"]
mod streams;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::corpus::stored;
use crate::support::Frame;
use streams::{ALLOWED, End, SIZE_MAX, compare, differential};
use wscodec::Role;

/// The generator `SplitMix64`: every stream has a number that makes it again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

const PIECES: [&str; 12] = [
    "a",
    "Hello",
    "é",
    "世界",
    "🎉",
    "\u{10ffff}",
    "\0",
    "\u{feff}",
    " ",
    "\u{7ff}",
    "\u{800}",
    "x",
];
const BROKEN: [&[u8]; 10] = [
    b"\xff",
    b"\x80",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe4\xb8",
    b"\xf0\x9f",
    b"\xc3",
    b"\xe2\x28\xa1",
    b"\xf8",
];
const CODES: [u16; 24] = [
    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015,
    1016, 2999, 3000, 3999, 4000, 4999, 5000, 0,
];

fn text(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(20) {
        text.extend(random.of(&PIECES).as_bytes());
    }
    if random.one_in(6) {
        let at = random.below(text.len() as u64 + 1) as usize;
        let broken = random.of(&BROKEN);
        text.splice(at..at, broken.iter().copied());
    }
    text
}

fn data(random: &mut Random, is_text: bool) -> Vec<u8> {
    match random.below(12) {
        0 => Vec::new(),
        1 => {
            let len = match random.below(8) {
                0 => random.of(&[SIZE_MAX - 1, SIZE_MAX, SIZE_MAX + 1]),
                _ => random.of(&[124_usize, 125, 126, 127, 300]),
            };
            let mut payload = vec![b'x'; len];
            if random.one_in(3) {
                payload.extend(random.of(&BROKEN));
            }
            payload
        }
        _ if is_text => text(random),
        _ => {
            let len = random.below(200) as usize;
            random.bytes(len)
        }
    }
}

/// A frame as it should be sent to `receiver`, or with one thing wrong.
fn push_frame(random: &mut Random, wire: &mut Vec<u8>, receiver: Role, b0: u8, payload: &[u8]) {
    let key = random.of(&[[0; 4], [0x37, 0xfa, 0x21, 0x3d], [1, 0, 0, 2], [0xff; 4]]);
    let mut mask = (receiver == Role::Server).then_some(key);
    let mut b0 = b0;
    let fault = random.below(100);
    match fault {
        0 => mask = if mask.is_some() { None } else { Some(key) },
        1 => b0 ^= random.of(&[0x10, 0x20, 0x40, 0x70]),
        2 => b0 = b0 & 0xf0 | random.below(16) as u8,
        3 => b0 ^= 0x80,
        _ => {}
    }
    let mut frame = Frame { b0, payload, mask }.encode();
    match fault {
        4 if payload.len() <= 125 => {
            // The same length in a longer form.
            let extended = if random.one_in(2) {
                [&[frame[1] & 0x80 | 126][..], &(payload.len() as u16).to_be_bytes()].concat()
            } else {
                [&[frame[1] & 0x80 | 127][..], &(payload.len() as u64).to_be_bytes()].concat()
            };
            frame.splice(1..2, extended);
        }
        5 => {
            // A length that nothing backs.
            let len =
                random.of(&[1 << 63, u64::MAX, i64::MAX as u64, 1 << 32, SIZE_MAX as u64 + 1]);
            frame.truncate(2);
            frame[1] |= 127;
            frame.extend(len.to_be_bytes());
        }
        6 => {
            let at = random.below(frame.len() as u64) as usize;
            frame[at] ^= 1 << random.below(8);
        }
        _ => {}
    }
    wire.extend(frame);
}

fn control(random: &mut Random, wire: &mut Vec<u8>, receiver: Role) {
    let len = random.of(&[0_usize, 1, 4, 124, 125, 125, 126]);
    let len = if len == 126 && !random.one_in(5) { 3 } else { len };
    let payload = random.bytes(len);
    let b0 = random.of(&[0x89, 0x8a]);
    push_frame(random, wire, receiver, b0, &payload);
}

fn close(random: &mut Random, wire: &mut Vec<u8>, receiver: Role) {
    let payload = match random.below(8) {
        0 => Vec::new(),
        1 => vec![3],
        2 => random.bytes(2),
        _ => {
            let mut payload = random.of(&CODES).to_be_bytes().to_vec();
            payload.extend(text(random));
            payload.truncate(125);
            payload
        }
    };
    push_frame(random, wire, receiver, 0x88, &payload);
}

/// Messages, whole and in fragments, with control frames between, mostly right; perhaps a Close;
/// perhaps cut off.
fn stream(random: &mut Random, receiver: Role) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..random.below(6) {
        let is_text = random.one_in(2);
        let payload = data(random, is_text);
        let opcode = if is_text { 1 } else { 2 };
        if random.one_in(3) {
            let mut rest = &payload[..];
            let mut b0 = opcode;
            loop {
                let len = random.of(&[0, 1, 3, rest.len() / 2, rest.len()]).min(rest.len());
                let (piece, after) = rest.split_at(len);
                let is_last = after.is_empty() && !random.one_in(3);
                push_frame(random, &mut wire, receiver, b0 | if is_last { 0x80 } else { 0 }, piece);
                if is_last {
                    break;
                }
                if random.one_in(4) {
                    control(random, &mut wire, receiver);
                }
                (rest, b0) = (after, 0);
            }
        } else {
            push_frame(random, &mut wire, receiver, 0x80 | opcode, &payload);
        }
        if random.one_in(4) {
            control(random, &mut wire, receiver);
        }
    }
    if random.one_in(2) {
        close(random, &mut wire, receiver);
        if random.one_in(4) {
            push_frame(random, &mut wire, receiver, 0x81, b"after");
        }
    }
    if random.one_in(6) {
        wire.truncate(random.below(wire.len() as u64 + 1) as usize);
    }
    wire
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

/// What came of some streams.
struct Tally {
    open: u64,
    closed: u64,
    failed: u64,
    /// How often each row of the list was needed.
    used: [u64; ALLOWED.len()],
    /// What is not on the list: how often, and the first stream's number and all about it.
    unexplained: BTreeMap<String, (u64, u64, String)>,
}

/// Compares the streams of these numbers.
fn tally(numbers: Range<u64>) -> Tally {
    let (open, closed, failed) = (0, 0, 0);
    let (used, unexplained) = ([0; ALLOWED.len()], BTreeMap::new());
    let mut tally = Tally { open, closed, failed, used, unexplained };
    for number in numbers {
        let mut random = Random(number);
        let role = random.of(&crate::support::ROLES);
        let wire = stream(&mut random, role);
        let read_len = random.of(&[usize::MAX, usize::MAX, 1, 2, 7, 64]);
        match compare(role, &wire, read_len, &mut tally.used) {
            Ok(End::Open) => tally.open += 1,
            Ok(End::Closed) => tally.closed += 1,
            Ok(End::Failed(_)) => tally.failed += 1,
            Err([what, all]) => {
                tally.unexplained.entry(what).or_insert((0, number, all)).0 += 1;
            }
        }
    }
    tally
}

#[test]
fn g5_every_disagreement_with_three_peers_is_explained() {
    let streams = number_from("WSCODEC_DIFFERENTIAL_STREAMS", 100_000);
    let seed = number_from("WSCODEC_DIFFERENTIAL_SEED", 0);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let starts: Vec<u64> = (0..=threads).map(|part| seed + streams * part / threads).collect();
    let (mut open, mut closed, mut failed) = (0, 0, 0);
    let mut used = [0; ALLOWED.len()];
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            starts.windows(2).map(|part| scope.spawn(|| tally(part[0]..part[1]))).collect();
        for part in parts {
            let tally = part.join().unwrap();
            for (what, (count, number, all)) in &tally.unexplained {
                let all = all.chars().take(4000).collect::<String>();
                println!("{count} times, first with seed {number}: {what}\n{all}");
            }
            let what = tally.unexplained.keys();
            assert!(tally.unexplained.is_empty(), "{what:?} are not on the list");
            open += tally.open;
            closed += tally.closed;
            failed += tally.failed;
            used.iter_mut().zip(tally.used).for_each(|(all, part)| *all += part);
        }
    });
    println!("{streams} streams: {open} open, {closed} closed, {failed} failed");
    for (row, used) in ALLOWED.iter().zip(used) {
        println!("{used:8} {:17} {:?} {:?}", row.peer, row.theirs, row.ours);
    }
    // The streams of a default run reach every row; other runs must be large for that.
    if streams >= if seed == 0 { 100_000 } else { 1_000_000 } {
        for (row, used) in ALLOWED.iter().zip(used) {
            let name = (row.peer, row.ours, row.theirs);
            assert!(used > 0, "nothing needs the row {name:?}: {}", row.why);
        }
        for (what, count) in [("open", open), ("closed", closed), ("failed", failed)] {
            assert!(count > streams / 10, "only {count} {what}");
        }
    }
}

#[test]
fn the_stored_corpus_has_no_other_disagreement() {
    for target in ["differential", "connection", "decoder"] {
        stored(target).for_each(|input| differential(&input));
    }
}
