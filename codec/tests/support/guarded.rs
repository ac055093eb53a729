//! Memory between two pages that must not be touched: a kernel that reads or writes outside of its
//! slice crashes.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

/// What a [`Guarded`] is filled with where no slice is.
pub const CANARY: u8 = 0xa5;

/// Pages of memory with an inaccessible one before and behind where the system can do that.
pub struct Guarded {
    start: *mut u8,
    len: usize,
}

impl Guarded {
    /// At least `len_min` bytes, all of them canaries.
    pub fn new(len_min: usize) -> Self {
        let len = len_min.next_multiple_of(PAGE);
        let mut memory = Self { start: map(len), len };
        memory.bytes().fill(CANARY);
        memory
    }

    /// All bytes; the first and the last are next to the pages that must not be touched.
    #[expect(unsafe_code, reason = "memory that did not come from an allocator")]
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `map` returned `len` accessible, initialised bytes, which this value owns.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Where a slice of `len` bytes starts whose address is `alignment` modulo 64 and which ends as
    /// near to the end as that allows: at the very end for one of 64 alignments.
    pub fn place(&self, len: usize, alignment: usize) -> usize {
        let last = self.len - len;
        last - (last - alignment) % 64
    }

    /// Panics if a byte in the 64 before or behind `start..end` is not a canary any more.
    pub fn check_canaries(&mut self, start: usize, end: usize) {
        let bytes = self.bytes();
        let before = &bytes[start.saturating_sub(64)..start];
        let behind = &bytes[end..bytes.len().min(end + 64)];
        assert!(before.iter().all(|byte| *byte == CANARY), "wrote before the start");
        assert!(behind.iter().all(|byte| *byte == CANARY), "wrote behind the end");
    }
}

/// The largest page of the systems that these tests run on.
const PAGE: usize = 65_536;

#[cfg(unix)]
#[expect(unsafe_code, reason = "mmap, mprotect and munmap")]
mod system {
    use super::{Guarded, PAGE};

    pub(super) fn map(len: usize) -> *mut u8 {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the system's choice; the arguments are valid.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), len + 2 * PAGE, libc::PROT_NONE, flags, -1, 0)
        };
        assert_ne!(start, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        // SAFETY: one page into a mapping that is two pages longer than `len`.
        let start = unsafe { start.cast::<u8>().add(PAGE) };
        // SAFETY: these pages are in the mapping made above, and nobody else knows of them.
        let done = unsafe { libc::mprotect(start.cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        start
    }

    impl Drop for Guarded {
        fn drop(&mut self) {
            // SAFETY: `start` is one page into a mapping of `len` and two pages, which nobody uses
            // any more.
            unsafe { libc::munmap(self.start.sub(PAGE).cast(), self.len + 2 * PAGE) };
        }
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn map(len: usize) -> *mut u8 {
        vec![0; len].leak().as_mut_ptr()
    }
}

use system::map;
