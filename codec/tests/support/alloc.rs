//! A global allocator that counts, for tests that bound memory. One such test a process: counters
//! are global.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static MOVED: Cell<usize> = const { Cell::new(0) };
}

/// Counts what this thread allocates and passes it on to the system's allocator.
pub struct Counting;

fn count(calls: usize, bytes: isize) {
    CALLS.set(CALLS.get() + calls);
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to `System` unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as isize - layout.size() as isize);
        MOVED.set(MOVED.get() + layout.size().min(new_size));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// What a piece of work cost this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Calls to allocate or reallocate.
    pub calls: usize,
    /// The most that was live at once above the start, in bytes.
    pub peak: usize,
    /// What is still live above the start, in bytes.
    pub held: isize,
    /// What reallocations had to copy at most, in bytes.
    pub moved: usize,
}

/// Does the work and counts.
pub fn cost_of(work: impl FnOnce()) -> Cost {
    let (calls, live, moved) = (CALLS.get(), LIVE.get(), MOVED.get());
    PEAK.set(live);
    work();
    Cost {
        calls: CALLS.get() - calls,
        peak: (PEAK.get() - live).max(0) as usize,
        held: LIVE.get() - live,
        moved: MOVED.get() - moved,
    }
}
