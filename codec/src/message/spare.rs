//! The memory of large messages, which a thread keeps for the next ones.
//!
//! Memory that goes back to the system comes back as pages to be faulted in, one by one, which takes
//! longer than unmasking what is read into them. So that no connection has to hold a large buffer
//! while it waits, the thread does. Invariant: the buffers of a thread have at most
//! [`TOTAL_MAX`] bytes together, and those used least recently go first.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use bytes::{Buf as _, Bytes};

/// Buffers up to this capacity are left to the allocator, which keeps its pages.
const CAPACITY_MIN: usize = 64 << 10;

/// The most that a thread keeps, in bytes: one message of that size, or many smaller ones.
const TOTAL_MAX: usize = 16 << 20;

/// The most buffers that a thread keeps, which bounds the search for one.
const COUNT_MAX: usize = 32;

std::thread_local! {
    static SPARES: RefCell<Spares> = const { RefCell::new(Spares::new()) };
}

/// The length of a page, in bytes.
const PAGE_LEN: usize = 4096;

/// How far from a page's ends large messages begin, in bytes.
const MARGIN: usize = 1024;

/// The most bytes that [`place`] puts in front of a message.
const SKIP_MAX: usize = 2 * MARGIN;

/// Fills the start of an empty buffer with up to [`SKIP_MAX`] bytes, whose number it returns, so that what
/// follows is copied quickly from and to sockets.
///
/// A processor that copies by `rep movsb` takes four times as long while the target is 1 to 15 bytes ahead
/// of the source within their pages (AMD's, with FSRM). In the kernel, a message begins with a page or,
/// for the bytes of headers, not far behind its beginning, and so does memory that an allocator
/// maps. In the middle of a page the two don't meet; `results/2026-11-30-tokio` has the figures.
pub(super) fn place(bytes: &mut Vec<u8>) -> usize {
    let skip = skip_at(bytes.as_ptr().addr() % PAGE_LEN);
    bytes.resize(skip, 0);
    skip
}

/// Returns how many bytes to skip from a place in a page.
fn skip_at(at: usize) -> usize {
    if (MARGIN..PAGE_LEN - MARGIN).contains(&at) { 0 } else { (PAGE_LEN + MARGIN - at) % PAGE_LEN }
}

/// Returns the room to reserve in front of a message of `len` bytes for [`place`]: none for one so short
/// that the allocator has its memory, or so long that no thread would keep it any more.
pub(super) const fn skip_max(len: usize) -> usize {
    if CAPACITY_MIN < len && len <= TOTAL_MAX - SKIP_MAX { SKIP_MAX } else { 0 }
}

/// Returns an empty buffer with room for `len_min` bytes, if that is many and the thread has one: the
/// smallest with room for `len_max`, or else the largest.
pub(super) fn take(len_min: usize, len_max: usize) -> Option<Vec<u8>> {
    if len_min <= CAPACITY_MIN {
        return None;
    }
    // A thread that ends has none.
    SPARES.try_with(|spares| spares.borrow_mut().take(len_min, len_max)).ok().flatten()
}

/// Returns a buffer with room for `len` bytes behind those that [`place`] them well.
pub(crate) fn with_room(len: usize) -> Vec<u8> {
    let skip_max = skip_max(len);
    let capacity = len + skip_max;
    let mut bytes = take(capacity, capacity).unwrap_or_else(|| Vec::with_capacity(capacity));
    if skip_max > 0 {
        place(&mut bytes);
    }
    bytes
}

/// Keeps the memory, if it is large, and frees it otherwise.
pub(super) fn give(bytes: Vec<u8>) {
    if bytes.capacity() > CAPACITY_MIN {
        SPARES.try_with(|spares| spares.borrow_mut().give(bytes)).ok();
    }
}

/// Frees the memory of large messages that this thread keeps for its next ones.
///
/// A thread keeps at most 16 MiB, so that it need not ask the system for fresh pages with each message;
/// call this on a thread that will have no large messages for long.
pub fn free_spare_memory() {
    SPARES.try_with(|spares| *spares.borrow_mut() = Spares::new()).ok();
}

/// Returns the message, all of the buffer from `start` on, as shared bytes, whose memory is given to
/// the thread that drops the last of them.
pub(crate) fn share(bytes: Vec<u8>, start: usize) -> Bytes {
    if bytes.capacity() > CAPACITY_MIN {
        return Bytes::from_owner(Lent { bytes, start });
    }
    let mut message = Bytes::from(bytes);
    message.advance(start.min(message.len()));
    message
}

/// A buffer that comes back.
struct Lent {
    bytes: Vec<u8>,
    start: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        give(mem::take(&mut self.bytes));
    }
}

/// Empty buffers, the one given last at the end.
struct Spares {
    buffers: VecDeque<Vec<u8>>,
    total: usize,
}

impl Spares {
    const fn new() -> Self {
        Self { buffers: VecDeque::new(), total: 0 }
    }

    fn take(&mut self, len_min: usize, len_max: usize) -> Option<Vec<u8>> {
        // The one given last is still in the processor's caches.
        let fitting = self.buffers.iter().enumerate().rev().filter(|(_, spare)| {
            // A message that a program keeps must not hold much more than it needs.
            spare.capacity() >= len_min && spare.capacity() / 2 <= len_max
        });
        let (index, _) = fitting.min_by_key(|(_, spare)| {
            let capacity = spare.capacity();
            if capacity >= len_max { (false, capacity) } else { (true, len_max - capacity) }
        })?;
        let spare = self.buffers.remove(index)?;
        self.total -= spare.capacity();
        Some(spare)
    }

    fn give(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.total += bytes.capacity();
        self.buffers.push_back(bytes);
        while self.total > TOTAL_MAX || self.buffers.len() > COUNT_MAX {
            let oldest = self.buffers.pop_front();
            self.total -= oldest.map_or(0, |oldest| oldest.capacity());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn of(mibs: &[usize]) -> Spares {
        let mut spares = Spares::new();
        for mib in mibs {
            spares.give(Vec::with_capacity(mib * MIB));
        }
        spares
    }

    fn capacities(spares: &Spares) -> Vec<usize> {
        assert_eq!(spares.total, spares.buffers.iter().map(Vec::capacity).sum());
        spares.buffers.iter().map(|spare| spare.capacity() / MIB).collect()
    }

    #[test]
    fn the_smallest_that_holds_the_message_is_taken_or_else_the_largest() {
        for (len_min, len_max, taken) in [
            (1, 2, Some(2)),
            (1, 3, Some(4)),
            (1, 4, Some(4)),
            (2, 5, Some(4)),
            (4, 100, Some(4)),
            (5, 100, None),
        ] {
            let mut spares = of(&[2, 4, 1]);
            let spare = spares.take(len_min * MIB, len_max * MIB);
            assert_eq!(spare.map(|spare| spare.capacity() / MIB), taken, "{len_min} to {len_max}");
            assert_eq!(capacities(&spares).len(), if taken.is_some() { 2 } else { 3 });
        }
    }

    #[test]
    fn a_message_gets_no_more_than_twice_its_length() {
        let mut spares = of(&[4]);
        assert!(spares.take(100, 2 * MIB - 1).is_none());
        assert!(spares.take(100, 2 * MIB).is_some());
    }

    #[test]
    fn those_used_least_recently_go_first() {
        let mut spares = of(&[8, 1, 2]);
        spares.give(Vec::with_capacity(6 * MIB));
        assert_eq!(capacities(&spares), [1, 2, 6]);
        spares.give(Vec::with_capacity(16 * MIB));
        assert_eq!(capacities(&spares), [16]);
        spares.give(Vec::with_capacity(17 * MIB));
        assert_eq!(capacities(&spares), [0; 0]);
        let many = of(&[0; 40]);
        assert_eq!(many.buffers.len(), COUNT_MAX);
    }

    #[test]
    fn large_messages_begin_far_from_the_ends_of_a_page() {
        for at in [0, 1, MARGIN - 1, MARGIN, PAGE_LEN - MARGIN - 1, PAGE_LEN - MARGIN, PAGE_LEN - 1]
        {
            let skip = skip_at(at);
            assert!(skip <= SKIP_MAX);
            assert!((MARGIN..PAGE_LEN - MARGIN).contains(&((at + skip) % PAGE_LEN)), "{at}");
        }
        assert_eq!((skip_at(MARGIN), skip_at(MARGIN - 1)), (0, 1));
        let mut bytes = Vec::with_capacity(MIB);
        let start = place(&mut bytes);
        bytes.extend_from_slice(b"large");
        let shared = share(bytes, start);
        assert_eq!(&shared[..], b"large");
        assert!((MARGIN..PAGE_LEN - MARGIN).contains(&(shared.as_ptr().addr() % PAGE_LEN)));
    }

    #[test]
    fn what_was_shared_comes_back_empty() {
        let mut message = Vec::with_capacity(3 * MIB);
        message.extend_from_slice(b"large");
        let place = message.as_ptr();
        let shared = share(message, 0);
        assert_eq!(&shared[..], b"large");
        let slice = shared.slice(1..);
        drop(shared);
        assert!(take(3 * MIB, 3 * MIB).is_none(), "a slice still holds it");
        drop(slice);
        let spare = take(3 * MIB, 3 * MIB).unwrap();
        assert_eq!((spare.as_ptr(), spare.len()), (place, 0));
        drop(share(Vec::with_capacity(CAPACITY_MIN), 0));
        assert!(take(CAPACITY_MIN + 1, usize::MAX).is_none(), "small ones are freed");
    }
}
