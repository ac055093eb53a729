//! The last bytes sent in one direction, which are all that context takeover needs between messages
//! (RFC 7692, 7.1.1).
//!
//! A ring that grows with the bytes sent, up to the window's size: an idle connection holds these
//! bytes and no stream.

use alloc::vec::Vec;
use core::fmt;

use super::window_bits::WindowBits;

/// The content of a window.
pub(super) struct History {
    bytes: Vec<u8>,
    /// The position of the oldest byte, once the ring is full.
    start: usize,
    window_size: usize,
}

impl History {
    pub(super) const fn new(bits: WindowBits) -> Self {
        Self { bytes: Vec::new(), start: 0, window_size: bits.window_size() }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes, the oldest first, in up to two pieces.
    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at_checked(self.start).unwrap_or_default();
        [older, newer]
    }

    /// Adds the latest bytes, and forgets those that the window no longer reaches.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = bytes.get(bytes.len().saturating_sub(self.window_size)..).unwrap_or_default();
        let free = self.window_size - self.bytes.len();
        let (appended, mut rest) = last.split_at(free.min(last.len()));
        if !appended.is_empty() {
            let needed = self.bytes.len() + appended.len();
            if needed > self.bytes.capacity() {
                let capacity = needed.max(self.bytes.capacity() * 2).min(self.window_size);
                self.bytes.reserve_exact(capacity - self.bytes.len());
            }
            self.bytes.extend_from_slice(appended);
        }
        while !rest.is_empty() {
            let room = self.bytes.get_mut(self.start..).unwrap_or_default();
            let len = room.len().min(rest.len());
            let (now, later) = rest.split_at(len);
            room.split_at_mut(len).0.copy_from_slice(now);
            rest = later;
            self.start = (self.start + len) % self.window_size;
        }
    }

    /// Forgets everything and frees the memory.
    pub(super) fn release(&mut self) {
        self.bytes = Vec::new();
        self.start = 0;
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.bytes.len(), self.window_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_last_bytes_whatever_the_pushes() {
        for step in [1, 7, 100, 255, 256, 257, 300, 1000] {
            let all: Vec<u8> = (0..3000_u32).flat_map(u32::to_le_bytes).collect();
            let mut history = History::new(WindowBits::MIN);
            let mut seen = 0;
            for piece in all.chunks(step) {
                history.push(piece);
                seen += piece.len();
                let expected = &all[seen.saturating_sub(256)..seen];
                assert_eq!(history.pieces().concat(), expected, "{step} {seen}");
            }
            assert!(history.bytes.capacity() <= 256);
        }
    }

    #[test]
    fn its_memory_doubles_until_it_is_the_window() {
        let mut history = History::new(WindowBits::MIN);
        let mut capacities = Vec::new();
        for byte in 0..=255_u8 {
            history.push(&[byte]);
            capacities.push(history.bytes.capacity());
        }
        capacities.dedup();
        assert_eq!(capacities, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
        let mut history = History::new(WindowBits::MIN);
        for (len, capacity) in [(100, 100), (1, 200), (99, 200), (1, 256)] {
            history.push(&[b'x'; 100][..len]);
            assert_eq!(history.bytes.capacity(), capacity);
        }
    }
}
