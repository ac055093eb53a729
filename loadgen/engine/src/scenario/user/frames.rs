//! Where a user is in its program: a place in a block, above those of the blocks that led there.

use super::super::Program;
use super::super::Step;
use super::super::file::DEPTH_MAX;
use super::{User, step_at};

/// A place in a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub(super) block: u32,
    pub(super) step: u32,
    /// How often the current step has been done.
    pub(super) done: u32,
}

/// The frames of the blocks that led to the current one, outermost first.
pub(super) type OuterFrames = [Frame; DEPTH_MAX];

impl User {
    /// Enters a block at its first step.
    pub(super) fn enter(&mut self, block: usize) {
        if let Some(outer) = usize::from(self.depth).checked_sub(1) {
            let top = self.top;
            let Some(frame) = self.rare().outer.get_mut(outer) else { return };
            *frame = top;
        }
        self.top = Frame { block: u32::try_from(block).unwrap_or(0), step: 0, done: 0 };
        self.depth += 1;
    }

    /// Leaves the current block.
    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let outer = usize::from(self.depth).checked_sub(1);
        if let (Some(outer), Some(rare)) = (outer, &self.rare) {
            self.top = rare.outer.get(outer).copied().unwrap_or_default();
        }
    }

    /// Returns the current step.
    pub(super) fn step<'p>(&self, program: &'p Program) -> &'p Step {
        step_at(program, self.top)
    }
}
