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

use bytes::Bytes;

/// Buffers up to this capacity are left to the allocator, which keeps its pages.
const CAPACITY_MIN: usize = 64 << 10;

/// The most that a thread keeps, in bytes: one message of that size, or many smaller ones.
const TOTAL_MAX: usize = 16 << 20;

/// The most buffers that a thread keeps, which bounds the search for one.
const COUNT_MAX: usize = 32;

std::thread_local! {
    static SPARES: RefCell<Spares> = const { RefCell::new(Spares::new()) };
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

/// Returns an empty buffer with room for `len` bytes.
pub(crate) fn with_room(len: usize) -> Vec<u8> {
    take(len, len).unwrap_or_else(|| Vec::with_capacity(len))
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

/// Returns the message as shared bytes, whose memory is given to the thread that drops the last of
/// them.
pub(crate) fn share(message: Vec<u8>) -> Bytes {
    if message.capacity() > CAPACITY_MIN {
        Bytes::from_owner(Lent(message))
    } else {
        message.into()
    }
}

/// A buffer that comes back.
struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        give(mem::take(&mut self.0));
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
    fn what_was_shared_comes_back_empty() {
        let mut message = Vec::with_capacity(3 * MIB);
        message.extend_from_slice(b"large");
        let place = message.as_ptr();
        let shared = share(message);
        assert_eq!(&shared[..], b"large");
        let slice = shared.slice(1..);
        drop(shared);
        assert!(take(3 * MIB, 3 * MIB).is_none(), "a slice still holds it");
        drop(slice);
        let spare = take(3 * MIB, 3 * MIB).unwrap();
        assert_eq!((spare.as_ptr(), spare.len()), (place, 0));
        drop(share(Vec::with_capacity(CAPACITY_MIN)));
        assert!(take(CAPACITY_MIN + 1, usize::MAX).is_none(), "small ones are freed");
    }
}
