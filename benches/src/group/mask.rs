//! `mask`: XOR of a key over payloads that stand in an area full of frames.
//!
//! The area is 16 KiB for payloads up to that size: half of a first-level cache, so that kernels
//! are compared rather than the second level. Payloads stand where frames put them, aligned to
//! nothing.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::group::SIZES;
use crate::limit;
use crate::payload::Content;
use crate::peer::{Masker, fastwebsockets, nexus_web, sockudo, soketto, wscodec, yawc};
use crate::sink::Work;
use crate::wire::{Sender, Wire};

const AREA_LEN: usize = 16 * 1024;

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for size in SIZES {
        if size > 0 {
            plans.push(Plan::new("mask", "unmask in place", size, move || contest(size)));
        }
    }
}

fn contest(size: usize) -> Contest {
    let wire = Rc::new(Wire::filled(Content::Binary, size, AREA_LEN, Sender::Client));
    let area = Rc::new(RefCell::new(wire.bytes().to_vec()));
    Contest {
        work: work(&wire),
        entries: vec![
            entry::<wscodec::Unmask>(&wire, &area, Standing::Subject),
            entry::<fastwebsockets::Unmask>(&wire, &area, Standing::Peer),
            entry::<sockudo::Unmask>(&wire, &area, Standing::Peer),
            entry::<nexus_web::Unmask>(&wire, &area, Standing::Peer),
            entry::<yawc::Unmask>(&wire, &area, Standing::Peer),
            entry::<soketto::Unmask>(&wire, &area, Standing::Peer),
            entry::<BareXor>(&wire, &area, Standing::Mark),
            entry::<AlignedXor>(&wire, &area, Standing::Mark),
            entry::<Nothing>(&wire, &area, Standing::Mark),
            Entry::new("memcpy", Standing::Mark, Copying { wire, area }),
        ],
    }
}

fn work(wire: &Wire) -> Work {
    Work { items: wire.spans().len() as u64, bytes: wire.payload_len_total() }
}

/// All work in the same area, so that none has the luckier pages.
type Area = Rc<RefCell<Vec<u8>>>;

fn entry<M: Masker + 'static>(wire: &Rc<Wire>, area: &Area, standing: Standing) -> Entry {
    let (wire, area) = (Rc::clone(wire), Rc::clone(area));
    Entry::new(M::NAME, standing, Unmasking::<M> { wire, area, masker: PhantomData })
}

/// The limit: whole 64-byte blocks only.
struct BareXor;

impl Masker for BareXor {
    const NAME: &'static str = "bare XOR";
    const IS_WHOLE: bool = false;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        limit::xor_blocks(payload, key);
    }
}

/// The limit where the area permits it: blocks that no cache line is split by.
struct AlignedXor;

impl Masker for AlignedXor {
    const NAME: &'static str = "bare XOR, aligned";
    const IS_WHOLE: bool = false;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        limit::xor_aligned_blocks(payload, key);
    }
}

/// What going from payload to payload costs.
struct Nothing;

impl Masker for Nothing {
    const NAME: &'static str = "the walk alone";
    const IS_WHOLE: bool = false;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        std::hint::black_box((payload.as_ptr(), key));
    }
}

struct Unmasking<M> {
    wire: Rc<Wire>,
    area: Area,
    masker: PhantomData<M>,
}

impl<M: Masker> Contestant for Unmasking<M> {
    fn run(&mut self) -> Work {
        let area = &mut self.area.borrow_mut()[..];
        let mut bytes = 0;
        for span in self.wire.spans() {
            let payload = &mut area[span.range()];
            M::mask(payload, span.key);
            bytes += payload.len() as u64;
        }
        Work { items: self.wire.spans().len() as u64, bytes }
    }

    fn is_right(&mut self) -> bool {
        self.area.borrow_mut().copy_from_slice(self.wire.bytes());
        self.run();
        let area = self.area.borrow();
        let mut payloads = self.wire.spans().iter().zip(self.wire.messages());
        !M::IS_WHOLE || payloads.all(|(span, (_, payload))| area[span.range()] == payload[..])
    }
}

/// The limit: every payload copied to the same place of another area.
struct Copying {
    wire: Rc<Wire>,
    area: Area,
}

impl Contestant for Copying {
    fn run(&mut self) -> Work {
        let area = &mut self.area.borrow_mut()[..];
        for span in self.wire.spans() {
            area[span.range()].copy_from_slice(&self.wire.bytes()[span.range()]);
        }
        work(&self.wire)
    }

    fn is_right(&mut self) -> bool {
        self.area.borrow_mut().fill(0);
        self.run();
        let area = self.area.borrow();
        let mut spans = self.wire.spans().iter();
        spans.all(|span| area[span.range()] == self.wire.bytes()[span.range()])
    }
}
