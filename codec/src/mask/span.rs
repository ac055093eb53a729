//! Where a kernel reads and where it writes: a slice in place, or one slice and another.
//!
//! The kernels are safe code over this. What is `unsafe` about loads and stores stands here, once, behind bounds
//! checks that the optimiser proves away or that cost one comparison for a whole block. Invariant: the two slices of
//! a [`Copying`] are equally long.

#![expect(unsafe_code, reason = "unaligned loads and stores of vectors")]

use core::mem::MaybeUninit;

/// What can be loaded from any bytes: integers, vectors, and arrays of them.
///
/// # Safety
/// Every bit pattern must be a value, and no byte of one may be padding.
pub(crate) unsafe trait Lane: Copy {}

// SAFETY: integers take every bit pattern and have no padding.
unsafe impl Lane for u8 {}
// SAFETY: as above.
unsafe impl Lane for u16 {}
// SAFETY: as above.
unsafe impl Lane for u32 {}
// SAFETY: as above.
unsafe impl Lane for u64 {}
// SAFETY: an array has no padding beside that of its elements, and those have none.
unsafe impl<L: Lane, const N: usize> Lane for [L; N] {}

/// Bytes to read, and the place to which each of them goes.
pub(crate) trait Span {
    /// From this length in bytes on it pays to start at an aligned address, with one vector more for what is before.
    #[cfg_attr(
        any(wscodec_scalar, not(target_arch = "x86_64")),
        expect(dead_code, reason = "only vectors as wide as a cache line are aligned")
    )]
    const ALIGNED_LEN_MIN: usize;

    /// Length in bytes.
    fn len(&self) -> usize;

    /// The bytes from `at` on; `None` if that is beyond the end.
    fn load<L: Lane>(&self, at: usize) -> Option<L>;

    /// Writes `lane` to the place of the bytes from `at` on, all of which must lie within the span.
    fn store<L: Lane>(&mut self, at: usize, lane: L);

    /// The address of the first byte's place.
    #[cfg_attr(
        any(wscodec_scalar, not(target_arch = "x86_64")),
        expect(dead_code, reason = "only vectors as wide as a cache line are aligned")
    )]
    fn address(&self) -> usize;

    /// The last bytes; `None` if there are fewer.
    #[inline(always)]
    fn last<L: Lane>(&self) -> Option<L> {
        self.load(self.len().checked_sub(size_of::<L>())?)
    }

    /// Writes `lane` to the place of the last bytes; the span must be as long as it.
    #[inline(always)]
    fn store_last<L: Lane>(&mut self, lane: L) {
        self.store(self.len().wrapping_sub(size_of::<L>()), lane);
    }
}

/// Every byte stays where it is.
pub(crate) struct InPlace<'a>(pub(crate) &'a mut [u8]);

/// Bytes go from one slice to the other, whose old content is not read.
pub(crate) struct Copying<'s, 'd> {
    from: &'s [u8],
    to: &'d mut [MaybeUninit<u8>],
}

impl<'s, 'd> Copying<'s, 'd> {
    /// As far as both slices reach.
    #[inline]
    pub(crate) fn new(from: &'s [u8], to: &'d mut [MaybeUninit<u8>]) -> Self {
        let len = from.len().min(to.len());
        let (from, _) = from.split_at(len);
        let (to, _) = to.split_at_mut(len);
        Self { from, to }
    }

    /// The place to which the bytes went.
    ///
    /// # Safety
    /// Every byte of it must have been stored.
    #[inline]
    pub(crate) unsafe fn into_written(self) -> &'d mut [u8] {
        // SAFETY: initialised, says the caller; `MaybeUninit<u8>` has the layout of `u8`, and the exclusive borrow is
        // passed on.
        unsafe { &mut *(core::ptr::from_mut(self.to) as *mut [u8]) }
    }
}

#[inline(always)]
fn read<L: Lane>(bytes: &[u8], at: usize) -> Option<L> {
    let lane = bytes.get(at..)?.get(..size_of::<L>())?;
    // SAFETY: `lane` is as long as an `L`, for which any bytes are a value.
    Some(unsafe { lane.as_ptr().cast::<L>().read_unaligned() })
}

impl Span for InPlace<'_> {
    const ALIGNED_LEN_MIN: usize = 512;

    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn load<L: Lane>(&self, at: usize) -> Option<L> {
        read(self.0, at)
    }

    #[inline(always)]
    fn store<L: Lane>(&mut self, at: usize, lane: L) {
        let place = self.0.get_mut(at..).and_then(|rest| rest.get_mut(..size_of::<L>()));
        debug_assert!(place.is_some(), "store beyond the end");
        if let Some(place) = place {
            // SAFETY: `place` is as long as an `L`, none of whose bytes is padding.
            unsafe { place.as_mut_ptr().cast::<L>().write_unaligned(lane) }
        }
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl Span for Copying<'_, '_> {
    const ALIGNED_LEN_MIN: usize = 1024;

    #[inline(always)]
    fn len(&self) -> usize {
        self.from.len()
    }

    #[inline(always)]
    fn load<L: Lane>(&self, at: usize) -> Option<L> {
        read(self.from, at)
    }

    #[inline(always)]
    fn store<L: Lane>(&mut self, at: usize, lane: L) {
        let place = self.to.get_mut(at..).and_then(|rest| rest.get_mut(..size_of::<L>()));
        debug_assert!(place.is_some(), "store beyond the end");
        if let Some(place) = place {
            // SAFETY: `place` is as long as an `L`, none of whose bytes is padding.
            unsafe { place.as_mut_ptr().cast::<L>().write_unaligned(lane) }
        }
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.to.as_ptr().addr()
    }
}
