//! When load begins, is measured and ends.

use crate::metrics::Span;

/// Times of a run, in nanoseconds after its begin. The same for all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Load begins.
    pub load_begin_ns: u64,
    /// The warm-up is over: the measured time begins.
    pub window_begin_ns: u64,
    /// Nothing more is sent.
    pub window_end_ns: u64,
}

impl Times {
    /// Not known yet.
    pub(crate) const NEVER: Self =
        Self { load_begin_ns: u64::MAX, window_begin_ns: u64::MAX, window_end_ns: u64::MAX };

    /// The first time at which a message can have been due. The run's begin if this worker has not
    /// heard when load begins, and others' messages are there already.
    pub(crate) const fn earliest_ns(&self) -> u64 {
        if self.load_begin_ns == Self::NEVER.load_begin_ns { 0 } else { self.load_begin_ns }
    }

    /// The span that a message belongs to.
    #[inline]
    pub(crate) const fn span(&self, planned_ns: u64) -> Span {
        if planned_ns < self.window_begin_ns { Span::Warmup } else { Span::Measured }
    }

    /// Whether `ns` lies in the measured time.
    pub(crate) const fn is_measured(&self, ns: u64) -> bool {
        self.window_begin_ns <= ns && ns < self.window_end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_begin_is_known_can_have_been_due() {
        assert_eq!(Times::NEVER.earliest_ns(), 0);
        let times = Times { load_begin_ns: 7, window_begin_ns: 9, window_end_ns: 20 };
        assert_eq!(times.earliest_ns(), 7);
    }
}
