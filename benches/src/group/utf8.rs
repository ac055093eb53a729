//! `utf8`: masked text, unmasked and validated; and validation alone.
//!
//! Keys of bytes 1 to 3 keep the texts valid in both states, so one run unmasks and the next masks,
//! and each validates what it made. Sizes are areas of one text each, and many of them up to 4 KiB.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::limit;
use crate::payload::Content;
use crate::peer::{Masker, fastwebsockets, nexus_web, sockudo, wscodec, yawc};
use crate::sink::Work;
use crate::wire::{Sender, Wire};
use ::wscodec::mask::MaskKey;
use ::wscodec::text;
use ::wscodec::utf8::Utf8Validator;

const AREA_LEN: usize = 4 * 1024;
const SIZES: [usize; 9] = [16, 64, 125, 512, 1024, 4096, 65_536, 1 << 20, 64 << 20];

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for content in Content::TEXTS {
        for size in SIZES {
            let work = match content {
                Content::Ascii => "unmask and validate ASCII",
                Content::Mixed => "unmask and validate mixed",
                Content::Cjk => "unmask and validate CJK",
                _ => "unmask and validate emoji",
            };
            plans.push(Plan::new("utf8", work, size, move || unmasking(content, size)));
        }
    }
    for content in Content::TEXTS {
        for size in SIZES {
            let work = match content {
                Content::Ascii => "validate ASCII",
                Content::Mixed => "validate mixed",
                Content::Cjk => "validate CJK",
                _ => "validate emoji",
            };
            plans.push(Plan::new("utf8", work, size, move || validating(content, size)));
        }
    }
}

fn unmasking(content: Content, size: usize) -> Contest {
    let wire = Rc::new(Wire::gentle(content, size, AREA_LEN));
    let area = Rc::new(RefCell::new(wire.bytes().to_vec()));
    Contest {
        work: work(&wire),
        entries: vec![
            entry::<OneWalk>("wscodec", Standing::Subject, &wire, &area),
            entry::<TwoPasses<wscodec::Unmask>>("two passes", Standing::Mark, &wire, &area),
            entry::<TwoPasses<fastwebsockets::Unmask>>(
                "fastwebsockets",
                Standing::Peer,
                &wire,
                &area,
            ),
            entry::<TwoPasses<sockudo::Unmask>>("sockudo-ws", Standing::Peer, &wire, &area),
            entry::<TwoPasses<nexus_web::Unmask>>("nexus-web", Standing::Peer, &wire, &area),
            entry::<TwoPasses<yawc::Unmask>>("yawc", Standing::Peer, &wire, &area),
            entry::<BareXor>("bare XOR", Standing::Mark, &wire, &area),
        ],
    }
}

fn validating(content: Content, size: usize) -> Contest {
    let wire = Rc::new(Wire::filled(content, size, AREA_LEN, Sender::Server));
    let area = Rc::new(RefCell::new(wire.bytes().to_vec()));
    Contest {
        work: work(&wire),
        entries: vec![
            entry::<Validator>("wscodec", Standing::Subject, &wire, &area),
            entry::<Simdutf8>("simdutf8", Standing::Peer, &wire, &area),
            entry::<Core>("core::str", Standing::Peer, &wire, &area),
        ],
    }
}

fn work(wire: &Wire) -> Work {
    Work { items: wire.spans().len() as u64, bytes: wire.payload_len_total() }
}

/// All work in the same area, so that none has the luckier pages.
type Area = Rc<RefCell<Vec<u8>>>;

fn entry<T: TextWalk + 'static>(
    name: &'static str,
    standing: Standing,
    wire: &Rc<Wire>,
    area: &Area,
) -> Entry {
    let (wire, area) = (Rc::clone(wire), Rc::clone(area));
    Entry::new(name, standing, Walking::<T> { wire, area, walk: PhantomData })
}

/// Goes over one text.
trait TextWalk {
    /// Whether it rejects what is not UTF-8; the limits don't look.
    const VALIDATES: bool = true;
    /// False if the text is not valid.
    fn walk(text: &mut [u8], key: [u8; 4]) -> bool;
}

/// wscodec's `text::unmask`.
struct OneWalk;

impl TextWalk for OneWalk {
    #[inline]
    fn walk(text: &mut [u8], key: [u8; 4]) -> bool {
        let mut validator = Utf8Validator::new();
        text::unmask(MaskKey::new(key), text, 0, &mut validator).is_ok()
            && validator.finish().is_ok()
    }
}

/// A crate's unmasking of all of it, then `simdutf8`.
struct TwoPasses<M>(PhantomData<M>);

impl<M: Masker> TextWalk for TwoPasses<M> {
    #[inline]
    fn walk(text: &mut [u8], key: [u8; 4]) -> bool {
        M::mask(text, key);
        simdutf8::basic::from_utf8(text).is_ok()
    }
}

/// The limit: unmasking alone, whole blocks only.
struct BareXor;

impl TextWalk for BareXor {
    const VALIDATES: bool = false;

    #[inline]
    fn walk(text: &mut [u8], key: [u8; 4]) -> bool {
        limit::xor_blocks(text, key);
        true
    }
}

/// wscodec's validator alone.
struct Validator;

impl TextWalk for Validator {
    #[inline]
    fn walk(text: &mut [u8], _: [u8; 4]) -> bool {
        let mut validator = Utf8Validator::new();
        validator.push(text).is_ok() && validator.finish().is_ok()
    }
}

/// What peers use.
struct Simdutf8;

impl TextWalk for Simdutf8 {
    #[inline]
    fn walk(text: &mut [u8], _: [u8; 4]) -> bool {
        simdutf8::basic::from_utf8(text).is_ok()
    }
}

/// The standard library.
struct Core;

impl TextWalk for Core {
    #[inline]
    fn walk(text: &mut [u8], _: [u8; 4]) -> bool {
        std::str::from_utf8(text).is_ok()
    }
}

struct Walking<T> {
    wire: Rc<Wire>,
    area: Area,
    walk: PhantomData<T>,
}

impl<T: TextWalk> Contestant for Walking<T> {
    fn run(&mut self) -> Work {
        let area = &mut self.area.borrow_mut()[..];
        let mut done = Work::default();
        for span in self.wire.spans() {
            let text = &mut area[span.range()];
            if T::walk(text, span.key) {
                done.items += 1;
                done.bytes += text.len() as u64;
            }
        }
        done
    }

    fn is_right(&mut self) -> bool {
        self.restore();
        let all_valid = self.run() == work(&self.wire);
        let unmasked = {
            let area = self.area.borrow();
            self.wire.spans().iter().zip(self.wire.messages()).all(|(span, (_, payload))| {
                let whole_blocks = payload.len() - payload.len() % 64;
                let len = if T::VALIDATES { payload.len() } else { whole_blocks };
                area[span.range()][..len] == payload[..len]
            })
        };
        // One byte that no UTF-8 text has, in the middle of the first text, must be found.
        self.restore();
        let first = self.wire.spans()[0].range();
        self.area.borrow_mut()[first.start + first.len() / 2] = 0xff;
        let found = self.run().items + 1 == self.wire.spans().len() as u64;
        self.restore();
        all_valid && unmasked && (found || !T::VALIDATES)
    }
}

impl<T> Walking<T> {
    fn restore(&self) {
        self.area.borrow_mut().copy_from_slice(self.wire.bytes());
    }
}
