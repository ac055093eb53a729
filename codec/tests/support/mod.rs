//! What the tests share: frames as bytes, owned events, and a way to feed a connection in pieces.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

use wscodec::header::{Fin, Opcode};
use wscodec::mask::{self, FixedKey, MaskKey};
use wscodec::{
    CloseCode, Config, Connection, ConnectionBuilder, Event, Limits, ProtocolError, Role,
};

/// The key of all masked test frames.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A connection under test: keys are fixed, so that its output can be compared.
pub type TestConnection = Connection<FixedKey>;

/// An [`Event`] that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    Text(String),
    Binary(Vec<u8>),
    TextPiece(String, Fin),
    BinaryPiece(Vec<u8>, Fin),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Owned {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::TextPiece(text, fin) => Self::TextPiece(text.to_owned(), fin),
            Event::BinaryPiece(bytes, fin) => Self::BinaryPiece(bytes.to_vec(), fin),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(close) => {
                Self::Close(close.map(|close| (close.code.as_u16(), close.reason.to_owned())))
            }
            other => panic!("an event that these tests do not know: {other:?}"),
        }
    }
}

pub fn text(text: &str) -> Owned {
    Owned::Text(text.to_owned())
}

pub fn binary(bytes: &[u8]) -> Owned {
    Owned::Binary(bytes.to_vec())
}

pub fn ping(bytes: &[u8]) -> Owned {
    Owned::Ping(bytes.to_vec())
}

pub fn close(code: u16, reason: &str) -> Owned {
    Owned::Close(Some((code, reason.to_owned())))
}

/// All that a connection made of some input.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    pub events: Vec<Owned>,
    pub error: Option<ProtocolError>,
    /// What it appended to `out`.
    pub replies: Vec<u8>,
}

impl Outcome {
    #[track_caller]
    pub fn assert_ok(&self, events: &[Owned]) {
        assert_eq!(self.error, None);
        assert_eq!(self.events, events);
    }

    /// The connection failed with `error` after `events`, and said so with the right Close, once.
    #[track_caller]
    pub fn assert_fails(&self, events: &[Owned], error: ProtocolError, code: u16) {
        assert_eq!(self.error, Some(error));
        assert_eq!(self.events, events);
        assert_eq!(error.close_code().as_u16(), code);
        let closes = closes_in(&self.replies);
        assert_eq!(closes, [code], "one Close with the error's code");
    }
}

/// The codes of the Close frames among `replies`, which hold only control frames.
#[track_caller]
pub fn closes_in(replies: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    let mut rest = replies;
    while let [b0, b1, tail @ ..] = rest {
        let masked = b1 & 0x80 != 0;
        let len = usize::from(b1 & 0x7f);
        assert!(len <= 125 && *b0 >= 0x88, "only control frames: {replies:02x?}");
        let (key, tail) = if masked { tail.split_at(4) } else { (&[0u8; 4][..], tail) };
        let (payload, tail) = tail.split_at(len);
        if *b0 == 0x88 {
            let mut payload = payload.to_vec();
            mask::apply(MaskKey::new(key.try_into().unwrap()), &mut payload, 0);
            codes.push(match payload[..] {
                [] => 1005,
                [hi, lo, ..] => u16::from_be_bytes([hi, lo]),
                [_] => panic!("a Close of one byte"),
            });
        }
        rest = tail;
    }
    codes
}

pub fn connection(role: Role) -> TestConnection {
    with_limits(role, Limits::default())
}

pub fn with_limits(role: Role, limits: Limits) -> TestConnection {
    with_config(role, Config::default().with_limits(limits))
}

pub fn with_config(role: Role, config: Config) -> TestConnection {
    builder(role).config(config).open()
}

pub fn builder(role: Role) -> ConnectionBuilder<FixedKey> {
    ConnectionBuilder::with_mask_keys(role, FixedKey(MaskKey::new(KEY)))
}

/// Feeds `input` whole.
pub fn feed(connection: &mut TestConnection, input: &[u8]) -> Outcome {
    feed_pieces(connection, &[input])
}

/// Feeds pieces, each from memory of its own that is overwritten afterwards.
pub fn feed_pieces(connection: &mut TestConnection, pieces: &[&[u8]]) -> Outcome {
    let mut outcome = Outcome { events: Vec::new(), error: None, replies: Vec::new() };
    for piece in pieces {
        let mut memory = piece.to_vec();
        let mut input = &mut memory[..];
        loop {
            let len_before = input.len();
            match connection.receive(&mut input, &mut outcome.replies) {
                Ok(Some(event)) => outcome.events.push(event.into()),
                Ok(None) => {
                    assert!(input.is_empty(), "None means that all input is taken");
                    break;
                }
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
            // R27: every call takes a byte, or returns an event, or says None.
            assert!(input.len() <= len_before);
        }
        memory.fill(0xEE);
    }
    outcome
}

/// Feeds `input` byte by byte.
pub fn feed_bytewise(connection: &mut TestConnection, input: &[u8]) -> Outcome {
    let pieces: Vec<&[u8]> = input.chunks(1).collect();
    feed_pieces(connection, &pieces)
}

/// What a fresh connection of `role` makes of `input`, asserted to be the same whole and byte by
/// byte.
#[track_caller]
pub fn outcome_of(role: Role, input: &[u8]) -> Outcome {
    outcome_with(role, Limits::default(), input)
}

#[track_caller]
pub fn outcome_with(role: Role, limits: Limits, input: &[u8]) -> Outcome {
    let whole = feed(&mut with_limits(role, limits), input);
    let bytewise = feed_bytewise(&mut with_limits(role, limits), input);
    assert_eq!(whole.events, bytewise.events, "events, whole and byte by byte");
    assert_eq!(whole.error, bytewise.error, "error, whole and byte by byte");
    whole
}

/// The sender's side of a test frame: anything can be built, also what is not allowed.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'p> {
    pub b0: u8,
    pub payload: &'p [u8],
    pub mask: Option<[u8; 4]>,
}

impl Frame<'_> {
    pub fn encode(&self) -> Vec<u8> {
        let len = self.payload.len();
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![self.b0];
        match len {
            0..=125 => bytes.push(masked | len as u8),
            126..=0xffff => {
                bytes.push(masked | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            bytes.extend(key);
            bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend(self.payload);
        }
        bytes
    }
}

/// A frame as `receiver` expects its peer to send it: masked to a server, not masked to a client.
pub fn frame(receiver: Role, b0: u8, payload: &[u8]) -> Vec<u8> {
    let mask = (receiver == Role::Server).then_some(KEY);
    Frame { b0, payload, mask }.encode()
}

/// As [`frame`], for an opcode and FIN.
pub fn frame_of(receiver: Role, opcode: Opcode, fin: Fin, payload: &[u8]) -> Vec<u8> {
    let fin = if fin == Fin::Final { 0x80 } else { 0 };
    frame(receiver, fin | opcode as u8, payload)
}

/// A header alone, with this length in this form (7, 16 or 64 bits), as `receiver` expects it
/// masked.
pub fn header(receiver: Role, b0: u8, form: u8, len: u64) -> Vec<u8> {
    let masked = if receiver == Role::Server { 0x80 } else { 0 };
    let mut bytes = vec![b0];
    match form {
        7 => bytes.push(masked | len as u8),
        16 => {
            bytes.push(masked | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if receiver == Role::Server {
        bytes.extend([0; 4]);
    }
    bytes
}

pub fn close_code(code: u16) -> CloseCode {
    CloseCode::try_from(code).unwrap()
}

/// The bytes of `hex`; `M` stands for a masking key of four zeros, white space for nothing.
pub fn hex(hex: &str) -> Vec<u8> {
    let digits: String = hex.replace('M', "00000000").split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

pub const ROLES: [Role; 2] = [Role::Server, Role::Client];
