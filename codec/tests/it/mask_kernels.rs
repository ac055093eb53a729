//! Every kernel that this CPU can run, and the path of short payloads, against a loop over bytes.

use std::mem::MaybeUninit;

use crate::guarded::{CANARY, Guarded};
use proptest::prelude::*;
use wscodec::mask::{self, Kernel, MaskKey};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Longer than every threshold at which a kernel changes its way.
const LEN_MAX: usize = 1024;

/// A way to mask: a kernel by name, or the functions that choose one.
#[derive(Clone, Copy)]
enum Way {
    Chosen,
    Named(Kernel),
}

impl Way {
    fn all() -> Vec<Self> {
        Kernel::available().map(Self::Named).chain([Self::Chosen]).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Named(kernel) => kernel.name(),
        }
    }

    fn apply(self, payload: &mut [u8], phase: usize) {
        match self {
            Self::Chosen => mask::apply(MaskKey::new(KEY), payload, phase),
            Self::Named(kernel) => kernel.apply(MaskKey::new(KEY), payload, phase),
        }
    }

    fn apply_to<'d>(
        self,
        src: &[u8],
        dst: &'d mut [MaybeUninit<u8>],
        phase: usize,
    ) -> &'d mut [u8] {
        match self {
            Self::Chosen => mask::apply_to(MaskKey::new(KEY), src, dst, phase),
            Self::Named(kernel) => kernel.apply_to(MaskKey::new(KEY), src, dst, phase),
        }
    }
}

/// RFC 6455, 5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)".
fn naive(src: &[u8], phase: usize) -> Vec<u8> {
    src.iter().enumerate().map(|(i, byte)| byte ^ KEY[(i + phase) % 4]).collect()
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[expect(unsafe_code, reason = "initialised bytes seen as bytes that need not be")]
fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: same layout, and the functions under test write only initialised bytes.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}

#[test]
fn s5_3_in_place_at_every_length_alignment_and_phase() {
    let mut memory = Guarded::new(2 * LEN_MAX);
    for len in 0..=LEN_MAX {
        let src = payload(len);
        for phase in 0..4 {
            let expected = naive(&src, phase);
            for alignment in 0..64 {
                let start = memory.place(len, alignment);
                for way in Way::all() {
                    let slice = &mut memory.bytes()[start..start + len];
                    slice.copy_from_slice(&src);
                    way.apply(slice, phase);
                    assert!(slice == expected, "{} {len} {alignment} {phase}", way.name());
                }
                memory.check_canaries(start, start + len);
                memory.bytes()[start..start + len].fill(CANARY);
            }
        }
    }
}

#[test]
fn s5_3_copying_at_every_length_alignment_and_phase() {
    let (mut from, mut to) = (Guarded::new(2 * LEN_MAX), Guarded::new(2 * LEN_MAX));
    for len in 0..=LEN_MAX {
        let src = payload(len);
        for phase in 0..4 {
            let expected = naive(&src, phase);
            for alignment in 0..64 {
                // Both go through all alignments, and through many combinations of them.
                let src_start = from.place(len, (alignment * 5 + len) % 64);
                let dst_start = to.place(len, alignment);
                from.bytes()[src_start..src_start + len].copy_from_slice(&src);
                for way in Way::all() {
                    let slice = &mut to.bytes()[dst_start..dst_start + len];
                    slice.fill(CANARY);
                    let read = &from.bytes()[src_start..src_start + len];
                    let written = way.apply_to(read, uninit(slice), phase);
                    assert!(written == expected, "{} {len} {alignment} {phase}", way.name());
                }
                assert!(from.bytes()[src_start..src_start + len] == src, "the source was changed");
                to.check_canaries(dst_start, dst_start + len);
                to.bytes()[dst_start..dst_start + len].fill(CANARY);
            }
        }
    }
}

#[test]
fn starts_next_to_a_page_that_must_not_be_read() {
    let mut memory = Guarded::new(2 * LEN_MAX);
    for len in 0..=LEN_MAX {
        let src = payload(len);
        for way in Way::all() {
            memory.bytes()[..len].copy_from_slice(&src);
            way.apply(&mut memory.bytes()[..len], 3);
            assert!(memory.bytes()[..len] == naive(&src, 3), "{} {len}", way.name());
        }
        memory.check_canaries(0, len);
    }
}

#[test]
fn long_payloads() {
    for len in [2047, 2048, 2049, 4095, 4160, 65_535, 65_536, 100_003, 1 << 20] {
        for offset in [0, 1, 6, 14, 63] {
            let src = payload(len);
            let mut moved = vec![0; offset];
            moved.extend_from_slice(&src);
            let expected = naive(&src, 1);
            for way in Way::all() {
                let mut moved = moved.clone();
                way.apply(&mut moved[offset..], 1);
                assert!(moved[offset..] == expected, "{} {len} {offset}", way.name());
                let mut dst = vec![CANARY; offset + len];
                let written = way.apply_to(&src, uninit(&mut dst[offset..]), 1);
                assert!(written == expected, "{} {len} {offset} copying", way.name());
                assert!(dst[..offset].iter().all(|byte| *byte == CANARY));
            }
        }
    }
}

#[test]
fn copying_reaches_as_far_as_the_shorter_slice() {
    let src = payload(300);
    for way in Way::all() {
        for (src_len, dst_len) in [(0, 5), (5, 0), (7, 9), (9, 7), (130, 300), (300, 130)] {
            let mut dst = vec![CANARY; dst_len];
            let len = src_len.min(dst_len);
            let written = way.apply_to(&src[..src_len], uninit(&mut dst), 2);
            assert_eq!(written, naive(&src[..len], 2), "{} {src_len} {dst_len}", way.name());
            assert!(dst[len..].iter().all(|byte| *byte == CANARY), "{}", way.name());
        }
    }
}

#[test]
fn every_kernel_has_a_name_of_its_own_and_scalar_is_there() {
    let names: Vec<_> = Kernel::available().map(Kernel::name).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert_eq!(names.last(), Some(&"scalar"));
    assert_eq!(names.first(), Some(&Kernel::best().name()));
}

/// The kernels are what this says they are: without it a machine of lesser kind would test less,
/// unseen.
#[cfg(all(target_arch = "x86_64", not(wscodec_scalar)))]
#[test]
fn kernels_agree_with_the_detection_of_std() {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    let expected = [
        ("avx512vbmi", wide && is_x86_feature_detected!("avx512vbmi")),
        ("avx512", wide),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("sse2", true),
        ("scalar", true),
    ];
    let expected = expected.into_iter().filter_map(|(name, has)| has.then_some(name));
    assert!(Kernel::available().map(Kernel::name).eq(expected));
}

#[cfg(all(target_arch = "aarch64", not(wscodec_scalar)))]
#[test]
fn kernels_of_aarch64() {
    assert!(Kernel::available().map(Kernel::name).eq(["neon", "scalar"]));
}

proptest! {
    #[test]
    fn pieces_give_what_the_whole_gives(
        src in proptest::collection::vec(any::<u8>(), 0..3000),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        phase in any::<usize>(),
    ) {
        let expected = naive(&src, phase % 4);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(src.len() + 1)).collect();
        cuts.extend([0, src.len()]);
        cuts.sort_unstable();
        for way in Way::all() {
            let mut pieces = src.clone();
            for cut in cuts.windows(2) {
                way.apply(&mut pieces[cut[0]..cut[1]], phase.wrapping_add(cut[0]));
            }
            prop_assert_eq!(&pieces, &expected, "{}", way.name());
            way.apply(&mut pieces, phase);
            prop_assert_eq!(&pieces, &src, "{}: masking twice gives the payload back", way.name());
        }
    }
}
