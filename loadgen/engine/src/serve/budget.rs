//! Limits what all clients together make this server hold, by choosing which must leave.
//!
//! A hundred thousand clients can each stay within their own limits and still hold too much. So
//! half-received messages and data waiting for a socket are added up over all threads, on every
//! change: never for a message that lies whole in a read and is answered at once.
//!
//! Above the bound, a client that grows beyond an equal share is closed with 1013; smaller ones go
//! on. So all together hold at most twice the bound, and small clients don't pay for large ones.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What all clients of a process make it hold, in KiB.
#[derive(Debug)]
pub(super) struct Budget {
    max_kib: usize,
    held_kib: AtomicUsize,
}

impl Budget {
    /// Returns a budget of about `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max_kib: max.div_ceil(1 << 10), held_kib: AtomicUsize::default() }
    }

    /// Notes that a client made the process hold `before` KiB and now makes it hold `now`.
    pub(super) fn change(&self, before: u32, now: u32) {
        let (before, now) = (before as usize, now as usize);
        if now >= before {
            self.held_kib.fetch_add(now - before, Relaxed);
        } else {
            self.held_kib.fetch_sub(before - now, Relaxed);
        }
    }

    /// Checks whether a client that makes the process hold `kib` KiB, one of `clients`, must leave.
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
