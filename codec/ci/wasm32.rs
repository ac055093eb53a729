//! A WebAssembly module that masks and validates by simd128, takes lengths that no `usize` of 32 bits
//! holds, and says whether all of it was right.

use wscodec::header::Fin;
use wscodec::mask::{self, FixedKey, Kernel, MaskKey};
use wscodec::text;
use wscodec::utf8::Utf8Validator;
use wscodec::{Config, Connection, Delivery, Event, Limits, Role};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The number of the first check that fails, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn first_failure() -> u32 {
    if Kernel::best().name() != "simd128" {
        return 1;
    }
    if !masks_rightly() {
        return 2;
    }
    let text = "Gar\u{e7}on \u{65e5}\u{672c} \u{1f600} plain ".repeat(500);
    let mut payload = text.clone().into_bytes();
    mask::apply(MaskKey::new(KEY), &mut payload, 0);
    let mut validator = Utf8Validator::new();
    let taken = text::unmask(MaskKey::new(KEY), &mut payload, 0, &mut validator);
    if taken.is_err() || validator.finish().is_err() || payload != text.as_bytes() {
        return 3;
    }
    payload[5000] = 0xff;
    if validator.push(&payload).is_ok() {
        return 4;
    }
    if !judges_whole_lengths() {
        return 5;
    }
    0
}

/// Rows A05 and R40 where they can go wrong: a length above 32 bits is 1009, whatever its lower
/// half says, in one frame and as a sum of two. The top bit is 1002.
fn judges_whole_lengths() -> bool {
    let unlimited =
        Limits::default().with_frame_size_max(u64::MAX).with_message_size_max(usize::MAX).with_fragments_max(u32::MAX);
    let frames_unlimited = Limits::default().with_frame_size_max(u64::MAX);
    let lengths = [1_u64 << 32, (1 << 32) + 5, (1 << 32) + 125, (5 << 32) + 5, i64::MAX as u64];
    let lengths = lengths.map(|len| (len, 1009)).into_iter().chain([(u64::MAX, 1002)]);
    for (len, code) in lengths {
        for limits in [Limits::default(), frames_unlimited, unlimited] {
            for role in [Role::Server, Role::Client] {
                for delivery in [Delivery::Whole, Delivery::Streamed] {
                    let config = Config::default().with_limits(limits).with_delivery(delivery);
                    let alone = [header(role, 0x82, len), b"Hello".to_vec()].concat();
                    let first = [header(role, 0x02, 5), b"Hello".to_vec()].concat();
                    let rest = header(role, 0x80, len - 5);
                    let sum = [first, rest].concat();
                    if close_code_of(role, config, alone) != Some(code)
                        || len > (1 << 32) + 5 && close_code_of(role, config, sum) != Some(code)
                    {
                        return false;
                    }
                }
            }
        }
    }
    true
}

/// The header of a frame for `role`, with a key of zeros.
fn header(role: Role, b0: u8, len: u64) -> Vec<u8> {
    let masked = if role == Role::Server { 0x80 } else { 0 };
    let mut bytes = match u8::try_from(len) {
        Ok(len @ 0..=125) => vec![b0, masked | len],
        _ => [&[b0, masked | 127][..], &len.to_be_bytes()].concat(),
    };
    bytes.extend(&[0; 4][..usize::from(masked / 32)]);
    bytes
}

/// The close code of the error that `wire` ends with, if it does and nothing whole came before.
fn close_code_of(role: Role, config: Config, mut wire: Vec<u8>) -> Option<u16> {
    let mut side = Connection::with_mask_keys(role, config, FixedKey(MaskKey::ZERO));
    let (mut input, mut out) = (&mut wire[..], Vec::new());
    loop {
        match side.receive(&mut input, &mut out) {
            Ok(Some(Event::BinaryPiece(b"Hello", Fin::More))) => {}
            Ok(_) => return None,
            Err(error) => return Some(error.close_code().as_u16()),
        }
    }
}

fn masks_rightly() -> bool {
    let source: Vec<u8> = (0..700).map(|i| (i * 7 + i / 251) as u8).collect();
    let key = MaskKey::new(KEY);
    for len in 0..600 {
        for (offset, phase) in (0..17).flat_map(|offset| (0..4).map(move |phase| (offset, phase))) {
            let mut expected = source.clone();
            for (i, byte) in expected[offset..offset + len].iter_mut().enumerate() {
                *byte ^= KEY[(i + phase) % 4];
            }
            let mut chosen = source.clone();
            mask::apply(key, &mut chosen[offset..offset + len], phase);
            let by_name = Kernel::available().all(|kernel| {
                let mut named = source.clone();
                kernel.apply(key, &mut named[offset..offset + len], phase);
                named == expected
            });
            if chosen != expected || !by_name {
                return false;
            }
        }
    }
    true
}
