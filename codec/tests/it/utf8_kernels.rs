//! Text by every kernel that this CPU can run, whole and in pieces, masked and not, against the
//! standard library.
//!
//! The strings of the kernels' own test (`codec/src/utf8/exhaustive.rs`) show that a block is
//! judged rightly; these show that a text of any length, anywhere in memory and however split, is
//! taken apart into blocks rightly.

use std::mem::MaybeUninit;

use crate::guarded::Guarded;
use proptest::prelude::*;
use wscodec::mask::{Kernel, MaskKey};
use wscodec::utf8::Utf8Validator;
use wscodec::{Utf8Error, text};

const KEY: MaskKey = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);

/// What is known of a text after a piece of it: the bytes of a character that is still open, or
/// where the fault is.
type Verdict = Result<Vec<u8>, u64>;

/// What the standard library says of everything so far.
fn expected(text: &[u8]) -> Verdict {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.error_len().is_none() => Ok(text[error.valid_up_to()..].to_vec()),
        Err(error) => Err(error.valid_up_to() as u64),
    }
}

/// The ways in which a piece gets to a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Push,
    InPlace,
    Copying,
}

const WAYS: [Way; 3] = [Way::Push, Way::InPlace, Way::Copying];

/// A kernel by name, or none to have one chosen.
fn kernels() -> Vec<Option<Kernel>> {
    Kernel::available().map(Some).chain([None]).collect()
}

#[expect(unsafe_code, reason = "initialised bytes seen as bytes that need not be")]
fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: same layout, and the functions under test write only initialised bytes.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}

fn xor(bytes: &mut [u8], phase: usize) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte ^= KEY.to_bytes()[(i + phase) % 4];
    }
}

/// Takes `piece`, which is masked in `slice` unless it is pushed as it is, and looks at what comes
/// out.
fn take(
    validator: &mut Utf8Validator,
    kernel: Option<Kernel>,
    way: Way,
    piece: &[u8],
    slice: &mut [u8],
    phase: usize,
) -> Verdict {
    slice.copy_from_slice(piece);
    if way != Way::Push {
        xor(slice, phase);
    }
    let taken: Result<(), Utf8Error> = match (way, kernel) {
        (Way::Push, None) => validator.push(slice),
        (Way::Push, Some(kernel)) => validator.push_by(kernel, slice),
        (Way::InPlace, None) => text::unmask(KEY, slice, phase, validator),
        (Way::InPlace, Some(kernel)) => text::unmask_by(kernel, KEY, slice, phase, validator),
        (Way::Copying, kernel) => {
            let mut copy = vec![0x55; slice.len()];
            let taken = match kernel {
                None => text::unmask_to(KEY, slice, uninit(&mut copy), phase, validator),
                Some(kernel) => {
                    text::unmask_to_by(kernel, KEY, slice, uninit(&mut copy), phase, validator)
                }
            };
            taken.map(|text| assert!(text == piece, "unmasked wrongly"))
        }
    };
    if way == Way::InPlace && taken.is_ok() {
        assert!(slice == piece, "unmasked wrongly");
    }
    taken.map(|()| validator.pending().to_vec()).map_err(|error| error.valid_up_to)
}

/// Feeds `text` in pieces that end at `cuts` and compares after each.
fn check_pieces(text: &[u8], cuts: &[usize], kernel: Option<Kernel>, way: Way) {
    let mut validator = Utf8Validator::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([text.len()]) {
        let piece = &text[start..end];
        let mut slice = piece.to_vec();
        let verdict = take(&mut validator, kernel, way, piece, &mut slice, start);
        let name = kernel.map_or("chosen", Kernel::name);
        assert_eq!(verdict, expected(&text[..end]), "{name} {way:?} {cuts:?} {text:02x?}");
        if verdict.is_err() {
            assert!(validator.is_complete(), "starts anew after an error");
            return;
        }
        start = end;
    }
    let is_complete = std::str::from_utf8(text).is_ok();
    assert_eq!(validator.is_complete(), is_complete);
    assert_eq!(validator.finish().is_ok(), is_complete);
}

/// Characters of each length and at each bound, and bytes that are none.
const SEQUENCES: [&[u8]; 44] = [
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xe0\xbf\xbf",
    b"\xe1\x80\x80",
    b"\xec\xbf\xbf",
    b"\xed\x80\x80",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf0\xbf\xbf\xbf",
    b"\xf1\x80\x80\x80",
    b"\xf3\xbf\xbf\xbf",
    b"\xf4\x80\x80\x80",
    b"\xf4\x8f\xbf\xbf",
    // From here on not valid, or not complete.
    b"\x80",
    b"\xbf\x80",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2",
    b"\xc2\xc2\x80",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe1\x80",
    b"\xe1\x80\xe1\x80\x80",
    b"\xe1\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xef\xbf",
    b"\xef",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x80",
    b"\xf1\x80",
    b"\xf1",
    b"\xf3\xbf\xbf\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
];

/// Fillers round a sequence: each byte of it may look for its neighbours in them.
const FILLERS: [&str; 3] = ["a", "\u{e9}", "\u{4e16}"];

fn filled(filler: &str, len: usize) -> Vec<u8> {
    let mut text = filler.repeat(len / filler.len()).into_bytes();
    text.resize(len, b'.');
    text
}

/// Lengths with and without an aligned start, groups of four blocks, single blocks and a rest.
const LENS: [usize; 3] = [7 * 64, 10 * 64, 9 * 64 + 33];

#[test]
fn every_sequence_at_the_places_of_a_long_text() {
    let mut memory = Guarded::new(4096);
    for (i, sequence) in SEQUENCES.iter().enumerate() {
        for (len, filler) in LENS.iter().flat_map(|len| FILLERS.map(|filler| (*len, filler))) {
            // Every place near the edge of a block, and some of the others.
            let places = (0..=len - sequence.len()).filter(|at| (at + 6) % 64 < 10 || at % 5 == 0);
            for at in places {
                let mut text = filled(filler, at);
                text.extend_from_slice(sequence);
                text.extend_from_slice(&filled(filler, len - text.len()));
                let verdict = expected(&text);
                for (k, kernel) in kernels().into_iter().enumerate() {
                    // Ways and alignments take turns: most often blocks start where the text does.
                    let way = WAYS[(at + i + k) % 3];
                    let alignment = if at % 4 == 0 { (at * 7 + i) % 64 } else { 0 };
                    let start = memory.place(len, alignment);
                    let slice = &mut memory.bytes()[start..start + len];
                    let mut validator = Utf8Validator::new();
                    let found = take(&mut validator, kernel, way, &text, slice, at);
                    let name = kernel.map_or("chosen", Kernel::name);
                    assert_eq!(found, verdict, "{name} {way:?} {sequence:02x?} {at} {filler}");
                }
            }
        }
    }
}

#[test]
fn every_sequence_at_the_end_of_a_text_of_every_length() {
    let mut memory = Guarded::new(4096);
    for sequence in SEQUENCES {
        for cut in 1..=sequence.len() {
            for len in 0..200 {
                let mut text = filled(FILLERS[len % 3], len);
                text.extend_from_slice(&sequence[..cut]);
                let verdict = expected(&text);
                for kernel in kernels() {
                    let way = WAYS[(len + cut) % 3];
                    let start = memory.place(text.len(), (memory.place(text.len(), 0) + len) % 64);
                    let slice = &mut memory.bytes()[start..start + text.len()];
                    let mut validator = Utf8Validator::new();
                    let found = take(&mut validator, kernel, way, &text, slice, len);
                    let name = kernel.map_or("chosen", Kernel::name);
                    assert_eq!(found, verdict, "{name} {way:?} {text:02x?}");
                }
            }
        }
    }
}

#[test]
fn valid_text_of_every_length_and_alignment_at_the_end_of_memory() {
    let mut memory = Guarded::new(4096);
    let source = "Gar\u{e7}on \u{65e5}\u{672c}\u{8a9e} \u{1f600} plain words, then more of them; "
        .repeat(12);
    for len in (0..=600).filter(|len| source.is_char_boundary(*len)) {
        let text = &source.as_bytes()[..len];
        for alignment in 0..64 {
            let start = memory.place(len, alignment);
            for kernel in kernels() {
                let slice = &mut memory.bytes()[start..start + len];
                let mut validator = Utf8Validator::new();
                let way = if (len + alignment) % 2 == 0 { Way::InPlace } else { Way::Push };
                let found = take(&mut validator, kernel, way, text, slice, alignment);
                assert_eq!(found, Ok(Vec::new()), "{len} {alignment}");
            }
            memory.check_canaries(start, start + len);
            memory.bytes()[start..start + len].fill(crate::guarded::CANARY);
        }
    }
}

#[test]
fn every_split_of_every_sequence() {
    for sequence in SEQUENCES {
        for filler in FILLERS {
            let mut text = filled(filler, 6);
            text.extend_from_slice(sequence);
            text.extend_from_slice(&filled(filler, 6));
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    for kernel in kernels() {
                        let way = WAYS[(first + second) % 3];
                        check_pieces(&text, &[first, second], kernel, way);
                    }
                }
            }
        }
    }
}

#[test]
fn byte_by_byte() {
    for sequence in SEQUENCES {
        let text = [b"ab\xe4\xb8\x96".as_slice(), sequence, b"\xf0\x9f\x98\x80z"].concat();
        let cuts: Vec<_> = (1..text.len()).collect();
        for kernel in kernels() {
            for way in WAYS {
                check_pieces(&text, &cuts, kernel, way);
            }
        }
    }
}

#[test]
fn long_pieces_around_a_split_character() {
    // Longer than the blocks in which text is unmasked where no kernel has a walk of its own.
    for character in ["\u{e9}", "\u{4e16}", "\u{1f600}"] {
        for before in [4090, 4095, 4096, 8191, 9000] {
            let mut text = filled(FILLERS[before % 3], before);
            text.extend_from_slice(character.as_bytes());
            text.extend_from_slice(&filled("\u{4e16}", 5000));
            for cut in before..=before + character.len() {
                for kernel in kernels() {
                    for way in WAYS {
                        check_pieces(&text, &[cut], kernel, way);
                        check_pieces(&text, &[], kernel, way);
                    }
                }
            }
        }
    }
}

#[test]
fn the_offset_of_a_fault_counts_from_the_start_of_the_text() {
    for kernel in kernels() {
        let mut validator = Utf8Validator::new();
        let mut at = 0;
        for len in [5, 200, 0, 1000] {
            let text = filled("\u{4e16}", len);
            let mut slice = text.clone();
            assert!(take(&mut validator, kernel, Way::InPlace, &text, &mut slice, 0).is_ok());
            at += len as u64;
        }
        let fault = b"abc\xe4\xb8\xff";
        let found = take(&mut validator, kernel, Way::Push, fault, &mut fault.to_vec(), 0);
        assert_eq!(found, Err(at + 3));
        let found = take(&mut validator, kernel, Way::Push, b"\xff", &mut [0], 0);
        assert_eq!(found, Err(0), "a new text after an error");
    }
}

/// Bytes that are often text: characters of all lengths, now and then a byte that is not.
fn almost_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => "[ -~]{0,40}".prop_map(String::into_bytes),
        6 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        3 => "[\u{e0}-\u{2ff}\u{4e00}-\u{9fff}]{0,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..2),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn almost_text_in_pieces(
        text in almost_text(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
        way in prop::sample::select(WAYS.to_vec()),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        for kernel in kernels() {
            check_pieces(&text, &cuts, kernel, way);
        }
    }

    #[test]
    fn any_bytes(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kernel in kernels() {
            check_pieces(&text, &[], kernel, Way::InPlace);
        }
    }
}
