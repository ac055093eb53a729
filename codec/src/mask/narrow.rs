//! Stands in for [`x86`](super) on other targets: no vectors wider than the baseline.

use super::MaskKey;
use super::span::Span;

/// There are no such vectors, so functions that take one are never called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wide {}

impl Wide {
    #[inline]
    pub(super) const fn best() -> Option<Self> {
        None
    }

    pub(super) fn available() -> impl Iterator<Item = Self> {
        core::iter::empty()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {}
    }

    #[inline]
    pub(super) fn apply<S: Span>(self, _: MaskKey, _: &mut S) {
        match self {}
    }
}
