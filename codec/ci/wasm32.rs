//! A WebAssembly module that masks and validates by simd128, and says whether all of it was right.

use wscodec::mask::{self, Kernel, MaskKey};
use wscodec::text;
use wscodec::utf8::Utf8Validator;

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
    if validator.push(&payload).is_ok() { 4 } else { 0 }
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
