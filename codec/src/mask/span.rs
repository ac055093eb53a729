//! Where a kernel reads and writes: one slice in place, or one slice to another.
//!
//! The kernels are safe code over this. The `unsafe` loads and stores are only here, behind bounds
//! checks that the optimiser removes or that cost one comparison per block. Invariant: the two
//! slices of a [`Copying`] are equally long.

#![expect(unsafe_code, reason = "unaligned loads and stores of vectors")]

use core::mem::MaybeUninit;

/// Values that can be loaded from any bytes: integers, vectors, and arrays of them.
///
/// # Safety
/// Every bit pattern must be a value, and no byte of one may be padding.
pub(crate) unsafe trait Lane: Copy {}

// SAFETY: integers take every bit pattern and have no padding.
unsafe impl Lane for u8 {}
// SAFETY: as above.
unsafe impl Lane for u32 {}
// SAFETY: as above.
unsafe impl Lane for u64 {}
// SAFETY: an array has no padding except that of its elements, which have none.
unsafe impl<L: Lane, const N: usize> Lane for [L; N] {}

/// Bytes to read, and the place where each of them is stored.
pub(crate) trait Span: Sized {
    /// From this length in bytes on, it pays to start at an aligned address, with one more vector
    /// for the bytes before.
    #[allow(dead_code, reason = "only vectors as wide as a cache line are aligned")]
    const ALIGNED_LEN_MIN: usize;

    /// Whether stores are dropped.
    const IS_READ_ONLY: bool;

    /// Returns the bytes to read.
    fn source(&self) -> &[u8];

    /// Returns the places; `None` if stores are dropped.
    fn places(&mut self) -> Option<&mut [MaybeUninit<u8>]>;

    /// Returns the places as bytes or, if stores are dropped, the bytes to read.
    ///
    /// # Safety
    /// All of the span must have been stored.
    unsafe fn stored(&self) -> &[u8];

    /// Splits the span in two: the bytes before `at`, which is at most the length, and those from
    /// there on.
    fn split(self, at: usize) -> (Self, Self);

    /// Reborrows the span from `at` on.
    #[allow(dead_code, reason = "only walks of our own end within a span")]
    fn rest(&mut self, at: usize) -> impl Span;

    /// Returns the length in bytes.
    #[inline(always)]
    fn len(&self) -> usize {
        self.source().len()
    }

    /// Returns the bytes from `at` on; `None` if that is beyond the end.
    #[inline(always)]
    fn load<L: Lane>(&self, at: usize) -> Option<L> {
        let bytes = self.source().get(at..)?.get(..size_of::<L>())?;
        // SAFETY: `bytes` is as long as an `L`, for which any bytes are a value.
        Some(unsafe { bytes.as_ptr().cast::<L>().read_unaligned() })
    }

    /// Writes `lane` to the place of the bytes from `at` on, all of which must lie within the span.
    #[inline(always)]
    fn store<L: Lane>(&mut self, at: usize, lane: L) {
        let Some(places) = self.places() else { return };
        let place = places.get_mut(at..).and_then(|places| places.get_mut(..size_of::<L>()));
        debug_assert!(place.is_some(), "store beyond the end");
        if let Some(place) = place {
            // SAFETY: `place` is as long as an `L`, none of whose bytes is padding.
            unsafe { place.as_mut_ptr().cast::<L>().write_unaligned(lane) }
        }
    }

    /// Returns the last bytes as a lane; `None` if there are fewer.
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

impl Span for InPlace<'_> {
    const ALIGNED_LEN_MIN: usize = 512;
    const IS_READ_ONLY: bool = false;

    #[inline(always)]
    fn source(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn places(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        // SAFETY: same layout; `store`, the only one that writes to places, leaves no byte
        // uninitialised.
        Some(unsafe { &mut *(core::ptr::from_mut(self.0) as *mut [MaybeUninit<u8>]) })
    }

    #[inline(always)]
    unsafe fn stored(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn split(self, at: usize) -> (Self, Self) {
        let (front, back) = self.0.split_at_mut(at);
        (Self(front), Self(back))
    }

    #[inline(always)]
    fn rest(&mut self, at: usize) -> impl Span {
        InPlace(self.0.get_mut(at..).unwrap_or_default())
    }
}

/// A copy from one slice to another, whose old content is not read.
pub(crate) struct Copying<'s, 'd> {
    from: &'s [u8],
    to: &'d mut [MaybeUninit<u8>],
}

impl<'s, 'd> Copying<'s, 'd> {
    /// Creates a span as long as the shorter slice.
    #[inline(always)]
    pub(crate) fn new(from: &'s [u8], to: &'d mut [MaybeUninit<u8>]) -> Self {
        let len = from.len().min(to.len());
        let (from, _) = from.split_at(len);
        let (to, _) = to.split_at_mut(len);
        Self { from, to }
    }

    /// Reborrows the same bytes and places.
    #[inline(always)]
    pub(crate) fn reborrow(&mut self) -> Copying<'_, '_> {
        Copying { from: self.from, to: self.to }
    }

    /// Returns the places as bytes.
    ///
    /// # Safety
    /// All of the span must have been stored.
    #[inline(always)]
    pub(crate) unsafe fn into_stored(self) -> &'d mut [u8] {
        // SAFETY: the caller guarantees that the bytes are initialised; same layout, and the
        // exclusive borrow is passed on.
        unsafe { &mut *(core::ptr::from_mut(self.to) as *mut [u8]) }
    }
}

impl Span for Copying<'_, '_> {
    const ALIGNED_LEN_MIN: usize = 1024;
    const IS_READ_ONLY: bool = false;

    #[inline(always)]
    fn source(&self) -> &[u8] {
        self.from
    }

    #[inline(always)]
    fn places(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        Some(self.to)
    }

    #[inline(always)]
    unsafe fn stored(&self) -> &[u8] {
        // SAFETY: the caller guarantees that the bytes are initialised; same layout.
        unsafe { &*(core::ptr::from_ref::<[MaybeUninit<u8>]>(self.to) as *const [u8]) }
    }

    #[inline(always)]
    fn split(self, at: usize) -> (Self, Self) {
        let (from_front, from_back) = self.from.split_at(at);
        let (to_front, to_back) = self.to.split_at_mut(at);
        (Self { from: from_front, to: to_front }, Self { from: from_back, to: to_back })
    }

    #[inline(always)]
    fn rest(&mut self, at: usize) -> impl Span {
        let from = self.from.get(at..).unwrap_or_default();
        Copying { from, to: self.to.get_mut(at..).unwrap_or_default() }
    }
}

/// A span that is only read; stores are dropped.
pub(crate) struct ReadOnly<'a>(pub(crate) &'a [u8]);

impl Span for ReadOnly<'_> {
    const ALIGNED_LEN_MIN: usize = usize::MAX;
    const IS_READ_ONLY: bool = true;

    #[inline(always)]
    fn source(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn places(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        None
    }

    #[inline(always)]
    unsafe fn stored(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn split(self, at: usize) -> (Self, Self) {
        let (front, back) = self.0.split_at(at);
        (Self(front), Self(back))
    }

    #[inline(always)]
    fn rest(&mut self, at: usize) -> impl Span {
        ReadOnly(self.0.get(at..).unwrap_or_default())
    }
}
