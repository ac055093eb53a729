//! What each client makes this server keep to who has to leave when that is too much.
//!
//! Limits a client have no say in what a hundred thousand of them take together. So what is half
//! received and what waits for a socket is added up over all threads, whenever it changes: never
//! for a message that lies whole in a read and is answered at once.
//!
//! Above the bound, who grows beyond an equal share is closed with 1013, and who holds less goes on.
//! So all together hold at most twice the bound, and little clients don't pay for large ones.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What all clients of a process make it keep, in KiB.
#[derive(Debug)]
pub(super) struct Budget {
    max_kib: usize,
    held_kib: AtomicUsize,
}

impl Budget {
    /// At most about `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max_kib: max.div_ceil(1 << 10), held_kib: AtomicUsize::default() }
    }

    /// A client that made it keep `before` KiB makes it keep `now`.
    pub(super) fn change(&self, before: u32, now: u32) {
        let (before, now) = (before as usize, now as usize);
        if now >= before {
            self.held_kib.fetch_add(now - before, Relaxed);
        } else {
            self.held_kib.fetch_sub(before - now, Relaxed);
        }
    }

    /// Whether one of so many clients that makes it keep so many KiB has to leave.
    pub(super) fn is_exceeded(&self, kib: u32, clients: usize) -> bool {
        let is_over = self.held_kib.load(Relaxed) > self.max_kib;
        is_over && kib as usize > self.max_kib / clients.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e16_above_the_bound_who_holds_more_than_a_share_leaves() {
        let budget = Budget::new(100 << 10);
        budget.change(0, 60);
        assert!(!budget.is_exceeded(60, 2), "all is below the bound");
        budget.change(0, 40);
        assert!(!budget.is_exceeded(60, 2), "all is the bound");
        budget.change(40, 41);
        assert!(budget.is_exceeded(60, 2));
        assert!(!budget.is_exceeded(50, 2) && !budget.is_exceeded(41, 2), "a share, and less");
        assert!(
            !budget.is_exceeded(60, 1) && budget.is_exceeded(101, 1) && budget.is_exceeded(101, 0)
        );
        budget.change(60, 0);
        budget.change(41, 101);
        assert!(budget.is_exceeded(101, 2));
    }
}
