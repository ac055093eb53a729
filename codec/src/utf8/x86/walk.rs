//! One pass over a text: unmask a block, store it, and validate it while it is in registers.
//!
//! The loop is the same for every instruction set; what differs comes as [`Steps`], closures that
//! inherit the target features of the function they are written in. Blocks are 64 bytes. Blocks of
//! only ASCII are not checked, except the first one after other blocks, where a character left open
//! shows.
//!
//! ```text
//!  head    first   4 blocks a turn ...            block  rest
//! |-------|                                                    overlaps `first` if the text does not start at a
//!     |-------|--------|--------|--------|--------|-------|--- cache line: there the head's checks hold
//! ```

use crate::mask::x86::{BLOCK_LEN, aligned_from};
use crate::mask::{Baseline, Lane, MaskKey, Span, apply_short};

/// What one instruction set does with a block of type `B`. `T` is what it remembers from block to
/// block.
pub(super) struct Steps<U, P, A, C> {
    /// XORs the key over a block.
    pub(super) unmask: U,
    /// XORs the key over less than a block, and pads with zeros. Instead of ASCII it may return
    /// zeros.
    pub(super) unmask_part: P,
    /// Whether no byte of four blocks has its top bit set.
    pub(super) is_ascii: A,
    /// Checks a block after the one before, and records errors in the bytes from one index up to
    /// another.
    pub(super) check: C,
}

/// Bytes at the start of a block whose checks depend on the block before.
const CONTEXT_LEN: usize = 3;

/// XORs `key` over `span`, checks the result as text that starts with a character, and returns what
/// `check` has recorded. An incomplete character at the end is no error.
#[inline(always)]
pub(super) fn walk<S, B, T, U, P, A, C>(
    key: MaskKey,
    span: &mut S,
    mut state: T,
    steps: &Steps<U, P, A, C>,
) -> T
where
    S: Span,
    B: Lane,
    U: Fn(B, MaskKey) -> B,
    P: Fn(&[u8], MaskKey) -> B,
    A: Fn([B; 4]) -> bool,
    C: Fn(&mut T, B, usize, usize),
{
    let len = span.len();
    // Whether the block before was checked, so that its last character may be open.
    let mut open = false;
    let mut at = aligned_from(span);
    if at > 0 && at + CONTEXT_LEN <= BLOCK_LEN {
        if let (Some(head), Some(first)) = (span.load::<B>(0), span.load::<B>(at)) {
            let head = (steps.unmask)(head, key);
            let first = (steps.unmask)(first, key.rotated(at));
            span.store(0, head);
            span.store(at, first);
            if !(steps.is_ascii)([head, head, first, first]) {
                (steps.check)(&mut state, head, 0, BLOCK_LEN);
                (steps.check)(&mut state, first, CONTEXT_LEN, BLOCK_LEN);
                open = true;
            }
            at += BLOCK_LEN;
        }
    } else {
        at = 0;
    }
    let key = key.rotated(at);
    while let Some([a, b, c, d]) = span.load::<[B; 4]>(at) {
        let a = (steps.unmask)(a, key);
        let b = (steps.unmask)(b, key);
        let c = (steps.unmask)(c, key);
        let d = (steps.unmask)(d, key);
        span.store(at, [a, b, c, d]);
        if (steps.is_ascii)([a, b, c, d]) {
            if open {
                (steps.check)(&mut state, a, 0, BLOCK_LEN);
                open = false;
            }
        } else {
            (steps.check)(&mut state, a, 0, BLOCK_LEN);
            (steps.check)(&mut state, b, 0, BLOCK_LEN);
            (steps.check)(&mut state, c, 0, BLOCK_LEN);
            (steps.check)(&mut state, d, 0, BLOCK_LEN);
            open = true;
        }
        at += 4 * BLOCK_LEN;
    }
    while let Some(block) = span.load::<B>(at) {
        let block = (steps.unmask)(block, key);
        span.store(at, block);
        let ascii = (steps.is_ascii)([block; 4]);
        if open || !ascii {
            (steps.check)(&mut state, block, 0, BLOCK_LEN);
            open = !ascii;
        }
        at += BLOCK_LEN;
    }
    if at < len {
        let rest = (steps.unmask_part)(span.source().get(at..).unwrap_or(&[]), key);
        if open || !(steps.is_ascii)([rest; 4]) {
            (steps.check)(&mut state, rest, 0, len - at);
        }
        apply_short::<Baseline, _>(key, &mut span.rest(at));
    }
    state
}
