//! A time that takes 8 bytes although there may be none.

use std::num::NonZeroU64;

/// A time in nanoseconds; an `Option` of it is as small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(NonZeroU64);

impl Moment {
    pub(super) const fn new(ns: u64) -> Self {
        // One more, since the first moment is 0.
        Self(NonZeroU64::MIN.saturating_add(ns))
    }

    pub(super) const fn ns(self) -> u64 {
        self.0.get() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_it_was_made_of() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        for ns in [0, 1, 7_000_000_000, u64::MAX - 1] {
            assert_eq!(Moment::new(ns).ns(), ns);
        }
    }
}
