//! What the fuzz targets do with their input: plain functions, which `cargo test` runs over the
//! stored corpus too (`codec/tests/it/corpus.rs`). Each asserts what must hold for every input.

use std::mem::MaybeUninit;

use wscodec::decoder::{Decoded, FrameDecoder};
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, ServerHandshake,
};
use wscodec::header::{FrameHeader, HeaderRules, Masking, Parsed, Rsv};
use wscodec::mask::{self, FixedKey, MaskKey};
use wscodec::text;
use wscodec::utf8::Utf8Validator;
use wscodec::{
    Config, Connection, ConnectionBuilder, Delivery, Event, Limits, Message, ProtocolError,
    ReadyState, Role,
};

/// Runs one input; panics if something does not hold.
pub type Body = fn(&[u8]);

/// Every body by its target's name.
pub const ALL: &[(&str, Body)] = &[
    ("header", header),
    ("decoder", decoder),
    ("connection", connection),
    ("pair", pair),
    ("mask", mask),
    ("utf8", utf8),
    ("handshake_request", handshake_request),
    ("handshake_response", handshake_response),
    #[cfg(feature = "deflate")]
    ("inflate", inflate::inflate),
    #[cfg(feature = "brotli")]
    ("brotli", brotli::brotli),
];

#[cfg(feature = "deflate")]
#[path = "inflate.rs"]
pub mod inflate;

#[cfg(feature = "brotli")]
#[path = "brotli.rs"]
pub mod brotli;

/// Takes the first byte as choices for the rest.
fn choices(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// A header parsed from a prefix never contradicts the one parsed from more, and encodes back to
/// its bytes.
pub fn header(data: &[u8]) {
    let (choice, bytes) = choices(data);
    let rules = HeaderRules::new(
        [Masking::Required, Masking::Forbidden, Masking::Either][usize::from(choice % 3)],
        if choice & 8 == 0 { 1 << 20 } else { u64::MAX },
    )
    .with_rsv_allowed(if choice & 4 == 0 { Rsv::NONE } else { Rsv::RSV1 });
    let whole = FrameHeader::parse(bytes, &rules);
    for cut in 0..bytes.len().min(15) {
        match FrameHeader::parse(&bytes[..cut], &rules) {
            Ok(Parsed::NeedMore(more)) => assert!(more > 0),
            early => {
                assert_eq!(early, whole, "a verdict does not change with more bytes");
                break;
            }
        }
    }
    if let Ok(Parsed::Complete { header, header_len }) = whole {
        assert_eq!(header.encode().as_bytes(), &bytes[..header_len]);
        assert!(header.payload_len() <= rules.frame_size_max);
    }
}

/// Frames come out the same however the input is cut, and every byte is accounted for.
pub fn decoder(data: &[u8]) {
    let (choice, bytes) = choices(data);
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let step = 1 + usize::from(choice >> 1);
    let run = |step: usize| {
        let mut decoder = FrameDecoder::new(HeaderRules::for_receiver(role, &Limits::default()));
        let mut memory = bytes.to_vec();
        let (mut headers, mut payload, mut error) = (Vec::new(), Vec::new(), None);
        'all: for piece in memory.chunks_mut(step) {
            let mut input = piece;
            loop {
                match decoder.decode(&mut input) {
                    Ok(Decoded::NeedMore) => break,
                    Ok(Decoded::Header(header)) => headers.push(header),
                    Ok(Decoded::Payload(bytes)) => {
                        assert!(!bytes.is_empty());
                        payload.extend_from_slice(bytes);
                    }
                    Err(found) => {
                        error = Some(found);
                        break 'all;
                    }
                }
            }
            assert!(input.is_empty());
        }
        (headers, payload, error)
    };
    assert_eq!(run(usize::MAX), run(step));
}

/// What a connection made of its input.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<String>,
    error: Option<ProtocolError>,
    replies: Vec<u8>,
}

fn see(role: Role, config: Config, bytes: &[u8], step: usize) -> Seen {
    see_with(new_side(role, config), bytes, step)
}

fn new_builder(role: Role) -> ConnectionBuilder<FixedKey> {
    ConnectionBuilder::with_mask_keys(role, FixedKey(MaskKey::new([1, 2, 3, 4])))
}

fn new_side(role: Role, config: Config) -> Connection<FixedKey> {
    new_builder(role).config(config).open()
}

fn see_with(mut side: Connection<FixedKey>, bytes: &[u8], step: usize) -> Seen {
    let mut seen = Seen::default();
    let mut memory = bytes.to_vec();
    for piece in memory.chunks_mut(step) {
        let mut input = piece;
        loop {
            let before = input.len();
            match side.receive(&mut input, &mut seen.replies) {
                Ok(Some(event)) => {
                    if let Event::Text(text) | Event::TextPiece(text, _) = &event {
                        assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                    }
                    seen.events.push(format!("{event:?}"));
                    assert!(input.len() < before || step < usize::MAX);
                }
                Ok(None) => {
                    assert!(input.is_empty());
                    break;
                }
                Err(error) => {
                    assert_eq!(side.ready_state(), ReadyState::Closed);
                    let left = input.len();
                    assert_eq!(side.receive(&mut input, &mut Vec::new()), Err(error));
                    assert_eq!(input.len(), left);
                    seen.error = Some(error);
                    return seen;
                }
            }
        }
    }
    seen
}

/// Events do not depend on the reads; replies do only in which Pongs are left out.
pub fn connection(data: &[u8]) {
    let (choice, bytes) = choices(data);
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let limits = if choice & 2 == 0 {
        Limits::default()
    } else {
        Limits::default().with_frame_size_max(300).with_message_size_max(400).with_fragments_max(6)
    };
    let config = Config::default().with_limits(limits);
    let whole = see(role, config, bytes, usize::MAX);
    let split = see(role, config, bytes, 1 + usize::from(choice >> 3));
    assert_eq!(whole.events, split.events);
    assert_eq!(whole.error, split.error);
    if whole.events.len() < 32 {
        assert_eq!(whole.replies, split.replies);
    }
    let streamed = config.with_delivery(Delivery::Streamed);
    let pieces = see(role, streamed, bytes, 1 + usize::from(choice >> 3));
    assert_eq!(whole.error, pieces.error, "delivery does not change the verdict");
}

/// What one side sends, the other receives, whatever it was and however it travels.
pub fn pair(data: &[u8]) {
    let (choice, mut rest) = choices(data);
    let (sender_role, receiver_role) =
        if choice & 1 == 0 { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
    let mut sender = Connection::new(sender_role, Config::default());
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    while let [kind, len, tail @ ..] = rest {
        let len = usize::from(*len) * if kind & 0x80 == 0 { 1 } else { 300 };
        let (payload, after) = tail.split_at(len.min(tail.len()));
        rest = after;
        let lossy = String::from_utf8_lossy(payload);
        let message = match kind & 3 {
            0 => Message::Text(&lossy),
            1 => Message::Binary(payload),
            2 => Message::Ping(payload),
            _ => Message::Pong(payload),
        };
        let fragment = std::num::NonZeroUsize::MIN.saturating_add(usize::from(kind >> 2 & 15) * 7);
        let before = wire.len();
        let sent = sender.send_fragmented(message, fragment, &mut wire);
        if sent.is_err() {
            assert!(payload.len() > 125, "only control frames can be too long");
            assert_eq!(wire.len(), before);
            continue;
        }
        expected.push(match message {
            Message::Text(text) => format!("{:?}", Event::Text(text)),
            Message::Binary(bytes) => format!("{:?}", Event::Binary(bytes)),
            Message::Ping(bytes) => format!("{:?}", Event::Ping(bytes)),
            Message::Pong(bytes) => format!("{:?}", Event::Pong(bytes)),
        });
    }
    let seen = see(receiver_role, Config::default(), &wire, 1 + usize::from(choice >> 1) * 5);
    assert_eq!(seen.error, None);
    assert_eq!(seen.events, expected);
}

/// Masking in place, in pieces and while copying all agree with a byte loop.
pub fn mask(data: &[u8]) {
    let Some(([a, b, c, d, phase, cut], payload)) = data.split_first_chunk::<6>() else { return };
    let key = MaskKey::new([*a, *b, *c, *d]);
    let phase = usize::from(*phase);
    let mut expected = payload.to_vec();
    for (at, byte) in expected.iter_mut().enumerate() {
        *byte ^= key.to_bytes()[(at + phase) % 4];
    }
    let mut whole = payload.to_vec();
    mask::apply(key, &mut whole, phase);
    assert_eq!(whole, expected);
    let mut pieces = payload.to_vec();
    let cut = usize::from(*cut).min(pieces.len());
    let (first, second) = pieces.split_at_mut(cut);
    mask::apply(key, first, phase);
    mask::apply(key, second, phase + cut);
    assert_eq!(pieces, expected);
    let mut copy = vec![MaybeUninit::uninit(); payload.len()];
    assert_eq!(mask::apply_to(key, payload, &mut copy, phase), expected);
}

/// The validator, the walk that unmasks, and the standard library say the same of every text and
/// every split.
pub fn utf8(data: &[u8]) {
    let (step, bytes) = choices(data);
    let verdict = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to() as u64);
    let finish = |mut validator: Utf8Validator| validator.finish().map_err(|e| e.valid_up_to);
    let step = 1 + usize::from(step);

    let mut validator = Utf8Validator::new();
    let pushed = bytes.chunks(step).try_for_each(|piece| validator.push(piece));
    let ours = pushed.map_err(|error| error.valid_up_to).and_then(|()| finish(validator));
    assert_eq!(ours, verdict.map(|_| ()));

    let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
    let mut masked = bytes.to_vec();
    mask::apply(key, &mut masked, 0);
    let mut validator = Utf8Validator::new();
    let mut phase = 0;
    let walked = masked.chunks_mut(step).try_for_each(|piece| {
        let walked = text::unmask(key, piece, phase, &mut validator);
        phase += piece.len();
        walked
    });
    let ours = walked.map_err(|error| error.valid_up_to).and_then(|()| finish(validator));
    assert_eq!(ours, verdict.map(|_| ()));
    if ours.is_ok() {
        assert_eq!(masked, bytes);
    }
}

/// What a handshake said, and how many bytes it took.
type Verdict<E> = (Result<String, E>, usize);

/// Both the same; of two refusals the reason may differ, since more bytes may show more than one
/// thing wrong.
fn assert_same_verdict<E: std::fmt::Debug + PartialEq>(
    whole: Option<&Verdict<E>>,
    split: Option<&Verdict<E>>,
) {
    if let (Some((Err(_), _)), Some((Err(_), _))) = (whole, split) {
        return;
    }
    assert_eq!(whole, split);
}

/// A server never panics, says the same at every split, and never takes what follows the head.
pub fn handshake_request(data: &[u8]) {
    let (choice, bytes) = choices(data);
    let run = |step: usize| {
        let mut server = ServerHandshake::new(HandshakeLimits::default());
        let mut memory = bytes.to_vec();
        let mut taken = 0;
        for piece in memory.chunks_mut(step) {
            let len = piece.len();
            let mut input = piece;
            let verdict = match server.receive(&mut input) {
                Ok(None) => {
                    assert!(input.is_empty());
                    taken += len;
                    continue;
                }
                Ok(Some(request)) => Ok(format!("{request:?}")),
                Err(error) => Err(error),
            };
            taken += len - input.len();
            let mut out = Vec::new();
            if verdict.is_ok() {
                server.accept(&Acceptance::new(), &mut out).unwrap();
                assert!(out.starts_with(b"HTTP/1.1 101 "));
            }
            return Some((verdict, taken));
        }
        None
    };
    let whole = run(usize::MAX);
    let split = run(1 + usize::from(choice));
    assert_same_verdict(whole.as_ref(), split.as_ref());
}

/// As [`handshake_request`], for what a client is answered.
pub fn handshake_response(data: &[u8]) {
    let (choice, bytes) = choices(data);
    let request = ClientRequest::new("localhost", "/").unwrap().subprotocol("a").unwrap();
    let run = |step: usize| {
        let key = HandshakeKey::from([7; 16]);
        let mut client = ClientHandshake::start_with_key(&request, key, &mut Vec::new()).unwrap();
        let mut memory = bytes.to_vec();
        let mut taken = 0;
        for piece in memory.chunks_mut(step) {
            let len = piece.len();
            let mut input = piece;
            let verdict = match client.receive(&mut input) {
                Ok(None) => {
                    assert!(input.is_empty());
                    taken += len;
                    continue;
                }
                Ok(Some(response)) => Ok(format!("{response:?}")),
                Err(error) => Err(error),
            };
            taken += len - input.len();
            return Some((verdict, taken));
        }
        None
    };
    let whole = run(usize::MAX);
    let split = run(1 + usize::from(choice));
    assert_same_verdict(whole.as_ref(), split.as_ref());
}
