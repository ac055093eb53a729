//! The same bytes through this codec and through peers that others wrote; every disagreement must
//! be on a list that says which side the RFC takes.
//!
//! Compared are the events in order, and how it ended: still open, closed by a Close, or failed.
//! The list is keyed by what each side did, so that a new disagreement has no row and fails.

pub mod peers;

use wscodec::mask::{FixedKey, MaskKey};
use wscodec::{Config, Connection, Event, Limits, Role};

/// The longest frame, and the longest message, that any side takes here, in bytes.
pub const SIZE_MAX: usize = 4096;

/// What a receiver reports, in its own words put into these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    /// Handed out as text, and not UTF-8.
    NotText(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    pub fn text(payload: &[u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::NotText(payload.to_vec()),
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All bytes taken, nothing wrong so far.
    Open,
    /// A Close was received.
    Closed,
    /// Failed, for this reason: ours by its name, a peer's by its kind.
    Failed(&'static str),
}

/// What one side made of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub seen: Vec<Seen>,
    pub end: End,
}

/// What a peer did where this codec did something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theirs {
    /// Took the offence and went on: its events begin with all of ours.
    GoesOn,
    /// Waits, with the same events, for the rest of the frame that the bytes end in.
    Waits,
    /// Failed with the same events, for a reason of another kind.
    Fails(&'static str),
    /// Failed where we found nothing wrong, after the same events or fewer.
    Refuses(&'static str),
}

/// A disagreement that is explained.
pub struct Allowed {
    pub peer: &'static str,
    /// How we ended: `open`, `closed` or an error's name; any if there is none.
    pub ours: &'static [&'static str],
    pub theirs: Theirs,
    pub why: &'static str,
}

mod allowed;
pub use allowed::ALLOWED;

/// A peer, driven from memory: the role in which it receives, the bytes, and how many of them a
/// read gives.
pub type Peer = fn(Role, &[u8], usize) -> Outcome;

/// Every peer by its name.
pub const PEERS: [(&str, Peer); 3] = [
    ("tungstenite", peers::tungstenite),
    ("fastwebsockets", peers::fastwebsockets),
    ("tokio-websockets", peers::tokio_websockets),
];

/// What this codec makes of the bytes.
fn ours(role: Role, bytes: &[u8], read_len: usize) -> Outcome {
    let limits =
        Limits::default().with_frame_size_max(SIZE_MAX as u64).with_message_size_max(SIZE_MAX);
    let config = Config::default().with_limits(limits);
    let mut side = Connection::with_mask_keys(role, config, FixedKey(MaskKey::ZERO));
    let (mut seen, mut memory, mut out) = (Vec::new(), bytes.to_vec(), Vec::new());
    for read in memory.chunks_mut(read_len) {
        let mut input = read;
        loop {
            let event = match side.receive(&mut input, &mut out) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return Outcome { seen, end: End::Failed(error.name()) },
            };
            seen.push(match event {
                Event::Text(text) => Seen::Text(text.to_owned()),
                Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
                Event::Ping(bytes) => Seen::Ping(bytes.to_vec()),
                Event::Pong(bytes) => Seen::Pong(bytes.to_vec()),
                Event::Close(close) => {
                    let close = close.map(|close| (close.code.as_u16(), close.reason.to_owned()));
                    seen.push(Seen::Close(close));
                    return Outcome { seen, end: End::Closed };
                }
                other => unreachable!("whole messages are asked for: {other:?}"),
            });
        }
    }
    Outcome { seen, end: End::Open }
}

/// What the peer did where we did something else; `None` if both did the same, and an error if it
/// is nothing that the list could hold.
fn difference(ours: &Outcome, theirs: &Outcome, bytes: &[u8]) -> Result<Option<Theirs>, String> {
    match (ours.end, theirs.end) {
        _ if ours == theirs => Ok(None),
        (End::Failed(error), End::Failed(kind)) if ours.seen == theirs.seen => {
            Ok(if kind_of(error) == kind { None } else { Some(Theirs::Fails(kind)) })
        }
        (End::Failed(_), End::Open) if ours.seen == theirs.seen && ends_within_frame(bytes) => {
            Ok(Some(Theirs::Waits))
        }
        (End::Failed(_), _) if theirs.seen.starts_with(&ours.seen) => Ok(Some(Theirs::GoesOn)),
        (End::Open | End::Closed, End::Failed(kind)) if ours.seen.starts_with(&theirs.seen) => {
            Ok(Some(Theirs::Refuses(kind)))
        }
        _ => Err(format!("ours   {ours:?}\ntheirs {theirs:?}")),
    }
}

/// The kind of error that a peer's words stand for.
fn kind_of(error: &str) -> &'static str {
    match error {
        "utf8" => "utf8",
        "frame_too_big" | "message_too_big" => "too_big",
        _ => "protocol",
    }
}

/// Whether the bytes end within a frame, by lengths alone: only then may a peer still wait for what
/// we have judged.
fn ends_within_frame(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some(b1) = bytes.get(1) else { return true };
        let (extended, key_len) = (
            match b1 & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            },
            if b1 & 0x80 == 0 { 0 } else { 4 },
        );
        let Some(length) = bytes.get(2..2 + extended) else { return true };
        let payload_len = match extended {
            0 => u64::from(b1 & 0x7f),
            _ => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let frame_len = payload_len.saturating_add(2 + extended as u64 + key_len);
        let Some(rest) = usize::try_from(frame_len).ok().and_then(|len| bytes.get(len..)) else {
            return true;
        };
        bytes = rest;
    }
    false
}

/// Gives the bytes to every side, returns how we ended, and counts in `used` which rows of the list
/// were needed.
///
/// # Errors
/// A disagreement that the list does not hold: what it is, then all about it.
pub fn compare(
    role: Role,
    bytes: &[u8],
    read_len: usize,
    used: &mut [u64],
) -> Result<End, [String; 2]> {
    let ours = ours(role, bytes, read_len);
    let end = match ours.end {
        End::Open => "open",
        End::Closed => "closed",
        End::Failed(error) => error,
    };
    for (name, peer) in PEERS {
        let theirs = peer(role, bytes, read_len);
        let difference = match difference(&ours, &theirs, bytes) {
            Ok(None) => continue,
            Ok(Some(difference)) => difference,
            Err(both) => return Err([format!("{name}, {end}: other events"), both]),
        };
        let row = ALLOWED.iter().position(|row| {
            let is_ours = row.ours.is_empty() || row.ours.contains(&end);
            row.peer == name && row.theirs == difference && is_ours
        });
        let Some(row) = row else {
            let all = format!("{bytes:02x?} to a {role:?}\n{ours:?}\n{theirs:?}");
            return Err([format!("{name}, {end}: {difference:?}"), all]);
        };
        used[row] += 1;
    }
    Ok(ours.end)
}

/// One input of the fuzzer: the first byte chooses role and reads, the others are what the peer
/// sends.
pub fn differential(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let read_len = if choice & 2 == 0 { usize::MAX } else { 1 + usize::from(choice >> 2) };
    if let Err([what, all]) = compare(role, bytes, read_len, &mut [0; ALLOWED.len()]) {
        panic!("not on the list: {what}\n{all}");
    }
}
